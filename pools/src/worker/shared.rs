//! What the pool's handle and its workers share: the queue behind its lock, the pool's rules, the news that all have
//! ended; and the acts that follow what was decided under the lock.

use std::{
    fmt,
    future::Future,
    hash::RandomState,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
    thread,
    time::Duration,
};

use tidemill_clock::SharedClock;
use tidemill_spawner::blocking_here;
use tokio::sync::Notify;

use super::{
    ambient,
    crew::{Crew, Rouse},
    entry::{Asked, Entry, NEVER, Nanos, nanos},
    inside::{self, Inside, Lender},
    overflow::Overflow,
    park,
    queue::{Admitted, Queue},
    reply::Answer,
    run::{Seat, discard},
    shed::Shed,
    submit::SubmitError,
    tally::{self, Ending, Stats, Totals},
    ticket::JobError,
};
use crate::PoolSleep;

/// A boxed call of the handler.
type Called<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the builder was told; never changes.
pub(super) struct Rules<J, T> {
    pub(super) overflow: Overflow,
    pub(super) start_within: Option<Duration>,
    pub(super) run_within: Option<Duration>,
    pub(super) idle_expiry: Duration,
    pub(super) clock: SharedClock,
    pub(super) failed_when: Option<fn(&T) -> bool>,
    pub(super) on_shed: Option<Box<dyn Fn(J, Shed) + Send + Sync>>,
    /// Starts a worker.
    pub(super) hire: Box<dyn Fn(Seat<J, T>) + Send + Sync>,
    /// Does a job in its submitter's place.
    pub(super) handle: Box<dyn Fn(J) -> Called<T> + Send + Sync>,
}

/// On cache lines of its own (in pairs, because the adjacent-line prefetcher pairs them): every submit writes there, and what
/// lies beside it is read for every job.
#[repr(align(128))]
struct Apart<V>(V);

/// Owned by an `Arc` in the pool's handle and in each worker.
pub(super) struct Shared<J, T> {
    /// No other pool of the process has it.
    pub(super) id: u64,
    queue: Apart<Mutex<Queue<J, T>>>,
    /// The job that was timed last was short, so some may be dealt at once.
    pub(super) brisk: AtomicBool,
    pub(super) rules: Rules<J, T>,
    /// Names of tenants become numbers; keyed, so that nobody can choose a name that falls together with another's.
    pub(super) names: RandomState,
    /// Told when the last worker has ended.
    pub(super) ended: Notify,
}

