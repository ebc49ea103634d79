//! Lets others run first.

use std::future::poll_fn;
use std::task::Poll;

/// Lets the other tasks run: the calling task goes to the back of its machine's queue.
///
/// # Cost
/// One poll and one push; no thread is woken for a task that yields alone.
///
/// ```
/// # tidemill_scheduler::Runtime::new()?.block_on(async {
/// for chunk in [1, 2, 3] {
///     // ... some work on `chunk` ...
///     tidemill_scheduler::yield_now().await;
/// }
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
