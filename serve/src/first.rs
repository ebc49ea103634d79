//! The first of two futures to end; the other is dropped. It saves the crate a macro and what would bring it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// `a` is asked first, so it wins if both are ready.
pub(crate) async fn first<T>(a: impl Future<Output = T>, b: impl Future<Output = T>) -> T {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|context| match a.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(output),
        Poll::Pending => b.as_mut().poll(context),
    })
    .await
}
