//! Circuit breaker and adaptive limit: both ask before the call and report after it, in the call's own future.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{BoxFuture, Guarded, call_when_ready, take_ready};
use crate::{AdaptiveLimit, BreakerOpen, CircuitBreaker, LimitReached, Outcome};

/// Says how a call ended, as far as its guard is concerned.
type Judge<T, E> = fn(&Result<T, E>) -> Outcome;

/// Keeps calls from a service that fails, as a [`CircuitBreaker`] says.
#[derive(Debug)]
pub struct BreakerLayer<T, E> {
    breaker: Arc<CircuitBreaker>,
    judge: Judge<T, E>,
}

impl<T, E> BreakerLayer<T, E> {
    /// Errors count as failures.
    #[must_use]
    pub fn new(breaker: Arc<CircuitBreaker>) -> Self {
        Self { breaker, judge: by_result }
    }

    /// Says by `judge` what an answer or error means: a 503 is an answer, and a failure.
    #[must_use]
    pub fn judge(mut self, judge: fn(&Result<T, E>) -> Outcome) -> Self {
        self.judge = judge;
        self
    }
}

/// Errors are failures.
fn by_result<T, E>(result: &Result<T, E>) -> Outcome {
    if result.is_ok() { Outcome::Success } else { Outcome::Failure }
}

impl<T, E> Clone for BreakerLayer<T, E> {
    fn clone(&self) -> Self {
        Self { breaker: Arc::clone(&self.breaker), judge: self.judge }
    }
}

impl<S, T, E> Layer<S> for BreakerLayer<T, E> {
    type Service = BreakerService<S, T, E>;

    fn layer(&self, inner: S) -> BreakerService<S, T, E> {
        BreakerService { inner, layer: self.clone() }
    }
}

/// The service of a [`BreakerLayer`].
#[derive(Debug)]
pub struct BreakerService<S, T, E> {
    inner: S,
    layer: BreakerLayer<T, E>,
}

impl<S: Clone, T, E> Clone for BreakerService<S, T, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, Request> Service<Request> for BreakerService<S, S::Response, S::Error>
where
    S: Service<Request> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send + Sync + 'static,
    S::Error: Send + Sync + 'static,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = Guarded<BreakerOpen, S::Error>;
    type Future = BoxFuture<Result<S::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Guarded::Inner)
    }

    /// An open breaker refuses before the inner service is called.
    fn call(&mut self, request: Request) -> Self::Future {
        let (service, BreakerLayer { breaker, judge }) = (take_ready(&mut self.inner), self.layer.clone());
        Box::pin(async move {
            let result = breaker.call_with(call_when_ready(service, request), judge).await.map_err(Guarded::Refused)?;
            result.map_err(Guarded::Inner)
        })
    }
}

/// Lets as many calls run at once as an [`AdaptiveLimit`] finds good; the others wait in its line, in the future of the call.
#[derive(Debug)]
pub struct AdaptiveLayer<T, E> {
    limit: Arc<AdaptiveLimit>,
    judge: Judge<T, E>,
}

impl<T, E> AdaptiveLayer<T, E> {
    /// Errors tell of overload, as time-outs and refusals do.
    #[must_use]
    pub fn new(limit: Arc<AdaptiveLimit>) -> Self {
        Self { limit, judge: by_result }
    }

    /// Says by `judge` what an answer or error means: a failure tells of overload, and what is ignored says nothing.
    #[must_use]
    pub fn judge(mut self, judge: fn(&Result<T, E>) -> Outcome) -> Self {
        self.judge = judge;
        self
    }
}

impl<T, E> Clone for AdaptiveLayer<T, E> {
    fn clone(&self) -> Self {
        Self { limit: Arc::clone(&self.limit), judge: self.judge }
    }
}

impl<S, T, E> Layer<S> for AdaptiveLayer<T, E> {
    type Service = AdaptiveService<S, T, E>;

    fn layer(&self, inner: S) -> AdaptiveService<S, T, E> {
        AdaptiveService { inner, layer: self.clone() }
    }
}

/// The service of an [`AdaptiveLayer`].
#[derive(Debug)]
pub struct AdaptiveService<S, T, E> {
    inner: S,
    layer: AdaptiveLayer<T, E>,
}

impl<S: Clone, T, E> Clone for AdaptiveService<S, T, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, Request> Service<Request> for AdaptiveService<S, S::Response, S::Error>
where
    S: Service<Request> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send + Sync + 'static,
    S::Error: Send + Sync + 'static,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = Guarded<LimitReached, S::Error>;
    type Future = BoxFuture<Result<S::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Guarded::Inner)
    }

    /// A call that is dropped gives its place back and says nothing about the response time.
    fn call(&mut self, request: Request) -> Self::Future {
        let (service, AdaptiveLayer { limit, judge }) = (take_ready(&mut self.inner), self.layer.clone());
        Box::pin(async move {
            let permit = limit.acquire().await.map_err(Guarded::Refused)?;
            let result = call_when_ready(service, request).await;
            match judge(&result) {
                Outcome::Success => permit.success(),
                Outcome::Failure => permit.dropped(),
                Outcome::Ignored => drop(permit),
            }
            result.map_err(Guarded::Inner)
        })
    }
}
