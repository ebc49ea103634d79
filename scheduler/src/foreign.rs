//! Foreign tasks: what libraries give to `tokio::spawn`. They are counted, and a build for development says so once.
//!
//! `tokio::spawn` cannot be led elsewhere: it gives the task to the runtime that the thread has entered, which is the
//! reactor. There the task runs, but one thread at a time runs all of them, and while one of them blocks, sockets and
//! timers wait. `Metrics` has their number and their time at no cost, for tokio counts both.
//!
//! A library that writes to stderr in production is a nuisance, and a limit that nobody hears of is a trap. So the notice
//! is for builds with debug assertions, once per runtime; the environment variable `TIDEMILL_WARN` decides otherwise: `0`
//! is silence, anything else is the notice in every build.
//!
//! The look-out stands where the reactor goes to wait, and is there only if a notice is wanted; in production a turn pays
//! nothing for it.

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Builder, Handle};

const VARIABLE: &str = "TIDEMILL_WARN";

/// Puts the look-out into the reactor that `builder` builds, if a notice is wanted.
pub(crate) fn watch(builder: &mut Builder) {
    if is_wanted(env::var(VARIABLE).ok().as_deref(), cfg!(debug_assertions)) {
        let said = AtomicBool::new(false);
        builder.on_thread_park(move || look_out(&said));
    }
}

fn is_wanted(variable: Option<&str>, development: bool) -> bool {
    variable.map_or(development, |text| text.trim() != "0")
}

/// Runs in the reactor. `said`, Relaxed: one thread at a time is in there, and nothing else depends on it.
fn look_out(said: &AtomicBool) {
    if said.load(Ordering::Relaxed) {
        return;
    }
    let tasks = Handle::try_current().map_or(0, |reactor| reactor.metrics().num_alive_tasks());
    if tasks != 0 {
        said.store(true, Ordering::Relaxed);
        eprintln!("{}", notice(tasks));
    }
}

fn notice(tasks: usize) -> String {
    format!(
        "tidemill: {tasks} task(s) from tokio::spawn run inside the reactor, one thread at a time; while one of them blocks, \
         I/O and timers wait. \"tokio::spawn in libraries\" in tidemill-scheduler's documentation has the alternatives; \
         {VARIABLE}=0 silences this."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_decides_and_else_the_build() {
        let cases = [
            (None, true, true),
            (None, false, false),
            (Some("0"), true, false),
            (Some(" 0 "), true, false),
            (Some("1"), false, true),
        ];
        for (variable, development, expected) in cases {
            assert_eq!(is_wanted(variable, development), expected, "{variable:?} {development}");
        }
    }
}
