//! The breaker against a model of a page: a list of calls, no packing, no buckets, no threads. Random calls, ends,
//! cancellations, times and orders; after each step both must agree on who passes and what the state is.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use tidemill_resilience::{CircuitBreaker, Clock, Forced, ManualClock, Outcome, Permit, State};

const OPEN_MS: u64 = 1000;
const MAX_OPEN_MS: u64 = 5000;
const MIN_CALLS: usize = 4;
const RATE: usize = 50;
const IN_A_ROW: usize = 6;
const PROBES: u32 = 3;
const AT_ONCE: u32 = 2;
const CLOSE_AFTER: u32 = 2;
const PATIENCE_MS: u64 = 12_800;
/// Both windows: so many calls, or so many milliseconds in 32 buckets of 100.
const LENGTH: usize = 12;
const BUCKET_MS: u64 = 100;

#[derive(Clone, Copy, Debug)]
enum Window {
    Calls,
    Time,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    /// The call at this place among those running ends so; `None`: it is dropped.
    End(usize, Option<Outcome>),
    Pass(u64),
    Trip,
    Reset,
    Force(Forced),
}

#[derive(Debug)]
struct Model {
    window: Window,
    state: State,
    generation: u64,
    /// When, and whether it failed.
    calls: Vec<(u64, bool)>,
    streak: u32,
    until: u64,
    running: u32,
    succeeded: u32,
    failed: u32,
}

impl Model {
    fn turn(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.calls.clear();
        (self.running, self.succeeded, self.failed) = (0, 0, 0);
        if !matches!(state, State::Open | State::HalfOpen) {
            self.streak = 0;
        }
    }

    fn open(&mut self, now: u64) {
        let open_for = (OPEN_MS << self.streak).min(MAX_OPEN_MS);
        self.turn(State::Open);
        self.streak += 1;
        self.until = now + open_for;
    }

    /// Whether a call passes.
    fn enter(&mut self, now: u64) -> bool {
        match self.state {
            State::ForcedOpen => return false,
            State::Open if now < self.until => return false,
            State::Open => self.half_open(now),
            State::HalfOpen => {
                let full = self.running == AT_ONCE || self.running + self.succeeded + self.failed == PROBES;
                if full && now < self.until {
                    return false;
                }
                if full {
                    self.half_open(now);
                }
                self.running += 1;
                return true;
            }
            _ => return true,
        }
        self.running += 1;
        true
    }

    fn half_open(&mut self, now: u64) {
        self.turn(State::HalfOpen);
        // Patience is kept in units of 128 ms, rounded up; and the time in the same, rounded down.
        self.until = (now + PATIENCE_MS).div_ceil(128) * 128;
    }

    fn end(&mut self, generation: u64, outcome: Option<Outcome>, now: u64) {
        if generation != self.generation {
            return;
        }
        let failed = match outcome {
            Some(Outcome::Failure) => Some(true),
            Some(Outcome::Success) => Some(false),
            Some(Outcome::Ignored) | None => None,
        };
        match self.state {
            State::HalfOpen => self.end_probe(failed, now),
            State::Closed | State::ForcedClosed => {
                self.calls.extend(failed.map(|failed| (now, failed)));
                if self.state == State::Closed && failed == Some(true) && self.is_too_much(now) {
                    self.open(now);
                }
            }
            _ => {}
        }
    }

    fn end_probe(&mut self, failed: Option<bool>, now: u64) {
        self.running -= 1;
        self.succeeded += u32::from(failed == Some(false));
        self.failed += u32::from(failed == Some(true));
        if self.succeeded == CLOSE_AFTER {
            self.turn(State::Closed);
        } else if self.failed > PROBES - CLOSE_AFTER {
            self.open(now);
        }
    }

    /// Calls in the window, and failures among them.
    fn counts(&self, now: u64) -> (usize, usize) {
        let inside: Vec<_> = match self.window {
            Window::Calls => self.calls.iter().rev().take(LENGTH).collect(),
            Window::Time => {
                let is_inside = |at: u64| at / BUCKET_MS + 32 > now / BUCKET_MS;
                self.calls.iter().filter(|(at, _)| is_inside(*at)).collect()
            }
        };
        (inside.len(), inside.iter().filter(|(_, failed)| *failed).count())
    }

    fn is_too_much(&self, now: u64) -> bool {
        let (calls, failed) = self.counts(now);
        let in_a_row = self.calls.iter().rev().take_while(|(_, failed)| *failed).count();
        in_a_row >= IN_A_ROW || calls >= MIN_CALLS && failed * 100 >= RATE * calls
    }
}

