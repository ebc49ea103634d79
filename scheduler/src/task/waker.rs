//! The waker of a task is a counted pointer to its header.

use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable};

use super::header::{Header, release};
use super::state::Wake;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release_waker);

/// A raw waker. Whoever makes a `Waker` of it gives it one reference, or never drops it.
pub(super) fn raw(task: NonNull<Header>) -> RawWaker {
    RawWaker::new(task.as_ptr().cast_const().cast(), &VTABLE)
}

fn header(data: *const ()) -> NonNull<Header> {
    NonNull::new(data.cast_mut().cast()).expect("a waker is made of a header, never of null")
}

unsafe fn clone(data: *const ()) -> RawWaker {
    let task = header(data);
    // SAFETY: the waker's reference keeps the header alive.
    unsafe { task.as_ref() }.state.ref_inc();
    raw(task)
}

unsafe fn wake(data: *const ()) {
    let task = header(data);
    // SAFETY: the waker's reference keeps the header alive until it is given away below.
    let header = unsafe { task.as_ref() };
    let vtable = header.vtable;
    match header.state.wake_by_value() {
        // SAFETY: the waker's reference goes to the queue.
        Wake::Submit => unsafe { (vtable.schedule)(task) },
        Wake::Nothing => {}
        // SAFETY: the waker's reference was the last.
        Wake::Free => unsafe { (vtable.free)(task) },
    }
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker keeps its reference.
    unsafe { submit_if(header(data), |h| h.state.wake_by_ref()) };
}

unsafe fn release_waker(data: *const ()) {
    // SAFETY: the waker's own reference.
    unsafe { release(header(data), 1) };
}

/// Applies a transition that may ask for submission with a reference of its own.
///
/// # Safety
/// The caller owns a reference for the time of the call.
pub(super) unsafe fn submit_if(task: NonNull<Header>, transition: impl FnOnce(&Header) -> Wake) {
    // SAFETY: the caller's reference.
    let header = unsafe { task.as_ref() };
    if transition(header) == Wake::Submit {
        // SAFETY: the transition counted the reference that goes to the queue.
        unsafe { (header.vtable.schedule)(task) };
    }
}
