//! The open loop: a rate that does not care how the server feels.
//!
//! The pacer lets requests go by the schedule, the connections take them in that order. A connection
//! that was idle sends at once; if none is, the request waits, and since its latency counts from the
//! planned time the wait is in it. That is what a closed loop hides: it would not have sent at all.

use std::sync::Arc;

use flume::Receiver;

use crate::{
    LoadError, LoadReport, Mode, Plan, Schedule,
    cpu::process_cpu,
    line::{Ended, Line},
    pacer::{self, Job},
    recorder::Sample,
    report::Planned,
    shared::{Shared, StopOnDrop, open_lines},
};

/// Sends the schedule and reports what became of it.
///
/// Ends one time-out after the last planned request at the latest. Must be polled on a tidemill runtime,
/// which runs the connections; the pacing has a thread of its own. Dropping it ends the run.
///
/// ```
/// use std::time::Duration;
/// use orders_load::{Arrivals, Plan, Request, Schedule, run};
///
/// # fn serve() -> std::io::Result<std::net::SocketAddr> {
/// #     use std::io::{Read, Write};
/// #     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// #     let addr = listener.local_addr()?;
/// #     std::thread::spawn(move || for stream in listener.incoming() {
/// #         let mut stream = stream.unwrap();
/// #         std::thread::spawn(move || while stream.read(&mut [0; 4096]).unwrap_or(0) > 0 {
/// #             stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 11\r\n\r\n{\"order\":1}").unwrap();
/// #         });
/// #     });
/// #     Ok(addr)
/// # }
/// # let addr = serve()?;
/// let plan = Plan::builder(format!("http://{addr}/orders"))
///     .connections(2)
///     .source(|n| Request { idempotency_key: format!("run-{n}"), body: "{}".into() })
///     .build()?;
/// let schedule = Schedule::new(Arrivals::Constant, 200.0, Duration::from_millis(100), 0)?;
/// let report = tidemill::Runtime::new()?.block_on(run(plan, schedule))?;
/// assert_eq!(report.accepted.len(), 20);
/// println!("{report}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A [`LoadError`] if a connection cannot be opened before the start, the pacer's thread cannot be
/// started or the plan's own code panics. What the server does is never an error but counted.
pub async fn run(plan: Plan, schedule: Schedule) -> Result<LoadReport, LoadError> {
    let lines = open_lines(&plan).await?;
    let planned = Planned::from(&schedule);
    // Unbounded, since the limit of requests in flight bounds it.
    let (jobs, inbox) = flume::unbounded();
    let cpu = process_cpu();
    let duration = schedule.duration();
    let shared = Shared::new(plan, duration, schedule.len() as u64, schedule.steps().len());
    let _stop = StopOnDrop(Arc::clone(&shared));
    let work = |line| tidemill::spawn(work(line, inbox.clone(), Arc::clone(&shared)));
    let tasks = lines.into_iter().map(work).collect();
    pacer::start(Arc::clone(&shared), schedule, jobs).map_err(LoadError::Pacer)?;
    shared.watch(tasks).await?;
    Ok(LoadReport::new(Mode::Open, &shared, planned, cpu))
}

/// Sends what the pacer lets go, until it has ended.
async fn work(mut line: Line, inbox: Receiver<Job>, shared: Arc<Shared>) {
    while let Some((job, found)) = next(&inbox).await
        && !shared.is_stopped()
    {
        let sample = send(&mut line, job, found, &shared).await;
        shared.end(&sample);
    }
}

/// Whether a job found a connection waiting for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Idle,
    Busy,
}

async fn next(inbox: &Receiver<Job>) -> Option<(Job, Found)> {
    match inbox.try_recv() {
        Ok(job) => Some((job, Found::Busy)),
        Err(_) => Some((inbox.recv_async().await.ok()?, Found::Idle)),
    }
}

/// Up to the release the lag is the pacer's; from there to the sending it is the generator's only if a
/// connection was idle. Else the server had not answered yet, which is the server's time.
async fn send(line: &mut Line, job: Job, found: Found, shared: &Shared) -> Sample {
    let Job { number, step, planned, released } = job;
    let sent = shared.start.elapsed();
    let until = planned + shared.plan.timeout;
    let end =
        if sent < until { line.exchange(&shared.plan, number, shared.start + until).await } else { Ended::given_up() };
    let ready = if found == Found::Idle { sent } else { released };
    let lag = ready.saturating_sub(planned);
    Sample { step, planned, sent, ended: shared.start.elapsed(), lag, end }
}
