//! The small world of the model: a pool, its workers, its submitters, and a ledger of what became of each job.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tidemill_clock::SharedClock;

use super::super::{
    WorkerPool,
    overflow::Overflow,
    run::work,
    shared::{Rules, Shared},
    ticket::JobError,
};
use crate::{Clock, Spawner};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Is ready at once.
    Quick,
    /// Is suspended once.
    Yields,
    /// Submits so many quick jobs, then waits for them.
    Nests(u32),
    /// Submits a job that nests, and waits for it.
    NestsDeep,
    /// Ends when a second one of its kind has started.
    Meets,
    /// Ends when it is cancelled.
    Stays,
}

/// What happens from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Submit(Plan),
    /// The submitter of that job goes away, whatever it waits for.
    Leave(u32),
    Cancel(u32),
    Resize(usize),
    Pause,
    Resume,
    Close,
    /// Whoever sleeps has slept enough.
    Tick,
}

/// What became of one job.
#[derive(Debug, Default)]
struct Fate {
    number: u64,
    accepted: bool,
    refused: bool,
    started: u32,
    shed: u32,
    /// It was queued and ends only if it is cancelled, which did not happen yet.
    stays: bool,
    answer: Option<Result<u32, &'static str>>,
}

/// The fates by job, and who waits for company.
#[derive(Debug, Default)]
struct Books {
    fates: BTreeMap<u32, Fate>,
    /// Jobs that met nobody yet: whom to wake.
    lonely: Option<Arc<Mutex<Option<Waker>>>>,
}

impl Books {
    fn of(&mut self, id: u32) -> &mut Fate {
        self.fates.entry(id).or_default()
    }
}

type Job = (u32, Plan);
type Pool = WorkerPool<Job, u32>;
type Ledger = Arc<Mutex<Books>>;
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The settings of a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) workers: (usize, usize),
    pub(super) queue: usize,
    pub(super) overflow: Overflow,
    /// Whether workers are dealt all the jobs there are, when they may be dealt any.
    pub(super) deals: bool,
}

/// A task, and whether it was woken since its last poll.
struct Slot {
    task: Option<Task>,
    woken: Arc<Flag>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        // Relaxed: the model has one thread.
        self.0.store(true, Relaxed);
    }
}

/// Sleeps end at a tick.
#[derive(Clone, Debug, Default)]
struct Ticks(Arc<Mutex<(u64, Vec<Waker>)>>);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_secs(self.0.lock().unwrap().0)
    }

    fn sleep_until(&self, at: Duration) -> impl Future<Output = ()> {
        let ticks = self.clone();
        std::future::poll_fn(move |cx| {
            let mut face = ticks.0.lock().unwrap();
            if Duration::from_secs(face.0) >= at {
                return Poll::Ready(());
            }
            face.1.push(cx.waker().clone());
            Poll::Pending
        })
    }
}

