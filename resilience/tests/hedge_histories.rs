//! Random calls under a hedge, cut at random: what is paid is what was sent, and nothing is left under way.
#![allow(clippy::unwrap_used)]

use std::{cell::Cell, time::Duration};

use proptest::prelude::*;
use tidemill_resilience::{Hedge, HedgeError, Jitter, Retry, RetryBudget};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

const MS: Duration = Duration::from_millis(1);

/// Counts the attempts that live.
struct Alive<'a>(&'a Cell<u32>);

impl<'a> Alive<'a> {
    fn begin(alive: &'a Cell<u32>, most: &Cell<u32>) -> Self {
        alive.set(alive.get() + 1);
        most.set(most.get().max(alive.get()));
        Self(alive)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn paused<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

/// What each attempt does: sleeps so long, then succeeds or not.
fn plan() -> impl Strategy<Value = Vec<(u64, bool)>> {
    prop::collection::vec((0u64..40, any::<bool>()), 8)
}

proptest! {
    #[test]
    fn what_is_paid_is_what_was_sent(
        plan in plan(), delay in 0u32..20, hedges in 1u32..5, reserve in 1u32..4, places in 0usize..4, cut in 1u32..60,
    ) {
        paused(async {
            let hedge = Hedge::after(delay * MS).max_hedges(hedges).build().unwrap();
            let budget = RetryBudget::new(reserve, 0).unwrap().max_in_flight(2);
            let permits = Semaphore::new(places);
            let (sent, alive, most) = (Cell::new(0u32), Cell::new(0), Cell::new(0));
            let hedging = hedge.plain().budget(&budget).limit(|| permits.try_acquire().ok());
            let call = hedging.run(async |attempt| {
                let _alive = Alive::begin(&alive, &most);
                sent.set(attempt.number);
                let (millis, ok) = plan[attempt.number as usize - 1];
                sleep(Duration::from_millis(millis)).await;
                if ok { Ok(attempt.number) } else { Err(attempt.number) }
            });
            let result = timeout(cut * MS, call).await;
            let sent = sent.get();
            prop_assert!(sent <= 1 + hedges.min(reserve) && u64::from(reserve) - budget.left() == u64::from(sent - 1));
            prop_assert!(most.get() as usize <= 1 + places.min(2), "{} at once", most.get());
            prop_assert_eq!((alive.get(), budget.in_flight(), permits.available_permits()), (0, 0, places));
            match result {
                Ok(Ok(winner)) => prop_assert!(plan[winner as usize - 1].1 && winner <= sent),
                Ok(Err(HedgeError::Failed { attempts, .. })) => {
                    prop_assert_eq!(attempts, sent);
                    prop_assert!(plan.iter().take(sent as usize).all(|(_, ok)| !ok), "an answer was thrown away");
                }
                Ok(Err(other)) => prop_assert!(false, "{other:?}"),
                Err(_) => {}
            }
            Ok(())
        })?;
    }

    /// Hedges inside retries on one budget, cut anywhere: each further request is paid for once, except one that a cut caught
    /// between payment and sending.
    #[test]
    fn nested_layers_pay_once(plan in plan(), cut in 1u32..200, reserve in 1u32..8) {
        paused(async {
            let budget = RetryBudget::new(reserve, 0).unwrap().max_in_flight(3);
            let retry = Retry::constant(3 * MS).jitter(Jitter::None).max_attempts(4).build().unwrap();
            let hedge = Hedge::after(5 * MS).build().unwrap();
            let sent = Cell::new(0u32);
            let hedging = hedge.plain().budget(&budget);
            let retrying = retry.plain().budget(&budget);
            let call = retrying.run(async |_| {
                hedging
                    .run(async |_| {
                        let (millis, ok) = plan[sent.get() as usize % plan.len()];
                        sent.set(sent.get() + 1);
                        sleep(Duration::from_millis(millis)).await;
                        if ok { Ok(()) } else { Err(()) }
                    })
                    .await
            });
            let was_cut = timeout(cut * MS, call).await.is_err();
            let (paid, further) = (u64::from(reserve) - budget.left(), u64::from(sent.get() - 1));
            prop_assert!(paid == further || was_cut && paid == further + 1, "{paid} paid, {further} sent");
            prop_assert_eq!(budget.in_flight(), 0);
            Ok(())
        })?;
    }
}
