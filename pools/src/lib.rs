#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod limits;
mod object;
mod resource;
mod worker;

pub use object::{
    Buffer, BufferBuildError, BufferBuilder, BufferPool, BufferStats, ObjectBuildError, ObjectBuilder, ObjectPool,
    ObjectStats, Pooled,
};
pub use resource::{
    CloseReason, ClosedCounts, CreateError, GetError, Holder, IdleOrder, Lease, Manager, ResourceBuildError,
    ResourceBuilder, ResourcePool, ResourceStats, Validate, WaitTimes,
};
pub use tidemill_spawner::Spawner;
pub use worker::{
    Batch, BuildError, Closed, Drained, Job, JobError, JobPanic, Stats, Ticket, TrySubmitError, WorkerBuilder,
    WorkerPool,
};
