//! What a user makes, runs and gets: the simulation, its outcome, and how it may get stuck.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::World;
use crate::current;
use crate::runtime::Handle;

/// Polls before a simulation is taken for endless.
const MAX_POLLS: u64 = 1_000_000;

/// A deterministic run of a program of tasks. See [`testing`](crate::testing).
///
/// ```
/// use tidemill_scheduler::{spawn, testing::Simulation};
///
/// let program = async {
///     let tasks: Vec<_> = (0..5).map(|_| spawn(async {})).collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
/// };
/// let outcome = Simulation::new(1).try_run(program)?;
/// assert!(outcome.schedule.contains(&5), "five tasks were polled, in the order that seed 1 gives");
/// # Ok::<(), tidemill_scheduler::testing::Stuck>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Simulation {
    seed: u64,
    max_polls: u64,
}

impl Simulation {
    /// A simulation with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, max_polls: MAX_POLLS }
    }

    /// Polls after which the program is taken for endless: a loop that only yields keeps the clock from moving, and so
    /// may wait for ever. Default: a million.
    pub fn max_polls(mut self, polls: u64) -> Self {
        self.max_polls = polls;
        self
    }

    /// Runs `future` and what it spawns, on this thread, until `future` is ready. Tasks that are left are dropped.
    ///
    /// # Panics
    /// If `future` panics, after the seed was printed to the standard error; if the program gets [`Stuck`]; if the thread
    /// is inside of a tokio runtime's `block_on`, where no other can be driven.
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        match self.try_run(future) {
            Ok(outcome) => outcome.output,
            Err(stuck) => panic!("{stuck}"),
        }
    }

    /// As [`run`](Self::run), but a program that gets stuck is an error, and the schedule is told.
    ///
    /// # Errors
    /// [`Stuck`]: a deadlock, or too many polls.
    ///
    /// # Panics
    /// As [`run`](Self::run), but for `Stuck`.
    pub fn try_run<F: Future>(&self, future: F) -> Result<Outcome<F::Output>, Stuck> {
        let (world, tokio) = World::new(self.seed, self.max_polls);
        current::without_machine(|| {
            let _reactor = tokio.enter();
            let _handle = current::enter(Handle::of_simulation(Arc::clone(&world)));
            // Dropped before the guards above, so that what is left is dropped inside of the simulation.
            let _end = End(&world);
            let start = tokio::time::Instant::now();
            let output = world.context().enter(|| world.drive(future))?;
            Ok(Outcome { output, schedule: world.schedule(), elapsed: start.elapsed() })
        })
    }
}

/// Drops the tasks that are left. If the simulation ends by a panic, its seed is printed.
struct End<'a>(&'a Arc<World>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation had seed {}", self.0.seed());
        }
        self.0.end();
    }
}

/// What came of a simulation that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome<T> {
    /// The future's output.
    pub output: T,
    /// Who was polled, poll by poll: 0 is the future itself, 1 the task spawned first, and so on. (The future of a nested
    /// `block_on` has a number of its own in the same row.)
    pub schedule: Vec<u32>,
    /// The virtual time that it took.
    pub elapsed: Duration,
}

/// A simulation that cannot end, or does not seem to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stuck {
    /// Nothing is runnable, and no timer is set (none within a year).
    #[non_exhaustive]
    Deadlock {
        /// Of the simulation.
        seed: u64,
        /// Where each task that waits was spawned, in the order of spawning.
        tasks: Vec<&'static Location<'static>>,
        /// How many calls of `block_on` wait inside of others, the simulation itself not counted. Each waits for those that
        /// were called later on the one thread there is, which on a runtime it would not.
        nested: usize,
    },
    /// It was polled more often than [`Simulation::max_polls`] allows.
    #[non_exhaustive]
    Endless {
        /// Of the simulation.
        seed: u64,
        /// The bound.
        polls: u64,
    },
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endless { seed, polls } => write!(f, "seed {seed}: no end after {polls} polls"),
            Self::Deadlock { seed, tasks, nested } => {
                write!(f, "seed {seed}: deadlock: the main future, {} tasks", tasks.len())?;
                if *nested != 0 {
                    write!(f, " and {nested} nested block_on")?;
                }
                f.write_str(" wait, nothing is runnable and no timer is set")?;
                let sites = tasks.iter().map(|site| format!("\n  spawned at {site}"));
                sites.take(SITES).try_for_each(|site| f.write_str(&site))?;
                if tasks.len() > SITES { write!(f, "\n  and {} more", tasks.len() - SITES) } else { Ok(()) }
            }
        }
    }
}

/// Spawn sites that a message lists at the most.
const SITES: usize = 10;

impl std::error::Error for Stuck {}
