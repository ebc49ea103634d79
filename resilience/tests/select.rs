//! Which endpoint is chosen, and which are left out.

#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, time::Duration};

use tidemill_resilience::{Ejection, ManualClock, NoEndpoint, Pick, Policy, Selector};

const SECOND: Duration = Duration::from_secs(1);
const POLICIES: [Policy; 4] = [Policy::RoundRobin, Policy::Weighted, Policy::TwoChoices, Policy::LeastLoaded];

fn selector(policy: Policy, ejection: Ejection, clock: &ManualClock) -> Selector<u32, ManualClock> {
    Selector::with(policy, ejection, clock.clone())
}

fn counts(selector: &Selector<u32, ManualClock>, picks: u32) -> HashMap<u32, u32> {
    let mut counts = HashMap::new();
    for _ in 0..picks {
        *counts.entry(*selector.pick().unwrap()).or_default() += 1;
    }
    counts
}

#[test]
fn idle_endpoints_get_what_their_weights_say() {
    for policy in POLICIES {
        let selector = selector(policy, Ejection::default(), &ManualClock::new());
        selector.set(0..4);
        let seen = counts(&selector, 4000);
        assert!(seen.len() == 4 && seen.values().all(|count| (900..1100).contains(count)), "{policy:?}: {seen:?}");
    }
    let selector = selector(Policy::Weighted, Ejection::default(), &ManualClock::new());
    selector.set_weighted([(0, 1), (1, 2), (2, 5), (3, 0)]);
    for _ in 0..10 {
        let seen = counts(&selector, 80);
        assert!((8..=12).contains(&seen[&0]) && (18..=22).contains(&seen[&1]), "in every stretch: {seen:?}");
        assert!((48..=52).contains(&seen[&2]) && !seen.contains_key(&3), "{seen:?}");
    }
}

#[test]
fn loads_are_levelled() {
    for (policy, most) in [(Policy::LeastLoaded, 0), (Policy::TwoChoices, 5)] {
        let selector = selector(policy, Ejection::default(), &ManualClock::new());
        selector.set(0..10);
        let _calls: Vec<_> = (0..1000).map(|_| selector.pick().unwrap()).collect();
        let loads: Vec<_> = selector.stats().iter().map(|stats| stats.load).collect();
        let spread = loads.iter().max().unwrap() - loads.iter().min().unwrap();
        assert!(spread <= most, "{policy:?}: {loads:?}");
    }
    let selector = selector(Policy::LeastLoaded, Ejection::default(), &ManualClock::new());
    selector.set_weighted([(0, 1), (1, 3)]);
    let calls: Vec<_> = (0..40).map(|_| selector.pick().unwrap()).collect();
    assert_eq!(selector.stats().iter().map(|stats| stats.load).collect::<Vec<_>>(), [10, 30]);
    drop(calls);
    assert!(selector.stats().iter().all(|stats| stats.load == 0));
}

#[test]
fn two_choices_avoid_a_slow_endpoint() {
    let selector = selector(Policy::TwoChoices, Ejection::default(), &ManualClock::new());
    selector.set(0..5);
    let _stuck: Vec<_> = (0..200).map_while(|_| selector.pick_where(|endpoint| *endpoint == 0).ok()).collect();
    assert!(!counts(&selector, 1000).contains_key(&0));
}

#[test]
fn an_endpoint_that_fails_is_left_out_and_longer_each_time() {
    for policy in POLICIES {
        let clock = ManualClock::new();
        let ejection = Ejection { failures_in_a_row: Some(3), max_time: 30 * SECOND, ..Ejection::default() };
        let selector = selector(policy, ejection, &clock);
        selector.set(0..4);
        for expected in [10, 20, 30, 30] {
            for _ in 0..3 {
                selector.pick_where(|endpoint| *endpoint == 1).unwrap().failure();
            }
            assert!(!counts(&selector, 100).contains_key(&1), "{policy:?}");
            clock.advance(expected * SECOND - Duration::from_nanos(1));
            assert!(!counts(&selector, 100).contains_key(&1), "{policy:?}: still out after {expected} s");
            clock.advance(Duration::from_nanos(1));
            assert!(counts(&selector, 100).contains_key(&1), "{policy:?}: back after {expected} s");
        }
        clock.advance(100 * SECOND);
        for _ in 0..3 {
            selector.pick_where(|endpoint| *endpoint == 1).unwrap().failure();
        }
        clock.advance(10 * SECOND);
        assert!(counts(&selector, 100).contains_key(&1), "it behaved for long: as the first time");
    }
}

#[test]
fn an_endpoint_with_too_many_failures_among_its_calls_is_left_out() {
    let clock = ManualClock::new();
    let ejection = Ejection { failures_in_a_row: None, failure_rate: Some((50, 10)), ..Ejection::default() };
    let selector = selector(Policy::RoundRobin, ejection, &clock);
    selector.set(0..2);
    let one = || selector.pick_where(|endpoint| *endpoint == 0).unwrap();
    for _ in 0..5 {
        one().success();
        assert!(!selector.stats()[0].is_out);
        one().failure();
    }
    assert!(selector.stats()[0].is_out, "five of ten");
}

#[test]
fn never_more_are_left_out_than_may_and_never_all() {
    for (endpoints, percent, expected) in [(10, 30, 3), (10, 0, 1), (3, 10, 1), (1, 100, 0), (4, 100, 4)] {
        let ejection = Ejection { failures_in_a_row: Some(1), max_percent: percent, ..Ejection::default() };
        let selector = selector(Policy::RoundRobin, ejection, &ManualClock::new());
        selector.set(0..endpoints);
        for endpoint in 0..endpoints {
            let _ = selector.pick_where(|one| *one == endpoint).map(Pick::failure);
        }
        let out = selector.stats().iter().filter(|stats| stats.is_out).count();
        assert_eq!(out, expected, "{percent} % of {endpoints}");
        assert!(selector.pick().is_ok(), "a guess is better than nothing");
    }
}

#[test]
fn endpoints_that_stay_keep_what_is_known_of_them() {
    let ejection = Ejection { failures_in_a_row: Some(1), ..Ejection::default() };
    let selector = selector(Policy::LeastLoaded, ejection, &ManualClock::new());
    assert_eq!(selector.pick().map(|pick| *pick), Err(NoEndpoint));
    selector.set([1, 2, 3]);
    selector.pick_where(|endpoint| *endpoint == 1).unwrap().failure();
    let call = selector.pick_where(|endpoint| *endpoint == 2).unwrap();
    let gone = selector.pick_where(|endpoint| *endpoint == 3).unwrap();
    selector.set([1, 2, 4]);
    let stats = selector.stats();
    assert_eq!(
        stats.iter().map(|stats| (stats.endpoint, stats.load, stats.is_out)).collect::<Vec<_>>(),
        [(1, 0, true), (2, 1, false), (4, 0, false)]
    );
    drop(call);
    gone.failure();
    assert_eq!(selector.stats()[1].load, 0);
}
