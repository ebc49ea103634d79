//! The command line.
//!
//! cargo passes `--bench` to a bench that it measures and nothing to one that it tests; hence without it everything runs
//! at its smallest size, as criterion's benches do.

use std::{
    cell::{Cell, RefCell},
    io,
    num::NonZero,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Parser;

use super::{Context, Row, facts::Facts};
use crate::{scale::Scale, workloads::Workload};

/// Compares tidemill with its peers, interleaved (A B B A); a ratio above 1 means that tidemill is better.
///
/// A full run takes just under twenty minutes on two cores, a quick one less than a minute, compiling left out.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask scoreboard")]
pub(super) struct Options {
    /// Only these sections (by number), rows, or workloads of section 1, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,

    /// Only contenders with one of these in their names, beside tidemill, its A/A row and the floor
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    against: Vec<String>,

    /// Only with this many worker threads, in section 1 [default: both 1 and 2]
    #[arg(long, value_name = "N")]
    procs: Option<NonZero<usize>>,

    /// Rounds per table [default: as many as fit each row's time]
    #[arg(long, value_name = "N")]
    rounds: Option<NonZero<usize>>,

    /// Ends within 60 seconds of the end of the build: a look, not a result; rows that take minutes are left out
    #[arg(long)]
    quick: bool,

    /// The least work: proves that everything runs and adds up
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,

    /// Each row at 1, 10 and 100 times its size, and with 1 to 16 workers, instead of the comparison
    #[arg(long)]
    scale: bool,

    /// Go's scheduler and its net/http take part; `cargo xtask scoreboard` finds Go or sets it up under target/
    #[arg(long)]
    with_go: bool,

    /// Writes RESULTS.md and plots for a partial run too; a full one always does
    #[arg(long)]
    write: bool,

    /// Where the files go
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR")))]
    out: PathBuf,

    /// Compares the `results.json` of two runs, and fails unless their intervals meet
    #[arg(long, num_args = 2, value_name = "FILE")]
    agree: Vec<PathBuf>,

    /// Prints the names of the rows
    #[arg(long)]
    list: bool,

    /// What cargo passes
    #[arg(long, hide = true)]
    bench: bool,

    /// The built program of benches/go
    #[arg(long, hide = true, value_name = "PATH")]
    go: Option<PathBuf>,

    /// One pass of a full run, counted from zero
    #[arg(long, hide = true, value_name = "N", requires = "tell")]
    pass: Option<usize>,

    /// Where that pass puts its results
    #[arg(long, hide = true, value_name = "FILE")]
    tell: Option<PathBuf>,

    /// Seconds that the run has taken before that pass
    #[arg(long, hide = true, default_value_t = 0)]
    elapsed: u64,

    /// Another role of this program, in a process of its own
    #[arg(long, hide = true, num_args = 1.., exclusive = true)]
    role: Vec<String>,
}

/// Of a full run; see [`super`].
const PASSES: usize = 5;

/// The longest quick run, in seconds; what is under way then still ends.
const QUICK_LIMIT: u64 = 52;

/// After so many seconds a full run begins no further table; what is under way then still ends within twenty minutes.
const FULL_LIMIT: u64 = 18 * 60 + 30;

/// The same for what grows, in seconds.
const SCALE_LIMIT: u64 = 9 * 60;

impl Options {
    pub(super) fn role(&self) -> Option<&[String]> {
        (!self.role.is_empty()).then_some(&self.role)
    }

    pub(super) fn list(&self) -> bool {
        self.list
    }

    pub(super) fn agree(&self) -> Option<(&PathBuf, &PathBuf)> {
        Some((self.agree.first()?, self.agree.get(1)?))
    }

    /// Which pass this process is, and where it puts its results.
    pub(super) fn pass(&self) -> Option<(usize, &PathBuf)> {
        Some((self.pass?, self.tell.as_ref()?))
    }

    pub(super) fn scale_up(&self) -> bool {
        self.scale
    }

    pub(super) fn out(&self) -> &PathBuf {
        &self.out
    }

    /// Whether a stranger may take the results for those of the project.
    pub(super) fn is_full(&self) -> bool {
        let narrowed = !self.only.is_empty() || !self.against.is_empty() || self.procs.is_some();
        self.scale_of_work() == Scale::Full && !narrowed && self.rounds.is_none() && !self.scale
    }

    pub(super) fn writes(&self) -> bool {
        self.write || self.is_full()
    }

    /// The rows that are asked for.
    ///
    /// # Errors
    /// A name is unknown.
    pub(super) fn rows(&self, rows: &[Row]) -> io::Result<Vec<Row>> {
        if let Some(unknown) = self.only.iter().find(|name| !is_known(name, rows)) {
            return Err(io::Error::other(format!("there is no section, row or workload `{unknown}`; see --list")));
        }
        let quick = self.scale_of_work() == Scale::Quick && self.only.is_empty();
        let wanted = |row: &&Row| self.wants(row.section, row.name) || self.wants_workload_of(row);
        Ok(rows.iter().filter(wanted).filter(|row| row.in_quick || !quick).copied().collect())
    }

    pub(super) fn context(&self) -> Context {
        let all = self.wants(1, SCHEDULING);
        let workloads = Workload::ALL.into_iter().filter(|workload| all || self.names(workload.name())).collect();
        let procs = self.procs.map_or(vec![1, 2], |procs| vec![procs.get()]);
        let scale = self.scale_of_work();
        let full = if self.scale { SCALE_LIMIT } else { FULL_LIMIT };
        let limit = if self.rounds.is_some() { u64::MAX } else { scale.pick(full, QUICK_LIMIT, u64::MAX) };
        let now = Instant::now();
        Context {
            scale,
            procs,
            workloads,
            facts: Facts::gather(),
            go: self.go.clone(),
            rounds: self.rounds.map(NonZero::get),
            against: self.against.clone(),
            passes: scale.pick(self.rounds.map_or(PASSES, |rounds| PASSES.min(rounds.get())), 1, 1),
            started: now.checked_sub(Duration::from_secs(self.elapsed)).unwrap_or(now),
            limit: Duration::from_secs(limit),
            pass: Cell::new(0),
            row: Cell::new(None),
            seconds: Cell::new(0.0),
            row_passes: Cell::new(1),
            tables: RefCell::default(),
            notes: RefCell::default(),
            pictures: RefCell::default(),
        }
    }

    fn scale_of_work(&self) -> Scale {
        match (self.quick, self.smoke || !self.bench) {
            (true, _) => Scale::Quick,
            (false, true) => Scale::Smoke,
            (false, false) => Scale::Full,
        }
    }

    fn wants(&self, section: u8, name: &str) -> bool {
        self.only.is_empty() || self.names(&section.to_string()) || self.names(name)
    }

    fn wants_workload_of(&self, row: &Row) -> bool {
        row.name == SCHEDULING && Workload::ALL.iter().any(|workload| self.names(workload.name()))
    }

    fn names(&self, name: &str) -> bool {
        self.only.iter().any(|only| only == name)
    }
}

/// The row of all workloads.
const SCHEDULING: &str = "scheduling";

fn is_known(name: &str, rows: &[Row]) -> bool {
    let row = rows.iter().any(|row| row.name == name || row.section.to_string() == name);
    row || Workload::ALL.iter().any(|workload| workload.name() == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::board::ROWS;

    fn parsed(args: &str) -> Options {
        Options::try_parse_from(["scheduler"].into_iter().chain(args.split_whitespace())).unwrap()
    }

    #[test]
    fn the_scale_is_full_only_when_cargo_measures() {
        for (args, expected) in [
            ("--bench", Scale::Full),
            ("--bench --quick", Scale::Quick),
            ("--bench --smoke", Scale::Smoke),
            ("--quick", Scale::Quick),
            ("", Scale::Smoke),
        ] {
            assert_eq!(parsed(args).scale_of_work(), expected, "{args}");
        }
    }

    #[test]
    fn rows_are_chosen_by_section_row_or_workload() {
        let rows = |args| parsed(args).rows(ROWS).unwrap().iter().map(|row| row.name).collect::<Vec<_>>();
        let workloads = |args| parsed(args).context().workloads.len();
        assert_eq!(rows("").len(), ROWS.len());
        assert_eq!((rows("--only 1"), workloads("--only 1")), (vec!["scheduling", "idle", "go"], Workload::ALL.len()));
        assert_eq!((rows("--only yield,tail"), workloads("--only yield,tail")), (vec!["scheduling", "tail"], 1));
        assert!(parsed("--only yields").rows(ROWS).is_err());
    }

    #[test]
    fn a_quick_run_leaves_out_what_takes_minutes_unless_it_is_named() {
        let rows = |args| parsed(args).rows(ROWS).unwrap().iter().map(|row| row.name).collect::<Vec<_>>();
        assert!(!rows("--quick").contains(&"flood") && rows("--quick").contains(&"scheduling"));
        assert_eq!(rows("--quick --only flood"), ["flood"]);
    }

    #[test]
    fn only_a_run_of_everything_is_full() {
        for (args, full, writes) in [
            ("--bench", true, true),
            ("--bench --quick", false, false),
            ("--bench --only yield", false, false),
            ("--bench --only yield --write", false, true),
            ("--bench --against tokio", false, false),
            ("", false, false),
        ] {
            assert_eq!((parsed(args).is_full(), parsed(args).writes()), (full, writes), "{args}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ROWS.iter().map(|row| row.name).chain(Workload::ALL.map(Workload::name)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
