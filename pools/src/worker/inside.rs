//! Whether this thread is inside of a job, of which pool, and whether that job waits for its own pool.
//!
//! The worker says which job it polls; a ticket, or a submit that waits, says that it belongs to the same pool. After
//! the poll the worker knows whether to lend its slot (see `crew`). Cost per poll of a job: four plain accesses to one
//! thread-local value.
//!
//! Jobs that hold a thread cannot tell by returning from their poll. A wait that blocks looks its pool up by number
//! ([`Loan`]), lends the slot there, and takes it back before it returns.

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tidemill_context::Context;

use crate::Spawner;

/// One job in the hands of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inside {
    pub(super) pool: u64,
    pub(super) worker: usize,
    pub(super) job: u64,
}

thread_local! {
    /// The job this thread is inside of, and whether it waits for its pool. Pools are numbered from 1.
    static HERE: Here = const { Here { job: Cell::new(NOWHERE), waits: Cell::new(false) } };
}

const NOWHERE: Inside = Inside { pool: 0, worker: 0, job: 0 };

struct Here {
    job: Cell<Inside>,
    waits: Cell<bool>,
}

/// Restores where this thread was, also when a panic passes.
struct Outside<'h>(&'h Here, Inside, bool);

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.0.job.set(self.1);
        self.0.waits.set(self.2);
    }
}

/// Calls `f` inside of the job; says as well whether it waits for its own pool.
pub(super) fn within<R>(job: Inside, f: impl FnOnce() -> R) -> (R, bool) {
    HERE.with(|here| {
        let _outside = Outside(here, here.job.replace(job), here.waits.replace(false));
        let result = f();
        (result, here.waits.get())
    })
}

/// Runs `work`, which may block, as a part of the job that calls, and in its context; on tokio that is on another thread.
pub(super) async fn blocking<T: Send + 'static>(spawner: &Spawner, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (job, context) = (current(), Context::try_current());
    let work = move || match job {
        Some(job) => within(job, work).0,
        None => work(),
    };
    match context {
        Some(context) => spawner.blocking(move || context.enter(work)).await,
        None => spawner.blocking(work).await,
    }
}

/// The job this thread is inside of.
pub(super) fn current() -> Option<Inside> {
    let job = HERE.with(|here| here.job.get());
    (job.pool != 0).then_some(job)
}

/// Says that whoever is polled here goes on when something happens in that pool.
pub(super) fn waits_for(pool: u64) {
    HERE.with(|here| {
        if here.job.get().pool == pool {
            here.waits.set(true);
        }
    });
}

/// What a wait that blocks does with its pool.
pub(super) trait Lender: Send + Sync {
    /// Gives the slot of the job away; false if it has none.
    fn lend(self: Arc<Self>, job: Inside) -> bool;
    /// Blocks this thread until the job has a slot again.
    fn retake(&self, job: Inside);
}

/// The pools of the process by number. Looked at only by jobs that block.
static POOLS: Mutex<BTreeMap<u64, Weak<dyn Lender>>> = Mutex::new(BTreeMap::new());

fn pools() -> MutexGuard<'static, BTreeMap<u64, Weak<dyn Lender>>> {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the pool known to the waits of its jobs.
pub(super) fn enlist(pool: u64, lender: Weak<dyn Lender>) {
    pools().insert(pool, lender);
}

/// The pool has ended.
pub(super) fn strike(pool: u64) {
    pools().remove(&pool);
}

/// A slot that is lent while this thread blocks; taken back when it is dropped.
pub(super) struct Loan {
    lender: Arc<dyn Lender>,
    job: Inside,
}

impl Loan {
    /// Lends the slot of the job this thread is inside of, if that job is the pool's.
    pub(super) fn of(pool: u64) -> Option<Self> {
        let job = current().filter(|job| job.pool == pool)?;
        let lender = pools().get(&pool)?.upgrade()?;
        Arc::clone(&lender).lend(job).then_some(Self { lender, job })
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.lender.retake(self.job);
    }
}
