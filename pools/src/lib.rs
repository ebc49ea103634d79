#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod clock;
mod limits;
mod object;
mod resource;
mod worker;

pub use clock::{PoolClock, PoolSleep};
pub use object::{
    Buffer, BufferBuildError, BufferBuilder, BufferPool, BufferStats, ObjectBuildError, ObjectBuilder, ObjectPool,
    ObjectStats, Pooled,
};
pub use resource::{
    CloseReason, ClosedCounts, CreateError, GetError, Holder, IdleOrder, KeyedResourceBuilder, KeyedResourcePool,
    KeyedResourceStats, Lease, Manager, ResourceBuildError, ResourceBuilder, ResourcePool, ResourceStats, Validate,
    WaitTimes,
};
pub use tidemill_spawner::Spawner;
pub use worker::{
    Batch, BatchError, BuildError, Cancelled, Drained, Durations, GroupError, Job, JobError, JobGroup, JobPanic,
    Overflow, Priority, Shed, Stats, Submission, SubmitError, Ticket, WorkerBuilder, WorkerPool, Workers,
};
