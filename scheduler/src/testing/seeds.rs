//! One test body under many seeds.

use std::any::Any;
use std::env;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};

use super::Simulation;

/// The environment variable that replays one seed.
const SEED_VARIABLE: &str = "TIDEMILL_SEED";

/// Runs `test` in a [`Simulation`] for each of `seeds`, in order, until one fails.
///
/// The test is given its seed, so that it can draw faults and inputs from it as well. If the environment variable
/// `TIDEMILL_SEED` is set, that seed runs and no other.
///
/// # Panics
/// With the seed and the text of the panic, if `test` panics or gets [`Stuck`](super::Stuck); and if `TIDEMILL_SEED` is
/// not a number.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
/// use tidemill_scheduler::{spawn, testing::for_each_seed, yield_now};
///
/// for_each_seed(0..100, |_seed| async {
///     let count = Arc::new(AtomicU32::new(0));
///     let add = |count: Arc<AtomicU32>| async move {
///         yield_now().await;
///         count.fetch_add(1, SeqCst); // load, yield and store would lose an update at some seed
///     };
///     let both = [spawn(add(count.clone())), spawn(add(count.clone()))];
///     for task in both {
///         task.await.unwrap();
///     }
///     assert_eq!(count.load(SeqCst), 2);
/// });
/// ```
#[track_caller]
pub fn for_each_seed<F: Future>(seeds: impl IntoIterator<Item = u64>, test: impl Fn(u64) -> F) {
    match replayed(env::var(SEED_VARIABLE).ok()) {
        Ok(Some(seed)) => run(seed, &test),
        Ok(None) => seeds.into_iter().for_each(|seed| run(seed, &test)),
        Err(fault) => panic!("{fault}"),
    }
}

fn replayed(variable: Option<String>) -> Result<Option<u64>, String> {
    let parse = |text: String| text.parse().map_err(|_| format!("{SEED_VARIABLE} is {text:?}, not a number"));
    variable.map(parse).transpose()
}

#[track_caller]
fn run<F: Future>(seed: u64, test: &impl Fn(u64) -> F) {
    let simulation = Simulation::new(seed);
    // Nothing is looked at after an unwinding but the panic itself.
    let run = panic::catch_unwind(AssertUnwindSafe(|| {
        // The test is called inside, so that what it spawns before its first await lands there as well.
        simulation.run(async { test(seed).await });
    }));
    if let Err(payload) = run {
        panic!("fails with seed {seed} ({SEED_VARIABLE}={seed} replays it): {}", text(&*payload));
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_a_number_or_is_named() {
        let cases = [
            (None, Ok(None)),
            (Some("7"), Ok(Some(7))),
            (Some("18446744073709551615"), Ok(Some(u64::MAX))),
            (Some("-1"), Err("TIDEMILL_SEED is \"-1\", not a number")),
            (Some(""), Err("TIDEMILL_SEED is \"\", not a number")),
        ];
        for (variable, expected) in cases {
            let found = replayed(variable.map(str::to_owned));
            assert_eq!(found, expected.map_err(str::to_owned), "{variable:?}");
        }
    }
}
