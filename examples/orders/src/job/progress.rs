//! What the job is doing, on stderr: a spinner that turns for a person, plain lines for a log.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::error::JobError;

const TICK: Duration = Duration::from_millis(120);

/// Does one step of the job: says so when it begins, and how it went when it ends.
pub(crate) fn step<T>(
    name: &str,
    work: impl FnOnce() -> Result<T, JobError>,
    result: impl FnOnce(&T) -> String,
) -> Result<T, JobError> {
    let spinner = stderr().is_terminal().then(|| spinner(name));
    let started = Instant::now();
    let done = work();
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    let value = done?;
    eprintln!("  {name}: {} ({:.1} s)", result(&value), started.elapsed().as_secs_f64());
    Ok(value)
}

fn spinner(name: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(name.to_owned());
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("the template is well formed");
    spinner.set_style(style);
    spinner.enable_steady_tick(TICK);
    spinner
}
