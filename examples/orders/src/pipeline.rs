//! The pipeline as one object: an order goes in, a durable answer comes out, the rest happens behind it.
//!
//! HTTP, the command line and a load test in the same process all call [`Pipeline::place`]:
//! admit, decode, price, limit of the customer, store.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use orders_payment::Gateway;
use tidemill::{Context, JoinHandle, resilience::InvalidLimiter};

use crate::{
    Count, Counters, Quota, Stages, Stopper,
    catalogue::{self, Catalogue},
    consumers,
    crash::{self, Step},
    deadlines::Deadlines,
    decode,
    domain::{BodyHash, IdempotencyKey, Kind, Order, Reject},
    limits, pay,
    price::price,
    quota::Customers,
    store::{Consumer, Placement, Shop, Store, StoreError, Stored},
};

/// What a pipeline is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The form of each stage.
    pub stages: Stages,
    /// The database file; made if it is not there.
    pub db: PathBuf,
    /// Products of a new shop.
    pub products: u32,
    /// Pieces of each in a new shop.
    pub stock: u64,
    /// Orders between arrival and answer; more are refused with [`Kind::Overloaded`].
    pub in_flight: usize,
    /// How much the tuned store may put off: see [`Shop::lag`].
    pub lag: usize,
    /// Orders of one customer; more are refused with [`Kind::RateLimited`].
    pub quota: Quota,
    /// Time of a request, from its head to its answer.
    pub deadline: Duration,
}

impl Config {
    /// The usual shop, tuned, in this file.
    pub fn new(db: impl Into<PathBuf>) -> Self {
        Self {
            stages: Stages::default(),
            db: db.into(),
            products: limits::PRODUCTS,
            stock: limits::STOCK,
            in_flight: limits::IN_FLIGHT,
            lag: limits::LAG,
            quota: Quota::default(),
            deadline: limits::DEADLINE,
        }
    }
}

/// The answer to an order that was taken, now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The answer, the same byte for byte for the same key.
    pub answer: Stored,
    /// Whether it was taken before.
    pub is_replay: bool,
    /// How many more orders the customer may send at once, if that is less than half of what it could be.
    pub remaining: Option<u64>,
}

/// Why a pipeline could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The store says why.
    Store(StoreError),
    /// [`Config::quota`] is none that could be kept.
    Quota(InvalidLimiter),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Quota(error) => write!(f, "limit per customer: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The order pipeline. Clones are handles of the same one.
///
/// ```
/// use orders::{Config, Pipeline, generate::Generator};
/// use orders_payment::{Gateway, simulator::Simulator};
///
/// let path = std::env::temp_dir().join(format!("orders-doc-{}.db", std::process::id()));
/// tidemill::block_on(async {
///     let pipeline = Pipeline::open(&Config::new(&path))?;
///     let provider = Simulator::builder().bind("127.0.0.1:0".parse()?).await?;
///     let workers = pipeline.start(&Gateway::builder(provider.url()).build()?)?;
///
///     let (key, body) = Generator::new(1, 10).order(0);
///     let receipt = pipeline.place(key.clone(), body.clone()).await?;
///     assert!(!receipt.is_replay);
///     let again = pipeline.place(key, body).await?;
///     assert!(again.is_replay && again.answer == receipt.answer);
///
///     pipeline.drained().await;
///     workers.stop().await;
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # for end in ["", "-wal", "-shm"] { let _ = std::fs::remove_file(format!("{}{end}", path.display())); }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pipeline {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    stages: Stages,
    catalogue: Catalogue,
    store: Store,
    counters: Counters,
    customers: Customers,
    in_flight: AtomicUsize,
    max_in_flight: usize,
    deadlines: Deadlines,
}

