//! From ended calls to windows, and from windows to a limit.
//!
//! A window lasts until it is as long as it must be and holds as many calls as it must; then the algorithm is asked, and
//! a new one begins. A call that was cancelled never gets here: nobody knows how long it would have taken (Netflix PR#146).
//! A window in which the limit was not in use to the half is thrown away.
//!
//! Calls that began under another limit than the window's are not told apart; a probe's window begins only when those from
//! before it have ended, for they are what it wants to be rid of.

use std::time::Duration;

use super::{
    algorithm::LimitAlgorithm,
    sums::{Ended, Sums},
};

/// After a window of so many calls, threads add up the next in lanes of their own: what they save by that is more than what it costs to
/// bring their sums together (see `lanes`).
const WORTH_LANES: u64 = 4096;

/// The checked options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) min_calls: u32,
    pub(super) min_time: Duration,
    /// Windows from one probe to the next, about; zero for none.
    pub(super) probe_every: u32,
}

#[derive(Debug)]
pub(super) struct Control {
    bounds: Bounds,
    algorithm: Box<dyn LimitAlgorithm>,
    limit: f64,
    sums: Sums,
    /// When the window began, in nanoseconds on the limit's own axis.
    began: u64,
    /// The calls of the window before this one.
    calls_before: u64,
    probe: Probe,
    rng: fastrand::Rng,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Probe {
    /// So many windows are left.
    In(u32),
    /// The limit is halved, and calls that began before this time still end.
    Draining(u64),
    Measuring,
}

impl Control {
    pub(super) fn new(
        bounds: Bounds,
        initial: u32,
        algorithm: Box<dyn LimitAlgorithm>,
        mut rng: fastrand::Rng,
    ) -> Self {
        let probe = Self::next_probe(bounds, &mut rng);
        let sums = Sums::default();
        Self { bounds, algorithm, limit: initial.into(), sums, began: 0, calls_before: 0, probe, rng }
    }

    /// Takes a call in. The limit to apply, if it may have changed.
    pub(super) fn ended(&mut self, call: Ended) -> Option<u32> {
        if let Probe::Draining(since) = self.probe {
            if call.began < since {
                return None;
            }
            self.probe = Probe::Measuring;
            (self.sums, self.began) = (Sums::default(), call.began);
        }
        self.sums.add(call);
        let calls = self.sums.calls();
        if calls < self.bounds.min_calls.into() || call.now < self.ends() {
            return None;
        }
        let sums = std::mem::take(&mut self.sums);
        (self.began, self.calls_before) = (call.now, calls);
        self.close(&sums, call.now);
        Some(self.applied())
    }

    /// When the window ends, if it holds enough calls by then.
    fn ends(&self) -> u64 {
        self.began.saturating_add(nanos(self.bounds.min_time))
    }

    /// Until when threads may add up calls in lanes of their own; `None` if this is not worth it, or each call has to be seen.
    pub(super) fn lanes_until(&self) -> Option<u64> {
        let is_worth_it = self.calls_before >= WORTH_LANES && !matches!(self.probe, Probe::Draining(_));
        is_worth_it.then(|| self.ends())
    }

    /// Takes in what threads added up.
    pub(super) fn merge(&mut self, sums: &Sums) {
        self.sums.merge(sums);
    }

    /// The end of a window.
    fn close(&mut self, sums: &Sums, now: u64) {
        let is_probe = self.probe == Probe::Measuring;
        // To the half of what was allowed: else it says nothing about the limit.
        if sums.in_flight * 2 >= u64::from(self.applied()) || sums.dropped > 0 {
            let next = self.algorithm.next(self.limit, &sums.window(is_probe));
            if !is_probe && next.is_finite() {
                self.limit = next.clamp(self.bounds.min.into(), self.bounds.max.into());
            }
        }
        self.probe = match self.probe {
            Probe::In(1) => Probe::Draining(now),
            Probe::In(windows) => Probe::In(windows.saturating_sub(1)),
            Probe::Draining(_) | Probe::Measuring => Self::next_probe(self.bounds, &mut self.rng),
        };
    }

    /// Not all clients of a server at once.
    fn next_probe(bounds: Bounds, rng: &mut fastrand::Rng) -> Probe {
        let every = bounds.probe_every;
        // `In(0)` never comes to one.
        Probe::In(if every == 0 { 0 } else { rng.u32(every.div_ceil(2)..=every) })
    }

    /// The limit that is in force now.
    pub(super) fn applied(&self) -> u32 {
        let limit = self.limit as u32;
        match self.probe {
            Probe::In(_) => limit,
            Probe::Draining(_) | Probe::Measuring => (limit / 2).max(1),
        }
    }
}

/// Durations of more than 584 years are as good as that.
pub(super) fn nanos(duration: Duration) -> u64 {
    const PER_SECOND: u64 = 1_000_000_000;
    duration.as_secs().saturating_mul(PER_SECOND).saturating_add(duration.subsec_nanos().into())
}
