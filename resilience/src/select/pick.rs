//! A chosen endpoint, for as long as the call lasts.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{Selector, node::Node};
use crate::{Clock, TokioClock};

/// The endpoint that was chosen for a call: it counts as busy with it until this is dropped. Tell it how the call ended; dropped
/// without a word, it says nothing about the endpoint.
///
/// # Examples
/// ```
/// use tidemill_resilience::{Policy, Selector};
///
/// let servers = Selector::new(Policy::LeastLoaded, ["a:80", "b:80"]);
/// let pick = servers.pick()?;
/// let address: &str = *pick;
/// assert_eq!(servers.stats().iter().filter(|seen| seen.load == 1).map(|seen| seen.endpoint).collect::<Vec<_>>(), [address]);
/// pick.success();
/// assert!(servers.stats().iter().all(|seen| seen.load == 0), "the call is over");
/// # Ok::<(), tidemill_resilience::NoEndpoint>(())
/// ```
#[must_use = "the call counts only as long as its pick lives"]
pub struct Pick<'a, E: Eq, C: Clock = TokioClock> {
    selector: &'a Selector<E, C>,
    node: Arc<Node<E>>,
}

impl<'a, E: Eq, C: Clock> Pick<'a, E, C> {
    pub(super) fn new(selector: &'a Selector<E, C>, node: Arc<Node<E>>) -> Self {
        node.load.fetch_add(1, Relaxed);
        Self { selector, node }
    }

    /// The call went well.
    pub fn success(self) {
        self.node.succeeded();
    }

    /// The endpoint is at fault.
    pub fn failure(self) {
        self.selector.failed(&self.node);
    }
}

impl<E: Eq, C: Clock> Deref for Pick<'_, E, C> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.node.endpoint
    }
}

impl<E: Eq, C: Clock> Drop for Pick<'_, E, C> {
    fn drop(&mut self) {
        self.node.load.fetch_sub(1, Relaxed);
    }
}

impl<E: Eq + fmt::Debug, C: Clock> fmt::Debug for Pick<'_, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pick").field(&self.node.endpoint).finish()
    }
}
