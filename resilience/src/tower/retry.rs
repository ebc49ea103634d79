//! A retry around each call: the first attempt goes to the service that was ready, each further one to a clone that becomes so.

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
use crate::{
    Decision, Retry, RetryBudget, RetryError,
    retry::{Always, ByOutcome, Classify},
};

/// Calls again what failed, as a [`Retry`] says.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{sync::atomic::{AtomicU32, Ordering::Relaxed}, time::Duration};
/// use tidemill_resilience::{Retry, tower::RetryLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// static CALLS: AtomicU32 = AtomicU32::new(0);
/// let busy_once = service_fn(|number: u32| {
///     let is_first = CALLS.fetch_add(1, Relaxed) == 0;
///     async move { if is_first { Err("busy") } else { Ok(number + 1) } }
/// });
/// let policy = Retry::exponential(Duration::from_millis(1)).build()?;
/// assert_eq!(RetryLayer::new(policy).layer(busy_once).oneshot(41).await, Ok(42));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RetryLayer<F = Always, A = Clones> {
    policy: Retry,
    classify: F,
    again: A,
    budget: Option<Arc<RetryBudget>>,
}

impl RetryLayer {
    /// Every error is worth another attempt; requests are cloned.
    #[must_use]
    pub const fn new(policy: Retry) -> Self {
        Self { policy, classify: Always, again: Clones, budget: None }
    }
}

impl<F, A> RetryLayer<F, A> {
    /// Decides by `classify` about errors and answers, as [`Retrying::classify_outcome`](crate::Retrying::classify_outcome) does.
    #[must_use]
    pub fn classify<T, E, G>(self, classify: G) -> RetryLayer<ByOutcome<G>, A>
    where
        G: Fn(Result<&T, &E>) -> Decision,
    {
        let Self { policy, again, budget, .. } = self;
        RetryLayer { policy, classify: ByOutcome(classify), again, budget }
    }

    /// Makes the request of each further attempt by `again`, before the first is sent. `None`: it is sent once.
    #[must_use]
    pub fn again<Request, G: Fn(&Request) -> Option<Request>>(self, again: G) -> RetryLayer<F, G> {
        let Self { policy, classify, budget, .. } = self;
        RetryLayer { policy, classify, again, budget }
    }

    /// Pays for retries out of `budget`.
    #[must_use]
    pub fn budget(mut self, budget: Arc<RetryBudget>) -> Self {
        self.budget = Some(budget);
        self
    }
}

impl<S, F: Clone, A: Clone> Layer<S> for RetryLayer<F, A> {
    type Service = RetryService<S, F, A>;

    fn layer(&self, inner: S) -> RetryService<S, F, A> {
        RetryService { inner, layer: self.clone() }
    }
}

/// The service of a [`RetryLayer`].
#[derive(Clone, Debug)]
pub struct RetryService<S, F = Always, A = Clones> {
    inner: S,
    layer: RetryLayer<F, A>,
}

impl<S, Request, F, A> Service<Request> for RetryService<S, F, A>
where
    S: Service<Request> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
    Request: Send + 'static,
    F: Classify<S::Response, S::Error> + Clone + Send + Sync + 'static,
    A: Again<Request> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = RetryError<S::Error>;
    type Future = BoxFuture<Result<S::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(RetryError::not_begun)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (mut ready, spare) = (Some(take_ready(&mut self.inner)), self.inner.clone());
        let RetryLayer { policy, classify, again, budget } = self.layer.clone();
        let mut requests = Requests::new(request, again);
        Box::pin(async move {
            let more = AtomicBool::new(true);
            let is_more = &more;
            let mut attempt = move |_| {
                let (request, another) = requests.take().expect("`WhileCopies` ends the run before");
                is_more.store(another, Relaxed);
                call_when_ready(ready.take().unwrap_or_else(|| spare.clone()), request)
            };
            let retrying = policy.plain().with_classify(WhileCopies { classify: &classify, more: &more });
            match &budget {
                Some(budget) => retrying.budget(budget).run(&mut attempt).await,
                None => retrying.run(&mut attempt).await,
            }
        })
    }
}

/// Decides as `classify` does, as long as there is a request for another attempt. The flag stays within one task.
struct WhileCopies<'a, F> {
    classify: &'a F,
    more: &'a AtomicBool,
}

impl<F> WhileCopies<'_, F> {
    fn if_more(&self, decision: impl FnOnce() -> Decision) -> Decision {
        if self.more.load(Relaxed) { decision() } else { Decision::Stop }
    }
}

impl<T, E, F: Classify<T, E>> Classify<T, E> for WhileCopies<'_, F> {
    fn on_error(&self, error: &E) -> Decision {
        self.if_more(|| self.classify.on_error(error))
    }

    fn on_cut(&self) -> Decision {
        self.if_more(|| self.classify.on_cut())
    }

    fn on_value(&self, value: &T) -> Decision {
        self.if_more(|| self.classify.on_value(value))
    }
}
