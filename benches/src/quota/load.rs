//! Requests that compute for a millisecond each, offered in two ways.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    executor::{Executor, Spawner},
    latency::Latencies,
    tail::{Long, Mix, Outcome, Plan, Spin, open_loop},
};

/// The parts of a request, between which it gives way as it would at an `await`.
const PARTS: u32 = 4;

/// CPU time of a part.
const PART: Duration = Duration::from_micros(250);

/// Requests in flight in the closed loop.
const CLIENTS: usize = 8;

/// Arrivals per second in the open loop: seven tenths of what one CPU can do.
const RATE: f64 = 700.0;

const SEED: u64 = 0x7175_6f74;

/// How requests are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// Always [`CLIENTS`] in flight: more than the quota pays for.
    Busy,
    /// Poisson arrivals of [`RATE`]: the quota would be enough.
    Open,
}

/// What a load saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Load {
    pub(super) const ALL: [Self; 2] = [Self::Busy, Self::Open];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Open => "open",
        }
    }

    pub(super) fn title(self) -> String {
        match self {
            Self::Busy => format!("closed loop, {CLIENTS} requests of 1 ms in flight"),
            Self::Open => format!("open loop, {RATE} requests of 1 ms per second"),
        }
    }

    /// # Errors
    /// No load is called so.
    pub(super) fn named(name: &str) -> io::Result<Self> {
        let load = Self::ALL.into_iter().find(|load| load.name() == name);
        load.ok_or_else(|| io::Error::other(format!("no load is called `{name}`")))
    }

    /// Offers it for `span`.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn on<E: Executor>(self, executor: &E, spin: Spin, span: Duration) -> io::Result<Seen> {
        let start = Instant::now();
        let latencies = match self {
            Self::Busy => busy(executor, spin, span)?,
            Self::Open => open(executor, spin, span)?,
        };
        let ms = |share| latencies.micros(share) / 1e3;
        let per_second = latencies.count() as f64 / start.elapsed().as_secs_f64();
        Ok(Seen { per_second, p50_ms: ms(0.5), p99_ms: ms(0.99) })
    }
}

fn busy<E: Executor>(executor: &E, spin: Spin, span: Duration) -> io::Result<Latencies> {
    let each = executor.run(move |spawner| async move {
        let end = Instant::now() + span;
        let clients: Vec<_> = (0..CLIENTS).map(|_| spawner.spawn(client(spawner, spin, end))).collect();
        let mut each = Vec::with_capacity(CLIENTS);
        for client in clients {
            each.push(client.await);
        }
        each
    });
    let mut all = Latencies::none();
    each.iter().try_for_each(|each| all.merge(each))?;
    Ok(all)
}

/// One request after the other, at least one.
async fn client<S: Spawner>(spawner: S, spin: Spin, end: Instant) -> Latencies {
    let mut seen = Latencies::none();
    loop {
        let asked = Instant::now();
        spawner.spawn(request(spawner, spin)).await;
        let answered = Instant::now();
        seen.record(answered - asked);
        if answered >= end {
            return seen;
        }
    }
}

async fn request<S: Spawner>(spawner: S, spin: Spin) {
    for _ in 0..PARTS {
        spin.work(PART);
        spawner.yield_now().await;
    }
}

/// Here a request is in one piece; its latency runs from its planned arrival.
fn open<E: Executor>(executor: &E, spin: Spin, span: Duration) -> io::Result<Latencies> {
    let nanos = (PART * PARTS).as_nanos() as u64;
    let plan = Plan::poisson(RATE, span, Mix::new(nanos, nanos, Long::Computes), SEED);
    let Outcome { short, .. } = open_loop(executor, &plan, spin)?;
    Ok(short)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Tokio;

    #[test]
    fn names_lead_back() {
        assert!(Load::ALL.iter().all(|load| Load::named(load.name()).is_ok_and(|named| named == *load)));
        assert!(Load::named("lazy").is_err());
    }

    #[test]
    fn every_load_is_answered() {
        let executor = Tokio::start(2).unwrap();
        for load in Load::ALL {
            let seen = load.on(&executor, Spin::calibrated(), Duration::from_millis(20)).unwrap();
            assert!(seen.per_second > 0.0 && seen.p50_ms <= seen.p99_ms, "{load:?}: {seen:?}");
        }
    }
}
