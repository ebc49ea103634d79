//! Hedges in paused time: when they are sent, who wins, what becomes of the others, and who pays.
#![allow(clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    future::pending,
    rc::Rc,
    time::Duration,
};

use tidemill_resilience::{Decision, Hedge, HedgeBuilder, Jitter, Retry, RetryBudget};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

const MS: Duration = Duration::from_millis(1);

fn hedge(builder: HedgeBuilder) -> Hedge {
    builder.build().unwrap()
}

/// Sleeps as many ms as `plan` says for each attempt, and fails where it says so.
async fn planned(plan: &[(u64, Result<u32, &'static str>)], number: u32) -> Result<u32, &'static str> {
    let (millis, result) = plan[number as usize - 1];
    sleep(Duration::from_millis(millis)).await;
    result
}

#[tokio::test(start_paused = true)]
async fn plans() {
    const FAIL: Result<u32, &str> = Err("no");
    // Delay 10, up to two hedges: what each attempt does, the outcome, after how many ms, and attempts sent.
    type Row = (&'static str, &'static [(u64, Result<u32, &'static str>)], Result<u32, &'static str>, u64, u32);
    let rows: [Row; 9] = [
        ("the first is in time", &[(9, Ok(1))], Ok(1), 9, 1),
        ("the first is late, yet before the hedge", &[(15, Ok(1)), (20, Ok(2))], Ok(1), 15, 2),
        ("the hedge overtakes it", &[(100, Ok(1)), (5, Ok(2))], Ok(2), 15, 2),
        ("the second hedge overtakes both", &[(100, Ok(1)), (100, Ok(2)), (1, Ok(3))], Ok(3), 21, 3),
        ("no third hedge", &[(100, Ok(1)), (100, Ok(2)), (100, Ok(3))], Ok(1), 100, 3),
        ("a failure sends the next at once", &[(3, FAIL), (4, Ok(2))], Ok(2), 7, 2),
        ("all fail, one after the other", &[(3, FAIL), (4, FAIL), (5, FAIL)], FAIL, 12, 3),
        ("a failed hedge is followed at once", &[(100, Ok(1)), (2, FAIL), (3, Ok(3))], Ok(3), 15, 3),
        ("a final error ends it", &[(100, Ok(1)), (2, Err("final"))], Err("final"), 12, 2),
    ];
    let hedge = hedge(Hedge::after(10 * MS).max_hedges(2));
    for (name, plan, outcome, millis, attempts) in rows {
        let (start, sent) = (Instant::now(), Cell::new(0));
        let result = hedge
            .plain()
            .classify(|&error: &&str| if error == "final" { Decision::Stop } else { Decision::Retry })
            .run(|attempt| {
                sent.set(attempt.number);
                planned(plan, attempt.number)
            })
            .await;
        if let Err(failed) = &result {
            assert_eq!(failed.attempts(), attempts, "{name}");
        }
        assert_eq!(result.map_err(|failed| failed.into_last().unwrap()), outcome, "{name}");
        assert_eq!((start.elapsed(), sent.get()), (Duration::from_millis(millis), attempts), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_delay_all_are_sent_at_once() {
    let (start, sent) = (Instant::now(), Cell::new(0));
    let answer = hedge(Hedge::after(Duration::ZERO).max_hedges(4))
        .run(async |attempt| {
            sent.set(sent.get() + 1);
            sleep((10 - attempt.number) * MS).await;
            Ok::<_, ()>(attempt.number)
        })
        .await;
    assert_eq!((answer, sent.get(), start.elapsed()), (Ok(5), 5, 5 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_function_decides_when_each_hedge_is_sent() {
    let hedge = hedge(Hedge::after(MS).max_hedges(3));
    let (start, sent) = (Instant::now(), RefCell::new(Vec::new()));
    let delays = |number: u32| (number < 4).then(|| number * 10 * MS);
    let answer = hedge
        .plain()
        .delays(&delays)
        .run(async |attempt| {
            sent.borrow_mut().push((attempt.number, start.elapsed()));
            sleep(200 * MS).await;
            Ok::<_, ()>(attempt.number)
        })
        .await;
    assert_eq!((answer, start.elapsed()), (Ok(1), 200 * MS));
    assert_eq!(*sent.borrow(), [(1, Duration::ZERO), (2, 20 * MS), (3, 50 * MS)], "and not the fourth");
}

#[tokio::test(start_paused = true)]
async fn a_pushback_delays_the_next_and_never_ends_it() {
    let hedge = hedge(Hedge::after(10 * MS).max_hedges(3));
    for (pushback, ended, attempts) in [(None, 3, 4), (Some("20"), 60, 4), (Some("-1"), 0, 1)] {
        let start = Instant::now();
        let failed = hedge
            .plain()
            .classify(|_: &()| Decision::from_pushback(pushback))
            .run(async |attempt| {
                sleep(if attempt.is_hedge() && pushback.is_none() { MS } else { Duration::ZERO }).await;
                Err::<(), _>(())
            })
            .await
            .unwrap_err();
        assert_eq!((start.elapsed(), failed.attempts()), (ended * MS, attempts), "{pushback:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_can_be_not_good_enough() {
    let hedge = hedge(Hedge::after(10 * MS));
    let by_status = |outcome: Result<&u32, &()>| if outcome == Ok(&200) { Decision::Stop } else { Decision::Retry };
    let hedging = hedge.plain().classify_outcome(by_status);
    assert_eq!(hedging.run(async |attempt| Ok(if attempt.is_hedge() { 200 } else { 503 })).await, Ok(200));
    assert_eq!(hedging.run(async |attempt| Ok(500 + attempt.number)).await, Ok(502), "the last is returned");
}

/// failsafe-go#136, #122, #123, #134: losers are gone when the answer is returned, and what the winner brought still works.
#[tokio::test(start_paused = true)]
async fn losers_are_dropped_and_the_winner_is_whole() {
    struct Body(Rc<Cell<u32>>);
    impl Drop for Body {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let open = Rc::new(Cell::new(0));
    let body = hedge(Hedge::after(10 * MS).max_hedges(2))
        .run(async |attempt| {
            open.set(open.get() + 1);
            let body = Body(open.clone());
            if attempt.number != 2 {
                pending::<()>().await;
            }
            sleep(50 * MS).await;
            Ok::<_, ()>(body)
        })
        .await
        .unwrap();
    assert_eq!(open.get(), 1, "only the winner's");
    sleep(1000 * MS).await;
    assert_eq!(body.0.get(), 1, "which nothing ends but its owner");
}

/// failsafe-go#141: a spent budget leaves out the hedge and nothing else.
#[tokio::test(start_paused = true)]
async fn a_spent_budget_lets_what_runs_go_on() {
    let budget = RetryBudget::new(1, 0).unwrap();
    let hedge = hedge(Hedge::after(10 * MS).max_hedges(5));
    let sent = Cell::new(0);
    let hedging = hedge.plain().budget(&budget);
    let call = || {
        hedging.run(async |attempt| {
            sent.set(sent.get() + 1);
            sleep(100 * MS).await;
            Ok::<_, ()>(attempt.number)
        })
    };
    assert_eq!(call().await, Ok(1));
    assert_eq!((sent.get(), budget.left()), (2, 0));
    assert_eq!(call().await, Ok(1));
    assert_eq!(sent.get(), 3, "and a budget that is spent from the start leaves an ordinary call");
}

/// aws-s3-transfer-manager#57: a hedge needs a permit as any other request does, and holds it while it runs.
#[tokio::test(start_paused = true)]
async fn hedges_obey_the_concurrency_limit() {
    let connections = Semaphore::new(2);
    let most = Cell::new(0);
    let hedge = hedge(Hedge::after(10 * MS).max_hedges(5));
    let first = connections.try_acquire().unwrap();
    let hedging = hedge.plain().limit(|| connections.try_acquire().ok());
    let answer = hedging.run(async |attempt| {
        most.set(most.get().max(2 - connections.available_permits()));
        sleep(100 * MS).await;
        Ok::<_, ()>(attempt.number)
    });
    assert_eq!(answer.await, Ok(1));
    assert_eq!((most.get(), connections.available_permits()), (2, 1), "one hedge, whose permit is back");
    drop(first);
}

/// A hedge inside a retry on one budget: three requests are paid for, of five; and one success is recorded.
#[tokio::test(start_paused = true)]
async fn a_hedge_inside_a_retry_is_charged_once() {
    let budget = RetryBudget::new(10, 100).unwrap();
    let retry = Retry::constant(5 * MS).jitter(Jitter::None).max_attempts(3).build().unwrap();
    let hedge = hedge(Hedge::after(10 * MS));
    let sent = RefCell::new(vec![]);
    let hedging = hedge.plain().budget(&budget);
    let answer = retry
        .plain()
        .budget(&budget)
        .run(async |attempt| {
            let round = attempt.number;
            hedging
                .run(async |attempt| {
                    sent.borrow_mut().push((round, attempt.number));
                    sleep(20 * MS).await;
                    if round < 3 { Err(()) } else { Ok(()) }
                })
                .await
        })
        .await;
    assert!(answer.is_ok());
    assert_eq!(sent.into_inner(), [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]);
    assert_eq!(budget.left(), 10 - 5 + 1, "six requests, the first is free, and one success");
}

#[tokio::test(start_paused = true)]
async fn a_quantile_learns_when_a_call_is_late() {
    let hedge = hedge(Hedge::quantile(900).min_delay(2 * MS));
    let sent = Cell::new(0);
    let call = async |millis: u64| {
        let answer = hedge.run(async |attempt| {
            sent.set(sent.get() + 1);
            sleep(if attempt.is_hedge() { MS } else { Duration::from_millis(millis) }).await;
            Ok::<_, ()>(())
        });
        answer.await.unwrap();
    };
    call(1000).await;
    assert_eq!((hedge.delay(), sent.get()), (None, 1), "nothing is known yet");
    for millis in (1..=20).cycle().take(2000) {
        call(millis).await;
    }
    let delay = hedge.delay().unwrap();
    assert!((17 * MS..=21 * MS).contains(&delay), "{delay:?}");
    sent.set(0);
    let start = Instant::now();
    call(1000).await;
    let late = start.elapsed() - delay;
    assert_eq!((sent.get(), late < 3 * MS), (2, true), "{late:?}: the timer rounds up to a millisecond");
    // Hedges hide how long the slow ones take; that must not pull the quantile down.
    sent.set(0);
    for millis in (1..=20).cycle().take(4000) {
        call(millis * 10).await;
    }
    assert!(sent.get() < 4000 * 5 / 4, "it learned the new pace: {} requests", sent.get());
}

#[tokio::test(start_paused = true)]
async fn failures_teach_a_quantile_nothing() {
    let hedge = hedge(Hedge::quantile(500).first_delay(10 * MS));
    for _ in 0..100 {
        let _ = hedge.run(async |_| Err::<(), _>(())).await;
    }
    assert_eq!(hedge.delay(), Some(10 * MS));
}

/// Dropped at any moment, it leaves no attempt, permit or place behind.
#[tokio::test(start_paused = true)]
async fn a_dropped_call_leaves_nothing_behind() {
    let budget = RetryBudget::new(1000, 0).unwrap().max_in_flight(2);
    let permits = Semaphore::new(2);
    let hedge = hedge(Hedge::after(10 * MS).max_hedges(3));
    for cut_after in 0..80 {
        let hedging = hedge.plain().budget(&budget).limit(|| permits.try_acquire().ok());
        let call = hedging.run(async |attempt| {
            sleep(attempt.number * 23 * MS).await;
            if attempt.number < 3 { Err(()) } else { Ok(()) }
        });
        let _ = timeout(cut_after * MS, call).await;
        assert_eq!((budget.in_flight(), permits.available_permits()), (0, 2), "cut after {cut_after} ms");
    }
}

/// Futures of a call can be spawned.
#[tokio::test(start_paused = true)]
async fn a_call_can_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let hedge = hedge(Hedge::after(MS));
    is_send(hedge.run(|_| async { Ok::<_, ()>(()) })).await.unwrap();
}

/// The first fails in the very poll in which the hedge has answered: the next hedge was paid for, and is not begun.
#[tokio::test(start_paused = true)]
async fn a_hedge_that_is_not_begun_is_refunded() {
    let budget = RetryBudget::new(2, 0).unwrap();
    let hedge = hedge(Hedge::after(9 * MS).max_hedges(2));
    let plan = [(14, Err("no")), (5, Ok(2)), (0, Err("no"))];
    let answer = hedge.plain().budget(&budget).run(|attempt| planned(&plan, attempt.number)).await;
    assert_eq!((answer, budget.left()), (Ok(2), 1));
}
