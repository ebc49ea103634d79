//! Section 4: a service in a cgroup that may use one CPU, sized to it or not.
//!
//! With more threads than the quota pays for, the quota of a period is used up early and every thread stands still for the rest
//! of it. Each turn is a process in a group of its own; the load is inside of the process, because a client outside would
//! take the CPUs that the quota leaves free.

mod group;
mod load;

use std::{io, time::Duration};

use group::{Group, Throttling};
use load::{Load, Seen};

use crate::{
    board::{Context, Row, Run},
    child::{Child, answer_lines, word},
    compare::{Contender, Figure},
    executor::Executor,
    executors::{Tidemill, Tokio},
    tail::Spin,
};

pub(crate) const ROW: Row = Row {
    section: 4,
    name: "quota",
    measures: "requests of 1 ms CPU under a real quota of 1.0 CPU: sized by the runtime, and with 8 threads asked for",
    leaves_out: "machines with more CPUs than this one, where a quota is used up sooner; version 2 of cgroups",
    seconds: 30.0,
    in_quick: false,
    once: false,
    run: Run::Own(run),
};

const FIGURES: [Figure; 6] = [
    Figure::more("per s"),
    Figure::less("p50 ms"),
    Figure::less("p99 ms"),
    Figure::less("throttled %"),
    Figure::less("stands ms/s"),
    Figure::fact("periods"),
];

/// Threads asked for where nothing is sized.
const UNSIZED: usize = 8;

const ROUNDS: usize = 4;

/// A name in the table, and the role.
const CONTENDERS: [(&str, &str); 5] = [
    ("tidemill, sized", "tidemill-sized"),
    ("tidemill, 8 Ps", "tidemill-8"),
    ("tokio, its default", "tokio-sized"),
    ("tokio, 8 workers", "tokio-8"),
    ("tidemill, sized (A/A)", "tidemill-sized"),
];

fn run(context: &Context) -> io::Result<()> {
    if !context.is_every_other() {
        return Ok(());
    }
    if let Err(error) = Group::of_one_cpu() {
        context.say(&format!("not possible here: no version 1 cpu group can be made: {error}"));
        return Ok(());
    }
    let span = Duration::from_millis(context.scale.pick(2_000, 1_000, 50));
    for load in Load::ALL {
        let contender = |(name, role)| Contender::new(name, move || in_group(role, load, span));
        context.compare(
            format!("{} for {span:?}", load.title()),
            &FIGURES,
            CONTENDERS.map(contender).into(),
            ROUNDS,
        )?;
    }
    Ok(())
}

fn in_group(role: &str, load: Load, span: Duration) -> io::Result<[f64; 6]> {
    // Made first, so that it is removed last.
    let group = Group::of_one_cpu()?;
    let mut child = Child::start(&["quota", role, load.name(), &span.as_millis().to_string()])?;
    child.hear()?;
    group.take_in(child.id())?;
    let answer = child.ask("go")?;
    let Throttling { periods, throttled, nanos } = group.throttling()?;
    let words: Vec<_> = answer.split(' ').collect();
    let share = 100.0 * throttled as f64 / periods.max(1) as f64;
    let still = nanos as f64 / 1e6 / span.as_secs_f64();
    Ok([word(&words, 0)?, word(&words, 1)?, word(&words, 2)?, share, still, periods as f64])
}

/// The child: who, which load, and for how many milliseconds. It starts its runtime when it is told to, in the group.
pub(crate) fn play(words: &[&str]) -> io::Result<()> {
    let (role, load, ms): (String, String, _) = (word(words, 0)?, word(words, 1)?, word(words, 2)?);
    let load = Load::named(&load)?;
    let (spin, span) = (Spin::calibrated(), Duration::from_millis(ms));
    println!("ready");
    answer_lines(|_| {
        let Seen { per_second, p50_ms, p99_ms } = match role.as_str() {
            "tidemill-sized" => load.on(&Tidemill::sized()?, spin, span)?,
            "tidemill-8" => load.on(&Tidemill::start(UNSIZED)?, spin, span)?,
            "tokio-sized" => load.on(&Tokio::sized()?, spin, span)?,
            "tokio-8" => load.on(&Tokio::start(UNSIZED)?, spin, span)?,
            _ => return Err(io::Error::other(format!("there is no role `{role}`"))),
        };
        Ok(format!("{per_second} {p50_ms} {p99_ms}"))
    })
}
