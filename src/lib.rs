#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

/// Channels that work from tasks and from code that blocks: flume's, whose documentation this is.
#[cfg(feature = "channels")]
pub use flume as channel;
pub use tidemill_cgroup as cgroup;
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
