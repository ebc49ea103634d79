//! Serde fills a struct that points into the body; nothing is copied and nothing allocated.

use super::{Draft, draft::Object, naive};
use crate::domain::{Kind, Reject};

pub(super) fn decode(body: &[u8]) -> Result<Draft<'_>, Reject> {
    match parse(body) {
        Some(draft) => Ok(draft),
        None => Err(explain(body)),
    }
}

/// One check of the UTF-8 for the whole body is cheaper than one per text.
fn parse(body: &[u8]) -> Option<Draft<'_>> {
    let text = std::str::from_utf8(body).ok()?;
    serde_json::from_str(text).ok().map(|Object(draft)| draft)
}

/// What the naive form has against the body. A test holds both to the same verdicts; should they
/// ever differ, the body is refused all the same.
#[cold]
fn explain(body: &[u8]) -> Reject {
    let vague = || Reject::new(Kind::Malformed, "body", "is not an order");
    naive::decode(body).err().unwrap_or_else(vague)
}
