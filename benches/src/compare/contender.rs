//! Turns, rounds and the figures they leave behind.

use std::{hint::black_box, io, time::Instant};

use super::{Interval, bootstrap_ratio, median};
use crate::{
    executor::Executor,
    process::cpu_time,
    workloads::{Size, Workload},
};

/// Timed runs of one turn: three, so that its median drops one disturbed run.
pub const RUNS_PER_TURN: usize = 3;

/// An executor that takes turns.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// The name in tables.
    pub name: &'static str,
    turn: fn(Workload, Size, usize) -> io::Result<Turn>,
}

/// What one turn measured.
type Turn = [Run; RUNS_PER_TURN];

/// What one run took, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Run {
    wall: f64,
    /// Processor time of all threads.
    cpu: f64,
}

impl Contender {
    /// `E` under its own name.
    #[must_use]
    pub fn new<E: Executor>() -> Self {
        Self::named::<E>(E::NAME)
    }

    /// `E` under another name: the second row of an A/A comparison.
    #[must_use]
    pub fn named<E: Executor>(name: &'static str) -> Self {
        Self { name, turn: turn::<E> }
    }
}

/// Starts `E`, warms it up and times it.
fn turn<E: Executor>(workload: Workload, size: Size, procs: usize) -> io::Result<Turn> {
    let executor = E::start(procs)?;
    timed_run(&executor, workload, size);
    Ok(std::array::from_fn(|_| timed_run(&executor, workload, size)))
}

fn timed_run<E: Executor>(executor: &E, workload: Workload, size: Size) -> Run {
    let cpu = cpu_time();
    let start = Instant::now();
    let sum = workload.run(executor, black_box(size));
    let (wall, cpu) = (start.elapsed(), cpu_time().saturating_sub(cpu));
    assert_eq!(sum, workload.checksum(size), "{workload} on {} lost or repeated work", E::NAME);
    Run { wall: wall.as_secs_f64() * 1e3, cpu: cpu.as_secs_f64() * 1e3 }
}

/// The figures of one contender on one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Whose figures they are.
    pub name: &'static str,
    /// Wall time per round, in milliseconds: the median of the turn.
    pub wall: Vec<f64>,
    /// Processor time per round, in milliseconds: the median of the turn.
    pub cpu: Vec<f64>,
    /// The shortest single run by the wall clock, in milliseconds.
    pub best: f64,
}

/// How much longer a contender takes than the reference, by three measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratios {
    /// Wall time within a round: what users see. The headline.
    pub wall: Interval,
    /// Shortest run by shortest run: steady on a machine that others disturb, blind to rare slow runs.
    pub best: f64,
    /// Processor time within a round: work, and spinning, but not waiting.
    pub cpu: Interval,
}

impl Series {
    fn new(name: &'static str) -> Self {
        Self { name, wall: Vec::new(), cpu: Vec::new(), best: f64::INFINITY }
    }

    fn add(&mut self, turn: Turn) {
        self.wall.push(median(&turn.map(|run| run.wall)));
        self.cpu.push(median(&turn.map(|run| run.cpu)));
        self.best = turn.iter().map(|run| run.wall).fold(self.best, f64::min);
    }

    /// This contender against `reference`, measured in the same rounds.
    ///
    /// # Panics
    /// If there are no rounds.
    #[must_use]
    pub fn against(&self, reference: &Self) -> Ratios {
        Ratios {
            wall: bootstrap_ratio(&self.wall, &reference.wall),
            best: self.best / reference.best,
            cpu: bootstrap_ratio(&self.cpu, &reference.cpu),
        }
    }
}

/// Lets the contenders take turns for `rounds` rounds; the answer is in their order.
///
/// # Errors
/// An executor does not start.
pub fn measure(
    contenders: &[Contender],
    workload: Workload,
    size: Size,
    procs: usize,
    rounds: usize,
) -> io::Result<Vec<Series>> {
    let mut series: Vec<_> = contenders.iter().map(|c| Series::new(c.name)).collect();
    for round in 0..rounds {
        for i in order(round, contenders.len()) {
            series[i].add((contenders[i].turn)(workload, size, procs)?);
        }
    }
    Ok(series)
}

/// Forwards in even rounds, backwards in odd ones.
fn order(round: usize, contenders: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..contenders).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Tidemill, Tokio, workloads::Scale};

    #[test]
    fn rounds_alternate() {
        assert_eq!([order(0, 3), order(1, 3), order(2, 3)], [[0, 1, 2], [2, 1, 0], [0, 1, 2]]);
    }

    #[test]
    fn every_contender_gets_one_figure_per_round() {
        let contenders = [Contender::new::<Tidemill>(), Contender::new::<Tokio>()];
        let size = Workload::Yield.size(Scale::Smoke);
        let series = measure(&contenders, Workload::Yield, size, 1, 2).unwrap();
        assert_eq!(series.iter().map(|s| s.name).collect::<Vec<_>>(), ["tidemill", "tokio"]);
        for s in series {
            assert_eq!((s.wall.len(), s.cpu.len()), (2, 2), "{}", s.name);
            assert!(0.0 < s.best && s.best <= median(&s.wall), "{s:?}");
            assert!(s.cpu.iter().all(|&ms| ms > 0.0), "{s:?}");
        }
    }
}
