//! `orders check`: the invariants of a database, one line each.

use std::{fs, path::PathBuf};

use super::{Failure, Verdict};
use crate::check::{self, Evidence};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The database file.
    #[arg(long, default_value = "orders.db")]
    db: PathBuf,
    /// The provider's ledger: what `GET /ledger` answers.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// The orders that clients were told are accepted: a number, or a number and a key, on each line.
    #[arg(long)]
    accepted: Option<PathBuf>,
}

pub(super) fn check(args: &Args) -> Result<Verdict, Failure> {
    let evidence = Evidence {
        ledger: args.ledger.as_ref().map(ledger).transpose()?,
        accepted: args.accepted.as_ref().map(accepted).transpose()?,
    };
    let report = check::check(&args.db, &evidence)?;
    print!("{report}");
    Ok(Verdict::from(report.holds()))
}

fn ledger(path: &PathBuf) -> Result<Vec<orders_payment::simulator::Entry>, Failure> {
    Ok(serde_json::from_slice(&read(path)?).map_err(|error| named(path, &error))?)
}

fn accepted(path: &PathBuf) -> Result<Vec<check::Acceptance>, Failure> {
    let text = String::from_utf8(read(path)?).map_err(|error| named(path, &error))?;
    let lines = text.lines().map(str::parse);
    Ok(lines.collect::<Result<_, check::EvidenceError>>().map_err(|error| named(path, &error))?)
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    Ok(fs::read(path).map_err(|error| named(path, &error))?)
}

fn named(path: &std::path::Path, error: &dyn std::error::Error) -> String {
    format!("{}: {error}", path.display())
}