impl<J: Send + 'static, T: Send + 'static> Shared<J, T> {
    /// With `min` workers, which the caller starts.
    pub(super) fn new(capacity: usize, min: usize, max: usize, rules: Rules<J, T>) -> Arc<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        // Relaxed: only that no two are the same counts.
        let id = LAST.fetch_add(1, Relaxed) + 1;
        let shared = Arc::new(Self {
            id,
            queue: Apart(Mutex::new(Queue::new(capacity, Crew::new(min, max)))),
            brisk: AtomicBool::new(false),
            rules,
            names: RandomState::new(),
            ended: Notify::new(),
        });
        let lender: Weak<Self> = Arc::downgrade(&shared);
        inside::enlist(id, lender);
        shared
    }

    /// When it is too late to start a job that is submitted now, or `None` if it is too late already. Reads the clock
    /// only if there is such a moment.
    pub(super) fn start_by(&self, within: Option<Duration>) -> Option<Nanos> {
        match within.or(self.rules.start_within) {
            None => Some(NEVER),
            Some(Duration::ZERO) => None,
            Some(within) => Some(self.now().saturating_add(nanos(within))),
        }
    }

    /// The job with what was asked for it and with the context it is submitted in, unless it is too late or not wanted.
    #[inline(always)]
    pub(super) fn entry(
        &self,
        job: J,
        answer: Option<Answer<T>>,
        asked: Asked<T>,
    ) -> Result<Entry<J, T>, SubmitError<J>> {
        if asked.start_within.or(self.rules.start_within).is_some() || ambient::is_there() {
            return self.entry_on_terms(job, answer, asked);
        }
        Ok(Entry::new(job, answer, asked.tag))
    }

    #[inline(never)]
    fn entry_on_terms(
        &self,
        job: J,
        answer: Option<Answer<T>>,
        mut asked: Asked<T>,
    ) -> Result<Entry<J, T>, SubmitError<J>> {
        match ambient::to_take_along() {
            Ok(None) => {}
            Ok(context) => asked.tag.get_or_insert_default().context = context,
            Err(cause) => return Err(self.refuse(SubmitError::Interrupted(job, cause))),
        }
        match self.start_by(asked.start_within) {
            Some(NEVER) => Ok(Entry::new(job, answer, asked.tag)),
            Some(start_by) => {
                asked.tag.get_or_insert_default().start_by = start_by;
                Ok(Entry::new(job, answer, asked.tag))
            }
            None => Err(self.refuse(SubmitError::Expired(job))),
        }
    }

    /// Queues the job at once, if necessary in the place of another, or says why not. Does not count a refusal.
    #[inline(always)]
    pub(super) fn enter_now(self: &Arc<Self>, entry: Entry<J, T>) -> Result<u64, SubmitError<Entry<J, T>>> {
        let mut queue = self.lock_as_is();
        if queue.closed || queue.room() == 0 {
            return self.enter_full(queue, entry);
        }
        let (number, rouse) = queue.push(entry, || self.now());
        drop(queue);
        self.act(rouse);
        Ok(number)
    }

    /// There is no place: perhaps another job gives way.
    #[cold]
    fn enter_full<'q>(
        self: &'q Arc<Self>,
        mut queue: MutexGuard<'q, Queue<J, T>>,
        entry: Entry<J, T>,
    ) -> Result<u64, SubmitError<Entry<J, T>>> {
        // With a place that a worker's hand gave free this is all.
        if queue.recount() == 0 {
            queue.recall();
        }
        if queue.may_be_late() {
            queue = self.make_room(queue);
        }
        let Admitted { number, rouse, displaced } = queue.admit(entry, self.rules.overflow, || self.now())?;
        drop(queue);
        self.act(rouse);
        displaced.into_iter().for_each(|entry| self.shed(entry, Shed::Displaced));
        Ok(number)
    }

    /// Puts aside the jobs that came too late; their places go to those who wait, then to whom the lock is given back.
    #[cold]
    fn make_room<'q>(self: &'q Arc<Self>, mut queue: MutexGuard<'q, Queue<J, T>>) -> MutexGuard<'q, Queue<J, T>> {
        let late = queue.take_late(self.now());
        if late.is_empty() {
            return queue;
        }
        let heirs: Vec<Waker> = std::iter::from_fn(|| queue.grant()).collect();
        drop(queue);
        heirs.into_iter().for_each(Waker::wake);
        late.into_iter().for_each(|entry| self.shed(entry, Shed::Expired));
        self.lock()
    }

    /// Queues as many of the jobs as there is room for, under one lock, and calls `queued` with their numbers in order;
    /// the others stay in the iterator.
    pub(super) fn enter_many(
        self: &Arc<Self>,
        entries: &mut impl ExactSizeIterator<Item = Entry<J, T>>,
        mut queued: impl FnMut(u64),
    ) {
        let mut queue = self.lock_as_is();
        if queue.closed {
            return;
        }
        let (room, mut rouse) = (queue.recount(), None);
        for entry in entries.take(room) {
            let (number, wake) = queue.push(entry, || self.now());
            queued(number);
            rouse = rouse.or(wake);
        }
        drop(queue);
        self.act(rouse);
    }

    /// Answers a job that is not going to start, and hands it to the hook.
    pub(super) fn shed(self: &Arc<Self>, entry: Entry<J, T>, why: Shed) {
        let (job, reply) = entry.into_job_and_reply();
        if let Some(reply) = reply {
            discard(reply.answer(Err(why.clone().into()), true, self));
        }
        discard_job(job, why, self.rules.on_shed.as_deref());
    }

    /// Takes no new jobs from now on; queued ones still run.
    pub(super) fn close(&self) {
        let wakes = self.lock().close();
        wakes.into_iter().for_each(Waker::wake);
        self.ended.notify_waiters();
    }

    /// Changes who may work, under the lock, and then acts on what became possible.
    pub(super) fn adjust(self: &Arc<Self>, change: impl FnOnce(&mut Queue<J, T>)) {
        let mut queue = self.lock();
        change(&mut queue);
        let mut wakes: Vec<Waker> = std::iter::from_fn(|| queue.crew.settle()).collect();
        wakes.extend(queue.crew.wake_all());
        let rouse = queue.rouse();
        drop(queue);
        wakes.into_iter().for_each(Waker::wake);
        self.act(rouse);
    }

    /// Wakes or hires the worker that is to look for work.
    #[inline]
    pub(super) fn act(self: &Arc<Self>, rouse: Option<Rouse>) {
        if let Some(rouse) = rouse {
            self.act_on(rouse);
        }
    }

    #[inline(never)]
    fn act_on(self: &Arc<Self>, rouse: Rouse) {
        match rouse {
            Rouse::Wake(waker) => waker.wake(),
            Rouse::Hire(number, desk) => (self.rules.hire)(Seat::called(Arc::clone(self), number, desk)),
        }
    }
}

