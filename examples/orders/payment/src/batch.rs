//! A batch on its way: which charges have an answer and which are still open.
//!
//! One request carries every open charge under its own key; what the answer leaves open is asked
//! again, so a batch that was answered in part is never charged twice and never lost. The answers are
//! matched by key, because the provider owes us no order.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    BatchError, Cause, Charge, Outcome, PaymentError, limits,
    wire::{BatchAnswer, BatchItem, BatchRequest, ItemResult, to_json},
};

type Answer = Result<Outcome, PaymentError>;

/// The charges of one call and what is known of each.
pub(crate) struct Batch<'a> {
    charges: &'a [Charge],
    places: HashMap<&'a str, usize>,
    state: Mutex<State>,
}

struct State {
    attempts: u32,
    answers: Vec<Option<Answer>>,
}

impl<'a> Batch<'a> {
    /// A batch with every charge open.
    pub(crate) fn new(charges: &'a [Charge]) -> Result<Self, BatchError> {
        if charges.len() > limits::BATCH {
            return Err(BatchError::TooLarge { len: charges.len(), max: limits::BATCH });
        }
        let mut places = HashMap::with_capacity(charges.len());
        for (place, charge) in charges.iter().enumerate() {
            if places.insert(charge.key.as_str(), place).is_some() {
                return Err(BatchError::DuplicateKey(charge.key.clone()));
            }
        }
        let state = State { attempts: 0, answers: vec![None; charges.len()] };
        Ok(Self { charges, places, state: Mutex::new(state) })
    }

    /// The body of the next attempt: every charge that is still open.
    pub(crate) fn next_body(&self) -> Vec<u8> {
        let mut state = self.state();
        state.attempts += 1;
        let open = self.charges.iter().zip(&state.answers).filter(|(_, answer)| answer.is_none());
        let charges = open.map(|(charge, _)| BatchItem {
            key: Cow::Borrowed(&charge.key),
            order: charge.order,
            amount_cents: charge.amount_cents,
        });
        to_json(&BatchRequest { charges: charges.collect() })
    }

    /// Takes over the answers of one attempt; an error if some charge is open still.
    pub(crate) fn absorb(&self, body: &[u8]) -> Result<(), Cause> {
        let read = serde_json::from_slice(body);
        let read: BatchAnswer<'_> = read.map_err(|e| Cause::Malformed(e.to_string()))?;
        let mut state = self.state();
        let attempts = state.attempts;
        for item in read.results {
            if let Some(&place) = self.places.get(&*item.key) {
                state.answers[place].get_or_insert_with(|| answer(item.result, attempts));
            }
        }
        match state.answers.iter().filter(|answer| answer.is_none()).count() {
            0 => Ok(()),
            open => Err(Cause::Malformed(format!("no answer to {open} charges of the batch"))),
        }
    }

    /// The answers in the order of the charges; what is open gets the error of the whole call.
    pub(crate) fn finish(self, ended: &Result<(), PaymentError>) -> Vec<Answer> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let open = || match ended {
            Err(error) => Err(error.clone()),
            Ok(()) => unreachable!("an attempt succeeds only if it left no charge open"),
        };
        state.answers.into_iter().map(|answer| answer.unwrap_or_else(open)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment, so a panic elsewhere cannot have torn the state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(result: ItemResult, attempts: u32) -> Answer {
    match result {
        ItemResult::Charged { receipt } => Ok(Outcome::Charged { receipt }),
        ItemResult::Declined { reason } => Ok(Outcome::Declined { reason }),
        ItemResult::Refused { code, message } => Err(PaymentError::after(attempts, Cause::Status { code, message })),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn charges(n: u64) -> Vec<Charge> {
        (1..=n).map(|order| Charge::for_order(order, 100 * order)).collect()
    }

    fn unknown(attempts: u32) -> PaymentError {
        PaymentError::Unknown { attempts, cause: Cause::TimedOut }
    }

    #[test]
    fn only_what_is_open_is_asked_again() {
        let charges = charges(3);
        let batch = Batch::new(&charges).unwrap();
        batch.next_body();
        let part = br#"{"results":[{"key":"2","result":{"charged":{"receipt":"r"}}}]}"#;
        let open = batch.absorb(part).unwrap_err();
        assert_eq!(open, Cause::Malformed("no answer to 2 charges of the batch".into()));
        let body = String::from_utf8(batch.next_body()).unwrap();
        assert!(body.contains(r#""key":"1""#) && body.contains(r#""key":"3""#), "{body}");
        assert!(!body.contains(r#""key":"2""#), "{body}");
        let answers = batch.finish(&Err(unknown(2)));
        assert_eq!(answers[0], Err(unknown(2)));
        assert_eq!(answers[1], Ok(Outcome::Charged { receipt: "r".into() }));
    }

    #[test]
    fn answers_of_strangers_are_ignored_and_the_first_answer_stands() {
        let charges = charges(1);
        let batch = Batch::new(&charges).unwrap();
        batch.next_body();
        let body = br#"{"results":[{"key":"9","result":{"charged":{"receipt":"x"}}},
            {"key":"1","result":{"declined":{"reason":"no"}}},
            {"key":"1","result":{"charged":{"receipt":"y"}}}]}"#;
        batch.absorb(body).unwrap();
        assert_eq!(batch.finish(&Ok(())), [Ok(Outcome::Declined { reason: "no".into() })]);
    }

    #[test]
    fn a_refusal_is_believed_only_from_the_first_attempt() {
        let refusal = br#"{"results":[{"key":"1","result":{"refused":{"code":422,"message":"m"}}}]}"#;
        let charges = charges(1);
        for (attempts, believed) in [(1, true), (2, false)] {
            let batch = Batch::new(&charges).unwrap();
            (0..attempts).for_each(|_| drop(batch.next_body()));
            batch.absorb(refusal).unwrap();
            let answer = batch.finish(&Ok(())).remove(0);
            assert_eq!(matches!(answer, Err(PaymentError::Refused { .. })), believed);
        }
    }

    #[test]
    fn a_batch_must_fit_and_have_distinct_keys() {
        let error = |charges: &[Charge]| Batch::new(charges).map(drop).unwrap_err();
        assert_eq!(error(&charges(65)), BatchError::TooLarge { len: 65, max: 64 });
        let twins = [Charge::for_order(7, 1), Charge::for_order(7, 2)];
        assert_eq!(error(&twins), BatchError::DuplicateKey("7".into()));
    }
}
