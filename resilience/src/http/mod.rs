//! Limits over HTTP (feature `http`): what a server tells its clients, and what a client makes of it.
//!
//! - A server writes `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11: structured lists), the three older
//!   fields if its clients know only those, and answers what it refuses with a [`Problem`] and `Retry-After`.
//! - A client reads all of these with [`pause`], and gives what comes out to its limiter or to a retry
//!   ([`Decision::RetryAfter`](crate::Decision::RetryAfter)).
//!
//! Times are rounded up to whole seconds when they are written: a client that waits as long as it is told is never too early.

mod fields;
mod problem;
mod retry_after;
mod structured;

use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};

pub use self::{
    fields::{OldFields, QuotaPolicy, ServiceLimit},
    problem::Problem,
    retry_after::RetryAfter,
};

/// A field's value is not what its definition says.
///
/// # Examples
/// ```
/// use tidemill_resilience::http::{Malformed, QuotaPolicy};
///
/// assert_eq!(QuotaPolicy::parse_list(r#""burst;q=100"#), Err(Malformed)); // a quote is missing
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the field's value is malformed")
    }
}

impl Error for Malformed {}

/// How long a client should pause before its next request, by the answer's headers; `None` if nothing is said, or there is some left.
///
/// `Retry-After` counts first, since it is about this very request. Then `RateLimit`: the longest reset of the limits that have
/// nothing left. Then the three older fields. What is malformed is as good as not there. The answer is the server's wish: cap it before
/// you obey it, as a retry does.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
/// use http::HeaderMap;
/// use tidemill_resilience::http::pause;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("ratelimit", r#""burst";r=0;t=3, "daily";r=900;t=4000"#.parse()?);
/// assert_eq!(pause(&headers, SystemTime::now()), Some(Duration::from_secs(3)));
/// headers.insert("retry-after", "7".parse()?);
/// assert_eq!(pause(&headers, SystemTime::now()), Some(Duration::from_secs(7)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn pause(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let retry_after =
        headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<RetryAfter>().ok());
    retry_after
        .map(|after| after.wait(now))
        .or_else(|| by_limits(headers))
        .or_else(|| OldFields::from_headers(headers).filter(|old| old.remaining == 0).map(|old| old.reset))
}

/// A list may be spread over several lines of the same name.
fn by_limits(headers: &HeaderMap) -> Option<Duration> {
    let lines: Option<Vec<_>> = headers.get_all("ratelimit").iter().map(|line| line.to_str().ok()).collect();
    let limits = ServiceLimit::parse_list(&lines?.join(", ")).ok()?;
    limits.iter().filter(|limit| limit.remaining == 0).filter_map(|limit| limit.reset).max()
}
