#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod clock;
mod limits;
mod object;
mod worker;

pub use clock::{PoolClock, PoolSleep};
pub use object::{ObjectBuildError, ObjectBuilder, ObjectPool, ObjectStats, Pooled};
pub use tidemill_spawner::Spawner;
pub use worker::{
    Batch, BatchError, BuildError, Cancelled, Drained, Durations, GroupError, Job, JobError, JobGroup, JobPanic,
    Overflow, Priority, Shed, Stats, Submission, SubmitError, Ticket, WorkerBuilder, WorkerPool, Workers,
};
