//! The races of the count under loom: no waiter is forgotten, and none is called before its zero.

use std::sync::{Arc as StdArc, atomic::AtomicUsize as StdAtomicUsize};
use std::task::Wake;

use loom::sync::Arc;
use loom::thread;

use super::*;

/// Counts wakes.
#[derive(Default)]
struct Woken(StdAtomicUsize);

impl Wake for Woken {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn loom_a_waiter_sees_zero_or_is_woken() {
    loom::model(|| {
        let state = Arc::new(State::new());
        assert!(state.add(2));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let state = Arc::clone(&state);
                thread::spawn(move || assert!(state.done()))
            })
            .collect();
        let woken = StdArc::new(Woken::default());
        let place = state.join(&StdArc::clone(&woken).into());
        workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
        assert_eq!(woken.times(), usize::from(place.is_some()), "who joined the line is called once");
        assert!(place.is_none_or(|place| state.is_over(place, Waker::noop())));
        assert!(!state.done());
    });
}

/// The group is used again while whoever reached zero is on its way to the line.
#[test]
fn loom_the_next_generation_is_not_called_for_the_last() {
    loom::model(|| {
        let state = Arc::new(State::new());
        assert!(state.add(1));
        let woken = StdArc::new(Woken::default());
        let first = state.join(&StdArc::clone(&woken).into()).expect("the count is one");
        let (next, other) = (StdArc::new(Woken::default()), Arc::clone(&state));
        let waker = StdArc::clone(&next).into();
        // The user is the thread, so that one forced switch is enough to put it between the zero and the line.
        let user = thread::spawn(move || {
            let reused = other.count() == 0 && other.add(1);
            reused.then(|| other.join(&waker)).flatten()
        });
        assert!(state.done());
        let second = user.join().expect("no panic");
        assert_eq!(woken.times(), 1);
        assert!(state.is_over(first, Waker::noop()));
        if let Some(second) = second {
            assert_eq!(next.times(), 0, "its count is one");
            assert!(!state.is_over(second, Waker::noop()));
        }
    });
}

/// One adds while another ends: the count is right, and the waiter waits for both.
#[test]
fn loom_an_add_beside_the_last_done() {
    loom::model(|| {
        let state = Arc::new(State::new());
        assert!(state.add(1));
        let other = Arc::clone(&state);
        let worker = thread::spawn(move || {
            assert!(other.add(1));
            assert!(other.done());
            assert!(other.done());
        });
        let woken = StdArc::new(Woken::default());
        let place = state.join(&StdArc::clone(&woken).into());
        worker.join().expect("no panic");
        assert_eq!((state.count(), woken.times()), (0, usize::from(place.is_some())));
    });
}

/// A waiter that gives up leaves nothing behind, whoever is faster.
#[test]
fn loom_a_waiter_that_gives_up() {
    loom::model(|| {
        let state = Arc::new(State::new());
        assert!(state.add(1));
        let place = state.join(Waker::noop()).expect("the count is one");
        let other = Arc::clone(&state);
        let worker = thread::spawn(move || assert!(other.done()));
        state.leave(place);
        worker.join().expect("no panic");
        assert!(lock(&state.line).waiters.is_empty());
    });
}
