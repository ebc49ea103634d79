//! Which budgets the code that runs now is inside of, so that an answer is recorded once.
//!
//! A retry around a hedge around a call, all on one budget, sees one answer three times. The innermost sees every request that
//! was sent, so it is the one to record. While a layer polls what is inside of it, its budget stands on a list of the thread;
//! a layer that records an answer marks every entry of the same budget, and whoever finds his entry marked records nothing.
//! The list is only touched by calls that have a budget.
//!
//! What an attempt hands to another task is outside of the list: there, a layer with the same budget would record again.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    ptr,
    task::{Context, Poll},
};

use super::RetryBudget;

/// A budget in force, and whether a layer further inside has recorded an answer in it.
struct Entry {
    budget: *const RetryBudget,
    recorded: bool,
}

thread_local!(static IN_FORCE: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) });

/// Takes the entry off, also when the code inside panics.
struct InForce;

impl InForce {
    fn begin(budget: &RetryBudget) -> Self {
        IN_FORCE.with_borrow_mut(|entries| entries.push(Entry { budget: ptr::from_ref(budget), recorded: false }));
        Self
    }

    fn recorded(&self) -> bool {
        IN_FORCE.with_borrow(|entries| entries.last().is_some_and(|entry| entry.recorded))
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        IN_FORCE.with_borrow_mut(Vec::pop);
    }
}

/// Runs `inside` with `budget` in force; also says whether anything inside recorded an answer in it.
pub(crate) fn under<R>(budget: Option<&RetryBudget>, inside: impl FnOnce() -> R) -> (R, bool) {
    let Some(budget) = budget else { return (inside(), false) };
    let in_force = InForce::begin(budget);
    let result = inside();
    let recorded = in_force.recorded();
    (result, recorded)
}

impl RetryBudget {
    /// Records an answer, unless a layer `inside` has, and tells the layers around.
    pub(crate) fn record(&self, inside: bool, answer: impl FnOnce(&Self)) {
        if inside {
            return;
        }
        answer(self);
        IN_FORCE.with_borrow_mut(|entries| {
            for entry in entries.iter_mut().filter(|entry| ptr::eq(entry.budget, self)) {
                entry.recorded = true;
            }
        });
    }
}

/// An attempt that is polled with a budget in force. Its output says whether the answer was recorded inside.
#[derive(Debug)]
pub(crate) struct Counted<'b, A> {
    pub(crate) budget: Option<&'b RetryBudget>,
    pub(crate) attempt: A,
    pub(crate) recorded: bool,
}

impl<'b, A> Counted<'b, A> {
    pub(crate) fn new(budget: Option<&'b RetryBudget>, attempt: A) -> Self {
        Self { budget, attempt, recorded: false }
    }
}

impl<A: Future + Unpin> Future for Counted<'_, A> {
    type Output = (A::Output, bool);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (poll, recorded) = under(this.budget, || Pin::new(&mut this.attempt).poll(cx));
        this.recorded |= recorded;
        poll.map(|output| (output, this.recorded))
    }
}
