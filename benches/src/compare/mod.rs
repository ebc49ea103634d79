//! A fair comparison of executors: interleaved, warmed up, and with its own error bar.
//!
//! Machines drift: the clock, the neighbours on the host and the placement of the virtual CPUs change within seconds,
//! so two blocks measured one after the other compare the minutes, not the programs. Hence
//!
//! 1. a *round* gives every contender one turn, forwards in even rounds and backwards in odd ones (A B B A), which
//!    cancels linear drift;
//! 2. in a *turn* a fresh executor runs the workload once untimed and then [`RUNS_PER_TURN`] times timed, alone in the
//!    process; the turn's figure is the median of these;
//! 3. the result is the median over rounds of the *ratio within a round*, with a bootstrap interval;
//! 4. the reference takes part twice (A/A). Its ratio to itself shows what the method cannot tell apart: a difference
//!    inside that interval is no difference.

mod contender;
mod report;
mod stats;

pub use contender::{Contender, RUNS_PER_TURN, Ratios, Series, measure};
pub use report::{means, table};
pub use stats::{Interval, bootstrap_ratio, median};
