//! The part of a task whose type does not depend on its future, and the table of what does.

use std::cell::UnsafeCell;
use std::ptr::NonNull;

use super::slots::Place;
use super::state::State;
use crate::sync::{AtomicU32, Ordering};

/// The start of every task's allocation.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Header {
    pub(super) state: State,
    pub(super) vtable: &'static Vtable,
    /// The task's place in its slab. Written once, before any other thread knows the task.
    place: AtomicU32,
    /// What the watchers know of the task: see `seen.rs`.
    pub(super) seen: AtomicU32,
}

impl Header {
    pub(super) fn new(vtable: &'static Vtable) -> Self {
        Self { state: State::new(), vtable, place: AtomicU32::new(0), seen: AtomicU32::new(0) }
    }

    /// Relaxed: whoever reads it got the task through a queue, which orders it.
    pub(super) fn set_place(&self, place: Place) {
        self.place.store(place, Ordering::Relaxed);
    }

    pub(super) fn place(&self) -> Place {
        self.place.load(Ordering::Relaxed)
    }
}

/// What has to know the future's type. Each function takes the header of a task made with this very table.
#[derive(Debug)]
pub(super) struct Vtable {
    /// The future's type.
    pub(super) name: fn() -> &'static str,
    /// Runs a task taken from a queue; uses up the queue's reference.
    pub(super) run: unsafe fn(NonNull<Header>),
    /// Uses up the queue's reference of a task that has ended, and gives back what it kept of the runtime.
    pub(super) dispose: unsafe fn(NonNull<Header>),
    /// Drops the future and completes as cancelled; the caller holds `RUNNING` and keeps its reference.
    pub(super) cancel: unsafe fn(NonNull<Header>),
    /// Hands a woken task to its scheduler, with one reference.
    pub(super) schedule: unsafe fn(NonNull<Header>),
    /// Moves the output of a complete task to `*mut Option<Result<T, JoinError>>`; the caller is the join handle.
    pub(super) take_output: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the output of a complete task; the caller is the join handle.
    pub(super) drop_output: unsafe fn(NonNull<Header>),
    /// The slot of the join handle's waker.
    pub(super) join_waker: unsafe fn(NonNull<Header>) -> NonNull<UnsafeCell<Option<std::task::Waker>>>,
    /// Frees the task; the last reference is gone.
    pub(super) free: unsafe fn(NonNull<Header>),
}

/// Releases `count` references of `task`.
///
/// # Safety
/// The caller owns them and does not use them again.
pub(super) unsafe fn release(task: NonNull<Header>, count: usize) {
    // SAFETY: the references keep the header alive up to here.
    let header = unsafe { task.as_ref() };
    let vtable = header.vtable;
    if header.state.release(count) {
        // SAFETY: those were the last references, and the table is the task's own.
        unsafe { (vtable.free)(task) };
    }
}
