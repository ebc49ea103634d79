//! Machines whose permit was retaken while tasks lay in their queues.
//!
//! The tasks stay where they are: who has a permit and finds nothing of its own takes them from there, half a queue at
//! a time, as from any other machine. Moving them all to the injector would put each of them behind everything that is
//! queued there, and what is queued there behind them: with ten thousand tasks that block one after the other, a light
//! task from outside waited for most of them.

use std::collections::VecDeque;

use crate::roster::MachineId;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

#[derive(Debug, Default)]
pub(crate) struct Stranded {
    /// Copy of the list's length, to be read without the lock. Relaxed: ordered by the fence of whoever sleeps or wakes.
    count: AtomicUsize,
    machines: Mutex<VecDeque<MachineId>>,
}

impl Stranded {
    /// A hint; also true if all the queues are empty by now.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn add(&self, machine: MachineId) {
        let mut machines = lock(&self.machines);
        if !machines.contains(&machine) {
            machines.push_back(machine);
        }
        self.count.store(machines.len(), Ordering::Relaxed);
    }

    /// The first that `take` gets out of a machine, in turn; machines that have nothing are forgotten.
    pub(crate) fn take<T>(&self, take: impl Fn(MachineId) -> Option<T>) -> Option<T> {
        if !self.any() {
            return None;
        }
        let mut machines = lock(&self.machines);
        let found = loop {
            let Some(&first) = machines.front() else { break None };
            if let Some(found) = take(first) {
                // The next goes first, for this one may be filled again and again.
                machines.rotate_left(1);
                break Some(found);
            }
            machines.pop_front();
        };
        self.count.store(machines.len(), Ordering::Relaxed);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_have_something_give_it_in_turn_and_the_empty_ones_are_forgotten() {
        let stranded = Stranded::default();
        assert_eq!(stranded.take(|_| Some(0)), None);
        for machine in [3, 4, 3, 5] {
            stranded.add(machine);
        }
        assert_eq!(stranded.take(|machine| (machine != 3).then_some(machine)), Some(4));
        assert_eq!(stranded.take(Some), Some(5), "one that is never empty hides no other");
        assert_eq!(stranded.take(Some), Some(4), "it may have more");
        assert!(stranded.any());
        assert_eq!(stranded.take(|_| None::<MachineId>), None);
        assert!(!stranded.any());
    }
}
