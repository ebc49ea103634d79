//! What became of a request, in the classes a load test tells apart.

use std::fmt;

/// The end of one request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 2xx.
    Accepted,
    /// 409 or 422: the idempotency key is in use or was used otherwise.
    Conflict,
    /// 429: over the customer's limit.
    Throttled,
    /// 503: shed by an overloaded server.
    Unavailable,
    /// Any other 4xx.
    ClientError,
    /// Any other 5xx.
    ServerError,
    /// A status that is none of the above.
    Other,
    /// Connecting, writing or reading failed, or the answer was not HTTP.
    Io,
    /// No answer within the plan's time-out, counted from the planned time.
    TimedOut,
}

impl Class {
    /// All classes, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Accepted,
        Self::Conflict,
        Self::Throttled,
        Self::Unavailable,
        Self::ClientError,
        Self::ServerError,
        Self::Other,
        Self::Io,
        Self::TimedOut,
    ];

    /// The class of an HTTP status.
    pub fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Accepted,
            409 | 422 => Self::Conflict,
            429 => Self::Throttled,
            503 => Self::Unavailable,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::Other,
        }
    }

    /// Whether the server answered at all.
    pub fn is_answered(self) -> bool {
        !matches!(self, Self::Io | Self::TimedOut)
    }

    /// Whether it counts in the latencies: orders that were taken, and those a user gave up on. Quick
    /// refusals would flatter the picture; leaving the time-outs out would too.
    pub(crate) fn is_measured(self) -> bool {
        matches!(self, Self::Accepted | Self::TimedOut)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accepted => "2xx",
            Self::Conflict => "409/422",
            Self::Throttled => "429",
            Self::Unavailable => "503",
            Self::ClientError => "other 4xx",
            Self::ServerError => "other 5xx",
            Self::Other => "other",
            Self::Io => "io",
            Self::TimedOut => "time-out",
        })
    }
}

/// How many requests ended in each class.
///
/// ```
/// use orders_load::{Class, Counts};
/// let mut counts = Counts::default();
/// counts.add(Class::of(201));
/// counts.add(Class::of(429));
/// assert_eq!((counts.of(Class::Accepted), counts.total()), (1, 2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Class::ALL.len()]);

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// How many ended in `class`.
    pub fn of(&self, class: Class) -> u64 {
        self.0[class as usize]
    }

    /// How many ended at all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many the server answered, with whatever status.
    pub fn answered(&self) -> u64 {
        Class::ALL.into_iter().filter(|class| class.is_answered()).map(|class| self.of(class)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_class() {
        let table = [
            (200, Class::Accepted),
            (202, Class::Accepted),
            (301, Class::Other),
            (404, Class::ClientError),
            (409, Class::Conflict),
            (422, Class::Conflict),
            (429, Class::Throttled),
            (500, Class::ServerError),
            (503, Class::Unavailable),
            (999, Class::Other),
        ];
        for (status, class) in table {
            assert_eq!(Class::of(status), class, "{status}");
        }
    }

    #[test]
    fn the_classes_are_listed_in_the_order_they_are_counted_in() {
        for (place, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, place);
        }
    }
}
