//! The flight recorder: the last events of each thread, in a ring that it overwrites.
//!
//! A ring has one writer, its thread, and any number of readers that disturb nobody. Each slot carries the number of its
//! event, which is 0 while it is being written; a reader takes the number, the contents, and the number again, and
//! leaves the slot out if they differ (a *seqlock*). All contents are atomics, so a torn read is a wrong value that is
//! thrown away, and not a data race.
//!
//! ```text
//! write event n:  1. number = 0            read event n:  1. number == n + 1?      (acquire)
//!                 2. release fence                        2. load the contents
//!                 3. store the contents                   3. acquire fence
//!                 4. number = n + 1  (release)            4. number == n + 1 still?
//! ```
//!
//! If a reader's step 2 sees a store of a later write's step 3, then the fences make its step 4 see that write's step 1
//! or later, which differs.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use std::time::Duration;

use super::event::{Event, Track, What};

/// The last events of one thread.
#[derive(Debug)]
pub(crate) struct Ring {
    slots: Box<[Slot]>,
    /// Events ever written.
    written: AtomicU64,
}

#[derive(Debug)]
struct Slot {
    /// The number of the event plus one; 0: nothing to be read.
    number: AtomicU64,
    at: AtomicU64,
    code: AtomicU64,
    argument: AtomicU64,
    name: AtomicPtr<u8>,
    length: AtomicUsize,
}

impl Slot {
    fn new() -> Self {
        Self {
            number: AtomicU64::new(0),
            at: AtomicU64::new(0),
            code: AtomicU64::new(0),
            argument: AtomicU64::new(0),
            name: AtomicPtr::new(ptr::null_mut()),
            length: AtomicUsize::new(0),
        }
    }

    /// Event `number - 1`, unless it is not there or is just being overwritten.
    fn read(&self, number: u64) -> Option<(u64, What)> {
        // Acquire: pairs with the last store of `write`, so that this event's contents are seen, or later ones.
        if self.number.load(Ordering::Acquire) != number {
            return None;
        }
        let (at, code) = (self.at.load(Ordering::Relaxed), self.code.load(Ordering::Relaxed));
        let argument = self.argument.load(Ordering::Relaxed);
        let (name, length) = (self.name.load(Ordering::Relaxed), self.length.load(Ordering::Relaxed));
        // Pairs with the fence of `write`; see the head of the file.
        fence(Ordering::Acquire);
        if self.number.load(Ordering::Relaxed) != number || name.is_null() {
            return None;
        }
        // SAFETY: the number did not change, so pointer and length were stored by one `write`, which had them from a
        // `&'static str`.
        let name = unsafe { std::slice::from_raw_parts(name.cast_const(), length) };
        // SAFETY: as above, it is a `str`.
        let name = unsafe { std::str::from_utf8_unchecked(name) };
        Some((at, What::decode(code, argument, name)?))
    }
}

impl Ring {
    /// For the last `capacity` events, rounded up to a power of two.
    pub(crate) fn new(capacity: usize) -> Self {
        let slots = (0..capacity.next_power_of_two()).map(|_| Slot::new()).collect();
        Self { slots, written: AtomicU64::new(0) }
    }

    fn slot(&self, event: u64) -> &Slot {
        &self.slots[event as usize & (self.slots.len() - 1)]
    }

    /// Adds an event, by the ring's thread only.
    pub(crate) fn write(&self, at: u64, what: What) {
        let event = self.written.load(Ordering::Relaxed);
        let slot = self.slot(event);
        let (code, argument, name) = what.encode();
        slot.number.store(0, Ordering::Relaxed);
        // Release: pairs with the fence of `read`; see the head of the file.
        fence(Ordering::Release);
        slot.at.store(at, Ordering::Relaxed);
        slot.code.store(code, Ordering::Relaxed);
        slot.argument.store(argument, Ordering::Relaxed);
        slot.name.store(name.as_ptr().cast_mut(), Ordering::Relaxed);
        slot.length.store(name.len(), Ordering::Relaxed);
        // Release, both: pair with the Acquire loads of `read` and `events`.
        slot.number.store(event + 1, Ordering::Release);
        self.written.store(event + 1, Ordering::Release);
    }

    /// What is in it now, oldest first.
    pub(crate) fn events(&self, track: Track) -> impl Iterator<Item = Event> {
        let end = self.written.load(Ordering::Acquire);
        let kept = (end.saturating_sub(self.slots.len() as u64)..end).filter_map(|n| self.slot(n).read(n + 1));
        kept.map(move |(at, what)| Event { at: Duration::from_nanos(at), track, what })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::watch::event::Span;

    const NAMES: [&str; 3] = ["a", "bc", "a longer name"];

    /// An event of which every part follows from `n`.
    fn made_of(n: u64) -> (u64, What) {
        (n, What::Begin(Span::Poll { task: n ^ 0xFF, name: NAMES[n as usize % 3] }))
    }

    fn content(ring: &Ring) -> Vec<(u64, What)> {
        ring.events(Track::Monitor).map(|event| (event.at.as_nanos() as u64, event.what)).collect()
    }

    #[test]
    fn the_last_events_are_kept_in_order() {
        for (capacity, written, kept) in [(1, 3, 2..3), (4, 0, 0..0), (4, 3, 0..3), (4, 4, 0..4), (5, 21, 13..21)] {
            let ring = Ring::new(capacity);
            (0..written).for_each(|n| {
                let (at, what) = made_of(n);
                ring.write(at, what);
            });
            assert_eq!(content(&ring), kept.map(made_of).collect::<Vec<_>>(), "{capacity} slots, {written} events");
        }
    }

    #[test]
    fn a_reader_never_sees_parts_of_two_events() {
        let events = if cfg!(miri) { 200 } else { 1_000_000 };
        let ring = Ring::new(1);
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..events {
                    let (at, what) = made_of(n);
                    ring.write(at, what);
                }
            });
            let mut last = 0;
            while last + 1 != events {
                for (at, what) in content(&ring) {
                    assert_eq!((at, what), made_of(at));
                    last = at;
                }
            }
        });
    }
}
