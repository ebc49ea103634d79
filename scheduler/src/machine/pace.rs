//! How many picks there are from one look around to the next: 61, or fewer, so that long polls do not make it rare.
//!
//! A machine looks around (the reactor, those who wait for a permit, the queue of what comes from outside) by counting its picks,
//! for a clock read per poll would cost more than the poll. Counted alone, 61 polls of a quarter of a millisecond keep a
//! socket waiting for 15 ms. So the length of the last stretch tells how long the next one is to be; the clock is read
//! once for each. Short polls among long ones are no reason to look less often: what the last stretch says of the length of
//! a poll counts at once if it is more than was thought, and else the estimate is halved at the most.
//!
//! The queue of what comes from outside goes first at a look, but in no more than one pick of three: the own queue has to move as well.

use crate::limits::{LOOK_GAP, LOOK_MOST, OUTSIDE_GAP};

#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Picks of the stretch that is on.
    picks: u32,
    /// When it began, in nanoseconds.
    began: u64,
    /// What a pick is thought to take, in nanoseconds.
    each: u64,
    /// Picks, those of this stretch included, since what comes from outside went first.
    inside: u32,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { picks: LOOK_MOST, began: 0, each: 0, inside: LOOK_MOST }
    }

    /// A stretch is over: how many picks the next one has.
    pub(super) fn next(self, now: u64) -> Self {
        let took = now.saturating_sub(self.began) / u64::from(self.picks);
        let each = took.max(self.each / 2).max(1);
        let fit = (LOOK_GAP.as_nanos() as u64 / each).clamp(1, LOOK_MOST.into());
        let picks = fit as u32;
        let inside = if self.outside_first() { picks } else { self.inside + picks };
        Self { picks, began: now, each, inside }
    }

    /// At the look that ends this stretch: does what comes from outside go first?
    pub(super) fn outside_first(self) -> bool {
        self.inside >= OUTSIDE_GAP
    }

    pub(super) fn picks(self) -> u32 {
        self.picks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picks of the stretch after `polls` of `nanos` each.
    fn after(pace: Pace, nanos: u64) -> Pace {
        pace.next(pace.began + u64::from(pace.picks) * nanos)
    }

    #[test]
    fn stretches_last_as_long_as_the_gap_unless_polls_are_short_or_very_long() {
        let table = [(50, 61), (4_000, 61), (5_000, 50), (25_000, 10), (50_000, 5), (100_000, 2), (10_000_000, 1)];
        for (nanos, picks) in table {
            assert_eq!(after(Pace::new(), nanos).picks(), picks, "polls of {nanos} ns");
        }
    }

    #[test]
    fn longer_polls_count_at_once_and_shorter_ones_bit_by_bit() {
        let slow = after(Pace::new(), 200_000);
        assert_eq!(slow.picks(), 1);
        let mut pace = slow;
        let picks = std::array::from_fn(|_| {
            pace = after(pace, 50);
            pace.picks()
        });
        assert_eq!(picks, [2, 5, 10, 20, 40]);
        assert_eq!(after(pace, 200_000).picks(), 1);
    }

    #[test]
    fn what_comes_from_outside_goes_first_in_one_pick_of_three_at_the_most_and_of_61_at_the_least() {
        for (nanos, every) in [(50, 61), (5_000, 50), (50_000, 5), (100_000, 4), (10_000_000, 3)] {
            let mut pace = after(Pace::new(), nanos);
            let mut picks = 0;
            for _ in 0..20 {
                picks += pace.picks();
                if pace.outside_first() {
                    assert_eq!(picks, every, "polls of {nanos} ns");
                    picks = 0;
                }
                pace = after(pace, nanos);
            }
        }
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_does_no_harm() {
        for now in [0, 7, 1_000] {
            let pace = Pace { picks: 61, began: 1_000, each: 50, inside: 61 };
            assert_eq!(pace.next(now).picks(), LOOK_MOST);
        }
    }
}
