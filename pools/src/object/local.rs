//! How a thread finds its magazine of a pool: the only file of the crate with `unsafe`.
//!
//! Two thread-locals. [`OWNED`] owns the magazines of this thread and, having a destructor, retires them when the thread
//! ends. [`TABLE`] is a bare pointer to the rows of `OWNED`, so that the fast path reads a thread-local *without*
//! destructor, for which the compiler emits no "is it still alive" check; it points to no rows before the first
//! magazine and after the last.
//!
//! Three facts carry the `unsafe` below:
//! 1. *Rows live while `TABLE` points to them.* Each change of the rows goes through [`Owned::change`], which publishes
//!    the new place before it returns; nothing else moves or frees them. Only this thread sees either. User code, which
//!    could bring about a change, never runs while a row is looked at.
//! 2. *A magazine outlives its visitors.* Only [`sweep`] and the end of the thread retire magazines. A visitor that runs
//!    user code marks the magazine busy meanwhile, and `sweep` passes busy ones over; at the end of the thread no visitor
//!    is under way.
//! 3. *The type is right.* A head with a pool's number is the beginning of a magazine of that pool and nothing else: a
//!    `Magazine<T>` takes its number from a `PoolId<T>`, numbers are never used twice, and only the registry makes them.
//!
//! Checked by `tests/object.rs`, whose tests also pass under the address sanitizer.
#![allow(unsafe_code)]

use std::{
    cell::{Cell, RefCell},
    ptr,
    rc::Rc,
    sync::Arc,
};

use super::{
    depot::Depot,
    magazine::{Head, Magazine, Member},
    registry::PoolId,
};

/// One pool's place in this thread's table. Of a power of two, so that a place is found by a shift.
#[repr(align(32))]
struct Row {
    /// The beginning of the `Magazine<T>` that `owner` keeps alive, or [`NOBODY`].
    head: *const Head,
    owner: Option<Rc<dyn Member>>,
}

impl Row {
    const VACANT: Self = Self { head: &raw const NOBODY, owner: None };
}

/// The head of a vacant row: no pool's number is in it.
static NOBODY: Head = Head::nobody();

/// This thread's magazines, by pool index.
struct Owned(RefCell<Vec<Row>>);

const NO_ROWS: *const [Row] = ptr::slice_from_raw_parts(ptr::NonNull::dangling().as_ptr(), 0);

thread_local! {
    static TABLE: Cell<*const [Row]> = const { Cell::new(NO_ROWS) };
    static OWNED: Owned = const { Owned(RefCell::new(Vec::new())) };
}

impl Owned {
    /// The only way to change the rows.
    fn change<R>(&self, change: impl FnOnce(&mut Vec<Row>) -> R) -> R {
        let mut rows = self.0.borrow_mut();
        let result = change(&mut rows);
        TABLE.set(ptr::slice_from_raw_parts(rows.as_ptr(), rows.len()));
        result
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        TABLE.set(NO_ROWS);
        // Retiring may drop objects, and their destructors may use pools: they find no table and go to the depots.
        for row in self.0.take() {
            row.owner.inspect(|magazine| magazine.retire());
        }
    }
}

/// Runs `visit` on this thread's magazine of the pool, if it has one.
#[inline]
pub(super) fn with<T: Send + 'static, R>(id: PoolId<T>, visit: impl FnOnce(&Magazine<T>) -> R) -> Option<R> {
    with_if(id, |head| head.is_of(id.raw()), visit)
}

/// As [`with`], if a returning object may go on top of the magazine unseen.
#[inline]
pub(super) fn with_plain<T: Send + 'static, R>(id: PoolId<T>, visit: impl FnOnce(&Magazine<T>) -> R) -> Option<R> {
    with_if(id, |head| head.is_plain_of(id.raw()), visit)
}

/// As [`with`]; `fits` is true only of the head of a magazine of that pool.
#[inline]
fn with_if<T: Send + 'static, R>(
    id: PoolId<T>,
    fits: impl FnOnce(&Head) -> bool,
    visit: impl FnOnce(&Magazine<T>) -> R,
) -> Option<R> {
    let head = {
        // SAFETY: fact 1, the rows are alive and in place as long as this block looks at them.
        let rows = unsafe { &*TABLE.get() };
        rows.get(id.raw().index())?.head
    };
    // SAFETY: fact 2, the magazine that it is the beginning of is alive; or it is `NOBODY`.
    if !fits(unsafe { &*head }) {
        return None;
    }
    // SAFETY: fact 3, it is the beginning of a `Magazine<T>`; fact 2, that lives until `visit` is back.
    let magazine = unsafe { &*head.cast::<Magazine<T>>() };
    Some(visit(magazine))
}

/// Gives this thread a magazine of the pool, without places so far. `false` if there can be none: the thread is ending, or
/// the pool's row still belongs to a pool that is gone and whose user code is under way on this thread.
pub(super) fn open<T: Send + 'static>(depot: &Arc<Depot<T>>) -> bool {
    sweep();
    let raw = depot.id().raw();
    let install = |rows: &mut Vec<Row>| {
        if rows.len() <= raw.index() {
            rows.resize_with(raw.index() + 1, || Row::VACANT);
        }
        let row = &mut rows[raw.index()];
        if row.owner.is_some() {
            return false;
        }
        let magazine = Rc::new(Magazine::new(Arc::clone(depot)));
        // A pointer to the whole of it, of which the head is the beginning (`repr(C)`).
        *row = Row { head: Rc::as_ptr(&magazine).cast(), owner: Some(magazine) };
        true
    };
    OWNED.try_with(|owned| owned.change(install)).unwrap_or(false)
}

/// Retires this thread's magazines of pools that are gone.
#[cold]
pub(super) fn sweep() {
    let gone = OWNED.try_with(|owned| {
        owned.change(|rows| {
            let leaving = |row: &&mut Row| row.owner.as_ref().is_some_and(|magazine| magazine.may_retire());
            rows.iter_mut().filter(leaving).map(|row| std::mem::replace(row, Row::VACANT)).collect::<Vec<_>>()
        })
    });
    for row in gone.into_iter().flatten() {
        row.owner.inspect(|magazine| magazine.retire());
    }
}
