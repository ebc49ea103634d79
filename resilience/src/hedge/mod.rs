//! Ask again before the first answer is late, take whichever answer comes first, and drop the others.
//!
//! A call that is slower than most is usually slow by chance (a queue, a pause, a lost packet), and a second request rarely meets
//! the same. Sent after the 95th percentile of the latency, hedges add five percent of load and cut the tail to what two
//! unlucky requests in a row have.
//!
//! - **When.** After a fixed delay, or after a moving quantile of what calls took (`quantile`). What is recorded is how long the
//!   *first* request took, or, if a hedge overtook it, more than it had taken by then: that is above the delay either way, so the
//!   quantile stays right although the slowest are never seen to end.
//! - **Who.** `run` polls all attempts of a call in place: nothing is spawned, and a loser is dropped before the answer is
//!   returned. The answer is moved out as it is; no context or token of the winner ends with the call (failsafe-go#136).
//! - **What follows an error.** A final one ends the call; any other sends the next hedge at once, since waiting proves nothing.
//! - **How many.** `max_hedges` for a call, a shared [`RetryBudget`](crate::RetryBudget) for all, and optionally a permit per hedge
//!   from whatever bounds the concurrency. A hedge that is not allowed is left out; what runs goes on (failsafe-go#141).

mod builder;
mod error;
mod hedging;
mod quantile;
mod run;

use std::time::Duration;

pub use self::{
    builder::Builder,
    error::{HedgeError, InvalidHedge},
    hedging::{Admit, Hedging, Unlimited},
    run::HedgeInfo,
};
use self::{builder::When, quantile::Quantile};

/// When and how often to ask again before the first answer is there.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::{convert::Infallible, time::Duration};
/// use tidemill_resilience::Hedge;
///
/// let hedge = Hedge::after(Duration::from_millis(50)).build().expect("the options are sound");
/// let answer = hedge
///     .run(async |attempt| {
///         if !attempt.is_hedge() { tokio::time::sleep(Duration::from_secs(60)).await; }
///         Ok::<_, Infallible>(attempt.number)
///     })
///     .await;
/// assert_eq!(answer, Ok(2), "the hedge answered first");
/// # }
/// ```
#[derive(Debug)]
pub struct Hedge {
    delay: Delay,
    max_hedges: u32,
}

#[derive(Debug)]
enum Delay {
    Fixed(Duration),
    Moving { quantile: Quantile, first_delay: Option<Duration>, min_delay: Duration },
}

impl Hedge {
    /// Asks again after `delay`.
    pub const fn after(delay: Duration) -> Builder {
        Builder::new(When::After(delay))
    }

    /// Asks again when a call has taken longer than this many thousandths of the recent ones: 950 is the 95th percentile.
    pub const fn quantile(thousandths: u32) -> Builder {
        Builder::new(When::Quantile(thousandths))
    }

    /// How long a call that begins now would wait before it asks again; `None` if it would not, for want of samples.
    pub fn delay(&self) -> Option<Duration> {
        match &self.delay {
            Delay::Fixed(delay) => Some(*delay),
            Delay::Moving { quantile, first_delay, min_delay } => {
                quantile.get().map(|delay| delay.max(*min_delay)).or(*first_delay)
            }
        }
    }

    const fn learns(&self) -> bool {
        matches!(self.delay, Delay::Moving { .. })
    }

    fn learn(&self, latency: Duration) {
        if let Delay::Moving { quantile, .. } = &self.delay {
            quantile.record(latency);
        }
    }
}
