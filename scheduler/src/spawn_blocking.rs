//! `spawn_blocking`, for code that was written for tokio: a task whose one poll runs the function inside `blocking`.
//!
//! There is no second pool and no queue of its own: a task of ours may block, so it needs neither. What is gained
//! over a plain `spawn` is the mark, by which the monitor takes the permit from it sooner.

use crate::runtime::Handle;
use crate::task::JoinHandle;
use crate::{blocking, spawn};

/// Runs `f`, which may block, as a task of its own, and gives its result through the handle.
///
/// For code that comes from tokio. A task may block here, so new code needs no second task for it: call
/// [`blocking`] where it stands, or block.
///
/// [`abort`](JoinHandle::abort) works until `f` has begun; then `f` runs to its end, and its result is what the handle
/// gives. A panic of `f` is a [`JoinError`](crate::JoinError).
///
/// # Cost
/// That of [`spawn`](crate::spawn) and of [`blocking`]. Each call that blocks occupies a thread, up to
/// [`Builder::max_threads`](crate::Builder::max_threads); past it calls wait for their turn, and so do all other tasks:
/// bound what blocks for long. Many calls that come at once start one after another, each as soon as the monitor has
/// seen the one before it block (20 us to 1 ms).
///
/// # Panics
/// As [`spawn`](crate::spawn).
///
/// ```
/// # tidemill_scheduler::Runtime::new()?.block_on(async {
/// let text = tidemill_scheduler::spawn_blocking(|| std::fs::read_to_string("/proc/self/stat")).await.unwrap();
/// assert!(text.is_ok());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn_blocking<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn(async move { blocking(f) })
}

impl Handle {
    /// Runs `f`, which may block, as a task of its own. See [`spawn_blocking`].
    ///
    /// ```
    /// let rt = tidemill_scheduler::Runtime::new()?;
    /// let sum = rt.handle().spawn_blocking(|| (1..=10).sum::<u32>());
    /// assert_eq!(rt.block_on(sum)?, 55);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_blocking<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn(async move { blocking(f) })
    }
}