pub(super) struct World {
    pool: Arc<Pool>,
    shared: Arc<Shared<Job, u32>>,
    ledger: Ledger,
    ticks: Ticks,
    hired: Arc<Mutex<Vec<Task>>>,
    slots: Vec<Slot>,
    /// Which slot holds the submitter of which job.
    submitters: Vec<usize>,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        // The pool's handle names a runtime; nothing of ours ever runs there.
        static NOBODY: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
        let nobody = NOBODY.get_or_init(|| tokio::runtime::Builder::new_current_thread().build().unwrap());
        let (hired, ticks): (Arc<Mutex<Vec<Task>>>, Ticks) = Default::default();
        let (ledger, own): (Ledger, Arc<OnceLock<Weak<Pool>>>) = Default::default();
        let (wrote, heap, inside) = (Arc::clone(&ledger), Arc::clone(&ledger), Arc::clone(&own));
        let handler = Arc::new(move |job| {
            let pool = inside.get().and_then(Weak::upgrade).expect("the pool outlives its jobs");
            run(pool, Arc::clone(&wrote), job)
        });
        let (there, staff) = (Arc::clone(&handler), Arc::clone(&hired));
        let rules = Rules {
            overflow: setting.overflow,
            start_within: None,
            run_within: None,
            idle_expiry: Duration::from_secs(1),
            clock: SharedClock::new(ticks.clone()),
            failed_when: None,
            on_shed: Some(Box::new(move |(id, _): Job, _| heap.lock().unwrap().of(id).shed += 1)),
            hire: Box::new(move |seat| staff.lock().unwrap().push(Box::pin(work(seat, Arc::clone(&there))))),
            handle: Box::new(|_| unreachable!("no caller runs")),
        };
        let shared = Shared::new(setting.queue, setting.workers.0, setting.workers.1, rules);
        shared.brisk.store(setting.deals, Relaxed);
        shared.lock().deals.leaves = false;
        for _ in 0..setting.workers.0 {
            let (number, desk) = shared.lock().crew.hire();
            (shared.rules.hire)(super::super::run::Seat::new(Arc::clone(&shared), number, desk));
        }
        let spawner = Spawner::from(nobody.handle().clone());
        let pool = Arc::new(WorkerPool { shared: Arc::clone(&shared), spawner });
        own.set(Arc::downgrade(&pool)).expect("set once");
        Self { pool, shared, ledger, ticks, hired, slots: Vec::new(), submitters: Vec::new() }
    }

    /// Runs the events in their order, between any polls that `choose` prefers, until nobody can go on; then ends a pause
    /// and closes the pool, and does so again. `choose(n)` gives a number below `n`. Returns how many jobs were dealt.
    pub(super) fn play(mut self, events: &[Event], mut choose: impl FnMut(usize) -> usize) -> u64 {
        let mut events = events.iter().copied().chain([Event::Resume]).peekable();
        loop {
            self.settle_in();
            let ready: Vec<usize> = (0..self.slots.len()).filter(|index| self.slots[*index].is_ready()).collect();
            let choices = ready.len() + usize::from(events.peek().is_some());
            if choices == 0 {
                if self.cancel_who_stays() {
                    continue;
                }
                break;
            }
            let before = self.shared.lock_as_is().crew.busy();
            match ready.get(choose(choices)) {
                Some(index) => self.poll(*index),
                None => self.happen(events.next().expect("it was peeked at")),
            }
            let queue = self.shared.lock_as_is();
            queue.check();
            assert!(queue.crew.busy() <= before.max(queue.crew.size().1), "a slot came from nowhere");
        }
        self.check_settled();
        self.shared.close();
        while let Some(index) = (0..self.slots.len()).find(|index| self.slots[*index].is_ready()) {
            self.poll(index);
            self.settle_in();
        }
        assert_eq!(self.shared.lock().crew.live(), 0, "a worker stays in a closed pool");
        self.check_ledger();
        self.shared.lock_as_is().deals.ever
    }

    /// New workers become tasks.
    fn settle_in(&mut self) {
        let hired = std::mem::take(&mut *self.hired.lock().unwrap());
        self.slots.extend(hired.into_iter().map(Slot::new));
    }

    fn poll(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.woken.0.store(false, Relaxed);
        let waker = Waker::from(Arc::clone(&slot.woken));
        let task = slot.task.as_mut().expect("only living tasks are ready");
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            slot.task = None;
        }
    }

    fn happen(&mut self, event: Event) {
        let shared = Arc::clone(&self.shared);
        match event {
            Event::Submit(plan) => {
                let id = self.submitters.len() as u32;
                self.submitters.push(self.slots.len());
                let task = submit(Arc::clone(&self.pool), Arc::clone(&self.ledger), (id, plan));
                self.slots.push(Slot::new(Box::pin(task)));
            }
            Event::Leave(id) => {
                if let Some(slot) = self.submitters.get(id as usize) {
                    self.slots[*slot].task = None;
                }
            }
            Event::Cancel(id) => {
                let number = self.ledger.lock().unwrap().fates.get(&id).map_or(0, |fate| fate.number);
                if number != 0 {
                    shared.cancel_members(&[number]);
                }
            }
            Event::Resize(max) => shared.adjust(|queue| queue.crew.resize(queue.crew.size().0.min(max), max)),
            Event::Pause => shared.lock().paused = true,
            Event::Resume => shared.adjust(|queue| queue.paused = false),
            Event::Close => shared.close(),
            Event::Tick => {
                let mut face = self.ticks.0.lock().unwrap();
                face.0 += 1;
                let due = std::mem::take(&mut face.1);
                drop(face);
                due.into_iter().for_each(Waker::wake);
            }
        }
    }

    /// Cancels the jobs that end in no other way; whether there were any.
    fn cancel_who_stays(&self) -> bool {
        let stay: Vec<u64> = {
            let mut ledger = self.ledger.lock().unwrap();
            let stay =
                ledger.fates.values_mut().filter_map(|fate| std::mem::take(&mut fate.stays).then_some(fate.number));
            stay.collect()
        };
        self.shared.cancel_members(&stay);
        !stay.is_empty()
    }

    /// Nobody can go on, the pool is not paused: then nobody has anything left to do.
    fn check_settled(&self) {
        for (id, slot) in self.submitters.iter().enumerate() {
            assert!(self.slots[*slot].task.is_none(), "the submitter of job {id} waits for ever: {:?}", self.shared);
        }
        let stats = self.shared.stats();
        let left = (stats.queued, stats.waiting, stats.running, stats.lent);
        assert_eq!(left, (0, 0, 0, 0), "{stats:?}");
    }

    /// What became of every job.
    fn check_ledger(&self) {
        for (id, fate) in &self.ledger.lock().unwrap().fates {
            assert!(fate.started <= 1, "job {id} started twice: {fate:?}");
            assert!(!fate.refused || fate.started + fate.shed == 0, "job {id} was refused: {fate:?}");
            assert!(fate.started + fate.shed <= 1, "job {id} started, and was put aside: {fate:?}");
            if fate.accepted {
                assert_eq!(fate.started + fate.shed, 1, "job {id} is lost: {fate:?}");
            }
            match fate.answer {
                Some(Ok(answer)) => assert!(answer == *id && fate.started == 1, "job {id}: {fate:?}"),
                Some(Err("displaced")) => assert_eq!(fate.shed, 1, "job {id}: {fate:?}"),
                Some(Err(_)) | None => {}
            }
        }
    }
}

