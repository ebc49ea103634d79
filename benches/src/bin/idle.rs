//! What idle tasks cost on every executor, each in a process of its own, because freed memory stays resident.

use std::{env, io, process::Command, time::Duration};

use benches::{
    AsyncExecutor, Executor, Listed, Tidemill, Tokio, Unlisted,
    idle::{bytes_per_parked_task, cpu_while_parked, park},
};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Worker threads.
const PROCS: usize = 2;

/// Parked tasks while processor time is measured.
const WATCHED: usize = 10_000;

/// An executor's name, and its measurement.
type Case = (&'static str, fn(&Options) -> io::Result<()>);

const CASES: [Case; 4] =
    [case::<Tidemill>(), case::<Tokio>(), case::<AsyncExecutor<Listed>>(), case::<AsyncExecutor<Unlisted>>()];

/// Measures memory per parked task and processor time beside parked tasks.
#[derive(Debug, Parser)]
struct Options {
    /// Tasks whose memory is measured
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = clap::value_parser!(u32).range(1..))]
    tasks: u32,

    /// For how long processor time is measured
    #[arg(long, value_name = "S", default_value = "10")]
    seconds: u16,

    /// Only this executor, in this process
    #[arg(long, value_name = "NAME")]
    executor: Option<String>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    match &options.executor {
        Some(name) => {
            let case = CASES.iter().find(|(known, _)| known == name);
            let (_, measure) = case.ok_or_else(|| io::Error::other(format!("no executor is called `{name}`")))?;
            measure(&options)
        }
        None => CASES.iter().try_for_each(|(name, _)| in_own_process(name)),
    }
}

fn in_own_process(name: &str) -> io::Result<()> {
    let status = Command::new(env::current_exe()?).args(env::args_os().skip(1)).args(["--executor", name]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{name}: {status}"))) }
}

const fn case<E: Executor>() -> Case {
    (E::NAME, measure::<E>)
}

fn measure<E: Executor>(options: &Options) -> io::Result<()> {
    let executor = E::start(PROCS)?;
    let span = Duration::from_secs(options.seconds.into());
    // Kept, so that the tasks measured next cannot take over their memory.
    let watched = park(&executor, WATCHED);
    let cpu = cpu_while_parked(&watched, span);
    let (_parked, bytes) = bytes_per_parked_task(&executor, options.tasks as usize)?;
    println!(
        "{:<24} {bytes:>6.0} bytes per parked task ({}); {:>7.2} ms CPU in {span:?} beside {WATCHED} of them",
        E::NAME,
        options.tasks,
        cpu.as_secs_f64() * 1e3,
    );
    Ok(())
}
