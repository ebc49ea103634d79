//! What a row may ask and say while it runs: how much to do, for how long, and where results go.

use std::{
    cell::{Cell, RefCell},
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{Row, facts::Facts, state};
use crate::{
    compare::{Contender, Figure, Rounds, Series, measure, table},
    scale::Scale,
    workloads::Workload,
};

/// One comparison and all of its rounds.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Table {
    /// The row it belongs to.
    pub row: &'static str,
    /// What distinguishes it within the row.
    pub title: String,
    /// The columns.
    pub figures: Vec<Figure>,
    /// The contenders.
    pub series: Vec<Series>,
    /// Before each pass, how many times as long a thread took beside another one as alone: about two if the CPUs share a core.
    pub states: Vec<f64>,
}

/// The run of a board.
#[derive(Debug)]
pub struct Context {
    pub(crate) scale: Scale,
    /// Worker threads of section 1.
    pub(crate) procs: Vec<usize>,
    /// The workloads of section 1 that are wanted.
    pub(crate) workloads: Vec<Workload>,
    pub(crate) facts: Facts,
    /// The Go toolchain, if it takes part.
    pub(crate) go: Option<PathBuf>,
    pub(super) rounds: Option<usize>,
    pub(super) against: Vec<String>,
    pub(super) passes: usize,
    pub(super) started: Instant,
    /// When it must have ended.
    pub(super) limit: Duration,
    pub(super) pass: Cell<usize>,
    pub(super) row: Cell<Option<&'static str>>,
    /// For each table of this row.
    pub(super) seconds: Cell<f64>,
    /// Passes that this row takes part in.
    pub(super) row_passes: Cell<usize>,
    pub(super) tables: RefCell<Vec<Table>>,
    /// What rows say in words: the row, and the text.
    pub(super) notes: RefCell<Vec<(&'static str, String)>>,
    /// Of what grows.
    pub(super) pictures: RefCell<Vec<Picture>>,
}

/// A plot, and its points as a table.
#[derive(Debug)]
pub(super) struct Picture {
    /// For the file.
    pub(super) name: String,
    pub(super) svg: String,
    pub(super) table: String,
}

/// A quick table's share of the time of a full one. All of a quick run's tables together stay below a minute.
const QUICK_SHARE: f64 = 0.04;

/// No quick table takes less, lest it has no rounds to speak of.
const QUICK_LEAST: f64 = 0.3;

/// A row's usual number of rounds is for comparisons without a time limit; with one, short turns may have more.
const MORE_ROUNDS: usize = 4;

impl Context {
    /// Compares, prints the table if there is one pass only, and keeps it for the files that are written at the end.
    ///
    /// `full` is how many rounds make a result. The answer has the rounds of all passes so far.
    ///
    /// # Errors
    /// A turn fails.
    ///
    /// # Panics
    /// If there is no contender.
    pub fn compare(
        &self,
        title: impl Into<String>,
        figures: &[Figure],
        contenders: Vec<Contender<'_>>,
        full: usize,
    ) -> io::Result<Vec<Series>> {
        let (title, row) = (title.into(), self.row.get().unwrap_or_default());
        if self.is_late() {
            // The rounds of earlier passes are a result, if a less certain one.
            self.say(&format!("{title}: left out in pass {}, the run's time is used up", self.pass.get() + 1));
            return Ok(Vec::new());
        }
        let contenders: Vec<_> =
            contenders.into_iter().enumerate().filter(|(i, c)| *i == 0 || self.wants(c)).map(|(_, c)| c).collect();
        let (start, states) = (Instant::now(), vec![state::measured()]);
        let fresh = measure(figures, &contenders, self.rounds(full), self.pass.get())?;
        self.tell_progress(row, &title, fresh[0].rounds[0].len(), start.elapsed());
        let whole = self.keep(Table { row, title, figures: figures.to_vec(), series: fresh, states });
        if self.passes == 1 {
            println!("{}", table(&whole.title, &whole.figures, &whole.series));
        }
        Ok(whole.series)
    }

    /// Says something that is no table; printed and kept once.
    pub fn say(&self, text: &str) {
        self.keep_note((self.row.get().unwrap_or_default(), text.to_owned()));
    }

    pub(crate) fn keep_note(&self, note: (&'static str, String)) {
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&note) {
            println!("{}\n", note.1);
            notes.push(note);
        }
    }

    /// Whether this is the first pass.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.pass.get() == 0
    }

    /// Whether what takes long has its turn in this pass: the first one, the third, and so on.
    #[must_use]
    pub fn is_every_other(&self) -> bool {
        self.pass.get().is_multiple_of(2)
    }

    /// All rounds of a table so far.
    pub(crate) fn series_of(&self, row: &str, title: &str) -> Option<Vec<Series>> {
        let tables = self.tables.borrow();
        tables.iter().find(|table| table.row == row && table.title == title).map(|table| table.series.clone())
    }

    /// The row's tables with the rounds of all passes.
    pub(super) fn print(&self, row: &Row) {
        for Table { title, figures, series, .. } in self.tables.borrow().iter().filter(|table| table.row == row.name) {
            println!("{}", table(title, figures, series));
        }
    }

    pub(super) fn begin(&self, pass: usize) {
        self.pass.set(pass);
    }

    pub(super) fn enter(&self, row: &Row) {
        self.row.set(Some(row.name));
        self.seconds.set(row.seconds);
        self.row_passes.set(if row.once { 1 } else { self.passes });
    }

