//! Calls for each input of an iterator or of a stream, whose results nobody wants but for the failures: a group with a limit.
//!
//! Over a stream a slot is taken first and the stream is asked second, so that no item waits outside of it.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
};

use futures_core::Stream;
use tidemill_context::{Cause, Context};

use crate::{BuildError, GroupError, TaskGroup};

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

/// As [`for_each_concurrent`], over a stream, which is asked for an item only when there is a slot for it.
///
/// The stream is polled here, by who awaits this, in whose context: it needs to be neither `Send` nor `'static`. A cancel, a
/// deadline of the ambient context for instance, or a failure ends the wait for an item as well.
///
/// # Errors
/// As [`for_each_concurrent`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::for_each_concurrent_stream;
///
/// let numbers = futures_lite::stream::iter(1..=100);
/// for_each_concurrent_stream(numbers, 8, |number| async move {
///     if number > 0 { Ok(()) } else { Err("not positive") }
/// }).await.unwrap();
/// # }
/// ```
pub async fn for_each_concurrent_stream<S, F, C, E>(stream: S, limit: usize, mut f: F) -> Result<(), ForEachError<E>>
where
    S: Stream,
    F: FnMut(S::Item) -> C,
    C: Future<Output = Result<(), E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    let mut stream = pin!(stream);
    let group = TaskGroup::builder().limit(limit).drop_values().build().map_err(ForEachError::Limit)?;
    // A group that is cancelled refuses the next slot, and `wait` tells why.
    while let Ok(slot) = group.reserve().await {
        match next_unless_cancelled(stream.as_mut(), group.context()).await {
            Ok(Some(item)) => slot.spawn(f(item)),
            Ok(None) => break,
            Err(_cause) => {}
        }
    }
    group.wait().await.map(drop).map_err(ForEachError::Failed)
}

/// The next item, in whatever context the caller is; or the cause, once `context` is cancelled.
async fn next_unless_cancelled<S: Stream>(
    mut stream: Pin<&mut S>,
    context: &Context,
) -> Result<Option<S::Item>, Cause> {
    let mut cancelled = None;
    poll_fn(|cx| {
        let next = stream.as_mut().poll_next(cx).map(Ok);
        if next.is_ready() {
            return next;
        }
        let cancelled = cancelled.get_or_insert_with(|| context.cancelled());
        Pin::new(cancelled).poll(cx).map(Err)
    })
    .await
}

/// Why [`for_each_concurrent`] or [`for_each_concurrent_stream`] did not do all.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::{ForEachError, for_each_concurrent};
///
/// let parse = |text: &'static str| async move { text.parse::<u8>().map(drop) };
/// match for_each_concurrent(["1", "x"], 8, parse).await.unwrap_err() {
///     ForEachError::Failed(group) => assert_eq!(group.child(), Some(1)), // the second one
///     limit => panic!("{limit}"),
/// }
/// # }
/// ```
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
