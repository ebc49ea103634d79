//! A fair comparison of contenders: interleaved, and with its own error bar.
//!
//! Machines drift: the clock, the neighbours on the host and the placement of the virtual CPUs change within seconds,
//! so two blocks measured one after the other compare the minutes, not the programs. Hence
//!
//! 1. a *round* gives every contender one turn, forwards in even rounds and backwards in odd ones (A B B A), which
//!    cancels linear drift;
//! 2. a *turn* starts afresh, alone on the machine, and reports a value for each [`Figure`];
//! 3. the result is the median over rounds of the *ratio within a round*, with a bootstrap interval;
//! 4. rounds of one pass over the board belong together: the interval is that of a bootstrap over passes (`stats`), and rounds that fall
//!    into two groups are reported as such (`states`), for their median is a fact about neither;
//! 5. the reference takes part twice (A/A). Its ratio to itself shows what the method cannot tell apart: a difference
//!    inside that interval is no difference;
//! 6. the *floor* takes part too, where there is one: the least that the work can cost, in the same rounds.

mod figure;
mod report;
mod rounds;
mod states;
mod stats;

pub use figure::{Better, Figure, Over};
pub(crate) use report::number;
pub use report::{means, table};
pub use rounds::{AGAIN, Contender, Role, Rounds, Series, Verdict, measure};
pub use states::{Group, two_groups};
pub use stats::{Interval, bootstrap_ratio, median};
