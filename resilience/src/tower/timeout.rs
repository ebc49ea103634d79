//! A time-out around each call.

use std::{
    future::Future,
    task::{Context, Poll},
    time::Duration,
};

use tower_layer::Layer;
use tower_service::Service;

use super::{BoxFuture, Guarded};
use crate::{TimedOut, timeout};

/// Ends each call after this long, or with the ambient context.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::{convert::Infallible, future::pending, time::Duration};
/// use tidemill_resilience::{TimedOut, tower::{Guarded, TimeoutLayer}};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let limit = Duration::from_secs(1);
/// let hangs = service_fn(|_: ()| pending::<Result<u32, Infallible>>());
/// let answer = TimeoutLayer::new(limit).layer(hangs).oneshot(()).await;
/// assert_eq!(answer, Err(Guarded::Refused(TimedOut::After(limit))));
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer {
    limit: Duration,
}

impl TimeoutLayer {
    /// A time-out of `limit`.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = TimeoutService<S>;

    fn layer(&self, inner: S) -> TimeoutService<S> {
        TimeoutService { inner, limit: self.limit }
    }
}

/// The service of a [`TimeoutLayer`].
#[derive(Clone, Debug)]
pub struct TimeoutService<S> {
    inner: S,
    limit: Duration,
}

impl<S, Request> Service<Request> for TimeoutService<S>
where
    S: Service<Request>,
    S::Future: Future<Output = Result<S::Response, S::Error>> + Send + 'static,
{
    type Response = S::Response;
    type Error = Guarded<TimedOut, S::Error>;
    type Future = BoxFuture<Result<S::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Guarded::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (limit, call) = (self.limit, self.inner.call(request));
        Box::pin(async move {
            match timeout(limit, call).await {
                Ok(result) => result.map_err(Guarded::Inner),
                Err(timed_out) => Err(Guarded::Refused(timed_out)),
            }
        })
    }
}
