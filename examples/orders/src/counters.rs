//! What the pipeline has done since it started: plain counts, read by `/metrics` and `/debug/vars`.
//!
//! Kept by hand instead of with a metrics crate: there are two dozen numbers without labels, and one
//! relaxed addition each is all they should cost.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::Kind;

/// One count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Orders accepted for the first time.
    Accepted,
    /// Answers repeated for a known key.
    Replayed,
    /// Orders paid.
    Paid,
    /// Payments the provider declined.
    Declined,
    /// Orders cancelled, their stock released.
    Cancelled,
    /// Payments without an answer, to be asked for again.
    PaymentUnknown,
    /// Payments the provider called wrong: somebody should look.
    PaymentRefused,
    /// Orders delivered.
    Delivered,
    /// Customers notified.
    Notified,
    /// Failed transactions.
    StoreErrors,
    /// Connections accepted.
    Connections,
}

impl Count {
    const ALL: [(Self, &str); 11] = [
        (Self::Accepted, "accepted"),
        (Self::Replayed, "replayed"),
        (Self::Paid, "paid"),
        (Self::Declined, "declined"),
        (Self::Cancelled, "cancelled"),
        (Self::PaymentUnknown, "payment_unknown"),
        (Self::PaymentRefused, "payment_refused"),
        (Self::Delivered, "delivered"),
        (Self::Notified, "notified"),
        (Self::StoreErrors, "store_errors"),
        (Self::Connections, "connections"),
    ];
}

/// All counts. Nothing is published through them, hence relaxed throughout.
///
/// ```
/// use orders::{Count, Counters};
/// let counters = Counters::default();
/// counters.add(Count::Paid, 2);
/// assert_eq!(counters.get(Count::Paid), 2);
/// assert!(counters.list().contains(&("paid".to_owned(), 2)));
/// ```
#[derive(Debug, Default)]
pub struct Counters {
    counts: [AtomicU64; Count::ALL.len()],
    rejected: [AtomicU64; Kind::ALL.len()],
}

impl Counters {
    /// Adds to a count.
    pub fn add(&self, count: Count, n: u64) {
        self.counts[count as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// Counts a rejection.
    pub fn reject(&self, kind: Kind) {
        self.rejected[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// One count.
    #[must_use]
    pub fn get(&self, count: Count) -> u64 {
        self.counts[count as usize].load(Ordering::Relaxed)
    }

    /// How many orders were rejected for this kind of reason.
    #[must_use]
    pub fn rejected(&self, kind: Kind) -> u64 {
        self.rejected[kind as usize].load(Ordering::Relaxed)
    }

    /// Every count with its name.
    #[must_use]
    pub fn list(&self) -> Vec<(String, u64)> {
        let counts = Count::ALL.into_iter().map(|(count, name)| (name.to_owned(), self.get(count)));
        let rejected = Kind::ALL.into_iter().map(|kind| (format!("rejected_{}", kind.name()), self.rejected(kind)));
        counts.chain(rejected).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_listed_at_its_own_place() {
        for (place, (count, _)) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, place);
        }
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }
}
