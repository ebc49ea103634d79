//! The cell of a task: header, slab, future or output, and the join handle's waker, in one allocation.
//!
//! `state.rs` says who may touch what; this file obeys. A task costs one allocation, 48 bytes and its future or output,
//! whichever is larger. From spawn to completion without a wake-up it costs two read-modify-writes on its own word
//! (start; complete and release) and one on its place in the slab, beside that of the queue.

use std::cell::UnsafeCell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use super::header::{Header, Vtable, release};
use super::slab::Slab;
use super::state::{Completion, Pending, Start};
use super::tagged::{Content, Tagged};
use super::{JoinError, Schedule, Submit, Task, waker};

/// The future, then the output; the tag beside `Cell::slab` says which.
///
/// Both belong to the holder of `RUNNING` until the task is complete, then to the join handle, or to the completer if
/// there is none.
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<Result<F::Output, JoinError>>,
}

#[repr(C)]
struct Cell<F: Future, S> {
    header: Header,
    /// Valid while the task is not complete (see `slab.rs`).
    slab: Tagged<S>,
    join_waker: UnsafeCell<Option<Waker>>,
    stage: UnsafeCell<Stage<F>>,
}

/// Allocates a task with its three references: slab, queue, join handle.
pub(super) fn allocate<F, S>(future: F, slab: &Slab<S>) -> NonNull<Header>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    S: Schedule,
{
    let cell = Box::new(Cell {
        header: Header::new(Raw::<F, S>::VTABLE),
        slab: Tagged::new(slab),
        join_waker: UnsafeCell::new(None),
        stage: UnsafeCell::new(Stage { future: ManuallyDrop::new(future) }),
    });
    NonNull::from(Box::leak(cell)).cast()
}

/// The functions of one type of task; a name for the two type parameters.
struct Raw<F, S>(std::marker::PhantomData<(F, S)>);

