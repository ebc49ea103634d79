//! The tables a comparison prints.

use std::fmt::Write;

use super::{Figure, Interval, Role, Series};

/// One row per contender: the value of each figure, how many times better the first contender is, and, if there is a
/// floor, how many times that the first figure is.
///
/// # Panics
/// If there is no series, or one without rounds.
#[must_use]
pub fn table(title: &str, figures: &[Figure], series: &[Series]) -> String {
    let reference = series.first().expect("a comparison has a reference");
    let floor = series.iter().find(|s| s.role == Role::Floor);
    let mut out = format!("{title}\n{:<36}", "");
    for figure in figures {
        out.push_str(&cell(figure.name, if compared(*figure) { "ratio" } else { "" }, *figure));
    }
    out.push_str(floor.map_or("", |_| "  x floor"));
    let mut out = ended(out);
    for s in series {
        let mut line = format!("  {:<34}", s.name);
        for (column, (figure, rounds)) in figures.iter().zip(&s.rounds).enumerate() {
            let is_peer = !std::ptr::eq(s, reference) && s.role != Role::Floor;
            let ratio = if is_peer { s.ratio(*figure, column, reference) } else { None };
            let ratio = ratio.map_or(String::new(), |ratio| ratio.to_string());
            line.push_str(&cell(&number(figure.value(rounds)), &ratio, *figure));
        }
        line.push_str(&floor.map_or(String::new(), |floor| format!("{:>9}", number(s.times(floor)))));
        out.push_str(&ended(line));
    }
    out
}

fn compared(figure: Figure) -> bool {
    figure.better != super::Better::Neither
}

/// A value and the place for its ratio, if it has one: wide enough for an interval, or for a single number.
fn cell(value: &str, ratio: &str, figure: Figure) -> String {
    match (compared(figure), figure.over) {
        (false, _) => format!(" {value:>9}"),
        (true, super::Over::Median) => format!(" {value:>11} {ratio:<21}"),
        (true, super::Over::Best) => format!(" {value:>9} {ratio:<7}"),
    }
}

/// The line without what only fills it.
fn ended(line: String) -> String {
    let mut line = line;
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

/// Three digits or more, whatever the size.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, low, high } = *self;
        match (median.is_finite(), low < high) {
            // Nothing divided by nothing, or something by nothing.
            (false, _) => f.write_str("-"),
            (true, false) => write!(f, "{}x", number(median)),
            (true, true) => write!(f, "{}x [{} .. {}]", number(median), number(low), number(high)),
        }
    }
}

/// Over several workloads, the geometric mean of each figure's ratio, one row per contender but the first.
///
/// # Panics
/// If the workloads have different contenders, or a series has no rounds.
#[must_use]
pub fn means(figures: &[Figure], workloads: &[Vec<Series>]) -> String {
    let mut out = String::new();
    let contenders = workloads.first().map_or(0, Vec::len);
    for i in (1..contenders).filter(|&i| workloads[0][i].role != Role::Floor) {
        write!(out, "  {:<34}", workloads[0][i].name).expect("a String takes every write");
        for (column, figure) in figures.iter().enumerate() {
            let ratio = |w: &Vec<Series>| w[i].ratio(*figure, column, &w[0]);
            let ratios: Vec<_> = workloads.iter().filter_map(ratio).map(|ratio| ratio.median).collect();
            let mean = number(geometric_mean(&ratios));
            write!(out, "  {} {mean}x", figure.name).expect("a String takes every write");
        }
        out.push('\n');
    }
    out
}

fn geometric_mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    (values.iter().copied().map(f64::ln).sum::<f64>() / n).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: [Figure; 3] = [Figure::less("ms"), Figure::least("best"), Figure::fact("threads")];

    fn series(name: &str, ms: f64) -> Series {
        let rounds = vec![vec![ms, 1.5 * ms], vec![ms; 2], vec![3.0; 2]];
        Series { name: name.to_owned(), role: Role::Contender, rounds, passes: vec![2] }
    }

    #[test]
    fn the_floor_has_no_ratio_and_the_others_are_multiples_of_it() {
        let floor = Series { role: Role::Floor, ..series("floor", 2.0) };
        let text = table("yield", &FIGURES, &[series("tidemill", 5.0), series("tokio", 10.0), floor]);
        let last = |line: usize| text.lines().nth(line).and_then(|line| line.split_whitespace().last());
        assert_eq!([last(1), last(2), last(3), last(4)], [Some("floor"), Some("2.50"), Some("5.00"), Some("1.00")]);
        assert!(text.lines().nth(4).is_some_and(|line| !line.contains("1.00x")), "{text}");
    }

    #[test]
    fn the_reference_has_no_ratio_and_the_others_do() {
        let text = table("yield", &FIGURES, &[series("tidemill", 5.0), series("tokio", 10.0)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "yield");
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["ms", "ratio", "best", "ratio", "threads"]);
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["tidemill", "6.25", "5.00", "3.00"], "{text}");
        assert_eq!(
            lines[3].split_whitespace().collect::<Vec<_>>(),
            ["tokio", "12.5", "2.00x", "10.0", "2.00x", "3.00"]
        );
    }

    #[test]
    fn means_are_geometric_and_per_contender() {
        let a = vec![series("tidemill", 1.0), series("tokio", 2.0), series("other", 1.0)];
        let b = vec![series("tidemill", 2.0), series("tokio", 16.0), series("other", 2.0)];
        let text = means(&FIGURES[..2], &[a, b]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains("tokio") && lines[0].matches("4.00x").count() == 2, "{text}");
        assert!(lines[1].contains("other") && lines[1].matches("1.00x").count() == 2, "{text}");
    }

    #[test]
    fn nothing_compared_no_rows() {
        assert_eq!(means(&FIGURES, &[]), "");
    }

    #[test]
    fn a_ratio_says_how_sure_it_is_and_nothing_that_it_does_not_know() {
        for (interval, expected) in [
            (Interval { median: 1.5, low: 1.4, high: 16.0 }, "1.50x [1.40 .. 16.0]"),
            (Interval::exactly(250.4), "250x"),
            (Interval::exactly(f64::NAN), "-"),
            (Interval { median: f64::INFINITY, low: 1.0, high: f64::INFINITY }, "-"),
        ] {
            assert_eq!(interval.to_string(), expected);
        }
    }
}
