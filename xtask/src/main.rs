#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod layers;
mod process;
mod runner;
mod sanitize;
mod services;
mod steps;
mod tidy;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() || names.iter().any(|name| matches!(name.as_str(), "help" | "--help" | "-h")) {
        print!("{}", steps::help());
        return ExitCode::SUCCESS;
    }
    match (Workspace::enter(), steps::select(&names)) {
        (Ok(workspace), Ok(chosen)) => runner::run(&chosen, &workspace),
        (Err(fault), _) | (_, Err(fault)) => {
            eprintln!("xtask: {fault}");
            ExitCode::FAILURE
        }
    }
}
