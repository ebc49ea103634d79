//! The tree: who is cancelled with whom, why, and what happens to those that are dropped.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use tidemill_context::{Cause, Context, ManualClock};

#[test]
fn a_cancel_goes_down_and_neither_up_nor_sideways() {
    let root = Context::background();
    let (left, right) = (root.child(), root.child());
    let below = left.child();
    assert!(left.cancel(Cause::Signal(2)));
    assert_eq!((below.cause(), right.cause(), root.cause()), (Some(Cause::Signal(2)), None, None));
}

#[test]
fn the_first_cause_stays() {
    let root = Context::background();
    let child = root.child();
    assert!(child.cancel(Cause::Shutdown));
    assert!(!child.cancel(Cause::Cancelled));
    assert!(root.cancel(Cause::Signal(1)));
    assert_eq!((child.cause(), root.cause()), (Some(Cause::Shutdown), Some(Cause::Signal(1))));
}

#[test]
fn a_clone_is_the_same_context_and_a_child_is_not() {
    let ctx = Context::background().child();
    let (same, child) = (ctx.clone(), ctx.child());
    child.cancel(Cause::Cancelled);
    assert!(!ctx.is_cancelled());
    same.cancel(Cause::Shutdown);
    assert_eq!(ctx.check(), Err(Cause::Shutdown));
    assert_eq!(child.check(), Err(Cause::Cancelled));
}

#[test]
fn children_of_a_cancelled_context_are_born_cancelled_in_every_form() {
    let ctx = Context::background();
    ctx.cancel(Cause::Shutdown);
    let other = Context::background();
    let born = [
        ctx.child(),
        ctx.child().clone(),
        ctx.with_timeout(std::time::Duration::from_secs(1)),
        ctx.with_value(1),
        Context::merge(&ctx, &other),
        Context::merge(&other, &ctx),
    ];
    for child in &born {
        assert_eq!(child.check(), Err(Cause::Shutdown), "{child:?}");
    }
    assert!(ctx.detach().check().is_ok());
}

#[test]
fn a_child_that_was_only_looked_at_still_follows_its_parent() {
    let root = Context::background();
    let child = root.child();
    assert!(child.check().is_ok());
    root.cancel(Cause::Shutdown);
    assert_eq!(child.check(), Err(Cause::Shutdown));
}

/// The middle has no handle any more; the way from the root to the leaf leads through it.
#[test]
fn a_cancel_passes_a_context_whose_handles_are_gone() {
    let root = Context::background();
    let leaf = root.child().child().with_value(1).child();
    root.cancel(Cause::Shutdown);
    assert_eq!(leaf.check(), Err(Cause::Shutdown));
}

/// A child that nobody listens to is not told of a cancel; it finds out by itself, and what was first stays first.
#[test]
fn a_cancel_from_above_that_nobody_looked_at_came_first_all_the_same() {
    let clock = ManualClock::new();
    let root = Context::on(&clock);
    let second = std::time::Duration::from_secs(1);
    let (cancelled, due) = (root.child().clone(), root.with_timeout(second));
    root.cancel(Cause::Shutdown);
    assert!(!cancelled.cancel(Cause::Cancelled), "it was cancelled before");
    clock.advance(second);
    for child in [&cancelled, &due] {
        assert_eq!((child.is_cancelled(), child.cause()), (true, Some(Cause::Shutdown)));
        assert!(!child.after_func(|cause| assert_eq!(*cause, Cause::Shutdown)).stop(), "it has run");
        assert_eq!(child.child().cause(), Some(Cause::Shutdown));
    }
}

/// The same, of children that begin to listen after some looks.
#[test]
fn a_child_that_is_listened_to_later_is_told() {
    let root = Context::background();
    let child = root.child().clone();
    let below = child.child().clone();
    assert!(!child.is_cancelled() && !below.is_cancelled());
    let ran = Arc::new(AtomicUsize::new(0));
    let seen = ran.clone();
    let _after = below.after_func(move |_| {
        seen.fetch_add(1, Relaxed);
    });
    root.cancel(Cause::Shutdown);
    assert_eq!((ran.load(Relaxed), child.cause(), below.cause()), (1, Some(Cause::Shutdown), Some(Cause::Shutdown)));
}

/// The root may be dropped; nothing can cancel the child then but itself.
#[test]
fn a_child_outlives_its_parent() {
    let root = Context::background();
    let child = root.child().clone();
    drop(root);
    assert!(child.check().is_ok());
    assert!(child.cancel(Cause::Cancelled));
}

#[test]
fn merged_contexts_follow_either_parent_and_take_the_values_of_both() {
    for first in [true, false] {
        let a = Context::background().with_value(1_u8).with_value("a");
        let b = Context::background().with_value(2_u8).with_value('b');
        let both = Context::merge(&a, &b);
        assert_eq!((both.value::<u8>(), both.value(), both.value()), (Some(&1), Some(&"a"), Some(&'b')));
        if first { &a } else { &b }.cancel(Cause::Shutdown);
        assert_eq!(both.check(), Err(Cause::Shutdown));
        assert!(!if first { b } else { a }.is_cancelled());
    }
}