    /// Rounds of one pass over a comparison that takes `full` of them for a result.
    pub(super) fn rounds(&self, full: usize) -> Rounds {
        if let Some(rounds) = self.rounds {
            return Rounds::exactly(rounds.div_ceil(self.row_passes.get()));
        }
        let left = self.limit.saturating_sub(self.started.elapsed());
        let seconds = self.seconds.get();
        let bounded =
            |least, most, seconds: f64| Rounds { least, most, within: left.min(Duration::from_secs_f64(seconds)) };
        let passes = self.row_passes.get();
        let each = full.div_ceil(passes);
        self.scale.pick(
            bounded(1, each * MORE_ROUNDS, seconds / passes as f64),
            // Of two rounds nobody can say how sure they are.
            bounded(3, full * MORE_ROUNDS, (seconds * QUICK_SHARE).max(QUICK_LEAST)),
            Rounds::exactly(1),
        )
    }

    /// Keeps a plot for the end of the run.
    pub(super) fn keep_picture(&self, title: &str, svg: String, table: String) {
        let dashed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: Vec<_> = title.chars().map(dashed).collect::<String>().split('-').map(str::to_owned).collect();
        let name: Vec<_> = name.into_iter().filter(|part| !part.is_empty()).collect();
        self.pictures.borrow_mut().push(Picture { name: name.join("-"), svg, table });
    }

    fn wants(&self, contender: &Contender<'_>) -> bool {
        let named = || self.against.iter().any(|against| contender.name.contains(against.as_str()));
        !contender.is_optional() || self.against.is_empty() || named()
    }

    /// Whether the run's time is used up.
    pub(crate) fn is_late(&self) -> bool {
        self.started.elapsed() >= self.limit
    }

    /// To the standard error, so that the tables can be taken from the standard output.
    fn tell_progress(&self, row: &str, title: &str, rounds: usize, took: Duration) {
        if self.scale == Scale::Smoke {
            return;
        }
        let (pass, passes) = (self.pass.get() + 1, self.passes);
        let (at, took) = (self.started.elapsed().as_secs(), took.as_secs_f64());
        // Nobody looks if it cannot be written.
        _ = writeln!(
            io::stderr(),
            "[{at:>4} s, pass {pass} of {passes}] {row}: {title}: {rounds} rounds in {took:.1} s"
        );
    }

    /// Adds the rounds to those of earlier passes, and gives all of them.
    pub(super) fn keep(&self, fresh: Table) -> Table {
        let mut tables = self.tables.borrow_mut();
        match tables.iter_mut().find(|table| table.row == fresh.row && table.title == fresh.title) {
            Some(known) => {
                known.series.iter_mut().zip(&fresh.series).for_each(|(series, later)| series.extend(later));
                known.states.extend(&fresh.states);
                known.clone()
            }
            None => {
                tables.push(fresh.clone());
                fresh
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn context(scale: Scale, passes: usize) -> Context {
        Context {
            scale,
            procs: vec![1],
            workloads: Vec::new(),
            facts: Facts::gather(),
            go: None,
            rounds: None,
            against: vec!["tok".into()],
            passes,
            started: Instant::now(),
            limit: Duration::from_secs(1_000),
            pass: Cell::new(0),
            row: Cell::new(Some("row")),
            seconds: Cell::new(10.0),
            row_passes: Cell::new(passes),
            tables: RefCell::default(),
            notes: RefCell::default(),
            pictures: RefCell::default(),
        }
    }

    fn contenders() -> Vec<Contender<'static>> {
        let one = |name: &str| Contender::new(name, || Ok([1.0]));
        vec![one("tidemill"), one("tokio"), one("smol"), one("floor").as_floor(), one("tidemill (A/A)")]
    }

    #[test]
    fn passes_add_their_rounds_to_one_table() {
        let mut context = context(Scale::Smoke, 2);
        context.against.clear();
        for pass in 0..2 {
            context.begin(pass);
            let series = context.compare("a", &[Figure::less("ms")], contenders(), 8).unwrap();
            assert_eq!((series.len(), series[0].rounds[0].len()), (5, pass + 1));
        }
        assert_eq!(context.tables.borrow().len(), 1);
    }

    #[test]
    fn against_leaves_out_only_other_contenders() {
        let series = context(Scale::Smoke, 1).compare("a", &[Figure::less("ms")], contenders(), 8).unwrap();
        let names: Vec<_> = series.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["tidemill", "tokio", "floor", "tidemill (A/A)"]);
    }

    #[test]
    fn a_late_run_leaves_tables_out_and_says_so() {
        let context = Context { limit: Duration::ZERO, ..context(Scale::Quick, 1) };
        assert!(context.compare("a", &[Figure::less("ms")], contenders(), 8).unwrap().is_empty());
        assert!(context.notes.borrow()[0].1.contains("left out"));
    }

    #[test]
    fn the_scale_and_the_passes_decide_the_rounds() {
        let rounds = |scale, passes| context(scale, passes).rounds(9);
        assert_eq!(rounds(Scale::Smoke, 1), Rounds::exactly(1));
        let full = rounds(Scale::Full, 3);
        assert_eq!((full.least, full.most), (1, 3 * MORE_ROUNDS));
        assert!((full.within.as_secs_f64() - 10.0 / 3.0).abs() < 0.01, "{full:?}");
        assert!(rounds(Scale::Quick, 1).within <= Duration::from_millis(400));
    }
}
