#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

/// Channels that work from tasks and from code that blocks: flume's, whose documentation this is.
#[cfg(feature = "channels")]
pub use flume as channel;
pub use tidemill_cgroup as cgroup;
/// Time as a parameter: one clock that a test moves, for everything that waits.
///
/// ```
/// use std::time::Duration;
/// use tidemill::{Context, clock::{Clock, ManualClock}};
/// use tidemill::resilience::{Jitter, Rate, RateLimiter, Retry};
///
/// #[tidemill::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let clock = ManualClock::new();
///     let minute = Duration::from_secs(60);
///     let limit = RateLimiter::builder().rate(Rate::per_second(1)).burst(1).clock(clock.clone()).build()?;
///     let retry = Retry::constant(minute).jitter(Jitter::None).max_attempts(1_000).build()?;
///     let hour = Context::on(&clock).with_timeout(60 * minute);
///
///     // Moves the clock to whatever is due next.
///     let driven = clock.clone();
///     let driver = tidemill::spawn(async move {
///         loop {
///             driven.next_due().into_iter().for_each(|due| driven.set(due));
///             tidemill::yield_now().await;
///         }
///     });
///     let retry = retry.clock(&clock);
///     let failing = retry.run(|_| async {
///         limit.acquire(1).await.map_err(|refused| refused.to_string())?;
///         Err::<(), _>("down".to_owned())
///     });
///     assert!(hour.scope(failing).await.is_err());
///     assert_eq!(clock.now(), 60 * minute, "as long as the context let it, and in no time");
///     driver.abort();
///     Ok(())
/// }
/// ```
pub use tidemill_clock as clock;
pub use tidemill_context::{self as context, Context};
#[cfg(feature = "groups")]
pub use tidemill_groups::{self as groups, TaskGroup, WaitGroup};
#[cfg(feature = "macros")]
pub use tidemill_macros::{main, test};
#[cfg(feature = "pools")]
pub use tidemill_pools as pools;
#[cfg(feature = "profiling")]
pub use tidemill_profiling as profiling;
#[cfg(feature = "resilience")]
pub use tidemill_resilience as resilience;
#[cfg(feature = "testing")]
pub use tidemill_scheduler::testing;
#[doc(inline)]
pub use tidemill_scheduler::{
    Builder, Handle, JoinError, JoinHandle, Metrics, Procs, Runtime, block_on, blocking, spawn, spawn_blocking, watch,
    yield_now,
};
#[cfg(feature = "serve")]
pub use tidemill_serve::{self as serve, serve};
