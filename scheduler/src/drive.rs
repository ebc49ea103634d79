//! Runs a future on the calling thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::machine::blocking;
use crate::sync::{AtomicBool, Ordering, Thread, thread};

/// Wakes a thread in [`run`].
struct Alarm {
    thread: Thread,
    rung: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: pairs with `wait`, which then polls and sees what was written before the wake.
        if !self.rung.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

impl Alarm {
    /// Sleeps until woken. On a machine this is a blocking region, so the others go on.
    fn wait(&self) {
        if self.rung.swap(false, Ordering::Acquire) {
            return;
        }
        blocking(|| {
            while !self.rung.swap(false, Ordering::Acquire) {
                thread::park();
            }
        });
    }
}

/// Polls `future` on this thread until it is ready; sleeps in between.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let alarm = Arc::new(Alarm { thread: thread::current(), rung: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&alarm));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        alarm.wait();
    }
}
