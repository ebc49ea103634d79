//! `orders load`: generated orders against a running service, at a planned rate or as fast as it answers.

use std::{fs, path::PathBuf, time::Duration};

use orders_load::{Arrivals, Plan, Request, Schedule};

use super::{Failure, Verdict};
use crate::{generate::Generator, limits};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the orders go.
    #[arg(long, default_value = "http://127.0.0.1:8080/orders")]
    url: String,
    /// Orders per second, arriving at random times; without it every connection sends as soon as it
    /// has its answer.
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds of load.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seed of the orders and their times; a new run on the same database needs a new one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the numbers of the accepted orders here, for `orders check --accepted`.
    #[arg(long)]
    accepted: Option<PathBuf>,
}

pub(super) async fn load(args: Args) -> Result<Verdict, Failure> {
    let generator = Generator::new(args.seed, limits::PRODUCTS);
    let plan = Plan::builder(&args.url).connections(args.connections).source(move |number| request(&generator, number));
    let (plan, duration) = (plan.build()?, Duration::from_secs(args.seconds));
    let report = match args.rate {
        Some(rate) => {
            let schedule = Schedule::new(Arrivals::Poisson, rate, duration, args.seed)?;
            orders_load::run(plan, schedule).await?
        }
        None => orders_load::saturate(plan, duration).await?,
    };
    println!("{report}");
    if let Some(path) = args.accepted {
        let lines: String = report.accepted.iter().map(|order| format!("{order}\n")).collect();
        fs::write(&path, lines).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(Verdict::from(report.is_valid()))
}

fn request(generator: &Generator, number: u64) -> Request {
    let (key, body) = generator.order(number);
    Request { idempotency_key: String::from_utf8_lossy(key.as_bytes()).into_owned(), body }
}
