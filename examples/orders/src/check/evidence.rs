//! What is known from outside the database: the provider's ledger and the answers clients got.

use std::{fmt, str::FromStr};

use orders_payment::simulator::Entry;
use rusqlite::Connection;

use super::Needs;

/// An order that some client was told is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Its number.
    pub order: u64,
    /// The key it was sent under, if that was kept.
    pub key: Option<String>,
}

/// The text is not `NUMBER` or `NUMBER KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceError(String);

impl fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an order's number, or a number and a key", self.0)
    }
}

impl std::error::Error for EvidenceError {}

impl FromStr for Acceptance {
    type Err = EvidenceError;

    fn from_str(line: &str) -> Result<Self, EvidenceError> {
        let mut words = line.split_whitespace();
        let order = words.next().and_then(|word| word.parse().ok());
        match (order, words.next(), words.next()) {
            (Some(order), key, None) => Ok(Self { order, key: key.map(str::to_owned) }),
            _ => Err(EvidenceError(line.to_owned())),
        }
    }
}

/// The evidence for one check; what is absent is not checked against.
///
/// ```
/// use orders::check::{Evidence, Needs};
/// let evidence = Evidence { accepted: Some(vec!["7 key-of-7".parse()?]), ..Evidence::default() };
/// assert!(evidence.suffices(Needs::Accepted) && !evidence.suffices(Needs::Ledger));
/// # Ok::<(), orders::check::EvidenceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The provider's charges.
    pub ledger: Option<Vec<Entry>>,
    /// The orders that clients were told are accepted.
    pub accepted: Option<Vec<Acceptance>>,
}

impl Evidence {
    /// Whether an invariant with these needs can be checked.
    #[must_use]
    pub fn suffices(&self, needs: Needs) -> bool {
        match needs {
            Needs::Database => true,
            Needs::Ledger => self.ledger.is_some(),
            Needs::Accepted => self.accepted.is_some(),
        }
    }

    /// Puts it into temporary tables, which are the connection's own even where it may not write.
    pub(super) fn load(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TEMP TABLE ledger (key TEXT, order_id INTEGER, amount_cents INTEGER, receipt TEXT);
             CREATE TEMP TABLE accepted (order_id INTEGER, key BLOB); BEGIN;",
        )?;
        let mut charge = connection.prepare("INSERT INTO ledger VALUES (?, ?, ?, ?)")?;
        for Entry { key, order, amount_cents, receipt } in self.ledger.iter().flatten() {
            charge.execute((key, order, amount_cents, receipt))?;
        }
        let mut answer = connection.prepare("INSERT INTO accepted VALUES (?, ?)")?;
        for Acceptance { order, key } in self.accepted.iter().flatten() {
            answer.execute((order, key.as_ref().map(String::as_bytes)))?;
        }
        connection.execute_batch(
            "COMMIT; CREATE INDEX temp.ledger_orders ON ledger (order_id);
             CREATE INDEX temp.accepted_orders ON accepted (order_id);",
        )
    }
}
