//! The regression gate: instructions and allocations per operation of the hot paths, against a committed baseline.
//!
//! Counts, not times: nobody on the machine can disturb them by more than the little that the runtime's other threads do, and what
//! is disturbed only ever counts too much. So a path that looks dearer is counted again, some times, and the least counts.
//!
//! Rejected: times with a wide tolerance (what is wide enough for a noisy machine lets 20 % through); a library around
//! callgrind (one more binary to install in the right version, for what two marker functions do).

mod baseline;
mod count;

use std::{fs, path::PathBuf};

use baseline::{Baseline, Cost, Finding};

use crate::{process::program, workspace::Workspace};

/// The feature of the package `gate` that slows a path down.
const SLOWED: &str = "slowed";

/// The path that it slows down.
const SLOWED_PATH: &str = "limiter-allowed";

/// How often a path that looks dearer is counted.
const TRIES: usize = 6;

/// Fails if a path needs more than the baseline says, or if the gate would not notice.
///
/// # Errors
/// The paths that are dearer, with both counts.
pub(crate) fn run(at: &Workspace) -> Result<(), String> {
    let known = read(at)?;
    let compiler = compiler(at)?;
    let tolerance = known.tolerance(&compiler);
    println!("{}", tolerance.because(&known, &compiler));
    // First, because both builds have the same place, and what is left there should be the real one.
    notices_a_slowed_path(at, &known, tolerance)?;
    count::build(at, "")?;
    let costs = least(at, &known, tolerance, "")?;
    for cost in &costs {
        println!("  {}", known.beside(cost));
    }
    let findings = known.compare(&costs, tolerance);
    let cheaper = known.cheaper(&costs, tolerance);
    if !cheaper.is_empty() {
        println!("cheaper than the baseline, `cargo xtask bless` keeps it: {}", cheaper.join(", "));
    }
    if findings.is_empty() { Ok(()) } else { Err(said(&findings)) }
}

/// Writes what is counted now into the baseline.
///
/// # Errors
/// valgrind is missing, for half a baseline would be none.
pub(crate) fn bless(at: &Workspace) -> Result<(), String> {
    if !count::has_valgrind(at) {
        return Err(format!("a baseline needs valgrind: {}", count::INSTALL));
    }
    count::build(at, "")?;
    let mut costs = count::costs(at, "")?;
    for _ in 1..TRIES {
        costs = baseline::least(costs, &count::costs(at, "")?);
    }
    let text = Baseline::new(compiler(at)?, costs).to_string();
    let path = at.root().join(baseline::PATH);
    fs::write(&path, &text).map_err(|why| format!("{}: {why}", path.display()))?;
    print!("{text}");
    Ok(())
}

fn read(at: &Workspace) -> Result<Baseline, String> {
    let path = at.root().join(baseline::PATH);
    let text = fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))?;
    Baseline::parse(&text)
}

/// The compiler, with its commit.
fn compiler(at: &Workspace) -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").map_or_else(|| "rustc".into(), PathBuf::from);
    Ok(program(at, &rustc, "--version").read()?.trim().to_owned())
}

/// The costs, counted again while one of them looks dearer than it may be.
fn least(at: &Workspace, known: &Baseline, tolerance: baseline::Tolerance, only: &str) -> Result<Vec<Cost>, String> {
    let mut costs = count::costs(at, only)?;
    for _ in 1..TRIES {
        if known.compare(&costs, tolerance).is_empty() {
            break;
        }
        costs = baseline::least(costs, &count::costs(at, only)?);
    }
    Ok(costs)
}

/// The test of the gate: one path does its work twice, and that has to be found.
fn notices_a_slowed_path(at: &Workspace, known: &Baseline, tolerance: baseline::Tolerance) -> Result<(), String> {
    if !count::has_valgrind(at) {
        return Ok(());
    }
    count::build(at, SLOWED)?;
    let findings = known.compare_those(&least(at, known, tolerance, SLOWED_PATH)?, tolerance);
    match findings.as_slice() {
        [Finding { name, .. }] if name == SLOWED_PATH => {
            println!("a slowed copy of `{SLOWED_PATH}` is noticed: {}", said(&findings).trim());
            Ok(())
        }
        _ => Err(format!("the gate does not notice that `{SLOWED_PATH}` does its work twice")),
    }
}

fn said(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("\n  {finding}")).collect()
}
