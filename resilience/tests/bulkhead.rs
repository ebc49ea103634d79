//! What a bulkhead promises: in order, bounded, never a permit more or less; with cancels everywhere.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use proptest::prelude::*;
use tidemill_resilience::{Bulkhead, BulkheadFull, BulkheadPermit, Clock, InvalidBulkhead, ManualClock};

const SECOND: Duration = Duration::from_secs(1);

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn who_waits_is_served_in_order_and_nobody_overtakes() {
    let bulkhead = Bulkhead::builder(3).build().unwrap();
    let all = bulkhead.try_acquire_many(3).unwrap();
    let mut large = pin!(bulkhead.acquire_many(3));
    let mut small = pin!(bulkhead.acquire());
    assert!(poll_once(large.as_mut()).is_pending() && poll_once(small.as_mut()).is_pending());
    drop(all);
    assert_eq!(bulkhead.try_acquire().unwrap_err(), BulkheadFull::Busy, "set aside for the large one");
    assert!(poll_once(small.as_mut()).is_pending());
    let Poll::Ready(Ok(large)) = poll_once(large.as_mut()) else { panic!("all three are free") };
    assert_eq!(large.permits(), 3);
    drop(large);
    assert!(poll_once(small.as_mut()).is_ready());
}

#[test]
fn a_large_one_that_leaves_lets_the_small_ones_behind_it_pass() {
    let bulkhead = Bulkhead::builder(2).build().unwrap();
    let _one = bulkhead.try_acquire().unwrap();
    let mut small = pin!(bulkhead.acquire());
    {
        let mut large = pin!(bulkhead.acquire_many(2));
        assert!(poll_once(large.as_mut()).is_pending());
        assert!(poll_once(small.as_mut()).is_pending());
    }
    assert!(poll_once(small.as_mut()).is_ready());
    assert_eq!(bulkhead.stats().cancelled, 1);
}

#[test]
fn higher_priorities_go_first() {
    let bulkhead = Bulkhead::builder(1).build().unwrap();
    let held = bulkhead.try_acquire().unwrap();
    let mut waiting: Vec<_> =
        [10, 128, 200, 200].map(|priority| Box::pin(bulkhead.acquire_at(1, priority))).into_iter().collect();
    assert!(waiting.iter_mut().all(|future| poll_once(future.as_mut()).is_pending()));
    drop(held);
    for place in [2, 3, 1, 0] {
        let ready: Vec<_> = waiting.iter_mut().map(|future| poll_once(future.as_mut())).collect();
        let first = ready.iter().position(Poll::is_ready);
        assert_eq!(first, Some(place));
        waiting[place] = Box::pin(bulkhead.acquire_at(1, 0));
    }
}

#[test]
fn the_line_is_bounded_in_length_and_in_time() {
    let clock = ManualClock::new();
    let bulkhead = Bulkhead::builder(1).max_waiters(1).max_wait(SECOND).clock(clock.clone()).build().unwrap();
    let held = bulkhead.try_acquire().unwrap();
    let mut waiting = pin!(bulkhead.acquire());
    assert!(poll_once(waiting.as_mut()).is_pending());
    let Poll::Ready(refused) = poll_once(pin!(bulkhead.acquire())) else { panic!("at once") };
    assert_eq!(refused.unwrap_err(), BulkheadFull::LineFull { waiters: 1 });
    clock.advance(SECOND);
    let Poll::Ready(timed_out) = poll_once(waiting.as_mut()) else { panic!("its time is over") };
    assert_eq!(timed_out.unwrap_err(), BulkheadFull::TimedOut { waited: SECOND });
    drop(held);
    let stats = bulkhead.stats();
    assert_eq!((stats.in_use, stats.waiting, stats.waited, stats.refused, stats.timed_out), (0, 0, 1, 1, 1));
}

#[test]
fn a_limit_changed_under_load_holds_for_those_in_line() {
    let bulkhead = Bulkhead::builder(1).build().unwrap();
    let held = bulkhead.try_acquire().unwrap();
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(bulkhead.acquire())).collect();
    assert!(waiting.iter_mut().all(|future| poll_once(future.as_mut()).is_pending()));
    bulkhead.resize(3).unwrap();
    let mut permits: Vec<_> = waiting.iter_mut().map(|future| poll_once(future.as_mut())).collect();
    assert!(permits[0].is_ready() && permits[1].is_ready() && permits[2].is_pending());
    bulkhead.resize(1).unwrap();
    assert_eq!((bulkhead.stats().limit, bulkhead.stats().in_use), (1, 3));
    drop(held);
    drop(permits.remove(0));
    assert!(poll_once(waiting[2].as_mut()).is_pending(), "two of three came back, one is allowed");
    drop(permits.remove(0));
    assert!(poll_once(waiting[2].as_mut()).is_ready());
    assert_eq!(bulkhead.resize(0), Err(InvalidBulkhead::NoLimit));
}

