//! The guards as tower layers (feature `tower`), for whatever is a `Service`: clients and servers of HTTP, gRPC, and one's own.
//!
//! A `ServiceBuilder` reads as the composition does: the outermost guard first.
//!
//! **Readiness.** What can be reserved is reserved in `poll_ready` and handed to the `call` that follows: a token of a rate
//! limiter, a place in a bulkhead. A service that is dropped between the two gives it back; a clone starts without; and a `call` without
//! `poll_ready` is an error, not a request that nobody admitted (tower-resilience#363, #365, #367). Waiting there happens in line with all
//! other clones, without a task and without waking oneself. What cannot be reserved, because it depends on how the call ends (breaker,
//! adaptive limit) or repeats it (retry, hedge), happens in the future of the call.
//!
//! **Errors** are typed: a guard's own, or the service's ([`Guarded`]); a retry's and a hedge's are their own. Nothing is boxed that the
//! caller has to take apart again.
//!
//! **Cost.** Rate limit and bulkhead allocate only when they have to wait; each of the others allocates one future per call.

mod breaker;
mod hedge;
mod limit;
mod place;
mod retry;
mod timeout;

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    mem,
    pin::Pin,
};

use tower_service::Service;

pub use self::{
    breaker::{AdaptiveLayer, AdaptiveService, BreakerLayer, BreakerService, HearingLayer, HearingService, Hears},
    hedge::{HedgeLayer, HedgeService},
    limit::{BulkheadLayer, BulkheadService, RateLimitLayer, RateLimitService},
    place::Guarding,
    retry::{RetryLayer, RetryService},
    timeout::{TimeoutLayer, TimeoutService},
};

/// The future of a guard that has work to do after the call or around it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A guarded call failed: the guard refused it, or the service failed.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{convert::Infallible, sync::Arc};
/// use tidemill_resilience::{Bulkhead, BulkheadFull, tower::{BulkheadLayer, Guarded}};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let bulkhead = Arc::new(Bulkhead::builder(1).build()?);
/// let next = service_fn(|number: u32| async move { Ok::<_, Infallible>(number + 1) });
/// let service = BulkheadLayer::refusing(bulkhead.clone()).layer(next);
/// let _busy = bulkhead.try_acquire()?;
/// assert_eq!(service.oneshot(41).await, Err(Guarded::Refused(BulkheadFull::Busy)));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Guarded<R, E> {
    /// The guard's own error: nothing was sent, or, of a time-out, no answer came in time.
    Refused(R),
    /// The service's error.
    Inner(E),
    /// `call` without a `poll_ready` that said it is ready.
    NotReady,
}

impl<R: fmt::Display, E: fmt::Display> fmt::Display for Guarded<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Inner(error) => error.fmt(f),
            Self::NotReady => f.write_str("a service was called before it was ready"),
        }
    }
}

impl<R: Error + 'static, E: Error + 'static> Error for Guarded<R, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(refused) => refused.source(),
            Self::Inner(error) => error.source(),
            Self::NotReady => None,
        }
    }
}

/// Makes the request of a further attempt: a closure, or the default, which clones it.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_resilience::{Retry, tower::RetryLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let again = |request: &&'static str| request.starts_with("GET").then_some(*request);
/// let layer = RetryLayer::new(Retry::constant(Duration::ZERO).max_attempts(3).build()?).again(again);
/// let service = layer.layer(service_fn(|_: &'static str| async { Err::<(), _>("down") }));
/// assert_eq!(service.clone().oneshot("GET /").await.unwrap_err().attempts, 3);
/// assert_eq!(service.oneshot("POST /").await.unwrap_err().attempts, 1);
/// # Ok(()) }
/// ```
pub trait Again<Request> {
    /// The request once more; `None` if it can be sent only once.
    fn again(&self, request: &Request) -> Option<Request>;
}

/// The default: every request is cloned. What must not be sent twice should not get a retry or a hedge at all, or a closure that says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clones;

impl<Request: Clone> Again<Request> for Clones {
    fn again(&self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}

impl<Request, F: Fn(&Request) -> Option<Request>> Again<Request> for F {
    fn again(&self, request: &Request) -> Option<Request> {
        self(request)
    }
}

/// The requests of one call: the first, and one in hand for the attempt after, so that it is known beforehand whether there can be one.
struct Requests<Request, A> {
    first: Option<Request>,
    next: Option<Request>,
    again: A,
}

impl<Request, A: Again<Request>> Requests<Request, A> {
    fn new(first: Request, again: A) -> Self {
        Self { next: again.again(&first), first: Some(first), again }
    }

    /// The request of the next attempt, and whether there can be another after it.
    fn take(&mut self) -> Option<(Request, bool)> {
        if let Some(first) = self.first.take() {
            return Some((first, self.next.is_some()));
        }
        let request = self.next.take()?;
        self.next = self.again.again(&request);
        Some((request, self.next.is_some()))
    }
}

/// Takes the service that is ready, and leaves a clone that has to become so.
fn take_ready<S: Clone>(service: &mut S) -> S {
    let fresh = service.clone();
    mem::replace(service, fresh)
}

/// Calls a service that is perhaps not ready yet.
async fn call_when_ready<S: Service<Request>, Request>(
    mut service: S,
    request: Request,
) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}
