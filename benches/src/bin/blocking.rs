//! The cases in which a task blocks its thread, on every executor that has an answer. See `benches::blocking`.

use std::{io, time::Duration};

use benches::{
    AsyncExecutor, Executor, Listed, Tidemill, Tokio,
    blocking::{
        Overhead, light_tasks_beside_sleepers, per_call_block_in_place, per_call_spawn_blocking, per_call_tidemill,
        timer_beside_a_blocker,
    },
    compare::median,
};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Worker threads, and sleepers beside the light tasks.
const PROCS: usize = 2;

/// When the unrelated timer is due.
const DUE: Duration = Duration::from_millis(30);

/// How long and how often.
struct Scale {
    /// How long light tasks run.
    span: Duration,
    /// How long the timer's neighbour blocks.
    blocked: Duration,
    /// Calls per sample of marked calls, which take nanoseconds.
    marks: u32,
    /// Calls per sample of thread hops, which take microseconds.
    hops: u32,
}

const FULL: Scale =
    Scale { span: Duration::from_secs(2), blocked: Duration::from_millis(300), marks: 1_000_000, hops: 20_000 };

const SMOKE: Scale =
    Scale { span: Duration::from_millis(20), blocked: Duration::from_millis(40), marks: 1_000, hops: 10 };

/// Measures what blocking tasks do to their neighbours.
#[derive(Debug, Parser)]
struct Options {
    /// Repetitions, interleaved; the median is printed
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,

    /// As short as it can be: proves that everything runs
    #[arg(long)]
    smoke: bool,
}

fn main() -> io::Result<()> {
    let Options { rounds, smoke } = Options::parse();
    let scale = if smoke { SMOKE } else { FULL };
    neighbours(rounds, scale.span)?;
    timer(rounds, scale.blocked)?;
    overhead(rounds, scale.marks, scale.hops)
}

fn neighbours(rounds: u8, span: Duration) -> io::Result<()> {
    println!("{PROCS} workers, {PROCS} tasks that sleep 50 ms in the kernel over and over, light tasks for {span:?}");
    let mut seen = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        seen[0].push(beside_sleepers::<Tidemill>(span)?);
        seen[1].push(beside_sleepers::<Tokio>(span)?);
        seen[2].push(beside_sleepers::<AsyncExecutor<Listed>>(span)?);
    }
    for (name, seen) in [Tidemill::NAME, Tokio::NAME, AsyncExecutor::<Listed>::NAME].into_iter().zip(seen) {
        let (completed, worst): (Vec<f64>, Vec<f64>) = seen.into_iter().unzip();
        println!("  {name:<22} {:>9.0} completed, worst turnaround {:>8.2} ms", median(&completed), median(&worst));
    }
    Ok(())
}

/// Light tasks completed, and their worst turnaround in milliseconds.
fn beside_sleepers<E: Executor>(span: Duration) -> io::Result<(f64, f64)> {
    let seen = light_tasks_beside_sleepers(&E::start(PROCS)?, PROCS, span);
    Ok((seen.completed as f64, seen.worst.as_secs_f64() * 1e3))
}

fn timer(rounds: u8, blocked: Duration) -> io::Result<()> {
    println!("a timer of {DUE:?} beside a task that the reactor wakes and that blocks for {blocked:?}");
    let mut fired = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        fired[0].push(timer_ms::<Tidemill>(blocked)?);
        fired[1].push(timer_ms::<Tokio>(blocked)?);
    }
    for (name, fired) in [Tidemill::NAME, Tokio::NAME].into_iter().zip(&fired) {
        println!("  {name:<22} fires after {:>8.2} ms", median(fired));
    }
    Ok(())
}

fn timer_ms<E: Executor>(blocked: Duration) -> io::Result<f64> {
    Ok(timer_beside_a_blocker(&E::start(PROCS)?, DUE, blocked).as_secs_f64() * 1e3)
}

fn overhead(rounds: u8, marks: u32, hops: u32) -> io::Result<()> {
    println!("a blocking call that returns at once");
    let mut nanos = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        nanos[0].push(per_call(per_call_tidemill, marks)?);
        nanos[1].push(per_call(per_call_block_in_place, hops)?);
        nanos[2].push(per_call(per_call_spawn_blocking, hops)?);
    }
    let names = ["tidemill::blocking", "tokio block_in_place", "tokio spawn_blocking"];
    for (name, nanos) in names.into_iter().zip(&nanos) {
        println!("  {name:<22} {:>9.1} ns per call", median(nanos));
    }
    Ok(())
}

fn per_call<E: Executor>(measure: fn(&E, u32) -> Overhead, calls: u32) -> io::Result<f64> {
    Ok(measure(&E::start(PROCS)?, calls).nanos_per_call())
}
