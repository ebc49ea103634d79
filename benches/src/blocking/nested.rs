//! A task that blocks on a task that blocks on a task: a thousand deep.
//!
//! Each level holds a thread, so a runtime needs a thread for each, or has to refuse; one that does neither hangs.
//! Each contender is a process of its own with a time limit, because peers dead-lock or panic.
#![expect(clippy::disallowed_methods, reason = "tokio's calls are what tidemill's is compared with")]

use std::{io, time::Duration, time::Instant};

use futures_lite::future::block_on;
use tokio::runtime::Handle;

use super::PROCS;
use crate::{
    board::{Context, Row, Run},
    child::{Child, End, word},
    executor::{Executor, Spawner},
    executors::{AsyncExecutor, Listed, Tidemill, Tokio},
    process::threads,
};

pub(crate) const ROW: Row = Row {
    section: 2,
    name: "nested",
    measures: "block_on inside of a task on a task that does the same, 1,000 deep: whether it ends, and in how many threads",
    leaves_out: "how often: each contender runs once; the time is that of one run",
    seconds: 60.0,
    in_quick: false,
    once: true,
    run: Run::Own(run),
};

/// Threads for every level, and some for the rest.
const ENOUGH: usize = 1_100;

/// The bound that tidemill and tokio have by default.
const DEFAULT: usize = 512;

/// A name in the table, the contender, and its bound on threads.
const CONTENDERS: [(&str, &str, usize); 8] = [
    ("tidemill::block_on", "tidemill", ENOUGH),
    ("tidemill::block_on", "tidemill", DEFAULT),
    ("futures_lite on tidemill", "tidemill-unmarked", ENOUGH),
    ("futures_lite on tokio", "tokio-unmarked", ENOUGH),
    ("tokio Handle::block_on", "tokio", ENOUGH),
    ("tokio, in block_in_place", "tokio-in-place", ENOUGH),
    ("tokio, in block_in_place", "tokio-in-place", DEFAULT),
    ("futures_lite, async-executor", "async-executor", ENOUGH),
];

fn run(context: &Context) -> io::Result<()> {
    let depth: u64 = context.scale.pick(1_000, 1_000, 20);
    let limit = Duration::from_millis(context.scale.pick(10_000, 5_000, 300));
    let mut text = format!("{depth} deep, {PROCS} workers, at most {limit:?}");
    for (name, contender, bound) in CONTENDERS {
        let role = ["nested", contender, &depth.to_string(), &bound.to_string()];
        let outcome = match Child::start(&role)?.end_within(limit)? {
            End::Said(outcome) => outcome,
            End::Failed(complaint) => format!("panics: {complaint}"),
            End::Late => format!("stopped after {limit:?}: it had not ended"),
        };
        text.push_str(&format!("\n  {name:<28} at most {bound:>5} threads: {outcome}"));
    }
    context.say(&text);
    Ok(())
}

/// The child: the contender, the depth, and the bound on threads.
pub(crate) fn play(words: &[&str]) -> io::Result<()> {
    let (contender, depth, bound): (String, _, _) = (word(words, 0)?, word(words, 1)?, word(words, 2)?);
    let before = threads()?;
    let outcome = match contender.as_str() {
        "tidemill" => nest(&Tidemill::with_threads(PROCS, bound)?, depth, tidemill::block_on),
        "tidemill-unmarked" => nest(&Tidemill::with_threads(PROCS, bound)?, depth, block_on),
        "tokio-unmarked" => nest(&Tokio::with_threads(PROCS, bound)?, depth, block_on),
        "tokio" => nest(&Tokio::with_threads(PROCS, bound)?, depth, |task| Handle::current().block_on(task)),
        "tokio-in-place" => nest(&Tokio::with_threads(PROCS, bound)?, depth, |task| {
            tokio::task::block_in_place(|| Handle::current().block_on(task))
        }),
        "async-executor" => nest(&AsyncExecutor::<Listed>::start(PROCS)?, depth, block_on),
        _ => return Err(io::Error::other(format!("there is no contender `{contender}`"))),
    };
    let (took, most) = outcome?;
    println!("ends after {took:.0?} with {} threads", most.saturating_sub(before));
    Ok(())
}

type Join<E> = <<E as Executor>::Spawner as Spawner>::Join<io::Result<Level>>;

/// How many levels there were, and the threads of the process at the innermost.
#[derive(Debug, Clone, Copy)]
struct Level {
    deep: u64,
    threads: u64,
}

/// How long the outermost task took, and how many threads there were.
fn nest<E: Executor>(executor: &E, depth: u64, block: fn(Join<E>) -> io::Result<Level>) -> io::Result<(Duration, u64)> {
    let start = Instant::now();
    let Level { deep, threads } = executor.run(move |spawner| async move { level::<E>(spawner, depth, block) })?;
    if deep != depth {
        return Err(io::Error::other(format!("{deep} levels instead of {depth}")));
    }
    Ok((start.elapsed(), threads))
}

fn level<E: Executor>(spawner: E::Spawner, left: u64, block: fn(Join<E>) -> io::Result<Level>) -> io::Result<Level> {
    if left == 0 {
        return Ok(Level { deep: 0, threads: threads()? });
    }
    let Level { deep, threads } = block(spawner.spawn(async move { level::<E>(spawner, left - 1, block) }))?;
    Ok(Level { deep: deep + 1, threads })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_level_is_counted() {
        let tidemill = Tidemill::with_threads(1, 16).unwrap();
        let (_, threads) = nest(&tidemill, 5, tidemill::block_on).unwrap();
        assert!(threads >= 6, "six levels hold six threads: {threads}");
        let tokio = Tokio::with_threads(1, 16).unwrap();
        assert!(nest(&tokio, 5, |task| tokio::task::block_in_place(|| Handle::current().block_on(task))).is_ok());
    }
}
