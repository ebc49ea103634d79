//! What the calling thread is: a machine of a runtime, a thread inside a runtime's `block_on`, both, or neither.
//!
//! A task may call `block_on` of another runtime. The thread is still a machine of the first, whose others go on while
//! it blocks; but *its* runtime, to which a plain `spawn` goes, is then the other one: the thread is away from home.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;

use crate::machine::Local;
use crate::runtime::{Handle, Shared};
use crate::sync::thread_local;

thread_local! {
    static MACHINE: Cell<*const Local> = const { Cell::new(ptr::null()) };
    static AWAY: Cell<bool> = const { Cell::new(false) };
    static HANDLE: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// Runs `f` with `local` as this thread's machine.
pub(crate) fn with_machine<T>(local: &Local, f: impl FnOnce() -> T) -> T {
    exchanged(local, f)
}

/// Runs `f` as if this thread were no machine.
#[cfg(feature = "testing")]
pub(crate) fn without_machine<T>(f: impl FnOnce() -> T) -> T {
    exchanged(ptr::null(), f)
}

/// `local` is null, or borrowed by the caller until this returns.
fn exchanged<T>(local: *const Local, f: impl FnOnce() -> T) -> T {
    struct Reset(*const Local);
    impl Drop for Reset {
        fn drop(&mut self) {
            MACHINE.with(|machine| machine.set(self.0));
        }
    }
    let _reset = Reset(MACHINE.with(|machine| machine.replace(local)));
    f()
}

/// Gives `f` this thread's machine, if it is one.
pub(crate) fn machine<T>(f: impl FnOnce(Option<&Local>) -> T) -> T {
    // `try_with`: a task may be woken by a destructor at the thread's end.
    let local = MACHINE.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: `with_machine` borrows the machine for as long as the pointer is set, and on this thread only; else null.
    f(unsafe { local.as_ref() })
}

/// As `machine`, but only if its runtime is the one of this thread.
pub(crate) fn home<T>(f: impl FnOnce(Option<&Local>) -> T) -> T {
    if AWAY.try_with(Cell::get).unwrap_or(false) { f(None) } else { machine(f) }
}

/// The runtime of this thread.
pub(crate) fn handle() -> Option<Handle> {
    home(|local| local.map(|local| Handle::new(Arc::clone(local.shared()))))
        .or_else(|| HANDLE.try_with(|handle| handle.borrow().clone()).ok().flatten())
}

/// Is `runtime` the one of this thread? Without counting.
pub(crate) fn is_at_home(runtime: &Arc<Shared>) -> bool {
    home(|local| local.map(|local| Arc::ptr_eq(local.shared(), runtime))).unwrap_or_else(|| {
        let here =
            |handle: &RefCell<Option<Handle>>| handle.borrow().as_ref().is_some_and(|handle| handle.is_of(runtime));
        HANDLE.try_with(here).unwrap_or(false)
    })
}

/// Makes `handle` the runtime of this thread for as long as the guard lives.
pub(crate) fn enter(handle: Handle) -> Entered {
    let away = machine(|local| local.is_some_and(|local| !Arc::ptr_eq(local.shared(), handle.shared())));
    Entered {
        handle: HANDLE.with(|before| before.replace(Some(handle))),
        away: AWAY.with(|before| before.replace(away)),
    }
}

/// Puts the runtime before back.
#[derive(Debug)]
pub(crate) struct Entered {
    handle: Option<Handle>,
    away: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = HANDLE.try_with(|handle| handle.replace(self.handle.take()));
        AWAY.with(|away| away.set(self.away));
    }
}
