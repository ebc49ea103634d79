//! The closed loop: each connection sends as fast as its answers come. It finds the largest throughput
//! and nothing else: it sends less while the server is slow, so its latencies flatter (coordinated
//! omission).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Class, LoadError, LoadReport, Mode, Plan,
    cpu::process_cpu,
    line::Line,
    recorder::Sample,
    report::Planned,
    shared::{Shared, StopOnDrop, open_lines},
};

/// Pause after a lost connection, lest a dead server be answered with a busy loop.
const RECONNECT_PAUSE: Duration = Duration::from_millis(1);

/// Sends on every connection of the plan for `duration`, one request after the other, and reports the
/// throughput. The plan's limit of requests in flight does not apply.
///
/// Must be polled on a tidemill runtime. Dropping it ends the run.
///
/// # Errors
/// As [`run`](crate::run).
pub async fn saturate(plan: Plan, duration: Duration) -> Result<LoadReport, LoadError> {
    let lines = open_lines(&plan).await?;
    let cpu = process_cpu();
    let shared = Shared::new(plan, duration, 0, 1);
    let _stop = StopOnDrop(Arc::clone(&shared));
    let numbers = Arc::new(AtomicU64::new(0));
    let work = |line| tidemill::spawn(work(line, Arc::clone(&numbers), Arc::clone(&shared), duration));
    let tasks = lines.into_iter().map(work).collect();
    shared.watch(tasks).await?;
    Ok(LoadReport::new(Mode::Closed, &shared, Planned::closed(duration), cpu))
}

async fn work(mut line: Line, numbers: Arc<AtomicU64>, shared: Arc<Shared>, duration: Duration) {
    let mut sent = shared.start.elapsed();
    while sent < duration && !shared.is_stopped() {
        // Only the number itself is used, hence relaxed.
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let until: Instant = shared.start + sent + shared.plan.timeout;
        let end = line.exchange(&shared.plan, number, until).await;
        let ended = shared.start.elapsed();
        shared.record(&Sample { step: 0, planned: sent, sent, ended, lag: Duration::ZERO, end });
        sent = ended;
        if end.class == Class::Io {
            tokio::time::sleep(RECONNECT_PAUSE).await;
            sent = shared.start.elapsed();
        }
    }
}
