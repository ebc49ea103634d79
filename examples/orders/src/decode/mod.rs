//! From the bytes of a body to a draft: the shape is right, the meaning not yet checked.
//!
//! Both variants accept and reject the same bodies in the same words. **Naive** builds the whole tree
//! of values and copies each field out of it. **Tuned** lets serde fill a struct whose texts point into
//! the body, which allocates nothing; it only knows *that* a body is wrong, so it asks the naive form
//! *what* is wrong with it. That is the slow path, but wrong bodies are rare and short.
//!
//! Not taken: a SIMD parser (gains little below 1 KiB and wants a copy of the input it may write to),
//! and a path-tracking deserialiser (slows down every order to explain the few bad ones).

mod draft;
mod keyed;
mod naive;
mod tree;
mod tuned;

pub use draft::{Address, Draft, DraftLine, DraftLines, Text};
pub use keyed::split_key;

use crate::{Variant, domain::Reject};

/// Reads a body.
///
/// # Errors
/// A [`Reject`] that names the field.
///
/// ```
/// use orders::{Variant, decode::decode};
/// let error = decode(Variant::Tuned, b"{\"customer\":7}").unwrap_err();
/// assert_eq!(error.to_string(), "customer: must be a text");
/// ```
pub fn decode(variant: Variant, body: &[u8]) -> Result<Draft<'_>, Reject> {
    match variant {
        Variant::Naive => naive::decode(body),
        Variant::Tuned => tuned::decode(body),
    }
}

#[cfg(test)]
pub(crate) mod tests;
