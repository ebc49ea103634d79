//! The hot paths. One that joins is a line in [`PATHS`] and a function that makes what it needs.

use std::{
    convert::Infallible,
    future::{Future, pending, ready},
    hash::{BuildHasherDefault, DefaultHasher},
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_lite::future::block_on;
use tidemill::{
    Context, Procs, Runtime, TaskGroup,
    pools::{Manager, ObjectPool, ResourcePool, WorkerPool},
    resilience::{
        AdaptiveLimit, AdaptivePermit, Aimd, Bulkhead, CircuitBreaker, Clock, KeyedRateLimiter, Rate, RateLimiter,
        Retry,
    },
};
use tokio::sync::oneshot;

/// A number of operations, as often as one likes.
type Ops = Box<dyn FnMut(u64)>;

pub(crate) struct Path {
    pub(crate) name: &'static str,
    pub(crate) start: fn() -> Ops,
}

pub(crate) const PATHS: &[Path] = &[
    Path { name: "spawn-join", start: spawn_join },
    Path { name: "yield", start: yields },
    Path { name: "wake", start: wake },
    Path { name: "blocking", start: blocking },
    Path { name: "object", start: object },
    Path { name: "limiter-allowed", start: limiter_allowed },
    Path { name: "limiter-refused", start: limiter_refused },
    Path { name: "limiter-keyed", start: limiter_keyed },
    Path { name: "retry-first-try", start: retry },
    Path { name: "breaker-closed", start: breaker },
    Path { name: "bulkhead", start: bulkhead },
    Path { name: "adaptive-limit", start: adaptive_limit },
    Path { name: "context-check", start: context_check },
    Path { name: "context-child", start: context_child },
    Path { name: "group-child", start: group_child },
    Path { name: "worker-job", start: worker_job },
    Path { name: "resource", start: resource },
];

/// No permit is to change hands while valgrind lets one thread run at a time.
const NEVER: Duration = Duration::from_secs(3_600);

/// Runs `main` as a task of a runtime with one permit, for each lap.
fn on_runtime<F>(main: impl Fn(u64) -> F + 'static) -> Ops
where
    F: Future<Output = ()> + Send + 'static,
{
    let builder = Runtime::builder().procs(Procs::Fixed(1)).slice(NEVER).blocked_after(NEVER);
    let runtime = builder.build().expect("there are threads");
    Box::new(move |ops| runtime.block_on(runtime.spawn(main(ops))).expect("it does not panic"))
}

fn spawn_join() -> Ops {
    on_runtime(|ops| async move {
        for _ in 0..ops {
            tidemill::spawn(async {}).await.expect("it does not panic");
        }
    })
}

fn yields() -> Ops {
    on_runtime(|ops| async move {
        for _ in 0..ops {
            tidemill::yield_now().await;
        }
    })
}

/// A task waits, another wakes it: a oneshot each way, and so two wakes, two allocations of tokio's, and a spawn.
fn wake() -> Ops {
    on_runtime(|ops| async move {
        for _ in 0..ops {
            let (ping, pinged) = oneshot::channel();
            let (pong, ponged) = oneshot::channel();
            drop(tidemill::spawn(async move {
                pong.send(()).expect("it is waited for");
                pinged.await.expect("it is sent");
            }));
            ponged.await.expect("it is sent");
            ping.send(()).expect("it is waited for");
        }
    })
}

fn blocking() -> Ops {
    on_runtime(|ops| async move {
        for i in 0..ops {
            black_box(tidemill::blocking(|| black_box(i)));
        }
    })
}

fn object() -> Ops {
    let pool = ObjectPool::builder(|| Vec::<u8>::with_capacity(1024)).build().expect("the options are valid");
    Box::new(move |ops| (0..ops).for_each(|_| drop(black_box(pool.get()))))
}

/// Allowed for ever, as far as a lap can tell.
fn limiter_allowed() -> Ops {
    let plenty = 1_000_000_000;
    let limiter = RateLimiter::builder().rate(Rate::per_second(plenty)).burst(plenty).build();
    let limiter = limiter.expect("the options are valid");
    Box::new(move |ops| {
        for _ in 0..ops {
            for _ in 0..TIMES {
                black_box(limiter.try_acquire(1).is_ok());
            }
        }
    })
}

/// What the feature `slowed` slows down, for the gate to find.
const TIMES: u32 = if cfg!(feature = "slowed") { 2 } else { 1 };

fn limiter_refused() -> Ops {
    let limiter = RateLimiter::builder().rate(Rate::per_day(1)).burst(1).build().expect("the options are valid");
    Box::new(move |ops| {
        for _ in 0..ops {
            black_box(limiter.try_acquire(1).is_ok());
        }
    })
}

/// One key after the other, hashed without chance, because how full a group of the table is decides what a look-up costs; and without
/// leases, because what they save depends on the clock.
fn limiter_keyed() -> Ops {
    let plenty = 1_000_000_000;
    let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_second(plenty)).burst(plenty);
    let builder = builder.max_keys(1_000).lease_time(Duration::ZERO);
    let limiter = builder.hasher(BuildHasherDefault::<DefaultHasher>::new()).build();
    let limiter = limiter.expect("the options are valid");
    Box::new(move |ops| {
        for i in 0..ops {
            black_box(limiter.try_acquire(&black_box(i % 1_000), 1).is_ok());
        }
    })
}

fn retry() -> Ops {
    let policy = Retry::exponential(Duration::from_millis(10)).build().expect("the options are valid");
    Box::new(move |ops| {
        block_on(async {
            for i in 0..ops {
                let result = policy.run(async |_| Ok::<_, ()>(black_box(i))).await;
                black_box(result.is_ok());
            }
        });
    })
}

fn breaker() -> Ops {
    let breaker = CircuitBreaker::builder().failure_rate(50).build().expect("the options are valid");
    Box::new(move |ops| {
        for i in 0..ops {
            black_box(breaker.call_blocking(|| Ok::<_, ()>(black_box(i))).is_ok());
        }
    })
}

fn bulkhead() -> Ops {
    let bulkhead = Bulkhead::builder(64).build().expect("the options are valid");
    // After this the thread keeps what it gives back.
    (0..5_000).for_each(|_| drop(black_box(bulkhead.try_acquire())));
    Box::new(move |ops| (0..ops).for_each(|_| drop(black_box(bulkhead.try_acquire()))))
}

/// A microsecond later at each look, for as many instructions always.
#[derive(Clone, Debug, Default)]
struct Ticking(Arc<AtomicU64>);

impl Clock for Ticking {
    type Instant = Duration;

    fn now(&self) -> Duration {
        // Relaxed: one thread. Not an addition, which would be one more of what is counted.
        let now = self.0.load(Relaxed) + 1;
        self.0.store(now, Relaxed);
        Duration::from_micros(now)
    }

    async fn sleep_until(&self, _: Duration) {
        pending::<()>().await;
    }
}

/// In windows of 10,000 calls, which threads add up for themselves after the first.
fn adaptive_limit() -> Ops {
    let builder = AdaptiveLimit::builder(Aimd::default()).window(10, Duration::from_millis(20));
    let limit = builder.probe_every(0).clock(Ticking::default()).build().expect("the options are valid");
    let call = move || black_box(limit.try_acquire().map(AdaptivePermit::success)).is_ok();
    (0..20_000).for_each(|_| assert!(call()));
    Box::new(move |ops| (0..ops).for_each(|_| assert!(call())))
}

fn context_check() -> Ops {
    let context = Context::background().child();
    Box::new(move |ops| {
        for _ in 0..ops {
            black_box(black_box(&context).check().is_ok());
        }
    })
}

fn context_child() -> Ops {
    let context = Context::background().child();
    Box::new(move |ops| (0..ops).for_each(|_| drop(black_box(context.child()))))
}

/// Children in groups of a hundred: a spawn, a join, and what the group adds.
fn group_child() -> Ops {
    on_runtime(|ops| async move {
        for _ in 0..ops / 100 {
            let group = TaskGroup::<u64, &str>::new();
            for i in 0..100 {
                group.spawn(async move { Ok(black_box(i)) }).await.expect("nobody cancels");
            }
            assert_eq!(group.wait().await.expect("no child fails").len(), 100);
        }
    })
}

/// Jobs in batches of a hundred for one worker, each with a ticket for its result.
fn worker_job() -> Ops {
    on_runtime(|ops| async move {
        let pool = WorkerPool::builder().workers(1).build_sync(|job: u64| job).expect("the options are valid");
        let mut tickets = Vec::with_capacity(100);
        for _ in 0..ops / 100 {
            for job in 0..100 {
                tickets.push(pool.submit(black_box(job)).await.expect("it is open"));
            }
            for ticket in tickets.drain(..) {
                black_box(ticket.await.expect("no job panics"));
            }
        }
    })
}

/// An idle one is taken and given back.
fn resource() -> Ops {
    on_runtime(|ops| async move {
        let pool = ResourcePool::builder(Numbers).max(2).build().expect("the options are valid");
        for _ in 0..ops {
            black_box(*pool.get().await.expect("it is open"));
        }
    })
}

struct Numbers;

impl Manager for Numbers {
    type Resource = u64;
    type Error = Infallible;

    fn create(&self) -> impl Future<Output = Result<u64, Infallible>> + Send {
        ready(Ok(7))
    }
}
