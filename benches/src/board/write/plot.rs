//! Plots that can be read without the text: ratios with their intervals, and cost over size.
//!
//! A chart of ratios has a line for each table and a dot for each peer; what lies right of the line at 1 is better than the
//! peer, what lies left of it is worse, and the grey band is the noise of that table. Both axes of the other kind are logarithmic, so
//! that a cost that grows with the size in proportion is a straight line of the same slope everywhere.

use std::{error::Error, io, ops::Range, path::Path};

use plotters::{
    coord::{Shift, combinators::IntoLogRange},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{findings, noise_of, put};
use crate::{
    board::{Row, Table},
    compare::{Interval, number},
};

/// Colours that people with any eyes can tell apart (Okabe and Ito), the darkest first.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);
const WORSE: RGBColor = RGBColor(253, 240, 237);
const NOISE: RGBColor = RGBColor(205, 205, 205);

const WIDTH: u32 = 1000;
/// Height of one line of a chart of ratios, of a line of the legend, and of what is below the lines.
const LINE: u32 = 30;
const LEGEND: u32 = 24;
const BELOW: u32 = 62;
const RIGHT: u32 = 70;
/// Of the lines' names: as wide as the longest needs, by the mean width of a letter, but not without a bound.
const LABELS: std::ops::RangeInclusive<u32> = 120..=500;
const LETTER: f64 = 7.2;

/// An axis that ends before this has its ticks at powers of two.
const DOUBLED: f64 = 64.0;

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One dot.
#[derive(Debug, Clone)]
pub(in crate::board) struct Mark {
    pub(in crate::board) peer: String,
    pub(in crate::board) ratio: Interval,
}

/// One line of a chart of ratios.
#[derive(Debug, Clone)]
pub(in crate::board) struct Chart {
    pub(in crate::board) label: String,
    pub(in crate::board) marks: Vec<Mark>,
    pub(in crate::board) noise: Option<Interval>,
}

/// A line of measured points.
#[derive(Debug, Clone)]
pub(in crate::board) struct Line {
    pub(in crate::board) name: String,
    pub(in crate::board) points: Vec<(f64, f64)>,
}

/// Draws a chart of ratios for each row that has any; gives the paths relative to `out`.
///
/// # Errors
/// The system's.
pub(super) fn write(out: &Path, rows: &[Row], tables: &[Table]) -> io::Result<Vec<(&'static str, String)>> {
    let mut written = Vec::new();
    for row in rows {
        let charts: Vec<_> = tables.iter().filter(|table| table.row == row.name).filter_map(chart).collect();
        if charts.is_empty() {
            continue;
        }
        let path = format!("plots/{}.svg", row.name);
        let first = tables.iter().find(|table| table.row == row.name).and_then(|table| table.series.first());
        let first = first.map_or("", |series| series.name.as_str());
        put(&out.join(&path), &ratios(row.name, first, &charts))?;
        written.push((row.name, path));
    }
    Ok(written)
}

fn chart(table: &Table) -> Option<Chart> {
    let marks: Vec<_> = findings(table).into_iter().map(|f| Mark { peer: f.contender, ratio: f.ratio }).collect();
    let figure = *table.figures.first()?;
    let label = format!("{} ({})", table.title, figure.name);
    (!marks.is_empty()).then(|| Chart { label, marks, noise: noise_of(figure, &table.series) })
}

/// Draws the ratios of a row to whoever is its `first`.
pub(in crate::board) fn ratios(row: &str, first: &str, charts: &[Chart]) -> String {
    let peers = distinct(charts.iter().flat_map(|chart| &chart.marks).map(|mark| mark.peer.as_str()));
    let height = top(&peers) + LINE * charts.len() as u32 + BELOW;
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    draw_ratios(&area, (row, first), &peers, charts).expect("drawing into a string does no I/O, and no range is empty");
    drop(area);
    svg
}

fn draw_ratios(area: &Area<'_>, (row, first): (&str, &str), peers: &[&str], charts: &[Chart]) -> Drawn {
    area.fill(&WHITE)?;
    head(area, &format!("{row}: {first} beside the others"), peers)?;
    let (range, lines, top) = (range(charts), charts.len() as f64, top(peers));
    let longest = charts.iter().map(|chart| chart.label.chars().count()).max().unwrap_or(0);
    let labels = ((LETTER * (longest + 1) as f64) as u32 + 20).clamp(*LABELS.start(), *LABELS.end());
    let mut plane = ChartBuilder::on(area)
        .margin_top(top)
        .margin_right(RIGHT)
        .x_label_area_size(BELOW - 8)
        .y_label_area_size(labels)
        .build_cartesian_2d(range.clone().log_scale().base(2.0), -lines..0.0)?;
    let worse = Rectangle::new([(range.start, -lines), (1.0, 0.0)], WORSE.filled());
    plane.draw_series([worse])?;
    plane
        .configure_mesh()
        .y_labels(0)
        .disable_y_mesh()
        .x_label_formatter(&|ratio| times(*ratio))
        .x_desc("dot: median ratio; line: its 95 % interval; grey: the noise, which is the first one beside itself")
        .label_style(("sans-serif", 15).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .draw()?;
    plane.draw_series([PathElement::new([(1.0, -lines), (1.0, 0.0)], INK.stroke_width(2))])?;
    for (i, chart) in charts.iter().enumerate() {
        let middle = -(i as f64) - 0.5;
        let clip = |value: f64| value.clamp(range.start, range.end);
        if let Some(noise) = chart.noise {
            let band = [(clip(noise.low), middle - 0.38), (clip(noise.high), middle + 0.38)];
            plane.draw_series([Rectangle::new(band, NOISE.mix(0.6).filled())])?;
        }
        for (n, mark) in chart.marks.iter().enumerate() {
            let at = middle + 0.5 * ((n as f64 + 0.5) / chart.marks.len() as f64 - 0.5);
            let colour = colour(peers, &mark.peer);
            let whisker = [(clip(mark.ratio.low), at), (clip(mark.ratio.high), at)];
            plane.draw_series([PathElement::new(whisker, colour.stroke_width(3))])?;
            plane.draw_series([Circle::new((clip(mark.ratio.median), at), 5, colour.filled())])?;
        }
        let (_, y) = plane.backend_coord(&(1.0, middle));
        let left = style(15).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(shortened(&chart.label, labels), (labels as i32 - 10, y), left))?;
        let least = chart.marks.iter().map(|mark| mark.ratio.median).fold(f64::INFINITY, f64::min);
        let right = style(15).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(format!("{}x", number(least)), ((WIDTH - RIGHT) as i32 + 8, y), right))?;
    }
    let (one, above) = (plane.backend_coord(&(1.0, 0.0)).0, top as i32 - 10);
    let side = |side| style(14).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new("the other is better", (one - 12, above), side(HPos::Right)))?;
    area.draw(&Text::new(format!("{first} is better"), (one + 12, above), side(HPos::Left)))?;
    area.draw(&Text::new("least", ((WIDTH - RIGHT) as i32 + 8, above), side(HPos::Left)))?;
    area.present()?;
    Ok(())
}

