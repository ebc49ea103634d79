//! Retries whose first try succeeds: what the wrapping costs where it is not needed.

use std::{
    future::{Ready, ready},
    hint::black_box,
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use futures_lite::future::block_on;
use tidemill::resilience::Retry;
use tower::{Service, ServiceExt, retry::Policy, service_fn};

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "retry",
    measures: "an async call that succeeds at once, under a policy of exponential waits",
    leaves_out: "waiting, which dwarfs all of it; policies with a budget or a deadline",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

fn benches() -> Vec<Bench> {
    let cases = vec![
        Case::new("tidemill", || {
            let policy = Retry::exponential(Duration::from_millis(10)).build().expect("the options are valid");
            move |ops| {
                Lap::of(|| {
                    block_on(async {
                        let mut sum = 0;
                        for i in 0..ops {
                            let result = policy.run(async |_| call(i)).await;
                            sum += result.expect("it does not fail");
                        }
                        sum
                    })
                })
            }
        }),
        Case::new("backon", || {
            let policy = ExponentialBuilder::default();
            move |ops| {
                Lap::of(|| {
                    block_on(async {
                        let mut sum = 0;
                        for i in 0..ops {
                            let result = (|| async { call(i) }).retry(policy).await;
                            sum += result.expect("it does not fail");
                        }
                        sum
                    })
                })
            }
        }),
        tower(),
        Case::floor("floor: the bare call", || {
            |ops| {
                Lap::of(|| {
                    block_on(async {
                        let mut sum = 0;
                        for i in 0..ops {
                            let result = (async { call(i) }).await;
                            sum += result.expect("it does not fail");
                        }
                        sum
                    })
                })
            }
        }),
    ];
    vec![Bench::counted("first try succeeds", 1_000_000, cases)]
}

fn tower() -> Case {
    Case::new("tower", || {
        let mut service = tower::retry::Retry::new(UntilOk, service_fn(async |i: u64| call(i)));
        move |ops| {
            Lap::of(|| {
                block_on(async {
                    let mut sum = 0;
                    for i in 0..ops {
                        let result = service.ready().await.expect("it is").call(i).await;
                        sum += result.expect("it does not fail");
                    }
                    sum
                })
            })
        }
    })
}

/// Tower leaves the waits to the policy; this one has none, for none is needed here.
#[derive(Clone)]
struct UntilOk;

impl Policy<u64, u64, Failed> for UntilOk {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u64, result: &mut Result<u64, Failed>) -> Option<Ready<()>> {
        result.is_err().then(|| ready(()))
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}

#[derive(Debug)]
struct Failed;

/// It could fail, for all that the compiler knows: an error that cannot be would take the whole policy with it.
fn call(i: u64) -> Result<u64, Failed> {
    if black_box(i) < u64::MAX { Ok(1) } else { Err(Failed) }
}
