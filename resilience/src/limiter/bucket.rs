//! The arithmetic: one token bucket as a single point in time, and tokens set aside.
//!
//! The level of a bucket is not stored. As in GCRA (ITU-T I.371) the state is `full_at`, the time at which the bucket
//! would be full again; at time `t` it lacks `(full_at - t)` worth of tokens, and is full once `t >= full_at`.
//! To spend `n` at `t` is `full_at = max(full_at, t) + n * cost`, allowed while that is at most `t + burst * cost`.
//!
//! **Set aside.** Some tokens are promised before anyone knows whether and when they are spent: a thread's lease, and
//! the grant of a waiter that has not run yet. They stay *in the bucket* and are only closed to others. When they are
//! spent they are charged at a time not before the spending; when they are not, the promise is taken back and nothing
//! ever happened. So giving back is exact by construction. (Charging first and refunding on cancel is the peers' bug:
//! meanwhile the bucket may have been full, refill was lost to the cap, and the refund then mints tokens.)
//!
//! **Never over the bound.** Let `X(t)` be `full_at` of an ideal bucket that sees each spending at its real time. Ours
//! sees the same spendings, each at its time or later, rounded up. `max(x, t) + c` grows with `x` and with `t`, hence
//! `full_at >= X` once all are charged. A direct spending is allowed only if `full_at + (aside + n) * cost <= t + burst *
//! cost`, where every uncharged spending is still within `aside`; so the ideal bucket allows it too. Tokens set aside
//! passed that test when they were set aside, and every later test counted them. What an ideal bucket allows is at
//! most `burst + rate * w` in any window of length `w`, and so is what we allow.
//!
//! **A change of rate or burst** keeps the tokens: the level, fractions of a token included, is what it was, or the new
//! burst if that is less. What was promised stays promised, and is charged at the new price when it is spent; if the new
//! burst cannot hold it, that is a debt, paid off at the new rate before anything else is let through. Every rounding
//! of the conversion is downwards. So from any instant on, at most *the level then* plus *what the rates of the time bring* is
//! let through; the level is at most the burst of that instant, or what was promised under a larger one.

use super::{
    builder::Plan,
    rate::{Grid, narrow},
};

/// A point in time, in ticks, rounded both ways: down to decide, up to record. Exact when the grid is nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) floor: u64,
    pub(crate) ceil: u64,
}

#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) grid: Grid,
    burst: u64,
    /// The tick at which the bucket is full again if nothing more is charged.
    full_at: u64,
    /// Tokens in the bucket that are promised and not yet charged. Above `burst` only after a change to a smaller one.
    aside: u64,
}

impl Bucket {
    /// A full bucket. The caller has checked that `burst` tokens cost far less than 2^64 ticks.
    pub(crate) fn full(plan: &Plan) -> Self {
        Self::resume(plan, 0, 0)
    }

    /// A bucket that is full at `full_at`, a tick of the plan's grid, with so many tokens set aside.
    pub(crate) fn resume(plan: &Plan, full_at: u64, aside: u64) -> Self {
        Self { grid: plan.grid, burst: plan.burst, full_at, aside }
    }

    pub(crate) fn full_at(&self) -> u64 {
        self.full_at
    }

    pub(crate) fn burst(&self) -> u64 {
        self.burst
    }

    #[cfg(test)]
    pub(super) fn aside(&self) -> u64 {
        self.aside
    }

    pub(crate) fn at(&self, nanos: u64) -> Moment {
        Moment { floor: self.grid.floor(nanos), ceil: self.grid.ceil(nanos) }
    }

    /// Tokens open to anyone at `now`.
    pub(crate) fn open(&self, now: Moment) -> u64 {
        let lacking = self.full_at.saturating_sub(now.floor).div_ceil(self.grid.per_token);
        self.burst.saturating_sub(self.aside).saturating_sub(lacking)
    }

    /// The tick from which `n` more tokens are open, or `None` while that depends on what becomes of those set aside.
    pub(super) fn open_from(&self, n: u64) -> Option<u64> {
        let wanted = self.aside.saturating_add(n);
        (wanted <= self.burst).then(|| {
            let room = self.grid.cost(self.burst - wanted);
            self.full_at.saturating_sub(room)
        })
    }

    /// The tick from which `n` more tokens, however many, are open if all set aside are charged at tick `now`. With
    /// `now` zero it is the tick before which they cannot be, whatever happens but a promise taken back.
    pub(crate) fn estimate(&self, n: u64, now: u64) -> u64 {
        let debt = self.grid.cost(self.aside.saturating_add(n));
        let paid = self.full_at.max(now).saturating_add(debt);
        paid.saturating_sub(self.grid.cost(self.burst))
    }

