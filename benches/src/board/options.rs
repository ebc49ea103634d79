//! The command line.
//!
//! cargo passes `--bench` to a bench that it measures and nothing to one that it tests; hence without it everything runs
//! at its smallest size, as criterion's benches do.

use std::num::NonZero;

use clap::Parser;

use super::{Context, ROWS, Row};
use crate::{scale::Scale, workloads::Workload};

/// Compares tidemill with its peers, interleaved; a ratio above 1 means that tidemill is better.
#[derive(Debug, Parser)]
#[command(name = "scheduler")]
pub(super) struct Options {
    /// Only these sections (1 to 4), rows, or workloads of section 1, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES", value_parser = known)]
    only: Vec<String>,

    /// Only with this many worker threads, in section 1 [default: both 1 and 2]
    #[arg(long, value_name = "N")]
    procs: Option<NonZero<usize>>,

    /// Rounds per table [default: each row's own]
    #[arg(long, value_name = "N")]
    rounds: Option<NonZero<usize>>,

    /// About a tenth of the work: a look, not a result
    #[arg(long)]
    quick: bool,

    /// The least work: proves that everything runs and adds up
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,

    /// Prints the names of the rows
    #[arg(long)]
    list: bool,

    /// What cargo passes
    #[arg(long, hide = true)]
    bench: bool,

    /// Another role of this program, in a process of its own
    #[arg(long, hide = true, num_args = 1.., exclusive = true)]
    role: Vec<String>,
}

impl Options {
    pub(super) fn role(&self) -> Option<&[String]> {
        (!self.role.is_empty()).then_some(&self.role)
    }

    pub(super) fn list(&self) -> bool {
        self.list
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().filter(|row| self.wants(row.section, row.name) || self.wants_workload_of(row))
    }

    pub(super) fn context(&self) -> Context {
        let all = self.wants(1, SCHEDULING);
        let workloads = Workload::ALL.into_iter().filter(|workload| all || self.names(workload.name())).collect();
        let procs = self.procs.map_or(vec![1, 2], |procs| vec![procs.get()]);
        Context { scale: self.scale(), procs, workloads, rounds: self.rounds.map(NonZero::get) }
    }

    fn scale(&self) -> Scale {
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

fn known(name: &str) -> Result<String, String> {
    let rows = ROWS.iter().flat_map(|row| [row.name.to_owned(), row.section.to_string()]);
    let mut names = rows.chain(Workload::ALL.map(|workload| workload.name().to_owned()));
    if names.any(|known| known == name) { Ok(name.to_owned()) } else { Err("see --list".to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
            assert_eq!(parsed(args).scale(), expected, "{args}");
        }
    }

    #[test]
    fn rows_are_chosen_by_section_row_or_workload() {
        let rows = |args| parsed(args).rows().map(|row| row.name).collect::<Vec<_>>();
        let workloads = |args| parsed(args).context().workloads.len();
        assert_eq!(rows("").len(), ROWS.len());
        assert_eq!((rows("--only 1"), workloads("--only 1")), (vec!["scheduling", "idle"], Workload::ALL.len()));
        assert_eq!((rows("--only yield,tail"), workloads("--only yield,tail")), (vec!["scheduling", "tail"], 1));
        assert!(Options::try_parse_from(["scheduler", "--only", "yields"]).is_err());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ROWS.iter().map(|row| row.name).chain(Workload::ALL.map(Workload::name)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
