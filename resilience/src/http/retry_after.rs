//! `Retry-After`: seconds, or a date.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use super::{Malformed, fields::whole_seconds};

/// When to come back.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
/// use tidemill_resilience::http::RetryAfter;
///
/// let minute = Duration::from_secs(60);
/// assert_eq!("60".parse(), Ok(RetryAfter::Delay(minute)));
/// let date: RetryAfter = "Thu, 01 Jan 1970 00:02:00 GMT".parse()?;
/// assert_eq!(date.wait(SystemTime::UNIX_EPOCH + minute), minute);
/// # Ok::<(), tidemill_resilience::http::Malformed>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RetryAfter {
    /// After this long. It is written in whole seconds, rounded up.
    Delay(Duration),
    /// At this time by the server's clock. It is written in whole seconds, rounded up.
    At(SystemTime),
}

impl RetryAfter {
    /// How long to wait, if it is `now`; nothing if the date is over.
    #[must_use]
    pub fn wait(&self, now: SystemTime) -> Duration {
        match *self {
            Self::Delay(delay) => delay,
            Self::At(at) => at.duration_since(now).unwrap_or_default(),
        }
    }
}

impl FromStr for RetryAfter {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number that is too long is a very long wait, not no wait.
            return Ok(Self::Delay(Duration::from_secs(text.parse().unwrap_or(u64::MAX))));
        }
        httpdate::parse_http_date(text).map(Self::At).map_err(|_| Malformed)
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Delay(delay) => write!(f, "{}", whole_seconds(delay)),
            Self::At(at) => {
                let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                // The last second that the format can write; it panics beyond the year 9999.
                let seconds = whole_seconds(since).min(LAST_SECOND);
                f.write_str(&httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
            }
        }
    }
}

/// 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;
