//! The executor for hyper, and for whatever takes hyper's: tasks go to tidemill instead of to the reactor.

use std::future::Future;

/// Runs what hyper wants run beside a connection as tasks of tidemill.
///
/// Servers: [`serve`](crate::serve()) uses it already; hyper's and hyper-util's builders take it. Clients: hyper-util's
/// `client::legacy::Client::builder(Executor)`, hyper's `client::conn::http2::handshake(Executor, io)`, tonic's
/// `Endpoint::executor(Executor)`.
///
/// # Panics
/// `execute` panics on a thread without a tidemill runtime, as [`tidemill_scheduler::spawn`] does.
///
/// ```
/// use hyper::rt::Executor as _;
///
/// tidemill_scheduler::block_on(async {
///     let (tell, told) = std::sync::mpsc::channel();
///     tidemill_serve::Executor.execute(async move { tell.send(42) });
///     assert_eq!(tidemill_scheduler::blocking(|| told.recv()), Ok(42));
/// });
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Executor;

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(tidemill_scheduler::spawn(future));
    }
}
