//! A fence of two unequal halves: nothing for who passes all the time, a system call for who seldom asks.
//!
//! Two threads that each write one word and then read the other's both need a full fence between the two, or each may miss what the
//! other wrote. Such a fence costs as much as a locked instruction. Where one side runs a million times as often, the other can pay for
//! both: Linux's `membarrier` makes every thread of the process that runs just now pass a full fence, and those that do not run
//! have passed one when they were taken off their processor. The light half then only keeps the compiler from swapping the two
//! accesses.
//!
//! **What it gives.** If [`light`] stands between a store and a load of one thread, and [`heavy`] between a store and a load of another, at
//! least one of the two loads sees the other thread's store: the same as two `fence(SeqCst)`.
//!
//! **Cost.** The light half: no instruction. The heavy one: 0.1 us alone, 1.5 to 29 us where another thread of the process runs on another
//! processor of a virtual machine.
//!
//! **In models.** loom knows no membarrier, and the memory model of Rust has no word for it; both halves are `fence(SeqCst)` there, which
//! is what they stand for. So a model shows that the protocol is right with such a fence, and only the tests with real threads show
//! that the system's is one.
//!
//! Where there is none (another system, an old kernel, a sandbox that forbids it, Miri), [`available`] says so, and the caller takes
//! a protocol with locked instructions.

#[cfg(tidemill_loom)]
pub(crate) use model::{available, heavy, light};
#[cfg(not(tidemill_loom))]
pub(crate) use system::{available, heavy, light};

#[cfg(not(tidemill_loom))]
mod system {
    use std::{
        sync::{
            OnceLock,
            // tidy-allow(seqcst): for the fences below
            atomic::{Ordering::SeqCst, compiler_fence, fence},
        },
        thread,
        time::Duration,
    };

    /// A processor's buffer of stores is empty after nanoseconds; see `heavy`.
    const LONG_AFTER: Duration = Duration::from_millis(1);

    /// Whether the system has such a fence. Asked of it once per process.
    pub(crate) fn available() -> bool {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        !cfg!(miri) && *REGISTERED.get_or_init(membarrier::register)
    }

    #[inline(always)]
    pub(crate) fn light() {
        compiler_fence(SeqCst);
    }

    /// Only if the fence is [`available`].
    #[cold]
    pub(crate) fn heavy() {
        fence(SeqCst);
        // It fails after all in a process that was forked off, which has to register anew, or when a sandbox came later. Then time
        // does what the call would have done: the others' stores do not stay in their buffers, nor the loads after them
        // early, for more than nanoseconds.
        let passed = membarrier::pass() || membarrier::register() && membarrier::pass();
        if !passed {
            thread::sleep(LONG_AFTER);
        }
        fence(SeqCst);
    }

    #[cfg(target_os = "linux")]
    mod membarrier {
        use rustix::thread::{MembarrierCommand, membarrier};

        pub(super) fn register() -> bool {
            membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
        }

        pub(super) fn pass() -> bool {
            membarrier(MembarrierCommand::PrivateExpedited).is_ok()
        }
    }

    #[cfg(not(target_os = "linux"))]
    mod membarrier {
        pub(super) fn register() -> bool {
            false
        }

        pub(super) fn pass() -> bool {
            false
        }
    }
}

#[cfg(tidemill_loom)]
mod model {
    use loom::sync::atomic::{Ordering::SeqCst, fence};

    pub(crate) fn available() -> bool {
        true
    }

    pub(crate) fn light() {
        fence(SeqCst);
    }

    pub(crate) fn heavy() {
        fence(SeqCst);
    }
}

#[cfg(all(test, not(any(tidemill_loom, miri))))]
mod tests {
    use std::{
        hint,
        sync::{
            Barrier,
            atomic::{AtomicU64, Ordering::Relaxed},
        },
        thread,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::sync::Padded;

    const ROUNDS: u64 = 5_000;

    /// Where both threads have one processor, a round takes a slice of time each.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Two words in one line, as in a home: of `limit` and `spent`, whoever writes one and then reads the other sees what the other
    /// side wrote, or is seen.
    ///
    /// Each store of the hot side stands behind one to memory that is in no cache, so that without a fence it would come late.
    #[test]
    fn of_two_sides_that_write_and_then_look_one_at_least_sees_the_other() {
        if !available() {
            return;
        }
        let far: Vec<Padded<AtomicU64>> = (0..1 << 18).map(|_| Padded::default()).collect();
        let (shared, start) = (Padded([AtomicU64::new(0), AtomicU64::new(0)]), Barrier::new(2));
        let [seldom, often] = &shared.0;
        // Per round of the seldom side: the last count after which the hot side had not seen it, and the count that it saw itself.
        let (unseen, seen) = thread::scope(|scope| {
            let hot = scope.spawn(|| {
                let mut unseen = Vec::new();
                start.wait();
                for count in 1.. {
                    far[(count as usize).wrapping_mul(40_503) % far.len()].0.store(count, Relaxed);
                    often.store(count, Relaxed);
                    light();
                    let round = seldom.load(Relaxed);
                    while unseen.len() < round as usize {
                        unseen.push(count - 1);
                    }
                    if round == ROUNDS {
                        break;
                    }
                }
                unseen
            });
            start.wait();
            let (mut seen, began) = (Vec::new(), Instant::now());
            for round in 1..ROUNDS {
                // Only while the other runs beside us can there be a race.
                let last = seen.last().copied().unwrap_or_default();
                while often.load(Relaxed) < last + 10 {
                    thread::yield_now();
                }
                (0..fastrand::u32(..300)).for_each(|_| hint::spin_loop());
                seldom.store(round, Relaxed);
                heavy();
                seen.push(often.load(Relaxed));
                if began.elapsed() > PATIENCE {
                    break;
                }
            }
            seldom.store(ROUNDS, Relaxed);
            (hot.join().expect("it asserts nothing"), seen)
        });
        let missed = unseen.iter().zip(&seen).filter(|(unseen, seen)| unseen > seen).count();
        assert_eq!(missed, 0, "of {} rounds", seen.len());
    }
}
