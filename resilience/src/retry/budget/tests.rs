//! The bound, by random histories and by threads.
#![allow(clippy::unwrap_used)]

use std::{sync::atomic::Ordering::Relaxed, thread};

use proptest::prelude::*;

use super::*;

#[test]
fn a_senseless_budget_is_named() {
    assert_eq!(RetryBudget::new(0, 10).unwrap_err(), InvalidBudget::NoReserve);
    assert_eq!(RetryBudget::new(1, 101).unwrap_err(), InvalidBudget::Percent(101));
    assert_eq!(RetryBudget::tokens(0, 10).unwrap_err(), InvalidBudget::Tokens(0));
    assert_eq!(RetryBudget::tokens(1001, 10).unwrap_err(), InvalidBudget::Tokens(1001));
    assert_eq!(RetryBudget::tokens(10, 0).unwrap_err(), InvalidBudget::NoRatio);
}

/// gRPC A6: ten tokens, a tenth won back.
#[test]
fn tokens_allow_retries_only_above_half() {
    let budget = RetryBudget::tokens(10, 100).unwrap();
    for failures in 0..5 {
        assert_eq!(budget.left(), 5 - failures);
        assert!(budget.withdraw().is_some(), "{failures} failures leave more than five tokens");
        budget.failure();
    }
    assert!(budget.withdraw().is_none(), "five are not more than half of ten");
    budget.success();
    assert!(budget.withdraw().is_some(), "5.1 are");
    for _ in 0..100 {
        budget.failure();
    }
    for _ in 0..50 {
        assert!(budget.withdraw().is_none());
        budget.success();
    }
    assert!(budget.withdraw().is_none(), "the count stops at zero, and fifty successes make five");
    budget.success();
    assert!(budget.withdraw().is_some());
}

/// failsafe-go#67: how many retries run at the same time can be bounded as well.
#[test]
fn retries_under_way_are_bounded() {
    let budget = RetryBudget::new(10, 0).unwrap().max_in_flight(2);
    let (first, second) = (budget.withdraw(), budget.withdraw());
    assert!(first.is_some() && second.is_some());
    assert!(budget.withdraw().is_none());
    assert_eq!((budget.left(), budget.in_flight()), (8, 2), "a refusal costs nothing");
    drop(first);
    assert!(budget.withdraw().is_some());
    drop(second);
    assert_eq!((budget.left(), budget.in_flight()), (7, 0));
}

#[test]
fn a_refusal_for_want_of_balance_frees_the_place() {
    let budget = RetryBudget::new(1, 0).unwrap().max_in_flight(2);
    drop(budget.withdraw());
    assert!(budget.withdraw().is_none());
    assert_eq!(budget.in_flight(), 0);
}

#[test]
fn a_refund_gives_back_the_price_and_no_more() {
    let budget = RetryBudget::new(2, 100).unwrap();
    let spend = budget.withdraw().unwrap();
    assert_eq!(budget.left(), 1);
    budget.success();
    spend.refund();
    assert_eq!(budget.left(), 2, "never above the reserve");
}

proptest! {
    #[test]
    fn no_retry_is_minted(reserve in 1u32..20, percent in 0u32..=100, ops in prop::collection::vec(0u8..4, 0..300)) {
        let budget = RetryBudget::new(reserve, percent).unwrap();
        let (mut successes, mut retries) = (0u64, 0u64);
        for op in ops {
            match op {
                0 => { budget.success(); successes += 1; }
                1 => budget.failure(),
                2 => if let Some(spend) = budget.withdraw() { spend.refund(); },
                _ => retries += u64::from(budget.withdraw().is_some()),
            }
            prop_assert!(100 * retries <= 100 * u64::from(reserve) + u64::from(percent) * successes);
            prop_assert!(budget.left() <= u64::from(reserve));
        }
    }

    #[test]
    fn no_token_is_minted(max in 1u32..=20, per_mille in 1u32..=2000, ops: Vec<bool>) {
        let budget = RetryBudget::tokens(max, per_mille).unwrap();
        let mut thousandths = u64::from(max) * 1000;
        for success in ops {
            if success { budget.success() } else { budget.failure() }
            thousandths = match success {
                true => (thousandths + u64::from(per_mille)).min(u64::from(max) * 1000),
                false => thousandths.saturating_sub(1000),
            };
            prop_assert_eq!(budget.balance.load(Relaxed), thousandths);
            prop_assert_eq!(budget.withdraw().is_some(), 2 * thousandths > u64::from(max) * 1000);
        }
    }
}

/// Below its maximum, with threads at it from both sides, every thousandth is accounted for.
#[test]
fn nothing_is_minted_or_lost_between_threads() {
    const EACH: u64 = 50_000;
    let budget = RetryBudget::new(u32::MAX, 7).unwrap();
    let start = budget.balance.load(Relaxed) / 2;
    budget.balance.store(start, Relaxed);
    let one = || {
        budget.success();
        u64::from(budget.withdraw().is_some())
    };
    let retries: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..EACH).map(|_| one()).sum::<u64>())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(budget.balance.load(Relaxed), start + 4 * EACH * 7 * PERCENT - retries * REQUEST);
}