fn breaker(window: Window, clock: &ManualClock) -> CircuitBreaker<ManualClock> {
    let builder = CircuitBreaker::builder()
        .failure_rate(RATE as u32)
        .failures_in_a_row(IN_A_ROW as u32)
        .min_calls(MIN_CALLS as u32)
        .open_for(Duration::from_millis(OPEN_MS))
        .open_growth(2, Duration::from_millis(MAX_OPEN_MS))
        .open_jitter(0)
        .probes(PROBES)
        .probes_at_once(AT_ONCE)
        .close_after(CLOSE_AFTER)
        .probe_patience(Duration::from_millis(PATIENCE_MS))
        .look_every(1);
    let builder = match window {
        Window::Calls => builder.last_calls(LENGTH as u32),
        Window::Time => builder.last_time(Duration::from_millis(32 * BUCKET_MS)),
    };
    builder.clock(clock.clone()).build().unwrap()
}

fn outcome() -> impl Strategy<Value = Option<Outcome>> {
    prop_oneof![
        3 => Just(Some(Outcome::Success)),
        4 => Just(Some(Outcome::Failure)),
        1 => Just(Some(Outcome::Ignored)),
        1 => Just(None),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => Just(Step::Enter),
        20 => (0..8usize, outcome()).prop_map(|(place, outcome)| Step::End(place, outcome)),
        4 => (0..1500u64).prop_map(Step::Pass),
        1 => (0..20_000u64).prop_map(Step::Pass),
        1 => Just(Step::Trip),
        1 => Just(Step::Reset),
        1 => prop_oneof![Just(Forced::Open), Just(Forced::Closed), Just(Forced::Disabled)].prop_map(Step::Force),
    ]
}

fn check(window: Window, steps: &[Step]) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let breaker = breaker(window, &clock);
    let mut model = Model {
        window,
        state: State::Closed,
        generation: 0,
        calls: Vec::new(),
        streak: 0,
        until: 0,
        running: 0,
        succeeded: 0,
        failed: 0,
    };
    let mut running: Vec<(Permit<'_, ManualClock>, u64)> = Vec::new();
    for step in steps {
        let now = clock.now().as_millis() as u64;
        match *step {
            Step::Enter => {
                let permit = breaker.try_acquire();
                prop_assert_eq!(permit.is_ok(), model.enter(now), "enter at {} {:?}", now, model);
                running.extend(permit.map(|permit| (permit, model.generation)));
            }
            Step::End(place, outcome) if place < running.len() => {
                let (permit, generation) = running.swap_remove(place);
                match outcome {
                    Some(outcome) => permit.end(outcome),
                    None => drop(permit),
                }
                model.end(generation, outcome, now);
            }
            Step::End(..) => {}
            Step::Pass(millis) => clock.advance(Duration::from_millis(millis)),
            Step::Trip => {
                breaker.trip();
                if matches!(model.state, State::Closed | State::HalfOpen) {
                    model.open(now);
                }
            }
            Step::Reset => {
                breaker.reset();
                model.turn(State::Closed);
            }
            Step::Force(forced) => {
                breaker.force(forced);
                model.turn(match forced {
                    Forced::Open => State::ForcedOpen,
                    Forced::Closed => State::ForcedClosed,
                    Forced::Disabled => State::Disabled,
                });
            }
        }
        agree(&breaker, &model, clock.now().as_millis() as u64)?;
    }
    Ok(())
}

fn agree(breaker: &CircuitBreaker<ManualClock>, model: &Model, now: u64) -> Result<(), TestCaseError> {
    let seen = breaker.snapshot();
    prop_assert_eq!(seen.state, model.state);
    prop_assert_eq!(seen.streak, model.streak);
    if matches!(model.state, State::Closed | State::ForcedClosed) {
        let (calls, failed) = model.counts(now);
        prop_assert_eq!((seen.calls, seen.failed), (calls as u64, failed as u64));
    }
    if model.state == State::HalfOpen {
        prop_assert_eq!(seen.probes, model.running);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_breaker_does_what_its_model_does_over_calls(steps in prop::collection::vec(step(), 1..200)) {
        check(Window::Calls, &steps)?;
    }

    #[test]
    fn the_breaker_does_what_its_model_does_over_time(steps in prop::collection::vec(step(), 1..200)) {
        check(Window::Time, &steps)?;
    }
}