    fn is_open(&self, n: u64, now: Moment) -> bool {
        self.open_from(n).is_some_and(|tick| tick <= now.floor)
    }

    /// Takes `n` tokens out at `now` if they are open.
    pub(crate) fn take(&mut self, n: u64, now: Moment) -> bool {
        let open = self.is_open(n, now);
        if open {
            self.charge(n, now);
        }
        open
    }

    /// Promises `n` tokens if they are open at `now`.
    pub(super) fn set_aside(&mut self, n: u64, now: Moment) -> bool {
        let open = self.is_open(n, now);
        if open {
            self.aside += n;
        }
        open
    }

    /// A promise of `n` was kept, at `now` or before.
    pub(super) fn spend_aside(&mut self, n: u64, now: Moment) {
        self.put_back(n);
        self.charge(n, now);
    }

    /// A promise of `n` is void.
    pub(super) fn put_back(&mut self, n: u64) {
        debug_assert!(n <= self.aside, "{n} put back of {} set aside", self.aside);
        self.aside -= n;
    }

    /// Spends `n` tokens at `now`, whether they are open or not.
    pub(crate) fn charge(&mut self, n: u64, now: Moment) {
        if n > 0 {
            self.full_at = self.full_at.max(now.ceil).saturating_add(self.grid.cost(n));
        }
    }

    /// Goes on as a bucket of another rate and size from time `nanos` (see the head of this file).
    pub(crate) fn change(&mut self, grid: Grid, burst: u64, nanos: u64) {
        let old = self.grid.cost(self.burst);
        let lack = self.full_at.saturating_sub(self.at(nanos).floor);
        let price = (u128::from(grid.per_token), u128::from(self.grid.per_token));
        let new = grid.cost(burst);
        let lack = if lack <= old {
            let level = narrow(u128::from(old - lack) * price.0 / price.1);
            new.saturating_sub(level)
        } else {
            let debt = narrow((u128::from(lack - old) * price.0).div_ceil(price.1));
            new.saturating_add(debt)
        };
        (self.grid, self.burst) = (grid, burst);
        if lack == 0 {
            self.full_at = 0;
        } else {
            self.full_at = grid.ceil(nanos).saturating_add(lack);
        }
    }

