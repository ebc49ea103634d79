#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod gate;
mod layers;
mod process;
mod runner;
mod sanitize;
mod scoreboard;
mod services;
mod steps;
mod tidy;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() || matches!(names[0].as_str(), "help" | "--help" | "-h") {
        print!("{}", steps::help());
        return ExitCode::SUCCESS;
    }
    if let Some((command, args)) = names.split_first().filter(|(name, _)| *name == scoreboard::NAME) {
        return ended(command, Workspace::enter().and_then(|workspace| scoreboard::run(&workspace, args)));
    }
    match (Workspace::enter(), steps::select(&names)) {
        (Ok(workspace), Ok(chosen)) => runner::run(&chosen, &workspace),
        (Err(fault), _) | (_, Err(fault)) => {
            eprintln!("xtask: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// How a command that is no step says how it went.
fn ended(command: &str, outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("xtask: {command}: {fault}");
            ExitCode::FAILURE
        }
    }
}
