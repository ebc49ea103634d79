//! A hedge around each call: the first attempt goes to the service that was ready, each hedge to a clone that becomes so.
//!
//! A clone waits in line like any other caller: with a bulkhead or a limit further inside, a hedge cannot pass it
//! (aws-s3-transfer-manager-rs#57).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{Again, BoxFuture, Clones, Requests, call_when_ready, take_ready};
use crate::{Hedge, HedgeError, RetryBudget};

/// Calls again what is late, as a [`Hedge`] says, and takes the first answer.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{convert::Infallible, future::pending, sync::{Arc, atomic::{AtomicU32, Ordering::Relaxed}}, time::Duration};
/// use tidemill_resilience::{Hedge, tower::HedgeLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// static CALLS: AtomicU32 = AtomicU32::new(0);
/// let hangs_once = service_fn(|_: ()| async {
///     let number = CALLS.fetch_add(1, Relaxed) + 1;
///     if number == 1 { pending().await } else { Ok::<_, Infallible>(number) }
/// });
/// let hedge = Arc::new(Hedge::after(Duration::from_millis(50)).build()?);
/// assert_eq!(HedgeLayer::new(hedge).layer(hangs_once).oneshot(()).await, Ok(2), "the hedge");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct HedgeLayer<A = Clones> {
    hedge: Arc<Hedge>,
    again: A,
    budget: Option<Arc<RetryBudget>>,
}

impl HedgeLayer {
    /// Requests are cloned.
    #[must_use]
    pub const fn new(hedge: Arc<Hedge>) -> Self {
        Self { hedge, again: Clones, budget: None }
    }
}

impl<A> HedgeLayer<A> {
    /// Makes the request of each hedge by `again`. `None`: there is no hedge.
    #[must_use]
    pub fn again<Request, G: Fn(&Request) -> Option<Request>>(self, again: G) -> HedgeLayer<G> {
        let Self { hedge, budget, .. } = self;
        HedgeLayer { hedge, again, budget }
    }

    /// Pays for hedges out of `budget`.
    #[must_use]
    pub fn budget(mut self, budget: Arc<RetryBudget>) -> Self {
        self.budget = Some(budget);
        self
    }
}

impl<S, A: Clone> Layer<S> for HedgeLayer<A> {
    type Service = HedgeService<S, A>;

    fn layer(&self, inner: S) -> HedgeService<S, A> {
        HedgeService { inner, layer: self.clone() }
    }
}

/// The service of a [`HedgeLayer`].
#[derive(Clone, Debug)]
pub struct HedgeService<S, A = Clones> {
    inner: S,
    layer: HedgeLayer<A>,
}

impl<S, Request, A> Service<Request> for HedgeService<S, A>
where
    S: Service<Request> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
    Request: Send + 'static,
    A: Again<Request> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = HedgeError<S::Error>;
    type Future = BoxFuture<Result<S::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(|last| HedgeError::Failed { last, attempts: 0 })
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (mut ready, spare) = (Some(take_ready(&mut self.inner)), self.inner.clone());
        let HedgeLayer { hedge, again, budget } = self.layer.clone();
        let mut requests = Requests::new(request, again);
        Box::pin(async move {
            // Stays within one task.
            let more = AtomicBool::new(true);
            let is_more = &more;
            let mut attempt = move |_| {
                let (request, another) = requests.take().expect("the limit below allows no hedge without");
                is_more.store(another, Relaxed);
                call_when_ready(ready.take().unwrap_or_else(|| spare.clone()), request)
            };
            let hedging = hedge.plain().limit(|| more.load(Relaxed).then_some(()));
            match &budget {
                Some(budget) => hedging.budget(budget).run(&mut attempt).await,
                None => hedging.run(&mut attempt).await,
            }
        })
    }
}
