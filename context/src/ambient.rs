//! The ambient context: which one the code that runs on this thread just now belongs to.
//!
//! One pointer per thread, set while a closure or one poll of a future runs and put back after it, also by a panic. It
//! borrows, so entering counts nothing and allocates nothing.
//!
//! There is no guard to hold: a guard that lives over an `.await` would give one task's context to the next task on the
//! thread, and guards that are dropped out of order would leave a dangling one. A closure and a poll can do neither.

use std::{cell::Cell, future::Future, ptr};

use crate::{Cause, Context, Run, Scope};

thread_local! {
    static AMBIENT: Cell<*const Context> = const { Cell::new(ptr::null()) };
}

/// Puts the context before back.
struct Reset(*const Context);

impl Drop for Reset {
    fn drop(&mut self) {
        AMBIENT.set(self.0);
    }
}

/// Runs `f` with `context`, which is null or borrowed by the caller until this returns.
fn exchanged<T>(context: *const Context, f: impl FnOnce() -> T) -> T {
    let _reset = Reset(AMBIENT.replace(context));
    f()
}

impl Context {
    /// The context that the running code belongs to, or [`background`](Self::background) if it belongs to none.
    ///
    /// It is that very context, not a child: to cancel it is to cancel all that runs in it.
    ///
    /// Costs a thread-local load, and a counted reference for each of: the context, its values, its manual clock.
    pub fn current() -> Self {
        Self::with_current(|ambient| ambient.map_or_else(|| Self::rooted(crate::clock::Clock::System), Self::clone))
    }

    /// The context that the running code belongs to.
    ///
    /// ```
    /// use tidemill_context::Context;
    ///
    /// assert!(Context::try_current().is_none());
    /// let ctx = Context::background().with_value("request 7");
    /// ctx.enter(|| assert_eq!(Context::current().value(), Some(&"request 7")));
    /// assert!(Context::try_current().is_none());
    /// ```
    pub fn try_current() -> Option<Self> {
        Self::with_current(|ambient| Some(ambient?.clone()))
    }

    /// Lends the context that the running code belongs to: what [`try_current`](Self::try_current) does, without counting.
    #[inline]
    pub fn with_current<T>(f: impl FnOnce(Option<&Self>) -> T) -> T {
        // `try_with` is not needed: a cell of a pointer has no destructor, so it is there until the thread is not.
        let ambient = AMBIENT.get();
        // SAFETY: `exchanged` sets it on this thread to what its caller borrows until it is put back, or to null; and `f`
        // runs within that time, as it runs on this thread and returns before anything is put back.
        f(unsafe { ambient.as_ref() })
    }

    /// [`check`](Self::check) of the context that the running code belongs to; fine if there is none.
    ///
    /// # Errors
    /// The cause, once it is cancelled.
    #[inline]
    pub fn check_current() -> Result<(), Cause> {
        Self::with_current(|ambient| ambient.map_or(Ok(()), Self::check))
    }

    /// Runs `f` with this context as the ambient one of this thread.
    ///
    /// Costs a few plain instructions. What other threads run meanwhile is not concerned, nor are tasks that `f` starts on a
    /// runtime that does not know of contexts; `tidemill::spawn` does. If `f` drives a runtime of its own that polls tasks on
    /// this thread (tokio's `current_thread`), these see this context.
    pub fn enter<T>(&self, f: impl FnOnce() -> T) -> T {
        exchanged(self, f)
    }

    /// Runs `f` with no ambient context: what a runtime does around tasks that are nobody's here.
    pub fn without_current<T>(f: impl FnOnce() -> T) -> T {
        exchanged(ptr::null(), f)
    }

    /// A future that runs `future` with this context as the ambient one, poll by poll. It is not cut short when the context
    /// is cancelled: [`run`](Self::run) does that as well.
    ///
    /// This is how a task of a runtime that does not know of contexts takes one along: `tokio::spawn(ctx.scope(work))`.
    /// Costs a counted reference now, and a few plain instructions per poll. *Cancel safe* as `future` is.
    ///
    /// ```
    /// use tidemill_context::Context;
    ///
    /// # futures_lite::future::block_on(async {
    /// let ctx = Context::background().with_value(7);
    /// let seen = ctx.scope(async { Context::current().value::<i32>().copied() }).await;
    /// assert_eq!(seen, Some(7));
    /// # });
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> Scope<F> {
        Scope::new(self.clone(), future)
    }

    /// [`scope`](Self::scope) with this very handle: no reference is counted.
    pub fn into_scope<F: Future>(self, future: F) -> Scope<F> {
        Scope::new(self, future)
    }

    /// A future that runs `future` with this context as the ambient one, and drops it when the context is cancelled.
    ///
    /// A context that is cancelled already starts nothing. A result that is there in the very poll that finds the context
    /// cancelled is given out rather than thrown away.
    ///
    /// Per poll it looks at the context's flag; it enters the context's list once, and again if its task changes.
    /// *Cancel safe* as `future` is.
    ///
    /// # Errors
    /// The cause, if the context is cancelled before `future` is ready.
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    /// use tidemill_context::{Cause, Context};
    ///
    /// # futures_lite::future::block_on(async {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.run(async { 1 }).await, Ok(1));
    /// assert_eq!(ctx.run(pending::<()>()).await, Err(Cause::DeadlineExceeded));
    /// # });
    /// ```
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run::new(self.scope(future))
    }
}
