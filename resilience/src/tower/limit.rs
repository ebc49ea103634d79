//! Rate limit and bulkhead: both reserve in `poll_ready`, or refuse in `call`.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{
    Guarded,
    place::{Guarding, Place},
};
use crate::{Bulkhead, BulkheadFull, OwnedBulkheadPermit, OwnedReservation, RateLimiter, Refused, TokioClock};

/// What a service does that may not pass now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// It is not ready until it may.
    Wait,
    /// It is ready, and the call is refused.
    Refuse,
}

/// Lets calls through at the rate of a [`RateLimiter`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{convert::Infallible, sync::Arc, time::Duration};
/// use tidemill_resilience::{Rate, RateLimiter, tower::{BulkheadLayer, RateLimitLayer, RetryLayer, TimeoutLayer}, Bulkhead, Retry};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// let limiter = Arc::new(RateLimiter::builder().rate(Rate::per_second(100)).burst(10).build()?);
/// let bulkhead = Arc::new(Bulkhead::builder(5).build()?);
/// let service = ServiceBuilder::new()
///     .layer(RetryLayer::new(Retry::exponential(Duration::from_millis(10)).build()?))
///     .layer(RateLimitLayer::new(limiter))
///     .layer(BulkheadLayer::new(bulkhead))
///     .layer(TimeoutLayer::new(Duration::from_secs(1)))
///     .service(service_fn(|number: u32| async move { Ok::<_, Infallible>(number + 1) }));
/// assert_eq!(service.oneshot(41).await?, 42);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    limiter: Arc<RateLimiter>,
    mode: Mode,
}

impl RateLimitLayer {
    /// Services that are ready when a token is reserved for them.
    #[must_use]
    pub const fn new(limiter: Arc<RateLimiter>) -> Self {
        Self { limiter, mode: Mode::Wait }
    }

    /// Services that are always ready as far as the limit goes, and whose calls are refused if there is no token: for servers, which
    /// should say 429 at once.
    #[must_use]
    pub const fn refusing(limiter: Arc<RateLimiter>) -> Self {
        Self { limiter, mode: Mode::Refuse }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimitService<S>;

    fn layer(&self, inner: S) -> RateLimitService<S> {
        RateLimitService { inner, limiter: Arc::clone(&self.limiter), mode: self.mode, place: Place::Empty }
    }
}

/// The service of a [`RateLimitLayer`].
#[derive(Clone, Debug)]
pub struct RateLimitService<S> {
    inner: S,
    limiter: Arc<RateLimiter>,
    mode: Mode,
    place: Place<OwnedReservation<TokioClock>, Refused>,
}

impl<S: Service<Request>, Request> Service<Request> for RateLimitService<S> {
    type Response = S::Response;
    type Error = Guarded<Refused, S::Error>;
    type Future = Guarding<S::Future, (), Refused>;

    /// The token is reserved first, then the inner service is asked: a place in there is scarcer than a token.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let Self { inner, limiter, mode, place } = self;
        if *mode == Mode::Wait {
            let now = || limiter.try_reserve_owned(1).ok();
            let reserved = place.poll(cx, now, || Box::pin(Arc::clone(limiter).reserve_owned(1)));
            match reserved {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(refused)) => return Poll::Ready(Err(Guarded::Refused(refused))),
                Poll::Ready(Ok(())) => {}
            }
        }
        inner.poll_ready(cx).map_err(Guarded::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.mode {
            Mode::Refuse => match self.limiter.try_acquire(1) {
                Ok(()) => Guarding::new(self.inner.call(request), ()),
                Err(refused) => Guarding::refused(Some(refused)),
            },
            Mode::Wait => match self.place.take() {
                Some(reserved) => {
                    reserved.commit();
                    Guarding::new(self.inner.call(request), ())
                }
                None => Guarding::refused(None),
            },
        }
    }
}

/// Lets as many calls run at once as a [`Bulkhead`] does.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{convert::Infallible, sync::Arc};
/// use tidemill_resilience::{Bulkhead, tower::BulkheadLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let bulkhead = Arc::new(Bulkhead::builder(5).build()?);
/// let seen = bulkhead.clone();
/// let count = service_fn(move |_: ()| std::future::ready(Ok::<_, Infallible>(seen.stats().in_use)));
/// let service = BulkheadLayer::new(bulkhead.clone()).layer(count);
/// assert_eq!(service.oneshot(()).await?, 1, "inside");
/// assert_eq!(bulkhead.stats().in_use, 0);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct BulkheadLayer {
    bulkhead: Arc<Bulkhead>,
    mode: Mode,
}

impl BulkheadLayer {
    /// Services that are ready when a place is theirs.
    #[must_use]
    pub const fn new(bulkhead: Arc<Bulkhead>) -> Self {
        Self { bulkhead, mode: Mode::Wait }
    }

    /// Services that are always ready as far as the bulkhead goes, and whose calls are refused if it is full.
    #[must_use]
    pub const fn refusing(bulkhead: Arc<Bulkhead>) -> Self {
        Self { bulkhead, mode: Mode::Refuse }
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = BulkheadService<S>;

    fn layer(&self, inner: S) -> BulkheadService<S> {
        BulkheadService { inner, bulkhead: Arc::clone(&self.bulkhead), mode: self.mode, place: Place::Empty }
    }
}

/// The service of a [`BulkheadLayer`].
#[derive(Clone, Debug)]
pub struct BulkheadService<S> {
    inner: S,
    bulkhead: Arc<Bulkhead>,
    mode: Mode,
    place: Place<OwnedBulkheadPermit, BulkheadFull>,
}

impl<S: Service<Request>, Request> Service<Request> for BulkheadService<S> {
    type Response = S::Response;
    type Error = Guarded<BulkheadFull, S::Error>;
    type Future = Guarding<S::Future, OwnedBulkheadPermit, BulkheadFull>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let Self { inner, bulkhead, mode, place } = self;
        if *mode == Mode::Wait {
            let now = || bulkhead.try_acquire_owned().ok();
            let wait = || {
                let bulkhead = Arc::clone(bulkhead);
                Box::pin(async move { bulkhead.acquire_owned().await }) as _
            };
            match place.poll(cx, now, wait) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(full)) => return Poll::Ready(Err(Guarded::Refused(full))),
                Poll::Ready(Ok(())) => {}
            }
        }
        inner.poll_ready(cx).map_err(Guarded::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let permit = match self.mode {
            Mode::Refuse => self.bulkhead.try_acquire_owned().map_err(Some),
            Mode::Wait => self.place.take().ok_or(None),
        };
        match permit {
            Ok(permit) => Guarding::new(self.inner.call(request), permit),
            Err(refusal) => Guarding::refused(refusal),
        }
    }
}
