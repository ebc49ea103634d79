//! Why an order is not taken: the kind, the field at fault and the reason, in the client's words.

use std::{borrow::Cow, fmt, time::Duration};

use serde::Serialize;

use crate::limits;

/// The kind of a rejection, which decides the status of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Not JSON.
    Malformed,
    /// No idempotency key, or not one.
    BadKey,
    /// JSON, but not an order we can take.
    Invalid,
    /// The key was used with another body.
    KeyReused,
    /// Not enough pieces left.
    OutOfStock,
    /// The body is too long.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// Too many orders at once.
    Overloaded,
    /// The store failed; whether the order was taken is told by a repeat with the same key.
    Unavailable,
    /// The customer has sent too many orders.
    RateLimited,
    /// The deadline passed before the order was stored, so it is not.
    Late,
    /// The deadline passed while the store was at it; a repeat with the same key tells.
    Unanswered,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::BadKey,
        Self::Invalid,
        Self::KeyReused,
        Self::OutOfStock,
        Self::TooLarge,
        Self::TooSlow,
        Self::Overloaded,
        Self::Unavailable,
        Self::RateLimited,
        Self::Late,
        Self::Unanswered,
    ];

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::BadKey => 400,
            Self::TooSlow => 408,
            Self::OutOfStock => 409,
            Self::TooLarge => 413,
            Self::Invalid | Self::KeyReused => 422,
            Self::RateLimited => 429,
            Self::Overloaded | Self::Unavailable | Self::Late => 503,
            Self::Unanswered => 504,
        }
    }

    /// What a client is told to wait before it tries again, unless the rejection knows better; `None` if it
    /// would be told the same again.
    #[must_use]
    pub const fn pause(self) -> Option<Duration> {
        match self {
            Self::Overloaded | Self::Unavailable | Self::RateLimited | Self::Late | Self::Unanswered => {
                Some(limits::RETRY_AFTER)
            }
            _ => None,
        }
    }

    /// Its name in counters and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadKey => "bad_key",
            Self::Invalid => "invalid",
            Self::KeyReused => "key_reused",
            Self::OutOfStock => "out_of_stock",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::Late => "late",
            Self::Unanswered => "unanswered",
        }
    }
}

/// A rejection.
///
/// ```
/// use orders::domain::Reject;
/// let reject = Reject::invalid("lines[2].quantity", "must be 1 to 10000");
/// assert_eq!(reject.to_string(), "lines[2].quantity: must be 1 to 10000");
/// assert_eq!(reject.kind.status(), 422);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// What kind of rejection.
    pub kind: Kind,
    /// The field at fault, such as `lines[2].quantity`.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

impl Reject {
    /// A rejection of any kind.
    pub fn new(kind: Kind, field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, field: field.into(), reason: reason.into(), retry_after: kind.pause() }
    }

    /// The deadline passed, and the order is not stored.
    #[must_use]
    pub fn late() -> Self {
        Self::new(Kind::Late, "server", "had no time left to store the order")
    }

    /// A field with a value we cannot take.
    pub fn invalid(field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, field, reason)
    }

    /// A body of more bytes than are read.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(Kind::TooLarge, "body", format!("must be at most {} bytes", limits::BODY_BYTES))
    }

    /// The body of the answer: `application/problem+json` as in RFC 9457.
    #[must_use]
    pub fn problem(&self) -> Vec<u8> {
        let problem =
            Problem { kind: self.kind.name(), status: self.kind.status(), field: &self.field, detail: &self.reason };
        serde_json::to_vec(&problem).expect("a struct of texts and numbers always serialises")
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    status: u16,
    field: &'a str,
    detail: &'a str,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl std::error::Error for Reject {}
