//! Jobs that belong together: their results in order, and the first failure cancels the rest.
//!
//! The results go straight into one list behind one lock; a member costs a counted reference and an allocation, as a
//! ticket does. Whoever brings the first failure gets the numbers of the others and cancels them: what is queued never starts,
//! what runs is dropped at its next `await`.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tidemill_context::Cause;

use super::{
    WorkerPool,
    ambient::Interrupt,
    entry::{Asked, Tag},
    inside,
    submit::SubmitError,
    ticket::JobError,
};

/// Jobs of one [`WorkerPool`] that belong together; made by [`WorkerPool::group`].
///
/// A failure is a job without result (a panic, a time-out, ..) or a result that the pool's
/// [`failed_when`](crate::WorkerBuilder::failed_when) calls one. The first failure cancels the other jobs of the group.
/// Dropping the group cancels all of them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let pool = tidemill_pools::WorkerPool::builder()
///     .failed_when(Result::is_err)
///     .build(|text: &str| std::future::ready(text.parse::<u32>()))
///     .unwrap();
///
/// let mut group = pool.group();
/// for text in ["1", "2", "3"] {
///     group.submit(text).await.unwrap();
/// }
/// let numbers = group.join().await.unwrap();
/// assert_eq!(numbers, [Ok(1), Ok(2), Ok(3)]);
///
/// let mut group = pool.group();
/// group.submit("four").await.unwrap();
/// let failure = group.join().await.unwrap_err();
/// assert_eq!(failure.index, 0);
/// assert!(matches!(failure.results[0], Ok(Err(_))));
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a group cancels its jobs"]
pub struct JobGroup<'p, J: Send + 'static, T: Send + 'static> {
    pool: &'p WorkerPool<J, T>,
    state: Arc<State<T>>,
}

/// A group of which a job failed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::future::ready;
///
/// let builder = tidemill_pools::WorkerPool::builder().failed_when(Result::is_err);
/// let pool = builder.build(|text: &str| ready(text.parse::<u32>()))?;
/// let mut group = pool.group();
/// for text in ["1", "two"] {
///     group.submit(text).await?;
/// }
/// let failure = group.join().await.unwrap_err();
/// assert_eq!(failure.index, 1);
/// assert!(matches!(failure.results[1], Ok(Err(_)))); // it ran, and its result is the failure
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct GroupError<T> {
    /// Which job failed first, by order of submission.
    pub index: usize,
    /// What became of every job, in order of submission.
    pub results: Vec<Result<T, JobError>>,
}

impl<T> fmt::Display for GroupError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.results.get(self.index) {
            Some(Err(error)) => write!(f, "job {} of the group: {error}", self.index),
            _ => write!(f, "job {} of the group failed", self.index),
        }
    }
}

impl<T: fmt::Debug> std::error::Error for GroupError<T> {}

impl<'p, J: Send + 'static, T: Send + 'static> JobGroup<'p, J, T> {
    pub(super) fn new(pool: &'p WorkerPool<J, T>) -> Self {
        Self { pool, state: Arc::default() }
    }

    /// Submits a job as a member, waiting for a place like [`WorkerPool::submit`].
    ///
    /// # Errors
    /// As there, and [`SubmitError::Unwanted`] once a job of the group failed. A refused job is no member.
    pub async fn submit(&mut self, job: J) -> Result<(), SubmitError<J>> {
        if self.state.lock().failed.is_some() {
            return Err(SubmitError::Unwanted(job));
        }
        // The member withdraws again if this future is dropped or the job refused.
        let (member, guard) = Member::enrol(&self.state);
        let tag = Some(Box::new(Tag { member: Some(member), ..Tag::default() }));
        let entered = match self.pool.shared.entry(job, None, Asked { start_within: None, tag }) {
            Ok(entry) => self.pool.enter(entry).await,
            Err(refusal) => Err(refusal),
        };
        self.pool.shared.cancel_members(guard.settle(entered.as_ref().ok().copied()).as_slice());
        entered.map(drop)
    }

    /// Waits until every job has ended and gives the results in order of submission.
    ///
    /// A job of the same pool that awaits this lends its slot meanwhile. A dropped call cancels the jobs; so does the end of
    /// the caller's context, and then the call waits for those that run to be dropped.
    ///
    /// # Errors
    /// [`GroupError`] with all results, after the jobs that the first failure cancelled have ended too.
    pub async fn join(self) -> Result<Vec<T>, GroupError<T>> {
        let mut interrupt = Interrupt::default();
        if (Joined { state: &self.state, pool: self.pool.shared.id, interrupt: Some(&mut interrupt) }).await.is_err() {
            self.cancel();
            let _ = Joined { state: &self.state, pool: self.pool.shared.id, interrupt: None }.await;
        }
        let mut inner = self.state.lock();
        let results: Vec<_> =
            std::mem::take(&mut inner.members).into_iter().filter_map(|member| member.result).collect();
        match inner.failed {
            None => Ok(results.into_iter().filter_map(Result::ok).collect()),
            Some(index) => Err(GroupError { index, results }),
        }
    }
}

