//! What maps over iterators and over streams have in common: children under way, results that came early, and the end.
//!
//! One turn: give out what is due; pull inputs as there is room; take the next outcome of the group. Who has nothing to give
//! waits for the group, and for its input if that has nothing either.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tidemill_context::{Cancelled, Cause};

use crate::{BuildError, Failure, GroupBuilder, SpawnError, TaskGroup, TrySpawnError};

/// What a call gave.
type Outcome<T, E> = Result<T, Failure<E>>;

pub(super) struct Run<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    pub(super) group: TaskGroup<T, E>,
    pub(super) limit: usize,
    /// Inputs that are under way, or finished and not taken.
    outside: usize,
    /// None if the order does not matter.
    window: Option<Window<T, E>>,
    /// The inputs have come to their end, or are of no use any more.
    drained: bool,
    /// All is given out that will be.
    over: bool,
    /// Why an input could not be started.
    refused: Option<Cause>,
    /// Hears of a cancel while no child is there to end of it.
    cancelled: Option<Cancelled>,
}

impl<T, E> Run<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    pub(super) fn new(options: GroupBuilder<T, E>, limit: usize) -> Result<Self, BuildError> {
        Ok(Self {
            group: options.limit(limit).build()?,
            limit,
            outside: 0,
            window: Some(Window { first: 0, places: VecDeque::new() }),
            drained: false,
            over: false,
            refused: None,
            cancelled: None,
        })
    }

    pub(super) fn unordered(&mut self) {
        self.window = None;
    }

    /// The next result. `pull` gives the next child, or `None` at the end of the inputs; after that it is not called.
    pub(super) fn poll_next<C>(
        &mut self,
        cx: &mut Context<'_>,
        mut pull: impl FnMut(&mut Context<'_>) -> Poll<Option<C>>,
    ) -> Poll<Option<Outcome<T, E>>>
    where
        C: Future<Output = Result<T, E>> + Send + 'static,
    {
        loop {
            if self.over {
                ready!(self.group.poll_idle(cx));
                return Poll::Ready(None);
            }
            if let Some(result) = self.window.as_mut().and_then(Window::take) {
                self.outside -= 1;
                return Poll::Ready(Some(result));
            }
            self.fill(cx, &mut pull);
            if let Some((number, result)) = ready!(self.poll_group(cx)) {
                self.over = result.is_err() && self.group.is_cancelled();
                match &mut self.window {
                    Some(window) if !self.over => window.put(number, result),
                    _ => {
                        self.outside -= 1;
                        return Poll::Ready(Some(result));
                    }
                }
            } else {
                self.over = true;
                return Poll::Ready(self.refused.take().map(|cause| Err(Failure::Cancelled(cause))));
            }
        }
    }

    /// Starts what the limit has room for.
    fn fill<C>(&mut self, cx: &mut Context<'_>, pull: &mut impl FnMut(&mut Context<'_>) -> Poll<Option<C>>)
    where
        C: Future<Output = Result<T, E>> + Send + 'static,
    {
        while !self.drained && self.outside < self.limit {
            match pull(cx) {
                // There is a slot: fewer than `limit` are outside.
                Poll::Ready(Some(child)) => match self.group.try_spawn(child) {
                    Ok(()) => self.outside += 1,
                    Err(refused) => self.give_up(match refused {
                        TrySpawnError::Refused(_, SpawnError::Cancelled(cause)) => cause,
                        TrySpawnError::Refused(_, why) => Cause::error(why),
                        TrySpawnError::Full(_) => unreachable!("nobody else spawns here"),
                    }),
                },
                Poll::Ready(None) => self.drained = true,
                Poll::Pending => return,
            }
        }
    }

    fn give_up(&mut self, cause: Cause) {
        self.drained = true;
        self.refused = Some(cause);
    }

    /// The next outcome of the group; `None` if there is none any more.
    fn poll_group(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Outcome<T, E>)>> {
        let outcome = ready!(self.group.poll_next_numbered(cx));
        if outcome.is_none() && !self.drained {
            // No child is under way, and the input has nothing yet: it wakes us, or a cancel does.
            let context = self.group.context();
            let cancelled = self.cancelled.get_or_insert_with(|| context.cancelled());
            let cause = ready!(Pin::new(cancelled).poll(cx));
            self.give_up(cause);
        }
        Poll::Ready(outcome)
    }
}

/// Results that came before their turn.
struct Window<T, E> {
    /// The number of the input whose turn it is.
    first: usize,
    places: VecDeque<Option<Outcome<T, E>>>,
}

impl<T, E> Window<T, E> {
    fn put(&mut self, number: usize, result: Outcome<T, E>) {
        let place = number - self.first;
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place] = Some(result);
    }

    fn take(&mut self) -> Option<Outcome<T, E>> {
        let result = self.places.front_mut()?.take()?;
        self.places.pop_front();
        self.first += 1;
        Some(result)
    }
}
