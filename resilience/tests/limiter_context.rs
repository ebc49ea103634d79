//! Every wait for a limit obeys the ambient context: refused at once without enough time left, ended by a cancel.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, mpsc},
    task::{Context as Poller, Poll, Waker},
    thread,
    time::Duration,
};

use tidemill_context::{Cause, Context, ManualClock as ContextClock};
use tidemill_resilience::{AllOf, FixedWindow, ManualClock, Metered, Rate, RateLimiter, Refused};

const MS: Duration = Duration::from_millis(1);

type Wait<'a> = Pin<Box<dyn Future<Output = Result<(), Refused>> + 'a>>;

/// Every kind of wait for a limit of one per 100 ms that has just been used up.
fn each_kind(test: impl Fn(&dyn Fn() -> Wait<'static>, &dyn Fn() -> usize)) {
    let clock = ManualClock::new();
    let limiter = || {
        let builder = RateLimiter::builder().rate(Rate::per_second(10)).clock(clock.clone());
        let limiter: &'static RateLimiter<_> = Box::leak(Box::new(builder.build().unwrap()));
        limiter.try_acquire(1).unwrap();
        limiter
    };
    let one = limiter();
    test(&|| Box::pin(one.acquire(1)), &|| one.waiters());
    let one = limiter();
    test(&|| Box::pin(async { one.reserve(1).await.map(drop) }), &|| one.waiters());

    let builder = RateLimiter::builder().rate(Rate::per_second(10)).clock(clock.clone());
    let all = AllOf::builder().limit("only", Arc::new(builder.build().unwrap())).build();
    let all: &'static AllOf<_> = Box::leak(Box::new(all));
    all.try_acquire(1).unwrap();
    test(&|| Box::pin(async { all.acquire(1).await.map_err(|by| by.refused) }), &|| all.waiters());

    let window = Metered::builder(FixedWindow::of(1, 100 * MS)).clock(clock.clone()).build().unwrap();
    let window: &'static Metered<_, _> = Box::leak(Box::new(window));
    window.try_acquire(1).unwrap();
    test(&|| Box::pin(window.acquire(1)), &|| window.waiters());
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Poller::from_waker(Waker::noop()))
}

#[test]
fn a_deadline_that_cannot_suffice_is_refused_at_once() {
    each_kind(|wait, waiters| {
        let time = ContextClock::new();
        let context = Context::on(&time).with_timeout(99 * MS);
        let refused = poll(pin!(context.scope(wait())));
        assert_eq!(refused, Poll::Ready(Err(Refused::Later { retry_after: 100 * MS })));
        let enough = Context::on(&time).with_timeout(101 * MS);
        assert!(poll(pin!(enough.scope(wait()))).is_pending());
        assert_eq!(waiters(), 0, "nobody is left in line");
    });
}

#[test]
fn a_cancel_ends_the_wait_with_its_cause_and_leaves_nothing_behind() {
    each_kind(|wait, waiters| {
        let context = Context::background().child();
        let mut waiting = pin!(context.scope(wait()));
        assert!(poll(waiting.as_mut()).is_pending());
        assert_eq!(waiters(), 1);
        context.cancel(Cause::Shutdown);
        assert_eq!(poll(waiting.as_mut()), Poll::Ready(Err(Refused::Cancelled(Cause::Shutdown))));
        assert_eq!(waiters(), 0);
        assert_eq!(poll(pin!(context.scope(wait()))), Poll::Ready(Err(Refused::Cancelled(Cause::Shutdown))));
    });
}

#[test]
fn the_deadline_of_a_context_ends_a_wait_that_looked_short_enough() {
    each_kind(|wait, _| {
        let time = ContextClock::new();
        let context = Context::on(&time).with_timeout(150 * MS);
        let mut waiting = pin!(context.scope(wait()));
        assert!(poll(waiting.as_mut()).is_pending());
        time.advance(150 * MS);
        assert_eq!(poll(waiting.as_mut()), Poll::Ready(Err(Refused::Cancelled(Cause::DeadlineExceeded))));
    });
}

#[test]
fn a_call_that_needs_no_wait_does_not_ask_the_context() {
    let limiter = RateLimiter::builder().rate(Rate::per_second(10)).burst(2).build().unwrap();
    let context = Context::background().child();
    context.cancel(Cause::Shutdown);
    assert_eq!(poll(pin!(context.scope(limiter.acquire(1)))), Poll::Ready(Ok(())));
}

#[test]
fn a_blocked_thread_hears_of_a_cancel() {
    let limiter = RateLimiter::builder().rate(Rate::per_day(1)).build().unwrap();
    limiter.try_acquire(1).unwrap();
    let context = Context::background().child();
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel();
        let (context, limiter) = (&context, &limiter);
        scope.spawn(move || done.send(context.enter(|| limiter.acquire_blocking(1))));
        while limiter.waiters() == 0 {
            thread::yield_now();
        }
        context.cancel(Cause::Shutdown);
        let ended = is_done.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(ended, Err(Refused::Cancelled(Cause::Shutdown)));
    });
    assert_eq!(limiter.waiters(), 0);
}
