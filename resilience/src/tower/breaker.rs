//! Circuit breaker and adaptive limit: both ask before the call and report after it, in the call's own future.

use std::{
    future::Future,
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{BoxFuture, Guarded, call_when_ready, take_ready};
use crate::{AdaptiveLimit, BreakerOpen, CircuitBreaker, LimitReached, Outcome};

/// Says how a call ended, as far as its guard is concerned.
type Judge<T, E> = fn(&Result<T, E>) -> Outcome;

/// A guard that hears how each call ended.
pub trait Hears: Send + Sync + 'static {
    /// Why it does not let a call in.
    type Refused;

    /// Lets `call` in, or refuses it without a poll, and hears by `judge` how it ended.
    fn hear<T: Send, E: Send>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send,
        judge: fn(&Result<T, E>) -> Outcome,
    ) -> impl Future<Output = Result<Result<T, E>, Self::Refused>> + Send;
}

/// An open breaker refuses before the inner service is called.
impl Hears for CircuitBreaker {
    type Refused = BreakerOpen;

    async fn hear<T: Send, E: Send>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send,
        judge: fn(&Result<T, E>) -> Outcome,
    ) -> Result<Result<T, E>, BreakerOpen> {
        self.call_with(call, judge).await
    }
}

/// A failure tells of overload, and what is ignored says nothing. A call that is dropped gives its place back and says nothing
/// about the response time.
impl Hears for AdaptiveLimit {
    type Refused = LimitReached;

    async fn hear<T: Send, E: Send>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send,
        judge: fn(&Result<T, E>) -> Outcome,
    ) -> Result<Result<T, E>, LimitReached> {
        let permit = self.acquire().await?;
        let result = call.await;
        match judge(&result) {
            Outcome::Success => permit.success(),
            Outcome::Failure => permit.dropped(),
            Outcome::Ignored => drop(permit),
        }
        Ok(result)
    }
}

/// Keeps calls from a service that fails, as a [`CircuitBreaker`] says.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use tidemill_resilience::{CircuitBreaker, tower::{BreakerLayer, Guarded}};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let breaker = Arc::new(CircuitBreaker::builder().failures_in_a_row(1).build()?);
/// let service = BreakerLayer::new(breaker).layer(service_fn(|_: ()| async { Err::<(), _>("down") }));
/// assert_eq!(service.clone().oneshot(()).await, Err(Guarded::Inner("down")));
/// assert!(matches!(service.oneshot(()).await, Err(Guarded::Refused(_))), "it is not called any more");
/// # Ok(()) }
/// ```
pub type BreakerLayer<T, E> = HearingLayer<CircuitBreaker, T, E>;
/// The service of a [`BreakerLayer`].
pub type BreakerService<S, T, E> = HearingService<CircuitBreaker, S, T, E>;
/// Lets as many calls run at once as an [`AdaptiveLimit`] finds good; the others wait in its line, in the future of the call.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{sync::Arc, time::Duration};
/// use tidemill_resilience::{AdaptiveLimit, Aimd, tower::AdaptiveLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let limit = Arc::new(AdaptiveLimit::builder(Aimd::default()).initial(20).window(1, Duration::ZERO).build()?);
/// let service = AdaptiveLayer::new(limit.clone()).layer(service_fn(|_: ()| async { Err::<(), _>("overloaded") }));
/// assert!(service.oneshot(()).await.is_err());
/// assert_eq!(limit.limit(), 18);
/// # Ok(()) }
/// ```
pub type AdaptiveLayer<T, E> = HearingLayer<AdaptiveLimit, T, E>;
/// The service of an [`AdaptiveLayer`].
pub type AdaptiveService<S, T, E> = HearingService<AdaptiveLimit, S, T, E>;

/// The layer of a guard that hears how calls end: [`BreakerLayer`] and [`AdaptiveLayer`].
#[derive(Debug)]
pub struct HearingLayer<G, T, E> {
    guard: Arc<G>,
    judge: Judge<T, E>,
}

impl<G, T, E> HearingLayer<G, T, E> {
    /// Errors count as failures: of the service for a breaker, by overload for a limit.
    #[must_use]
    pub fn new(guard: Arc<G>) -> Self {
        let by_result = |result: &Result<T, E>| if result.is_ok() { Outcome::Success } else { Outcome::Failure };
        Self { guard, judge: by_result }
    }

    /// Says by `judge` what an answer or error means: a 503 is an answer, and a failure.
    #[must_use]
    pub fn judge(mut self, judge: fn(&Result<T, E>) -> Outcome) -> Self {
        self.judge = judge;
        self
    }
}

impl<G, T, E> Clone for HearingLayer<G, T, E> {
    fn clone(&self) -> Self {
        Self { guard: Arc::clone(&self.guard), judge: self.judge }
    }
}

impl<G, S, T, E> Layer<S> for HearingLayer<G, T, E> {
    type Service = HearingService<G, S, T, E>;

    fn layer(&self, inner: S) -> HearingService<G, S, T, E> {
        HearingService { inner, layer: self.clone() }
    }
}

/// The service of a [`HearingLayer`].
#[derive(Debug)]
pub struct HearingService<G, S, T, E> {
    inner: S,
    layer: HearingLayer<G, T, E>,
}

impl<G, S: Clone, T, E> Clone for HearingService<G, S, T, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<G, S, Request> Service<Request> for HearingService<G, S, S::Response, S::Error>
where
    G: Hears,
    S: Service<Request> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send + Sync + 'static,
    S::Error: Send + Sync + 'static,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = Guarded<G::Refused, S::Error>;
    type Future = BoxFuture<Result<S::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Guarded::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (service, HearingLayer { guard, judge }) = (take_ready(&mut self.inner), self.layer.clone());
        Box::pin(async move {
            let result = guard.hear(call_when_ready(service, request), judge).await.map_err(Guarded::Refused)?;
            result.map_err(Guarded::Inner)
        })
    }
}
