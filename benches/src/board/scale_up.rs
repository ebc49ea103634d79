//! Cost as the work grows: the same rows at 1, 10 and 100 times their least size, and with 1 to 16 workers.
//!
//! Cost per step should stay what it is. Where it grows by more than [`GROWTH`] from one size to the next, ten times as
//! large, a list in the runtime is too long, or a queue or the caches are too full; the run says so by name, whoever it is.
//!
//! Growth is judged by the least CPU time of the rounds: by the clock, a long run meets more of what else the machine does than a short
//! one, and would seem to grow whoever runs it. The plots show the least time by the clock.

use std::io;

use super::{Context, Row, Run, write};
use crate::{
    bench::{Bench, FIGURES},
    compare::{Rounds, Series, measure},
    scheduling,
    workloads::{Size, Workload},
};

/// Cost per step, ten times the work, as a multiple of what it was: more is called out.
const GROWTH: f64 = 1.5;

/// Of a full row's operations, in thousandths: 1x, 10x and 100x.
const SIZES: [u64; 3] = [10, 100, 1_000];

/// With more tasks than this side by side, a workload grows by tasks, not by what each of them does.
const FEW_LANES: u64 = 8;

const WORKERS: [usize; 5] = [1, 2, 4, 8, 16];

/// Rounds of each point.
const ROUNDS: usize = 3;

/// Every chosen row over sizes, and the workloads of section 1 over workers.
pub(super) fn run(context: &Context, rows: &[Row]) -> io::Result<()> {
    println!("{}", context.facts);
    for row in rows {
        context.enter(row);
        match row.run {
            Run::Own(_) if row.name == scheduling::ROW.name => over_workers_and_sizes(context)?,
            Run::Own(_) => {}
            Run::Benches(benches) => benches().iter().try_for_each(|bench| over_sizes(context, bench))?,
        }
    }
    Ok(())
}

fn over_workers_and_sizes(context: &Context) -> io::Result<()> {
    for &workload in &context.workloads {
        over_lanes_or_steps(context, workload)?;
        over_workers(context, workload)?;
    }
    Ok(())
}

/// What one contender needs per operation at each point.
struct Curve {
    name: String,
    /// By the clock, the least.
    points: Vec<(f64, f64)>,
    /// In CPU time, the least.
    cpu: Vec<f64>,
}

/// More tasks where there are many, and otherwise more for each of them.
fn over_lanes_or_steps(context: &Context, workload: Workload) -> io::Result<()> {
    let full = workload.size(context.scale);
    let mut curves = Vec::new();
    for thousandths in SIZES {
        let part = |whole: u64| (whole * thousandths / 1_000).max(1);
        let size = if full.lanes > FEW_LANES {
            Size { lanes: part(10 * full.lanes), steps: (full.steps / 10).max(1) }
        } else {
            Size { steps: part(full.steps), ..full }
        };
        let bench = scheduling::sized_bench(workload, 2, size);
        point(&mut curves, (size.lanes * size.steps) as f64, &bench.at(bench.ops)?);
    }
    told(context, &format!("{workload}, P = 2"), "steps of all tasks", &curves)
}

fn over_sizes(context: &Context, bench: &Bench) -> io::Result<()> {
    let mut curves = Vec::new();
    for thousandths in SIZES {
        let ops = bench.rounded(context.scale.pick(bench.ops, bench.ops, bench.ops / 100) * thousandths / 1_000);
        point(&mut curves, ops as f64, &bench.at(ops)?);
    }
    told(context, &bench.title, "operations", &curves)
}

fn told(context: &Context, title: &str, unit: &str, curves: &[Curve]) -> io::Result<()> {
    println!("{title}, over {unit}");
    show(curves, unit);
    growth(context, title, curves);
    plot(context, title, unit, curves)
}

fn over_workers(context: &Context, workload: Workload) -> io::Result<()> {
    let mut curves = Vec::new();
    for workers in WORKERS {
        let bench = scheduling::bench(workload, workers);
        let ops = bench.rounded(context.scale.pick(bench.ops / 4, bench.ops / 20, bench.ops / 1_000));
        point(&mut curves, workers as f64, &bench.at(ops)?);
    }
    let title = format!("{workload}, over workers");
    println!("{title}");
    show(&curves, "workers");
    plot(context, &title, "workers", &curves)
}

impl Bench {
    /// All cases with so many operations.
    fn at(&self, ops: u64) -> io::Result<Vec<Series>> {
        measure(&FIGURES, &self.contenders(ops), Rounds::exactly(ROUNDS))
    }
}

/// Adds the least of each contender; the second run of the reference is left out.
fn point(curves: &mut Vec<Curve>, at: f64, series: &[Series]) {
    for (i, s) in series.iter().take(series.len() - 1).enumerate() {
        if curves.len() <= i {
            curves.push(Curve { name: s.name.clone(), points: Vec::new(), cpu: Vec::new() });
        }
        let least = |rounds: &[f64]| rounds.iter().copied().fold(f64::INFINITY, f64::min);
        curves[i].points.push((at, least(&s.rounds[1])));
        curves[i].cpu.push(least(&s.rounds[2]));
    }
}

fn show(curves: &[Curve], unit: &str) {
    for Curve { name, points, .. } in curves {
        let points: Vec<_> = points.iter().map(|(at, ns)| format!("{at} {unit}: {ns:.1} ns")).collect();
        println!("  {name:<34} {}", points.join(", "));
    }
    println!();
}

/// Calls out who gets dearer by the step as there is more to do.
fn growth(context: &Context, title: &str, curves: &[Curve]) {
    for Curve { name, points, cpu } in curves {
        for (pair, cpu) in points.windows(2).zip(cpu.windows(2)) {
            let times = cpu[1] / cpu[0];
            if times > GROWTH {
                let (from, to) = (pair[0].0, pair[1].0);
                context
                    .say(&format!("SUPER-LINEAR: {title}: {name}: {times:.1} times the CPU per step, {from} to {to}"));
            }
        }
    }
}

fn plot(context: &Context, title: &str, unit: &str, curves: &[Curve]) -> io::Result<()> {
    let lines: Vec<_> = curves.iter().map(|c| write::Line { name: c.name.clone(), points: c.points.clone() }).collect();
    context.keep_picture(title, write::lines(title, unit, "ns per operation", &lines));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_become_curves_without_the_second_reference() {
        let series = |name: &str, ns| Series {
            name: name.into(),
            role: crate::compare::Role::Contender,
            rounds: vec![vec![ns; 3]; 3],
        };
        let mut curves = Vec::new();
        for (at, ns) in [(1.0, 2.0), (10.0, 8.0)] {
            point(&mut curves, at, &[series("a", ns), series("b", 1.0), series("a (A/A)", ns)]);
        }
        assert_eq!(curves.len(), 2);
        assert_eq!(curves[0].points, [(1.0, 2.0), (10.0, 8.0)]);
    }
}
