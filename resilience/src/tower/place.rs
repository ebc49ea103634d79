//! What `poll_ready` reserves, and the future that holds it while the call runs.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{BoxFuture, Guarded};

/// A reservation of a service: none, on its way, or there. It belongs to one service value, so a clone has none.
pub(super) enum Place<H, R> {
    Empty,
    Waiting(BoxFuture<Result<H, R>>),
    Held(H),
}

impl<H, R> Place<H, R> {
    /// Ready once it is held. `now` is tried before `wait`, which allocates; an error leaves it empty.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        now: impl FnOnce() -> Option<H>,
        wait: impl FnOnce() -> BoxFuture<Result<H, R>>,
    ) -> Poll<Result<(), R>> {
        if matches!(self, Self::Empty) {
            *self = now().map_or_else(|| Self::Waiting(wait()), Self::Held);
        }
        if let Self::Waiting(waiting) = self {
            match waiting.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(held)) => *self = Self::Held(held),
                Poll::Ready(Err(refused)) => {
                    *self = Self::Empty;
                    return Poll::Ready(Err(refused));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// What is held, for the call that it was reserved for.
    pub(super) fn take(&mut self) -> Option<H> {
        match mem::replace(self, Self::Empty) {
            Self::Held(held) => Some(held),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl<H, R> Clone for Place<H, R> {
    fn clone(&self) -> Self {
        Self::Empty
    }
}

impl<H, R> fmt::Debug for Place<H, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Waiting(_) => "Waiting",
            Self::Held(_) => "Held",
        })
    }
}

pin_project! {
    /// A call under way, with the permit that it holds until it ends or is dropped.
    #[derive(Debug)]
    pub struct Guarding<F, P, R> {
        // `None` if the call was not admitted: then `refusal` is what it ends with.
        #[pin]
        call: Option<F>,
        permit: Option<P>,
        refusal: Option<R>,
    }
}

impl<F, P, R> Guarding<F, P, R> {
    pub(super) fn new(call: F, permit: P) -> Self {
        Self { call: Some(call), permit: Some(permit), refusal: None }
    }

    /// A call that was not made: it ends with `refusal`, or as not ready.
    pub(super) fn refused(refusal: Option<R>) -> Self {
        Self { call: None, permit: None, refusal }
    }
}

impl<F: Future<Output = Result<T, E>>, P, R, T, E> Future for Guarding<F, P, R> {
    type Output = Result<T, Guarded<R, E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(call) = this.call.as_pin_mut() else {
            return Poll::Ready(Err(this.refusal.take().map_or(Guarded::NotReady, Guarded::Refused)));
        };
        call.poll(cx).map(|result| {
            // Before the caller hears of the end, so that who asks next finds the place free.
            *this.permit = None;
            result.map_err(Guarded::Inner)
        })
    }
}
