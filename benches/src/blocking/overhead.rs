//! What it costs to announce a blocking call that returns at once.
#![expect(clippy::disallowed_methods, reason = "tokio's calls are what tidemill's is compared with")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use crate::{Tidemill, Tokio, executor::Executor};

/// The time of a number of calls made one after the other from one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overhead {
    calls: u32,
    total: Duration,
}

impl Overhead {
    /// Nanoseconds per call.
    #[must_use]
    pub fn nanos_per_call(self) -> f64 {
        self.total.as_secs_f64() * 1e9 / f64::from(self.calls)
    }
}

/// `tidemill::blocking(|| ..)`, which runs in place.
#[must_use]
pub fn per_call_tidemill(executor: &Tidemill, calls: u32) -> Overhead {
    executor.run(move |_| async move { time(calls, |i| tidemill::blocking(|| black_box(i))) })
}

/// `tokio::task::block_in_place`, which hands its worker's core to another thread each time.
#[must_use]
pub fn per_call_block_in_place(executor: &Tokio, calls: u32) -> Overhead {
    executor.run(move |_| async move { time(calls, |i| tokio::task::block_in_place(|| black_box(i))) })
}

/// `tokio::task::spawn_blocking`, awaited: the call that tokio recommends.
#[must_use]
pub fn per_call_spawn_blocking(executor: &Tokio, calls: u32) -> Overhead {
    executor.run(move |_| async move {
        let start = Instant::now();
        for i in 0..calls {
            let same = tokio::task::spawn_blocking(move || black_box(i)).await;
            assert_eq!(same.expect("the call does not panic"), i);
        }
        Overhead { calls, total: start.elapsed() }
    })
}

fn time(calls: u32, mut call: impl FnMut(u32) -> u32) -> Overhead {
    let start = Instant::now();
    for i in 0..calls {
        assert_eq!(call(i), i);
    }
    Overhead { calls, total: start.elapsed() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nanos_are_per_call() {
        let overhead = Overhead { calls: 1_000, total: Duration::from_millis(2) };
        assert!((overhead.nanos_per_call() - 2_000.0).abs() < 1e-6);
    }

    #[test]
    fn each_kind_of_call_comes_back() {
        let (ours, theirs) = (Tidemill::start(1).unwrap(), Tokio::start(1).unwrap());
        let all =
            [per_call_tidemill(&ours, 3), per_call_block_in_place(&theirs, 3), per_call_spawn_blocking(&theirs, 3)];
        assert!(all.iter().all(|overhead| overhead.nanos_per_call() > 0.0), "{all:?}");
    }
}
