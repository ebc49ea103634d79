//! The names that travel with an order: who sent it, under which key, and the print of its bytes.
//!
//! Keys and customer numbers are short, and one of each lives with every order on its way through the
//! service, so both are kept inline; only unusually long ones are allocated.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::{Kind, Reject};
use crate::limits;

/// A UUID in its long form has 36 characters.
const KEY_INLINE: usize = 40;
const CUSTOMER_INLINE: usize = 24;

/// The key under which a client may repeat a request: visible ASCII, 1 to 255 bytes.
///
/// ```
/// use orders::domain::{IdempotencyKey, KeyError};
/// let key: IdempotencyKey = "b7a1c2".parse()?;
/// assert_eq!(key.as_bytes(), b"b7a1c2");
/// assert_eq!(IdempotencyKey::new(&[b'k'; 256]), Err(KeyError::TooLong(256)));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(SmallVec<[u8; KEY_INLINE]>);

impl IdempotencyKey {
    /// Checks and takes over the bytes of a header.
    ///
    /// # Errors
    /// A [`KeyError`] that says what is wrong with them.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            0 => Err(KeyError::Missing),
            len if len > limits::KEY_BYTES => Err(KeyError::TooLong(len)),
            _ if !bytes.iter().all(u8::is_ascii_graphic) => Err(KeyError::NotVisible),
            _ => Ok(Self(SmallVec::from_slice(bytes))),
        }
    }

    /// A key for a request that came without one: the same bytes give the same key.
    #[must_use]
    pub fn derived(request: &[u8]) -> Self {
        let hash = BodyHash::of(request);
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
        Self(hash.as_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
    }

    /// The bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text.as_bytes())
    }
}

/// What is wrong with an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// There is none, or it is empty.
    Missing,
    /// It has this many bytes.
    TooLong(usize),
    /// It has characters other than visible ASCII.
    NotVisible,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is required"),
            Self::TooLong(len) => write!(f, "has {len} bytes, at most {} fit", limits::KEY_BYTES),
            Self::NotVisible => f.write_str("must be visible ASCII"),
        }
    }
}

impl std::error::Error for KeyError {}

impl From<KeyError> for Reject {
    fn from(error: KeyError) -> Self {
        Self::new(Kind::BadKey, "Idempotency-Key", error.to_string())
    }
}

/// The customer's number: 1 to 64 bytes of visible ASCII.
///
/// ```
/// use orders::domain::CustomerId;
/// assert_eq!(CustomerId::new("c-000123").unwrap().as_bytes(), b"c-000123");
/// assert!(CustomerId::new("").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CustomerId(SmallVec<[u8; CUSTOMER_INLINE]>);

impl CustomerId {
    /// Checks a customer's number.
    ///
    /// # Errors
    /// A [`Reject`] that names the field.
    pub fn new(text: &str) -> Result<Self, Reject> {
        let fits = (1..=limits::CUSTOMER_BYTES).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = format!("must be 1 to {} visible ASCII characters", limits::CUSTOMER_BYTES);
            return Err(Reject::invalid("customer", reason));
        }
        Ok(Self(SmallVec::from_slice(text.as_bytes())))
    }

    /// The bytes of the number.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// SHA-256 of a request body, by which a repeated key is told from a reused one.
///
/// ```
/// use orders::domain::BodyHash;
/// assert_ne!(BodyHash::of(b"{}"), BodyHash::of(b"{ }"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BodyHash([u8; 32]);

impl BodyHash {
    /// The hash of a body; about 0.3 us for an order where the CPU has SHA instructions.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
