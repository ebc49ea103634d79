//! On which CPUs the threads of a runtime run: on those of the thread that built it.
//!
//! A new thread inherits the affinity of the one that starts it. As a rule that is a machine; but a thread of the user's that has
//! work for one may be the first to find that another is needed, and may be pinned for reasons of its own. What it
//! starts takes over the affinity of the monitor
//! instead, which it has from the builder, or from whoever has changed that of all threads since (`taskset -ap`). So one
//! runtime for each NUMA node, or for each half of the CPUs, is a thread that pins itself and builds a runtime.

use rustix::thread::{Pid, gettid, sched_getaffinity, sched_setaffinity};

use crate::sync::{AtomicU32, Ordering};

/// The affinity that the threads of a runtime share.
#[derive(Debug, Default)]
pub(crate) struct Cpus {
    /// The monitor's thread; zero before there is one. Relaxed: a machine that starts meanwhile is the builder's own.
    keeper: AtomicU32,
}

impl Cpus {
    /// The calling thread, which lives as long as the runtime, has it.
    pub(crate) fn keep(&self) {
        self.keeper.store(gettid().as_raw_nonzero().get().unsigned_abs(), Ordering::Relaxed);
    }

    /// Gives it to the calling thread. Two system calls; what the system refuses is left as it is.
    pub(crate) fn take_over(&self) {
        let keeper = i32::try_from(self.keeper.load(Ordering::Relaxed)).ok().and_then(Pid::from_raw);
        if let Some(cpus) = keeper.and_then(|keeper| sched_getaffinity(Some(keeper)).ok()) {
            let _ = sched_setaffinity(None, &cpus);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::thread;

    use rustix::thread::CpuSet;

    use super::*;

    #[test]
    fn a_pinned_thread_gets_the_affinity_of_the_keeper() {
        let (cpus, ours) = (Cpus::default(), sched_getaffinity(None).unwrap());
        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).find(|cpu| ours.is_set(*cpu)).unwrap());
        let taken_over = || {
            sched_setaffinity(None, &one).unwrap();
            cpus.take_over();
            sched_getaffinity(None).unwrap()
        };
        let on_a_thread = || thread::scope(|scope| scope.spawn(taken_over).join().unwrap());
        assert_eq!(on_a_thread(), one, "there is no keeper yet");
        cpus.keep();
        assert_eq!(on_a_thread(), ours);
    }
}