/// The title, and a legend below it.
fn head(area: &Area<'_>, title: &str, names: &[&str]) -> Drawn {
    area.draw(&Text::new(title.to_owned(), (16, 14), style(21)))?;
    for (name, (x, y)) in names.iter().zip(places(names)) {
        area.draw(&Circle::new((x + 6, y), 6, colour(names, name).filled()))?;
        area.draw(&Text::new((*name).to_owned(), (x + 18, y - 8), style(15)))?;
    }
    Ok(())
}

/// Where the names of the legend stand: in as many lines as they need.
fn places(names: &[&str]) -> Vec<(i32, i32)> {
    let (mut x, mut y) = (18, 54);
    let place = |name: &&str| {
        let width = 40 + (LETTER * name.chars().count() as f64) as i32;
        if x > 18 && x + width > WIDTH as i32 {
            (x, y) = (18, y + LEGEND as i32);
        }
        x += width;
        (x - width, y)
    };
    names.iter().map(place).collect()
}

/// Height of what is above the lines.
fn top(names: &[&str]) -> u32 {
    places(names).last().map_or(54, |(_, y)| *y as u32) + 38
}

/// As much of a name as there is room for, its end, which tells it from its neighbours.
fn shortened(label: &str, width: u32) -> String {
    let (room, letters) = ((f64::from(width - 20) / LETTER) as usize, label.chars().count());
    if letters <= room { label.to_owned() } else { label.chars().skip(letters - room).collect() }
}

/// A ratio at the axis: a power of two.
fn times(ratio: f64) -> String {
    if ratio < 1.0 { format!("1/{}", trimmed(1.0 / ratio)) } else { format!("{}x", trimmed(ratio)) }
}

/// Draws cost over size.
pub(in crate::board) fn lines(title: &str, x: &str, y: &str, lines: &[Line]) -> String {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, 520)).into_drawing_area();
    draw_lines(&area, title, (x, y), lines).expect("drawing into a string does no I/O, and no range is empty");
    drop(area);
    svg
}

