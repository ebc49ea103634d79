//! The handle: where it stands in the tree, its values, its clock.
//!
//! **A child costs a node only once somebody can tell it from its parent.** A fresh child has just the parent's node to look
//! at. It gets its own when it is cancelled, cloned, waited for, entered for another task or made a parent, or has a deadline
//! before the parent's. A child that is made, looked at and dropped is a counted reference; with a node of its own it would be
//! an allocation. Whoever gives it a node does so before it hands out a second way to reach it, so that nobody sees the
//! difference. [`Slot`] is where the two cases are told apart; that a node enters its parent's list even later, if ever, is
//! the business of [`Node`].
//!
//! A context made from nothing has not even a parent's node: nothing can cancel it but itself.

use std::{
    fmt,
    future::Future,
    sync::Arc,
    task::{Poll, Wake, Waker},
    time::{Duration, Instant},
};

use crate::{
    AfterFunc, Cancelled, Cause, DropGuard, ManualClock,
    clock::Clock,
    listeners::Listener,
    node::Node,
    slot::{Lent, Slot},
    sync::{Thread, thread},
    values::Values,
};

/// What a piece of work carries with it: whether it is still wanted, until when, and values.
///
/// Contexts form a tree. To cancel one is to cancel all below it, with the same [`Cause`]; what is above and beside goes on.
/// A clone is the same context; [`child`](Self::child), [`with_timeout`](Self::with_timeout),
/// [`with_deadline`](Self::with_deadline), [`with_value`](Self::with_value) and [`merge`](Self::merge) make new ones below.
/// Dropping the last handle cancels nothing: see [`drop_guard`](Self::drop_guard).
///
/// ```
/// use std::time::Duration;
/// use tidemill_context::{Cause, Context};
///
/// let server = Context::background();
/// let request = server.with_timeout(Duration::from_secs(2)).with_value("request 7");
/// let query = request.child();
///
/// query.cancel("the cache had it");
/// assert!(query.is_cancelled() && !request.is_cancelled());
///
/// server.cancel(Cause::Shutdown);
/// assert_eq!(request.check(), Err(Cause::Shutdown));
/// assert_eq!(query.check().unwrap_err().to_string(), "cancelled: the cache had it");
/// ```
pub struct Context {
    at: Slot,
    values: Values,
    clock: Clock,
}

impl Context {
    /// A new context that nothing is above of: never cancelled but by its own handles, without deadline and values.
    ///
    /// Costs nothing. Its clock is that of the ambient context, so that a test's clock reaches code that begins anew.
    pub fn background() -> Self {
        Self::with_current(|ambient| Self::rooted(ambient.map_or(Clock::System, |ambient| ambient.clock.clone())))
    }

    /// A [`background`](Self::background) whose time, and that of all below, is `clock`'s: for tests.
    ///
    /// Costs a counted reference; a deadline below it an allocation more than on the system's clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill_context::{Cause, Context, ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let ctx = Context::on(&clock).with_timeout(Duration::from_secs(3600));
    /// clock.advance(Duration::from_secs(3599));
    /// assert_eq!(ctx.remaining(), Some(Duration::from_secs(1)));
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(ctx.check(), Err(Cause::DeadlineExceeded));
    /// ```
    pub fn on(clock: &ManualClock) -> Self {
        Self::rooted(Clock::Manual(clock.clone()))
    }

    pub(crate) fn rooted(clock: Clock) -> Self {
        Self { at: Slot::nowhere(), values: Values::default(), clock }
    }

    /// A context below this one, for a part of the work that may be cancelled on its own.
    ///
    /// Costs a counted reference; an allocation if it is ever cancelled, cloned, waited for or made a parent; and two short turns of
    /// this context's lock if it is ever waited for or its own child gets a node.
    #[must_use]
    pub fn child(&self) -> Self {
        self.placed(Slot::below(Arc::clone(&self.own())))
    }

