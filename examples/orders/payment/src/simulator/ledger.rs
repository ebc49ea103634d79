//! The provider's book: the first answer to each key, for ever.
//!
//! This is the one place that makes a charge happen at most once. A key that is known gets its first
//! answer again, whatever became of the request that carried it; a key that is known with another order
//! or amount is a mistake of the caller and changes nothing. The book outlives the server that writes
//! it: handed to the next [`Simulator`](super::Simulator) it plays the provider's durable store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{Charge, Outcome};

/// A shared handle to the book; clones show the same one.
///
/// ```
/// use orders_payment::simulator::Ledger;
/// let ledger = Ledger::default();
/// assert!(ledger.charges().is_empty());
/// assert_eq!(ledger.answer("42"), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    book: Arc<Mutex<Book>>,
}

/// Every record in the order of its arrival, and where each key is.
#[derive(Debug, Default)]
struct Book {
    records: Vec<(Charge, Outcome)>,
    places: HashMap<String, usize>,
}

/// A charge that was taken, as `GET /ledger` lists it.
///
/// ```
/// use orders_payment::simulator::Entry;
/// let entry = Entry { key: "7".into(), order: 7, amount_cents: 250, receipt: "r-1".into() };
/// assert_eq!(entry.amount_cents, 250);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The idempotency key it was asked with.
    pub key: String,
    /// The order that was paid.
    pub order: u64,
    /// What was taken, in cents.
    pub amount_cents: u64,
    /// The number of the charge, unique in the ledger.
    pub receipt: String,
}

/// The key is known, but with another order or amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyReused;

impl Ledger {
    /// The charges that were taken, oldest first. Clones them all.
    pub fn charges(&self) -> Vec<Entry> {
        self.book().records.iter().filter_map(|(charge, outcome)| entry(charge, outcome)).collect()
    }

    /// The charge and the first answer recorded under `key`, declines included.
    pub fn answer(&self, key: &str) -> Option<(Charge, Outcome)> {
        let book = self.book();
        book.places.get(key).map(|&place| book.records[place].clone())
    }

    /// The answer to `charge`: the recorded one or, for a new key, what `declined` says.
    pub(super) fn settle(&self, charge: Charge, declined: impl FnOnce(&str) -> bool) -> Result<Outcome, KeyReused> {
        let mut book = self.book();
        if let Some(&place) = book.places.get(&charge.key) {
            let (known, outcome) = &book.records[place];
            return if *known == charge { Ok(outcome.clone()) } else { Err(KeyReused) };
        }
        let place = book.records.len();
        let outcome = if declined(&charge.key) {
            Outcome::Declined { reason: "insufficient funds".to_owned() }
        } else {
            Outcome::Charged { receipt: format!("r-{}", place + 1) }
        };
        book.places.insert(charge.key.clone(), place);
        book.records.push((charge, outcome.clone()));
        Ok(outcome)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // `places` is written before `records` and both cannot fail in between, so the book is whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(charge: &Charge, outcome: &Outcome) -> Option<Entry> {
    let Charge { key, order, amount_cents } = charge.clone();
    Some(Entry { key, order, amount_cents, receipt: outcome.receipt()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_first_answer() {
        let ledger = Ledger::default();
        let first = ledger.settle(Charge::for_order(1, 100), |_| false);
        let again = ledger.settle(Charge::for_order(1, 100), |_| true);
        assert_eq!(first, Ok(Outcome::Charged { receipt: "r-1".into() }));
        assert_eq!(again, first);
        assert_eq!(ledger.charges().len(), 1);
    }

    #[test]
    fn a_key_with_other_contents_changes_nothing() {
        let ledger = Ledger::default();
        let charge = Charge::for_order(1, 100);
        assert!(ledger.settle(charge.clone(), |_| false).is_ok());
        let other = Charge { amount_cents: 101, ..charge.clone() };
        assert_eq!(ledger.settle(other, |_| false), Err(KeyReused));
        assert_eq!(ledger.answer("1").map(|(known, _)| known), Some(charge));
    }

    #[test]
    fn a_decline_is_remembered_but_takes_no_money() {
        let ledger = Ledger::default();
        let declined = ledger.settle(Charge::for_order(1, 100), |_| true);
        assert_eq!(ledger.settle(Charge::for_order(1, 100), |_| false), declined);
        assert!(ledger.charges().is_empty());
        assert!(ledger.answer("1").is_some());
    }
}
