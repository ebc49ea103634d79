//! Section 3: sockets. Everybody's reactor is tokio's, so what differs is who drives it and what a wake costs.

mod client;
mod echo;
mod hello;
mod server;
mod wrk;

pub(crate) use echo::{CONNECTIONS, ROW as ECHO};
pub(crate) use hello::{ROW as HELLO, ROW_WRK as HELLO_WRK};
pub(crate) use server::play as play_hello;

/// Worker threads of those that have a choice.
const PROCS: usize = 2;

/// Rounds of a row, interleaved.
const ROUNDS: usize = 6;
