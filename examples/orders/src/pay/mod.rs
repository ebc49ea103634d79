//! Payment: every accepted order gets the provider's answer, asked for under one key for ever.
//!
//! The log is the queue ([`Feed`]): a stage that follows it can neither lose an order in a crash nor
//! fill the memory when the provider is slow. **Naive** starts a task and sends a request for every
//! order; **tuned** has a few workers that put many charges into one request and many outcomes into one
//! write. In both a time-out is *unknown*, not failed: the order stays as it is and is asked about again
//! under the same key until there is an answer. A decline is the saga's turn: one transaction records
//! it, releases the stock and publishes the cancellation.

mod feed;
mod naive;
mod tuned;

use std::sync::Arc;

use orders_payment::{Charge, Gateway, Outcome, PaymentError};
use tidemill::JoinHandle;

use crate::{
    Count, Pipeline, Stop, Variant,
    store::{Event, Settlement, StoreError},
};
use feed::Feed;

/// What the workers of this stage share.
struct Cashier {
    pipeline: Pipeline,
    gateway: Gateway,
    feed: Feed,
}

/// Starts the stage.
pub(crate) fn start(pipeline: &Pipeline, gateway: &Gateway, stop: &Stop) -> Result<Vec<JoinHandle<()>>, StoreError> {
    let (pipeline, gateway) = (pipeline.clone(), gateway.clone());
    let feed = Feed::open(pipeline.clone())?;
    let variant = pipeline.stages().pay;
    let cashier = Arc::new(Cashier { pipeline, gateway, feed });
    Ok(match variant {
        Variant::Naive => vec![tidemill::spawn(naive::run(cashier, stop.clone()))],
        Variant::Tuned => tuned::start(&cashier, stop),
    })
}

impl Cashier {
    /// Records what the provider said; what it did not say, or could not be recorded, is asked for
    /// again later.
    async fn settle(&self, asked: Vec<(Event, Result<Outcome, PaymentError>)>) {
        let mut settled = Vec::with_capacity(asked.len());
        let mut settlements = Vec::with_capacity(asked.len());
        for (event, answer) in asked {
            match answer {
                Ok(outcome) => {
                    settled.push(event);
                    let Event { order, amount, .. } = event;
                    settlements.push(Settlement { order, amount, outcome });
                }
                Err(error) => self.unknown(event, &error),
            }
        }
        if !settlements.is_empty() {
            self.record(settled, settlements).await;
        }
    }

    async fn record(&self, events: Vec<Event>, settlements: Vec<Settlement>) {
        let counters = self.pipeline.counters();
        let declined = settlements.iter().filter(|s| matches!(s.outcome, Outcome::Declined { .. })).count();
        counters.add(Count::Declined, declined as u64);
        match self.pipeline.store().settle(settlements).await {
            Ok(settled) => {
                counters.add(Count::Paid, settled.paid);
                counters.add(Count::Cancelled, settled.cancelled);
            }
            Err(error) => {
                eprintln!("payments: {error}");
                counters.add(Count::StoreErrors, 1);
                events.into_iter().for_each(|event| self.feed.again(event));
            }
        }
    }

    fn unknown(&self, event: Event, error: &PaymentError) {
        let count = match error {
            PaymentError::Unknown { .. } => Count::PaymentUnknown,
            PaymentError::Refused { .. } => {
                eprintln!("order {}: {error}", event.order);
                Count::PaymentRefused
            }
        };
        self.pipeline.counters().add(count, 1);
        self.feed.again(event);
    }
}

fn charge(event: &Event) -> Charge {
    Charge::for_order(event.order, event.amount.cents())
}
