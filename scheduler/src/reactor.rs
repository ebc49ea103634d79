//! I/O and timers: a tokio `current_thread` runtime, driven by whichever machine is idle.
//!
//! The idle machine calls `block_on` with a future that ends when something is ready. tokio runs the wakers of I/O and
//! timers on that very thread, so what they wake lands in the driver's own queue and needs no wake-up of another
//! thread. A busy runtime gives the reactor a brief turn now and then instead (`machine/worker.rs`), and the monitor
//! sees to it if every machine is stuck.
//!
//! Rejected: a background thread that owns the reactor. Each event then costs two wake-ups across threads: 118 to
//! 128 us per echo round trip on a quiet two-core virtual machine, against 5.
//!
//! tokio's own hand-over between several `block_on`s is not relied on: the roster names one driver, and `busy` keeps
//! brief turns out while it drives.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::foreign;
use crate::limits::TURN_GAP;
use crate::sync::lock;

type Tokio = tokio::runtime::Runtime;

#[derive(Debug)]
pub(crate) struct Reactor {
    /// Until the end. Whoever is inside has another counted reference; the last one shuts it down.
    tokio: Mutex<Option<Arc<Tokio>>>,
    inside: Weak<Tokio>,
    /// For registering I/O and timers.
    handle: tokio::runtime::Handle,
    /// Somebody is inside. A hint that keeps the others out; tokio's own lock makes it safe.
    busy: AtomicBool,
    /// The driver is to come out.
    leave: AtomicBool,
    /// The waker of the driver's future.
    waker: Mutex<Option<Waker>>,
    /// When somebody was inside last, in nanoseconds after `epoch`.
    last_turn: AtomicU64,
    turns: AtomicU64,
    epoch: Instant,
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        // Tasks that libraries give to `tokio::spawn` run inside our turns; a small interval keeps a turn short.
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().event_interval(16);
        foreign::watch(&mut builder);
        let tokio = builder.build()?;
        let handle = tokio.handle().clone();
        let tokio = Arc::new(tokio);
        Ok(Self {
            inside: Arc::downgrade(&tokio),
            tokio: Mutex::new(Some(tokio)),
            handle,
            busy: AtomicBool::new(false),
            leave: AtomicBool::new(false),
            waker: Mutex::new(None),
            last_turn: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            epoch: Instant::now(),
        })
    }

    /// Tasks that were given to `tokio::spawn` and have not ended.
    pub(crate) fn foreign_tasks(&self) -> usize {
        self.handle.metrics().num_alive_tasks()
    }

    /// The time that turns spent on them, and on their own bookkeeping; brought up to date when a turn ends or waits.
    pub(crate) fn foreign_time(&self) -> Duration {
        self.handle.metrics().worker_total_busy_duration(0)
    }

    /// Lets this thread register I/O and timers.
    pub(crate) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.handle.enter()
    }

    /// Blocks until [`end_drive`](Self::end_drive); the roster sees to it that one machine does.
    pub(crate) fn drive(&self) {
        self.busy.store(true, Ordering::Relaxed);
        self.go_inside(poll_fn(|context| self.poll_leave(context)));
        self.came_out();
    }

    /// A turn that does not wait, unless somebody is inside.
    pub(crate) fn turn(&self) {
        if self.busy.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut polled = false;
        self.go_inside(poll_fn(|context| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        self.came_out();
    }

    /// Polls I/O, timers and tasks of tokio's until `end` is ready. Nothing after `close`.
    fn go_inside(&self, end: impl Future<Output = ()>) {
        if let Some(tokio) = self.inside.upgrade() {
            let inside = Inside::enter();
            tokio.block_on(end);
            drop(inside);
            shut_down(tokio);
        }
    }

    /// Ends tokio: drops the tasks that libraries gave to it, and wakes whoever waits for I/O or a timer in vain.
    pub(crate) fn close(&self) {
        let tokio = lock(&self.tokio).take();
        if let Some(tokio) = tokio {
            shut_down(tokio);
        }
    }

    /// Is a brief turn worth its cost?
    pub(crate) fn is_due(&self, now: u64) -> bool {
        !self.is_busy() && now.saturating_sub(self.last_turn.load(Ordering::Relaxed)) >= TURN_GAP.as_nanos() as u64
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Nanoseconds since somebody was inside last.
    pub(crate) fn since_turn_ns(&self) -> u64 {
        self.now().saturating_sub(self.last_turn.load(Ordering::Relaxed))
    }

    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Brings the driver out, from any thread; from its own, inside a turn, without a system call.
    pub(crate) fn end_drive(&self) {
        // Release, with the Acquire of `poll_leave`; if that poll has passed, its waker is in place and is woken here:
        // both sides go through the mutex after the flag.
        self.leave.store(true, Ordering::Release);
        // tokio's own waker: no user code runs under the lock.
        lock(&self.waker).as_ref().map(Waker::wake_by_ref);
    }

    fn poll_leave(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut waker = lock(&self.waker);
        // Under the lock: a later `end_drive` finds this waker, an earlier one has set the flag. The waker stays for the
        // next drive, for which it is good as well.
        if self.leave.swap(false, Ordering::Acquire) {
            return Poll::Ready(());
        }
        if !waker.as_ref().is_some_and(|w| w.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    fn came_out(&self) {
        self.last_turn.store(self.now(), Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.busy.store(false, Ordering::Relaxed);
    }

    /// Nanoseconds since the runtime was built.
    pub(crate) fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Is this thread inside of a reactor? Then it runs a waker, or a task of tokio's.
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

/// This thread is inside.
struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.set(true);
        Self
    }
}

impl Drop for Inside {
    /// Panics of tokio's tasks stop in there; what gets here is a foreign waker's. tokio has lost its driver then, and
    /// nothing in this process would ever be woken by a socket or a timer again.
    fn drop(&mut self) {
        INSIDE.set(false);
        if thread::panicking() {
            eprintln!("tidemill: a waker panicked inside the reactor, which does not survive it; the process ends");
            process::abort();
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.close();
    }
}

/// By the last that has it, in the background: that may be a task on any thread, where waiting is not allowed.
fn shut_down(tokio: Arc<Tokio>) {
    if let Some(tokio) = Arc::into_inner(tokio) {
        tokio.shutdown_background();
    }
}
