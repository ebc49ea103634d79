//! Limits computed from hosts made of files: every shape, random ones, and changing ones.
#![allow(clippy::unwrap_used)]

mod host;
mod random;
mod shapes;
mod watch;
