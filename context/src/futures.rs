//! The futures: waiting for a cancel, running within a context, and both at once.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{self, Poll, Waker},
};

use pin_project_lite::pin_project;

use crate::{
    Cause, Context,
    listeners::{Listener, Place},
    node::Node,
};

/// Ready with the cause once the context is cancelled; from [`Context::cancelled`]. It may be polled after that.
///
/// It keeps the context alive, borrows nothing, and leaves the context's list when it is dropped.
///
/// ```
/// use tidemill_context::{Cause, Context};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let ctx = Context::background();
/// let (mut stop, mut rounds) = (ctx.cancelled(), 0);
/// let cause = loop {
///     tokio::select! {
///         biased;
///         cause = &mut stop => break cause,
///         () = tokio::task::yield_now() => rounds += 1,
///     }
///     if rounds == 3 { ctx.cancel(Cause::Shutdown); }
/// };
/// assert_eq!((cause, rounds), (Cause::Shutdown, 3));
/// # });
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Cancelled {
    node: Arc<Node>,
    entered: Option<(Place, Waker)>,
}

impl Cancelled {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node, entered: None }
    }

    /// Makes sure that the node wakes `waker`.
    fn listen(&mut self, waker: &Waker) -> Result<(), Cause> {
        let place = match &self.entered {
            // A cancel since the last look has woken it, or is about to.
            Some((_, known)) if known.will_wake(waker) => return Ok(()),
            Some((place, _)) => {
                self.node.listen_instead(*place, waker.clone())?;
                *place
            }
            None => {
                let copy = waker.clone();
                self.node.listen(|| Listener::Wake(copy))?
            }
        };
        self.entered = Some((place, waker.clone()));
        Ok(())
    }
}

impl Future for Cancelled {
    type Output = Cause;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Cause> {
        match self.node.cause().map_or_else(|| self.listen(cx.waker()), Err) {
            Ok(()) => Poll::Pending,
            Err(cause) => Poll::Ready(cause),
        }
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        if let Some((place, _)) = self.entered {
            self.node.unlisten(place);
        }
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled").field("cause", &self.node.cause()).finish_non_exhaustive()
    }
}

pin_project! {
    /// A future with an ambient context; from [`Context::scope`].
    ///
    /// Its destructor runs in the context as well, wherever it is dropped.
    ///
    /// ```
    /// use tidemill_context::Context;
    ///
    /// # futures_lite::future::block_on(async {
    /// let request = Context::background().with_value("request 7");
    /// let log = async { *Context::current().value::<&str>().unwrap() };
    /// assert_eq!(request.scope(log).await, "request 7");
    /// assert!(Context::try_current().is_none(), "only while it is polled");
    /// # });
    /// ```
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Scope<F> {
        context: Context,
        // `None` only while it is dropped.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Scope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.context.enter(|| this.future.set(None));
        }
    }
}

impl<F> Scope<F> {
    pub(crate) fn new(context: Context, future: F) -> Self {
        Self { context, future: Some(future) }
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future.as_pin_mut().expect("there until it is dropped");
        this.context.enter(|| future.poll(cx))
    }
}

pin_project! {
    /// A future with an ambient context that ends with it; from [`Context::run`].
    ///
    /// ```
    /// use std::future::pending;
    /// use tidemill_context::{Cause, Context};
    ///
    /// # futures_lite::future::block_on(async {
    /// let ctx = Context::background();
    /// assert_eq!(ctx.run(async { 7 }).await, Ok(7));
    /// ctx.cancel(Cause::Shutdown);
    /// assert_eq!(ctx.run(pending::<u32>()).await, Err(Cause::Shutdown));
    /// # });
    /// ```
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Run<F> {
        #[pin]
        scope: Scope<F>,
        // From the first poll that finds `future` pending: one that is ready at once waits for nothing.
        cancelled: Option<Cancelled>,
    }
}

impl<F> Run<F> {
    pub(crate) fn new(scope: Scope<F>) -> Self {
        Self { scope, cancelled: None }
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Cause>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.cancelled.is_none() {
            this.scope.context.check()?;
        }
        if let Poll::Ready(output) = this.scope.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let cancelled = this.cancelled.get_or_insert_with(|| this.scope.context.cancelled());
        Pin::new(cancelled).poll(cx).map(Err)
    }
}