    /// A child that is cancelled with [`Cause::DeadlineExceeded`] once `timeout` has passed.
    ///
    /// Further off than this context's own deadline it is a mere [`child`](Self::child).
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let now = self.clock.now();
        match now.checked_add(timeout) {
            Some(deadline) => self.until(deadline, now),
            None => self.child(),
        }
    }

    /// A child that is cancelled with [`Cause::DeadlineExceeded`] at `deadline`; at once if that has passed.
    ///
    /// Costs, if it is before this context's own deadline, an allocation, an entry in a sorted tree of deadlines, which
    /// goes when the last handle does, and a clock read. See the crate's documentation for who cancels it.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        self.until(deadline, self.clock.now())
    }

    fn until(&self, deadline: Instant, now: Instant) -> Self {
        if self.deadline().is_some_and(|ours| ours <= deadline) {
            return self.child();
        }
        let node = Node::until(Arc::clone(&self.own()), deadline, now, &self.clock);
        self.placed(Slot::at(node))
    }

    /// A child with one more value, found by its type; it hides a value of the same type further up.
    ///
    /// Costs an allocation. Use a type of your own (`struct RequestId(u64)`), so that nobody else's is hidden.
    #[must_use]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Self {
        Self { values: self.values.with(value), ..self.child() }
    }

    /// The last value of type `T` on the way up. A walk over the values, not over the levels.
    pub fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values.get()
    }

    /// A context with the values and the clock of this one, and nothing above it: for what has to be finished even if the
    /// work that began it is cancelled.
    ///
    /// ```
    /// use tidemill_context::Context;
    ///
    /// let request = Context::background().with_value("request 7");
    /// let log = request.detach();
    /// request.cancel("the client went away");
    /// assert!(log.check().is_ok());
    /// assert_eq!(log.value(), Some(&"request 7"));
    /// ```
    #[must_use]
    pub fn detach(&self) -> Self {
        self.apart()
    }

    /// A context below both `a` and `b`: cancelled with whichever is cancelled first, with the earlier deadline, and with
    /// the values of both, where those of `a` hide those of `b`.
    ///
    /// Costs an allocation, and a short turn of each one's lock now and at its end.
    ///
    /// ```
    /// use tidemill_context::{Cause, Context};
    ///
    /// let (request, shutdown) = (Context::background(), Context::background());
    /// let both = Context::merge(&request, &shutdown);
    /// shutdown.cancel(Cause::Shutdown);
    /// assert_eq!(both.check(), Err(Cause::Shutdown));
    /// assert!(request.check().is_ok());
    /// ```
    pub fn merge(a: &Self, b: &Self) -> Self {
        let node = Node::merged(Arc::clone(&a.own()), Arc::clone(&b.own()));
        // Its deadline is told by the clock it was given on.
        let earlier = if a.deadline().is_none() || node.deadline() != a.deadline() { b } else { a };
        let values = Values::merge(&a.values, &b.values);
        Self { at: Slot::at(node), values, clock: earlier.clock.clone() }
    }

    /// Cancels this context and all below it; `false` if it was cancelled before, by whomever: the first cause stays.
    ///
    /// When it returns, every context below is cancelled, every waiter is woken, and every [`after_func`](Self::after_func)
    /// has run, on this thread; unless another cancel was first and is still at it.
    pub fn cancel(&self, cause: impl Into<Cause>) -> bool {
        self.own().cancel(&cause.into())
    }

    /// Whether it is cancelled. One atomic load in memory that is written once or twice, or two such loads if it has a node of its own
    /// that nobody listens to; the handle itself is looked at before.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.nearest().is_some_and(Node::is_cancelled)
    }

    /// Says if the work should end, and why. Costs what [`is_cancelled`](Self::is_cancelled) does while all is well.
    ///
    /// # Errors
    /// The cause, once it is cancelled.
    #[inline]
    pub fn check(&self) -> Result<(), Cause> {
        if self.is_cancelled() { self.cause().map_or(Ok(()), Err) } else { Ok(()) }
    }

    /// Why it was cancelled, if it was.
    pub fn cause(&self) -> Option<Cause> {
        self.nearest()?.cause()
    }

    /// The earliest deadline of this context and all above. One load; no walk.
    pub fn deadline(&self) -> Option<Instant> {
        self.nearest()?.deadline()
    }

    /// The time left until the deadline; zero once it has passed, `None` if there is no deadline. One clock read if there is.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline().map(|at| at.saturating_duration_since(self.clock.now()))
    }

    /// The time on the clock of this context: the system's, or a [`ManualClock`]'s.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Waits until it is cancelled. *Cancel safe*.
    ///
    /// Costs an allocation if it is the first thing ever done with this context.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill_context::{Cause, Context};
    ///
    /// # futures_lite::future::block_on(async {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.cancelled().await, Cause::DeadlineExceeded);
    /// # });
    /// ```
    pub fn cancelled(&self) -> Cancelled {
        Cancelled::new(self.listed())
    }

    /// Keeps the calling thread until it is cancelled. For plain threads; a task of tidemill's may do it as well.
    pub fn wait(&self) -> Cause {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cancelled = std::pin::pin!(self.cancelled());
        loop {
            match cancelled.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
                Poll::Ready(cause) => return cause,
                // May return for no reason; the loop looks again.
                Poll::Pending => thread::park(),
            }
        }
    }

    /// Calls `f` with the cause when it is cancelled; at once, here, if it is already.
    ///
    /// It runs on the thread that cancels (for a deadline, the thread of the deadlines), after every context below has been
    /// cancelled and without a lock: it may use contexts freely. It should be short and must not block. If it panics, the panic
    /// is reported by the panic hook and goes no further.
    ///
    /// It belongs to this context: when the last handle goes (this includes the returned one and everything below), it can
    /// never be cancelled, and `f` is dropped unused.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use tidemill_context::{Cause, Context};
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let ctx = Context::background();
    /// let rollback = ctx.after_func(move |cause| sender.send(cause.clone()).unwrap());
    /// ctx.cancel(Cause::Shutdown);
    /// assert_eq!(receiver.recv(), Ok(Cause::Shutdown));
    /// assert!(!rollback.stop(), "too late");
    /// ```
    pub fn after_func(&self, f: impl FnOnce(&Cause) + Send + 'static) -> AfterFunc {
        let node = self.listed();
        let mut call = Some(f);
        let entered = node.listen(|| Listener::Call(Box::new(call.take().expect("called once"))));
        let place = match entered {
            Ok(place) => Some(place),
            Err(cause) => {
                crate::node::call(call.expect("not entered"), &cause);
                None
            }
        };
        AfterFunc::new(node, place)
    }

    /// A guard that cancels this context when it is dropped, so that what was started is ended on every way out.
    pub fn drop_guard(&self, cause: impl Into<Cause>) -> DropGuard {
        DropGuard::new(self.clone(), cause.into())
    }

    /// Waits for `event` and then cancels this context with `cause`; ends early if the context is cancelled before.
    ///
    /// It has to be polled, for instance by a task of its own, which keeps the context alive. `event` is anything to wait for: a signal
    /// of the operating system, a client that hangs up, a child process that ends. *Cancel safe* as `event` is.
    ///
    /// ```
    /// use tidemill_context::{Cause, Context};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let server = Context::background();
    /// let (hang_up, hung_up) = tokio::sync::oneshot::channel::<()>();
    /// let watch = tokio::spawn(server.cancel_on(hung_up, "the client hung up"));
    /// drop(hang_up);
    /// assert_eq!(server.cancelled().await.to_string(), "cancelled: the client hung up");
    /// # watch.await.unwrap();
    /// # });
    /// ```
    pub fn cancel_on<E: Future, C: Into<Cause>>(&self, event: E, cause: C) -> impl Future<Output = ()> + use<E, C> {
        let (context, cause) = (self.clone(), cause.into());
        async move {
            if context.run(event).await.is_ok() {
                context.cancel(cause);
            }
        }
    }

    /// The node whose flag counts.
    #[inline]
    fn nearest(&self) -> Option<&Node> {
        self.at.nearest()
    }

    /// Its own node, made now if it has none.
    fn own(&self) -> Lent<'_> {
        self.at.own()
    }

    /// As above, and it is told of a cancel from above.
    fn listed(&self) -> Arc<Node> {
        let node = Arc::clone(&self.own());
        node.list();
        node
    }

    /// Values and clock at another place in the tree.
    fn placed(&self, at: Slot) -> Self {
        Self { at, values: self.values.clone(), clock: self.clock.clone() }
    }

    /// Values and clock without a place in the tree.
    fn apart(&self) -> Self {
        self.placed(Slot::nowhere())
    }
}

/// The same context. A counted reference, and one each for values and a manual clock; an allocation for a child's first clone.
impl Clone for Context {
    fn clone(&self) -> Self {
        self.placed(Slot::at(Arc::clone(&self.own())))
    }
}

/// A [`background`](Context::background).
impl Default for Context {
    fn default() -> Self {
        Self::background()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("cause", &self.cause())
            .field("deadline", &self.deadline())
            .field("values", &self.values)
            .finish_non_exhaustive()
    }
}
