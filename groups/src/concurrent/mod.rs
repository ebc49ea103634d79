//! Maps over many inputs, some at a time, whose children are tasks: they go on while the consumer is busy.
//!
//! A stream adaptor that polls its futures inside its own poll stops them all while the consumer works on an item: their
//! timeouts run out, and the locks and permits that they hold stay held (futures-rs#2387). Here each input becomes a child of a
//! [`TaskGroup`](crate::TaskGroup), and the adaptor only takes results.
//!
//! **Bounds.** At most `limit` inputs are under way or finished and not taken. The input is pulled when the consumer asks, so
//! it needs to be neither `Send` nor `'static`, and a slow consumer holds the producer back. So while the consumer is busy up to
//! `limit` children run on to their end, but no new one starts.
//!
//! **Order.** `in_order` keeps a window of `limit` places; a result that comes early waits in its place.

use std::{collections::VecDeque, fmt, future::Future};

use tidemill_context::Cause;

use crate::{BuildError, Failure, GroupBuilder, GroupError, SpawnError, TaskGroup, TrySpawnError};

/// Calls `f` for each input, at most `limit` at a time, each call a task of its own; the results come in the order of the inputs.
///
/// The first failure cancels the rest. Take [`MapConcurrent::unordered`] for results in the order in which they are ready.
///
/// # Errors
/// [`BuildError::NoSlots`] if `limit` is 0.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_groups::map_concurrent;
///
/// let mut lengths = map_concurrent(["a", "bb", "ccc"], 2, |word| async move {
///     tokio::task::yield_now().await;
///     Ok::<_, String>(word.len())
/// })?;
/// while let Some(length) = lengths.next().await {
///     println!("{}", length?); // the others go on meanwhile
/// }
/// # Ok(()) }
/// ```
pub fn map_concurrent<I, F, C, T, E>(
    inputs: I,
    limit: usize,
    f: F,
) -> Result<MapConcurrent<I::IntoIter, F, T, E>, BuildError>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> C,
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    map_concurrent_with(TaskGroup::builder(), inputs, limit, f)
}

/// As [`map_concurrent`], with the options of a group: a deadline, a context, a runtime, or supervision, under which a failure
/// leaves the others alone.
///
/// # Errors
/// As [`map_concurrent`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_groups::{TaskGroup, map_concurrent_with};
///
/// let parse = |text: &'static str| async move { text.parse::<u8>() };
/// let options = TaskGroup::builder().supervise();
/// let all = map_concurrent_with(options, ["1", "x", "3"], 2, parse)?.outcomes().await;
/// assert_eq!(all.iter().map(|one| one.as_ref().ok().copied()).collect::<Vec<_>>(), [Some(1), None, Some(3)]);
/// # Ok(()) }
/// ```
pub fn map_concurrent_with<I, F, C, T, E>(
    options: GroupBuilder<T, E>,
    inputs: I,
    limit: usize,
    f: F,
) -> Result<MapConcurrent<I::IntoIter, F, T, E>, BuildError>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> C,
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    let group = options.limit(limit).build()?;
    let window = Window { first: 0, places: VecDeque::new() };
    Ok(MapConcurrent {
        inputs: Some(inputs.into_iter()),
        f,
        group,
        limit,
        outside: 0,
        window: Some(window),
        over: false,
        refused: None,
    })
}

/// Calls `f` for each input, at most `limit` at a time, each call a task of its own, and waits for all.
///
/// # Errors
/// [`ForEachError`]: a limit of 0, or the failure of a call, which has cancelled the rest.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::for_each_concurrent;
///
/// for_each_concurrent(1..=100, 8, |number| async move {
///     if number > 0 { Ok(()) } else { Err("not positive") }
/// }).await.unwrap();
/// # }
/// ```
pub async fn for_each_concurrent<I, F, C, E>(inputs: I, limit: usize, mut f: F) -> Result<(), ForEachError<E>>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> C,
    C: Future<Output = Result<(), E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    let group = TaskGroup::builder().limit(limit).drop_values().build().map_err(ForEachError::Limit)?;
    for input in inputs {
        if group.spawn(f(input)).await.is_err() {
            break; // `wait` tells why
        }
    }
    group.wait().await.map(drop).map_err(ForEachError::Failed)
}

/// Why [`for_each_concurrent`] did not do all.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForEachError<E> {
    /// The limit was refused.
    Limit(BuildError),
    /// A call failed, or the whole was cancelled.
    Failed(GroupError<E>),
}

