//! Spans for tokio-console, which needs no tokio task and no `tokio_unstable` for them: with the feature `console`.
//!
//! What the console takes for a task is a span by the name of `runtime.spawn`: entered for each poll, dropped with the
//! future. What it takes for a wake-up is an event with the target `tokio::task::waker` that carries the span's number.
//! So a task's future is wrapped: [`Spanned`] enters the span, and polls with a waker that tells what becomes of it.
//! Without the feature the future stays as it is; with it, but without a subscriber that wants the span, a poll costs
//! one look at the span.

#[cfg(not(feature = "console"))]
pub(crate) use without::{instrument, name};

#[cfg(feature = "console")]
pub(crate) use with::{instrument, name};

#[cfg(not(feature = "console"))]
mod without {
    use std::panic::Location;

    pub(crate) fn instrument<F>(future: F, _: &'static Location<'static>) -> F {
        future
    }

    pub(crate) fn name(of_task: &'static str) -> &'static str {
        of_task
    }
}

#[cfg(feature = "console")]
mod with {
    use std::any::type_name;
    use std::future::Future;
    use std::mem::ManuallyDrop;
    use std::panic::Location;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

    use tracing::{Span, span::Id};

    /// Gives a future that is about to become a task its span.
    pub(crate) fn instrument<F: Future>(future: F, site: &'static Location<'static>) -> Spanned<F> {
        static SPAWNED: AtomicU64 = AtomicU64::new(0);
        let span = tracing::trace_span!(
            target: "tidemill::task",
            parent: None,
            "runtime.spawn",
            kind = %"task",
            // Relaxed: only each number has to be another.
            task.id = SPAWNED.fetch_add(1, Ordering::Relaxed) + 1,
            future = type_name::<F>(),
            size.bytes = size_of::<F>() as u64,
            loc.file = site.file(),
            loc.line = u64::from(site.line()),
            loc.col = u64::from(site.column()),
        );
        Spanned { future, told: None, span }
    }

    /// The name of the future's type in that of a task's.
    pub(crate) fn name(of_task: &'static str) -> &'static str {
        let ours = type_name::<Spanned<()>>().trim_end_matches("()>");
        let inner = of_task.strip_prefix(ours).and_then(|rest| rest.strip_suffix('>'));
        inner.unwrap_or(of_task)
    }

    /// A future with a span.
    pub(crate) struct Spanned<F> {
        future: F,
        /// What the future is polled with, since its first poll.
        told: Option<Arc<Told>>,
        /// Last, so that it ends after the future.
        span: Span,
    }

    impl<F: Future> Future for Spanned<F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
            // SAFETY: the future is pinned with the rest and is not moved below; the others are `Unpin`.
            let this = unsafe { self.get_unchecked_mut() };
            // SAFETY: as above.
            let future = unsafe { Pin::new_unchecked(&mut this.future) };
            let Some(id) = this.span.id() else { return future.poll(context) };
            // A task is polled with the same waker all its life.
            let told = this.told.get_or_insert_with(|| Arc::new(Told { waker: context.waker().clone(), task: id }));
            // Only the future's clones are told of.
            // SAFETY: the waker borrows our count: it is never dropped, and ends before `told`.
            let waker = ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(Arc::as_ptr(told).cast(), &VTABLE)) });
            let _entered = this.span.enter();
            future.poll(&mut Context::from_waker(&waker))
        }
    }

    /// A task's waker that tells what becomes of it.
    struct Told {
        waker: Waker,
        task: Id,
    }

    /// Tells it. The name of the operation has to be there when the event is compiled.
    macro_rules! tell {
        ($told:expr, $operation:literal) => {
            tracing::trace!(target: "tokio::task::waker", op = $operation, task.id = $told.task.into_u64())
        };
    }

    /// For pointers to a counted `Told`.
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

    /// # Safety
    /// `data` is of a waker with this table; the count that it stands for stays the waker's.
    unsafe fn borrow(data: *const ()) -> ManuallyDrop<Arc<Told>> {
        // SAFETY: it came from `Arc::into_raw`; the count is not given back.
        ManuallyDrop::new(unsafe { Arc::from_raw(data.cast()) })
    }

    unsafe fn clone(data: *const ()) -> RawWaker {
        // SAFETY: called for a waker that stays.
        let told = unsafe { borrow(data) };
        tell!(told, "waker.clone");
        RawWaker::new(Arc::into_raw(Arc::clone(&told)).cast(), &VTABLE)
    }

    unsafe fn wake(data: *const ()) {
        // SAFETY: called for a waker that is used up, whose count is ours.
        let told = unsafe { Arc::from_raw(data.cast::<Told>()) };
        tell!(told, "waker.wake");
        told.waker.wake_by_ref();
    }

    unsafe fn wake_by_ref(data: *const ()) {
        // SAFETY: called for a waker that stays.
        let told = unsafe { borrow(data) };
        tell!(told, "waker.wake_by_ref");
        told.waker.wake_by_ref();
    }

    unsafe fn release(data: *const ()) {
        // SAFETY: called for a waker that ends, whose count is ours.
        let told = unsafe { Arc::from_raw(data.cast::<Told>()) };
        tell!(told, "waker.drop");
    }
}
