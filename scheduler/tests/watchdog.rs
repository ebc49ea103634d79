//! The monitor while all machines turn over: it sleeps, and yet whoever gets stuck then loses its turn.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{eventually, runtime, within};
use tidemill_scheduler::{JoinHandle, Runtime, blocking, spawn, yield_now};

/// Long enough for the monitor to fall asleep, unless the computer is crowded; the tests hold then as well, and show less.
const SOON: Duration = Duration::from_secs(1);

/// Tasks that keep `procs` machines busy, in polls of about `poll`.
struct Busy {
    end: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Busy {
    fn start(rt: &Runtime, procs: usize, poll: Duration) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let task = |end: Arc<AtomicBool>| async move {
            while !end.load(Ordering::Relaxed) {
                let start = Instant::now();
                while start.elapsed() < poll {}
                yield_now().await;
            }
        };
        let tasks = (0..2 * procs).map(|_| rt.spawn(task(Arc::clone(&end)))).collect();
        Self { end, tasks }
    }

    fn stop(self, rt: &Runtime) {
        self.end.store(true, Ordering::Relaxed);
        for task in self.tasks {
            rt.block_on(task).unwrap();
        }
    }
}

/// For a while the monitor looked less than half as often as its naps would let it.
fn sleeps(rt: &Runtime) -> bool {
    let before = rt.metrics().monitor_rounds;
    // tidy-allow(sleep-in-test): looks per time are what is asked, and a loop would take the CPU from those who come round
    thread::sleep(Duration::from_millis(50));
    rt.metrics().monitor_rounds - before < 23
}

#[test]
fn while_all_turn_over_the_monitor_sleeps_however_long_the_polls() {
    for micros in [0, 20, 200] {
        let rt = runtime(1);
        let busy = Busy::start(&rt, 1, Duration::from_micros(micros));
        eventually("the monitor sleeps", || sleeps(&rt));
        busy.stop(&rt);
    }
}

#[test]
fn whoever_gets_stuck_while_the_monitor_sleeps_loses_its_turn() {
    let block = |inside: mpsc::Sender<()>, released: mpsc::Receiver<()>, marked| {
        let wait = move || {
            inside.send(()).unwrap();
            let _ = released.recv();
        };
        if marked { blocking(wait) } else { wait() }
    };
    for (procs, marked) in [(1, true), (1, false), (2, true), (2, false)] {
        let rt = runtime(procs);
        let busy = Busy::start(&rt, procs, Duration::ZERO);
        within(SOON, || sleeps(&rt));
        let stuck: Vec<_> = (0..procs)
            .map(|_| {
                let ((inside, is_inside), (release, released)) = (mpsc::channel(), mpsc::channel());
                let task = rt.spawn(async move { block(inside, released, marked) });
                is_inside.recv().unwrap();
                (release, task)
            })
            .collect();
        // On the permits of those who are stuck.
        rt.block_on(rt.spawn(async {})).unwrap();
        busy.stop(&rt);
        for (release, task) in stuck {
            drop(release);
            rt.block_on(task).unwrap();
        }
    }
}

#[test]
fn the_monitor_looks_again_once_a_machine_rests() {
    let rt = runtime(2);
    let busy = Busy::start(&rt, 2, Duration::ZERO);
    within(SOON, || sleeps(&rt));
    busy.stop(&rt);
    // A machine rests now; the other one is stuck, and what it has in its slot waits for a look of the monitor.
    let (ran, has_run) = mpsc::channel();
    rt.block_on(rt.spawn(async move {
        drop(spawn(async move { ran.send(()).unwrap() }));
        has_run.recv().unwrap();
    }))
    .unwrap();
}
