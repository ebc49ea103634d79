#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod limits;
mod object;
mod resource;
mod worker;

use tidemill_clock::Sleep as PoolSleep;

pub use object::{
    Buffer, BufferBuildError, BufferBuilder, BufferPool, BufferStats, ObjectBuildError, ObjectBuilder, ObjectPool,
    ObjectStats, Pooled,
};
pub use resource::{
    CloseReason, ClosedCounts, CreateError, GetError, Holder, IdleOrder, KeyedResourceBuilder, KeyedResourcePool,
    KeyedResourceStats, Lease, Manager, ResourceBuildError, ResourceBuilder, ResourcePool, ResourceStats, Validate,
    WaitTimes,
};
pub use tidemill_clock::{Clock, ManualClock};
pub use tidemill_spawner::Spawner;
pub use worker::{
    Batch, BatchError, BuildError, Cancelled, Drained, Durations, GroupError, Job, JobError, JobGroup, JobPanic,
    Overflow, Priority, Shed, Stats, Submission, SubmitError, Ticket, WorkerBuilder, WorkerPool, Workers,
};
