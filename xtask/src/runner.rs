//! Runs steps until one fails, and sums up.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{steps::Step, workspace::Workspace};

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed(Duration),
    Failed(Duration, String),
    NotRun,
}

/// Runs `steps` in order. The first failure ends the run; the summary shows what was left.
pub(crate) fn run(steps: &[Step], workspace: &Workspace) -> ExitCode {
    let mut outcomes = Vec::with_capacity(steps.len());
    for step in steps {
        let failed = matches!(outcomes.last(), Some(Outcome::Failed(..) | Outcome::NotRun));
        outcomes.push(if failed { Outcome::NotRun } else { run_one(step, workspace) });
    }
    let names = steps.iter().map(|step| step.name);
    print!("\n{}", summary(names.zip(&outcomes)));
    if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Passed(_))) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_one(step: &Step, workspace: &Workspace) -> Outcome {
    println!("\n== {}: {}", step.name, step.what);
    let start = Instant::now();
    match (step.run)(workspace) {
        Ok(()) => Outcome::Passed(start.elapsed()),
        Err(why) => Outcome::Failed(start.elapsed(), why),
    }
}

fn summary<'a>(outcomes: impl Iterator<Item = (&'a str, &'a Outcome)>) -> String {
    let mut out = String::from("== summary\n");
    let mut total = Duration::ZERO;
    let mut failure = None;
    for (name, outcome) in outcomes {
        let (mark, took) = match outcome {
            Outcome::Passed(took) => ("ok", Some(*took)),
            Outcome::Failed(took, why) => {
                failure = Some(format!("{name} failed: {why}\n"));
                ("FAILED", Some(*took))
            }
            Outcome::NotRun => ("not run", None),
        };
        total += took.unwrap_or_default();
        let took = took.map(|took| format!("{:>7.1} s", took.as_secs_f64())).unwrap_or_default();
        out.push_str(format!("{name:<9} {mark:<8}{took}").trim_end());
        out.push('\n');
    }
    out.push_str(&format!("total             {:>7.1} s\n", total.as_secs_f64()));
    out.push_str(&failure.unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_the_failure_and_what_was_left() {
        let outcomes = [
            Outcome::Passed(Duration::from_millis(1_500)),
            Outcome::Failed(Duration::from_millis(500), "two findings".into()),
            Outcome::NotRun,
        ];
        let text = summary(["fmt", "tidy", "clippy"].into_iter().zip(&outcomes));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "fmt       ok          1.5 s");
        assert_eq!(lines[2], "tidy      FAILED      0.5 s");
        assert_eq!(lines[3], "clippy    not run");
        assert_eq!(lines[4], "total                 2.0 s");
        assert_eq!(lines[5], "tidy failed: two findings");
    }

    #[test]
    fn nothing_runs_after_a_failure() {
        fn fails(_: &Workspace) -> Result<(), String> {
            Err("on purpose".into())
        }
        fn must_not_run(_: &Workspace) -> Result<(), String> {
            unreachable!("the step before failed")
        }
        let step = |name, run| Step { name, what: name, part_of_test: false, run };
        let workspace = Workspace::at("/nowhere");
        let code = run(&[step("first", fails), step("second", must_not_run)], &workspace);
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    }
}
