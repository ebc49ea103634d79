//! Hedged calls: those that are answered before a hedge is due, and those whose first request never is.

use std::{
    convert::Infallible,
    future::{Future, pending},
    hint::black_box,
    time::Duration,
};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use tidemill::resilience::Hedge;
use tokio::runtime::Builder;
use tower::{Service, ServiceExt, hedge, service_fn};

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "hedge",
    measures: "a call that answers at once under a hedge; and one whose first request never answers, with a hedge after 1 ms",
    leaves_out: "learning the delay from latencies that differ; budgets and limits of hedges",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

/// The least that tokio's timer knows, and tower's histogram.
const DELAY: Duration = Duration::from_millis(1);
/// Latencies that tower is told, so that it hedges after `DELAY`.
const LATENCIES_MS: [u64; 10] = [1; 10];
/// So long tower remembers them: longer than this runs.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

fn benches() -> Vec<Bench> {
    let mut at_once = cases(at_once);
    at_once.push(
        on_tokio("floor: the bare call", || async |number| matches!(self::at_once(number).await, Ok(1))).as_floor(),
    );
    let mut hedged = cases(hedge_only);
    let sleep = || {
        async |_| {
            tokio::time::sleep(DELAY).await;
            true
        }
    };
    hedged.push(on_tokio("floor: a sleep of 1 ms", sleep).as_floor());
    vec![
        Bench::counted("answered at once, no hedge", 200_000, at_once),
        Bench::counted("never answered, a hedge after 1 ms", 20, hedged),
    ]
}

async fn at_once(_: u64) -> Result<u64, Infallible> {
    Ok(black_box(1))
}

/// The first request, number 1, is never answered.
async fn hedge_only(number: u64) -> Result<u64, Infallible> {
    if number > 1 { Ok(black_box(1)) } else { pending().await }
}

fn cases<F>(attempt: impl Fn(u64) -> F + Copy + 'static) -> Vec<Case>
where
    F: Future<Output = Result<u64, Infallible>> + 'static,
{
    vec![
        on_tokio("tidemill", move || {
            let hedge = Hedge::after(DELAY).build().expect("the options are valid");
            async move |_| hedge.run(|info| attempt(info.number.into())).await == Ok(1)
        }),
        on_tokio("tower", move || {
            let mut hedge =
                hedge::Hedge::new_with_mock_latencies(service_fn(attempt), SendAgain, 1, 0.95, FOR_EVER, &LATENCIES_MS);
            async move |number| matches!(hedge.ready().await.expect("it is").call(number).await, Ok(1))
        }),
    ]
}

/// What tower asks before it hedges.
#[derive(Clone)]
struct SendAgain;

impl hedge::Policy<u64> for SendAgain {
    fn clone_request(&self, number: &u64) -> Option<u64> {
        Some(number + 1)
    }

    fn can_retry(&self, _: &u64) -> bool {
        true
    }
}

/// A case whose calls, each told that it is number 1, are awaited one after the other on tokio, whose timer both libraries use.
fn on_tokio<C>(name: &'static str, start: impl Fn() -> C + 'static) -> Case
where
    C: AsyncFnMut(u64) -> bool + 'static,
{
    Case::fallible(name, move || {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let mut call = start();
        Ok(move |ops| {
            Lap::of(|| {
                runtime.block_on(async {
                    let mut sum = 0;
                    for _ in 0..ops {
                        sum += u64::from(call(1).await);
                    }
                    sum
                })
            })
        })
    })
}
