#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod comparison;
mod html;
mod number;
mod plot;
mod report;
mod table;

pub use comparison::{Better, Comparison, Improvement, Row};
pub use report::{Bars, CpuShare, Curve, FlameGraph, Invariant, Report, Rung, Steps, Variant};
