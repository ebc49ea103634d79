#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod check;
pub mod cli;
mod consumers;
mod counters;
pub mod crash;
mod deadlines;
pub mod decode;
pub mod domain;
pub mod generate;
pub mod intake;
pub mod job;
pub mod limits;
mod pay;
pub mod pipeline;
mod price;
mod quota;
mod stop;
pub mod store;
#[cfg(test)]
mod testing;
mod variant;

pub use counters::{Count, Counters};
pub use pipeline::{Config, OpenError, Pipeline, Receipt, Workers};
pub use price::{Priced, price};
pub use quota::Quota;
pub use stop::{Stop, Stopper};
pub use variant::{Stages, UnknownName, Variant};
