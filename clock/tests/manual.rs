//! The clock that moves when told: who is woken, when, in which order, and what may happen meanwhile.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

use tidemill_clock::{Clock, ManualClock};

const SECOND: Duration = Duration::from_secs(1);

fn poll(sleep: Pin<&mut (impl Future<Output = ()> + ?Sized)>) -> bool {
    sleep.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Calls a function at each wake.
struct Call<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn call(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Arc::new(Call(f)).into()
}

#[test]
fn a_sleeper_is_due_exactly_at_its_time() {
    let clock = ManualClock::new();
    let mut sleep = pin!(clock.sleep_until(Duration::from_nanos(10)));
    assert!(!poll(sleep.as_mut()));
    assert_eq!(clock.next_due(), Some(Duration::from_nanos(10)));
    clock.advance(Duration::from_nanos(9));
    assert!(!poll(sleep.as_mut()));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(clock.next_due(), None, "the due sleeper was woken and left the map");
    assert!(poll(sleep.as_mut()));
}

#[test]
fn a_dropped_sleeper_and_a_timer_that_is_taken_back_leave_nothing_behind() {
    let clock = ManualClock::new();
    {
        let mut sleep = pin!(clock.sleep_until(SECOND));
        assert!(!poll(sleep.as_mut()));
        let at = clock.instant() + SECOND / 2;
        let number = clock.wake_at(at, Waker::noop().clone()).unwrap();
        assert_eq!(clock.next_due(), Some(SECOND / 2));
        clock.stop_waking(at, number);
        assert_eq!(clock.next_due(), Some(SECOND));
    }
    assert_eq!(clock.next_due(), None);
    assert_eq!(clock.wake_at(clock.instant(), Waker::noop().clone()), None, "that time has come");
}

#[test]
fn timers_are_woken_in_order_each_at_its_time_and_so_are_those_they_enter() {
    let (clock, seen) = (ManualClock::new(), Arc::new(Mutex::new(Vec::new())));
    for seconds in [3, 1, 5, 2, 1] {
        let (here, seen) = (clock.clone(), Arc::clone(&seen));
        let note = move || seen.lock().unwrap().push((seconds, here.now().as_secs()));
        let _ = clock.wake_at(clock.instant() + seconds * SECOND, call(note)).unwrap();
    }
    let (here, after) = (clock.clone(), Arc::clone(&seen));
    let chain = call(move || {
        let (there, after) = (here.clone(), Arc::clone(&after));
        let note = call(move || after.lock().unwrap().push((0, there.now().as_secs())));
        let _ = here.wake_at(here.instant() + 2 * SECOND, note).unwrap();
    });
    let _ = clock.wake_at(clock.instant() + 2 * SECOND, chain).unwrap();
    clock.advance(4 * SECOND);
    assert_eq!(*seen.lock().unwrap(), [(1, 1), (1, 1), (2, 2), (3, 3), (0, 4)]);
    assert_eq!((clock.now(), clock.next_due()), (4 * SECOND, Some(5 * SECOND)));
}

#[test]
fn both_axes_tell_the_same_time() {
    let origin = Instant::now();
    let clock = ManualClock::starting_at(origin);
    clock.advance(SECOND);
    assert_eq!((clock.now(), clock.instant()), (SECOND, origin + SECOND));
    clock.advance_to(origin + 3 * SECOND);
    clock.advance_to(origin + 2 * SECOND);
    assert_eq!(clock.now(), 3 * SECOND, "a time that has passed changes nothing");
    clock.set(2 * SECOND);
    assert_eq!(clock.now(), 2 * SECOND, "but a clock may be set back");
    clock.advance(Duration::MAX);
    assert!(clock.instant() > origin, "too far to be written, and no panic");
}

#[test]
fn a_clock_that_was_set_back_wakes_a_sleeper_again() {
    let clock = ManualClock::new();
    clock.set(5 * SECOND);
    let mut sleep = pin!(clock.sleep_until(6 * SECOND));
    assert!(!poll(sleep.as_mut()));
    clock.set(7 * SECOND);
    clock.set(5 * SECOND);
    assert!(!poll(sleep.as_mut()));
    assert_eq!(clock.next_due(), Some(6 * SECOND));
    clock.set(6 * SECOND);
    assert!(poll(sleep.as_mut()));
}

/// The last reference to a task may be in a waker, and the task's future may own a sleep on the same clock.
#[test]
fn a_waker_whose_end_drops_another_sleeper_does_not_lock_the_clock_up() {
    struct Owns(#[expect(dead_code, reason = "it is dropped")] Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>);
    impl Wake for Owns {
        fn wake(self: Arc<Self>) {}
    }
    let owner = |clock: &ManualClock| {
        let clock = clock.clone();
        let mut sleep: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(async move { clock.sleep_until(9 * SECOND).await });
        assert!(!poll(sleep.as_mut()));
        Waker::from(Arc::new(Owns(Mutex::new(sleep))))
    };
    let clock = ManualClock::new();
    let mut sleep = Box::pin(clock.sleep_until(SECOND));
    assert!(sleep.as_mut().poll(&mut Context::from_waker(&owner(&clock))).is_pending());
    assert!(sleep.as_mut().poll(&mut Context::from_waker(&owner(&clock))).is_pending(), "the first is dropped here");
    drop(sleep);
    let at = clock.instant() + SECOND;
    let number = clock.wake_at(at, owner(&clock)).unwrap();
    clock.stop_waking(at, number);
    assert_eq!(clock.wake_at(clock.instant(), owner(&clock)), None);
    let _ = clock.wake_at(at, owner(&clock)).unwrap();
    clock.advance(SECOND);
    assert_eq!(clock.next_due(), None, "all went");
}

#[test]
fn a_clock_that_follows_another_time_is_driven_to_its_timers() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = ManualClock::following(|| tokio::time::Instant::now().into_std());
        let woken = async |after: Duration| {
            clock.sleep_until(after).await;
            clock.now()
        };
        // The later one first: the driver sleeps to it when the earlier one comes.
        let earlier = async {
            tokio::time::sleep(SECOND).await;
            woken(3600 * SECOND).await
        };
        let times = tokio::select! {
            never = clock.drive(|at| tokio::time::sleep_until(at.into())) => match never {},
            times = async { tokio::join!(woken(7200 * SECOND), earlier) } => times,
        };
        // Tokio's timers have its resolution, a millisecond.
        for (woken, due) in [(times.0, 7200 * SECOND), (times.1, 3600 * SECOND)] {
            assert!(woken >= due && woken - due < Duration::from_millis(2), "{woken:?}");
        }
    });
}
