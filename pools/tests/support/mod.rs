//! A manager whose server is a set of counters, and the runtimes to run a test body on.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tidemill_pools::{Manager, ResourceBuilder, ResourcePool, Spawner};

/// What the server knows. Clones see the same server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Connections that exist, those being made and being closed included, and the most there ever were.
    alive: AtomicUsize,
    most: AtomicUsize,
    created: AtomicU64,
    attempts: AtomicU64,
    validations: AtomicU64,
    create_time: Mutex<Duration>,
    validate_time: Mutex<Duration>,
    close_time: Mutex<Duration>,
    /// What happens to the next creates; after them, all succeed.
    creates: Mutex<VecDeque<Outcome>>,
    /// What happens to the next validations; after them, all succeed.
    validations_to_come: Mutex<VecDeque<Outcome>>,
    down: AtomicBool,
}

/// How one step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    Bad,
    Panic,
    Never,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) broken: bool,
    server: Server,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) u64);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {} was refused", self.0)
    }
}

impl std::error::Error for Refused {}

impl Server {
    /// A pool with nothing but what the test says: no idle time-out, no life, no validation unless broken.
    pub(crate) fn pool(&self) -> ResourceBuilder<Self> {
        ResourcePool::builder(self.clone())
            .idle_timeout(None)
            .max_life(None)
            .validate(tidemill_pools::Validate::Never)
            .seed(1)
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.alive.load(SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.0.most.load(SeqCst)
    }

    pub(crate) fn created(&self) -> u64 {
        self.0.created.load(SeqCst)
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.0.attempts.load(SeqCst)
    }

    pub(crate) fn validations(&self) -> u64 {
        self.0.validations.load(SeqCst)
    }

    pub(crate) fn create_takes(&self, time: Duration) -> &Self {
        *self.0.create_time.lock().unwrap() = time;
        self
    }

    pub(crate) fn validate_takes(&self, time: Duration) -> &Self {
        *self.0.validate_time.lock().unwrap() = time;
        self
    }

    pub(crate) fn close_takes(&self, time: Duration) -> &Self {
        *self.0.close_time.lock().unwrap() = time;
        self
    }

    pub(crate) fn next_creates(&self, outcomes: impl IntoIterator<Item = Outcome>) -> &Self {
        self.0.creates.lock().unwrap().extend(outcomes);
        self
    }

    pub(crate) fn next_validations(&self, outcomes: impl IntoIterator<Item = Outcome>) -> &Self {
        self.0.validations_to_come.lock().unwrap().extend(outcomes);
        self
    }

    /// Refuses every create from now on, or none.
    pub(crate) fn set_down(&self, down: bool) {
        self.0.down.store(down, SeqCst);
    }

    fn arrival(&self) -> Arrival {
        let alive = self.0.alive.fetch_add(1, SeqCst) + 1;
        self.0.most.fetch_max(alive, SeqCst);
        Arrival(Some(self.clone()))
    }
}

/// A connection in the making counts, and does not if it comes to nothing.
struct Arrival(Option<Server>);

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Some(server) = &self.0 {
            server.0.alive.fetch_sub(1, SeqCst);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.server.0.alive.fetch_sub(1, SeqCst);
    }
}

async fn pause(time: Duration) {
    if time > Duration::ZERO {
        tokio::time::sleep(time).await;
    }
}

async fn play(outcome: Outcome, failure: Refused) -> Result<(), Refused> {
    match outcome {
        Outcome::Good => Ok(()),
        Outcome::Bad => Err(failure),
        Outcome::Panic => std::panic::resume_unwind(Box::new("as the test asked")), // without a word on stderr
        Outcome::Never => std::future::pending().await,
    }
}

impl Manager for Server {
    type Resource = Connection;
    type Error = Refused;

    async fn create(&self) -> Result<Connection, Refused> {
        let mut arrival = self.arrival();
        let attempt = self.0.attempts.fetch_add(1, SeqCst) + 1;
        let planned = self.0.creates.lock().unwrap().pop_front();
        let time = *self.0.create_time.lock().unwrap();
        pause(time).await;
        let outcome = planned.unwrap_or(if self.0.down.load(SeqCst) { Outcome::Bad } else { Outcome::Good });
        play(outcome, Refused(attempt)).await?;
        arrival.0 = None;
        let number = self.0.created.fetch_add(1, SeqCst) + 1;
        Ok(Connection { number, broken: false, server: self.clone() })
    }

    async fn validate(&self, connection: &mut Connection) -> Result<(), Refused> {
        self.0.validations.fetch_add(1, SeqCst);
        let planned = self.0.validations_to_come.lock().unwrap().pop_front();
        let time = *self.0.validate_time.lock().unwrap();
        pause(time).await;
        play(planned.unwrap_or(Outcome::Good), Refused(connection.number)).await
    }

    fn is_broken(&self, connection: &Connection) -> bool {
        connection.broken
    }

    async fn close(&self, connection: Connection) {
        let time = *self.0.close_time.lock().unwrap();
        pause(time).await;
        drop(connection);
    }
}

/// Runs the body on both runtimes, with two threads each.
pub(crate) fn on_both<F: Future<Output = ()> + Send + 'static>(body: impl Fn(Spawner) -> F) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let on = Spawner::from(tokio.handle().clone());
    tokio.block_on(tokio.spawn(body(on))).unwrap();
    let tidemill = tidemill_scheduler::Runtime::builder().procs(tidemill_scheduler::Procs::Fixed(2)).build().unwrap();
    let on = Spawner::from(tidemill.handle());
    tidemill.block_on(tidemill.spawn(body(on))).unwrap();
}

/// Lets others run until it is as described.
pub(crate) async fn until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        tokio::task::yield_now().await;
    }
}

/// Polls once, as a task that is woken by nobody.
pub(crate) fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
