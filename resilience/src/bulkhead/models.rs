//! The semaphore's protocol under loom: every interleaving of a few threads.

use super::semaphore::{Heard, Place, Semaphore};
use crate::sync::{AtomicU64, Ordering::Relaxed};
use loom::{
    sync::Arc,
    thread::{self, Thread},
};
use std::task::{Wake, Waker};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread, as a task would.
fn wait(semaphore: &Semaphore, place: Place) -> bool {
    let waker = Waker::from(std::sync::Arc::new(Unpark(thread::current())));
    loop {
        match semaphore.listen(place, &waker) {
            Heard::Granted => return true,
            Heard::Away(_) => return false,
            Heard::Waiting(_) => thread::park(),
        }
    }
}

fn take_slowly(semaphore: &Semaphore, permits: u64) {
    if semaphore.try_take(permits) {
        return;
    }
    if let Some(place) = semaphore.enter(permits, 0, 9).unwrap() {
        assert!(wait(semaphore, place));
    }
}

/// All is back, and the fast way is open.
fn assert_whole(semaphore: &Semaphore, limit: u64) {
    assert_eq!(semaphore.counts(), [limit, 0, 0]);
    assert!(semaphore.try_take(limit), "the line is still set");
}

#[test]
fn loom_a_permit_given_back_reaches_the_one_who_waits() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                take_slowly(&semaphore, 1);
                semaphore.give_back(1);
            })
        };
        take_slowly(&semaphore, 1);
        semaphore.give_back(1);
        other.join().unwrap();
        assert_whole(&semaphore, 1);
    });
}

#[test]
fn loom_a_place_given_up_loses_no_permit_and_mints_none() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        assert!(semaphore.try_take(1));
        let large = semaphore.enter(2, 0, 9).unwrap().unwrap();
        let small = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                take_slowly(&semaphore, 1);
                semaphore.give_back(1);
            })
        };
        let holder = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.give_back(1))
        };
        semaphore.leave(large, 2);
        small.join().unwrap();
        holder.join().unwrap();
        assert_whole(&semaphore, 2);
    });
}

#[test]
fn loom_a_changed_limit_holds_whoever_gives_back_meanwhile() {
    for (from, to) in [(2, 1), (1, 2)] {
        loom::model(move || {
            let semaphore = Arc::new(Semaphore::new(from));
            assert!(semaphore.try_take(from));
            let holder = {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || semaphore.give_back(from))
            };
            let waiter = {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || {
                    take_slowly(&semaphore, 1);
                    semaphore.give_back(1);
                })
            };
            semaphore.resize(to);
            holder.join().unwrap();
            waiter.join().unwrap();
            assert_whole(&semaphore, to);
        });
    }
}

#[test]
fn loom_closing_sends_away_whoever_waits() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        assert!(semaphore.try_take(1));
        let waiter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || match semaphore.enter(1, 0, 9) {
                Ok(Some(place)) => wait(&semaphore, place),
                Ok(None) => true,
                Err(_) => false,
            })
        };
        semaphore.close();
        semaphore.give_back(1);
        let granted = waiter.join().unwrap();
        assert!(!granted, "nothing is granted once it is closed");
        assert_eq!(semaphore.counts(), [1, 0, 0]);
    });
}

/// A semaphore whose threads keep what they give back.
fn keeping(limit: u64) -> Arc<Semaphore> {
    let semaphore = Semaphore::new(limit);
    semaphore.keep();
    Arc::new(semaphore)
}

/// The thread with this `number` takes a permit if it can, and gives it back.
fn take_and_keep(semaphore: &Semaphore, number: usize, inside: &AtomicU64, limit: u64) {
    if semaphore.kept.take_at(number, 1) || semaphore.try_take_from_word(1) {
        pass_through(inside, 1, limit);
        if !semaphore.kept.put_at(number, 1) {
            semaphore.give_back_to_word(1);
        }
    }
}

fn pass_through(inside: &AtomicU64, permits: u64, limit: u64) {
    assert!(inside.fetch_add(permits, Relaxed) + permits <= limit, "a permit was minted");
    inside.fetch_sub(permits, Relaxed);
}

#[test]
fn loom_a_permit_that_a_thread_keeps_reaches_the_one_who_waits() {
    loom::model(|| {
        let (semaphore, inside) = (keeping(1), Arc::new(AtomicU64::new(0)));
        let owner = {
            let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
            thread::spawn(move || (0..2).for_each(|_| take_and_keep(&semaphore, 0, &inside, 1)))
        };
        take_slowly(&semaphore, 1);
        pass_through(&inside, 1, 1);
        semaphore.give_back_to_word(1);
        owner.join().unwrap();
        assert_whole(&semaphore, 1);
    });
}

#[test]
fn loom_all_permits_are_found_wherever_they_are_kept() {
    loom::model(|| {
        let (semaphore, inside) = (keeping(2), Arc::new(AtomicU64::new(0)));
        let owner = {
            let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
            thread::spawn(move || take_and_keep(&semaphore, 0, &inside, 2))
        };
        take_and_keep(&semaphore, 1, &inside, 2);
        take_slowly(&semaphore, 2);
        pass_through(&inside, 2, 2);
        semaphore.give_back_to_word(2);
        owner.join().unwrap();
        assert_whole(&semaphore, 2);
    });
}

#[test]
fn loom_a_changed_limit_holds_for_what_is_kept() {
    for (from, to) in [(2, 1), (1, 2)] {
        loom::model(move || {
            let semaphore = keeping(from);
            let inside = Arc::new(AtomicU64::new(0));
            let owner = {
                let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
                thread::spawn(move || (0..2).for_each(|_| take_and_keep(&semaphore, 0, &inside, 2)))
            };
            semaphore.resize(to);
            owner.join().unwrap();
            assert_whole(&semaphore, to);
        });
    }
}

#[test]
fn loom_nothing_is_taken_once_it_is_closed_nor_refused_while_it_is_kept() {
    loom::model(|| {
        let semaphore = keeping(1);
        let owner = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                let taken = semaphore.try_take_from_word(1);
                if taken && !semaphore.kept.put_at(0, 1) {
                    semaphore.give_back_to_word(1);
                }
                taken
            })
        };
        let first = semaphore.try_take(1);
        let taken = owner.join().unwrap();
        assert!(first || taken, "one of the two found it free");
        assert!(first || semaphore.try_take(1), "refused, while a thread kept it");
        semaphore.close();
        semaphore.give_back(1);
        assert!(!semaphore.kept.take_at(0, 1) && !semaphore.try_take(1), "taken from what is closed");
        assert_eq!(semaphore.counts(), [1, 0, 0]);
    });
}
