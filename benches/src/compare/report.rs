//! The tables a comparison prints.

use std::fmt::Write;

use super::{Interval, Ratios, Series, median};

/// One row per contender: milliseconds, and how much longer it took than the first, by each measure.
///
/// # Panics
/// If there is no series, or one without rounds.
#[must_use]
pub fn table(title: &str, series: &[Series]) -> String {
    let reference = series.first().expect("a comparison has a reference");
    let mut out =
        format!("{title:<40}  {:>8} {:>8} {:>8}  {:<21}  {:>6}  CPU\n", "ms", "best", "CPU ms", "ratio", "best");
    for s in series {
        write!(out, "  {:<38}  {:>8.2} {:>8.2} {:>8.2}", s.name, median(&s.wall), s.best, median(&s.cpu))
            .expect("a String takes every write");
        if !std::ptr::eq(s, reference) {
            let Ratios { wall, best, cpu } = s.against(reference);
            write!(out, "  {:<21}  {best:>5.2}x  {}", shown(wall), shown(cpu)).expect("a String takes every write");
        }
        out.push('\n');
    }
    out
}

fn shown(Interval { median, low, high }: Interval) -> String {
    format!("{median:.2}x [{low:.2} .. {high:.2}]")
}

/// Over several workloads, the geometric mean of each measure of each contender against the first, one row per contender.
///
/// # Panics
/// If the workloads have different contenders, or a series has no rounds.
#[must_use]
pub fn means(workloads: &[Vec<Series>]) -> String {
    let mut out = String::new();
    let contenders = workloads.first().map_or(0, Vec::len);
    for i in 1..contenders {
        let ratios: Vec<_> = workloads.iter().map(|w| w[i].against(&w[0])).collect();
        let mean = |measure: fn(&Ratios) -> f64| geometric_mean(ratios.iter().map(measure));
        let (wall, best, cpu) = (mean(|r| r.wall.median), mean(|r| r.best), mean(|r| r.cpu.median));
        writeln!(out, "  {:<24} wall {wall:.2}x  best {best:.2}x  CPU {cpu:.2}x", workloads[0][i].name)
            .expect("a String takes every write");
    }
    out
}

fn geometric_mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    (values.map(f64::ln).sum::<f64>() / n).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &'static str, ms: f64) -> Series {
        Series { name, wall: vec![ms; 4], cpu: vec![2.0 * ms; 4], best: ms }
    }

    #[test]
    fn the_reference_has_no_ratio_and_the_others_do() {
        let text = table("yield", &[series("tidemill", 5.0), series("tokio", 10.0)]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("yield"), "{text}");
        assert!(lines[1].contains("tidemill") && !lines[1].contains('x'), "{text}");
        assert_eq!(lines[2].matches("2.00x [2.00 .. 2.00]").count(), 2, "{text}");
    }

    #[test]
    fn means_are_geometric_and_per_contender() {
        let a = vec![series("tidemill", 1.0), series("tokio", 2.0), series("other", 1.0)];
        let b = vec![series("tidemill", 2.0), series("tokio", 16.0), series("other", 2.0)];
        let text = means(&[a, b]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains("tokio") && lines[0].matches("4.00x").count() == 3, "{text}");
        assert!(lines[1].contains("other") && lines[1].matches("1.00x").count() == 3, "{text}");
    }

    #[test]
    fn nothing_compared_no_rows() {
        assert_eq!(means(&[]), "");
    }
}