#[test]
fn what_will_never_fit_is_sent_away() {
    let bulkhead = Bulkhead::builder(4).build().unwrap();
    let _held = bulkhead.try_acquire().unwrap();
    let Poll::Ready(refused) = poll_once(pin!(bulkhead.acquire_many(5))) else { panic!("at once") };
    assert_eq!(refused.unwrap_err(), BulkheadFull::TooLarge { asked: 5, limit: 4 });
    let mut waiting = pin!(bulkhead.acquire_many(4));
    assert!(poll_once(waiting.as_mut()).is_pending());
    let mut behind = pin!(bulkhead.acquire());
    assert!(poll_once(behind.as_mut()).is_pending());
    bulkhead.resize(3).unwrap();
    let Poll::Ready(refused) = poll_once(waiting.as_mut()) else { panic!("it was sent away") };
    assert_eq!(refused.unwrap_err(), BulkheadFull::TooLarge { asked: 4, limit: 3 });
    assert!(poll_once(behind.as_mut()).is_ready());
}

#[test]
fn closing_sends_away_who_waits_and_takes_back_what_is_out() {
    let bulkhead = Arc::new(Bulkhead::builder(1).build().unwrap());
    let held = bulkhead.try_acquire_owned().unwrap();
    let mut waiting = pin!(bulkhead.acquire_owned());
    assert!(poll_once(waiting.as_mut()).is_pending());
    bulkhead.close();
    let Poll::Ready(refused) = poll_once(waiting.as_mut()) else { panic!("sent away") };
    assert_eq!(refused.unwrap_err(), BulkheadFull::Closed);
    drop(held);
    assert!(bulkhead.is_closed() && bulkhead.try_acquire().is_err());
    assert_eq!((bulkhead.stats().in_use, bulkhead.stats().waiting), (0, 0));
}

#[test]
fn part_of_a_permit_can_be_given_back() {
    let bulkhead = Bulkhead::builder(3).build().unwrap();
    let mut permit = bulkhead.try_acquire_many(3).unwrap();
    permit.give_back(2);
    assert_eq!((permit.permits(), bulkhead.stats().in_use), (1, 1));
    permit.give_back(2);
    drop(permit);
    assert_eq!(bulkhead.stats().in_use, 0);
}

/// A permit that a thread keeps for itself is free for everybody.
#[test]
fn what_other_threads_keep_is_free() {
    const LIMIT: u32 = 2;
    let bulkhead = Bulkhead::builder(LIMIT).build().unwrap();
    for round in 0..20 {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let permits = (0..3000).filter_map(|_| bulkhead.try_acquire().ok());
                    permits.for_each(drop);
                });
            }
        });
        if round % 2 == 0 {
            assert_eq!((bulkhead.stats().in_use, bulkhead.stats().limit), (0, LIMIT));
        }
        let both = bulkhead.try_acquire_many(LIMIT).expect("all are free");
        assert!(bulkhead.try_acquire().is_err());
        let mut waiting = pin!(bulkhead.acquire());
        assert!(poll_once(waiting.as_mut()).is_pending());
        thread::scope(|scope| drop(scope.spawn(|| drop(both))));
        assert!(poll_once(waiting.as_mut()).is_ready(), "what another thread gave back did not get here");
    }
}

