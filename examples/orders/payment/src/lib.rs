#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod batch;
mod builder;
mod charge;
mod error;
mod gateway;
pub mod limits;
mod policy;
mod pool;
pub mod simulator;
mod wire;

pub use builder::Builder;
pub use charge::{Charge, Outcome};
pub use error::{BatchError, Cause, ConfigError, PaymentError};
pub use gateway::{Gateway, Stats};
