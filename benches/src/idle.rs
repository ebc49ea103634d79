//! What tasks cost that do nothing: memory each, and processor time together.
//!
//! Each turn is a process of its own, because freed memory stays resident.
//!
//! A parked task waits for a oneshot whose sender is kept, the cheapest thing to wait for that every executor can wake
//! from; its few bytes are part of the figure, for all executors alike.

use std::{io, thread, time::Duration};

use tokio::sync::oneshot;

use crate::{
    board::{Context, Row, Run},
    child::{Child, word},
    compare::{Contender, Figure},
    executor::{Executor, Spawner},
    executors::{AsyncExecutor, Listed, Tidemill, Tokio, Unlisted},
    process::{cpu_time, resident_bytes},
};

pub(crate) const ROW: Row = Row {
    section: 1,
    name: "idle",
    measures: "resident memory per parked task, and CPU time beside 10,000 of them while nothing happens",
    leaves_out: "memory before the first task; CPU time beside I/O; async-executor has neither reactor nor timers",
    seconds: 40.0,
    in_quick: false,
    once: false,
    run: Run::Own(run),
};

const FIGURES: [Figure; 2] = [Figure::less("B per task"), Figure::less("CPU ms")];

/// Worker threads.
const PROCS: usize = 2;

/// Parked tasks while processor time is measured.
const WATCHED: usize = 10_000;

const ROUNDS: usize = 3;

/// A name in the table, and the executor it stands for.
const CONTENDERS: [(&str, &str); 5] = [
    (Tidemill::NAME, Tidemill::NAME),
    (Tokio::NAME, Tokio::NAME),
    (AsyncExecutor::<Listed>::NAME, AsyncExecutor::<Listed>::NAME),
    (AsyncExecutor::<Unlisted>::NAME, AsyncExecutor::<Unlisted>::NAME),
    ("tidemill (A/A)", Tidemill::NAME),
];

fn run(context: &Context) -> io::Result<()> {
    if !context.is_every_other() {
        return Ok(());
    }
    let tasks: usize = context.scale.pick(1_000_000, 100_000, 1_000);
    let ms: u64 = context.scale.pick(2_000, 1_000, 1);
    let contender = |(name, executor)| Contender::new(name, move || in_own_process(executor, tasks, ms));
    let title = format!("{tasks} parked tasks; CPU time in {ms} ms beside {WATCHED} of them");
    context.compare(title, &FIGURES, CONTENDERS.map(contender).into(), ROUNDS)?;
    Ok(())
}

fn in_own_process(executor: &str, tasks: usize, ms: u64) -> io::Result<[f64; 2]> {
    let answer = Child::start(&["idle", executor, &tasks.to_string(), &ms.to_string()])?.hear()?;
    let words: Vec<_> = answer.split(' ').collect();
    Ok([word(&words, 0)?, word(&words, 1)?])
}

/// The child: the executor's name, the number of tasks, and milliseconds.
pub(crate) fn play(words: &[&str]) -> io::Result<()> {
    let (name, tasks, ms): (String, _, _) = (word(words, 0)?, word(words, 1)?, word(words, 2)?);
    let measure = match name.as_str() {
        Tidemill::NAME => costs::<Tidemill>,
        Tokio::NAME => costs::<Tokio>,
        AsyncExecutor::<Listed>::NAME => costs::<AsyncExecutor<Listed>>,
        AsyncExecutor::<Unlisted>::NAME => costs::<AsyncExecutor<Unlisted>>,
        _ => return Err(io::Error::other(format!("no executor is called `{name}`"))),
    };
    let [bytes, cpu] = measure(tasks, Duration::from_millis(ms))?;
    println!("{bytes} {cpu}");
    Ok(())
}

/// Bytes per parked task, and milliseconds of CPU time in `span`.
fn costs<E: Executor>(tasks: usize, span: Duration) -> io::Result<[f64; 2]> {
    let executor = E::start(PROCS)?;
    // Kept, so that the tasks measured next cannot take over their memory.
    let watched = park(&executor, WATCHED);
    let cpu = cpu_while_parked(&watched, span);
    let (_parked, bytes) = bytes_per_parked_task(&executor, tasks)?;
    Ok([bytes, cpu.as_secs_f64() * 1e3])
}

/// The senders that keep tasks parked. Dropping it wakes them, and they end.
struct Parked(Vec<oneshot::Sender<()>>);

/// Spawns `tasks` tasks and returns once each of them has been polled and waits.
fn park<E: Executor>(executor: &E, tasks: usize) -> Parked {
    Parked(executor.run(move |spawner| async move {
        let mut senders = Vec::with_capacity(tasks);
        let mut polled = Vec::with_capacity(tasks.min(BATCH));
        for _ in 0..tasks {
            let (sender, wake) = oneshot::channel();
            let (running, seen) = oneshot::channel();
            spawner.detach(async move {
                // An error only means that nobody counts any more.
                _ = running.send(());
                _ = wake.await;
            });
            senders.push(sender);
            polled.push(seen);
            if polled.len() == BATCH {
                all(&mut polled).await;
            }
        }
        all(&mut polled).await;
        senders
    }))
}

/// Tasks whose first poll is awaited together, so that counting needs little memory beside the tasks.
const BATCH: usize = 1_000;

async fn all(polled: &mut Vec<oneshot::Receiver<()>>) {
    for seen in polled.drain(..) {
        seen.await.expect("a task reports before it parks");
    }
}

/// Processor time that the process uses in `span` while tasks are parked and nothing happens.
fn cpu_while_parked(parked: &Parked, span: Duration) -> Duration {
    let before = cpu_time();
    thread::sleep(span);
    // Used here so that the tasks are still parked.
    debug_assert!(!parked.0.is_empty(), "an executor without tasks is not the question");
    cpu_time().saturating_sub(before)
}

/// Resident bytes per task that parking `tasks` more of them takes.
///
/// # Errors
/// The system does not tell the memory of the process.
fn bytes_per_parked_task<E: Executor>(executor: &E, tasks: usize) -> io::Result<(Parked, f64)> {
    let before = resident_bytes()?;
    let parked = park(executor, tasks);
    let grown = resident_bytes()?.saturating_sub(before);
    Ok((parked, grown as f64 / tasks as f64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tasks_park_and_take_memory<E: Executor>() {
        let executor = E::start(1).unwrap();
        let (parked, bytes) = bytes_per_parked_task(&executor, 3 * BATCH + 1).unwrap();
        assert_eq!(parked.0.len(), 3 * BATCH + 1, "{}", E::NAME);
        // Other tests free memory at the same time, so the figure itself is left to the program.
        assert!(bytes.is_finite(), "{}", E::NAME);
        assert!(cpu_while_parked(&parked, Duration::from_millis(1)) < Duration::from_secs(1), "{}", E::NAME);
    }

    #[test]
    fn on_every_executor() {
        tasks_park_and_take_memory::<Tidemill>();
        tasks_park_and_take_memory::<Tokio>();
        tasks_park_and_take_memory::<AsyncExecutor<Listed>>();
    }
}
