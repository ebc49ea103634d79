//! The board: every row of every section, chosen by a command line, printed one after the other.
//!
//! The sections are those of the project's goals: 1 scheduling, 2 blocking, 3 network, 4 CPU quota. A row says what it
//! measures and what it leaves out, and then prints a table of contenders. Whatever needs a process of its own (memory
//! that is never given back, a dead-lock, a server whose CPU time is counted, a cgroup) is this program again in
//! another role: see `child`.

mod options;

use std::io;

use clap::Parser;
use options::Options;

use crate::{blocking, child, idle, network, quota, scale::Scale, scheduling, tail, workloads::Workload};

/// A comparison with a name.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) section: u8,
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    pub(crate) measures: &'static str,
    pub(crate) leaves_out: &'static str,
    pub(crate) run: fn(&Context) -> io::Result<()>,
}

/// What a row may ask about the command line.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) scale: Scale,
    /// Worker threads of section 1.
    pub(crate) procs: Vec<usize>,
    /// The workloads of section 1 that are wanted.
    pub(crate) workloads: Vec<Workload>,
    rounds: Option<usize>,
}

impl Context {
    /// Rounds of a row that takes `full` of them for a result: half as many for a look, one for a proof.
    pub(crate) fn rounds(&self, full: usize) -> usize {
        self.rounds.unwrap_or(self.scale.pick(full, full.div_ceil(2), 1))
    }
}

/// Every row, in the order of the board.
pub(crate) const ROWS: &[Row] = &[
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
];

/// The program: prints the rows that the command line asks for.
///
/// # Errors
/// A row cannot be measured: the system refuses threads, sockets or processes, or a result is wrong.
pub fn main() -> io::Result<()> {
    let options = Options::parse();
    match options.role() {
        Some(role) => child::play(role),
        None if options.list() => list(),
        None => options.rows().try_for_each(|row| show(row, &options.context())),
    }
}

fn list() -> io::Result<()> {
    for Row { section, name, measures, .. } in ROWS {
        println!("{section} {name:<11} {measures}");
    }
    println!("names of `scheduling` alone: {}", Workload::ALL.map(Workload::name).join(" "));
    Ok(())
}

fn show(row: &Row, context: &Context) -> io::Result<()> {
    println!("== {}: {} ==\nmeasures    {}\nleaves out  {}\n", row.section, row.name, row.measures, row.leaves_out);
    (row.run)(context).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", row.name)))
}
