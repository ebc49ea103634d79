//! Deadlines: on a manual clock in no time, and a few on the system's clock.
#![allow(clippy::unwrap_used)]

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use tidemill_context::{Cause, Context, ManualClock};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_deadline_comes_on_the_nanosecond_and_not_before() {
    let clock = ManualClock::new();
    let ctx = Context::on(&clock).with_timeout(SECOND);
    clock.advance(SECOND - Duration::from_nanos(1));
    assert_eq!((ctx.check(), ctx.remaining()), (Ok(()), Some(Duration::from_nanos(1))));
    clock.advance(Duration::from_nanos(1));
    assert_eq!((ctx.check(), ctx.remaining()), (Err(Cause::DeadlineExceeded), Some(Duration::ZERO)));
}

#[test]
fn the_earlier_deadline_counts_whoever_set_it() {
    let clock = ManualClock::new();
    let root = Context::on(&clock);
    for (outer, inner, both) in [(3, 5, 3), (5, 3, 3), (4, 4, 4)] {
        let outer = root.with_timeout(outer * SECOND);
        let inner = outer.with_timeout(inner * SECOND);
        assert_eq!(inner.remaining(), Some(both * SECOND));
        let merged = Context::merge(&root, &inner);
        assert_eq!(merged.remaining(), Some(both * SECOND));
        assert_eq!(root.remaining(), None);
    }
}

#[test]
fn a_deadline_that_has_passed_and_one_beyond_time_are_no_trouble() {
    let clock = ManualClock::new();
    let root = Context::on(&clock);
    assert_eq!(root.with_timeout(Duration::ZERO).check(), Err(Cause::DeadlineExceeded));
    assert_eq!(root.with_deadline(clock.instant()).check(), Err(Cause::DeadlineExceeded));
    assert_eq!(root.with_timeout(Duration::MAX).deadline(), None);
    assert_eq!(Context::background().with_deadline(Instant::now()).check(), Err(Cause::DeadlineExceeded));
}

#[test]
fn a_cancel_before_the_deadline_keeps_its_cause() {
    let clock = ManualClock::new();
    let ctx = Context::on(&clock).with_timeout(SECOND);
    ctx.cancel(Cause::Shutdown);
    clock.advance(2 * SECOND);
    assert_eq!(ctx.check(), Err(Cause::Shutdown));
}

/// tokio-context and go-lib keep a timer per deadline until it fires.
#[test]
fn a_context_that_is_dropped_takes_its_deadline_with_it() {
    let clock = ManualClock::new();
    let root = Context::on(&clock);
    let (early, late) = (root.with_timeout(SECOND), root.with_timeout(2 * SECOND));
    drop(early);
    assert_eq!(clock.next_due(), Some(2 * SECOND));
    drop(late);
    assert_eq!(clock.next_due(), None);
}

/// And a looser deadline than the parent's is no deadline at all.
#[test]
fn a_looser_deadline_is_not_entered() {
    let clock = ManualClock::new();
    let outer = Context::on(&clock).with_timeout(SECOND);
    let _looser: Vec<_> = (2..100).map(|n| outer.with_timeout(n * SECOND)).collect();
    drop(outer);
    // The children keep it, and its deadline, alive.
    assert!(clock.next_due().is_some());
    clock.advance(SECOND);
    assert_eq!(clock.next_due(), None);
}

#[test]
fn deadlines_come_in_order_and_see_their_own_time() {
    let clock = ManualClock::new();
    let root = Context::on(&clock);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all: Vec<_> = [3, 1, 2]
        .map(|n| {
            let ctx = root.with_timeout(n * SECOND);
            let (seen, inner) = (seen.clone(), ctx.detach());
            let after = ctx.after_func(move |_| seen.lock().unwrap().push((n, inner.now())));
            (ctx, after)
        })
        .into();
    let start = clock.instant();
    clock.advance(10 * SECOND);
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3].map(|n| (n, start + n * SECOND)));
    drop(all);
}

#[test]
fn a_clock_does_not_go_back() {
    let clock = ManualClock::new();
    let now = clock.instant();
    clock.advance(SECOND);
    clock.advance_to(now);
    assert_eq!(clock.instant(), now + SECOND);
}

#[test]
fn children_and_new_roots_take_the_clock_along() {
    let clock = ManualClock::new();
    let ctx = Context::on(&clock).with_value(1).child();
    let others = [ctx.child(), ctx.detach(), ctx.enter(Context::background), ctx.enter(Context::current)];
    clock.advance(SECOND);
    for other in others {
        assert_eq!(other.now(), clock.instant());
    }
}

#[test]
fn a_merge_tells_the_time_left_by_the_clock_of_the_deadline() {
    let (one, other) = (ManualClock::new(), ManualClock::new());
    let (with, without) = (Context::on(&one).with_timeout(SECOND), Context::on(&other));
    one.advance(SECOND / 2);
    for merged in [Context::merge(&with, &without), Context::merge(&without, &with)] {
        assert_eq!(merged.remaining(), Some(SECOND / 2));
    }
}

#[test]
fn the_systems_clock_cuts_a_future_and_wakes_a_thread() {
    let ctx = Context::background().with_timeout(Duration::from_millis(10));
    assert_eq!(block_on(ctx.run(pending::<()>())), Err(Cause::DeadlineExceeded));
    assert_eq!(Context::background().with_timeout(Duration::from_millis(10)).wait(), Cause::DeadlineExceeded);
}

/// The thread of the deadlines has planned a late one when the early one arrives; and again after it was taken back.
#[test]
fn an_earlier_deadline_does_not_wait_for_a_later_one() {
    let _hour = Context::background().with_timeout(Duration::from_secs(3600));
    for _ in 0..3 {
        drop(Context::background().with_timeout(Duration::from_millis(5)));
        let began = Instant::now();
        let _ = Context::background().with_timeout(Duration::from_millis(10)).wait();
        assert!(began.elapsed() >= Duration::from_millis(10));
        assert!(began.elapsed() < Duration::from_secs(600));
    }
}

#[test]
fn a_function_that_panics_does_not_end_the_thread_of_the_deadlines() {
    let ctx = Context::background().with_timeout(Duration::from_millis(1));
    let _after = ctx.after_func(|_| panic!("part of the test"));
    let _ = ctx.wait();
    assert_eq!(Context::background().with_timeout(Duration::from_millis(1)).wait(), Cause::DeadlineExceeded);
}
