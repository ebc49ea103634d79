//! One workload and those who can do it: what the board compares and what criterion measures.
//!
//! A workload is written once, against a small trait of its own; a [`Case`] binds it to one library. Its work is asked for
//! as a number of operations, says how long they took, and gives a checksum that is known beforehand, so that nobody is
//! fast by leaving work out.
//!
//! A case times itself ([`Lap`]), because only it knows where its work begins: threads have been started and have met at
//! a barrier by then, and pools are filled.

use std::{
    fmt, io,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use crate::{
    board::Context,
    compare::{AGAIN, Contender, Figure, Series, median},
    process::cpu_time,
    scale::Scale,
};

/// What a number of operations took and came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lap {
    /// The checksum.
    pub sum: u64,
    /// The time by the clock.
    pub took: Duration,
}

impl Lap {
    /// Times `work`.
    pub fn of(work: impl FnOnce() -> u64) -> Self {
        let start = Instant::now();
        let sum = work();
        Self { sum, took: start.elapsed() }
    }

    /// Times `work` on each of some threads that begin together, each doing its part of `ops` operations; the slowest counts.
    ///
    /// # Panics
    /// If `work` panics.
    pub fn on_threads(threads: u64, ops: u64, work: impl Fn(u64) -> u64 + Sync) -> Self {
        if threads == 1 {
            return Self::of(|| work(ops));
        }
        let start = Barrier::new(threads as usize);
        let lap = |part| {
            start.wait();
            Self::of(|| work(part))
        };
        thread::scope(|scope| {
            let parts = (0..threads).map(|i| ops * (i + 1) / threads - ops * i / threads);
            let laps: Vec<_> = parts.map(|part| scope.spawn(move || lap(part))).collect();
            let laps = laps.into_iter().map(|lap| lap.join().expect("no work of a bench panics"));
            laps.fold(Self { sum: 0, took: Duration::ZERO }, |all, lap| Self {
                sum: all.sum + lap.sum,
                took: all.took.max(lap.took),
            })
        })
    }
}

/// Work that is ready to be done: a number of operations, as often as one likes.
pub type Work = Box<dyn FnMut(u64) -> Lap>;

/// One library's way to do a workload.
pub struct Case {
    /// The name in tables.
    pub name: &'static str,
    is_floor: bool,
    start: Box<dyn Fn() -> io::Result<Work>>,
}

impl Case {
    /// `start` makes everything that is not to be measured.
    pub fn new<W>(name: &'static str, start: impl Fn() -> W + 'static) -> Self
    where
        W: FnMut(u64) -> Lap + 'static,
    {
        Self::fallible(name, move || Ok(start()))
    }

    /// As [`new`](Self::new), where the start may fail.
    pub fn fallible<W>(name: &'static str, start: impl Fn() -> io::Result<W> + 'static) -> Self
    where
        W: FnMut(u64) -> Lap + 'static,
    {
        Self { name, is_floor: false, start: Box::new(move || start().map(|work| Box::new(work) as Work)) }
    }

    /// The least that the work can cost. The name says what it is: "floor: one allocation".
    pub fn floor<W>(name: &'static str, start: impl Fn() -> W + 'static) -> Self
    where
        W: FnMut(u64) -> Lap + 'static,
    {
        Self::new(name, start).as_floor()
    }

    /// Makes it the floor of its bench.
    #[must_use]
    pub fn as_floor(self) -> Self {
        Self { is_floor: true, ..self }
    }

    /// Whether it is the floor of its bench.
    #[must_use]
    pub fn is_floor(&self) -> bool {
        self.is_floor
    }

    /// Makes what the work needs.
    ///
    /// # Errors
    /// The system refuses a thread, a file or the like.
    pub fn start(&self) -> io::Result<Work> {
        (self.start)()
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("is_floor", &self.is_floor).finish_non_exhaustive()
    }
}

/// A workload with those who can do it; the first one is tidemill, or whoever else the others are compared with.
pub struct Bench {
    /// What distinguishes it in its row.
    pub title: String,
    /// Operations of one timed run.
    pub ops: u64,
    /// Operations come in multiples of this.
    pub grain: u64,
    /// The checksum of a number of operations.
    pub sum: Box<dyn Fn(u64) -> u64>,
    /// Who can do it.
    pub cases: Vec<Case>,
}

/// Wall time is what users see; the shortest run is steady beside noisy neighbours; CPU time counts work and spinning.
pub(crate) const FIGURES: [Figure; 3] = [Figure::less("ns/op"), Figure::least("best ns"), Figure::less("CPU ns")];

/// Timed runs of one turn: three, so that its median drops one disturbed run.
const RUNS_PER_TURN: usize = 3;

