#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(not(tidemill_loom))]
mod concurrent;
#[cfg(not(tidemill_loom))]
mod error;
#[cfg(not(tidemill_loom))]
mod group;
#[cfg_attr(tidemill_loom, expect(dead_code, reason = "the models use a part of it"))]
mod state;
mod sync;
#[cfg(not(tidemill_loom))]
mod wait_group;
/// Under loom only the files that are modelled are compiled.
#[cfg(tidemill_loom)]
mod wait_group {
    mod state;
}

#[cfg(not(tidemill_loom))]
pub use concurrent::{
    ForEachError, MapConcurrent, MapConcurrentStream, for_each_concurrent, for_each_concurrent_stream, map_concurrent,
    map_concurrent_stream, map_concurrent_stream_with, map_concurrent_with,
};
#[cfg(not(tidemill_loom))]
pub use error::{BuildError, Failure, GroupError, Panic, SpawnError, TrySpawnError};
#[cfg(not(tidemill_loom))]
pub use group::{AbortHandle, GroupBuilder, GroupStats, Ready, Scope, Shield, StartError, TaskGroup, shield};
#[cfg(not(tidemill_loom))]
pub use wait_group::{CountError, WaitGroup, WaitGuard};