/// On four threads, with dropped waiters among them: never more inside than the limit, and all comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_never_pass_the_limit() {
    const LIMIT: u32 = 3;
    let bulkhead = Arc::new(Bulkhead::builder(LIMIT).build().unwrap());
    let inside = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (bulkhead, inside) = (Arc::clone(&bulkhead), Arc::clone(&inside));
            #[expect(clippy::disallowed_methods, reason = "the crate runs on plain tokio, and so does its test")]
            tokio::spawn(async move {
                for round in 0..2000u32 {
                    if (round + task) % 7 == 0 {
                        drop(poll_once(pin!(bulkhead.acquire())));
                        continue;
                    }
                    let permits = 1 + (round + task) % LIMIT;
                    let permit = bulkhead.acquire_many(permits).await.unwrap();
                    assert!(inside.fetch_add(permits, Relaxed) + permits <= LIMIT);
                    if round % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                    inside.fetch_sub(permits, Relaxed);
                    drop(permit);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stats = bulkhead.stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire(u32, u8),
    Try(u32),
    /// The caller at this place gives up, whether it waits, was granted and does not know yet, or holds a permit.
    Drop(usize),
    /// The same, on another thread.
    DropElsewhere(usize),
    Resize(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..5u32, 0..3u8).prop_map(|(permits, priority)| Step::Acquire(permits, priority)),
        2 => (1..5u32).prop_map(Step::Try),
        4 => (0..12usize).prop_map(Step::Drop),
        1 => (0..12usize).prop_map(Step::DropElsewhere),
        1 => (1..7u32).prop_map(Step::Resize),
    ]
}

/// The model: a list in order, and a sum.
#[derive(Debug)]
struct Model {
    limit: u32,
    in_use: u32,
    /// By priority (higher first), then arrival.
    line: BTreeMap<(u8, u64), u32>,
}

impl Model {
    /// Grants as many heads as fit; those that never will are sent away.
    fn serve(&mut self) {
        let limit = self.limit;
        self.line.retain(|_, permits| *permits <= limit);
        while let Some(head) = self.line.first_entry()
            && self.in_use + head.get() <= self.limit
        {
            self.in_use += head.remove();
        }
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

type Acquiring<'a> = Pin<Box<dyn Future<Output = Result<BulkheadPermit<'a>, BulkheadFull>> + 'a>>;

/// A caller: polled at first, and then only when it was woken.
struct Caller<'a> {
    key: (u8, u64),
    permits: u32,
    woken: Arc<Flag>,
    waiting: Option<Acquiring<'a>>,
    permit: Option<BulkheadPermit<'a>>,
}

impl Caller<'_> {
    fn poll(&mut self) {
        let Some(waiting) = &mut self.waiting else { return };
        let waker = Waker::from(Arc::clone(&self.woken));
        if let Poll::Ready(result) = waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.waiting = None;
            self.permit = result.ok();
        }
    }
}

/// From here on threads keep the permits that they give back.
fn warm_up(bulkhead: &Bulkhead<impl Clock>) {
    (0..5000).for_each(|_| drop(bulkhead.try_acquire().unwrap()));
}

fn check(steps: &[Step], is_warm: bool) -> Result<(), TestCaseError> {
    let bulkhead = Bulkhead::builder(3).build().unwrap();
    if is_warm {
        warm_up(&bulkhead);
    }
    let mut model = Model { limit: 3, in_use: 0, line: BTreeMap::new() };
    let mut callers: Vec<Caller<'_>> = Vec::new();
    for (&step, number) in steps.iter().zip(0..) {
        match step {
            Step::Acquire(permits, priority) => {
                let key = (u8::MAX - priority, number);
                let waiting: Acquiring<'_> = Box::pin(bulkhead.acquire_at(permits, priority));
                let mut caller = Caller { key, permits, woken: Arc::default(), waiting: Some(waiting), permit: None };
                caller.poll();
                if permits <= model.limit {
                    model.line.insert(key, permits);
                }
                callers.push(caller);
            }
            Step::Try(permits) => {
                let fits = model.line.is_empty() && model.in_use + permits <= model.limit;
                let permit = bulkhead.try_acquire_many(permits).ok();
                prop_assert_eq!(permit.is_some(), fits);
                model.in_use += if fits { permits } else { 0 };
                let key = (0, number);
                callers.push(Caller { key, permits, woken: Arc::default(), waiting: None, permit });
            }
            Step::Drop(place) | Step::DropElsewhere(place) if place < callers.len() => {
                let mut caller = callers.swap_remove(place);
                let was_granted = caller.waiting.is_some() && !model.line.contains_key(&caller.key);
                if was_granted && caller.permits <= model.limit || caller.permit.is_some() {
                    model.in_use -= caller.permits;
                }
                model.line.remove(&caller.key);
                if let (Step::DropElsewhere(_), Some(permit)) = (step, caller.permit.take()) {
                    thread::scope(|scope| drop(scope.spawn(|| drop(permit))));
                }
            }
            Step::Drop(_) | Step::DropElsewhere(_) => {}
            Step::Resize(limit) => {
                bulkhead.resize(limit).unwrap();
                model.limit = limit;
            }
        }
        model.serve();
        for caller in &mut callers {
            if caller.woken.0.swap(false, Relaxed) {
                caller.poll();
            }
            prop_assert_eq!(caller.waiting.is_some(), model.line.contains_key(&caller.key), "forgotten or minted");
        }
        let stats = bulkhead.stats();
        prop_assert_eq!((stats.limit, stats.in_use, stats.waiting), (model.limit, model.in_use, model.line.len()));
    }
    drop(callers);
    bulkhead.resize(5).unwrap();
    prop_assert!(bulkhead.try_acquire_many(5).is_ok(), "the fast way is open again, and all permits are there");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Waiters that are only polled when woken are granted exactly when a list in order would grant them.
    #[test]
    fn no_permit_is_lost_or_minted_and_no_waiter_forgotten(
        steps in prop::collection::vec(step(), 1..120),
        is_warm in any::<bool>(),
    ) {
        check(&steps, is_warm)?;
    }
}