impl<F: Future, S: Schedule> Raw<F, S> {
    const VTABLE: &'static Vtable = &Vtable {
        name: std::any::type_name::<F>,
        run: Self::run,
        dispose: Self::dispose,
        cancel: Self::cancel,
        schedule: Self::schedule,
        take_output: Self::take_output,
        drop_output: Self::drop_output,
        join_waker: Self::join_waker,
        free: Self::free,
    };

    /// # Safety
    /// `task` was allocated with these types and the caller owns a reference for as long as it uses the cell.
    unsafe fn cell<'a>(task: NonNull<Header>) -> &'a Cell<F, S> {
        // SAFETY: `Cell` is `repr(C)` with the header first, so both have one address.
        unsafe { task.cast().as_ref() }
    }

    unsafe fn run(task: NonNull<Header>) {
        // SAFETY: the queue's reference, which is ours now, keeps the cell alive.
        let cell = unsafe { Self::cell(task) };
        match cell.header.state.start() {
            Start::Poll => {
                // SAFETY: `start` gave us RUNNING.
                if unsafe { cell.poll(task) }.is_pending() {
                    // SAFETY: RUNNING and the reference go with the call.
                    return unsafe { Self::suspend(cell, task) };
                }
            }
            // SAFETY: `start` gave us RUNNING.
            Start::Cancel => unsafe { cell.drop_future() },
            // SAFETY: the reference is ours.
            Start::Gone => return unsafe { Self::dispose(task) },
        }
        // SAFETY: the output is stored; RUNNING and the reference go with the call.
        unsafe { Self::finish(cell, task) };
    }

    /// After a pending poll. Takes RUNNING and one reference.
    unsafe fn suspend(cell: &Cell<F, S>, task: NonNull<Header>) {
        match cell.header.state.finish_poll() {
            Pending::Idle => {}
            Pending::Resubmit => {
                // SAFETY: the task is not complete.
                let route = unsafe { cell.slab.slab().as_ref() }.scheduler.route();
                // SAFETY: the poller's reference becomes the queue's.
                route.again(unsafe { Task::from_raw(task) });
            }
            Pending::Cancel => {
                // SAFETY: the poller kept RUNNING.
                unsafe { cell.drop_future() };
                // SAFETY: as in `run`.
                unsafe { Self::finish(cell, task) };
            }
        }
    }

    /// Completes a task whose output is stored. Takes RUNNING and one reference.
    unsafe fn finish(cell: &Cell<F, S>, task: NonNull<Header>) {
        // SAFETY: the task is not complete.
        let mine = S::retire(unsafe { cell.slab.slab().as_ref() }, cell.header.place());
        let references = if mine { 2 } else { 1 };
        // SAFETY: passed on; the caller's reference, and the slab's if it gave its own up to us.
        unsafe { Self::complete(cell, task, references) };
    }

    /// Publishes the output, wakes the join handle, and releases `references`.
    ///
    /// # Safety
    /// The caller holds RUNNING and the references; the output is stored.
    unsafe fn complete(cell: &Cell<F, S>, task: NonNull<Header>, references: usize) {
        let mut unclaimed = !cell.header.state.has_join_interest();
        loop {
            if unclaimed {
                // A panicking destructor has nobody to report to but the panic hook, which has run.
                // SAFETY: RUNNING is still the caller's.
                let _ = catch_unwind(AssertUnwindSafe(|| unsafe { cell.clear_stage() }));
            }
            match cell.header.state.complete(references, unclaimed) {
                Completion::Unclaimed => unclaimed = true,
                Completion::Wake => {
                    // SAFETY: JOIN_WAKER was set: the slot is readable, and the join handle no longer writes it.
                    let waker = unsafe { &*cell.join_waker.get() };
                    // Wakers may be anybody's; a panic of one must not end the machine.
                    let _ = catch_unwind(AssertUnwindSafe(|| waker.as_ref().map(S::wake_joiner)));
                    // SAFETY: the caller's.
                    return unsafe { release(task, references) };
                }
                // SAFETY: they were the last.
                Completion::Done(true) => return unsafe { Self::free(task) },
                Completion::Done(false) => return,
            }
        }
    }

    unsafe fn dispose(task: NonNull<Header>) {
        // SAFETY: the caller's reference.
        let cell = unsafe { Self::cell(task) };
        let slab = cell.slab.slab();
        let disposal = cell.header.state.dispose();
        if disposal.last {
            // SAFETY: it was the last.
            unsafe { Self::free(task) };
        }
        if disposal.kept {
            // SAFETY: the count that was left with the reference keeps the slab.
            let scheduler = &unsafe { slab.as_ref() }.scheduler;
            // SAFETY: it is ours with the reference. The slab is not used again: it may be all that it lives by.
            drop(unsafe { scheduler.take_kept() });
        }
    }

    unsafe fn cancel(task: NonNull<Header>) {
        // SAFETY: the caller keeps its reference.
        let cell = unsafe { Self::cell(task) };
        // SAFETY: the caller holds RUNNING.
        unsafe { cell.drop_future() };
        // SAFETY: the output is stored, RUNNING is ours; no reference is released.
        unsafe { Self::complete(cell, task, 0) };
    }

    unsafe fn schedule(task: NonNull<Header>) {
        // SAFETY: the caller's reference is alive until `task` is given away.
        let cell = unsafe { Self::cell(task) };
        // SAFETY: the caller made the task scheduled, so it was not complete, and if it is by now the slab is kept.
        let route = unsafe { cell.slab.slab().as_ref() }.scheduler.route();
        // SAFETY: the caller's reference becomes the queue's.
        route.ready(unsafe { Task::from_raw(task) });
    }

    unsafe fn take_output(task: NonNull<Header>, to: *mut ()) {
        // SAFETY: the join handle's reference.
        let cell = unsafe { Self::cell(task) };
        assert_eq!(cell.slab.replace(Content::Gone), Content::Output, "an output is taken once");
        // SAFETY: the task is complete, so the stage is the join handle's.
        let stage = unsafe { &mut *cell.stage.get() };
        // SAFETY: `content` said that the output is there.
        let output = unsafe { &mut stage.output };
        // SAFETY: `content` says by now that it is gone.
        let output = unsafe { ManuallyDrop::take(output) };
        // SAFETY: `to` points to an `Option<Result<F::Output, JoinError>>`, as the table's contract says.
        unsafe { *to.cast::<Option<Result<F::Output, JoinError>>>() = Some(output) };
    }

    unsafe fn drop_output(task: NonNull<Header>) {
        // SAFETY: the join handle's reference.
        let cell = unsafe { Self::cell(task) };
        // SAFETY: the task is complete, so the stage is the join handle's.
        unsafe { cell.clear_stage() };
    }

    unsafe fn join_waker(task: NonNull<Header>) -> NonNull<UnsafeCell<Option<Waker>>> {
        // SAFETY: the join handle's reference.
        let cell = unsafe { Self::cell(task) };
        NonNull::from(&cell.join_waker)
    }

    unsafe fn free(task: NonNull<Header>) {
        // SAFETY: the last reference is gone; the box was leaked by `allocate`.
        let cell = unsafe { Box::from_raw(task.cast::<Cell<F, S>>().as_ptr()) };
        // SAFETY: nobody else has the cell.
        unsafe { cell.clear_stage() };
    }
}

