//! Named steps at which the process can be told to crash, to show that it may crash anywhere.
//!
//! Each step is a place between two things that do not happen together: a row and its commit, a commit and
//! the answer that tells of it, a charge and the record of it. `orders serve --crash-at order-committed:3`
//! aborts at the third passing of that step: no destructor runs and nothing is flushed, as with SIGKILL.
//! `tests/crash.rs` goes through all of [`Step::ALL`], so a step without a test does not exist.
//!
//! A passing costs one relaxed load and a comparison; steps are passed once per group or batch where the
//! work is done in those.

use std::{
    fmt, process,
    str::FromStr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crate::UnknownName;

/// A place on the way of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The store is being opened: its arrears are written and not committed.
    Opening,
    /// An order has been checked and priced, and nothing is stored.
    OrderChecked,
    /// The rows of an order are written and not committed.
    OrderWritten,
    /// An order is committed, and nobody knows.
    OrderCommitted,
    /// An order is committed and its answer is on its way to the client.
    OrderAnswered,
    /// The provider is about to be asked for a payment.
    ChargeAsked,
    /// The provider has answered, and the answer is not recorded.
    ChargeAnswered,
    /// Outcomes of payments are written and not committed.
    SettlementWritten,
    /// They are committed, and nobody has been told.
    SettlementCommitted,
    /// A consumer has read events, and they have had no effect.
    EventsRead,
    /// Effects are written and not committed.
    EffectsWritten,
    /// Effects are committed; the naive form has not recorded yet how far it has read.
    EffectsCommitted,
    /// Keys have gone into the index and stock has been noted, and neither is committed. Tuned only.
    ProjectionsWritten,
}

impl Step {
    /// All of them, in the order of an order's way.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Opening, "opening"),
        (Self::OrderChecked, "order-checked"),
        (Self::OrderWritten, "order-written"),
        (Self::OrderCommitted, "order-committed"),
        (Self::OrderAnswered, "order-answered"),
        (Self::ChargeAsked, "charge-asked"),
        (Self::ChargeAnswered, "charge-answered"),
        (Self::SettlementWritten, "settlement-written"),
        (Self::SettlementCommitted, "settlement-committed"),
        (Self::EventsRead, "events-read"),
        (Self::EffectsWritten, "effects-written"),
        (Self::EffectsCommitted, "effects-committed"),
        (Self::ProjectionsWritten, "projections-written"),
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::ALL[*self as usize].1)
    }
}

/// A step and at which of its passings to crash: `order-written`, or `order-written:3` for the third.
///
/// ```
/// use orders::crash::{Crash, Step};
/// assert_eq!("order-written".parse(), Ok(Crash { step: Step::OrderWritten, passing: 1 }));
/// assert_eq!("charge-asked:3".parse(), Ok(Crash { step: Step::ChargeAsked, passing: 3 }));
/// assert!("charge-asked:0".parse::<Crash>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Where.
    pub step: Step,
    /// At which passing; the first is 1.
    pub passing: u64,
}

impl FromStr for Crash {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let (name, passing) = text.split_once(':').unwrap_or((text, "1"));
        let step = Step::ALL.into_iter().find(|(_, known)| *known == name);
        let passing = passing.parse().ok().filter(|&passing| passing > 0);
        match (step, passing) {
            (Some((step, _)), Some(passing)) => Ok(Self { step, passing }),
            _ => Err(UnknownName::new(text)),
        }
    }
}

/// The step in force, one more than its number; 0 is none. Whoever sets it does so before there is anybody
/// else, and nothing hangs on the order in which steps are counted: relaxed throughout.
static ARMED: AtomicUsize = AtomicUsize::new(0);
static LEFT: AtomicU64 = AtomicU64::new(0);

impl Crash {
    /// Has the process abort there. The last call counts.
    pub fn arm(self) {
        LEFT.store(self.passing, Ordering::Relaxed);
        ARMED.store(self.step as usize + 1, Ordering::Relaxed);
    }
}

/// Passes a step, or ends the process there.
pub(crate) fn passing(step: Step) {
    if ARMED.load(Ordering::Relaxed) == step as usize + 1 {
        count_down(step);
    }
}

#[cold]
fn count_down(step: Step) {
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        eprintln!("crashing at {step}, as told");
        process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_listed_at_its_own_place_under_a_name_of_its_own() {
        for (place, (step, name)) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step as usize, place);
            assert_eq!(name.parse(), Ok(Crash { step, passing: 1 }));
        }
    }

    #[test]
    fn what_is_no_step_is_refused() {
        for text in ["", "order", "order-written:", "order-written:0", "order-written:x", ":1"] {
            assert!(text.parse::<Crash>().is_err(), "{text:?}");
        }
    }
}
