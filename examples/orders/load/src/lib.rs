#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod class;
mod closed;
mod connection;
mod cpu;
mod error;
pub mod limits;
mod line;
mod open;
mod pacer;
mod plan;
mod recorder;
mod report;
mod schedule;
mod shared;
mod summary;

pub use answer::{Answer, order_id};
pub use class::{Class, Counts};
pub use closed::saturate;
pub use cpu::process_cpu;
pub use error::LoadError;
pub use open::run;
pub use plan::{Builder, Plan, PlanError, Request};
pub use report::{Latency, LoadReport, Mode, Second, StepReport};
pub use schedule::{Arrivals, Schedule, ScheduleError, Step};
pub use shared::Progress;
