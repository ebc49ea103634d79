//! The command line: one file per command, and the exit codes they share.
//!
//! 0: done, and what was asked holds. 1: done, and something does not hold (a rejected order, a broken
//! invariant). 2: could not be done (wrong arguments, no such file, port in use).

mod check;
mod generate;
mod lines;
mod load;
mod payment_sim;
mod run;
mod serve;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tidemill::Runtime;

use crate::job;

/// The order pipeline: intake, payment, delivery, and the tools to try and to check it.
#[derive(Debug, Parser)]
#[command(name = "orders", version)]
struct Cli {
    /// Without a command both variants are measured and compared; the report goes to this folder.
    #[arg(long)]
    report: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve orders over HTTP until SIGTERM or SIGINT.
    Serve(serve::Args),
    /// Take orders from a file, one JSON object a line, and see them through to delivery.
    Run(run::Args),
    /// Write orders made from a seed, one JSON object a line.
    Generate(generate::Args),
    /// Check the invariants of a database that no service is using.
    Check(check::Args),
    /// Send generated orders to a running service and say how it did.
    Load(load::Args),
    /// Run the payment provider's simulator.
    PaymentSim(payment_sim::Args),
}

/// Why a command could not be done.
type Failure = Box<dyn Error + Send + Sync>;

/// Whether what was asked for holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
}

impl From<bool> for Verdict {
    fn from(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }
}

/// Runs the command that the arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { report, command } = Cli::parse();
    let Some(command) = command else { return job::run(report.as_deref()) };
    let done = match command {
        Command::Serve(args) => on_tidemill(serve::serve(args)),
        Command::Run(args) => on_tidemill(run::run(args)),
        Command::Generate(args) => generate::generate(&args),
        Command::Check(args) => check::check(&args),
        Command::Load(args) => on_tidemill(load::load(args)),
        Command::PaymentSim(args) => on_tidemill(payment_sim::serve(args)),
    };
    match done {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("orders: {failure}");
            ExitCode::from(2)
        }
    }
}

/// As many processors as the machine, its limits or `TIDEMILL_PROCS` say.
fn on_tidemill(command: impl Future<Output = Result<Verdict, Failure>>) -> Result<Verdict, Failure> {
    Runtime::builder().thread_name("orders").build()?.block_on(command)
}
