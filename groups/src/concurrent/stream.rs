//! Maps over a stream. What a map over an iterator does, and the wait for an item beside it.
//!
//! The stream is polled by who polls the map, and only while fewer than `limit` items are outside; it wakes that task. It is
//! boxed, so that streams of every kind go in, `async` generators included: one allocation per map.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::{all_outcomes, all_values, run::Run};
use crate::{BuildError, Failure, GroupBuilder, TaskGroup};

/// As [`map_concurrent`](crate::map_concurrent), over a stream: calls `f` for each item, at most `limit` at a time, each call
/// a task of its own; the results come in the order of the items.
///
/// The stream needs to be neither `Send`, `'static` nor `Unpin`, and is polled only as there is room. While the consumer is busy, or
/// the stream has nothing, children go on.
///
/// # Errors
/// [`BuildError::NoSlots`] if `limit` is 0.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_groups::map_concurrent_stream;
///
/// let words = futures_lite::stream::iter(["a", "bb", "ccc"]);
/// let mut lengths = map_concurrent_stream(words, 2, |word| async move {
///     tokio::task::yield_now().await;
///     Ok::<_, String>(word.len())
/// })?;
/// while let Some(length) = lengths.next().await {
///     println!("{}", length?); // the others go on meanwhile
/// }
/// # Ok(()) }
/// ```
pub fn map_concurrent_stream<S, F, C, T, E>(
    stream: S,
    limit: usize,
    f: F,
) -> Result<MapConcurrentStream<S, F, T, E>, BuildError>
where
    S: Stream,
    F: FnMut(S::Item) -> C,
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    map_concurrent_stream_with(TaskGroup::builder(), stream, limit, f)
}

/// As [`map_concurrent_stream`], with the options of a group: a deadline, a context, a runtime, or supervision, under which a
/// failure leaves the others alone.
///
/// # Errors
/// As [`map_concurrent_stream`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_groups::{TaskGroup, map_concurrent_stream_with};
///
/// let texts = futures_lite::stream::iter(["1", "x", "3"]);
/// let parse = |text: &'static str| async move { text.parse::<u8>() };
/// let options = TaskGroup::builder().supervise();
/// let all = map_concurrent_stream_with(options, texts, 2, parse)?.outcomes().await;
/// assert_eq!(all.iter().map(|one| one.as_ref().ok().copied()).collect::<Vec<_>>(), [Some(1), None, Some(3)]);
/// # Ok(()) }
/// ```
pub fn map_concurrent_stream_with<S, F, C, T, E>(
    options: GroupBuilder<T, E>,
    stream: S,
    limit: usize,
    f: F,
) -> Result<MapConcurrentStream<S, F, T, E>, BuildError>
where
    S: Stream,
    F: FnMut(S::Item) -> C,
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    Ok(MapConcurrentStream { stream: Box::pin(stream), f, run: Run::new(options, limit)? })
}

/// Results of concurrent calls, one at a time; from [`map_concurrent_stream`]. A [`Stream`] as well.
///
/// Dropping it cancels what is under way.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_groups::map_concurrent_stream;
///
/// let numbers = futures_lite::stream::iter(1..=3);
/// let squares = map_concurrent_stream(numbers, 2, |number: u32| async move { Ok::<_, String>(number * number) })?;
/// let (mut squares, mut sum) = (squares.unordered(), 0);
/// while let Some(square) = squares.next().await {
///     sum += square?;
/// }
/// assert_eq!(sum, 14);
/// # Ok(()) }
/// ```
#[must_use = "nothing is called before the first `next`"]
pub struct MapConcurrentStream<S, F, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    stream: Pin<Box<S>>,
    f: F,
    run: Run<T, E>,
}

impl<S, F, C, T, E> MapConcurrentStream<S, F, T, E>
where
    S: Stream,
    F: FnMut(S::Item) -> C,
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    /// Results in the order in which they are ready. To be said before the first `next`.
    pub fn unordered(mut self) -> Self {
        self.run.unordered();
        self
    }

    /// The next result; `None` when all items are done, or a failure has cancelled what was left.
    ///
    /// Starts as many items as the limit has room for and the stream has ready, and then waits for a result, an item, or a cancel. A
    /// failure that cancels the rest is given out at once, before its turn; after it nothing comes but `None`, when all
    /// others are gone. *Cancel safe*: neither an item nor a result is lost.
    pub async fn next(&mut self) -> Option<Result<T, Failure<E>>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure<E>>>> {
        let Self { stream, f, run } = self;
        run.poll_next(cx, |cx| Poll::Ready(ready!(stream.as_mut().poll_next(cx)).map(&mut *f)))
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

/// As [`next`](MapConcurrentStream::next).
impl<S, F, C, T, E> Stream for MapConcurrentStream<S, F, T, E>
where
    S: Stream,
    F: FnMut(S::Item) -> C,
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    type Item = Result<T, Failure<E>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

/// The stream is in a box of its own.
impl<S, F, T, E> Unpin for MapConcurrentStream<S, F, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
}

impl<S, F, T, E> fmt::Debug for MapConcurrentStream<S, F, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { group, limit, .. } = &self.run;
        f.debug_struct("MapConcurrentStream").field("group", group).field("limit", limit).finish_non_exhaustive()
    }
}