/// Rounds for a result.
const ROUNDS: usize = 9;

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("title", &self.title).field("cases", &self.cases).finish_non_exhaustive()
    }
}

impl Bench {
    /// Every operation adds one to the checksum.
    pub fn counted(title: impl Into<String>, ops: u64, cases: Vec<Case>) -> Self {
        Self { title: title.into(), ops, grain: 1, sum: Box::new(|ops| ops), cases }
    }

    /// Operations at `scale`.
    #[must_use]
    pub fn ops(&self, scale: Scale) -> u64 {
        self.rounded(scale.pick(self.ops, self.ops / 10, self.ops / 1_000))
    }

    /// A number of operations that it can do: a multiple of the grain, and not none.
    #[must_use]
    pub fn rounded(&self, ops: u64) -> u64 {
        (ops / self.grain * self.grain).max(self.grain)
    }

    /// Compares the cases on the board.
    ///
    /// # Errors
    /// A case cannot start, or its checksum is wrong.
    pub fn compare_in(&self, context: &Context) -> io::Result<Vec<Series>> {
        let ops = self.ops(context.scale);
        context.compare(&self.title, &FIGURES, self.contenders(ops), ROUNDS)
    }

    pub(crate) fn contenders(&self, ops: u64) -> Vec<Contender<'_>> {
        let contender = |case, name: &str| Contender::new(name, move || turn(case, ops, &self.sum));
        let mut all: Vec<_> = self.cases.iter().map(|case| (case.is_floor, contender(case, case.name))).collect();
        all.extend(self.cases.first().map(|case| (false, contender(case, &format!("{} {AGAIN}", case.name)))));
        all.into_iter().map(|(floor, c)| if floor { c.as_floor() } else { c }).collect()
    }
}

/// Warms a fresh start up and times it: nanoseconds per operation by the clock, the least of them, and of all CPUs.
fn turn(case: &Case, ops: u64, sum: &dyn Fn(u64) -> u64) -> io::Result<[f64; 3]> {
    let mut work = case.start()?;
    checked(case, &mut work, ops, sum)?;
    let (mut wall, mut cpu) = (Vec::with_capacity(RUNS_PER_TURN), Vec::with_capacity(RUNS_PER_TURN));
    for _ in 0..RUNS_PER_TURN {
        let before = cpu_time();
        let lap = checked(case, &mut work, ops, sum)?;
        cpu.push(cpu_time().saturating_sub(before).as_nanos() as f64 / ops as f64);
        wall.push(lap.took.as_nanos() as f64 / ops as f64);
    }
    Ok([median(&wall), wall.iter().copied().fold(f64::INFINITY, f64::min), median(&cpu)])
}

/// Does `ops` operations.
///
/// # Errors
/// The checksum is wrong: work was lost or repeated.
pub fn checked(case: &Case, work: &mut Work, ops: u64, sum: &dyn Fn(u64) -> u64) -> io::Result<Lap> {
    let lap = work(ops);
    let expected = sum(ops);
    if lap.sum == expected {
        Ok(lap)
    } else {
        let Case { name, .. } = case;
        Err(io::Error::other(format!("{name}: {ops} operations come to {}, not {expected}", lap.sum)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::compare::{Rounds, measure};

    #[test]
    fn threads_share_the_operations_and_begin_together() {
        for (threads, ops) in [(1, 7), (2, 7), (3, 100), (4, 2)] {
            let lap = Lap::on_threads(threads, ops, |part| part);
            assert_eq!(lap.sum, ops, "{threads} threads");
        }
    }

    #[test]
    fn a_wrong_checksum_names_who_is_wrong() {
        let bench = Bench::counted("b", 4_000, vec![Case::new("lazy", || |ops| Lap::of(|| ops - 1))]);
        let error = measure(&FIGURES, &bench.contenders(4), Rounds::exactly(1), 0).unwrap_err();
        assert_eq!(error.to_string(), "lazy: lazy: 4 operations come to 3, not 4");
    }

    #[test]
    fn the_first_case_takes_part_twice_and_a_floor_is_one() {
        let work = || |ops| Lap::of(|| ops);
        let bench = Bench::counted("b", 5, vec![Case::new("a", work), Case::floor("floor: nothing", work)]);
        let series = measure(&FIGURES, &bench.contenders(5), Rounds::exactly(2), 0).unwrap();
        let roles: Vec<_> = series.iter().map(|s| (s.name.as_str(), s.role)).collect();
        use crate::compare::Role;
        assert_eq!(roles, [("a", Role::Contender), ("floor: nothing", Role::Floor), ("a (A/A)", Role::Again)]);
        assert_eq!((bench.ops(Scale::Full), bench.ops(Scale::Smoke)), (5, 1));
    }
}
