//! Cancelling jobs: out of the queue if they are in there, or by a word to the worker that runs them.

use std::{sync::Arc, task::Waker};

use super::{desk::Desk, entry::Entry, queue::Queue, shared::Shared, shed::Shed};

impl<J: Send + 'static, T: Send + 'static> Shared<J, T> {
    /// Cancels jobs of a group. Those that are queued leave it all at once: the worker of one that ran would take the next of them.
    pub(super) fn cancel_members(self: &Arc<Self>, numbers: &[u64]) {
        if numbers.is_empty() {
            return;
        }
        let taken: Vec<_> = {
            let mut queue = self.lock();
            numbers.iter().map(|&number| take_out(&mut queue, number)).collect()
        };
        for (taken, &number) in taken.into_iter().zip(numbers) {
            if let Found::Queued(entry) = taken.act(number) {
                self.shed(entry, Shed::Cancelled);
            }
        }
    }

    /// Takes a job out of the queue, or asks its worker to drop it.
    pub(super) fn cancel(self: &Arc<Self>, number: u64) -> Found<J, T> {
        let taken = take_out(&mut self.lock(), number);
        taken.act(number)
    }
}

/// Where a job was when it was cancelled.
#[derive(Debug)]
pub(super) enum Found<J, T> {
    Queued(Entry<J, T>),
    Running,
    Nowhere,
}

/// A job that was taken out under the lock, and whom that lets go on.
struct TakenOut<J, T> {
    entry: Option<Entry<J, T>>,
    desk: Option<Arc<Desk>>,
    heir: Option<Waker>,
}

fn take_out<J, T>(queue: &mut Queue<J, T>, number: u64) -> TakenOut<J, T> {
    let entry = queue.remove(number);
    if entry.is_none() {
        return TakenOut { entry, desk: queue.crew.desk_of(number), heir: None };
    }
    queue.counts.cancelled += 1;
    TakenOut { entry, desk: None, heir: queue.grant() }
}

impl<J, T> TakenOut<J, T> {
    /// What is not done under the lock.
    fn act(self, number: u64) -> Found<J, T> {
        self.heir.into_iter().for_each(Waker::wake);
        match (self.entry, self.desk) {
            (Some(entry), _) => Found::Queued(entry),
            (None, Some(desk)) => {
                desk.cancel(number);
                Found::Running
            }
            (None, None) => Found::Nowhere,
        }
    }
}
