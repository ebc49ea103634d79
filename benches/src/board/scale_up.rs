//! Cost as the work grows: the same rows at 1, 10 and 100 times their least size, by operations and by what else can grow in
//! them (keys, queues, timers, connections), and with 1 to 16 workers.
//!
//! Cost per step should stay what it is. Where it grows by more than [`GROWTH`] from one size to the next, ten times as
//! large, a list in the runtime is too long, or a queue or the caches are too full; the run says so by name, whoever it is.
//!
//! Growth is judged by the least CPU time of the rounds: by the clock, a long run meets more of what else the machine does than a short
//! one, and would seem to grow whoever runs it. The plots show the least time by the clock.

use std::io;

use super::{Context, Growth, Row, Run, write};
use crate::{
    bench::{Bench, FIGURES},
    compare::{Rounds, Series, measure, number},
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

/// What one contender needs per operation at each point.
struct Curve {
    name: String,
    /// By the clock, the least.
    points: Vec<(f64, f64)>,
    /// In CPU time, the least.
    cpu: Vec<f64>,
}

/// What was measured over one thing that grows.
pub(super) struct Graph {
    title: String,
    unit: &'static str,
    curves: Vec<Curve>,
}

/// Every chosen row over sizes, and the workloads of section 1 over workers.
///
/// # Errors
/// A case cannot start, or its checksum is wrong.
pub(super) fn run(context: &Context, rows: &[Row], growths: &[Growth]) -> io::Result<()> {
    println!("{}", context.facts);
    for row in rows {
        context.enter(row);
        match row.run {
            Run::Own(_) if row.name == scheduling::ROW.name => {
                context.workloads.iter().try_for_each(|&workload| over_workload(context, workload))?;
            }
            Run::Own(_) => {}
            Run::Benches(benches) => benches().iter().try_for_each(|bench| over_operations(context, row, bench))?,
        }
        for growth in growths.iter().filter(|growth| growth.row == row.name) {
            over_what_grows(context, growth)?;
        }
    }
    Ok(())
}

fn over_workload(context: &Context, workload: Workload) -> io::Result<()> {
    let full = workload.size(context.scale);
    let size = |thousandths: u64| {
        let part = |whole: u64| -> u64 { (whole * thousandths / 1_000).max(1) };
        // More tasks where there are many, and otherwise more for each of them.
        if full.lanes > FEW_LANES {
            Size { lanes: part(10 * full.lanes), steps: (full.steps / 10).max(1) }
        } else {
            Size { steps: part(full.steps), ..full }
        }
    };
    let sized = SIZES.map(size).map(|size| (size.lanes * size.steps, scheduling::sized_bench(workload, 2, size)));
    let points = sized.into_iter().map(|(steps, bench)| (steps, bench.ops, bench));
    graph(context, &format!("{workload}, P = 2"), "steps of all tasks", points)?;
    let points = WORKERS.map(|workers| {
        let bench = scheduling::bench(workload, workers);
        let ops = bench.rounded(context.scale.pick(bench.ops / 4, bench.ops / 20, bench.ops / 1_000));
        (workers as u64, ops, bench)
    });
    graph(context, &format!("{workload}, over workers"), "workers", points)
}

fn over_operations(context: &Context, row: &Row, bench: &Bench) -> io::Result<()> {
    let part = |thousandths| bench.rounded(per_point(context, bench) * thousandths / 1_000);
    let mut sizes = SIZES.map(part).to_vec();
    // Work that comes in large pieces has fewer sizes.
    sizes.dedup();
    let points = sizes.into_iter().map(|ops| (ops, ops, bench));
    graph(context, &format!("{}, {}", row.name, bench.title), "operations", points)
}

fn over_what_grows(context: &Context, growth: &Growth) -> io::Result<()> {
    let points = growth.sizes.into_iter().map(|size| {
        let bench = (growth.bench)(size);
        (size, bench.rounded(per_point(context, &bench)), bench)
    });
    graph(context, &format!("{}, over {}", growth.row, growth.unit), growth.unit, points)
}

fn per_point(context: &Context, bench: &Bench) -> u64 {
    context.scale.pick(bench.ops, bench.ops / 4, bench.ops / 100)
}

/// Measures each point: where it is, how many operations, and the comparison.
fn graph<B: std::borrow::Borrow<Bench>>(
    context: &Context,
    title: &str,
    unit: &'static str,
    points: impl IntoIterator<Item = (u64, u64, B)>,
) -> io::Result<()> {
    if context.is_late() {
        context.say(&format!("{title}, over {unit}: left out, the run's time is used up"));
        return Ok(());
    }
    let mut curves = Vec::new();
    for (at, ops, bench) in points {
        let series = measure(&FIGURES, &bench.borrow().contenders(ops), Rounds::exactly(ROUNDS), 0)?;
        point(&mut curves, at as f64, &series);
    }
    let graph = Graph { title: title.to_owned(), unit, curves };
    println!("{}", graph.table());
    if unit != "workers" {
        graph.growth().iter().for_each(|text| context.say(text));
    }
    context.keep_picture(title, graph.picture(), graph.table());
    Ok(())
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

impl Graph {
    /// In Markdown; it reads as text too.
    fn table(&self) -> String {
        let Self { title, unit, curves } = self;
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let points = || curves.iter().take(1).flat_map(|curve| &curve.points);
        let mut out = format!("**{title}**, ns per operation over {unit}\n\n");
        out.push_str(&line([String::new()].into_iter().chain(points().map(|(at, _)| at.to_string())).collect()));
        out.push_str(&format!("|---|{}\n", points().map(|_| "---|").collect::<String>()));
        for Curve { name, points, .. } in curves {
            let values = points.iter().map(|&(_, ns)| number(ns));
            out.push_str(&line([name.clone()].into_iter().chain(values).collect()));
        }
        out
    }

    /// Calls out who gets dearer by the step as there is more to do.
    fn growth(&self) -> Vec<String> {
        let Self { title, unit, curves } = self;
        let mut said = Vec::new();
        for Curve { name, points, cpu } in curves {
            for (pair, cpu) in points.windows(2).zip(cpu.windows(2)) {
                let (times, from, to) = (cpu[1] / cpu[0], pair[0].0, pair[1].0);
                if times > GROWTH {
                    said.push(format!(
                        "SUPER-LINEAR: {title}: {name}: {times:.1} times the CPU per step, {from} to {to} {unit}"
                    ));
                }
            }
        }
        said
    }

    fn picture(&self) -> String {
        let line = |curve: &Curve| write::Line { name: curve.name.clone(), points: curve.points.clone() };
        let lines: Vec<_> = self.curves.iter().map(line).collect();
        write::lines(&self.title, self.unit, "ns per operation", &lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(points: &[(f64, f64)]) -> Graph {
        let series = |name: &str, ns| Series {
            name: name.into(),
            role: crate::compare::Role::Contender,
            rounds: vec![vec![ns; 3]; 3],
            passes: vec![3],
        };
        let mut curves = Vec::new();
        for &(at, ns) in points {
            point(&mut curves, at, &[series("a", ns), series("b", 1.0), series("a (A/A)", ns)]);
        }
        Graph { title: "work".into(), unit: "keys", curves }
    }

    #[test]
    fn points_become_curves_without_the_second_reference() {
        let curves = graph(&[(1.0, 2.0), (10.0, 8.0)]).curves;
        assert_eq!(curves.len(), 2);
        assert_eq!(curves[0].points, [(1.0, 2.0), (10.0, 8.0)]);
    }

    #[test]
    fn who_grows_is_named_and_who_does_not_is_not() {
        let said = graph(&[(1.0, 2.0), (10.0, 2.9), (100.0, 8.7)]).growth();
        assert_eq!(said, ["SUPER-LINEAR: work: a: 3.0 times the CPU per step, 10 to 100 keys"]);
    }

    #[test]
    fn a_table_has_a_column_for_each_size() {
        let table = graph(&[(1.0, 2.0), (10.0, 8.0)]).table();
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(lines, ["|  | 1 | 10 |", "|---|---|---|", "| a | 2.00 | 8.00 |", "| b | 1.00 | 1.00 |"]);
    }
}
