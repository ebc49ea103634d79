//! Each fault alone and all together, single and batched: nothing is charged twice, nothing is lost.
#![allow(clippy::unwrap_used)]

mod common;

use common::{MS, any_port, assert_exactly_once, charges, is_unknown, quick, run};
use orders_payment::{
    Charge, Gateway, Outcome, PaymentError, limits,
    simulator::{Faults, Ledger, Simulator},
};

fn quiet() -> Faults {
    Faults { slow_by: 5 * MS, hang_for: 200 * MS, retry_after: 2 * MS, ..Faults::default() }
}

fn table() -> Vec<(&'static str, Faults)> {
    vec![
        ("none", quiet()),
        ("error_500", Faults { error_500: 0.4, ..quiet() }),
        ("throttled_429", Faults { throttled_429: 0.4, ..quiet() }),
        ("timeout", Faults { timeout: 0.2, ..quiet() }),
        ("late answer", Faults { timeout: 0.2, hang_for: 70 * MS, ..quiet() }),
        ("reset", Faults { reset: 0.4, ..quiet() }),
        ("slow", Faults { slow: 0.4, ..quiet() }),
        ("declined", Faults { declined: 0.3, ..quiet() }),
        (
            "all",
            Faults {
                error_500: 0.1,
                throttled_429: 0.1,
                timeout: 0.05,
                reset: 0.1,
                slow: 0.1,
                declined: 0.2,
                ..quiet()
            },
        ),
    ]
}

async fn charge_singly(gateway: &Gateway, all: &[Charge]) -> Vec<Result<Outcome, PaymentError>> {
    let spawn = |charge: &Charge| {
        let (gateway, charge) = (gateway.clone(), charge.clone());
        tidemill::spawn(async move { gateway.charge(charge).await })
    };
    let mut answers = Vec::new();
    for task in all.iter().map(spawn).collect::<Vec<_>>() {
        answers.push(task.await.unwrap());
    }
    answers
}

async fn charge_batched(gateway: &Gateway, all: &[Charge]) -> Vec<Result<Outcome, PaymentError>> {
    let mut answers = Vec::new();
    for batch in all.chunks(limits::BATCH / 4) {
        answers.extend(gateway.charge_batch(batch).await.unwrap());
    }
    answers
}

/// What the client was told is what the book says; what it was not told may be either way.
fn assert_agrees(ledger: &Ledger, all: &[Charge], answers: &[Result<Outcome, PaymentError>]) {
    assert_eq!(all.len(), answers.len());
    for (charge, answer) in all.iter().zip(answers) {
        match answer {
            Ok(outcome) => {
                assert_eq!(ledger.answer(&charge.key), Some((charge.clone(), outcome.clone())));
            }
            Err(error) => assert!(matches!(error, PaymentError::Unknown { .. }), "{error}"),
        }
    }
}

#[test]
fn every_charge_ends_and_none_is_taken_twice() {
    let all = charges(1..65);
    for (name, faults) in table() {
        run(async {
            let provider = Simulator::builder().seed(11).faults(faults).bind(any_port()).await.unwrap();
            let gateway = quick(provider.url()).connections(16).build().unwrap();
            let answers = charge_singly(&gateway, &all).await;
            assert_agrees(&provider.ledger(), &all, &answers);
            assert_exactly_once(&provider.ledger(), &all);
            let unknown = answers.iter().filter(|a| is_unknown(a)).count();
            assert_eq!(gateway.stats().unknown, unknown as u64);
            assert!(unknown <= 4, "{name}: {unknown} unknown despite eight attempts");
        });
    }
}

#[test]
fn every_charge_of_a_batch_ends_and_none_is_taken_twice() {
    let all = charges(1..129);
    for (name, faults) in table() {
        run(async {
            let provider = Simulator::builder().seed(5).faults(faults).bind(any_port()).await.unwrap();
            let gateway = quick(provider.url()).build().unwrap();
            let answers = charge_batched(&gateway, &all).await;
            assert_agrees(&provider.ledger(), &all, &answers);
            assert_exactly_once(&provider.ledger(), &all);
            assert!(!answers.iter().any(is_unknown), "{name}: unknown despite eight attempts");
        });
    }
}

#[test]
fn an_unknown_payment_is_settled_by_asking_again_with_the_same_key() {
    run(async {
        let all = charges(1..17);
        // Every request is swallowed, about half of them after the charge was recorded.
        let faults = Faults { timeout: 1.0, ..quiet() };
        let provider = Simulator::builder().seed(3).faults(faults).bind(any_port()).await.unwrap();
        let gateway = quick(provider.url()).attempts(1).attempt_timeout(20 * MS).connections(16);
        let gateway = gateway.build().unwrap();
        let answers = charge_singly(&gateway, &all).await;
        assert!(answers.iter().all(is_unknown));
        let recorded = provider.ledger().charges();
        assert!((1..16).contains(&recorded.len()), "{} of 16 recorded", recorded.len());

        provider.set_faults(quiet()).unwrap();
        let answers = charge_singly(&gateway, &all).await;
        assert_agrees(&provider.ledger(), &all, &answers);
        assert_exactly_once(&provider.ledger(), &all);
        let settled = provider.ledger().charges();
        assert_eq!(settled.len(), 16);
        assert_eq!(settled[..recorded.len()], recorded, "a first answer was replaced");
    });
}

#[test]
fn declines_are_the_same_whichever_way_and_how_often_they_are_asked_for() {
    run(async {
        let all = charges(1..65);
        let faults = Faults { declined: 0.5, error_500: 0.3, ..quiet() };
        let declined_of = async |seed| {
            let provider = Simulator::builder().seed(seed).faults(faults);
            let provider = provider.bind(any_port()).await.unwrap();
            let gateway = quick(provider.url()).build().unwrap();
            let singly = charge_singly(&gateway, &all).await;
            assert_eq!(singly, charge_batched(&gateway, &all).await);
            let declined = |a: &Result<Outcome, _>| matches!(a, Ok(Outcome::Declined { .. }));
            singly.iter().map(declined).collect::<Vec<_>>()
        };
        let first = declined_of(1).await;
        assert_eq!(first, declined_of(1).await);
        assert_ne!(first, declined_of(2).await);
    });
}

#[test]
fn a_batch_has_mixed_outcomes() {
    run(async {
        let faults = Faults { declined: 0.5, ..quiet() };
        let provider = Simulator::builder().seed(1).faults(faults).bind(any_port()).await.unwrap();
        let gateway = quick(provider.url()).build().unwrap();
        let mut batch = charges(1..33);
        gateway.charge(batch[0].clone()).await.unwrap();
        batch[0].amount_cents += 1;
        batch[1].amount_cents = 0;
        let answers = gateway.charge_batch(&batch).await.unwrap();
        let refused = |n: usize| match &answers[n] {
            Err(PaymentError::Refused { status, .. }) => *status,
            other => panic!("{other:?}"),
        };
        assert_eq!((refused(0), refused(1)), (422, 400));
        let charged = answers.iter().flatten().filter(|o| o.receipt().is_some()).count();
        assert!((5..=25).contains(&charged), "{charged} of 30 charged at one half declined");
        assert_eq!(answers.iter().flatten().count(), 30);
        assert_eq!(gateway.stats().requests, 2, "refusals are final");
    });
}
