//! What the paths may cost: a table in a text file, and how it is compared.

use std::{collections::BTreeMap, fmt};

/// From the root.
pub(super) const PATH: &str = "benches/gate/baseline.txt";

/// What one operation costs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cost {
    pub(super) name: String,
    /// `None` where valgrind is missing.
    pub(super) instructions: Option<f64>,
    pub(super) allocations: f64,
}

/// The table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Baseline {
    compiler: String,
    costs: BTreeMap<String, Cost>,
}

/// A path that costs too much, or is not in the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) name: String,
    what: String,
}

/// How much dearer a path may be, as a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tolerance(f64);

/// The same compiler makes the same code; the runtime's other threads are counted now and then.
const SAME_COMPILER: f64 = 0.05;

/// Another compiler inlines otherwise.
const OTHER_COMPILER: f64 = 0.25;

/// Instructions that are nothing, however short the path is.
const FEW: f64 = 2.0;

/// Allocations per operation that are nothing: a queue that grows once in a thousand operations.
const RARE: f64 = 0.02;

impl Tolerance {
    pub(super) fn because(self, known: &Baseline, compiler: &str) -> String {
        let percent = self.0 * 100.0;
        if known.compiler == compiler {
            format!("the baseline's own compiler, {compiler}: {percent} % more are allowed")
        } else {
            format!("the baseline is of {}, this is {compiler}: {percent} % more are allowed", known.compiler)
        }
    }

    fn allows(self, instructions: f64, known: f64) -> bool {
        instructions <= known * (1.0 + self.0) + FEW
    }
}

impl Baseline {
    pub(super) fn new(compiler: String, costs: Vec<Cost>) -> Self {
        Self { compiler, costs: costs.into_iter().map(|cost| (cost.name.clone(), cost)).collect() }
    }

    /// # Errors
    /// A line is not of the form that is written.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let compiler =
            text.lines().find_map(|line| line.strip_prefix(COMPILER)).ok_or("the baseline names no compiler")?;
        let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let costs = rows.map(parse_row).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(compiler.to_owned(), costs))
    }

    pub(super) fn tolerance(&self, compiler: &str) -> Tolerance {
        Tolerance(if self.compiler == compiler { SAME_COMPILER } else { OTHER_COMPILER })
    }

    /// All that is wrong: paths that are dearer, unknown, or gone.
    pub(super) fn compare(&self, costs: &[Cost], tolerance: Tolerance) -> Vec<Finding> {
        let gone = self.costs.keys().filter(|name| costs.iter().all(|cost| cost.name != **name));
        let gone = gone.map(|name| finding(name, "is in the baseline and is counted no more"));
        self.compare_those(costs, tolerance).into_iter().chain(gone).collect()
    }

    /// The same where only some paths are counted.
    pub(super) fn compare_those(&self, costs: &[Cost], tolerance: Tolerance) -> Vec<Finding> {
        costs.iter().filter_map(|cost| self.fault(cost, tolerance)).collect()
    }

    fn fault(&self, cost: &Cost, tolerance: Tolerance) -> Option<Finding> {
        let Some(known) = self.costs.get(&cost.name) else {
            return Some(finding(&cost.name, "is not in the baseline: `cargo xtask bless` adds it"));
        };
        if cost.allocations > known.allocations + RARE {
            let what = format!("{:.2} allocations, {:.2} in the baseline", cost.allocations, known.allocations);
            return Some(finding(&cost.name, &what));
        }
        let (now, before) = (cost.instructions?, known.instructions?);
        let what = format!("{now:.0} instructions, {before:.0} in the baseline");
        (!tolerance.allows(now, before)).then(|| finding(&cost.name, &what))
    }

    /// Paths that are cheaper by more than the tolerance.
    pub(super) fn cheaper(&self, costs: &[Cost], tolerance: Tolerance) -> Vec<String> {
        let is_cheaper = |cost: &&Cost| {
            let known = self.costs.get(&cost.name);
            let instructions = known.and_then(|known| Some((known.instructions?, cost.instructions?)));
            instructions.is_some_and(|(known, now)| !tolerance.allows(known, now))
                || known.is_some_and(|known| known.allocations > cost.allocations + RARE)
        };
        costs.iter().filter(is_cheaper).map(|cost| cost.name.clone()).collect()
    }

    /// A cost and what it was.
    pub(super) fn beside(&self, cost: &Cost) -> String {
        let count = |cost: &Cost| cost.instructions.map_or("-".to_owned(), |count| format!("{count:.0}"));
        let known = self
            .costs
            .get(&cost.name)
            .map_or(String::new(), |known| format!("   baseline {:>6} {:>6.2}", count(known), known.allocations));
        format!("{:<18} {:>6} instructions {:>6.2} allocations{known}", cost.name, count(cost), cost.allocations)
    }
}

