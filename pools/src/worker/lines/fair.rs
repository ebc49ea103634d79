//! Priorities that starve nobody, and tenants who share each priority by weight.
//!
//! **Between levels.** The highest level with jobs goes first, but every [`ASSURED_EVERY`]th pick belongs to one of the
//! levels in rotation. So a level that has jobs gets at least one of any `ASSURED_EVERY * LEVELS` picks in a row, and the
//! highest at least all but one of `ASSURED_EVERY`. Rejected: ageing (a job that moves up by time needs a clock read per
//! pick and an ordered structure), and picks shared by halves (the most urgent work would get only half).
//!
//! **Between tenants of a level**: weighted round robin. The tenants that have jobs stand in a ring; the first takes up
//! to `weight` jobs, then goes to the end. A job starts at the latest after as many picks of its level as its own
//! position, divided by its tenant's weight and rounded up, times the sum of the weights of the tenants in the ring. A
//! tenant without jobs is forgotten, so memory follows the queue; coming back, it stands at the end, so a tenant that
//! sends one job at a time gains nothing.
//!
//! A pick is O(1): a bit scan for the level, one look-up for the tenant.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
};

use super::{Queued, remove_from};
use crate::limits::ASSURED_EVERY;

/// Priority levels.
const LEVELS: usize = 4;

/// Everything that waits.
#[derive(Debug)]
pub(in super::super) struct Fair<E> {
    levels: [Level<E>; LEVELS],
    picks: u64,
    len: usize,
}

impl<E> Default for Fair<E> {
    fn default() -> Self {
        Self { levels: std::array::from_fn(|_| Level::default()), picks: 0, len: 0 }
    }
}

impl<E: Queued> Fair<E> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, entry: E) {
        self.len += 1;
        self.levels[entry.level()].push(entry);
    }

    pub(super) fn pop(&mut self) -> Option<E> {
        let level = self.due()?;
        self.picks += 1;
        let entry = self.levels[level].pop();
        self.len -= usize::from(entry.is_some());
        entry
    }

    /// The level whose turn it is.
    fn due(&self) -> Option<usize> {
        let assured = (self.picks % ASSURED_EVERY == ASSURED_EVERY - 1)
            .then_some((self.picks / ASSURED_EVERY) as usize % LEVELS)
            .filter(|level| !self.levels[*level].is_empty());
        assured.or_else(|| self.levels.iter().position(|level| !level.is_empty()))
    }

    pub(super) fn pop_oldest(&mut self) -> Option<E> {
        let oldest = self.levels.iter().filter_map(Level::oldest).min()?;
        self.remove(oldest)
    }

    pub(super) fn pop_below(&mut self, level: usize) -> Option<E> {
        let lowest = self.levels.iter().rposition(|level| !level.is_empty()).filter(|lowest| *lowest > level)?;
        let youngest = self.levels[lowest].youngest_of_the_longest()?;
        self.remove(youngest)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<E> {
        let entry = self.levels.iter_mut().find_map(|level| level.remove(number))?;
        self.len -= 1;
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.levels.iter().flat_map(|level| level.tenants.values().flat_map(|tenant| &tenant.jobs))
    }

    pub(super) fn into_entries(self) -> Vec<E> {
        self.levels.into_iter().flat_map(|level| level.tenants.into_values().flat_map(|tenant| tenant.jobs)).collect()
    }
}

/// The jobs of one priority.
#[derive(Debug)]
struct Level<E> {
    /// Those that have jobs, and only those.
    tenants: HashMap<u64, Tenant<E>, BuildHasherDefault<Hashed>>,
    /// The same, in the order of their turns.
    ring: VecDeque<u64>,
    /// Jobs the first of the ring has started in this turn.
    started: u32,
}

#[derive(Debug)]
struct Tenant<E> {
    jobs: VecDeque<E>,
    weight: u32,
}

impl<E> Default for Level<E> {
    fn default() -> Self {
        Self { tenants: HashMap::default(), ring: VecDeque::new(), started: 0 }
    }
}

impl<E: Queued> Level<E> {
    fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    fn push(&mut self, entry: E) {
        let (id, weight) = entry.tenant();
        let tenant = self.tenants.entry(id).or_insert_with(|| {
            self.ring.push_back(id);
            Tenant { jobs: VecDeque::new(), weight }
        });
        tenant.weight = weight;
        tenant.jobs.push_back(entry);
    }

    fn pop(&mut self) -> Option<E> {
        let id = *self.ring.front()?;
        let tenant = self.tenants.get_mut(&id)?;
        let entry = tenant.jobs.pop_front();
        self.started += 1;
        if tenant.jobs.is_empty() {
            self.forget(id);
        } else if self.started >= tenant.weight {
            self.ring.rotate_left(1);
            self.started = 0;
        }
        entry
    }

