//! The jobs that wait for a worker, in the order in which they are to start.
//!
//! One deque until the first job with a priority or a tenant comes; then a [`Fair`] order, which costs a hash look-up
//! when a job is put in. A pool that uses neither pays one comparison for the choice.

mod fair;

use std::collections::VecDeque;

use self::fair::Fair;

/// What the order has to know of a job.
pub(super) trait Queued {
    /// Its number, given in order of arrival.
    fn number(&self) -> u64;
    /// Its priority level, the most urgent is 0.
    fn level(&self) -> usize;
    /// Whose job it is, and how many jobs of theirs start in one turn.
    fn tenant(&self) -> (u64, u32);
    /// Whether nothing was said about either.
    fn is_plain(&self) -> bool {
        self.level() == PLAIN_LEVEL && self.tenant() == NO_TENANT
    }
}

/// The level and tenant of a job nothing was said about.
pub(super) const PLAIN_LEVEL: usize = 2;
pub(super) const NO_TENANT: (u64, u32) = (0, 1);

/// Jobs in the order in which they are to start.
#[derive(Debug)]
pub(super) enum Lines<E> {
    /// First in, first out.
    Plain(VecDeque<E>),
    /// By priority, then by tenant in turn. Boxed: the plain case stays small.
    Fair(Box<Fair<E>>),
}

impl<E: Queued> Lines<E> {
    pub(super) fn with_capacity(places: usize) -> Self {
        Self::Plain(VecDeque::with_capacity(places))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain(line) => line.len(),
            Self::Fair(fair) => fair.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a job in. Its number is higher than those of all jobs before it.
    #[inline(always)]
    pub(super) fn push(&mut self, entry: E) {
        match self {
            Self::Plain(line) if entry.is_plain() => line.push_back(entry),
            _ => self.push_fair(entry),
        }
    }

    #[inline(never)]
    fn push_fair(&mut self, entry: E) {
        match self {
            Self::Plain(line) => {
                let mut fair = Fair::default();
                line.drain(..).chain([entry]).for_each(|entry| fair.push(entry));
                *self = Self::Fair(Box::new(fair));
            }
            Self::Fair(fair) => fair.push(entry),
        }
    }

    /// Takes the job whose turn it is.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<E> {
        match self {
            Self::Plain(line) => line.pop_front(),
            Self::Fair(fair) => fair.pop(),
        }
    }

    /// The line, if there is only one.
    #[inline]
    pub(super) fn plain(&mut self) -> Option<&mut VecDeque<E>> {
        match self {
            Self::Plain(line) => Some(line),
            Self::Fair(_) => None,
        }
    }

    /// Takes the job that came first of all, whatever its priority. O(tenants) in a fair order.
    pub(super) fn pop_oldest(&mut self) -> Option<E> {
        match self {
            Self::Plain(line) => line.pop_front(),
            Self::Fair(fair) => fair.pop_oldest(),
        }
    }

    /// Takes a job of the lowest level there is, if that is below `level`: the youngest job of the tenant that has most
    /// jobs there. O(tenants of that level).
    pub(super) fn pop_below(&mut self, level: usize) -> Option<E> {
        match self {
            Self::Plain(line) if level < PLAIN_LEVEL => line.pop_back(),
            Self::Plain(_) => None,
            Self::Fair(fair) => fair.pop_below(level),
        }
    }

    /// Takes one job by its number. O(log jobs) to find in a plain order, O(tenants log jobs) in a fair one; then the
    /// shorter side of its line moves up.
    pub(super) fn remove(&mut self, number: u64) -> Option<E> {
        match self {
            Self::Plain(line) => remove_from(line, number),
            Self::Fair(fair) => fair.remove(number),
        }
    }

    /// Takes every job that `unwanted` picks, oldest first. O(jobs).
    pub(super) fn extract(&mut self, unwanted: impl Fn(&E) -> bool) -> Vec<E> {
        let numbers: Vec<u64> = {
            let mut numbers: Vec<u64> = self.iter().filter(|entry| unwanted(entry)).map(Queued::number).collect();
            numbers.sort_unstable();
            numbers
        };
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// Takes all, oldest first.
    pub(super) fn take_all(&mut self) -> Vec<E> {
        let mut all: Vec<E> = match self {
            Self::Plain(line) => line.drain(..).collect(),
            Self::Fair(fair) => std::mem::take(&mut **fair).into_entries(),
        };
        all.sort_unstable_by_key(Queued::number);
        all
    }

    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = &E> + '_> {
        match self {
            Self::Plain(line) => Box::new(line.iter()),
            Self::Fair(fair) => Box::new(fair.iter()),
        }
    }
}

/// Numbers ascend along a line.
fn remove_from<E: Queued>(line: &mut VecDeque<E>, number: u64) -> Option<E> {
    line.binary_search_by_key(&number, Queued::number).ok().and_then(|position| line.remove(position))
}
