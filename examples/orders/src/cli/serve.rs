//! `orders serve`: the service itself.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use orders_payment::{Gateway, simulator::Simulator};
use tidemill::serve::Served;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{Failure, Verdict};
use crate::{Config, Pipeline, Quota, Stages, Stopper, crash::Crash, intake, limits};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `tuned`, `naive`, or the stages that are naive: `store=naive,decode=naive`.
    #[arg(long, default_value = "tuned")]
    variant: Stages,
    /// The database file; made if it is not there.
    #[arg(long, default_value = "orders.db")]
    db: PathBuf,
    /// Where to listen; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The payment provider; without it a simulator runs in this process.
    #[arg(long)]
    payment_url: Option<String>,
    /// Products of a new shop.
    #[arg(long, default_value_t = limits::PRODUCTS)]
    products: u32,
    /// Pieces of each product in a new shop.
    #[arg(long, default_value_t = limits::STOCK)]
    stock: u64,
    /// Orders between arrival and answer; more are answered 503.
    #[arg(long, default_value_t = limits::IN_FLIGHT)]
    in_flight: usize,
    /// Orders whose keys the index, and events whose stock the table may lack.
    #[arg(long, default_value_t = limits::LAG)]
    lag: usize,
    /// Orders per second of one customer; more are answered 429.
    #[arg(long, default_value_t = limits::CUSTOMER_RATE)]
    customer_rate: u64,
    /// Orders of one customer at once.
    #[arg(long, default_value_t = limits::CUSTOMER_BURST)]
    customer_burst: u64,
    /// Milliseconds from a request's head to its answer; then it is 503 or 504.
    #[arg(long, default_value_t = limits::DEADLINE.as_millis() as u64)]
    deadline_ms: u64,
    /// Crash at a step, such as `order-committed`, or at its third passing: `order-committed:3`.
    #[arg(long)]
    crash_at: Option<Crash>,
}

pub(super) async fn serve(args: Args) -> Result<Verdict, Failure> {
    let Args { variant: stages, db, products, stock, in_flight, lag, .. } = args;
    let quota = Quota { rate: args.customer_rate, burst: args.customer_burst };
    let deadline = Duration::from_millis(args.deadline_ms);
    let config = Config { stages, db, products, stock, in_flight, lag, quota, deadline };
    if let Some(crash) = args.crash_at {
        crash.arm();
    }
    let pipeline = tidemill::blocking(|| Pipeline::open(&config))?;
    let provider = Provider::start(args.payment_url).await?;
    let workers = pipeline.start(&provider.gateway()?)?;
    let listener = TcpListener::bind(args.listen).await?;
    let stopper = Stopper::default();
    let stopping = tidemill::spawn({
        let stopper = stopper.clone();
        async move { until_signal().await.map(|()| stopper.stop()) }
    });
    println!("listening on http://{}", listener.local_addr()?);
    io::stdout().flush()?;
    let served = intake::serve(listener, &pipeline, &stopper.stop_signal()).await?;
    stopping.await??;
    if let Served::CutOff { connections } = served {
        eprintln!("{connections} connections were cut off");
    }
    workers.stop().await;
    drop(pipeline);
    Ok(Verdict::Good)
}

/// Somebody to pay to: outside, or a simulator of our own.
pub(super) struct Provider {
    url: String,
    /// Runs as long as it is held.
    _own: Option<Simulator>,
}

impl Provider {
    pub(super) async fn start(url: Option<String>) -> io::Result<Self> {
        match url {
            Some(url) => Ok(Self { url, _own: None }),
            None => {
                let own = Simulator::builder().bind(([127, 0, 0, 1], 0).into()).await?;
                Ok(Self { url: own.url(), _own: Some(own) })
            }
        }
    }

    pub(super) fn gateway(&self) -> Result<Gateway, orders_payment::ConfigError> {
        let (reserve, percent) = limits::CHARGE_RETRIES;
        let (percent_failed, open_for) = limits::CHARGE_BREAKER;
        Gateway::builder(&self.url).retry_budget(reserve, percent).breaker(percent_failed, open_for).build()
    }
}

/// Waits for SIGTERM or SIGINT.
pub(super) async fn until_signal() -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
