//! The provider's HTTP interface as data, written once for both ends.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /charges`, header `Idempotency-Key` | [`SingleRequest`] | 200 with an [`Outcome`] |
//! | `POST /charges/batch` | [`BatchRequest`] | 200 with a [`BatchAnswer`], one item per charge |
//!
//! A decline is an answer, hence 200. 409 or 422 mean that the key is known with other contents. In a
//! batch each charge has its own status, so one refused charge does not spoil its neighbours.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Outcome;

pub(crate) const SINGLE_PATH: &str = "/charges";
pub(crate) const BATCH_PATH: &str = "/charges/batch";
pub(crate) const KEY_HEADER: &str = "idempotency-key";
/// Milliseconds to wait, beside the standard `Retry-After` whose unit is a whole second.
pub(crate) const RETRY_AFTER_MS: &str = "retry-after-ms";

/// The body of a single charge; its key is the `Idempotency-Key` header.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SingleRequest {
    pub(crate) order: u64,
    pub(crate) amount_cents: u64,
}

/// One charge inside a batch; borrowed on the way out as on the way in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BatchItem<'a> {
    #[serde(borrow)]
    pub(crate) key: Cow<'a, str>,
    pub(crate) order: u64,
    pub(crate) amount_cents: u64,
}

/// The body of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BatchRequest<'a> {
    #[serde(borrow)]
    pub(crate) charges: Vec<BatchItem<'a>>,
}

/// What became of one charge of a batch. The variant is the outer name in the JSON: a tag inside would
/// make serde buffer each item before it can be read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ItemResult {
    Charged { receipt: String },
    Declined { reason: String },
    Refused { code: u16, message: String },
}

impl From<Outcome> for ItemResult {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Charged { receipt } => Self::Charged { receipt },
            Outcome::Declined { reason } => Self::Declined { reason },
        }
    }
}

/// One answer inside a batch; the key says whose it is, the order of the items does not matter.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ItemAnswer<'a> {
    #[serde(borrow)]
    pub(crate) key: Cow<'a, str>,
    pub(crate) result: ItemResult,
}

/// The answer to a batch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BatchAnswer<'a> {
    #[serde(borrow)]
    pub(crate) results: Vec<ItemAnswer<'a>>,
}

/// The JSON text of one of the bodies above.
pub(crate) fn to_json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("structs of strings and numbers always serialise")
}

/// `text` cut to at most `limit` bytes at a character boundary.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_batch_answer_reads_back_as_written() {
        let answer = BatchAnswer {
            results: vec![
                ItemAnswer { key: "1".into(), result: ItemResult::Charged { receipt: "r-1".into() } },
                ItemAnswer {
                    key: "2".into(),
                    result: ItemResult::Refused { code: 422, message: "other amount".into() },
                },
            ],
        };
        let text = String::from_utf8(to_json(&answer)).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"results":[{"key":"1","result":{"charged":{"receipt":"r-1"}}},"#,
                r#"{"key":"2","result":{"refused":{"code":422,"message":"other amount"}}}]}"#
            )
        );
        let back: BatchAnswer = serde_json::from_str(&text).unwrap();
        assert_eq!(String::from_utf8(to_json(&back)).unwrap(), text);
    }

    #[test]
    fn cutting_never_splits_a_character() {
        for (limit, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (9, "aé")] {
            assert_eq!(cut("aé", limit), expected);
        }
    }
}
