//! One endpoint of a selector: its load, its health, and how long it is left out.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::Ejection;
use crate::breaker::window::{Counts, Span, Window};

/// How an endpoint is doing. All orderings are `Relaxed`: each word tells only of itself, and a pick that misses the latest
/// change is a pick a moment earlier.
#[derive(Debug)]
pub(super) struct Node<E> {
    pub(super) endpoint: E,
    pub(super) weight: AtomicU32,
    /// Calls in flight.
    pub(super) load: AtomicU32,
    /// Left out until this time on the selector's axis, in nanoseconds; zero if it is not.
    pub(super) out_until: AtomicU64,
    failed_in_a_row: AtomicU32,
    /// Good calls since the last failure, for the window.
    good: AtomicU32,
    health: Mutex<Health>,
}

#[derive(Debug)]
struct Health {
    window: Window,
    /// How often it was left out in a row, and when and for how long the last time.
    times: u32,
    back_at: u64,
    out_for: u64,
}

impl<E> Node<E> {
    pub(super) fn new(endpoint: E, weight: u32, window: Duration) -> Self {
        let health = Health { window: Window::new(Span::Time(window)), times: 0, back_at: 0, out_for: 0 };
        Self {
            endpoint,
            weight: AtomicU32::new(weight),
            load: AtomicU32::new(0),
            out_until: AtomicU64::new(0),
            failed_in_a_row: AtomicU32::new(0),
            good: AtomicU32::new(0),
            health: Mutex::new(health),
        }
    }

    pub(super) fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    pub(super) fn is_out(&self, nanos: u64) -> bool {
        self.out_until.load(Relaxed) > nanos
    }

    pub(super) fn succeeded(&self) {
        // A look first: the common case writes nothing.
        if self.failed_in_a_row.load(Relaxed) > 0 {
            self.failed_in_a_row.store(0, Relaxed);
        }
        self.good.fetch_add(1, Relaxed);
    }

    /// Counts a failure; whether it is one too many.
    pub(super) fn failed(&self, rules: &Ejection, nanos: u64) -> bool {
        let in_a_row = self.failed_in_a_row.fetch_add(1, Relaxed) + 1;
        if rules.failures_in_a_row.is_some_and(|limit| in_a_row >= limit) {
            return true;
        }
        let Some((percent, min_calls)) = rules.failure_rate else { return false };
        let good = self.good.swap(0, Relaxed);
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.window.record(good.into(), Counts { calls: 1, failed: 1, slow: 0 }, nanos);
        let total = health.window.total();
        total.calls >= u64::from(min_calls) && total.failed * 100 >= total.calls * u64::from(percent)
    }

    /// Leaves it out from `nanos` on: twice as long as the last time, if that was not long ago.
    pub(super) fn leave_out(&self, rules: &Ejection, nanos: u64) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let behaved = nanos.saturating_sub(health.back_at) >= health.out_for;
        health.times = if behaved { 0 } else { health.times.saturating_add(1) };
        let first = nanos_of(rules.time);
        let grown = first.saturating_mul(2u64.saturating_pow(health.times)).min(nanos_of(rules.max_time).max(first));
        (health.out_for, health.back_at) = (grown, nanos.saturating_add(grown));
        health.window.clear(nanos);
        self.failed_in_a_row.store(0, Relaxed);
        self.good.store(0, Relaxed);
        self.out_until.store(health.back_at, Relaxed);
    }
}

fn nanos_of(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
