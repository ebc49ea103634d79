//! From ended calls to windows, and from windows to a limit.
//!
//! A window lasts until it is as long as it must be and holds as many calls as it must; then the algorithm is asked, and
//! a new one begins. A call that was cancelled never gets here: nobody knows how long it would have taken (Netflix PR#146).
//! A window in which the limit was not in use to the half is thrown away.
//!
//! Calls that began under another limit than the window's are not told apart; a probe's window begins only when those from
//! before it have ended, for they are what it wants to be rid of.

use std::time::Duration;

use super::algorithm::{LimitAlgorithm, Window};

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
    /// When the window began, on the limit's own axis.
    began: Duration,
    probe: Probe,
    rng: fastrand::Rng,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Probe {
    /// So many windows are left.
    In(u32),
    /// The limit is halved, and calls that began before this time still end.
    Draining(Duration),
    Measuring,
}

/// What a window has gathered so far.
#[derive(Debug, Default)]
struct Sums {
    answered: u32,
    total: Duration,
    shortest: Option<Duration>,
    dropped: u32,
    dropped_total: Duration,
    in_flight: u32,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) began: Duration,
    pub(super) now: Duration,
    pub(super) in_flight: u32,
    pub(super) dropped: bool,
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
        Self { bounds, algorithm, limit: initial.into(), sums, began: Duration::ZERO, probe, rng }
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
        let calls = self.sums.answered + self.sums.dropped;
        let lasted = call.now.saturating_sub(self.began);
        if calls < self.bounds.min_calls || lasted < self.bounds.min_time {
            return None;
        }
        let sums = std::mem::take(&mut self.sums);
        self.began = call.now;
        self.close(&sums, call.now);
        Some(self.applied())
    }

    /// The end of a window.
    fn close(&mut self, sums: &Sums, now: Duration) {
        let is_probe = self.probe == Probe::Measuring;
        // To the half of what was allowed: else it says nothing about the limit.
        if u64::from(sums.in_flight) * 2 >= u64::from(self.applied()) || sums.dropped > 0 {
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

impl Sums {
    fn add(&mut self, call: Ended) {
        let took = call.now.saturating_sub(call.began);
        self.in_flight = self.in_flight.max(call.in_flight);
        if call.dropped {
            self.dropped += 1;
            self.dropped_total += took;
        } else {
            self.answered += 1;
            self.total += took;
            self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        }
    }

    fn window(&self, probe: bool) -> Window {
        let (total, calls) =
            if self.answered > 0 { (self.total, self.answered) } else { (self.dropped_total, self.dropped) };
        let mean = total / calls.max(1);
        let shortest = self.shortest.unwrap_or(mean);
        Window { mean, shortest, in_flight: self.in_flight, dropped: self.dropped > 0, probe }
    }
}
