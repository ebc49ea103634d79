//! Blocking regions: code that may block runs in place, and loses its permit only if it does.
//!
//! Entering and leaving a region is a plain store each, and leaving looks at the permit with a plain load: no queue, no
//! other thread, no allocation, no clock. If the region lasts, the monitor takes the permit away (see the head of
//! `machine/mod.rs`). Whoever comes out of a region without a permit takes an idle one, or waits in line for the
//! first that is given up, which the running machines do at the latest after 61 polls.

use super::local::{Doing, Local};
use crate::current;
use crate::roster::Leave;
use crate::watch::{Span, What};

/// Runs `f`, which may block, in place on this thread.
///
/// On a thread of a runtime, the others go on meanwhile: if `f` lasts past a tick of the monitor (20 us to 1 ms) and
/// other work waits, another thread takes over. Afterwards the task goes on where it was. Outside of a runtime `f`
/// simply runs.
///
/// Nothing is sent anywhere, so `f` may borrow, and need not be `Send`. The task's own poll does wait for `f`: other
/// branches of its `select!` or `join!` do not go on meanwhile.
///
/// # Cost
/// A few plain loads and stores, if `f` returns at once. A thread for as long as it blocks, up to
/// [`Builder::max_threads`](crate::Builder::max_threads).
///
/// ```
/// let rt = tidemill_scheduler::Runtime::new()?;
/// let bytes = rt.block_on(rt.spawn(async {
///     tidemill_scheduler::blocking(|| std::fs::read("/proc/self/stat"))
/// }))??;
/// assert!(!bytes.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn blocking<T>(f: impl FnOnce() -> T) -> T {
    current::machine(|local| match local {
        Some(local) if local.may_enter_region() & !local.watch.is_recording() => {
            let _region = Region::enter(local);
            f()
        }
        _ => blocking_else(local, f),
    })
}

/// With the flight recorder on; or where there is no region to enter.
#[cold]
fn blocking_else<T>(local: Option<&Local>, f: impl FnOnce() -> T) -> T {
    let local = local.filter(|local| local.may_enter_region());
    let _noted = local.map(Noted::begin);
    let _region = local.map(Region::enter);
    f()
}

/// Records the begin of a region, and its end also if `f` unwinds.
struct Noted<'a>(&'a Local);

impl<'a> Noted<'a> {
    fn begin(local: &'a Local) -> Self {
        local.note(What::Begin(Span::Blocking));
        Self(local)
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.note(What::End(Span::Blocking));
    }
}

/// Ends the region also if `f` unwinds.
struct Region<'a>(&'a Local);

impl<'a> Region<'a> {
    fn enter(local: &'a Local) -> Self {
        local.machine.step_region();
        Self(local)
    }
}

impl Drop for Region<'_> {
    fn drop(&mut self) {
        self.0.machine.step_region();
        if self.0.machine.permit().is_none() {
            self.0.come_back();
        }
    }
}

impl Local {
    /// Not inside another region, and not inside the reactor, where a task of tokio's may run without a permit.
    fn may_enter_region(&self) -> bool {
        self.doing.get() == Doing::Poll && !self.machine.activity().in_region()
    }

    /// Its permit was taken during a region.
    #[cold]
    fn come_back(&self) {
        self.noted(Span::Wait, || self.await_permit());
        // Others may wait behind us: look around right after this poll.
        self.countdown.set(1);
    }

    /// Gets a permit in the middle of a poll: an idle one, or the next that is given up. While the runtime stops, goes
    /// on without.
    #[cold]
    pub(super) fn await_permit(&self) {
        match self.shared().roster.want_permit(self.machine.id) {
            Leave::Permit(permit) => self.gain(permit),
            Leave::Without => {
                self.await_handed();
            }
            Leave::Handed => {}
        }
    }
}
