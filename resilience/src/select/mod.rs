//! Which of several endpoints to call: by turns, by load, by two choices, by weight; and not those that fail.
//!
//! A selector holds any values (addresses, clients, channels) in a list that is replaced as a whole, so a pick walks a list
//! that does not change under it. A pick counts the call into its endpoint's load as long as it lives. What the call
//! reports decides whether the endpoint is *left out* for a while: after failures in a row, or at a failure rate; longer each time; and
//! never more endpoints at once than a share of all. If all would be left out, none is: a guess is better than nothing.
//!
//! | policy | what it looks at | when |
//! |---|---|---|
//! | by turns | nothing | equal endpoints, equal calls |
//! | by weight | weights: a sequence that spreads each endpoint's turns evenly | unequal endpoints, equal calls |
//! | two choices | the loads of two at random, by weight | the default: nearly as good as the least load, and no herd |
//! | least load | all loads, by weight | few endpoints, long calls |
//!
//! A pick costs a read lock, two counts of the list, and two of the load; a clock read only while some endpoint is left out.

mod node;
mod pick;

use std::{
    error::Error,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

pub use self::pick::Pick;

use self::node::Node;
use crate::{Clock, TokioClock};

/// How a [`Selector`] chooses.
///
/// # Examples
/// ```
/// use tidemill_resilience::{Policy, Selector};
///
/// let servers = Selector::new(Policy::RoundRobin, ["a:80", "b:80"]);
/// let turns: Vec<&str> = (0..4).filter_map(|_| servers.pick().ok().map(|pick| *pick)).collect();
/// assert_eq!(turns, ["a:80", "b:80", "a:80", "b:80"]);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Policy {
    /// One after the other; weights do not matter.
    RoundRobin,
    /// As often as its weight says, spread evenly.
    Weighted,
    /// The less loaded of two at random, by weight.
    #[default]
    TwoChoices,
    /// The least loaded of all, by weight.
    LeastLoaded,
}

/// When an endpoint is left out, and for how long.
///
/// No value is wrong: a limit of no failures acts as one of one, and a share above all is all.
///
/// ```
/// use tidemill_resilience::Ejection;
///
/// let strict = Ejection { failures_in_a_row: Some(2), max_percent: 20, ..Ejection::default() };
/// assert_eq!(strict.time.as_secs(), 10);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ejection {
    /// After so many failures in a row. Default 5; `None`: not for that.
    pub failures_in_a_row: Option<u32>,
    /// At so many percent of failures, with at least so many calls, in the window. Default none.
    pub failure_rate: Option<(u32, u32)>,
    /// What the rate looks back on. Default 10 s.
    pub window: Duration,
    /// For how long the first time; twice as long each time it fails again soon. Default 10 s.
    pub time: Duration,
    /// The longest time. Default 5 min.
    pub max_time: Duration,
    /// At most so many percent of the endpoints at once, but always one if there are several. Default 50.
    pub max_percent: u32,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures_in_a_row: Some(5),
            failure_rate: None,
            window: Duration::from_secs(10),
            time: Duration::from_secs(10),
            max_time: Duration::from_secs(300),
            max_percent: 50,
        }
    }
}

/// Chooses one of several endpoints for each call.
///
/// # Examples
/// ```
/// use tidemill_resilience::{Policy, Selector};
///
/// let servers = Selector::new(Policy::LeastLoaded, ["a:80", "b:80"]);
/// let first = servers.pick()?;
/// let second = servers.pick()?;
/// assert_ne!(*first, *second, "the first is busy");
/// first.success();
/// second.failure();
/// servers.set(["a:80", "c:80"]);
/// # Ok::<(), tidemill_resilience::NoEndpoint>(())
/// ```
pub struct Selector<E, C: Clock = TokioClock> {
    policy: Policy,
    ejection: Ejection,
    nodes: RwLock<Nodes<E>>,
    /// Turns taken: the next one for policies by turn, the chance for those by chance.
    turn: AtomicU64,
    /// Until when somebody is left out, at the latest: before that a pick reads the clock.
    out_until: AtomicU64,
    /// So that two who leave out do not both take the last that may be.
    leaving_out: Mutex<()>,
    clock: C,
    origin: C::Instant,
}

type Nodes<E> = Arc<[Arc<Node<E>>]>;

/// There is no endpoint, or none that the caller accepts.
///
/// # Examples
/// ```
/// use tidemill_resilience::{NoEndpoint, Policy, Selector};
///
/// let servers = Selector::new(Policy::TwoChoices, ["a:80"]);
/// let elsewhere = servers.pick_where(|server| *server != "a:80"); // for a retry
/// assert_eq!(elsewhere.unwrap_err(), NoEndpoint);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoEndpoint;

