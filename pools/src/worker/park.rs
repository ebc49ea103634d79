//! Waiting for a future on a thread of its own, for submitters and ticket holders that are no tasks.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use tidemill_spawner::blocking_here;

use super::inside::Loan;

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker for this thread.
pub(super) fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// Blocks this thread until the future is ready. A job of that pool lends its slot meanwhile.
pub(super) fn block_on<F: Future + Unpin>(pool: u64, future: F) -> F::Output {
    block_on_until(pool, future, || None).unwrap_or_else(|_| unreachable!("there is no end of time"))
}

/// As [`block_on`], at most for the time that is `left`; then gives the future back.
pub(super) fn block_on_until<F: Future + Unpin>(
    pool: u64,
    mut future: F,
    left: impl Fn() -> Option<Duration>,
) -> Result<F::Output, F> {
    let waker = waker();
    let cx = &mut Context::from_waker(&waker);
    if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
        return Ok(output);
    }
    let _loan = Loan::of(pool);
    blocking_here(|| {
        loop {
            match left() {
                Some(Duration::ZERO) => return Err(future),
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
            if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
                return Ok(output);
            }
        }
    })
}