impl<F: Future, S: Schedule> Cell<F, S> {
    /// Polls the future. If it is ready or panics, it is dropped and the output stored.
    ///
    /// # Safety
    /// The caller holds RUNNING and a reference.
    unsafe fn poll(&self, task: NonNull<Header>) -> Poll<()> {
        // The poll borrows the poller's reference; a clone of this waker takes one of its own.
        // SAFETY: the reference outlives the waker, which is never dropped.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(waker::raw(task)) });
        let mut context = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            debug_assert_eq!(self.slab.content(), Content::Future, "RUNNING without a future");
            // SAFETY: RUNNING grants the stage.
            let stage = unsafe { &mut *self.stage.get() };
            // SAFETY: it holds the future until the task is about to complete.
            let future = unsafe { &mut *stage.future };
            // SAFETY: the future stays in its allocation until it is dropped there.
            unsafe { Pin::new_unchecked(future) }.poll(&mut context)
        }));
        let output = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => {
                S::panicked();
                Err(JoinError::panicked(panic))
            }
        };
        // SAFETY: RUNNING is still ours.
        unsafe { self.store(output) };
        Poll::Ready(())
    }

    /// Drops the future and stores "cancelled".
    ///
    /// # Safety
    /// The caller holds RUNNING.
    unsafe fn drop_future(&self) {
        // SAFETY: passed on.
        unsafe { self.store(Err(JoinError::cancelled())) };
    }

    /// Replaces the future by `output`. A panic of the future's destructor becomes the output.
    ///
    /// # Safety
    /// The caller holds RUNNING.
    unsafe fn store(&self, output: Result<F::Output, JoinError>) {
        // SAFETY: RUNNING grants the stage.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { self.clear_stage() }));
        let output = match dropped {
            Ok(()) => output,
            Err(panic) => {
                // The output that is lost may panic in its turn, which has nobody left to report to.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(output)));
                Err(JoinError::panicked(panic))
            }
        };
        // SAFETY: as above; what was in there is gone.
        unsafe { self.stage.get().write(Stage { output: ManuallyDrop::new(output) }) };
        self.slab.set(Content::Output);
    }

    /// Drops what the stage holds, in place.
    ///
    /// # Safety
    /// The caller has the stage.
    unsafe fn clear_stage(&self) {
        // Gone before it is: a destructor that unwinds leaves nothing to be dropped twice.
        let content = self.slab.replace(Content::Gone);
        // SAFETY: the caller has the stage.
        let stage = unsafe { &mut *self.stage.get() };
        match content {
            // SAFETY: `content` says what is there.
            Content::Future => unsafe { ManuallyDrop::drop(&mut stage.future) },
            // SAFETY: as above.
            Content::Output => unsafe { ManuallyDrop::drop(&mut stage.output) },
            Content::Gone => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Ready;

    use super::Cell;

    #[test]
    fn a_small_task_fits_a_cache_line() {
        struct Somewhere;
        assert_eq!(size_of::<Cell<Ready<u64>, Somewhere>>(), 64);
    }
}
