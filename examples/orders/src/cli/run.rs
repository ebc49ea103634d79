//! `orders run`: orders from a file, each line answered, all of them seen through to delivery.
//!
//! Many orders are in work at a time, so that they share commits; the answers come in the order of the
//! lines. An order without an `idempotency_key` gets one derived from its line, so that running the
//! same file again accepts nothing twice.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use tidemill::JoinHandle;

use super::{Failure, Verdict, lines::Lines, serve::Provider};
use crate::{
    Config, Pipeline, Quota, Receipt, Stages, decode,
    domain::{IdempotencyKey, Reject},
    limits,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file of orders, one JSON object a line; `-` reads standard input.
    #[arg(long)]
    input: PathBuf,
    /// The database file; made if it is not there.
    #[arg(long, default_value = "orders.db")]
    db: PathBuf,
    /// `tuned`, `naive`, or the stages that are naive: `store=naive,decode=naive`.
    #[arg(long, default_value = "tuned")]
    variant: Stages,
    /// The payment provider; without it a simulator runs in this process.
    #[arg(long)]
    payment_url: Option<String>,
}

pub(super) async fn run(args: Args) -> Result<Verdict, Failure> {
    let input = open(&args.input)?;
    let config = Config { stages: args.variant, quota: Quota::WIDE, ..Config::new(args.db) };
    let pipeline = tidemill::blocking(|| Pipeline::open(&config))?;
    let provider = Provider::start(args.payment_url).await?;
    let workers = pipeline.start(&provider.gateway()?)?;
    let tally = answer_all(&pipeline, input).await?;
    pipeline.drained().await;
    workers.stop().await;
    let Tally { accepted, replayed, rejected } = tally;
    eprintln!("{accepted} accepted, {replayed} accepted before, {rejected} rejected");
    Ok(Verdict::from(rejected == 0))
}

fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    replayed: u64,
    rejected: u64,
}

type Answer = Result<Receipt, Reject>;

async fn answer_all(pipeline: &Pipeline, input: Box<dyn BufRead + Send>) -> Result<Tally, Failure> {
    let mut lines = Lines::new(input);
    let mut out = BufWriter::new(io::stdout());
    let mut tally = Tally::default();
    let mut in_work: VecDeque<(u64, JoinHandle<Answer>)> = VecDeque::new();
    while let Some((number, line)) = tidemill::blocking(|| lines.next()).transpose()? {
        let pipeline = pipeline.clone();
        in_work.push_back((number, tidemill::spawn(async move { place(&pipeline, line).await })));
        if in_work.len() == limits::GROUP {
            answer_first(&mut in_work, &mut tally, &mut out).await?;
        }
    }
    while !in_work.is_empty() {
        answer_first(&mut in_work, &mut tally, &mut out).await?;
    }
    out.flush()?;
    Ok(tally)
}

async fn place(pipeline: &Pipeline, line: Result<Vec<u8>, Reject>) -> Answer {
    let line = line?;
    let (key, body) = decode::split_key(&line)?;
    let key = match key {
        Some(key) => IdempotencyKey::new(key.as_bytes())?,
        None => IdempotencyKey::derived(&line),
    };
    pipeline.place(key, body).await
}

async fn answer_first(
    in_work: &mut VecDeque<(u64, JoinHandle<Answer>)>,
    tally: &mut Tally,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let Some((number, task)) = in_work.pop_front() else { return Ok(()) };
    match task.await? {
        Ok(Receipt { answer, is_replay, .. }) => {
            let (count, word) = match is_replay {
                false => (&mut tally.accepted, "accepted"),
                true => (&mut tally.replayed, "replayed"),
            };
            *count += 1;
            writeln!(out, "line {number}: {word} {}", String::from_utf8_lossy(&answer.body))?;
        }
        Err(reject) => {
            tally.rejected += 1;
            writeln!(out, "line {number}: rejected: {reject}")?;
        }
    }
    Ok(())
}
