//! Limits computed from hosts made of files: every shape, random ones, and changing ones.
#![allow(clippy::unwrap_used)]

mod faults;
mod host;
mod memory;
mod orchestrators;
mod pressure;
mod random;
mod shapes;
mod throttling;
mod watch;