impl<E: fmt::Display> fmt::Display for ForEachError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(why) => why.fmt(f),
            Self::Failed(why) => why.fmt(f),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> std::error::Error for ForEachError<E> {}

/// Results of concurrent calls, one at a time; from [`map_concurrent`].
///
/// Dropping it cancels what is under way.
#[must_use = "nothing is called before the first `next`"]
pub struct MapConcurrent<I, F, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    /// None when they have come to their end.
    inputs: Option<I>,
    f: F,
    group: TaskGroup<T, E>,
    limit: usize,
    /// Inputs that are under way, or finished and not taken.
    outside: usize,
    /// None if the order does not matter.
    window: Option<Window<T, E>>,
    /// A failure has cancelled the rest, and has been given out.
    over: bool,
    /// Why an input could not be started.
    refused: Option<Cause>,
}

/// Results that came before their turn.
struct Window<T, E> {
    /// The number of the input whose turn it is.
    first: usize,
    places: VecDeque<Option<Result<T, Failure<E>>>>,
}

impl<T, E> Window<T, E> {
    fn put(&mut self, number: usize, result: Result<T, Failure<E>>) {
        let place = number - self.first;
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place] = Some(result);
    }

    fn take(&mut self) -> Option<Result<T, Failure<E>>> {
        let result = self.places.front_mut()?.take()?;
        self.places.pop_front();
        self.first += 1;
        Some(result)
    }
}

impl<I, F, C, T, E> MapConcurrent<I, F, T, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> C,
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    /// Results in the order in which they are ready. To be said before the first `next`.
    pub fn unordered(mut self) -> Self {
        self.window = None;
        self
    }

    /// The next result; `None` when all inputs are done, or a failure has cancelled what was left.
    ///
    /// Starts as many inputs as the limit has room for, and then waits for a result. A failure that cancels the rest is given
    /// out at once, before its turn; after it nothing comes but `None`, when all others are gone. *Cancel safe*.
    pub async fn next(&mut self) -> Option<Result<T, Failure<E>>> {
        loop {
            if self.over {
                self.group.idle().await;
                return None;
            }
            if let Some(result) = self.window.as_mut().and_then(Window::take) {
                self.outside -= 1;
                return Some(result);
            }
            self.fill();
            let Some((number, result)) = self.group.next_numbered().await else {
                self.over = true;
                return self.refused.take().map(|cause| Err(Failure::Cancelled(cause)));
            };
            self.over = result.is_err() && self.group.is_cancelled();
            match &mut self.window {
                Some(window) if !self.over => window.put(number, result),
                _ => {
                    self.outside -= 1;
                    return Some(result);
                }
            }
        }
    }

    /// All values.
    ///
    /// # Errors
    /// The first failure; under supervision, when everything is done.
    pub async fn collect(mut self) -> Result<Vec<T>, Failure<E>> {
        let (mut values, mut failed) = (Vec::new(), None);
        while let Some(result) = self.next().await {
            match result {
                Ok(value) => values.push(value),
                Err(failure) => {
                    failed.get_or_insert(failure);
                }
            }
        }
        failed.map_or(Ok(values), Err)
    }

    /// All results; up to the first failure, unless the group is supervised.
    pub async fn outcomes(mut self) -> Vec<Result<T, Failure<E>>> {
        let mut results = Vec::new();
        while let Some(result) = self.next().await {
            results.push(result);
        }
        results
    }

    /// Starts what the limit has room for.
    fn fill(&mut self) {
        while self.outside < self.limit {
            let Some(input) = self.inputs.as_mut().and_then(Iterator::next) else {
                self.inputs = None;
                return;
            };
            // There is a slot: fewer than `limit` are outside.
            match self.group.try_spawn((self.f)(input)) {
                Ok(()) => self.outside += 1,
                Err(refused) => {
                    self.inputs = None;
                    self.refused = Some(match refused {
                        TrySpawnError::Refused(_, SpawnError::Cancelled(cause)) => cause,
                        TrySpawnError::Refused(_, why) => Cause::error(why),
                        TrySpawnError::Full(_) => unreachable!("nobody else spawns here"),
                    });
                }
            }
        }
    }
}

impl<I, F, T, E> fmt::Debug for MapConcurrent<I, F, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapConcurrent").field("group", &self.group).field("limit", &self.limit).finish_non_exhaustive()
    }
}
