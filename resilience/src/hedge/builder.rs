//! The options of a hedge, checked once.

use std::time::Duration;

use super::{Delay, Hedge, InvalidHedge, quantile::Quantile};

/// More requests than this for one call is a mistake.
const MOST_HEDGES: u32 = 100;

/// The longest delay: a year, far from every clock's end.
const MAX_TIME: Duration = Duration::from_secs(366 * 86_400);

/// Options of a [`Hedge`]; made by [`Hedge::after`] and [`Hedge::quantile`].
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::Hedge;
///
/// let options = Hedge::quantile(950).max_hedges(2); // after the 95th percentile
/// assert_eq!(options.build()?.delay(), None, "no call was seen yet");
/// let delay = Duration::from_millis(100);
/// assert_eq!(options.first_delay(delay).build()?.delay(), Some(delay));
/// # Ok::<(), tidemill_resilience::InvalidHedge>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Builder {
    pub(super) when: When,
    pub(super) first_delay: Option<Duration>,
    pub(super) min_delay: Duration,
    pub(super) max_hedges: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    After(Duration),
    /// Thousandths.
    Quantile(u32),
}

impl Builder {
    pub(super) const fn new(when: When) -> Self {
        Self { when, first_delay: None, min_delay: Duration::ZERO, max_hedges: 1 }
    }

    /// Hedges for one call, besides the first request. Default 1.
    pub const fn max_hedges(mut self, hedges: u32) -> Self {
        self.max_hedges = hedges;
        self
    }

    /// The delay of a quantile before 32 calls have succeeded. Default: no hedges before that.
    pub const fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = Some(delay);
        self
    }

    /// A quantile is never taken for less than this. Default zero.
    pub const fn min_delay(mut self, delay: Duration) -> Self {
        self.min_delay = delay;
        self
    }

    /// The hedge. One allocation for a quantile, of a bit more than a kilobyte; else none.
    ///
    /// # Errors
    /// [`InvalidHedge`] names the option at fault.
    pub fn build(self) -> Result<Hedge, InvalidHedge> {
        let Self { when, first_delay, min_delay, max_hedges } = self;
        if !(1..=MOST_HEDGES).contains(&max_hedges) {
            return Err(InvalidHedge::MaxHedges(max_hedges));
        }
        let delay = match when {
            When::Quantile(rank) if !(1..1000).contains(&rank) => return Err(InvalidHedge::Quantile(rank)),
            When::Quantile(rank) => Delay::Moving { quantile: Quantile::new(rank), first_delay, min_delay },
            When::After(delay) if delay > MAX_TIME => return Err(InvalidHedge::TooLong),
            When::After(delay) => Delay::Fixed(delay),
        };
        if min_delay > MAX_TIME || first_delay.is_some_and(|delay| delay > MAX_TIME) {
            return Err(InvalidHedge::TooLong);
        }
        Ok(Hedge { delay, max_hedges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senseless_option_is_named() {
        for (builder, expected) in [
            (Hedge::quantile(0), InvalidHedge::Quantile(0)),
            (Hedge::quantile(1000), InvalidHedge::Quantile(1000)),
            (Hedge::after(Duration::ZERO).max_hedges(0), InvalidHedge::MaxHedges(0)),
            (Hedge::after(Duration::ZERO).max_hedges(101), InvalidHedge::MaxHedges(101)),
            (Hedge::after(Duration::MAX), InvalidHedge::TooLong),
            (Hedge::quantile(500).first_delay(Duration::MAX), InvalidHedge::TooLong),
        ] {
            assert_eq!(builder.build().map(|_| ()), Err(expected));
        }
    }
}
