//! A task and a request for every order.

use std::sync::Arc;

use tidemill::Context;

use super::{Cashier, charge};
use crate::{
    Stop,
    crash::{self, Step},
    limits,
    store::Event,
};

pub(super) async fn run(cashier: Arc<Cashier>, stop: Stop) {
    loop {
        let events = tokio::select! {
            () = stop.requested() => return,
            events = cashier.feed.next(limits::PAGE) => events,
        };
        for event in events {
            drop(tidemill::spawn(pay(Arc::clone(&cashier), event)));
        }
    }
}

async fn pay(cashier: Arc<Cashier>, event: Event) {
    crash::passing(Step::ChargeAsked);
    let context = Context::background().with_timeout(limits::CHARGE_DEADLINE);
    let answer = context.scope(cashier.gateway.charge(charge(&event))).await;
    crash::passing(Step::ChargeAnswered);
    cashier.settle(vec![(event, answer)]).await;
}
