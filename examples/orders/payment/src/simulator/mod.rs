//! A payment provider to test against: an HTTP server with a ledger and faults at will.
//!
//! It keeps the promise a real provider makes (a key is charged at most once and its first answer is
//! repeated) and breaks every other one on request: it answers 500 after it took the money, takes it
//! and never answers, closes the connection, tells the client to slow down. `GET /ledger` shows what
//! was really taken, so that a test can compare it with what the client believes.
//!
//! ```text
//! POST /charges          Idempotency-Key: 1
//!                        {"order":1,"amount_cents":100}
//!                        -> {"charged":{"receipt":"r-1"}} or {"declined":{"reason":"…"}}
//! POST /charges/batch    {"charges":[{"key":"1","order":1,"amount_cents":100}]}
//!                        -> {"results":[{"key":"1","result":{"charged":{…}}}]}
//! GET  /ledger           -> [{"key":"1","order":1,"amount_cents":100,"receipt":"r-1"}]
//! GET  /healthz          -> ok
//! ```

mod faults;
mod ledger;
mod routes;
mod server;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

pub use faults::Faults;
pub use ledger::{Entry, Ledger};
use tidemill::JoinHandle;
use tokio::{net::TcpListener, sync::watch};

use crate::ConfigError;
use routes::Provider;

/// Settings of a [`Simulator`].
///
/// ```
/// use orders_payment::simulator::{Faults, Simulator};
/// let faults = Faults { timeout: 0.1, ..Faults::default() };
/// let builder = Simulator::builder().seed(7).faults(faults);
/// # drop(builder);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is bound"]
pub struct Builder {
    seed: u64,
    faults: Faults,
    ledger: Ledger,
}

impl Builder {
    /// What the faults and declines are drawn from. Default: 0.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The faults to begin with. Default: none.
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// The book to go on with, as after a restart. Default: an empty one.
    pub fn ledger(self, ledger: Ledger) -> Self {
        Self { ledger, ..self }
    }

    /// Listens on `addr` (port 0: any) and serves until the simulator is stopped or dropped. Must be
    /// polled on a tidemill runtime, which runs the connections.
    ///
    /// # Errors
    /// What the operating system says, or a [`ConfigError`] as [`io::ErrorKind::InvalidInput`].
    pub async fn bind(self, addr: SocketAddr) -> io::Result<Simulator> {
        let wrong = |error: ConfigError| io::Error::new(io::ErrorKind::InvalidInput, error);
        self.faults.check().map_err(wrong)?;
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let provider = Arc::new(Provider {
            seed: self.seed,
            ledger: self.ledger,
            faults: Mutex::new(self.faults),
            requests: AtomicU64::new(0),
        });
        let (stop, stopped) = watch::channel(());
        let accepting = tidemill::spawn(server::accept(listener, Arc::clone(&provider), stopped));
        Ok(Simulator { addr, provider, stop, accepting })
    }
}

/// A running provider. Dropped, it closes its listener and its connections without a word, as a killed
/// process would; its [`Ledger`] stays with whoever holds a handle.
///
/// ```
/// use orders_payment::simulator::{Faults, Simulator};
/// let runtime = tidemill::Runtime::new()?;
/// runtime.block_on(async {
///     let provider = Simulator::builder().bind("127.0.0.1:0".parse()?).await?;
///     provider.set_faults(Faults { slow: 0.5, ..Faults::default() })?;
///     assert!(provider.url().starts_with("http://127.0.0.1:"));
///     provider.stop().await;
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    provider: Arc<Provider>,
    /// Closed when dropped, which every task of the server waits for.
    stop: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Simulator {
    /// Settings: seed 0, no faults, an empty ledger.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens, as the gateway wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its book.
    pub fn ledger(&self) -> Ledger {
        self.provider.ledger.clone()
    }

    /// Changes the faults for the requests to come.
    ///
    /// # Errors
    /// A [`ConfigError`] if the rates are none; the faults then stay as they were.
    pub fn set_faults(&self, faults: Faults) -> Result<(), ConfigError> {
        faults.check()?;
        *self.provider.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
        Ok(())
    }

    /// Stops it and waits until the port is free again; connections close without a word.
    pub async fn stop(self) {
        drop(self.stop);
        // The accept loop neither panics nor is it aborted; if so, its listener is closed as well.
        let _ = self.accepting.await;
    }
}
