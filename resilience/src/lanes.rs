//! A value per thread that its thread reads and writes with plain loads and stores, and that somebody else can take over.
//!
//! While the lanes are *open*, a thread with a number (see `thread`) has a value of its own. It may be used for what is
//! shared with others otherwise: permits that are free, sums of a window. Who needs what lies in there closes the lanes, and has
//! all values for himself.
//!
//! ```text
//! own:   busy = 1, light fence, open?  use the value.                         busy = 0
//! close: open = no, heavy fence, for each lane: wait until busy is 0, use the value
//! ```
//! **Why nobody meets.** Of the two, one is first (see `asymmetric`). If the thread came first, who closes sees it busy, and waits
//! until it is not. If who closes came first, the thread sees that the lanes are closed, and keeps off. The models below try it.
//!
//! **Cost.** `own`: two stores and three loads on a line of the thread's own and one that is only read: 1.5 ns, whatever the number of
//! threads. `close`: microseconds. So it is for what is closed thousands of times less often than it is used, and its users
//! stay closed after each time until that is sure to pay.
//!
//! A thread that is preempted while it is busy holds up who closes, as the holder of a lock does.
//!
//! Rejected: a lock per lane (17 ns); values that are taken over by a `swap` (every use is an atomic operation, 8.5 ns).

use std::{sync::OnceLock, time::Duration};

use crate::{
    asymmetric,
    sync::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
        Padded, yield_now,
    },
    thread,
};

const CLOSED: u32 = 0;
const OPEN: u32 = 1;
/// No longer open, and not all values have been used by who closes.
const CLOSING: u32 = 2;

/// Looks at a busy lane before the thread that closes sleeps in between: yielding alone would not let one of a lower real-time
/// priority run.
const LOOKS: u32 = 100;
const NAP: Duration = Duration::from_micros(50);

/// How many lanes there are: threads with higher numbers have none.
pub(crate) fn places() -> usize {
    // The models have two threads with lanes, and more lanes only make them longer.
    if cfg!(tidemill_loom) { 2 } else { thread::places() }
}

#[derive(Debug)]
pub(crate) struct Lanes<T> {
    state: AtomicU32,
    /// Made when they are opened first: most are few, and never opened.
    lanes: OnceLock<Box<[Padded<Lane<T>>]>>,
}

#[derive(Debug, Default)]
struct Lane<T> {
    busy: AtomicU32,
    value: T,
}

impl<T: Default> Lanes<T> {
    /// Closed.
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(CLOSED), lanes: OnceLock::new() }
    }

    /// What `visit` makes of this thread's own value; nothing if the lanes are closed, or the thread has none.
    /// `visit` must be short, and must not panic: whoever closes waits for it.
    #[inline]
    pub(crate) fn own<R>(&self, visit: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        // Relaxed: a first look only, so that closed lanes cost nothing but this.
        if self.state.load(Relaxed) != OPEN {
            return None;
        }
        // loom's threads are one thread to the system: they say where they are at home, or have no lane.
        self.own_at(if cfg!(tidemill_loom) { thread::NOBODY } else { thread::number() }, visit)
    }

    /// `own` for the thread with this `number`.
    #[inline]
    pub(crate) fn own_at<R>(&self, number: usize, visit: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        let lane = &self.lanes.get()?.get(number)?.0;
        lane.busy.store(1, Relaxed);
        // With the heavy one in `close`: one of the two sees what the other wrote before.
        asymmetric::light();
        // Acquire, with the Release in `open`: the value is as who closed left it.
        let is_open = self.state.load(Acquire) == OPEN;
        let result = if is_open { visit(&lane.value) } else { None };
        // Release, with the Acquire in `wait`: who closes sees the value as it was left here.
        lane.busy.store(0, Release);
        result
    }

    /// Opens them, unless this machine has no cheap fence. The caller holds the lock that goes with these lanes, as for `close`.
    pub(crate) fn open(&self) {
        if asymmetric::available() {
            self.lanes.get_or_init(|| (0..places()).map(|_| Padded(Lane::default())).collect());
            self.state.store(OPEN, Release);
        }
    }

    /// Closes them and shows each value to `each`. Whether they were open.
    pub(crate) fn close(&self, mut each: impl FnMut(&T)) -> bool {
        // Relaxed: only who holds the lock writes it.
        let (true, Some(lanes)) = (self.state.load(Relaxed) == OPEN, self.lanes.get()) else {
            return false;
        };
        self.state.store(CLOSING, Relaxed);
        asymmetric::heavy();
        for Padded(lane) in lanes {
            lane.wait();
            each(&lane.value);
        }
        // Release, with the Acquire in `is_closed`: who sees it sees what `each` did.
        self.state.store(CLOSED, Release);
        true
    }

    /// Whether no value is in use, nor on its way to who closes.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Acquire) == CLOSED
    }
}

