//! The races of the tree, in every interleaving that loom reaches: cancel against birth, death, stop, wait and merge.

use std::sync::Arc;

use loom::{
    sync::{
        Arc as Counted,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use crate::{Cause, Context, ManualClock};

/// A counter that loom watches.
fn counter() -> Counted<AtomicUsize> {
    Counted::new(AtomicUsize::new(0))
}

/// A function for `after_func` that counts.
fn counts(counter: &Counted<AtomicUsize>) -> impl FnOnce(&Cause) + Send + 'static {
    let counter = Counted::clone(counter);
    move |_| {
        counter.fetch_add(1, Relaxed);
    }
}

/// A root that a thread of its own cancels, beside `f`.
fn beside_a_cancel<T>(f: impl FnOnce(&Context) -> T) -> T {
    let root = Context::background();
    let canceller = root.clone();
    let cancel = thread::spawn(move || assert!(canceller.cancel(Cause::Shutdown)));
    let made = f(&root);
    cancel.join().expect("no panic");
    made
}

#[test]
fn loom_a_child_is_born_cancelled_or_told() {
    loom::model(|| {
        let child = beside_a_cancel(|root| root.child().clone());
        assert_eq!(child.cause(), Some(Cause::Shutdown));
    });
}

/// A child gets its node while two threads need one and the parent is cancelled.
#[test]
fn loom_a_child_that_two_threads_tell_apart_is_one_context() {
    loom::model(|| {
        let root = Context::background();
        let child = Arc::new(root.child());
        let other = Arc::clone(&child);
        let cancel = thread::spawn(move || other.cancel(Cause::Cancelled));
        let clone = Context::clone(&child);
        cancel.join().expect("no panic");
        assert_eq!((clone.cause(), child.cause()), (Some(Cause::Cancelled), Some(Cause::Cancelled)));
        assert_eq!(root.cause(), None);
    });
}

#[test]
fn loom_of_a_stop_and_a_cancel_exactly_one_has_the_function() {
    loom::model(|| {
        let ran = counter();
        let stopped = beside_a_cancel(|root| root.after_func(counts(&ran)).stop());
        assert_eq!(ran.load(Relaxed), usize::from(!stopped));
    });
}

#[test]
fn loom_of_two_cancels_one_wins_and_the_function_runs_once() {
    loom::model(|| {
        let ran = counter();
        let root = Context::background();
        let child = root.child();
        let _after = child.after_func(counts(&ran));
        let other = child.clone();
        let cancel = thread::spawn(move || other.cancel(Cause::Cancelled));
        root.cancel(Cause::Shutdown);
        let won = cancel.join().expect("no panic");
        assert_eq!(ran.load(Relaxed), 1);
        assert_eq!(child.cause(), Some(if won { Cause::Cancelled } else { Cause::Shutdown }));
    });
}

#[test]
fn loom_a_merge_follows_both_parents_and_leaves_both() {
    loom::model(|| {
        let (a, b) = (Context::background(), Context::background());
        let canceller = a.clone();
        let cancel = thread::spawn(move || canceller.cancel(Cause::Shutdown));
        let both = Context::merge(&a, &b);
        b.cancel(Cause::Cancelled);
        assert!(both.is_cancelled());
        drop(both);
        cancel.join().expect("no panic");
    });
}

/// The last handle of a child goes on another thread while the parent closes it: it dies there or here, and once.
#[test]
fn loom_a_child_dies_while_its_parent_is_cancelled() {
    loom::model(|| {
        let held = Arc::new(());
        let kept = Arc::clone(&held);
        beside_a_cancel(|root| {
            let child = root.child();
            drop(child.after_func(move |_| drop(kept)));
        });
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn loom_a_wait_misses_no_cancel() {
    loom::model(|| {
        let cause = beside_a_cancel(|root| root.child().wait());
        assert_eq!(cause, Cause::Shutdown);
    });
}

#[test]
fn loom_a_deadline_comes_while_its_context_is_made_and_dropped() {
    loom::model(|| {
        let clock = ManualClock::new();
        let ctx = Context::on(&clock);
        let second = std::time::Duration::from_secs(1);
        let moving = clock.clone();
        let advance = thread::spawn(move || moving.advance(second));
        let due = ctx.with_deadline(clock.instant() + second);
        let kept = due.clone();
        drop(due);
        advance.join().expect("no panic");
        clock.advance(second);
        assert_eq!(kept.cause(), Some(Cause::DeadlineExceeded));
        drop(kept);
        assert_eq!(clock.next_due(), None);
    });
}

/// Who sees the cancel sees what was written before it.
#[test]
fn loom_a_cancel_publishes() {
    loom::model(|| {
        let data = Counted::new(loom::cell::UnsafeCell::new(0));
        let seen = Counted::clone(&data);
        let root = Context::background();
        let canceller = root.clone();
        let cancel = thread::spawn(move || {
            // SAFETY: nobody else looks before the cancel.
            seen.with_mut(|at| unsafe { *at = 7 });
            canceller.cancel(Cause::Cancelled);
        });
        if root.is_cancelled() {
            // SAFETY: written before the cancel, which is seen.
            assert_eq!(data.with(|at| unsafe { *at }), 7);
        }
        cancel.join().expect("no panic");
    });
}

/// A child that nobody listens to looks at its parent; one that is listed is told. Who changes it from the one to the other meanwhile
/// makes nobody unsee a cancel.
#[test]
fn loom_who_has_seen_a_cancel_sees_it_while_the_child_is_listed() {
    loom::model(|| {
        let root = Context::background();
        let child = root.child();
        let (lister, canceller) = (child.clone(), root.clone());
        let list = thread::spawn(move || drop(lister.after_func(|_| ())));
        let cancel = thread::spawn(move || canceller.cancel(Cause::Shutdown));
        let first = child.is_cancelled();
        let second = child.is_cancelled();
        assert!(second || !first);
        cancel.join().expect("no panic");
        assert!(child.is_cancelled(), "when a cancel returns, all below are cancelled");
        list.join().expect("no panic");
        assert_eq!(child.cause(), Some(Cause::Shutdown));
    });
}

/// The cause that was seen first is seen for ever, also of a child that nobody listens to.
#[test]
fn loom_the_first_cause_that_is_seen_of_an_unlisted_child_stays() {
    loom::model(|| {
        let root = Context::background();
        let child = root.child();
        let other = child.clone();
        let (root_canceller, child_canceller) = (root.clone(), child.clone());
        let of_root = thread::spawn(move || root_canceller.cancel(Cause::Shutdown));
        let of_child = thread::spawn(move || child_canceller.cancel(Cause::Cancelled));
        let first = other.cause();
        assert!(of_root.join().expect("no panic"), "nobody else cancels it");
        let won = of_child.join().expect("no panic");
        let last = child.cause();
        assert_eq!(last, Some(if won { Cause::Cancelled } else { Cause::Shutdown }));
        assert!(first.is_none() || first == last);
    });
}

/// Two threads list one child, while a third cancels: its function runs once, and it leaves nothing in the parent.
#[test]
fn loom_two_list_one_child_beside_a_cancel() {
    loom::model(|| {
        let ran = counter();
        beside_a_cancel(|root| {
            let child = root.child();
            let other = child.clone();
            let count = counts(&ran);
            let second = thread::spawn(move || drop(other.after_func(count)));
            drop(child.after_func(counts(&ran)));
            second.join().expect("no panic");
            child
        });
        assert_eq!(ran.load(Relaxed), 2);
    });
}