impl<J, T> Shared<J, T> {
    /// The queue, with every job that has not started in it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue<J, T>> {
        let mut queue = self.lock_as_is();
        queue.recall();
        queue
    }

    /// The queue, while workers may hold jobs that were dealt to them.
    ///
    /// No user code runs under the lock, so nothing can leave the queue half changed: poison is ignored.
    #[inline]
    pub(super) fn lock_as_is(&self) -> MutexGuard<'_, Queue<J, T>> {
        self.queue.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present on the pool's clock.
    pub(super) fn now(&self) -> Nanos {
        nanos(self.rules.clock.now())
    }

    pub(super) fn sleep_until(&self, at: Nanos) -> PoolSleep {
        self.rules.clock.sleep_until(Duration::from_nanos(at))
    }

    /// Counts a refusal.
    pub(super) fn refuse<K>(&self, refusal: SubmitError<K>) -> SubmitError<K> {
        self.lock_as_is().counts.rejected += 1;
        refusal
    }

    /// Closes and empties the queue. The jobs are dropped, or handed out, outside of the lock.
    pub(super) fn close_and_take(&self) -> Vec<Entry<J, T>> {
        let mut queue = self.lock();
        let wakes = queue.close();
        let entries = queue.take_all();
        drop(queue);
        wakes.into_iter().for_each(Waker::wake);
        self.ended.notify_waiters();
        entries
    }

    pub(super) fn totals(&self) -> Totals {
        tally::totals(self.lock_as_is().crew.desks())
    }

    pub(super) fn stats(&self) -> Stats {
        let queue = self.lock_as_is();
        let mut stats = Stats::new(tally::totals(queue.crew.desks()), queue.counts);
        (stats.queued, stats.waiting) = (queue.len(), queue.waiting());
        (stats.workers, stats.lent) = (queue.crew.live(), queue.crew.lent());
        stats
    }

    pub(super) fn ending(&self, outcome: &Result<T, JobError>) -> Ending {
        match (outcome, self.rules.failed_when) {
            (Err(JobError::Cancelled), _) => Ending::Cancelled,
            (Err(JobError::TimedOut), _) => Ending::TimedOut,
            (Err(_), _) => Ending::Panicked,
            (Ok(value), Some(failed)) if catch_unwind(AssertUnwindSafe(|| failed(value))).unwrap_or(true) => {
                Ending::Failed
            }
            (Ok(_), _) => Ending::Done,
        }
    }

    /// When the job, if it starts now, has run for too long. Reads the clock only if there is such a moment.
    #[inline]
    pub(super) fn run_by(&self, entry: &Entry<J, T>) -> Nanos {
        let within = entry.tag.as_ref().and_then(|tag| tag.run_within).or(self.rules.run_within);
        within.map_or(NEVER, |within| self.now().saturating_add(nanos(within)))
    }
}

/// To the hook, if there is one; a panic of hook or destructor ends here.
fn discard_job<J>(job: J, why: Shed, hook: Option<&(dyn Fn(J, Shed) + Send + Sync)>) {
    drop(catch_unwind(AssertUnwindSafe(|| match hook {
        Some(hook) => hook(job, why),
        None => drop(job),
    })));
}

impl<J: Send + 'static, T: Send + 'static> Lender for Shared<J, T> {
    fn lend(self: Arc<Self>, job: Inside) -> bool {
        let mut queue = self.lock();
        let lent = queue.crew.lend(job.worker, job.job);
        let (heir, rouse) = (queue.crew.settle(), queue.rouse());
        drop(queue);
        heir.into_iter().for_each(Waker::wake);
        self.act(rouse);
        lent
    }

    fn retake(&self, job: Inside) {
        loop {
            let mut waker = Some(park::waker());
            if self.lock().crew.retake(job.worker, job.job, &mut waker) {
                return;
            }
            drop(waker);
            blocking_here(thread::park);
        }
    }
}

impl<J, T> Drop for Shared<J, T> {
    fn drop(&mut self) {
        inside::strike(self.id);
    }
}

impl<J, T> fmt::Debug for Shared<J, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
