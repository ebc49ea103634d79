#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod alloc;
mod process;
mod profiler;
mod slots;
mod stacks;

pub use alloc::{AllocStats, CountingAlloc};
pub use process::ProcessStats;
pub use profiler::{CpuProfile, CpuProfiler, MAX_HZ, ProfileError};
pub use stacks::{FoldedStacks, ParseFoldedError};
