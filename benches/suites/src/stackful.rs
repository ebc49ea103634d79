//! Stackful coroutines: the scheduler's own workloads as tidemill's tasks and as may's coroutines, which have a stack each.
//!
//! A coroutine may call anything that yields from any depth, without `async`; so the workloads are written a second time, in
//! blocking form. A stack is two mappings of memory, of which the system allows a process some 65,000: no more than
//! 10,000 coroutines live at once here, against 200,000 tasks in `scheduling`. may keeps as many stacks for later as that, instead
//! of its usual 100, or else it would be the mapping that is measured. Its scheduler is one for the whole process, hence P = 2 only.
//! Rings and the mutex are left out: they would compare other channels and another lock.

use std::sync::Once;

use benches::{
    Bench, Case, Executor, Lap, Tidemill,
    board::{Row, Run},
    scheduling,
    workloads::{Size, Workload},
};
use may::{
    coroutine::{JoinHandle, spawn, yield_now},
    sync::mpsc::{Sender, channel},
};

pub(crate) const ROW: Row = Row {
    section: 1,
    name: "stackful",
    measures: "the workloads of `scheduling` beside may's stackful coroutines, with at most 10,000 of them alive; P = 2",
    leaves_out: "rings and the mutex; memory (a coroutine has 8 KiB at the least); what a stack is good for: blocking from any depth",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const PROCS: usize = 2;

/// Coroutines that may be alive at once; may keeps as many stacks.
const ALIVE: u64 = 10_000;

/// Children per node of the tree, as in `scheduling`.
const FAN_OUT: u64 = 10;

const WORKLOADS: [(Workload, u64, u64); 6] = [
    (Workload::SpawnJoin, 1, ALIVE),
    (Workload::SpawnJoin8, 8, ALIVE / 8),
    (Workload::Yield, 200, 1_000),
    (Workload::PingPong, 100, 100),
    (Workload::Chain, 20, 1_000),
    (Workload::Skynet, 1, ALIVE),
];

fn benches() -> Vec<Bench> {
    WORKLOADS.map(|(workload, lanes, steps)| bench(workload, Size { lanes, steps })).into()
}

fn bench(workload: Workload, size: Size) -> Bench {
    let mut bench = scheduling::sized_bench(workload, PROCS, size);
    bench.cases.retain(|case| case.name == Tidemill::NAME || case.is_floor());
    bench.cases.insert(1, may(workload, size.lanes));
    bench
}

fn may(workload: Workload, lanes: u64) -> Case {
    static CONFIGURED: Once = Once::new();
    Case::new("may", move || {
        // Before the first coroutine: its scheduler starts with that.
        CONFIGURED.call_once(|| {
            may::config().set_workers(PROCS).set_pool_capacity(2 * ALIVE as usize);
        });
        move |ops| Lap::of(|| joined(go(move || run(workload, lanes, ops / lanes))))
    })
}

fn run(workload: Workload, lanes: u64, steps: u64) -> u64 {
    match workload {
        Workload::SpawnJoin | Workload::SpawnJoin8 => side_by_side(lanes, move |_| side_by_side(steps, |_| 1)),
        Workload::Yield => side_by_side(lanes, move |_| yields(steps)),
        Workload::PingPong => side_by_side(lanes, move |_| (0..steps).map(|_| ping_pong()).sum()),
        Workload::Chain => side_by_side(lanes, move |_| chain(steps)),
        Workload::Skynet => skynet(0, steps),
        Workload::Ring | Workload::Mutex => unreachable!("they are not in the list"),
    }
}

/// Starts a coroutine.
#[expect(unsafe_code, reason = "may has no other way to start one")]
fn go<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: a coroutine must not keep a reference to a thread-local while it yields, and not outgrow its stack of 32 KiB. What
    // runs here yields only in may's own calls, holds none then, and recurses four frames deep at the most.
    unsafe { spawn(run) }
}

fn joined<T>(coroutine: JoinHandle<T>) -> T {
    coroutine.join().expect("no coroutine of a workload panics")
}

fn side_by_side(lanes: u64, lane: impl Fn(u64) -> u64 + Copy + Send + 'static) -> u64 {
    let lanes: Vec<_> = (0..lanes).map(|i| go(move || lane(i))).collect();
    lanes.into_iter().map(joined).sum()
}

fn yields(steps: u64) -> u64 {
    for _ in 0..steps {
        yield_now();
    }
    steps
}

fn ping_pong() -> u64 {
    let ((ping, pinged), (pong, ponged)) = (channel(), channel());
    let peer = go(move || pong.send(pinged.recv().unwrap_or(0)).is_ok());
    // Whoever is gone shows in the sum.
    _ = ping.send(1);
    drop(peer);
    ponged.recv().unwrap_or(0)
}

fn chain(links: u64) -> u64 {
    let (report, reported) = channel();
    drop(go(move || link(1, links, report)));
    reported.recv().unwrap_or(0)
}

fn link(done: u64, links: u64, report: Sender<u64>) {
    if done == links {
        // Nobody waits any more only if the program ends.
        _ = report.send(done);
    } else {
        drop(go(move || link(done + 1, links, report)));
    }
}

fn skynet(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let children = FAN_OUT.min(leaves);
    let bound = move |child| leaves * child / children;
    side_by_side(children, move |child| skynet(first + bound(child), bound(child + 1) - bound(child)))
}
