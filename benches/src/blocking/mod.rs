//! What happens to well-behaved tasks beside one that blocks its thread without saying so.
//!
//! The question is about latency, not speed, so most cases run for a stated time and report what their victims saw. The
//! blocking tasks call `std::thread::sleep` *inside* the task, on purpose: that is the mistake, or the library call,
//! that a runtime either survives or does not.

mod flood;
mod light;
mod neighbours;
mod nested;
mod overhead;
mod timer;

pub(crate) use flood::ROW as FLOOD;
pub(crate) use neighbours::ROW as NEIGHBOURS;
pub(crate) use nested::{ROW as NESTED, play as play_nested};
pub(crate) use overhead::ROW as OVERHEAD;
pub(crate) use timer::ROW as TIMER;

/// Worker threads.
const PROCS: usize = 2;

/// Rounds of a row, interleaved.
const ROUNDS: usize = 4;
