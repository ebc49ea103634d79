//! The races of a group under loom: no slot lost or minted, nobody forgotten, one root.

use std::{
    sync::{
        Arc as StdArc,
        atomic::{AtomicUsize as StdAtomicUsize, Ordering::Relaxed},
    },
    task::Wake,
};

use loom::{sync::Arc, thread};

use super::*;

/// Counts wakes.
#[derive(Default)]
struct Woken(StdAtomicUsize);

impl Wake for Woken {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn woken() -> (StdArc<Woken>, Waker) {
    let woken = StdArc::new(Woken::default());
    (StdArc::clone(&woken), woken.into())
}

impl Woken {
    fn is_woken(&self) -> bool {
        self.0.load(Relaxed) > 0
    }
}

fn entered(entry: Entry) -> Seat {
    let Entry::In(seat) = entry else { panic!("a slot is free") };
    seat
}

/// A child that ends well, on a thread of its own.
fn ending(state: &Arc<State<u8>>, seat: Seat) -> thread::JoinHandle<()> {
    let state = Arc::clone(state);
    thread::spawn(move || state.finish(seat, Some(0), false, || ()))
}

#[test]
fn loom_a_cancel_reaches_a_child_or_the_child_sees_it() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(UNLIMITED));
        let mut seat = entered(state.enter());
        let other = Arc::clone(&state);
        let canceller = thread::spawn(move || other.cancel());
        let (woken, waker) = woken();
        let in_time = state.listen(&mut seat, &waker);
        let seen = state.is_cancelled();
        canceller.join().expect("no panic");
        assert!(seen || woken.is_woken() || !in_time, "it sleeps for ever");
        assert!(state.is_cancelled());
    });
}

#[test]
fn loom_the_owner_sees_the_end_or_is_woken() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(UNLIMITED));
        let children: Vec<_> = (0..2).map(|_| entered(state.enter())).collect();
        let children: Vec<_> = children.into_iter().map(|seat| ending(&state, seat)).collect();
        let (woken, waker) = woken();
        let pending = state.poll_end(true, &waker).is_pending();
        children.into_iter().for_each(|child| child.join().expect("no panic"));
        assert_eq!(woken.is_woken(), pending);
        assert_eq!(state.take_done().0.len(), 2);
    });
}

#[test]
fn loom_a_slot_that_comes_free_goes_to_who_waits() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(1));
        let child = ending(&state, entered(state.enter()));
        let (woken, waker) = woken();
        let (entry, key) = state.enter_or_join(None, &waker);
        child.join().expect("no panic");
        if let Some(key) = key {
            assert!(woken.is_woken(), "it waits for ever");
            let seat = entered(state.enter_waiting(key, &waker));
            assert_eq!(state.enter(), Entry::Full, "one slot");
            state.finish(seat, None, false, || ());
        } else {
            state.finish(entered(entry), None, false, || ());
        }
        assert!(matches!(state.enter(), Entry::In(_)), "the slot is lost");
    });
}

/// Of two that wait, the first gives up while the slot comes free.
#[test]
fn loom_a_slot_granted_to_one_that_gives_up_goes_on() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(1));
        let seat = entered(state.enter());
        let (_, first) = state.enter_or_join(None, Waker::noop());
        let (woken, waker) = woken();
        let (_, second) = state.enter_or_join(None, &waker);
        let child = ending(&state, seat);
        state.leave_line(first.expect("it is full"));
        child.join().expect("no panic");
        assert!(woken.is_woken());
        let _ = entered(state.enter_waiting(second.expect("it is full"), &waker));
        assert_eq!(state.enter(), Entry::Full, "a slot was minted");
    });
}

/// A child hands its slot to its own, which ends, while a stranger waits as well.
#[test]
fn loom_a_lent_slot_comes_back() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(1));
        let parent = entered(state.enter());
        let (woken, waker) = woken();
        let (entry, key) = state.enter_or_join(Some(parent.number), &waker);
        let (child, key) = (entered(entry), key.expect("the parent waits for a slot"));
        let child = ending(&state, child);
        let (_, stranger) = state.enter_or_join(None, Waker::noop());
        child.join().expect("no panic");
        assert!(woken.is_woken() && state.reclaim(key, parent.number, &waker), "it was first in line");
        assert_eq!(state.enter(), Entry::Full);
        state.finish(parent, None, false, || ());
        if let Some(stranger) = stranger {
            let _ = entered(state.enter_waiting(stranger, Waker::noop()));
        }
        assert_eq!(state.counts().running, 1);
    });
}