impl Pipeline {
    /// Opens the store and reads the catalogue. Blocks on the disk.
    ///
    /// # Errors
    /// What the store says, or that the quota makes no sense.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let customers = Customers::new(config.quota).map_err(OpenError::Quota)?;
        let products = catalogue::shop(config.products);
        let shop = Shop { products: &products, stock: config.stock, lag: config.lag };
        let store = Store::open(config.stages.store, &config.db, &shop)?;
        let products = store.reader()?.products()?;
        Ok(Self {
            inner: Arc::new(Inner {
                stages: config.stages,
                catalogue: Catalogue::new(config.stages.catalogue, products),
                store,
                counters: Counters::default(),
                customers,
                deadlines: Deadlines::new(config.deadline),
                in_flight: AtomicUsize::new(0),
                max_in_flight: config.in_flight,
            }),
        })
    }

    /// Takes an order: an `Ok` is durable. Dropped while waiting, the order may be taken or not, which
    /// a repeat under the same key tells.
    ///
    /// It obeys the ambient [`Context`]: an order that reaches the store too late is not stored
    /// ([`Kind::Late`]); if the time is over while the store is at it, that is said ([`Kind::Unanswered`]).
    ///
    /// # Errors
    /// Why it was not taken; nothing is stored then.
    pub async fn place(&self, key: IdempotencyKey, body: Bytes) -> Result<Receipt, Reject> {
        let placed = match self.admit() {
            Ok(_permit) => self.place_admitted(key, body).await,
            Err(reject) => Err(reject),
        };
        match &placed {
            Ok(receipt) if receipt.is_replay => self.inner.counters.add(Count::Replayed, 1),
            Ok(_) => self.inner.counters.add(Count::Accepted, 1),
            Err(reject) => self.inner.counters.reject(reject.kind),
        }
        placed
    }

    async fn place_admitted(&self, key: IdempotencyKey, body: Bytes) -> Result<Receipt, Reject> {
        Context::check_current().map_err(|_| Reject::late())?;
        let order = self.check(key, body)?;
        let remaining = self.inner.customers.admit(&order.customer)?;
        crash::passing(Step::OrderChecked);
        let placed = self.store_order(order).await?;
        crash::passing(Step::OrderAnswered);
        match placed {
            Ok(Placement::Accepted(answer)) => Ok(Receipt { answer, is_replay: false, remaining }),
            Ok(Placement::Replayed(answer)) => Ok(Receipt { answer, is_replay: true, remaining }),
            Ok(Placement::Rejected(reject)) => Err(reject),
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    /// Gives an order to the store, within the ambient context if there is one.
    async fn store_order(&self, order: Order) -> Result<Result<Placement, StoreError>, Reject> {
        let store = &self.inner.store;
        let Some(context) = Context::try_current() else { return Ok(store.place(order, None).await) };
        let placing = context.run(store.place(order, context.deadline()));
        let unanswered =
            |_| Reject::new(Kind::Unanswered, "server", "has not heard from the store; repeat it with its key");
        placing.await.map_err(unanswered)
    }

    /// The context of a request that begins now: it has a deadline, and is shared with others.
    #[must_use]
    pub fn request_context(&self) -> Context {
        self.inner.deadlines.begin(Instant::now())
    }

    /// The limit of each customer.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.inner.customers.quota()
    }

    /// Counts a rejection that was found out before [`place`](Self::place): no key, no whole body.
    #[must_use]
    pub fn refused(&self, reject: Reject) -> Reject {
        self.inner.counters.reject(reject.kind);
        reject
    }

    /// Reads and prices a body without storing anything.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, key: IdempotencyKey, body: Bytes) -> Result<Order, Reject> {
        let draft = decode::decode(self.inner.stages.decode, &body)?;
        let priced = price(&draft, &self.inner.catalogue)?;
        drop(draft);
        Ok(Order {
            key,
            body_hash: BodyHash::of(&body),
            customer: priced.customer,
            total: priced.total,
            lines: priced.lines,
            document: body,
        })
    }

    fn admit(&self) -> Result<Permit<'_>, Reject> {
        let in_flight = &self.inner.in_flight;
        // A bound on memory, which guards no data: relaxed. The permit takes the count back.
        if in_flight.fetch_add(1, Ordering::Relaxed) >= self.inner.max_in_flight {
            drop(Permit(in_flight));
            return Err(Reject::new(Kind::Overloaded, "server", "has too many orders in work"));
        }
        Ok(Permit(in_flight))
    }

    fn unavailable(&self, error: &StoreError) -> Reject {
        self.inner.counters.add(Count::StoreErrors, 1);
        eprintln!("{error}");
        Reject::new(Kind::Unavailable, "server", "could not store the order; repeat it with its key")
    }

    /// Starts what happens behind the answer: payment, delivery, notification, price refresh. What an
    /// earlier run left undone is found in the store and taken up.
    ///
    /// # Errors
    /// What the store says.
    pub fn start(&self, gateway: &Gateway) -> Result<Workers, StoreError> {
        let stopper = Stopper::default();
        let stop = || stopper.stop_signal();
        let mut tasks = pay::start(self, gateway, &stop())?;
        for consumer in Consumer::ALL {
            tasks.push(consumers::start(self.clone(), consumer, stop())?);
        }
        tasks.push(catalogue::start_refresh(self.clone(), stop())?);
        Ok(Workers { stopper, tasks })
    }

    /// Waits until every accepted order is settled and every event has had its effect. Cancel safe.
    pub async fn drained(&self) {
        while !self.store().progress().is_drained() {
            tokio::time::sleep(limits::DRAIN_POLL).await;
        }
    }

    /// Whether an order could be taken now: the store can be read.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.inner.in_flight.load(Ordering::Relaxed) < self.inner.max_in_flight && self.store().reader().is_ok()
    }

    /// The form of each stage.
    #[must_use]
    pub fn stages(&self) -> Stages {
        self.inner.stages
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Where orders are kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// What the shop sells.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }
}

/// One order in work.
struct Permit<'p>(&'p AtomicUsize);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The background tasks of a pipeline.
#[derive(Debug)]
#[must_use = "the tasks run until they are stopped"]
pub struct Workers {
    stopper: Stopper,
    tasks: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Stops the tasks and waits for them. A payment on its way stays unknown and is asked for again,
    /// under the same key, by the next run.
    pub async fn stop(self) {
        self.stopper.stop();
        for task in self.tasks {
            // A task that panicked has stopped as well, and has said so on stderr.
            let _ = task.await;
        }
    }
}
