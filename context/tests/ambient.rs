//! The ambient context: set while a closure or a poll runs, and only there; and futures that end with a context.
#![allow(clippy::unwrap_used)]

use std::{
    future::{pending, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{self, Poll, Wake, Waker},
};

use futures_lite::future::{block_on, yield_now, zip};
use tidemill_context::{Cause, Context};

fn number() -> Option<u32> {
    Context::with_current(|ambient| ambient.and_then(Context::value).copied())
}

fn with(number: u32) -> Context {
    Context::background().with_value(number)
}

#[test]
fn closures_nest_and_put_back_what_was_before_also_by_a_panic() {
    with(1).enter(|| {
        with(2).enter(|| assert_eq!(number(), Some(2)));
        assert!(catch_unwind(AssertUnwindSafe(|| with(3).enter(|| panic!("part of the test")))).is_err());
        assert_eq!(number(), Some(1));
        Context::without_current(|| assert_eq!(number(), None));
        assert_eq!(number(), Some(1));
    });
    assert_eq!(number(), None);
}

#[test]
fn two_scopes_in_one_task_do_not_see_each_other() {
    async fn look(expected: u32) {
        for _ in 0..3 {
            assert_eq!(number(), Some(expected));
            yield_now().await;
        }
    }
    block_on(zip(with(1).scope(look(1)), with(2).scope(with(3).scope(look(3)))));
    assert_eq!(number(), None);
}

#[test]
fn the_ambient_context_is_the_very_one_that_was_entered() {
    let ctx = Context::background();
    ctx.enter(|| Context::current().cancel(Cause::Shutdown));
    assert_eq!(ctx.check(), Err(Cause::Shutdown));
    assert_eq!(ctx.enter(Context::check_current), Err(Cause::Shutdown));
    assert_eq!(Context::check_current(), Ok(()));
}

#[test]
fn a_run_is_cut_by_a_cancel_from_within_and_starts_nothing_when_cancelled() {
    let ctx = Context::background();
    let cut = ctx.run(async {
        Context::current().cancel(Cause::Shutdown);
        pending::<()>().await;
    });
    assert_eq!(block_on(cut), Err(Cause::Shutdown));
    assert_eq!(block_on(ctx.run(async { unreachable!("never polled") })), Err::<(), _>(Cause::Shutdown));
}

/// A message that was taken out of a channel must not be lost because the deadline came at the same moment.
#[test]
fn a_result_that_is_there_wins_over_a_cancel() {
    let ctx = Context::background();
    let result = ctx.run(async {
        yield_now().await;
        Context::current().cancel(Cause::Shutdown);
        7
    });
    assert_eq!(block_on(result), Ok(7));
    assert_eq!(block_on(Context::background().run(ready(1))), Ok(1));
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn the_last_waker_is_woken_once_and_a_dropped_wait_leaves_nothing() {
    let ctx = Context::background();
    let counts = [(); 3].map(|()| Arc::new(Count::default()));
    let poll = |wait: task::Poll<_>| assert!(wait.is_pending());
    let mut waiting = pin!(ctx.cancelled());
    let mut dropped = Box::pin(ctx.cancelled());
    for count in [&counts[0], &counts[1], &counts[1]] {
        poll(waiting.as_mut().poll(&mut task::Context::from_waker(&Waker::from(count.clone()))));
    }
    poll(dropped.as_mut().poll(&mut task::Context::from_waker(&Waker::from(counts[2].clone()))));
    assert_eq!(Arc::strong_count(&counts[0]), 1, "the first waker was replaced");
    drop(dropped);
    assert_eq!(Arc::strong_count(&counts[2]), 1);
    ctx.cancel(Cause::Cancelled);
    assert_eq!(counts.map(|count| count.0.load(Relaxed)), [0, 1, 0]);
    for _ in 0..2 {
        let again = waiting.as_mut().poll(&mut task::Context::from_waker(Waker::noop()));
        assert_eq!(again, Poll::Ready(Cause::Cancelled));
    }
}

#[test]
fn a_scope_runs_on_when_its_context_is_cancelled() {
    let ctx = Context::background();
    ctx.cancel(Cause::Shutdown);
    let seen = ctx.scope(poll_fn(|_| Poll::Ready(Context::check_current())));
    assert_eq!(block_on(seen), Err(Cause::Shutdown));
}

/// Somebody else may drop it, a canceller for instance.
#[test]
fn a_destructor_runs_in_the_context_of_its_future() {
    struct Look(Arc<AtomicUsize>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.0.store(number().unwrap() as usize, Relaxed);
        }
    }
    let seen = Arc::new(AtomicUsize::new(0));
    let look = Look(seen.clone());
    let future = with(7).scope(async move {
        let _look = look;
        pending::<()>().await;
    });
    with(8).enter(|| drop(future));
    assert_eq!(seen.load(Relaxed), 7);
}

#[tokio::test]
async fn on_tokio_a_task_takes_its_context_along_by_scope() {
    let ctx = with(7);
    #[expect(clippy::disallowed_methods, reason = "this is plain tokio")]
    let task = tokio::spawn(ctx.scope(async {
        tokio::task::yield_now().await;
        number()
    }));
    assert_eq!(task.await.unwrap(), Some(7));
    assert_eq!(number(), None);
}
