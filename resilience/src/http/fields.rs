//! The fields: `RateLimit-Policy` and `RateLimit` of the IETF draft, the three older ones, and their common reading.

use std::{fmt, str::FromStr, time::Duration};

use http::HeaderMap;

use super::{
    Malformed,
    structured::{Item, list, quoted},
};

/// An item of `RateLimit-Policy`: what a client may ask for.
///
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::http::QuotaPolicy;
///
/// let policy = QuotaPolicy::new("burst", 100).window(Duration::from_secs(60));
/// assert_eq!(policy.to_string(), r#""burst";q=100;w=60"#);
/// assert_eq!(QuotaPolicy::parse_list(r#""burst";q=100;w=60, "daily";q=5000"#)?[0], policy);
/// # Ok::<(), tidemill_resilience::http::Malformed>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct QuotaPolicy {
    /// Its name.
    pub name: String,
    /// Requests (or whatever is counted) in a window.
    pub quota: u64,
    /// The window, in whole seconds.
    pub window: Option<Duration>,
    /// Whom it is counted for, in base64.
    pub partition: Option<String>,
}

/// An item of `RateLimit`: what is left.
///
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::http::ServiceLimit;
///
/// let limit = ServiceLimit::new("burst", 3).reset(Duration::from_millis(1500));
/// assert_eq!(limit.to_string(), r#""burst";r=3;t=2"#, "a client that waits two seconds is not too early");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServiceLimit {
    /// The policy's name.
    pub name: String,
    /// What is left.
    pub remaining: u64,
    /// Until there is more, in whole seconds.
    pub reset: Option<Duration>,
    /// Whom it is counted for, in base64.
    pub partition: Option<String>,
}

impl QuotaPolicy {
    /// A policy without a window.
    pub fn new(name: impl Into<String>, quota: u64) -> Self {
        Self { name: name.into(), quota, window: None, partition: None }
    }

    /// Counts in windows of this length.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// Reads a field's value. Items without a quota are left out, as the draft asks.
    ///
    /// # Errors
    /// It is not a structured list.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Malformed> {
        let read = |item: Item| {
            let (window, partition) = (item.integer("w").map(Duration::from_secs), item.bytes("pk"));
            Some(Self { quota: item.integer("q")?, window, partition, name: item.name })
        };
        Ok(list(text)?.into_iter().filter_map(read).collect())
    }
}

impl ServiceLimit {
    /// A limit with this much left.
    pub fn new(name: impl Into<String>, remaining: u64) -> Self {
        Self { name: name.into(), remaining, reset: None, partition: None }
    }

    /// There is more after this time.
    #[must_use]
    pub fn reset(mut self, reset: Duration) -> Self {
        self.reset = Some(reset);
        self
    }

    /// Reads a field's value. Items that do not say what is left are left out, as the draft asks.
    ///
    /// # Errors
    /// It is not a structured list.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Malformed> {
        let read = |item: Item| {
            let (reset, partition) = (item.integer("t").map(Duration::from_secs), item.bytes("pk"));
            Some(Self { remaining: item.integer("r")?, reset, partition, name: item.name })
        };
        Ok(list(text)?.into_iter().filter_map(read).collect())
    }
}

/// Writes an item: its name, and the parameters that are there.
fn write_item(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    (count_key, count): (&str, u64),
    (time_key, time): (&str, Option<Duration>),
    partition: Option<&str>,
) -> fmt::Result {
    write!(f, "{};{count_key}={count}", quoted(name))?;
    if let Some(time) = time {
        write!(f, ";{time_key}={}", whole_seconds(time))?;
    }
    partition.map_or(Ok(()), |partition| write!(f, ";pk=:{partition}:"))
}

impl fmt::Display for QuotaPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, quota, window, partition } = self;
        write_item(f, name, ("q", *quota), ("w", *window), partition.as_deref())
    }
}

impl fmt::Display for ServiceLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, remaining, reset, partition } = self;
        write_item(f, name, ("r", *remaining), ("t", *reset), partition.as_deref())
    }
}

/// A time in whole seconds, rounded up: who waits as long as he is told must not come too early.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// The older form, three fields of a number each: `RateLimit-Limit`, `-Remaining` and `-Reset`, with or without `X-`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use http::HeaderMap;
/// use tidemill_resilience::http::OldFields;
///
/// let old = OldFields { limit: 100, remaining: 0, reset: Duration::from_millis(1500) };
/// let mut headers = HeaderMap::new();
/// for (name, value) in old.fields() {
///     headers.insert(name, value.parse()?);
/// }
/// let read = OldFields::from_headers(&headers).expect("all three are there");
/// assert_eq!((read.remaining, read.reset), (0, Duration::from_secs(2)), "rounded up");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OldFields {
    /// The quota.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// Until there is more, in whole seconds.
    pub reset: Duration,
}

impl OldFields {
    /// The fields, by name.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, String); 3] {
        [
            ("ratelimit-limit", self.limit.to_string()),
            ("ratelimit-remaining", self.remaining.to_string()),
            ("ratelimit-reset", whole_seconds(self.reset).to_string()),
        ]
    }

    /// Reads them, if all three are there. Of `limit` only the first number counts: it may be followed by a policy.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        ["", "x-"].into_iter().find_map(|prefix| {
            let number = |name: &str| -> Option<u64> {
                let text = headers.get(format!("{prefix}ratelimit-{name}"))?.to_str().ok()?;
                u64::from_str(text.split([',', ';']).next()?.trim()).ok()
            };
            let (limit, remaining) = (number("limit")?, number("remaining")?);
            Some(Self { limit, remaining, reset: Duration::from_secs(number("reset")?) })
        })
    }
}