#[test]
fn merging_a_context_with_itself_or_with_its_child_is_no_trouble() {
    let a = Context::background();
    let child = a.child();
    let (twice, both) = (Context::merge(&a, &a), Context::merge(&a, &child));
    child.cancel(Cause::Cancelled);
    assert_eq!((twice.cause(), both.cause()), (None, Some(Cause::Cancelled)));
    a.cancel(Cause::Shutdown);
    assert_eq!(twice.cause(), Some(Cause::Shutdown));
}

#[test]
fn values_are_found_by_type_and_the_last_hides_those_before() {
    struct Id(u32);
    let root = Context::background().with_value(Id(1)).with_value("text");
    let child = root.child().with_value(Id(2));
    assert_eq!(root.value::<Id>().map(|id| id.0), Some(1));
    assert_eq!(child.value::<Id>().map(|id| id.0), Some(2));
    assert_eq!(child.detach().value(), Some(&"text"));
    assert!(child.value::<u32>().is_none());
}

/// Go's `AfterFunc` runs on a goroutine of its own, before or after anything else; here the tree is done first.
#[test]
fn functions_run_once_after_all_below_are_cancelled() {
    let root = Context::background();
    let child = root.child().clone();
    let ran = Arc::new(AtomicUsize::new(0));
    let (seen, below) = (ran.clone(), child.clone());
    let _after = root.after_func(move |cause| {
        assert_eq!(below.check().as_ref(), Err(cause));
        seen.fetch_add(1, Relaxed);
    });
    root.cancel(Cause::Shutdown);
    root.cancel(Cause::Shutdown);
    assert_eq!(ran.load(Relaxed), 1);
}

#[test]
fn a_function_that_is_stopped_never_runs_and_one_for_a_cancelled_context_runs_at_once() {
    let ctx = Context::background();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = || {
        let ran = ran.clone();
        move |_: &Cause| {
            ran.fetch_add(1, Relaxed);
        }
    };
    assert!(ctx.after_func(count()).stop());
    let left = ctx.after_func(count());
    ctx.cancel(Cause::Cancelled);
    assert_eq!(ran.load(Relaxed), 1);
    assert!(!left.stop());
    assert!(!ctx.after_func(count()).stop());
    assert_eq!(ran.load(Relaxed), 2);
}

#[test]
fn a_function_that_panics_stops_nobody_else() {
    let ctx = Context::background();
    let ran = Arc::new(AtomicUsize::new(0));
    let seen = ran.clone();
    let _bad = ctx.after_func(|_| panic!("part of the test"));
    let _good = ctx.after_func(move |_| {
        seen.fetch_add(1, Relaxed);
    });
    assert!(ctx.cancel(Cause::Cancelled));
    assert_eq!(ran.load(Relaxed), 1);
}

/// A server's root lives for months: what belonged to a request must be gone with it, and must not run at shutdown.
#[test]
fn a_function_goes_unused_with_the_last_handle() {
    let root = Context::background();
    let (held, ran) = (Arc::new(()), Arc::new(AtomicUsize::new(0)));
    let (holds, seen) = (held.clone(), ran.clone());
    let request = root.child();
    drop(request.after_func(move |_| {
        let _holds = holds;
        seen.fetch_add(1, Relaxed);
    }));
    assert_eq!(Arc::strong_count(&held), 2);
    drop(request);
    assert_eq!(Arc::strong_count(&held), 1);
    root.cancel(Cause::Shutdown);
    assert_eq!(ran.load(Relaxed), 0);
}

#[test]
fn a_function_may_use_its_own_context_and_make_more() {
    let root = Context::background();
    let inner = root.clone();
    let _after = root.after_func(move |_| {
        assert!(inner.child().is_cancelled());
        assert!(!inner.cancel(Cause::Cancelled));
        assert!(!inner.after_func(|_| ()).stop());
    });
    root.cancel(Cause::Shutdown);
    assert_eq!(root.cause(), Some(Cause::Shutdown));
}

#[test]
fn a_guard_cancels_on_every_way_out_unless_it_is_disarmed() {
    let ctx = Context::background();
    ctx.drop_guard(Cause::Cancelled).disarm();
    assert!(!ctx.is_cancelled());
    let inner = ctx.clone();
    let panicked = thread::spawn(move || {
        let _guard = inner.drop_guard("left early");
        panic!("part of the test");
    });
    assert!(panicked.join().is_err());
    assert_eq!(ctx.check().unwrap_err().to_string(), "cancelled: left early");
}

/// By recursion each of these would need a frame per level.
#[test]
fn a_chain_of_a_hundred_thousand_is_cancelled_and_dropped_without_a_deep_stack() {
    let work = || {
        for cancel in [true, false] {
            let root = Context::background();
            let mut leaf = root.with_value(0);
            for level in 1..100_000 {
                leaf = leaf.with_value(level).clone();
            }
            if cancel {
                root.cancel(Cause::Shutdown);
            }
            assert_eq!(leaf.is_cancelled(), cancel);
        }
    };
    thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_plain_thread_waits() {
    let ctx = Context::background();
    let inner = ctx.clone();
    let waiting = thread::spawn(move || inner.wait());
    ctx.cancel(Cause::Signal(15));
    assert_eq!(waiting.join().unwrap(), Cause::Signal(15));
    assert_eq!(ctx.wait(), Cause::Signal(15));
}