impl fmt::Display for NoEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no endpoint to choose")
    }
}

impl Error for NoEndpoint {}

/// An endpoint as a [`Selector`] sees it.
///
/// # Examples
/// ```
/// use tidemill_resilience::{Ejection, Policy, Selector, TokioClock};
///
/// let strict = Ejection { failures_in_a_row: Some(1), ..Ejection::default() };
/// let servers = Selector::with(Policy::RoundRobin, strict, TokioClock);
/// servers.set_weighted([("a:80", 1), ("b:80", 3)]);
/// servers.pick()?.failure();
/// let seen: Vec<_> = servers.stats().iter().map(|seen| (seen.endpoint, seen.weight, seen.is_out)).collect();
/// assert_eq!(seen, [("a:80", 1, true), ("b:80", 3, false)]);
/// # Ok::<(), tidemill_resilience::NoEndpoint>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EndpointStats<E> {
    /// The endpoint.
    pub endpoint: E,
    /// Its weight.
    pub weight: u32,
    /// Calls in flight.
    pub load: u32,
    /// It is left out at present.
    pub is_out: bool,
}

impl<E: Eq> Selector<E> {
    /// A selector over `endpoints` of equal weight, with the usual [`Ejection`].
    pub fn new(policy: Policy, endpoints: impl IntoIterator<Item = E>) -> Self {
        let selector = Self::with(policy, Ejection::default(), TokioClock);
        selector.set(endpoints);
        selector
    }
}

impl<E: Eq, C: Clock> Selector<E, C> {
    /// A selector without endpoints: [`set`](Self::set) them.
    pub fn with(policy: Policy, ejection: Ejection, clock: C) -> Self {
        Self {
            policy,
            ejection,
            nodes: RwLock::new(Arc::new([])),
            turn: AtomicU64::new(0),
            out_until: AtomicU64::new(0),
            leaving_out: Mutex::new(()),
            origin: clock.now(),
            clock,
        }
    }

    /// Replaces the endpoints, all of equal weight. Those that stay keep their load and their health.
    pub fn set(&self, endpoints: impl IntoIterator<Item = E>) {
        self.set_weighted(endpoints.into_iter().map(|endpoint| (endpoint, 1)));
    }

    /// Replaces the endpoints and their weights; a weight of zero gets no calls. Those that stay keep their load and their health.
    pub fn set_weighted(&self, endpoints: impl IntoIterator<Item = (E, u32)>) {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let node = |(endpoint, weight)| match nodes.iter().find(|node| node.endpoint == endpoint) {
            Some(known) => {
                known.weight.store(weight, Relaxed);
                Arc::clone(known)
            }
            None => Arc::new(Node::new(endpoint, weight, self.ejection.window)),
        };
        *nodes = endpoints.into_iter().map(node).collect();
    }