fn draw_lines(area: &Area<'_>, title: &str, (x, y): (&str, &str), lines: &[Line]) -> Drawn {
    area.fill(&WHITE)?;
    let names = distinct(lines.iter().map(|line| line.name.as_str()));
    head(area, title, &names)?;
    let points = || lines.iter().flat_map(|line| &line.points);
    let (xs, ys) = (exactly(points().map(|point| point.0)), around(points().map(|point| point.1)));
    // Workers double, sizes grow tenfold.
    let base = if xs.end < DOUBLED { 2.0 } else { 10.0 };
    let mut plane = ChartBuilder::on(area)
        .margin_top(top(&names))
        .margin_left(14)
        .margin_right(40)
        .x_label_area_size(50)
        .y_label_area_size(90)
        .build_cartesian_2d(xs.log_scale().base(base), ys.log_scale())?;
    plane
        .configure_mesh()
        .x_label_formatter(&|value| trimmed(*value))
        .y_label_formatter(&|value| trimmed(*value))
        .x_desc(x)
        .y_desc(y)
        .label_style(("sans-serif", 15).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .draw()?;
    for line in lines {
        let colour = colour(&names, &line.name);
        plane.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(3)))?;
        plane.draw_series(line.points.iter().map(|&point| Circle::new(point, 5, colour.filled())))?;
    }
    area.present()?;
    Ok(())
}

fn style(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

fn colour(names: &[&str], name: &str) -> RGBColor {
    let place = names.iter().position(|known| *known == name).unwrap_or(0);
    COLOURS[place % COLOURS.len()]
}

/// Powers of two that hold every ratio and 1, and never more than a thousandfold either way; an interval is cut where it leads
/// more than fourfold away.
fn range(charts: &[Chart]) -> Range<f64> {
    let ratios = || charts.iter().flat_map(|chart| &chart.marks).map(|mark| mark.ratio);
    let least = |ratio: Interval| ratio.low.max(ratio.median / 4.0);
    let most = |ratio: Interval| ratio.high.min(4.0 * ratio.median);
    let low = ratios().map(least).fold(0.7, f64::min).max(1e-3).log2().floor();
    let high = ratios().map(most).fold(1.5, f64::max).min(1e4).log2().ceil();
    low.exp2()..high.exp2()
}

/// Powers of ten that hold every value.
fn around(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let low = values.clone().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
    let high = values.fold(0.0, f64::max);
    if low > high {
        return 1.0..10.0;
    }
    let low = low.log10().floor();
    10_f64.powf(low)..10_f64.powf(high.log10().ceil().max(low + 1.0))
}

/// From the least to a little more than the largest value.
fn exactly(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE);
    low..1.1 * values.fold(low, f64::max)
}

/// Ticks are round: zeros behind the point say nothing.
fn trimmed(value: f64) -> String {
    let rounded = (value * 1e4).round() / 1e4;
    if rounded >= 1e6 { format!("{rounded:.0e}") } else { format!("{rounded}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(medians: &[f64]) -> Chart {
        let ratio = |&median: &f64| Interval { median, low: 0.9 * median, high: 1.1 * median };
        let mark = |(i, median)| Mark { peer: format!("peer {i}"), ratio: ratio(median) };
        Chart {
            label: "a workload".into(),
            marks: medians.iter().enumerate().map(mark).collect(),
            noise: Some(ratio(&1.0)),
        }
    }

    #[test]
    fn every_peer_label_and_number_is_in_the_picture() {
        let svg = ratios("row", "tidemill", &[chart(&[2.0, 0.5]), chart(&[4000.0])]);
        for text in ["row: tidemill beside", "peer 0", "peer 1", "a workload", "0.50x", "4000x", "tidemill is better"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<circle").count(), 3 + 2, "three dots, two in the legend");
    }

    #[test]
    fn a_long_legend_has_more_lines_and_stays_within() {
        let names = ["a name of thirty characters ..."; 5];
        let places = places(&names);
        assert_eq!(places[0], (18, 54));
        assert!(places.iter().all(|(x, _)| *x < WIDTH as i32 - 250), "{places:?}");
        assert!(top(&names) > top(&names[..1]));
        assert_eq!((times(0.0625), times(8.0)), ("1/16".to_owned(), "8x".to_owned()));
        assert_eq!(shortened("too long for this", 70), "r this");
        assert_eq!(shortened("it fits", 80), "it fits");
    }

    #[test]
    fn ranges_hold_the_values_and_one() {
        assert_eq!(range(&[chart(&[3.0])]), 0.5..4.0);
        assert_eq!(range(&[chart(&[0.2])]), 0.125..2.0);
        assert_eq!(around([3.0, 400.0].into_iter()), 1.0..1000.0);
        assert_eq!(around([].into_iter()), 1.0..10.0);
        assert_eq!(exactly([2.0, 10.0].into_iter()), 2.0..11.0);
    }

    #[test]
    fn cost_over_size_has_a_dot_for_each_point() {
        let line = Line { name: "tidemill".into(), points: vec![(1.0, 10.0), (10.0, 100.0)] };
        let svg = lines("growth", "size", "ms", &[line]);
        assert_eq!(svg.matches("<circle").count(), 2 + 1);
    }
}
