//! The section that a cancel does not cut: as long as a shield of a child is polled and not ready, the child is not dropped.
//!
//! The shield counts itself in its child, once, at its first poll. The child looks at the count when it is to be cut, and
//! again after each poll. Inside the section the ambient context is a detached one, so that what waits there does not
//! refuse either.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::Ordering,
    task::{self, Poll},
};

use pin_project_lite::pin_project;
use tidemill_context::Context;

use super::current::{self, Shields};

/// Runs `future` to its end, also if the group of the child that awaits it is cancelled meanwhile: for what must not be left
/// half done, as a commit or the giving back of something borrowed.
///
/// The child goes on with the result until its next `.await` that has to wait, and is cut there. The group waits for it all the
/// while. Values of the ambient context are there inside, its cancel and its deadline are not. Only the cancel of a
/// [`TaskGroup`](crate::TaskGroup) is held off: the end of the runtime drops the child as any task, and so does who drops
/// this future (`select!`, a timeout). A section that is to be bounded says so inside: `shield(timeout(..))`.
///
/// Outside of a child it only detaches the context.
///
/// Costs an allocation for the first shield of a child, and two read-modify-writes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::{TaskGroup, shield};
///
/// let group = TaskGroup::<(), &str>::new();
/// let (sender, mut saved) = tokio::sync::mpsc::channel(1);
/// group.spawn(async move {
///     let commit = async {
///         tokio::task::yield_now().await; // the group is cancelled here
///         sender.send("saved").await.unwrap();
///     };
///     shield(commit).await;
///     std::future::pending().await // and the child is dropped here
/// }).await.unwrap();
/// tokio::task::yield_now().await;
/// group.cancel("enough");
/// assert!(group.wait().await.is_err());
/// assert_eq!(saved.recv().await, Some("saved"));
/// # }
/// ```
pub fn shield<F: Future>(future: F) -> Shield<F> {
    Shield { guard: None, future }
}

pin_project! {
    /// A future that its group's cancel does not cut; from [`shield`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use tidemill_context::{Cause, Context};
    /// use tidemill_groups::{Shield, shield};
    ///
    /// let request = Context::background();
    /// let commit: Shield<_> = shield(async { Context::current().check() });
    /// request.cancel(Cause::Shutdown);
    /// assert_eq!(request.scope(commit).await, Ok(()), "what waits inside is not refused");
    /// # }
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Shield<F> {
        guard: Option<Guard>,
        #[pin]
        future: F,
    }
}

/// The shield in its child's count, if it has a child, and the context inside.
#[derive(Debug)]
struct Guard {
    shields: Option<Shields>,
    context: Context,
}

impl Guard {
    fn new() -> Self {
        let shields = current::shields();
        if let Some(shields) = &shields {
            // Relaxed: the child reads it after the poll that this is a part of, on the same thread.
            shields.fetch_add(1, Ordering::Relaxed);
        }
        let context = Context::with_current(|ambient| ambient.map_or_else(Context::background, Context::detach));
        Self { shields, context }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(shields) = &self.shields {
            // Relaxed: as above. The next poll of the child, if this is not one, is ordered after it by whatever caused it.
            shields.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let guard = this.guard.get_or_insert_with(Guard::new);
        let output = guard.context.enter(|| this.future.poll(cx));
        if output.is_ready() {
            *this.guard = None;
        }
        output
    }
}
