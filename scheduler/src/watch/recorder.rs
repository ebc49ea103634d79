//! The flight recorder: the last events of each thread, in a ring that it overwrites.
//!
//! A ring has one writer, its thread, and any number of readers that disturb nobody: a reader that meets the writer in a
//! slot (`slot.rs`) leaves that event out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{slice, str};

use super::event::{Event, Track, What};
use super::slot::{Contents, Slot};

/// The last events of one thread.
#[derive(Debug)]
pub(crate) struct Ring {
    slots: Box<[Slot]>,
    /// Events ever written.
    written: AtomicU64,
}

impl Ring {
    /// For the last `capacity` events, rounded up to a power of two.
    pub(crate) fn new(capacity: usize) -> Self {
        let slots = (0..capacity.next_power_of_two()).map(|_| Slot::new()).collect();
        Self { slots, written: AtomicU64::new(0) }
    }

    /// The place of event `number`.
    fn slot(&self, number: u64) -> &Slot {
        &self.slots[number as usize & (self.slots.len() - 1)]
    }

    /// Adds an event, by the ring's thread only.
    pub(crate) fn write(&self, at: u64, what: What) {
        let number = self.written.load(Ordering::Relaxed) + 1;
        let (code, argument, name) = what.encode();
        self.slot(number).write(number, ([at, code, argument, name.len() as u64], name.as_ptr()));
        // Release: pairs with the load of `events`.
        self.written.store(number, Ordering::Release);
    }

    /// What is in it now, oldest first.
    pub(crate) fn events(&self, track: Track) -> impl Iterator<Item = Event> {
        let last = self.written.load(Ordering::Acquire);
        let kept = last.saturating_sub(self.slots.len() as u64) + 1..=last;
        kept.filter_map(move |number| {
            let contents = self.slot(number).read(number)?;
            // SAFETY: it was read from a slot, and `write` above is all that writes to one.
            let (at, what) = unsafe { decode(contents) }?;
            Some(Event { at: Duration::from_nanos(at), track, what })
        })
    }
}

/// The reverse of [`What::encode`], with the time.
///
/// # Safety
/// `Ring::write` wrote the contents, all in one call.
unsafe fn decode(([at, code, argument, length], name): Contents) -> Option<(u64, What)> {
    // SAFETY: pointer and length are those of a `&'static str`.
    let name = unsafe { slice::from_raw_parts(name, length as usize) };
    // SAFETY: as above.
    let name = unsafe { str::from_utf8_unchecked(name) };
    Some((at, What::decode(code, argument, name)?))
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