impl<T> Lane<T> {
    fn wait(&self) {
        let mut looks = 0;
        // Acquire, with the Release in `own_at`.
        while self.busy.load(Acquire) != 0 {
            looks += 1;
            if looks % LOOKS == 0 {
                std::thread::sleep(NAP);
            } else {
                yield_now();
            }
        }
    }
}

#[cfg(all(test, tidemill_loom))]
mod loom_models {
    use super::*;
    use crate::sync::AtomicU64;
    use loom::{sync::Arc, thread};

    /// Adds one with a load and a store, which loses one of two that meet.
    fn add(value: &AtomicU64) -> u64 {
        let sum = value.load(Relaxed) + 1;
        value.store(sum, Relaxed);
        sum
    }

    #[test]
    fn loom_an_owner_and_who_closes_never_meet() {
        loom::model(|| {
            let lanes = Arc::new(Lanes::<AtomicU64>::new());
            lanes.open();
            let owner = {
                let lanes = Arc::clone(&lanes);
                thread::spawn(move || {
                    (0..2).filter(|_| lanes.own_at(0, |value| Some(add(value))).is_some()).count() as u64
                })
            };
            assert!(lanes.close(|value| assert!(add(value) > 0)));
            assert!(lanes.is_closed());
            lanes.open();
            let added = owner.join().unwrap();
            let mut sum = 0;
            lanes.close(|value| sum += value.load(Relaxed));
            assert_eq!(sum, added + places() as u64, "an addition was lost");
        });
    }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sync::AtomicU64;
    use std::{
        sync::{Mutex, atomic::AtomicBool},
        thread,
    };

    /// Adds one with a load and a store, which loses one of two that meet.
    fn add(value: &AtomicU64) -> u64 {
        let sum = value.load(Relaxed) + 1;
        value.store(sum, Relaxed);
        sum
    }

    /// On the real fences: every addition by plain loads and stores is there, however often the lanes are closed and opened.
    #[test]
    fn nothing_is_lost_between_owners_and_who_closes() {
        const ROUNDS: u32 = 2000;
        let lanes = Lanes::<AtomicU64>::new();
        let (lock, done) = (Mutex::new(0), AtomicBool::new(false));
        let added: u64 = thread::scope(|scope| {
            let owners: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let mut added = 0;
                        while !done.load(Relaxed) {
                            added += u64::from(lanes.own(|value| Some(add(value))).is_some());
                        }
                        added
                    })
                })
                .collect();
            for _ in 0..ROUNDS {
                let mut sum = lock.lock().unwrap();
                lanes.open();
                thread::yield_now();
                lanes.close(|value| *sum += value.swap(0, Relaxed));
            }
            done.store(true, Relaxed);
            owners.into_iter().map(|owner| owner.join().unwrap()).sum()
        });
        assert_eq!(*lock.lock().unwrap(), added);
        assert!(!asymmetric::available() || added > 0, "they were never open");
    }

    #[test]
    fn closed_lanes_are_nobodys() {
        let lanes = Lanes::<AtomicU64>::new();
        assert!(lanes.is_closed() && lanes.own(|_| Some(())).is_none());
        assert!(!lanes.close(|_| panic!("there is none")));
        lanes.open();
        assert_eq!(lanes.own(|_| Some(())).is_some(), asymmetric::available());
    }
}
