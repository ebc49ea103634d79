//! An order in a file, where there is no header to carry its key.

use bytes::Bytes;
use serde_json::Value;

use super::tree::Tree;
use crate::domain::{Kind, Reject};

const FIELD: &str = "idempotency_key";

/// Takes the key out of an order that has one, and gives the body without it.
///
/// # Errors
/// If it is not JSON, says something twice, or has a key that is no text.
///
/// ```
/// let (key, body) = orders::decode::split_key(br#"{"idempotency_key":"k","note":"n"}"#)?;
/// assert_eq!(key.as_deref(), Some("k"));
/// assert_eq!(&body[..], br#"{"note":"n"}"#);
/// # Ok::<(), orders::domain::Reject>(())
/// ```
pub fn split_key(line: &[u8]) -> Result<(Option<String>, Bytes), Reject> {
    let Tree(mut value) = Tree::read(line)?;
    let key = value.as_object_mut().and_then(|order| order.remove(FIELD));
    let key = match key {
        None => return Ok((None, Bytes::copy_from_slice(line))),
        Some(Value::String(key)) => key,
        Some(_) => return Err(Reject::new(Kind::BadKey, FIELD, "must be a text")),
    };
    Ok((Some(key), value.to_string().into()))
}
