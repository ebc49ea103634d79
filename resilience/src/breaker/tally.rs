//! Folding the counts into the window: by whoever reports a bad call, without anyone waiting for anyone.
//!
//! A bad call is put into the *inbox*, one word: counts of bad calls, their generation, and a busy bit. Who sets the busy bit
//! folds: takes the counts out, adds the stripes' good calls, judges the window, and leaves only when the inbox is
//! still empty; everybody else has handed over their count and goes on. So a report is never lost, and the lock around
//! the window, which the busy bit already guards, only ever meets a snapshot.
//!
//! ```text
//! reporter: inbox +1, sets busy?  -- no: done; the busy one looks again before it leaves
//!                 yes: take counts, fold, judge; inbox empty: clear busy, done; else again
//! ```
//! The loom models below try this, and the stripes, in every interleaving. What is given up: one caller folds for all as long as
//! others report bad calls faster than it folds them, which takes some millions a second that do not open the breaker.

use super::{
    stripes::Stripes,
    window::{Counts, Span, Window},
    word::GENERATION_BITS,
};
use crate::sync::{
    AtomicU64, Mutex,
    Ordering::{AcqRel, Acquire, Relaxed},
    lock,
};

const COUNT_BITS: u32 = 14;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const BUSY: u64 = 1 << (3 * COUNT_BITS + GENERATION_BITS);

/// The inbox as a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Letters {
    busy: bool,
    generation: u64,
    bad: Counts,
}

impl Letters {
    fn unpack(word: u64) -> Self {
        let count = |index: u32| (word >> (index * COUNT_BITS)) & COUNT_MASK;
        Self {
            busy: word & BUSY != 0,
            generation: (word & !BUSY) >> (3 * COUNT_BITS),
            bad: Counts { calls: count(0), failed: count(1), slow: count(2) },
        }
    }

    fn pack(self) -> u64 {
        let Counts { calls, failed, slow } = self.bad;
        let counts = calls | (failed << COUNT_BITS) | (slow << (2 * COUNT_BITS));
        counts | (self.generation << (3 * COUNT_BITS)) | if self.busy { BUSY } else { 0 }
    }
}

#[derive(Debug)]
pub(super) struct Tally {
    inbox: AtomicU64,
    folded: Mutex<Folded>,
}

#[derive(Debug)]
struct Folded {
    generation: u64,
    window: Window,
    /// What each stripe had counted when it was last looked at.
    seen: Box<[u64]>,
}

impl Tally {
    pub(super) fn new(span: Span, stripes: &Stripes) -> Self {
        let folded = Folded { generation: 0, window: Window::new(span), seen: vec![0; stripes.len()].into() };
        Self { inbox: AtomicU64::new(0), folded: Mutex::new(folded) }
    }

    /// Reports calls of `generation` that were `bad` (or none: to have a look), and folds unless somebody else does.
    ///
    /// `judge` sees the window after each fold of bad calls, with its generation. Called at most by one thread at a time. A report of a
    /// generation that is not `is_current` is dropped.
    pub(super) fn report(
        &self,
        stripes: &Stripes,
        generation: u64,
        bad: Counts,
        nanos: u64,
        is_current: impl Fn(u64) -> bool,
        mut judge: impl FnMut(u64, &Window),
    ) {
        if !self.put(generation, bad, is_current) {
            return;
        }
        loop {
            let (generation, bad) = self.take();
            {
                let mut folded = lock(&self.folded);
                folded.fold(stripes, generation, bad, nanos);
                if bad.calls > 0 {
                    judge(generation, &folded.window);
                }
            }
            if self.leave(generation) {
                return;
            }
        }
    }

