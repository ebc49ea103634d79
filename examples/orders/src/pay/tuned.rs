//! A few workers, each with one request of many charges on its way.

use std::sync::Arc;

use tidemill::{Context, JoinHandle};

use super::{Cashier, charge};
use crate::{
    Stop,
    crash::{self, Step},
    limits,
    store::Event,
};

pub(super) fn start(cashier: &Arc<Cashier>, stop: &Stop) -> Vec<JoinHandle<()>> {
    let worker = |_| tidemill::spawn(work(Arc::clone(cashier), stop.clone()));
    (0..limits::PAYERS).map(worker).collect()
}

async fn work(cashier: Arc<Cashier>, stop: Stop) {
    loop {
        let turn = async {
            let events = cashier.feed.next(limits::CHARGES).await;
            pay(&cashier, events).await;
        };
        tokio::select! {
            () = stop.requested() => return,
            () = turn => {}
        }
    }
}

async fn pay(cashier: &Cashier, events: Vec<Event>) {
    let charges: Vec<_> = events.iter().map(charge).collect();
    crash::passing(Step::ChargeAsked);
    // The waits for the limiter and between repeats end by this.
    let context = Context::background().with_timeout(limits::CHARGE_DEADLINE);
    let answers = context.scope(cashier.gateway.charge_batch(&charges)).await;
    crash::passing(Step::ChargeAnswered);
    let answers = answers.expect("the feed keeps to the limit and hands out each order once");
    cashier.settle(events.into_iter().zip(answers).collect()).await;
}