impl Slot {
    fn new(task: Task) -> Self {
        let woken = Arc::new(Flag::default());
        woken.0.store(true, Relaxed);
        Self { task: Some(task), woken }
    }

    fn is_ready(&self) -> bool {
        self.task.is_some() && self.woken.0.load(Relaxed)
    }
}

/// Submits a job, waits for its ticket, and keeps the books.
async fn submit(pool: Arc<Pool>, ledger: Ledger, job: Job) {
    let note = |note: &dyn Fn(&mut Fate)| note(ledger.lock().unwrap().of(job.0));
    let ticket = match pool.submit(job).await {
        Ok(ticket) => ticket,
        Err(_) => return note(&|fate| fate.refused = true),
    };
    let number = ticket.number_in(pool.shared.id).expect("it is queued");
    note(&|fate| (fate.accepted, fate.number, fate.stays) = (true, number, job.1 == Plan::Stays));
    let answer = ticket.await;
    note(&|fate| {
        fate.answer = Some(match &answer {
            Ok(id) => Ok(*id),
            Err(JobError::Displaced) => Err("displaced"),
            Err(_) => Err("other"),
        });
    });
}

/// Does a job. Boxed, because some submit others.
fn run(pool: Arc<Pool>, ledger: Ledger, (id, plan): Job) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move {
        ledger.lock().unwrap().of(id).started += 1;
        let children = match plan {
            Plan::Quick => vec![],
            Plan::Yields => return yields(id).await,
            Plan::Stays => std::future::pending().await,
            Plan::Meets => {
                meet(&ledger).await;
                vec![]
            }
            Plan::Nests(children) => vec![Plan::Quick; children as usize],
            Plan::NestsDeep => vec![Plan::Nests(1)],
        };
        let children: Vec<Job> = (1..).zip(children).map(|(child, plan)| ((id + 1) * 100 + child, plan)).collect();
        for child in children {
            submit(Arc::clone(&pool), Arc::clone(&ledger), child).await;
        }
        // A parent works on after its wait, with a slot.
        if matches!(plan, Plan::Nests(_) | Plan::NestsDeep) { yields(id).await } else { id }
    })
}

/// Waits for a second one to come here.
async fn meet(ledger: &Ledger) {
    let mine: Arc<Mutex<Option<Waker>>> = Arc::default();
    let other = {
        let mut books = ledger.lock().unwrap();
        let other = books.lonely.take();
        books.lonely = if other.is_some() { None } else { Some(Arc::clone(&mine)) };
        other
    };
    if let Some(other) = other {
        let waker = other.lock().unwrap().take();
        return waker.into_iter().for_each(Waker::wake);
    }
    // Whoever comes takes our place off the books, and so drops its count.
    std::future::poll_fn(|cx| {
        *mine.lock().unwrap() = Some(cx.waker().clone());
        if Arc::strong_count(&mine) == 1 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Is suspended once.
async fn yields(id: u32) -> u32 {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(id);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
