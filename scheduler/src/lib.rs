#![doc = include_str!("../README.md")]
#![cfg_attr(tidemill_shuttle, expect(dead_code, reason = "the model has neither kernel nor clock"))]

#[cfg(not(tidemill_loom))]
mod cpus;
#[cfg(not(tidemill_loom))]
mod current;
#[cfg(not(tidemill_loom))]
mod deputy;
#[cfg(not(tidemill_loom))]
mod drive;
#[cfg(not(tidemill_loom))]
mod foreign;
#[cfg(not(tidemill_loom))]
mod limits;
#[cfg(not(tidemill_loom))]
mod machine;
#[cfg(not(tidemill_loom))]
mod monitor;
#[cfg(not(tidemill_loom))]
#[cfg_attr(tidemill_shuttle, path = "schedules/reactor.rs")]
mod reactor;
#[cfg_attr(tidemill_loom, expect(dead_code, reason = "the models use a part of it"))]
mod roster;
#[cfg(not(tidemill_loom))]
mod runtime;
#[cfg(tidemill_shuttle)]
mod schedules;
#[cfg(not(tidemill_loom))]
mod spawn_blocking;
mod sync;
#[cfg(not(tidemill_loom))]
mod task;
#[cfg(all(feature = "testing", not(tidemill_loom)))]
pub mod testing;
#[cfg(not(tidemill_loom))]
mod vitals;
#[cfg(not(tidemill_loom))]
pub mod watch;
#[cfg(not(tidemill_loom))]
mod watchdog;
#[cfg(not(tidemill_loom))]
mod yield_now;

/// Under loom only the files that are modelled are compiled.
#[cfg(tidemill_loom)]
#[expect(dead_code, reason = "the models use a part of it")]
mod machine {
    mod permit;
    mod queue;
}

/// As above.
#[cfg(tidemill_loom)]
mod task {
    mod slots;
    mod state;
}

/// As above.
#[cfg(tidemill_loom)]
mod watch {
    mod slot;
}

#[cfg(not(tidemill_loom))]
pub use machine::blocking;
#[cfg(not(tidemill_loom))]
pub use runtime::{Builder, Handle, Metrics, Procs, Runtime, block_on, spawn};
#[cfg(not(tidemill_loom))]
pub use spawn_blocking::spawn_blocking;
#[cfg(not(tidemill_loom))]
pub use task::{JoinError, JoinHandle};
#[cfg(not(tidemill_loom))]
pub use yield_now::yield_now;
