//! Builds the package `gate`, runs it, and runs it under callgrind.

use std::{collections::BTreeMap, fs, path::Path};

use super::baseline::Cost;
use crate::{
    process::{cargo, program},
    workspace::Workspace,
};

/// How one gets valgrind.
pub(super) const INSTALL: &str = "apt-get install valgrind";

/// The functions of `benches/gate/src/main.rs` between which a lap lies.
const BEGIN: &str = "gate_lap";
const END: &str = "gate_end";

pub(super) fn has_valgrind(at: &Workspace) -> bool {
    program(at, Path::new("valgrind"), "--version").succeeds_silently()
}

/// With one of its features, or none.
pub(super) fn build(at: &Workspace, features: &str) -> Result<(), String> {
    let line = "build --quiet --package gate --profile gate";
    if features.is_empty() { cargo(at, line).run() } else { cargo(at, &format!("{line} --features {features}")).run() }
}

/// The costs of all paths, or `only` one.
pub(super) fn costs(at: &Workspace, only: &str) -> Result<Vec<Cost>, String> {
    let gate = at.target_for("gate").join("gate");
    let plain = program(at, &gate, only).read()?;
    let Allocations { ops, paths } = parse(&plain)?;
    let instructions = if has_valgrind(at) {
        laps(at, &gate, only)?
    } else {
        println!("SKIPPED: instructions are not counted, for valgrind is not here: {INSTALL}");
        Vec::new()
    };
    if !instructions.is_empty() && instructions.len() != paths.len() {
        return Err(format!("{} paths, and {} laps under callgrind", paths.len(), instructions.len()));
    }
    let cost = |(i, (name, allocations)): (usize, (String, f64))| Cost {
        name,
        instructions: instructions.get(i).map(|count| count / ops),
        allocations: allocations / ops,
    };
    Ok(paths.into_iter().enumerate().map(cost).collect())
}

/// What the program prints.
struct Allocations {
    ops: f64,
    paths: Vec<(String, f64)>,
}

fn parse(text: &str) -> Result<Allocations, String> {
    let wrong = || format!("the gate says something unknown: {text}");
    let mut lines = text.lines();
    let ops = lines.next().and_then(|line| line.parse().ok()).ok_or_else(wrong)?;
    let row = |line: &str| {
        let (name, count) = line.split_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    Ok(Allocations { ops, paths: lines.map(row).collect::<Option<_>>().ok_or_else(wrong)? })
}

/// Instructions of each lap, in order.
fn laps(at: &Workspace, gate: &Path, only: &str) -> Result<Vec<f64>, String> {
    let folder = at.target_for("gate").join("callgrind");
    // What an earlier run left there would be counted too.
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let options = format!("--tool=callgrind --dump-before=*{BEGIN}* --dump-before=*{END}* --log-file=/dev/null");
    let call = program(at, Path::new("valgrind"), &options);
    let call = call.arg(format!("--callgrind-out-file={}", folder.join("out").display())).arg(gate);
    if only.is_empty() {
        call.read()?
    } else {
        call.arg(only).read()?
    };
    let mut dumps = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(|why| format!("{}: {why}", folder.display()))?.filter_map(Result::ok) {
        let number = entry.file_name().to_string_lossy().rsplit('.').next().and_then(|number| number.parse().ok());
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        dumps.extend(number.zip(lap(&text)).map(|(number, count): (u32, f64)| (number, count)));
    }
    Ok(dumps.into_values().collect())
}

/// The instructions of a dump that ends a lap.
fn lap(dump: &str) -> Option<f64> {
    let field = |name: &str| dump.lines().find_map(|line| line.strip_prefix(name));
    field("desc: Trigger: ").filter(|trigger| trigger.contains(END))?;
    field("totals: ")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dumps_at_the_end_of_a_lap_count() {
        let dump = |function| format!("part: 2\ndesc: Trigger: --dump-before=gate::{function}\n\ntotals: 1234\n");
        assert_eq!((lap(&dump(END)), lap(&dump(BEGIN)), lap("totals: 5\n")), (Some(1234.0), None, None));
    }

    #[test]
    fn what_the_program_prints_is_read() {
        let read = parse("1000\nspawn 1001\nget 0\n").expect("it is well-formed");
        assert_eq!((read.ops, read.paths), (1000.0, vec![("spawn".to_owned(), 1001.0), ("get".to_owned(), 0.0)]));
        assert!(parse("1000\nspawn\n").is_err() && parse("").is_err());
    }

    #[test]
    fn the_program_has_the_marks() {
        let source = include_str!("../../../benches/gate/src/main.rs");
        assert!([BEGIN, END].iter().all(|mark| source.contains(&format!("fn {mark}("))));
    }
}
