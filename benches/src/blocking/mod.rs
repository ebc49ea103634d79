//! What happens to well-behaved tasks beside one that blocks its thread without saying so.
//!
//! The question is about latency, not speed, so each case runs for a stated time and reports what its victims saw. The
//! blocking tasks call `std::thread::sleep` *inside* the task, on purpose: that is the mistake, or the library call,
//! that a runtime either survives or does not.

mod neighbours;
mod overhead;
mod timer;

pub use neighbours::{Neighbours, light_tasks_beside_sleepers};
pub use overhead::{Overhead, per_call_block_in_place, per_call_spawn_blocking, per_call_tidemill};
pub use timer::timer_beside_a_blocker;
