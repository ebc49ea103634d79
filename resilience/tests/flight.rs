//! Single flight in paused time: who leads, who follows, and what becomes of a flight whose leader is gone.
#![allow(clippy::unwrap_used)]

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use proptest::prelude::*;
use tidemill_resilience::{FlightError, SingleFlight};
use tokio::time::{sleep, timeout};

const MS: Duration = Duration::from_millis(1);

type Flights = SingleFlight<u32, Result<u32, &'static str>>;

fn flights() -> Flights {
    SingleFlight::new(1000).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_goes_and_all_get_it_errors_too() {
    for answer in [Ok(7), Err("down")] {
        let (flights, gone) = (flights(), RefCell::new(vec![]));
        let call = |who: u32, key: u32| {
            let gone = &gone;
            flights.run(key, move || async move {
                gone.borrow_mut().push((who, key));
                sleep(10 * MS).await;
                answer
            })
        };
        let (a, b, c, other) = tokio::join!(call(1, 5), call(2, 5), call(3, 5), call(4, 6));
        assert_eq!([a, b, c, other].map(Result::unwrap), [answer; 4]);
        assert_eq!(gone.take(), [(1, 5), (4, 6)]);
        assert!(flights.is_empty());
        assert_eq!(call(5, 5).await, Ok(answer));
        assert_eq!(gone.take(), [(5, 5)], "it is no cache");
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_leader_is_dropped_the_next_leads() {
    let flights = flights();
    let call = |who: u32| {
        flights.run(1, move || async move {
            sleep(10 * MS).await;
            Ok(who)
        })
    };
    let (leader, second, third) = tokio::join!(timeout(5 * MS, call(1)), call(2), call(3));
    assert!(leader.is_err());
    assert_eq!((second, third), (Ok(Ok(2)), Ok(Ok(2))));
    assert!(flights.is_empty());
}

#[test]
fn a_panic_stays_with_the_leader() {
    let flights = flights();
    let mut cx = Context::from_waker(Waker::noop());
    let mut polls = 0;
    let mut leader = pin!(flights.run(1, || std::future::poll_fn(|_| {
        polls += 1;
        assert!(polls < 2, "on purpose");
        Poll::Pending
    })));
    let mut second = pin!(flights.run(1, || async { Ok(2) }));
    assert!(leader.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| leader.as_mut().poll(&mut cx))).is_err());
    assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(Ok(2))));
}

#[tokio::test(start_paused = true)]
async fn keys_and_waiters_are_bounded() {
    let flights = SingleFlight::new(1).unwrap().max_waiters(1);
    let call = |key: u32| flights.run(key, || async { sleep(10 * MS).await });
    let (first, second, third) = tokio::join!(call(1), call(1), call(1));
    assert_eq!((first, second, third), (Ok(()), Ok(()), Err(FlightError::TooManyWaiters { waiters: 1 })));
    // One key for each sixteenth: of 100 keys at most 16 are in the air.
    let mut calls: Vec<_> = (0..100).map(|key| Box::pin(call(key))).collect();
    let mut cx = Context::from_waker(Waker::noop());
    let begun = calls.iter_mut().map(|call| call.as_mut().poll(&mut cx)).filter(Poll::is_pending).count();
    assert!((1..=16).contains(&begun) && flights.len() == begun, "{begun}");
    drop(calls);
    assert!(flights.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_flight_goes_on_and_a_new_one_starts() {
    let flights = flights();
    let call = |who: u32| {
        flights.run(1, move || async move {
            sleep(10 * MS).await;
            Ok(who)
        })
    };
    let late = async {
        sleep(5 * MS).await;
        flights.forget(&1);
        tokio::join!(call(3), call(4))
    };
    let (first, second, late) = tokio::join!(call(1), call(2), late);
    assert_eq!((first, second, late), (Ok(Ok(1)), Ok(Ok(1)), (Ok(Ok(3)), Ok(Ok(3)))));
    assert!(flights.is_empty());
}

proptest! {
    /// Callers come, are dropped at any time, or stay: one operation runs per key at a time, whoever stays gets an answer, and
    /// nothing is left behind.
    #[test]
    fn whoever_stays_gets_an_answer(callers in prop::collection::vec((0u32..3, 0u64..30, 1u64..30, 1u64..15), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (flights, running) = (flights(), RefCell::new([0; 3]));
            let calls = callers.iter().map(|&(key, comes, stays, takes)| {
                let (flights, running) = (&flights, &running);
                Box::pin(async move {
                    sleep(Duration::from_millis(comes)).await;
                    let call = flights.run(key, move || async move {
                        struct Running<'a>(&'a RefCell<[u32; 3]>, usize);
                        impl Drop for Running<'_> {
                            fn drop(&mut self) { self.0.borrow_mut()[self.1] -= 1; }
                        }
                        running.borrow_mut()[key as usize] += 1;
                        let own = Running(running, key as usize);
                        assert_eq!(running.borrow()[key as usize], 1, "one at a time");
                        sleep(Duration::from_millis(takes)).await;
                        drop(own);
                        Ok(key)
                    });
                    match timeout(Duration::from_millis(stays), call).await {
                        Ok(answer) => assert_eq!(answer, Ok(Ok(key))),
                        Err(_) => assert!(stays < 15 * 12, "it was dropped"),
                    }
                })
            });
            let mut calls: Vec<_> = calls.collect();
            std::future::poll_fn(|cx| {
                calls.retain_mut(|call| call.as_mut().poll(cx).is_pending());
                if calls.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            assert!(flights.is_empty());
        });
    }
}
