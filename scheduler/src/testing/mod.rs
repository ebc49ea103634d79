//! Deterministic simulation: a program of tasks on one thread, in virtual time, in an order that a seed decides.
//!
//! A test on a [`Runtime`](crate::Runtime) sees the one schedule that the computer happens to give it. A
//! [`Simulation`] chooses the next task to poll by a seeded generator among *all* runnable tasks, so that a thousand
//! seeds are a thousand schedules, a bug of order shows itself at some of them, and its seed shows it again.
//!
//! | inside of a simulation | |
//! |---|---|
//! | [`spawn`](crate::spawn), [`JoinHandle`](crate::JoinHandle), [`Handle`](crate::Handle) | as on a runtime |
//! | [`blocking`](crate::blocking) | runs in place |
//! | [`block_on`](crate::block_on) | runs the other tasks meanwhile |
//! | `tokio::time` | virtual: a poll takes no time, and if nothing is runnable the clock jumps to the next timer |
//! | [`Context`](tidemill_context::Context) | the program begins in one of its own, whose deadlines come in the same virtual time |
//! | `tokio::sync`, `tokio::io::duplex` | as ever |
//! | `tokio::net` | not there: tokio panics and says that I/O is disabled |
//! | `tokio::spawn` | on the reactor's own queue, first come first served |
//!
//! # What a seed does not decide
//!
//! Whatever the program takes from elsewhere: real clocks (`std::time`), real threads (`std::thread`,
//! `tokio::task::spawn_blocking`), the order of a `HashMap` with std's hasher, and `tokio::select!`, which begins at a
//! random branch unless it is told `biased;`. [`Outcome::schedule`] of two runs tells whether a program is
//! deterministic.
//!
//! # What it does not find
//!
//! Tasks interleave where they await. A data race of threads within a poll is for loom, shuttle or a sanitizer.
//!
//! ```
//! use std::time::Duration;
//! use tidemill_scheduler::testing::Simulation;
//!
//! let start = std::time::Instant::now();
//! let sum = Simulation::new(7).run(async {
//!     let slow = tidemill_scheduler::spawn(async {
//!         tokio::time::sleep(Duration::from_secs(3600)).await;
//!         1
//!     });
//!     let quick = tidemill_scheduler::spawn(async { 2 });
//!     slow.await.unwrap() + quick.await.unwrap()
//! });
//! assert_eq!(sum, 3);
//! assert!(start.elapsed() < Duration::from_secs(60), "an hour in no time");
//! ```

mod random;
mod seeds;
mod simulation;
mod world;

pub use seeds::for_each_seed;
pub use simulation::{Outcome, Simulation, Stuck};
pub(crate) use world::World;