    fn oldest(&self) -> Option<u64> {
        self.tenants.values().filter_map(|tenant| tenant.jobs.front()).map(Queued::number).min()
    }

    fn youngest_of_the_longest(&self) -> Option<u64> {
        let longest = self.tenants.values().max_by_key(|tenant| tenant.jobs.len())?;
        longest.jobs.back().map(Queued::number)
    }

    fn remove(&mut self, number: u64) -> Option<E> {
        let (id, entry) = self
            .tenants
            .iter_mut()
            .find_map(|(id, tenant)| remove_from(&mut tenant.jobs, number).map(|entry| (*id, entry)))?;
        if self.tenants.get(&id).is_some_and(|tenant| tenant.jobs.is_empty()) {
            self.forget(id);
        }
        Some(entry)
    }

    /// A tenant without jobs leaves the ring; if it was its turn, the next one's begins.
    fn forget(&mut self, id: u64) {
        self.tenants.remove(&id);
        let position = self.ring.iter().position(|other| *other == id);
        if position == Some(0) {
            self.started = 0;
        }
        position.and_then(|position| self.ring.remove(position));
    }
}

/// The key is a keyed hash already (see `Shared::tenant`), so it is not hashed again.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Entry {
        number: u64,
        level: usize,
        tenant: u64,
        weight: u32,
    }

    impl Queued for Entry {
        fn number(&self) -> u64 {
            self.number
        }

        fn level(&self) -> usize {
            self.level
        }

        fn tenant(&self) -> (u64, u32) {
            (self.tenant, self.weight)
        }
    }

    fn filled(jobs: impl IntoIterator<Item = (usize, u64, u32)>) -> Fair<Entry> {
        let mut fair = Fair::default();
        for (number, (level, tenant, weight)) in (0..).zip(jobs) {
            fair.push(Entry { number, level, tenant, weight });
        }
        fair
    }

    #[test]
    fn no_level_waits_for_longer_than_the_stated_picks() {
        for level in 0..LEVELS {
            // Every other level always has jobs; ours has one.
            let mut fair = filled((0..LEVELS).filter(|other| *other != level).flat_map(|other| [(other, 0, 1); 100]));
            fair.push(Entry { number: 1000, level, tenant: 0, weight: 1 });
            let bound = ASSURED_EVERY * LEVELS as u64;
            let waited = (1..=bound).find(|_| fair.pop().is_some_and(|entry| entry.level == level));
            assert!(waited.is_some(), "level {level} waits for more than {bound} picks");
        }
    }

    #[test]
    fn the_highest_level_gets_nearly_every_pick() {
        let mut fair = filled((0..LEVELS).flat_map(|level| [(level, 0, 1); 200]));
        let first = (0..160).filter(|_| fair.pop().is_some_and(|entry| entry.level == 0)).count();
        assert!(first >= 150, "{first} of 160");
    }

    #[test]
    fn tenants_share_by_weight_however_much_one_has_queued() {
        let hog = [(2, 1, 1); 100];
        let mut fair = filled(hog.into_iter().chain([(2, 2, 3); 6]).chain([(2, 3, 1); 2]));
        let order: Vec<u64> = (0..12).filter_map(|_| fair.pop()).map(|entry| entry.tenant).collect();
        assert_eq!(order, [1, 2, 2, 2, 3, 1, 2, 2, 2, 3, 1, 1]);
    }

    #[test]
    fn a_tenant_whose_turn_ends_by_removal_takes_its_count_along() {
        let mut fair = filled([(2, 1, 3), (2, 1, 3), (2, 2, 2), (2, 2, 2), (2, 1, 3)]);
        assert_eq!(fair.pop().map(|entry| entry.number), Some(0));
        assert!(fair.remove(1).is_some() && fair.remove(4).is_some() && fair.remove(4).is_none());
        fair.push(Entry { number: 9, level: 2, tenant: 3, weight: 1 });
        let order: Vec<u64> = std::iter::from_fn(|| fair.pop()).map(|entry| entry.number).collect();
        assert_eq!((order, fair.len()), (vec![2, 3, 9], 0));
    }

    #[test]
    fn the_oldest_and_the_lowest_are_found_across_tenants() {
        let mut fair = filled([(2, 5, 1), (3, 1, 1), (3, 2, 1), (3, 2, 1), (0, 9, 1)]);
        assert_eq!(fair.pop_below(2).map(|entry| entry.number), Some(3), "of who has most, the youngest");
        assert_eq!(fair.pop_oldest().map(|entry| entry.number), Some(0));
        assert!(fair.pop_below(2).is_some() && fair.pop_below(2).is_some());
        assert!(fair.pop_below(2).is_none(), "only the urgent job is left");
        assert_eq!((fair.len(), fair.iter().count()), (1, 1));
    }
}
