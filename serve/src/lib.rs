#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod connection;
mod executor;
mod first;
mod limits;
mod listener;
mod options;
mod serve;
mod server;

pub use executor::Executor;
pub use listener::Listener;
pub use serve::{Serve, Served, serve};
