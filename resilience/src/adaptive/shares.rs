//! Partitions: each has a share of the limit that the others leave free for it, and may use what they do not.
//!
//! A call of a partition passes if its own share is not used up, or if, with it, there is still room for everything that is
//! guaranteed to the others and not used. So the sum of all never passes the limit, and a share is there the moment its
//! partition wants it. (Netflix's lets a partition within its share pass even when the whole is full, and so passes
//! the limit.) When the limit shrinks, shares shrink with it; what is out stays out.

use std::borrow::Cow;

#[derive(Debug, Default)]
pub(super) struct Shares {
    partitions: Vec<Partition>,
    /// Calls in flight, with and without a partition.
    total: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub(super) name: Cow<'static, str>,
    pub(super) percent: u32,
    pub(super) in_flight: u32,
}

impl Partition {
    /// Rounded down, so that all of them together fit.
    fn share(&self, limit: u32) -> u32 {
        u32::try_from(u64::from(limit) * u64::from(self.percent) / 100).unwrap_or(u32::MAX)
    }

    fn unused(&self, limit: u32) -> u32 {
        self.share(limit).saturating_sub(self.in_flight)
    }
}

impl Shares {
    pub(super) fn new(partitions: Vec<Partition>) -> Self {
        Self { partitions, total: 0 }
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.partitions.iter().position(|partition| partition.name == name)
    }

    pub(super) fn in_flight(&self, name: &str) -> Option<u32> {
        self.find(name).map(|index| self.partitions[index].in_flight)
    }

    /// Lets a call of this partition (or of none) in, if there is room.
    pub(super) fn enter(&mut self, index: Option<usize>, limit: u32) -> bool {
        let own = index.map_or(0, |index| self.partitions[index].unused(limit));
        let all: u32 = self.partitions.iter().map(|partition| partition.unused(limit)).sum();
        let fits = self.total < limit && (own > 0 || self.total + (all - own) < limit);
        if fits {
            self.total += 1;
            if let Some(index) = index {
                self.partitions[index].in_flight += 1;
            }
        }
        fits
    }

    pub(super) fn leave(&mut self, index: Option<usize>) {
        self.total -= 1;
        if let Some(index) = index {
            self.partitions[index].in_flight -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever came before: a partition within its share is let in, and nobody makes the sum pass the limit.
        #[test]
        fn shares_are_free_and_the_sum_keeps_the_limit(
            percents in prop::collection::vec(0u32..=25, 1..5),
            limit in 1u32..50,
            steps in prop::collection::vec((any::<bool>(), 0usize..6), 1..200),
        ) {
            let partition = |percent| Partition { name: "p".into(), percent, in_flight: 0 };
            let mut shares = Shares::new(percents.iter().copied().map(partition).collect());
            let mut inside = Vec::new();
            for (enters, place) in steps {
                let index = (place < percents.len()).then_some(place);
                if enters {
                    let is_owed = index.is_some_and(|index| shares.partitions[index].unused(limit) > 0);
                    let is_in = shares.enter(index, limit);
                    prop_assert!(is_in || !is_owed, "{shares:?}");
                    inside.extend(is_in.then_some(index));
                } else if !inside.is_empty() {
                    shares.leave(inside.swap_remove(place % inside.len()));
                }
                prop_assert!(shares.total <= limit && shares.total as usize == inside.len());
            }
        }

        /// A limit that changes lets nobody in beyond itself, and takes back what comes back.
        #[test]
        fn a_changed_limit_holds_for_all_partitions(limits in prop::collection::vec(1u32..30, 1..30)) {
            let partition = |percent| Partition { name: "p".into(), percent, in_flight: 0 };
            let mut shares = Shares::new(vec![partition(50), partition(30)]);
            for limit in limits {
                let before = shares.total;
                while [Some(0), Some(1), None].into_iter().any(|index| shares.enter(index, limit)) {}
                prop_assert_eq!(shares.total, limit.max(before), "full, and not beyond");
                let one = shares.partitions.iter().position(|partition| partition.in_flight > 0);
                shares.leave(one);
            }
        }
    }
}
