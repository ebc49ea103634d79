//! The board: every row of every section, chosen by a command line, printed one after the other.
//!
//! The sections are those of the project's goals: 1 scheduling, 2 blocking, 3 network, 4 CPU quota; a program adds its own
//! behind them. A row says what it measures and what it leaves out, and then compares contenders, table by table. What
//! needs a process of its own (memory that is never given back, a dead-lock, a server whose CPU time is counted, a cgroup)
//! is this program again in another role: see `child`.
//!
//! A full run goes over all rows in several *passes*, each a process of its own, and puts their rounds together: the machine's
//! state changes within minutes and a program's place in memory with each start, and the rounds of one pass alone would know one
//! of them only, with an interval that is too sure of itself.

mod agree;
mod context;
mod facts;
mod options;
mod pass;
mod scale_up;
mod state;
mod write;

use std::io::{self, IsTerminal};

use clap::Parser;

pub use context::{Context, Table};
use options::Options;

use crate::{bench::Bench, blocking, child, go, idle, network, quota, scheduling, tail, workloads::Workload};

/// A comparison with a name.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which section of the board it is in.
    pub section: u8,
    /// What `--only` calls it.
    pub name: &'static str,
    /// What it measures.
    pub measures: &'static str,
    /// What nobody should read into it.
    pub leaves_out: &'static str,
    /// The time that each of its tables may take in a full run, over all passes.
    pub seconds: f64,
    /// Whether `--quick` includes it, unasked.
    pub in_quick: bool,
    /// Whether it takes part in the first pass only: for what takes long, and what does not depend on the machine's state.
    pub once: bool,
    /// What it does.
    pub run: Run,
}

/// How a row is made of its comparisons.
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// By code of its own.
    Own(fn(&Context) -> io::Result<()>),
    /// Of benches, which criterion can run as well.
    Benches(fn() -> Vec<Bench>),
}

/// A row by something else that grows than operations, for `--scale`.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// The row it belongs to.
    pub row: &'static str,
    /// What there is more and more of.
    pub unit: &'static str,
    /// How many: 1x, 10x and 100x.
    pub sizes: [u64; 3],
    /// The comparison with so many; the cases are the same for each size.
    pub bench: fn(u64) -> Bench,
}

/// The rows that need nothing but runtimes, in the order of the board.
pub const ROWS: &[Row] = &[
    scheduling::ROW,
    idle::ROW,
    blocking::NEIGHBOURS,
    blocking::TIMER,
    blocking::OVERHEAD,
    blocking::FLOOD,
    blocking::NESTED,
    tail::ROW,
    network::HELLO,
    network::HELLO_WRK,
    network::ECHO,
    quota::ROW,
    go::ROW,
];

/// What grows in them.
const GROWTHS: &[Growth] = &[network::CONNECTIONS];

/// Runs the board with `more` rows behind those of this crate, and what `grows` in them, as the command line `args` says; the
/// first is the program's name.
///
/// # Errors
/// A row cannot be measured: the system refuses threads, sockets or processes, or a result is wrong.
pub fn main(args: impl IntoIterator<Item = String>, more: &[Row], grows: &[Growth]) -> io::Result<()> {
    let options = Options::parse_from(args);
    let rows: Vec<Row> = ROWS.iter().chain(more).copied().collect();
    if let Some(role) = options.role() {
        return child::play(role);
    }
    if options.list() {
        return list(&rows);
    }
    if let Some((one, other)) = options.agree() {
        return agree::run(one, other);
    }
    let chosen = options.rows(&rows)?;
    let context = options.context();
    if let Some((number, path)) = options.pass() {
        context.begin(number);
        one_pass(&context, &chosen)?;
        return pass::tell(&context, path);
    }
    if options.scale_up() {
        let growths: Vec<Growth> = GROWTHS.iter().chain(grows).copied().collect();
        scale_up::run(&context, &chosen, &growths)?;
    } else {
        let left_out: Vec<_> = rows.iter().filter(|row| chosen.iter().all(|c| c.name != row.name)).collect();
        run(&context, &chosen)?;
        if !left_out.is_empty() {
            println!("not in this run: {}", left_out.iter().map(|row| row.name).collect::<Vec<_>>().join(", "));
        }
    }
    write::results(&context, &options, &chosen)
}

fn list(rows: &[Row]) -> io::Result<()> {
    for Row { section, name, measures, .. } in rows {
        println!("{section} {name:<11} {measures}");
    }
    println!("names of `scheduling` alone: {}", Workload::ALL.map(Workload::name).join(" "));
    Ok(())
}

/// Pass after pass. With more than one the tables are printed at the end, when all of their rounds are there.
fn run(context: &Context, rows: &[Row]) -> io::Result<()> {
    if io::stdout().is_terminal() {
        println!("{}", context.facts);
    }
    if context.passes == 1 {
        one_pass(context, rows)?;
    } else {
        (0..context.passes).try_for_each(|pass| pass::run(context, pass))?;
        for row in rows {
            println!("{}", head(row));
            context.print(row);
        }
    }
    scheduling::say_means(context);
    Ok(())
}

fn one_pass(context: &Context, rows: &[Row]) -> io::Result<()> {
    for row in rows.iter().filter(|row| !row.once || context.is_first()) {
        context.enter(row);
        if context.passes == 1 {
            println!("{}", head(row));
        }
        measure(row, context).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", row.name)))?;
    }
    Ok(())
}

fn head(row: &Row) -> String {
    let Row { section, name, measures, leaves_out, .. } = row;
    format!("== {section}: {name} ==\nmeasures    {measures}\nleaves out  {leaves_out}\n")
}

fn measure(row: &Row, context: &Context) -> io::Result<()> {
    match row.run {
        Run::Own(run) => run(context),
        Run::Benches(benches) => benches().iter().try_for_each(|bench| bench.compare_in(context).map(drop)),
    }
}