    /// Takes tokens out until at most `level` are open.
    pub(super) fn drain_to(&mut self, level: u64, now: Moment) {
        self.charge(self.open(now).saturating_sub(level), now);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Rate;

    fn bucket(rate: Rate, burst: u64) -> Bucket {
        Bucket::full(&Plan::checked(rate, burst).unwrap())
    }

    fn drain(bucket: &mut Bucket, nanos: u64) -> u64 {
        let now = bucket.at(nanos);
        let mut taken = 0;
        while bucket.take(1, now) {
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_token_comes_back_on_the_nanosecond_and_not_before() {
        let mut bucket = bucket(Rate::per_second(1000), 5);
        assert_eq!(drain(&mut bucket, 7), 5);
        assert_eq!(drain(&mut bucket, 1_000_006), 0);
        assert_eq!(drain(&mut bucket, 1_000_007), 1);
    }

    /// Odd rates, polled at every nanosecond of interest for long, give exactly burst + rate * time.
    #[test]
    fn no_drift_at_rates_that_are_not_whole_nanoseconds() {
        for (rate, period_ns, tokens) in [
            (Rate::per_second(3_000_000), 1_000_000_000, 3_000_000),
            (Rate::per_second(600_000_000), 1_000_000_000, 600_000_000),
            (Rate::per_second(999_999_937), 1_000_000_000, 999_999_937),
            (Rate::per_day(7), 86_400_000_000_000, 7),
        ] {
            let mut bucket = bucket(rate, 2 * tokens);
            let mut taken = 0;
            for period in 0..=1000u64 {
                let now = bucket.at(period * period_ns);
                let open = bucket.open(now);
                assert!(bucket.take(open, now));
                taken += open;
            }
            assert_eq!(taken, (2 + 1000) * tokens, "{rate:?}");
        }
    }

    /// firecracker#3370 and go#47221: refused calls, however many, change nothing.
    #[test]
    fn a_refused_call_changes_nothing() {
        let mut bucket = bucket(Rate::per_second(3), 1);
        assert_eq!(drain(&mut bucket, 0), 1);
        for nanos in (0..333_333_333).step_by(1_000_003) {
            assert_eq!(drain(&mut bucket, nanos), 0, "at {nanos}");
        }
        assert_eq!(drain(&mut bucket, 333_333_334), 1);
    }

    /// golang/go#71360: callers whose times arrive out of order pass no more than those in order.
    #[test]
    fn time_running_backwards_between_callers_mints_nothing() {
        let mut bucket = bucket(Rate::per_second(1000), 10);
        let taken: u64 = (0..10_000).map(|i| drain(&mut bucket, (i % 2) * 5_000_000)).sum();
        assert_eq!(taken, 10 + 5);
    }

    /// A charge-then-refund bucket would hold 2 * burst here.
    #[test]
    fn putting_back_after_a_full_bucket_mints_nothing() {
        let mut bucket = bucket(Rate::per_second(1000), 10);
        let (start, later) = (bucket.at(0), bucket.at(3_600_000_000_000));
        assert!(bucket.set_aside(10, start));
        assert_eq!(bucket.open(later), 0, "what is set aside stays closed however long it takes");
        assert_eq!(bucket.open_from(1), None);
        bucket.put_back(10);
        assert_eq!(drain(&mut bucket, 3_600_000_000_000), 10);
    }

    /// bucket4j#42, governor#39: what becomes of the tokens when the limit changes.
    #[test]
    fn a_change_keeps_the_tokens_and_clamps_them_to_the_new_burst() {
        let second = 1_000_000_000;
        for (taken, rate, burst, open, more_at, why) in [
            (4, 2_000, 10, 6, second + 500_000, "only the rate: the level stays, the next token comes at the new pace"),
            (4, 1_000, 20, 6, second + 1_000_000, "a larger burst is not filled for nothing"),
            (4, 1_000, 5, 5, second, "a smaller one keeps what fits"),
            (10, 1, 10, 0, 2 * second, "an empty bucket stays empty, and fills at the new pace"),
        ] {
            let mut bucket = bucket(Rate::per_second(1_000), 10);
            assert!(bucket.take(taken, bucket.at(second)));
            bucket.change(Rate::per_second(rate).grid().unwrap(), burst, second);
            assert_eq!(bucket.open(bucket.at(second)), open, "{why}");
            let more = if open == burst { open } else { open + 1 };
            assert_eq!(bucket.open(bucket.at(more_at)), more, "{why}");
            assert!(open == burst || bucket.open(bucket.at(more_at - 1)) == open, "{why}");
        }
    }

    #[test]
    fn fractions_of_a_token_survive_a_change_and_none_is_minted() {
        let mut bucket = bucket(Rate::per_second(1_000), 10);
        assert!(bucket.take(10, bucket.at(0)));
        // Half a token is there; a thousand changes to and fro at the same instant leave it at half a token or just below.
        for _ in 0..500 {
            bucket.change(Rate::per_second(7).grid().unwrap(), 10, 500_000);
            bucket.change(Rate::per_second(1_000).grid().unwrap(), 10, 500_000);
        }
        assert_eq!(bucket.open(bucket.at(999_999)), 0);
        assert_eq!(bucket.open(bucket.at(1_000_000 + 1_000)), 1, "a thousand roundings of one nanosecond at most");
    }

    #[test]
    fn what_was_promised_under_a_larger_burst_is_a_debt_under_a_smaller_one() {
        let mut bucket = bucket(Rate::per_second(1_000), 10);
        let start = bucket.at(0);
        assert!(bucket.set_aside(10, start));
        bucket.change(Rate::per_second(1_000).grid().unwrap(), 2, 0);
        assert_eq!((bucket.open(start), bucket.open_from(1)), (0, None));
        bucket.spend_aside(10, start);
        assert_eq!(bucket.open_from(1), Some(9_000_000), "eight owed, and one more");
        // ... and the debt is re-priced by the next change: 9 ms of it is then worth 90 ms.
        bucket.change(Rate::per_second(100).grid().unwrap(), 2, 0);
        assert_eq!(bucket.open_from(1), Some(90_000_000));
    }

    #[test]
    fn what_is_set_aside_is_charged_when_spent() {
        let mut bucket = bucket(Rate::per_second(1000), 10);
        let (start, later) = (bucket.at(0), bucket.at(1_000_000_000));
        assert!(bucket.set_aside(4, start));
        bucket.spend_aside(4, later);
        assert_eq!(bucket.open(later), 6);
    }
}