impl<J: Send + 'static, T: Send + 'static> JobGroup<'_, J, T> {
    /// Cancels every job that has not ended.
    fn cancel(&self) {
        let open = self.state.lock().open();
        self.pool.shared.cancel_members(&open);
    }
}

impl<J: Send + 'static, T: Send + 'static> Drop for JobGroup<'_, J, T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// What a group and its members share.
#[derive(Debug)]
struct State<T>(Mutex<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    members: Vec<Slot<T>>,
    /// Members without a result.
    open: usize,
    /// The first failure.
    failed: Option<usize>,
    joiner: Option<Waker>,
}

#[derive(Debug)]
struct Slot<T> {
    /// 0 until the job is queued.
    number: u64,
    result: Option<Result<T, JobError>>,
    /// The job was dropped before its number was known: refused, or queued and dropped with its pool.
    dropped_early: bool,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self(Mutex::new(Inner { members: Vec::new(), open: 0, failed: None, joiner: None }))
    }
}

impl<T> State<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    /// The numbers of the jobs that are queued or run.
    fn open(&self) -> Vec<u64> {
        let open = self.members.iter().filter(|slot| slot.result.is_none() && slot.number != 0);
        open.map(|slot| slot.number).collect()
    }
}

/// A member's claim on its slot, kept beside its job. Dropped without an answer, it answers that the job was cancelled.
#[derive(Debug)]
pub(super) struct Member<T> {
    state: Arc<State<T>>,
    index: usize,
    answered: bool,
}

impl<T> Member<T> {
    fn enrol(state: &Arc<State<T>>) -> (Self, Enrolment<T>) {
        let mut inner = state.lock();
        let index = inner.members.len();
        inner.members.push(Slot { number: 0, result: None, dropped_early: false });
        inner.open += 1;
        drop(inner);
        let member = Self { state: Arc::clone(state), index, answered: false };
        (member, Enrolment { state: Arc::clone(state), index, settled: false })
    }

    /// Puts the result in its slot; returns the jobs to cancel, if it is the first failure.
    pub(super) fn answer(mut self, outcome: Result<T, JobError>, failed: bool) -> Vec<u64> {
        self.answered = true;
        self.put(outcome, failed)
    }

    fn put(&self, outcome: Result<T, JobError>, failed: bool) -> Vec<u64> {
        let mut inner = self.state.lock();
        let slot = &mut inner.members[self.index];
        slot.result = Some(outcome);
        // A job that was refused is no failure; its submitter will tell.
        slot.dropped_early = !self.answered && slot.number == 0;
        let failed = failed && !slot.dropped_early;
        inner.open -= 1;
        let first = failed && inner.failed.is_none();
        if first {
            inner.failed = Some(self.index);
        }
        let unwanted = if first { inner.open() } else { Vec::new() };
        let joiner = if inner.open == 0 { inner.joiner.take() } else { None };
        drop(inner);
        joiner.into_iter().for_each(Waker::wake);
        unwanted
    }
}

impl<T> Drop for Member<T> {
    fn drop(&mut self) {
        if !self.answered {
            // Nobody is left to cancel the others: the pool itself has ended, or drops them too.
            drop(self.put(Err(JobError::Cancelled), true));
        }
    }
}

/// A submit under way: the newest slot is withdrawn unless the job is queued.
struct Enrolment<T> {
    state: Arc<State<T>>,
    index: usize,
    settled: bool,
}

impl<T> Enrolment<T> {
    /// The job is queued under this number, or was refused. Returns it to be cancelled, if the group failed meanwhile.
    fn settle(mut self, number: Option<u64>) -> Option<u64> {
        let number = number?;
        self.settled = true;
        let mut inner = self.state.lock();
        let slot = &mut inner.members[self.index];
        slot.number = number;
        let (open, dropped) = (slot.result.is_none(), slot.dropped_early);
        if dropped {
            inner.failed.get_or_insert(self.index);
        }
        (open && inner.failed.is_some()).then_some(number)
    }
}

impl<T> Drop for Enrolment<T> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        // `submit` borrows the group mutably, so ours is the last slot; the member was dropped with the refused job.
        let withdrawn = self.state.lock().members.pop();
        debug_assert!(withdrawn.is_some_and(|slot| slot.dropped_early), "slot {} is not ours", self.index);
    }
}

/// Ready when no member is open, or with an error when the context that waits is cancelled.
struct Joined<'g, T> {
    state: &'g State<T>,
    pool: u64,
    interrupt: Option<&'g mut Interrupt>,
}

impl<T> Future for Joined<'_, T> {
    type Output = Result<(), Cause>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        {
            // Cloned before the lock is taken, and dropped after: a waker is user code.
            let waker = cx.waker().clone();
            let mut inner = self.state.lock();
            if inner.open == 0 {
                drop(inner);
                return Poll::Ready(Ok(()));
            }
            let before = inner.joiner.replace(waker);
            drop(inner);
            drop(before);
        }
        if let Some(cause) = self.interrupt.as_mut().and_then(|interrupt| interrupt.poll(cx)) {
            return Poll::Ready(Err(cause));
        }
        inside::waits_for(self.pool);
        Poll::Pending
    }
}
