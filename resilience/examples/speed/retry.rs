//! The rows of retry, hedge, budget and single flight: a first attempt that succeeds, as it nearly always does.

use std::{future::Ready, hint::black_box, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use tidemill_resilience::{Hedge, Retry, RetryBudget, SingleFlight};
use tower::{Service, retry::Policy, service_fn};

use super::{Contender, compare, ready};

/// A call for `number`, whose result the compiler does not foresee.
async fn attempt(number: u32) -> Result<u32, u32> {
    if black_box(number) > 0 { Ok(number) } else { Err(number) }
}

/// Awaits in a loop, as a task would, and not one future built, pinned and polled per call.
fn in_a_task<F: Future<Output = bool>>(call: impl Fn() -> F) -> impl Fn(u32) {
    move |calls| {
        ready(async {
            for _ in 0..calls {
                black_box(call().await);
            }
        });
    }
}

/// Tower's retry needs a policy; this one stops at the first success, as all here do.
#[derive(Clone)]
struct UntilOk;

impl Policy<u32, u32, u32> for UntilOk {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u32, result: &mut Result<u32, u32>) -> Option<Ready<()>> {
        result.is_err().then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

pub(super) fn first_try() {
    let policy = Retry::exponential(Duration::from_millis(10)).build().expect("the options are sound");
    let timed = Retry::exponential(Duration::from_millis(10)).within(Duration::from_secs(1)).build().expect("sound");
    let budget = RetryBudget::new(10, 10).expect("sound");
    let budgeted = policy.plain().budget(&budget);
    let theirs = ExponentialBuilder::default();
    // These two without the layer that `in_a_task` puts around a call, which is as large as what is measured.
    let bare = |calls| {
        ready(async {
            for _ in 0..calls {
                black_box(attempt(1).await.is_ok());
            }
        });
    };
    let ours = |calls| {
        ready(async {
            for _ in 0..calls {
                black_box(policy.run(|info| attempt(info.number)).await.is_ok());
            }
        });
    };
    let blocking = |calls| {
        for _ in 0..calls {
            black_box(policy.run_blocking(|info| ready(attempt(info.number))).is_ok());
        }
    };
    let within = in_a_task(async || timed.run(|info| attempt(info.number)).await.is_ok());
    let paid = in_a_task(async || budgeted.run(|info| attempt(info.number)).await.is_ok());
    let backon = in_a_task(async || (|| attempt(1)).retry(theirs).await.is_ok());
    let tower = |calls| {
        let mut service = tower::retry::Retry::new(UntilOk, service_fn(attempt));
        ready(async {
            for _ in 0..calls {
                black_box(service.call(1).await.is_ok());
            }
        });
    };
    compare(
        "retry, first attempt succeeds",
        &[
            Contender { name: "the bare call", threads: 1, call: &bare },
            Contender { name: "tidemill", threads: 1, call: &ours },
            Contender { name: "tidemill, blocking", threads: 1, call: &blocking },
            Contender { name: "tidemill, with a budget", threads: 1, call: &paid },
            Contender { name: "tidemill, with a deadline (one clock read)", threads: 1, call: &within },
            Contender { name: "backon", threads: 1, call: &backon },
            Contender { name: "tower", threads: 1, call: &tower },
        ],
    );
    first_answer();
}

fn first_answer() {
    let fixed = Hedge::after(Duration::from_millis(10)).build().expect("sound");
    let quantile = Hedge::quantile(950).build().expect("sound");
    let flights = SingleFlight::new(1000).expect("sound");
    let bare = in_a_task(async || attempt(1).await.is_ok());
    let hedged = in_a_task(async || fixed.run(|info| attempt(info.number)).await.is_ok());
    let learned = in_a_task(async || quantile.run(|info| attempt(info.number)).await.is_ok());
    let alone = in_a_task(async || flights.run(7u32, || attempt(1)).await.is_ok());
    compare(
        "hedge and single flight, an answer at once",
        &[
            Contender { name: "the bare call", threads: 1, call: &bare },
            Contender { name: "hedge after a fixed delay", threads: 1, call: &hedged },
            Contender { name: "hedge by a quantile (two clock reads)", threads: 1, call: &learned },
            Contender { name: "single flight, alone", threads: 1, call: &alone },
        ],
    );
}
