//! One clock moves everything that waits: limiter, retry, breaker, hedge, both pools, a group and a context, on either runtime.
//!
//! The clock says itself when it is needed next, so the test is a timetable: at each time the next one is asked for, the clock is
//! set to it, and what is due then has to happen. Nothing takes real time.
#![cfg(all(feature = "groups", feature = "pools", feature = "resilience"))]
#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

use tidemill::{
    Context, TaskGroup,
    clock::{Clock, ManualClock},
    context::Cause,
    pools::{JobError, Manager, ResourcePool, Spawner, WorkerPool},
    resilience::{CircuitBreaker, Hedge, Jitter, Rate, RateLimiter, Refused, Retry},
};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What happened, and at what time on the clock.
#[derive(Clone)]
struct Diary {
    clock: ManualClock,
    lines: Arc<Mutex<Vec<(&'static str, u64)>>>,
}

impl Diary {
    /// Waits in a task of its own, and writes down when that was over. It is here that `wait` asks the clock for `due`, before all
    /// others so far.
    async fn wait(&self, due: u64, name: &'static str, wait: impl Future<Output = ()> + Send + 'static) {
        let diary = self.clone();
        Spawner::current().unwrap().spawn(async move {
            wait.await;
            let at = u64::try_from(diary.clock.now().as_millis()).unwrap();
            diary.lines.lock().unwrap().push((name, at));
        });
        self.asked_for(due).await;
    }

    /// The clock is next needed at `due`.
    async fn asked_for(&self, due: u64) {
        until(&format!("a timer at {due} ms, {:?}", self.clock), || self.clock.next_due() == Some(ms(due))).await;
    }

    fn has(&self, name: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|(line, _)| *line == name)
    }
}

/// Lets others run until that is so.
async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let began = Instant::now();
    while !reached() {
        assert!(began.elapsed() < Duration::from_secs(60), "in vain: {what}");
        let mut asked = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// Counts what is alive.
struct Connections(Arc<AtomicUsize>);

struct Connection(Arc<AtomicUsize>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Manager for Connections {
    type Resource = Connection;
    type Error = Infallible;

    async fn create(&self) -> Result<Connection, Infallible> {
        self.0.fetch_add(1, Relaxed);
        Ok(Connection(Arc::clone(&self.0)))
    }
}

async fn works(diary: &Diary, context: &Context) {
    let clock = &diary.clock;
    let alive = Arc::new(AtomicUsize::new(0));
    let pool = ResourcePool::builder(Connections(Arc::clone(&alive))).idle_timeout(ms(400)).clock(clock.clone());
    let pool = pool.build().unwrap();
    drop(pool.get().await.unwrap());
    let closed = async move {
        until("the sweep", || alive.load(Relaxed) == 0).await;
        drop(pool);
    };
    diary.wait(200, "the idle connection is closed", closed).await;

    let group = TaskGroup::<(), String>::builder().context(context.clone()).timeout(ms(190)).build().unwrap();
    group.spawn(pending()).await.unwrap();
    diary.wait(190, "the group is cut", async move { drop(group.wait().await.unwrap_err()) }).await;

    let workers = WorkerPool::builder().workers(1).run_within(ms(180)).clock(clock.clone()).build(|()| pending::<()>());
    let cut = async move {
        let workers = workers.unwrap();
        let job = workers.submit(()).await.unwrap();
        assert!(matches!(job.await, Err(JobError::TimedOut)));
    };
    diary.wait(180, "the job is cut", cut).await;
}

async fn guards(diary: &Diary, context: &Context) {
    let clock = &diary.clock;
    let breaker = CircuitBreaker::builder().failures_in_a_row(9).open_for(ms(160)).open_jitter(0).clock(clock.clone());
    let breaker = breaker.build().unwrap();
    breaker.trip();
    diary.wait(160, "the breaker lets one through", async move { drop(breaker.acquire().await.unwrap()) }).await;

    let retry = Retry::constant(ms(140)).jitter(Jitter::None).build().unwrap().clock(clock.clone());
    let second = async move {
        retry.run(async |attempt| if attempt.number == 1 { Err("down") } else { Ok(()) }).await.unwrap();
    };
    diary.wait(140, "the second try", second).await;

    let (hedge, own) = (Hedge::after(ms(120)).build().unwrap(), clock.clone());
    let hedged = async move {
        let hedging = hedge.plain().clock(own);
        let answer =
            hedging.run(
                async |attempt| {
                    if attempt.is_hedge() { Ok::<_, Infallible>(attempt.number) } else { pending().await }
                },
            );
        assert_eq!(answer.await.unwrap(), 2);
    };
    diary.wait(120, "the hedge answers", hedged).await;

    let limiter = |per_second| RateLimiter::builder().rate(Rate::per_second(per_second)).clock(clock.clone()).build();
    let (limiter, slow) = (limiter(10).unwrap(), limiter(1).unwrap());
    limiter.try_acquire(1).unwrap();
    slow.try_acquire(1).unwrap();
    diary.wait(100, "a token", context.scope(async move { limiter.acquire(1).await.unwrap() })).await;
    let refused = context.scope(slow.acquire(1)).await;
    assert!(matches!(refused, Err(Refused::Later { .. })), "the context ends before: {refused:?}");
}

/// The sweep of the resource pool comes twice in its idle time; the other times are of one event each.
const TIMETABLE: &[(u64, Option<&str>)] = &[
    (100, Some("a token")),
    (120, Some("the hedge answers")),
    (140, Some("the second try")),
    (160, Some("the breaker lets one through")),
    (180, Some("the job is cut")),
    (190, Some("the group is cut")),
    (200, None),
    (400, Some("the idle connection is closed")),
    (500, Some("the context ends")),
];

async fn all_on_one_clock() {
    let clock = ManualClock::new();
    let diary = Diary { clock: clock.clone(), lines: Arc::default() };
    let context = Context::on(&clock).with_timeout(ms(500));
    let ends = context.clone();
    let ends = async move { assert_eq!(ends.cancelled().await, Cause::DeadlineExceeded) };
    diary.wait(500, "the context ends", ends).await;
    works(&diary, &context).await;
    guards(&diary, &context).await;
    for &(at, event) in TIMETABLE {
        diary.asked_for(at).await;
        clock.set(ms(at));
        if let Some(event) = event {
            until(event, || diary.has(event)).await;
        }
    }
    let expected: Vec<_> = TIMETABLE.iter().filter_map(|&(at, event)| Some((event?, at))).collect();
    assert_eq!(*diary.lines.lock().unwrap(), expected);
}

#[test]
fn one_clock_drives_everything_on_tidemill() {
    let runtime = tidemill::Runtime::builder().procs(tidemill::Procs::Fixed(2)).build().unwrap();
    runtime.block_on(runtime.spawn(all_on_one_clock())).unwrap();
}

#[test]
fn one_clock_drives_everything_on_tokio() {
    // Without its time driver: nobody needs tokio's timers.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(runtime.spawn(all_on_one_clock())).unwrap();
}
