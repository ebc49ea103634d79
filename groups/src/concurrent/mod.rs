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

//!
//! [`run`] is what maps over [iterators](MapConcurrent) and over [streams](MapConcurrentStream) have in common; a map is itself
//! a stream.

mod for_each;
mod run;
mod stream;

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use self::run::Run;
pub use self::{
    for_each::{ForEachError, for_each_concurrent, for_each_concurrent_stream},
    stream::{MapConcurrentStream, map_concurrent_stream, map_concurrent_stream_with},
};
use crate::{BuildError, Failure, GroupBuilder, TaskGroup};

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
    Ok(MapConcurrent { inputs: inputs.into_iter(), f, run: Run::new(options, limit)? })
}

/// Results of concurrent calls, one at a time; from [`map_concurrent`]. A [`Stream`] as well.
///
/// Dropping it cancels what is under way.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_groups::map_concurrent;
///
/// let mut squares = map_concurrent(1..=3, 2, |number: u32| async move { Ok::<_, String>(number * number) })?;
/// assert_eq!(squares.next().await.unwrap()?, 1);
/// assert_eq!(squares.collect().await?, [4, 9]); // what is left
/// # Ok(()) }
/// ```
#[must_use = "nothing is called before the first `next`"]
pub struct MapConcurrent<I, F, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    inputs: I,
    f: F,
    run: Run<T, E>,
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
        self.run.unordered();
        self
    }

    /// The next result; `None` when all inputs are done, or a failure has cancelled what was left.
    ///
    /// Starts as many inputs as the limit has room for, and then waits for a result. A failure that cancels the rest is given
    /// out at once, before its turn; after it nothing comes but `None`, when all others are gone. *Cancel safe*.
    pub async fn next(&mut self) -> Option<Result<T, Failure<E>>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure<E>>>> {
        let Self { inputs, f, run } = self;
        run.poll_next(cx, |_| Poll::Ready(inputs.next().map(&mut *f)))
    }

    /// All values.
    ///
    /// # Errors
    /// The first failure; under supervision, when everything is done.
    pub async fn collect(self) -> Result<Vec<T>, Failure<E>> {
        all_values(self).await
    }

    /// All results; up to the first failure, unless the group is supervised.
    pub async fn outcomes(self) -> Vec<Result<T, Failure<E>>> {
        all_outcomes(self).await
    }
}

/// As [`next`](MapConcurrent::next).
impl<I, F, C, T, E> Stream for MapConcurrent<I, F, T, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> C,
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    type Item = Result<T, Failure<E>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

/// Nothing in it is ever polled in place.
impl<I, F, T, E> Unpin for MapConcurrent<I, F, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
}

impl<I, F, T, E> fmt::Debug for MapConcurrent<I, F, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { group, limit, .. } = &self.run;
        f.debug_struct("MapConcurrent").field("group", group).field("limit", limit).finish_non_exhaustive()
    }
}

/// All results of a map.
async fn all_outcomes<S: Stream + Unpin>(mut map: S) -> Vec<S::Item> {
    let mut results = Vec::new();
    while let Some(result) = poll_fn(|cx| Pin::new(&mut map).poll_next(cx)).await {
        results.push(result);
    }
    results
}

/// All values of a map, or its first failure; in any case to the end.
async fn all_values<S, T, E>(mut map: S) -> Result<Vec<T>, Failure<E>>
where
    S: Stream<Item = Result<T, Failure<E>>> + Unpin,
{
    let (mut values, mut failed) = (Vec::new(), None);
    while let Some(result) = poll_fn(|cx| Pin::new(&mut map).poll_next(cx)).await {
        match result {
            Ok(value) => values.push(value),
            Err(failure) => {
                failed.get_or_insert(failure);
            }
        }
    }
    failed.map_or(Ok(values), Err)
}