    /// Puts a report in; `true` if the caller is to fold.
    fn put(&self, generation: u64, bad: Counts, is_current: impl Fn(u64) -> bool) -> bool {
        // Acquire, with the AcqRel below: who finds a newer generation in here finds it in the breaker's word as well, and
        // so does not put an older one over it.
        let mut seen = self.inbox.load(Acquire);
        loop {
            let mut letters = Letters::unpack(seen);
            if letters.generation != generation {
                if !is_current(generation) {
                    return false;
                }
                letters = Letters { generation, bad: Counts::default(), ..letters };
            }
            let was_busy = letters.busy;
            if letters.bad.calls < COUNT_MASK {
                letters.bad.add(bad);
            }
            letters.busy = true;
            // AcqRel: the folder that comes next sees what the last one left in `folded` (the lock would do as well).
            match self.inbox.compare_exchange_weak(seen, letters.pack(), AcqRel, Acquire) {
                Ok(_) => return !was_busy,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes the counts out and stays busy.
    fn take(&self) -> (u64, Counts) {
        let mut seen = self.inbox.load(Relaxed);
        loop {
            let letters = Letters::unpack(seen);
            let emptied = Letters { bad: Counts::default(), ..letters };
            match self.inbox.compare_exchange_weak(seen, emptied.pack(), AcqRel, Relaxed) {
                Ok(_) => return (letters.generation, letters.bad),
                Err(now) => seen = now,
            }
        }
    }

    /// No longer busy, unless something has come in since the fold of `generation`. One who only wanted a look at that same
    /// generation leaves no trace, and needs none.
    fn leave(&self, generation: u64) -> bool {
        let seen = self.inbox.load(Relaxed);
        let letters = Letters::unpack(seen);
        let idle = Letters { busy: false, ..letters };
        let nothing_new = letters.bad.calls == 0 && letters.generation == generation;
        nothing_new && self.inbox.compare_exchange(seen, idle.pack(), AcqRel, Relaxed).is_ok()
    }

    /// The window of `generation`, as of the last fold.
    pub(super) fn counts(&self, generation: u64) -> Counts {
        let folded = lock(&self.folded);
        if folded.generation == generation { folded.window.total() } else { Counts::default() }
    }
}

impl Folded {
    fn fold(&mut self, stripes: &Stripes, generation: u64, bad: Counts, nanos: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.window.clear(nanos);
            self.seen.fill(0);
        }
        let good = stripes.fold(generation, &mut self.seen);
        self.window.record(good, bad, nanos);
    }
}

#[cfg(all(test, tidemill_loom))]
mod loom_models {
    use super::*;
    use loom::{sync::Arc, thread};

    const FAILED: Counts = Counts { calls: 1, failed: 1, slow: 0 };

    struct Model {
        generation: AtomicU64,
        stripes: Stripes,
        tally: Tally,
        judged: AtomicU64,
    }

    impl Model {
        fn new() -> Arc<Self> {
            let stripes = Stripes::new(1);
            let tally = Tally::new(Span::Calls(8), &stripes);
            Arc::new(Self { generation: AtomicU64::new(0), stripes, tally, judged: AtomicU64::new(0) })
        }

        fn is_current(&self, generation: u64) -> bool {
            self.generation.load(Acquire) == generation
        }

        fn bad(&self, generation: u64) {
            let judge = |generation: u64, window: &Window| {
                if self.is_current(generation) {
                    self.judged.store(window.total().failed, Relaxed);
                }
            };
            self.tally.report(&self.stripes, generation, FAILED, 0, |asked| self.is_current(asked), judge);
        }
    }

    /// Whoever reports last or folds last, the last judgement has seen all failures: none is left lying in the inbox.
    #[test]
    fn loom_every_failure_is_judged() {
        loom::model(|| {
            let model = Model::new();
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let model = Arc::clone(&model);
                    thread::spawn(move || model.bad(0))
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(model.judged.load(Relaxed), 2);
            assert!(!Letters::unpack(model.tally.inbox.load(Relaxed)).busy);
        });
    }

    /// A report of the old generation, arriving while the new one begins, is never counted in the new one.
    #[test]
    fn loom_late_failures_stay_out_of_the_new_generation() {
        loom::model(|| {
            let model = Model::new();
            let late = {
                let model = Arc::clone(&model);
                thread::spawn(move || model.bad(0))
            };
            model.generation.store(1, Ordering::Release);
            model.bad(1);
            late.join().unwrap();
            // The late one may have folded last, and its generation may still be in the window: then a look is due.
            model.bad(1);
            assert_eq!(model.tally.counts(1).failed, 2);
        });
    }

    /// The same for good calls: one in a place of its own, one in the shared place.
    #[test]
    fn loom_late_good_calls_stay_out_of_the_new_generation() {
        for number in [0, 1] {
            loom::model(move || {
                let model = Model::new();
                let late = {
                    let model = Arc::clone(&model);
                    thread::spawn(move || model.stripes.count_at(number, 0, || model.is_current(0)))
                };
                model.generation.store(1, Ordering::Release);
                model.stripes.count_at(1, 1, || model.is_current(1));
                late.join().unwrap();
                model.bad(1);
                assert_eq!(model.tally.counts(1).calls, 2);
            });
        }
    }

    use crate::sync::Ordering;
}