/// The lesser of two counts of each path: what is disturbed counts too much, never too little.
pub(super) fn least(costs: Vec<Cost>, again: &[Cost]) -> Vec<Cost> {
    let lesser = |cost: Cost| match again.iter().find(|other| other.name == cost.name) {
        Some(other) => Cost {
            instructions: cost.instructions.zip(other.instructions).map(|(a, b)| a.min(b)),
            allocations: cost.allocations.min(other.allocations),
            ..cost
        },
        None => cost,
    };
    costs.into_iter().map(lesser).collect()
}

fn finding(name: &str, what: &str) -> Finding {
    Finding { name: name.to_owned(), what: what.to_owned() }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

/// What the line with the compiler begins with.
const COMPILER: &str = "# compiler: ";

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Instructions and allocations per operation. Written by `cargo xtask bless`; see README.md.")?;
        writeln!(f, "{COMPILER}{}", self.compiler)?;
        for Cost { name, instructions, allocations } in self.costs.values() {
            writeln!(f, "{name:<18} {:>8.1} {allocations:>6.2}", instructions.unwrap_or_default())?;
        }
        Ok(())
    }
}

fn parse_row(line: &str) -> Result<Cost, String> {
    let mut words = line.split_whitespace();
    let (name, mut number) = (words.next().unwrap_or_default().to_owned(), || words.next()?.parse().ok());
    let wrong = || format!("the baseline's line `{line}` is not: name, instructions, allocations");
    Ok(Cost { name, instructions: Some(number().ok_or_else(wrong)?), allocations: number().ok_or_else(wrong)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(name: &str, instructions: f64, allocations: f64) -> Cost {
        Cost { name: name.to_owned(), instructions: Some(instructions), allocations }
    }

    fn baseline() -> Baseline {
        Baseline::new("rustc 1".to_owned(), vec![cost("spawn", 1_000.0, 1.0), cost("get", 40.0, 0.0)])
    }

    #[test]
    fn the_table_is_read_as_it_is_written() {
        assert_eq!(Baseline::parse(&baseline().to_string()), Ok(baseline()));
        for (text, expected) in [("get 1 2\n", "no compiler"), ("# compiler: x\nget one 2\n", "`get one 2`")] {
            assert!(Baseline::parse(text).is_err_and(|fault| fault.contains(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_dearer_beyond_the_tolerance_is_found() {
        let tolerance = baseline().tolerance("rustc 1");
        for (spawn, get, expected) in [
            ((1_000.0, 1.0), (40.0, 0.0), 0),
            ((1_040.0, 1.01), (44.0, 0.0), 0),
            ((1_060.0, 1.0), (40.0, 0.0), 1),
            ((1_000.0, 1.1), (40.0, 0.0), 1),
            ((900.0, 1.0), (45.0, 0.0), 1),
            ((2_000.0, 1.0), (80.0, 1.0), 2),
        ] {
            let costs = [cost("spawn", spawn.0, spawn.1), cost("get", get.0, get.1)];
            assert_eq!(baseline().compare(&costs, tolerance).len(), expected, "{costs:?}");
        }
    }

    #[test]
    fn another_compiler_is_allowed_more() {
        let costs = [cost("spawn", 1_200.0, 1.0), cost("get", 40.0, 0.0)];
        assert_eq!(baseline().compare(&costs, baseline().tolerance("rustc 1")).len(), 1);
        assert_eq!(baseline().compare(&costs, baseline().tolerance("rustc 2")).len(), 0);
    }

    #[test]
    fn new_and_lost_paths_are_found() {
        let found = baseline().compare(&[cost("spawn", 1.0, 0.0), cost("new", 1.0, 0.0)], Tolerance(0.0));
        let names: Vec<_> = found.iter().map(|finding| finding.name.as_str()).collect();
        assert_eq!(names, ["new", "get"]);
    }

    #[test]
    fn without_valgrind_only_allocations_count() {
        let blind = |allocations| Cost { instructions: None, ..cost("spawn", 0.0, allocations) };
        let tolerance = Tolerance(0.0);
        assert!(baseline().compare_those(&[blind(1.0)], tolerance).is_empty());
        assert_eq!(baseline().compare_those(&[blind(2.0)], tolerance).len(), 1);
    }

    #[test]
    fn the_least_of_two_counts_stays_and_gains_are_named() {
        let costs = least(vec![cost("get", 30.0, 0.1)], &[cost("get", 44.0, 0.0)]);
        assert_eq!(costs, [cost("get", 30.0, 0.0)]);
        assert_eq!(baseline().cheaper(&costs, Tolerance(0.05)), ["get"]);
    }
}
