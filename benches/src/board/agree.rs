//! Do two runs say the same? Reads the `results.json` of both and compares the ratios that they have in common.
//!
//! Two 95 % intervals of the same ratio overlap nearly always if the runs were as sure as they say; where they do not, the
//! machine was in a state that the run with the narrow interval has not seen. The stricter question is printed too: how many
//! medians lie within the *other* run's interval. Of honest 95 % intervals that is some 83 in a hundred, since the other median scatters
//! as well. An interval of a single round is none and is left out.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde_json::Value;

use crate::compare::Interval;

/// The interval of each comparison, by its name.
type Ratios = BTreeMap<String, Interval>;

/// Prints what differs, and how many comparisons there were.
///
/// # Errors
/// A file cannot be read, or more than one comparison in twenty differs.
pub(super) fn run(one: &Path, other: &Path) -> io::Result<()> {
    let (one, other) = (read(one)?, read(other)?);
    let common = one.iter().filter_map(|(name, a)| Some((name, *a, *other.get(name)?)));
    let (mut compared, mut differ, mut within) = (0, 0, 0);
    for (name, a, b) in common {
        compared += 1;
        within += u32::from(holds(a, b.median)) + u32::from(holds(b, a.median));
        if a.high < b.low || b.high < a.low {
            differ += 1;
            println!("{name}: {a} and {b}");
        }
    }
    println!("{compared} comparisons in both runs, of which {differ} have intervals that do not meet");
    let share = 50.0 * f64::from(within) / f64::from(compared.max(1));
    println!("{share:.0} % of the medians lie within the other run's interval");
    let share = f64::from(differ) / f64::from(compared.max(1));
    if compared > 0 && share <= 0.05 { Ok(()) } else { Err(io::Error::other("the runs do not agree")) }
}

fn holds(interval: Interval, value: f64) -> bool {
    interval.low <= value && value <= interval.high
}

fn read(path: &Path) -> io::Result<Ratios> {
    let named = |why: String| io::Error::other(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let results: Value = serde_json::from_str(&text).map_err(|error| named(error.to_string()))?;
    ratios(&results).ok_or_else(|| named("is not the results of a run".into()))
}

fn ratios(results: &Value) -> Option<Ratios> {
    let one = |finding: &Value| {
        let text = |key: &str| finding[key].as_str();
        let name = format!("{}: {}: {}", text("row")?, text("table")?, text("contender")?);
        let end = |key: &str| finding["ratio"][key].as_f64();
        Some((name, Interval { median: end("median")?, low: end("low")?, high: end("high")? }))
    };
    let found: Option<Ratios> = results["findings"].as_array()?.iter().map(one).collect();
    Some(found?.into_iter().filter(|(_, ratio)| ratio.low < ratio.high).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{env, process};

    use super::*;

    /// A file of results with a ratio for each row.
    fn file(name: &str, ratios: &[(f64, f64)]) -> std::path::PathBuf {
        let finding = |(row, (low, high)): (usize, &(f64, f64))| {
            format!(r#"{{"row":"{row}","table":"t","contender":"c","ratio":{{"median":1,"low":{low},"high":{high}}}}}"#)
        };
        let findings: Vec<_> = ratios.iter().enumerate().map(finding).collect();
        let path = env::temp_dir().join(format!("tidemill-agree-{}-{name}.json", process::id()));
        fs::write(&path, format!(r#"{{"findings":[{}]}}"#, findings.join(","))).unwrap();
        path
    }

    #[test]
    fn intervals_that_meet_agree() {
        let (a, b) = (file("a", &[(1.0, 2.0), (3.0, 4.0)]), file("b", &[(1.9, 2.5), (3.5, 3.6)]));
        let c = file("c", &[(2.1, 2.5), (3.0, 4.0)]);
        assert!(run(&a, &b).is_ok());
        assert!(run(&a, &c).is_err());
        assert!(run(&a, Path::new("/nowhere.json")).is_err_and(|error| error.to_string().contains("/nowhere.json")));
        for path in [a, b, c] {
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn something_else_is_no_result() {
        assert_eq!(ratios(&Value::Null), None);
    }
}
