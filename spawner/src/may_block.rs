//! Code that holds its thread, and cannot leave it.

/// Runs `wait`, which may block, on this very thread. On a tidemill machine the other tasks go on meanwhile; everywhere else it is
/// a plain call.
///
/// For what is synchronous through and through, such as a wait that a destructor or a plain function does. In a task that
/// can await, [`Spawner::blocking`](crate::Spawner::blocking) spares the workers of tokio as well.
///
/// ```
/// use std::time::Duration;
///
/// let (send, receive) = std::sync::mpsc::channel();
/// std::thread::spawn(move || send.send(1));
/// assert_eq!(tidemill_spawner::may_block(|| receive.recv()), Ok(1));
/// ```
pub fn may_block<T>(wait: impl FnOnce() -> T) -> T {
    #[cfg(feature = "tidemill")]
    {
        tidemill_scheduler::blocking(wait)
    }
    #[cfg(not(feature = "tidemill"))]
    {
        wait()
    }
}
