//! Why an order is not taken: the kind, the field at fault and the reason, in the client's words.

use std::{borrow::Cow, fmt};

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
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::BadKey,
        Self::Invalid,
        Self::KeyReused,
        Self::OutOfStock,
        Self::TooLarge,
        Self::TooSlow,
        Self::Overloaded,
        Self::Unavailable,
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
            Self::Overloaded | Self::Unavailable => 503,
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
}

impl Reject {
    /// A rejection of any kind.
    pub fn new(kind: Kind, field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, field: field.into(), reason: reason.into() }
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
