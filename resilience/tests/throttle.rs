//! The client's throttle against modelled servers.

#![allow(clippy::unwrap_used)]

use std::{future::pending, pin::pin, task::Context, task::Waker, time::Duration};

use tidemill_resilience::{InvalidThrottle, ManualClock, Throttle};

const SECOND: Duration = Duration::from_secs(1);

fn throttle(clock: &ManualClock) -> Throttle<ManualClock> {
    Throttle::builder().seed(7).clock(clock.clone()).build().unwrap()
}

/// Makes 1000 requests a second for `seconds` to a server that accepts `capacity` a second. What was sent a second at the end.
fn run(throttle: &Throttle<ManualClock>, clock: &ManualClock, seconds: u32, capacity: u32) -> u32 {
    let mut sent = 0;
    for _ in 0..seconds {
        sent = 0;
        for _ in 0..1000 {
            if let Ok(call) = throttle.try_send() {
                sent += 1;
                if sent <= capacity {
                    call.accepted();
                } else {
                    call.rejected();
                }
            }
        }
        clock.advance(SECOND);
    }
    sent
}

#[test]
fn an_overloaded_server_gets_about_twice_what_it_accepts() {
    for capacity in [100, 300] {
        let clock = ManualClock::new();
        let throttle = throttle(&clock);
        let sent = run(&throttle, &clock, 300, capacity);
        assert!((capacity * 17 / 10..capacity * 23 / 10).contains(&sent), "{sent} of {capacity}");
    }
}

#[test]
fn nothing_is_refused_while_at_least_half_is_accepted() {
    let clock = ManualClock::new();
    let throttle = throttle(&clock);
    assert_eq!(run(&throttle, &clock, 300, 501), 1000);
    assert_eq!(throttle.chance(), 0.0);
}

#[test]
fn a_server_that_recovers_gets_everything_again() {
    let clock = ManualClock::new();
    let throttle = Throttle::builder().max_percent(90).seed(7).clock(clock.clone()).build().unwrap();
    let sent = run(&throttle, &clock, 300, 0);
    assert!((70..130).contains(&sent), "down: a tenth finds out when it is back, not {sent}");
    assert_eq!(run(&throttle, &clock, 400, 1000), 1000, "it has recovered");
}

/// zeromicro/go-zero#5011: requests are counted before they are sent, and those refused here as well.
#[test]
fn go_zero_5011_requests_count_before_they_are_sent_and_refused_ones_too() {
    let clock = ManualClock::new();
    let throttle = throttle(&clock);
    let mut waiting: Vec<_> = (0..1000).filter_map(|_| throttle.try_send().ok()).collect();
    assert!(waiting.len() < 20, "none has come back, and yet most are held back: {}", waiting.len());
    let chance = throttle.chance();
    for _ in 0..1000 {
        waiting.extend(throttle.try_send());
    }
    assert!(throttle.chance() > chance && throttle.chance() > 0.998, "refused ones count");
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_not_held_against_the_server() {
    let throttle = Throttle::builder().build().unwrap();
    for _ in 0..100 {
        let mut call = pin!(throttle.call(pending::<()>(), |()| true));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(throttle.call(async { 200 }, |status| *status == 503).await, Ok(200));
}

#[test]
fn senseless_options_are_named() {
    let builder = Throttle::builder;
    assert_eq!(builder().multiplier(0.5).build().unwrap_err(), InvalidThrottle::Multiplier(0.5));
    assert_eq!(builder().window(Duration::ZERO).build().unwrap_err(), InvalidThrottle::NoWindow);
    assert_eq!(builder().max_percent(101).build().unwrap_err(), InvalidThrottle::MaxPercent(101));
}