#[test]
fn loom_two_that_fail_at_once_have_one_root_and_it_is_stored_before_the_cancel() {
    loom::model(|| {
        let state = Arc::new(State::<usize>::new(UNLIMITED));
        let failing = |seat: Seat| {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                let spread = || {
                    assert!(state.counts().unread > 0, "others hear of a failure that nobody can find");
                    state.cancel();
                };
                state.finish(seat, Some(seat.number), true, spread);
            })
        };
        let seats = [entered(state.enter()), entered(state.enter())];
        let children = seats.map(failing);
        children.into_iter().for_each(|child| child.join().expect("no panic"));
        let (done, root, _) = state.take_done();
        assert_eq!(root, Some(done[0].0), "the first that is stored is the root");
        assert!(state.is_cancelled());
    });
}

/// A cancel against a spawn: the child that comes too late is refused, and the one in time is reached.
#[test]
fn loom_a_cancel_beside_a_spawn_and_a_wait_for_a_slot() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(1));
        let other = Arc::clone(&state);
        let canceller = thread::spawn(move || other.cancel());
        let first = state.enter();
        let (woken, waker) = woken();
        let (second, key) = state.enter_or_join(None, &waker);
        canceller.join().expect("no panic");
        if let Some(key) = key {
            assert!(woken.is_woken(), "it waits for a slot of a cancelled group");
            assert_eq!(state.enter_waiting(key, &waker), Entry::Cancelled);
        } else {
            assert_eq!(second, Entry::Cancelled);
        }
        if let Entry::In(mut seat) = first {
            assert!(!state.listen(&mut seat, &waker));
            state.finish(seat, None, false, || ());
        }
        assert!(state.poll_end(true, &waker).is_ready());
        assert!(state.take_done().2, "the refusal is remembered");
    });
}

/// Somebody spawns without the lock while the owner closes the group: the child is refused, or waited for.
#[test]
fn loom_a_child_enters_while_the_owner_closes() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(UNLIMITED));
        let other = Arc::clone(&state);
        let spawner = thread::spawn(move || match other.enter() {
            Entry::In(seat) => {
                other.finish(seat, Some(7), false, || ());
                true
            }
            refused => {
                assert_eq!(refused, Entry::Closed);
                false
            }
        });
        let (woken, waker) = woken();
        let closed = state.poll_end(true, &waker).is_ready();
        let entered = spawner.join().expect("no panic");
        assert_eq!(entered && !closed, woken.is_woken(), "the owner is told of the end if it waits for it");
        assert!(state.poll_end(true, &waker).is_ready());
        assert_eq!(state.take_done().0.len(), usize::from(entered));
    });
}

/// A limit comes while one enters without the lock and another ends: the slots add up.
#[test]
fn loom_a_limit_comes_beside_a_spawn_and_an_end() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(UNLIMITED));
        let first = ending(&state, entered(state.enter()));
        let other = Arc::clone(&state);
        let second = thread::spawn(move || other.enter());
        state.set_limit(2);
        first.join().expect("no panic");
        let second = second.join().expect("no panic");
        let room = match second {
            Entry::In(_) => 1,
            refused => {
                assert_eq!(refused, Entry::Full, "only before the first has ended");
                2
            }
        };
        assert_eq!((0..3).filter(|_| matches!(state.enter(), Entry::In(_))).count(), room);
    });
}

/// One child is to end alone, for somebody outside says so, while it leaves its waker.
#[test]
fn loom_who_is_to_end_alone_sees_it_or_is_woken() {
    loom::model(|| {
        let state = Arc::new(State::<u8>::new(UNLIMITED));
        let mut seat = entered(state.enter());
        state.settle(&mut seat);
        let asked = Arc::new(AtomicBool::new(false));
        let (other, ask, handle) = (Arc::clone(&state), Arc::clone(&asked), seat);
        let aborter = thread::spawn(move || {
            ask.store(true, Ordering::Release);
            other.rouse(handle);
        });
        let (woken, waker) = woken();
        assert!(state.listen(&mut seat, &waker));
        let seen = asked.load(Ordering::Acquire);
        if seen {
            state.finish(seat, Some(0), false, || ());
        }
        aborter.join().expect("no panic");
        assert!(seen || woken.is_woken(), "it sleeps for ever");
    });
}
