//! Which charts a report has.

use super::axis::{Axis, Scale};
use super::chart::{self, Line};
use crate::{Curve, Report, Rung, Steps, Variant};

/// A chart with the text that belongs around it.
pub(crate) struct Picture {
    pub(crate) title: &'static str,
    pub(crate) caption: &'static str,
    pub(crate) keys: Vec<Key>,
    pub(crate) svg: String,
}

/// One entry of a legend.
pub(crate) struct Key {
    pub(crate) variant: Variant,
    pub(crate) dashed: bool,
    pub(crate) label: String,
}

const OFFERED: Axis = Axis { label: "offered, orders/s", scale: Scale::Log };

/// The charts of which the report has data, in the order shown.
pub(crate) fn pictures(report: &Report) -> Vec<Picture> {
    [latency(&report.latency), throughput(&report.throughput), accepted(&report.ladder), knee(&report.ladder)]
        .into_iter()
        .flatten()
        .collect()
}

fn latency(curves: &[Curve]) -> Option<Picture> {
    let keys = curves.iter().map(|curve| Key {
        variant: curve.variant,
        dashed: curve.dashed,
        label: format!("{}, {}", curve.variant.name(), curve.label),
    });
    let lines: Vec<_> = curves
        .iter()
        .map(|curve| Line { variant: curve.variant, dashed: curve.dashed, dots: false, points: curve.points.clone() })
        .collect();
    picture(
        "Latency",
        "Time from the moment an order was due to be sent until its answer: a stalled server cannot hide behind a client \
         that waits for it. Both scales are logarithmic.",
        keys.collect(),
        Axis { label: "percentile of orders", scale: Scale::Nines },
        Axis { label: "milliseconds", scale: Scale::Log },
        &lines,
    )
}

fn throughput(series: &[Steps]) -> Option<Picture> {
    let lines: Vec<_> = series
        .iter()
        .map(|steps| Line { variant: steps.variant, dashed: false, dots: false, points: steps.points.clone() })
        .collect();
    picture(
        "Throughput, saturated",
        "Orders accepted, which is to say committed, per second, with every connection always busy.",
        plain_keys(&lines),
        Axis { label: "seconds", scale: Scale::Linear },
        Axis { label: "orders/s", scale: Scale::Linear },
        &lines,
    )
}

fn accepted(ladder: &[Rung]) -> Option<Picture> {
    let lines = rungs(ladder, |rung| rung.accepted);
    picture(
        "Accepted over offered",
        "Each dot is one open-loop run. Past its capacity a good server goes on accepting at its peak and sheds the rest.",
        plain_keys(&lines),
        OFFERED,
        Axis { label: "accepted, orders/s", scale: Scale::Log },
        &lines,
    )
}

fn knee(ladder: &[Rung]) -> Option<Picture> {
    let lines = rungs(ladder, |rung| rung.p99_ms);
    picture(
        "p99 over offered",
        "The knee of each curve is the server's usable capacity.",
        plain_keys(&lines),
        OFFERED,
        Axis { label: "p99, milliseconds", scale: Scale::Log },
        &lines,
    )
}

/// `None` without data.
fn picture(
    title: &'static str,
    caption: &'static str,
    keys: Vec<Key>,
    x: Axis,
    y: Axis,
    lines: &[Line],
) -> Option<Picture> {
    let empty = lines.iter().all(|line| line.points.is_empty());
    (!empty).then(|| Picture { title, caption, keys, svg: chart::draw(x, y, lines) })
}

/// One line per variant, by rising offer.
fn rungs(ladder: &[Rung], value: impl Fn(&Rung) -> f64) -> Vec<Line> {
    let line = |variant| {
        let mut points: Vec<_> =
            ladder.iter().filter(|rung| rung.variant == variant).map(|rung| (rung.offered, value(rung))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Line { variant, dashed: false, dots: true, points }
    };
    Variant::ALL.map(line).into_iter().filter(|line| !line.points.is_empty()).collect()
}

fn plain_keys(lines: &[Line]) -> Vec<Key> {
    let key = |line: &Line| Key { variant: line.variant, dashed: line.dashed, label: line.variant.name().to_owned() };
    lines.iter().map(key).collect()
}