    /// Chooses an endpoint for a call, which counts into its load as long as the pick lives.
    ///
    /// # Errors
    /// [`NoEndpoint`] if there is none.
    pub fn pick(&self) -> Result<Pick<'_, E, C>, NoEndpoint> {
        self.pick_where(|_| true)
    }

    /// Chooses among those that `accepts`: for a retry or a hedge that should go elsewhere, or to stay in one's zone.
    ///
    /// # Errors
    /// [`NoEndpoint`] if there is none.
    pub fn pick_where(&self, accepts: impl Fn(&E) -> bool) -> Result<Pick<'_, E, C>, NoEndpoint> {
        let nodes = self.nodes();
        let serves = |node: &Node<E>| node.weight() > 0 && accepts(&node.endpoint);
        let chosen = match self.now_if_any_out() {
            None => self.choose(&nodes, serves),
            Some(nanos) => {
                self.choose(&nodes, |node| serves(node) && !node.is_out(nanos)).or_else(|| self.choose(&nodes, serves))
            }
        };
        chosen.map(|node| Pick::new(self, Arc::clone(node))).ok_or(NoEndpoint)
    }

    fn choose<'a>(&self, nodes: &'a Nodes<E>, serves: impl Fn(&Node<E>) -> bool) -> Option<&'a Arc<Node<E>>> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let serving = || nodes.iter().filter(|node| serves(node));
        match self.policy {
            Policy::RoundRobin => {
                // The next that serves, from the place whose turn it is.
                let at = (turn % nodes.len().max(1) as u64) as usize;
                let (before, after) = nodes.split_at(at);
                after.iter().chain(before).find(|node| serves(node))
            }
            Policy::Weighted => {
                let total: u64 = serving().map(|node| u64::from(node.weight())).sum();
                by_weight(serving(), spread(turn, total))
            }
            Policy::TwoChoices => {
                let total: u64 = serving().map(|node| u64::from(node.weight())).sum();
                let one = by_weight(serving(), scaled(mixed(2 * turn), total))?;
                let others = || serving().filter(|node| !Arc::ptr_eq(node, one));
                let rest = total - u64::from(one.weight()).min(total);
                let two = by_weight(others(), scaled(mixed(2 * turn + 1), rest));
                Some(two.filter(|two| is_less_loaded(two, one)).unwrap_or(one))
            }
            Policy::LeastLoaded => {
                // Of equals, another one each time.
                let at = (turn % nodes.len().max(1) as u64) as usize;
                let (before, after) = nodes.split_at(at);
                let serving = after.iter().chain(before).filter(|node| serves(node));
                serving.reduce(|best, node| if is_less_loaded(node, best) { node } else { best })
            }
        }
    }

    /// A call failed at `node`; it may be left out from now on.
    fn failed(&self, node: &Node<E>) {
        let nanos = self.nanos();
        if !node.failed(&self.ejection, nanos) || node.is_out(nanos) {
            return;
        }
        let _one_at_a_time = self.leaving_out.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = self.nodes();
        let out = nodes.iter().filter(|node| node.is_out(nanos)).count() + 1;
        let is_allowed = nodes.len() > 1 && (out == 1 || out * 100 <= nodes.len() * self.ejection.max_percent as usize);
        if is_allowed {
            node.leave_out(&self.ejection, nanos);
            self.out_until.fetch_max(node.out_until.load(Relaxed), Relaxed);
        }
    }

    /// All endpoints and how they are doing.
    pub fn stats(&self) -> Vec<EndpointStats<E>>
    where
        E: Clone,
    {
        let nanos = self.nanos();
        let stats = |node: &Arc<Node<E>>| EndpointStats {
            endpoint: node.endpoint.clone(),
            weight: node.weight(),
            load: node.load.load(Relaxed),
            is_out: node.is_out(nanos),
        };
        self.nodes().iter().map(stats).collect()
    }

    fn nodes(&self) -> Nodes<E> {
        Arc::clone(&self.nodes.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The time, if anyone may be left out at present.
    fn now_if_any_out(&self) -> Option<u64> {
        let until = self.out_until.load(Relaxed);
        if until == 0 {
            return None;
        }
        let nanos = self.nanos();
        if nanos >= until {
            // Over for all; unless somebody was left out just now.
            let _ = self.out_until.compare_exchange(until, 0, Relaxed, Relaxed);
        }
        Some(nanos)
    }

    fn nanos(&self) -> u64 {
        let now = self.clock.now();
        if now > self.origin { u64::try_from((now - self.origin).as_nanos()).unwrap_or(u64::MAX) } else { 0 }
    }
}

/// The node at `point` if all weights are laid end to end.
fn by_weight<'a, E>(nodes: impl Iterator<Item = &'a Arc<Node<E>>>, point: u64) -> Option<&'a Arc<Node<E>>> {
    let (mut left, mut last) = (point, None);
    for node in nodes {
        let weight = u64::from(node.weight());
        if left < weight {
            return Some(node);
        }
        left -= weight;
        last = Some(node);
    }
    // A weight changed meanwhile.
    last
}

/// By calls in flight, with this one, per weight.
fn is_less_loaded<E>(node: &Node<E>, than: &Node<E>) -> bool {
    let load = |node: &Node<E>| u64::from(node.load.load(Relaxed)) + 1;
    load(node) * u64::from(than.weight()) < load(than) * u64::from(node.weight())
}

/// The golden section of 2^64: multiples of it fill the circle more evenly than any other step.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Turn by turn over `0..total`, so that any stretch of turns hits each part about as often as it is long.
fn spread(turn: u64, total: u64) -> u64 {
    scaled(turn.wrapping_mul(GOLDEN), total)
}

/// From all 64 bits to `0..total`.
fn scaled(bits: u64, total: u64) -> u64 {
    ((u128::from(bits) * u128::from(total)) >> 64) as u64
}

/// A turn as a random number (the mixing of splitmix64): chance that replays, and needs no state of its own.
fn mixed(turn: u64) -> u64 {
    let mut bits = turn.wrapping_add(1).wrapping_mul(GOLDEN);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

impl<E, C: Clock> fmt::Debug for Selector<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector")
            .field("policy", &self.policy)
            .field("ejection", &self.ejection)
            .finish_non_exhaustive()
    }
}
