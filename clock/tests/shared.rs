//! A clock without its type tells the same time as the clock with it, on both of its kinds.
#![allow(clippy::unwrap_used)]

use std::{future::pending, time::Duration};

use tidemill_clock::{Clock, Elapsed, ManualClock, SharedClock, TokioClock};

const SECOND: Duration = Duration::from_secs(1);

/// On a tokio whose time jumps from timer to timer.
fn paused<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

#[test]
fn on_tokio_it_sleeps_and_bounds_by_tokios_time() {
    paused(async {
        for clock in [SharedClock::default(), SharedClock::new(TokioClock)] {
            let (began, instant) = (clock.now(), clock.instant());
            clock.sleep(3600 * SECOND).await;
            assert!(clock.now() - began >= 3600 * SECOND);
            assert_eq!(clock.timeout(SECOND, pending::<()>()).await, Err(Elapsed));
            assert_eq!(clock.timeout(SECOND, async { 7 }).await, Ok(7));
            assert!(clock.instant() - instant >= 3601 * SECOND);
            assert_eq!(clock.timeout_at(instant, async { 7 }).await, Ok(7), "what is there is taken");
            assert_eq!(clock.timeout(Duration::MAX, async { 7 }).await, Ok(7), "never is a time, too");
        }
    });
}

#[test]
fn on_a_manual_clock_it_moves_when_told() {
    let manual = ManualClock::new();
    manual.advance(5 * SECOND);
    let clock = SharedClock::new(manual.clone());
    assert_eq!(clock.now(), Duration::ZERO, "it counts from its making");
    let began = clock.instant();
    let (mut sleep, mut never) = (clock.sleep_until(2 * SECOND), clock.sleep(Duration::MAX));
    let mut slow = Box::pin(clock.timeout(3 * SECOND, pending::<()>()));
    futures_lite::future::block_on(async {
        assert_eq!(futures_lite::future::poll_once(&mut sleep).await, None);
        assert_eq!(futures_lite::future::poll_once(&mut never).await, None);
        assert_eq!(futures_lite::future::poll_once(&mut slow).await, None);
        assert_eq!(manual.next_due(), Some(7 * SECOND));
        manual.advance(2 * SECOND);
        (&mut sleep).await;
        sleep.await; // again
        manual.advance(SECOND);
        assert_eq!(slow.await, Err(Elapsed));
        assert_eq!(clock.timeout_at(began, async { 7 }).await, Ok(7), "what is there is taken");
    });
    assert_eq!(clock.instant() - began, 3 * SECOND);
    manual.set(SECOND);
    assert_eq!(clock.now(), Duration::ZERO, "before its making");
    drop(never);
    assert_eq!(manual.next_due(), None);
}

#[test]
fn a_borrowed_clock_is_a_clock() {
    fn read(clock: impl Clock<Instant = Duration>) -> Duration {
        clock.block(SECOND);
        clock.park(SECOND);
        clock.now()
    }
    let clock = ManualClock::new();
    assert_eq!(read(&clock), 2 * SECOND, "to block is to let the time pass");
}
