//! The main job: both variants of the pipeline, measured as processes of their own, compared in one table.
//!
//! # Processes
//! The job re-executes this program: `payment-sim` and `serve --variant ...` run as children. So CPU seconds,
//! memory and allocations are those of the server alone, and a crash of a profiled server cannot take the job
//! down. It reads `GET /debug/vars` and `GET /debug/pprof/flamegraph`, and ends children by SIGTERM.
//!
//! # Phases, for each variant in turn
//! Warm-up; saturation in a closed loop, drained, for the capacity and the costs of an order; the same
//! open-loop rate for both variants, for the latencies; a rate of their own; a ladder up to twice the
//! capacity; saturation under the profiler, apart from all measurements; drain, stop, judgement.
//!
//! Rejected: both variants at once (they would share the cores, and each other's noise); the load generator
//! inside the server's process (its allocations and CPU would be counted as the server's); one long open-loop
//! run per variant (a rate that is fair to both is known only once the slower one has shown its capacity).

mod child;
mod client;
mod environment;
mod error;
mod findings;
mod kinds;
mod measure;
mod order;
mod plan;
pub(crate) mod pprof;
mod progress;
mod session;
mod vars;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use orders_report::{Invariant, Report, Variant};
use tidemill::Runtime;

use environment::Fact;
use error::{Doing, JobError};
use measure::Measured;
use order::Bodies;
use session::Session;

/// Where the report goes if nobody says otherwise, from the folder the job is started in.
const FOLDER: &str = "target/orders-report";

/// The store's file in a variant's folder.
const DATABASE: &str = "orders.db";

/// Runs the whole comparison into `folder`, by default `target/orders-report`, and prints the result.
///
/// The code is 0 only if every promise was kept. A latency that was measured by a generator which was itself late (the
/// computer was busy with something else) is marked as such, and is no failure of the pipeline.
#[must_use]
pub fn run(folder: Option<&Path>) -> ExitCode {
    match compare(folder.unwrap_or(Path::new(FOLDER))) {
        Ok(outcome) => outcome.print(),
        Err(error) => {
            eprintln!("orders: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the job found.
struct Outcome {
    report: Report,
    path: PathBuf,
    /// Phases whose load came later than planned.
    late: Vec<String>,
}

fn compare(folder: &Path) -> Result<Outcome, JobError> {
    fs::create_dir_all(folder).doing(|| format!("creating {}", folder.display()))?;
    let mut facts = environment::facts(folder);
    facts.push(("load average before".to_owned(), environment::load_average()));

    let runtime = Runtime::new().doing(|| "starting the load generator".to_owned())?;
    let bodies = Bodies::prepare(plan::SEED);
    let (naive, mut invariants) = one(&runtime, &bodies, Variant::Naive, None, folder)?;
    let (tuned, others) = one(&runtime, &bodies, Variant::Tuned, Some(naive.rate), folder)?;
    invariants.extend(others);

    facts.push(("load average after".to_owned(), environment::load_average()));
    write(&naive, &tuned, invariants, facts, folder)
}

/// Measures one variant and has it judged.
fn one(
    runtime: &Runtime,
    bodies: &Bodies,
    variant: Variant,
    rate: Option<f64>,
    folder: &Path,
) -> Result<(Measured, Vec<Invariant>), JobError> {
    let folder = folder.join(variant.name());
    remove_older(&folder)?;
    let mut session = Session::start(runtime, bodies, variant, &folder)?;
    let measured = measure::measure(&mut session, variant, rate)?;
    let remains = session.finish()?;
    Ok((measured, verdict::judge(variant, &folder, remains)?))
}

/// A run is a folder of its own: the store of an older one would be taken up where it was left.
fn remove_older(folder: &Path) -> Result<(), JobError> {
    if folder.exists() {
        fs::remove_dir_all(folder).doing(|| format!("removing the older {}", folder.display()))?;
    }
    Ok(())
}

fn write(
    naive: &Measured,
    tuned: &Measured,
    invariants: Vec<Invariant>,
    facts: Vec<Fact>,
    folder: &Path,
) -> Result<Outcome, JobError> {
    let report = findings::report(naive, tuned, invariants, facts)?;
    let path = report.write_html(folder).doing(|| format!("writing to {}", folder.display()))?;
    let late = [naive, tuned].into_iter().flat_map(findings::late_phases).collect();
    Ok(Outcome { report, path, late })
}

impl Outcome {
    /// The table, the promises, the files; and the exit code.
    fn print(&self) -> ExitCode {
        println!("\n{}", self.report.comparison);
        for Invariant { variant, name, held, detail } in &self.report.invariants {
            println!("{} {}: {name} ({detail})", if *held { "held  " } else { "BROKEN" }, variant.name());
        }
        for phase in &self.late {
            println!("busy   {phase}: the load generator was late itself; the latencies of this phase are too high");
        }
        println!("\n{}", self.path.display());
        for graph in &self.report.flame_graphs {
            println!("{}", self.path.with_file_name(graph.file_name()).display());
        }
        let held = self.report.invariants.iter().all(|invariant| invariant.held);
        if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
