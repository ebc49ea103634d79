//! The budget in every interleaving of two threads and a half: its two words are changed by compare-and-swap alone.

use loom::{sync::Arc, thread};

use super::RetryBudget;

fn sound<E: std::fmt::Debug>(budget: Result<RetryBudget, E>) -> Arc<RetryBudget> {
    Arc::new(budget.expect("the options are sound"))
}

/// Retries never exceed the reserve and what successes paid in.
#[test]
fn nothing_is_minted() {
    loom::model(|| {
        let budget = sound(RetryBudget::new(1, 50));
        let retry = |budget: Arc<RetryBudget>| {
            thread::spawn(move || {
                budget.success();
                budget.withdraw().is_some()
            })
        };
        let (first, second) = (retry(budget.clone()), retry(budget.clone()));
        let paid = [first, second].map(|thread| u64::from(thread.join().expect("it does not panic")));
        let retries: u64 = paid.iter().sum();
        assert!(retries >= 1, "the reserve pays for one whatever the order");
        let left = budget.balance.load(super::Relaxed);
        assert!(left + 1000 * retries <= 1000 + 2 * 500, "{left} left after {retries} retries");
        // A success that met a full budget is lost; otherwise every thousandth is there.
        assert!([0, 500, 1000].contains(&left), "{left}");
    });
}

/// Of tokens, each failure takes one, though two land at once.
#[test]
fn no_failure_is_lost() {
    loom::model(|| {
        let budget = sound(RetryBudget::tokens(4, 1000));
        let other = budget.clone();
        let thread = thread::spawn(move || {
            other.failure();
            other.success();
        });
        budget.failure();
        thread.join().expect("it does not panic");
        assert_eq!(budget.balance.load(super::Relaxed), 3000);
    });
}

/// Never more under way than allowed, and a place is free again once both ended.
#[test]
fn places_are_bounded_and_come_back() {
    loom::model(|| {
        let budget = sound(RetryBudget::new(2, 0).map(|budget| budget.max_in_flight(1)));
        let hold = |budget: Arc<RetryBudget>| {
            move || {
                let spend = budget.withdraw();
                assert!(budget.in_flight() <= 1);
                spend.is_some()
            }
        };
        let thread = thread::spawn(hold(budget.clone()));
        let here = hold(budget.clone())();
        let there = thread.join().expect("it does not panic");
        assert!(here || there);
        assert_eq!(budget.in_flight(), 0);
        assert_eq!(budget.left(), 2 - u64::from(here) - u64::from(there), "a refusal costs nothing");
    });
}
