//! Callers that give up at any await, creates and validations that fail, panic or hang, sizes that change, and a close in
//! the middle of it: never above the maximum, no caller forgotten, no resource lost, nothing left at the end.
#![allow(clippy::unwrap_used)]

mod support;

use std::{mem::ManuallyDrop, sync::Arc, time::Duration};

use proptest::prelude::*;
use support::{Outcome, Server, ms, s};
use tidemill_pools::{GetError, IdleOrder, Lease, ResourcePool, Validate};
use tokio::task::{AbortHandle, JoinSet};

/// More than any pool here is allowed.
const MOST: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Act {
    /// A caller comes, keeps what it gets for so many milliseconds, and ends it so.
    Call(u64, End),
    /// The caller of that number, modulo how many there were, gives up wherever it is.
    GiveUp(usize),
    Wait(u64),
    Create(Outcome),
    Validation(Outcome),
    CreateTakes(u64),
    ValidateTakes(u64),
    Max(usize),
    MinIdle(usize),
    Evict,
    Close,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Return,
    Break,
    Panic,
    Detach,
    Forget,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Good), Just(Outcome::Bad), Just(Outcome::Panic), Just(Outcome::Never)]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![8 => Just(End::Return), 2 => Just(End::Break), 1 => Just(End::Panic), 1 => Just(End::Detach),
        1 => Just(End::Forget)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..20_u64, end()).prop_map(|(hold, end)| Act::Call(hold, end)),
        6 => any::<usize>().prop_map(Act::GiveUp),
        8 => (0..30_u64).prop_map(Act::Wait),
        2 => outcome().prop_map(Act::Create),
        2 => outcome().prop_map(Act::Validation),
        1 => (0..20_u64).prop_map(Act::CreateTakes),
        1 => (0..20_u64).prop_map(Act::ValidateTakes),
        1 => (1..=MOST).prop_map(Act::Max),
        1 => (0..=MOST).prop_map(Act::MinIdle),
        1 => Just(Act::Evict),
        1 => prop::bool::weighted(0.1).prop_map(|now| if now { Act::Close } else { Act::Wait(1) }),
    ]
}

struct Storm {
    server: Server,
    pool: Arc<ResourcePool<Server>>,
    callers: JoinSet<Result<(), GetError<support::Refused>>>,
    handles: Vec<AbortHandle>,
}

impl Storm {
    fn new(order: IdleOrder, validate: Validate) -> Self {
        let server = Server::default();
        let pool = server
            .pool()
            .max(2)
            .idle_order(order)
            .validate(validate)
            .idle_timeout(ms(50))
            .max_life(ms(200))
            .keep_alive(ms(20))
            .step_timeout(ms(30))
            .create_backoff(ms(1), ms(8))
            .acquire_timeout(None)
            .build()
            .unwrap();
        Self { server, pool: Arc::new(pool), callers: JoinSet::new(), handles: Vec::new() }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Call(hold, end) => {
                let pool = Arc::clone(&self.pool);
                self.handles.push(self.callers.spawn(async move {
                    let lease = pool.get().await?;
                    tokio::time::sleep(ms(hold)).await;
                    part(lease, end);
                    Ok(())
                }));
            }
            Act::GiveUp(number) if !self.handles.is_empty() => self.handles[number % self.handles.len()].abort(),
            Act::GiveUp(_) => {}
            Act::Wait(0) => tokio::task::yield_now().await,
            Act::Wait(time) => tokio::time::sleep(ms(time)).await,
            Act::Create(outcome) => drop(self.server.next_creates([outcome])),
            Act::Validation(outcome) => drop(self.server.next_validations([outcome])),
            Act::CreateTakes(time) => drop(self.server.create_takes(ms(time))),
            Act::ValidateTakes(time) => drop(self.server.validate_takes(ms(time))),
            Act::Max(max) => drop(self.pool.set_max(max)),
            Act::MinIdle(min_idle) => drop(self.pool.set_min_idle(min_idle)),
            Act::Evict => self.pool.evict(),
            Act::Close => self.pool.close(),
        }
        self.check();
    }

    fn check(&self) {
        let stats = self.pool.stats();
        let living = stats.idle + stats.in_use + stats.checking + stats.closing;
        // Shrunk pools keep what is out until it comes back.
        assert!(living + stats.creating <= MOST, "{stats:?}");
        assert!(stats.waiting == 0 || stats.idle == 0, "somebody waits beside an idle resource: {stats:?}");
    }

    /// From now on nobody gives up. Whoever forgot a lease is found out.
    async fn calm_down(mut self, closed: bool) {
        let gone_for_good = async {
            loop {
                tokio::time::sleep(s(1)).await;
                let lost = self.pool.holders_over(ms(500));
                lost.iter().for_each(|holder| assert!(self.pool.forfeit(holder.id)));
            }
        };
        let served = async {
            while let Some(ended) = self.callers.join_next().await {
                match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(GetError::Closed)) if closed => {}
                    Ok(Err(error)) => panic!("{error}"),
                    Err(gone) => assert!(gone.is_cancelled() || gone.is_panic()),
                }
            }
        };
        tokio::select! {
            () = gone_for_good => {}
            () = served => {}
            () = tokio::time::sleep(s(600)) => panic!("a caller was forgotten: {:?}", self.pool.stats()),
        }
        let stats = self.pool.stats();
        assert_eq!((stats.waiting, stats.timeouts), (0, 0));
        let left = self.pool.drain(s(5)).await;
        left.iter().for_each(|holder| assert!(self.pool.forfeit(holder.id), "{holder}"));
        let left = self.pool.stats();
        assert_eq!((left.in_use, left.idle, left.creating, left.closing), (0, 0, 0, 0));
    }
}

/// A caller's last act. What is detached or forgotten is the server's loss, so it ends there, too.
fn part(mut lease: Lease<Server>, end: End) {
    match end {
        End::Return => {}
        End::Break => lease.mark_broken(),
        End::Panic => std::panic::resume_unwind(Box::new("a caller's panic")),
        End::Detach => drop(lease.detach()),
        End::Forget => {
            let _ = ManuallyDrop::new(lease);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_in_a_storm(
        acts in prop::collection::vec(act(), 1..120),
        lifo in any::<bool>(),
        validate in prop_oneof![Just(Validate::Always), Just(Validate::AfterIdle(Duration::from_millis(5)))],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let order = if lifo { IdleOrder::Lifo } else { IdleOrder::Fifo };
        let forgotten = acts.iter().filter(|act| matches!(act, Act::Call(_, End::Forget))).count();
        let closed = acts.iter().any(|act| matches!(act, Act::Close));
        runtime.block_on(async {
            let mut storm = Storm::new(order, validate);
            let server = storm.server.clone();
            for act in &acts {
                storm.act(*act).await;
            }
            storm.calm_down(closed).await;
            assert!(server.alive() <= forgotten, "{} left, {forgotten} forgotten", server.alive());
            assert!(server.most() <= MOST + forgotten);
        });
    }
}
