//! Who has which resource, since when, and from where: the answer to "the pool is empty, and nobody did it".
//!
//! A table with one row per living resource. A checkout writes its row and a return clears it, under the lock that both
//! take anyway. The place of the call costs nothing to know (`#[track_caller]`); thread, task and backtrace are only
//! looked up if the pool was told to look for leaks.
//!
//! A row keeps the handle of the thread that took its resource last: the same one takes it again, most of the time, and then
//! nothing has to be counted. (A handle per checkout cost two read-modify-writes each.)

use std::{
    backtrace::Backtrace,
    fmt,
    panic::Location,
    sync::Arc,
    thread::{self, Thread},
    time::Duration,
};

use tokio::time::Instant;

thread_local! {
    /// This thread's handle: to ask the standard library for it counts it up and down.
    static THIS_THREAD: Thread = thread::current();
}

/// The caller of a get, as it knows itself.
#[derive(Clone, Debug)]
pub(super) struct Who {
    location: &'static Location<'static>,
    detail: Detail,
    task: Option<tokio::task::Id>,
    backtrace: Option<Arc<Backtrace>>,
}

/// How much a get finds out about its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Place,
    Thread,
    Backtrace,
}

impl Who {
    pub(super) fn new(location: &'static Location<'static>, detail: Detail) -> Self {
        let task = if detail == Detail::Place { None } else { tokio::task::try_id() };
        let backtrace = (detail == Detail::Backtrace).then(|| Arc::new(Backtrace::force_capture()));
        Self { location, detail, task, backtrace }
    }
}

/// A resource in use: who has it, since when, from where. Its `Display` is one line for a log.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{Manager, ResourcePool};
///
/// let pool = ResourcePool::builder(Numbers).build()?;
/// let lease = pool.get().await?;
///
/// let holders = pool.holders();
/// println!("{}", holders[0]); // resource 1 held for 2µs, taken at src/main.rs:12:18
/// assert_eq!((holders[0].id, holders[0].location.file()), (lease.id(), file!()));
/// assert!(pool.forfeit(holders[0].id)); // given up for lost: its place is free again
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Holder {
    /// The resource's number.
    pub id: u64,
    /// For how long it has been out.
    pub held: Duration,
    /// Where `get` was called.
    pub location: &'static Location<'static>,
    /// The thread on which `get` came back with it, if the pool looks for leaks and the thread has a name.
    pub thread: Option<String>,
    /// The tokio task that called `get`, if the pool looks for leaks and it was one.
    pub task: Option<String>,
    /// The call stack of `get`, if the pool was told to keep it.
    pub backtrace: Option<Arc<Backtrace>>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resource {} held for {:?}, taken at {}", self.id, self.held, self.location)?;
        if let Some(thread) = &self.thread {
            write!(f, " on thread {thread}")?;
        }
        if let Some(task) = &self.task {
            write!(f, " by task {task}")?;
        }
        Ok(())
    }
}

/// The table; owned by the core.
#[derive(Debug, Default)]
pub(super) struct Holders {
    rows: Vec<Row>,
    free: Vec<usize>,
}

#[derive(Debug, Default)]
struct Row {
    /// The living resource that this row belongs to; 0 is nobody's number.
    id: u64,
    out: Option<Out>,
    /// On which it was taken last, if anybody wants to know.
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Out {
    since: Instant,
    who: Who,
    reported: bool,
}

/// How a resource comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    InTime,
    /// It had been reported as a suspected leak.
    Late,
}

impl Holders {
    /// A row for a new resource.
    pub(super) fn enter(&mut self, id: u64) -> usize {
        let row = self.free.pop().unwrap_or_else(|| {
            self.rows.push(Row::default());
            self.rows.len() - 1
        });
        self.rows[row] = Row { id, out: None, thread: None };
        row
    }

    /// The resource is no longer the pool's.
    pub(super) fn strike(&mut self, row: usize) {
        self.rows[row] = Row::default();
        self.free.push(row);
    }

    pub(super) fn check_out(&mut self, row: usize, who: Who, since: Instant) {
        let row = &mut self.rows[row];
        if who.detail != Detail::Place {
            row.note_thread();
        }
        row.out = Some(Out { since, who, reported: false });
    }

    pub(super) fn check_in(&mut self, row: usize) -> Return {
        match self.rows[row].out.take() {
            Some(out) if out.reported => Return::Late,
            _ => Return::InTime,
        }
    }

    /// Whether the row still belongs to that resource: it does not once the resource was given up for lost.
    pub(super) fn knows(&self, row: usize, id: u64) -> bool {
        self.rows[row].id == id
    }

    /// The row of a resource that is out.
    pub(super) fn find_out(&self, id: u64) -> Option<usize> {
        self.rows.iter().position(|row| row.id == id && row.out.is_some())
    }

    /// Everybody who has had one for at least `least`, longest first.
    pub(super) fn over(&self, least: Duration, now: Instant) -> Vec<Holder> {
        let mut holders: Vec<Holder> = self.rows.iter().filter_map(|row| row.holder(now)).collect();
        holders.retain(|holder| holder.held >= least);
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.held));
        holders
    }

    /// As [`over`](Self::over), but each one only once.
    pub(super) fn newly_over(&mut self, least: Duration, now: Instant) -> Vec<Holder> {
        let late = self.rows.iter_mut().filter_map(|row| {
            let out = row.out.as_mut().filter(|out| !out.reported && now.duration_since(out.since) >= least)?;
            out.reported = true;
            row.holder(now)
        });
        late.collect()
    }
}

impl Row {
    fn note_thread(&mut self) {
        // A thread that is about to end may have lost its handle already.
        let noted = THIS_THREAD.try_with(|this| {
            if self.thread.as_ref().is_none_or(|last| last.id() != this.id()) {
                self.thread = Some(this.clone());
            }
        });
        if noted.is_err() {
            self.thread = None;
        }
    }

    fn holder(&self, now: Instant) -> Option<Holder> {
        let Out { since, who, .. } = self.out.as_ref()?;
        Some(Holder {
            id: self.id,
            held: now.duration_since(*since),
            location: who.location,
            thread: self.thread.as_ref().and_then(|thread| thread.name().map(str::to_owned)),
            task: who.task.map(|task| task.to_string()),
            backtrace: who.backtrace.clone(),
        })
    }
}
