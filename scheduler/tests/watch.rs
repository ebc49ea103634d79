//! What a runtime shows of itself is what it does.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidemill_scheduler::watch::{Event, MachineMetrics, MachineState, RetakeReason, Span, TaskState, Track, What};
use tidemill_scheduler::{Procs, Runtime, blocking, spawn, yield_now};

fn one_proc() -> Runtime {
    Runtime::builder().procs(Procs::Fixed(1)).build().unwrap()
}

/// Uses the CPU for this long.
fn spin(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {}
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::yield_now();
    }
}

/// Says that a task is at some point, and lets it go on.
#[derive(Clone, Default)]
struct Gate(Arc<[AtomicBool; 2]>);

impl Gate {
    fn pass(&self) {
        self.0[0].store(true, Ordering::SeqCst);
        while !self.0[1].load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }

    fn await_task(&self) {
        until("the task", || self.0[0].load(Ordering::SeqCst));
    }

    fn open(&self) {
        self.0[1].store(true, Ordering::SeqCst);
    }
}

#[test]
fn one_poll_of_1037_is_timed() {
    let rt = one_proc();
    let yields = rt.spawn(async {
        for _ in 0..20 * 1037 {
            yield_now().await;
        }
    });
    rt.block_on(yields).unwrap();
    let samples = rt.handle().poll_times().count();
    // Twenty; each thread that took over begins its own count.
    assert!((10..=30).contains(&samples), "{samples} samples");
}

#[test]
fn poll_times_are_those_of_the_polls() {
    const POLL: Duration = Duration::from_micros(50);
    let rt = one_proc();
    let slow = rt.spawn(async {
        for _ in 0..2 * 1037 {
            spin(POLL);
            yield_now().await;
        }
    });
    rt.block_on(slow).unwrap();
    let times = rt.handle().poll_times();
    assert!(times.count() > 0 && times.quantile(0.5) >= POLL.mul_f64(0.9) && times.max() >= POLL, "{times}");
}

#[test]
fn a_wake_up_waits_for_the_polls_before_it() {
    const POLL: Duration = Duration::from_micros(20);
    let rt = one_proc();
    let turns = || async {
        for _ in 0..2 * 1037 {
            spin(POLL);
            yield_now().await;
        }
    };
    // Each waits for the three others, whenever it has yielded.
    rt.block_on(rt.spawn(async move { futures_done((0..4).map(|_| spawn(turns())).collect()).await })).unwrap();
    let latencies = rt.handle().latencies();
    assert!(latencies.count() >= 4 && latencies.quantile(0.5) >= POLL.mul_f64(3.0 * 0.9), "{latencies}");
}

#[test]
fn a_task_from_outside_waits_for_the_permit() {
    const HELD: Duration = Duration::from_millis(3);
    let rt = one_proc();
    // Each thread stamps the first task that it spawns.
    rt.block_on(rt.spawn(async {})).unwrap();
    until("the sample", || rt.handle().latencies().count() == 1);

    let gate = Gate::default();
    let inside = gate.clone();
    let hog = rt.spawn(async move { inside.pass() });
    gate.await_task();
    let handle = rt.handle();
    let waits = std::thread::spawn(move || handle.spawn(async {})).join().unwrap();
    spin(HELD);
    gate.open();
    rt.block_on(async { (hog.await.unwrap(), waits.await.unwrap()) });
    let latencies = rt.handle().latencies();
    assert!(latencies.max() >= HELD, "{latencies}");
}

#[test]
fn panics_are_counted() {
    let rt = one_proc();
    for count in 1..=3 {
        assert!(rt.block_on(rt.spawn(async { panic!("on purpose") })).unwrap_err().is_panic());
        assert_eq!(rt.metrics().panics, count);
    }
}

/// The only machine in this state.
fn only(rt: &Runtime, state: MachineState) -> Option<MachineMetrics> {
    let all = rt.handle().machines().into_iter().filter(|machine| machine.state == state).collect::<Vec<_>>();
    assert!(all.len() <= 1, "{all:?}");
    all.first().copied()
}

#[test]
fn a_machine_is_seen_in_what_it_does() {
    let rt = one_proc();
    until("the driver", || only(&rt, MachineState::Driving).is_some_and(|machine| machine.permit.is_none()));
    assert_eq!((rt.metrics().driving_threads, rt.metrics().running_tasks), (1, 0));

    let gates: [Gate; 3] = Default::default();
    let [running, marked, unmarked] = gates.clone();
    let task = rt.spawn(async move {
        let queued: Vec<_> = (0..10).map(|_| spawn(yield_now())).collect();
        running.pass();
        blocking(|| marked.pass());
        // Blocks without saying so: it sleeps until it is unparked.
        unmarked.0[0].store(true, Ordering::SeqCst);
        while !unmarked.0[1].load(Ordering::SeqCst) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        queued
    });

    gates[0].await_task();
    let machine = only(&rt, MachineState::Running).unwrap();
    assert_eq!((machine.permit, machine.queue_depth), (Some(0), 10), "{machine:?}");
    let metrics = rt.metrics();
    assert_eq!((metrics.running_tasks, metrics.queued_tasks, metrics.live_tasks), (1, 10, 11), "{metrics:?}");
    gates[0].open();

    gates[1].await_task();
    until("the region", || only(&rt, MachineState::Blocking).is_some_and(|at| at.id == machine.id));
    until("the others' turn", || rt.metrics().live_tasks == 1);
    assert_eq!((rt.metrics().blocking_threads, rt.metrics().retaken_marked), (1, 1));
    gates[1].open();

    gates[2].await_task();
    let other = rt.spawn(async {});
    until("the retake", || only(&rt, MachineState::Detached).is_some_and(|at| at.id == machine.id));
    rt.block_on(other).unwrap();
    gates[2].open();
    rt.block_on(async { futures_done(task.await.unwrap()).await });
}

async fn futures_done(tasks: Vec<tidemill_scheduler::JoinHandle<()>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn a_dump_lists_every_task_with_what_it_does() {
    let rt = one_proc();
    let line = line!();
    let sleeps = rt.spawn(std::future::pending::<()>()); // line + 1
    until("its first poll", || rt.metrics().polls == 1 && rt.metrics().running_tasks == 0);
    let gate = Gate::default();
    let inside = gate.clone();
    let runs = rt.spawn(async move {
        let queued = spawn(async {}); // line + 6
        inside.pass();
        queued.await.unwrap();
    });
    gate.await_task();
    let dump = rt.handle().dump();
    let mut seen: Vec<_> = dump.tasks().iter().map(|task| (task.site.line() - line, task.state)).collect();
    seen.sort_by_key(|(line, _)| *line);
    assert_eq!(seen, [(1, TaskState::Idle), (5, TaskState::Running), (6, TaskState::Queued)], "{dump}");
    assert!(dump.tasks().iter().all(|task| task.site.file() == file!()), "{dump}");
    assert!(dump.tasks().is_sorted_by(|a, b| a.age >= b.age), "{dump}");
    assert!(dump.tasks().iter().any(|task| task.name.ends_with("Pending<()>")), "{dump}");
    gate.open();
    rt.block_on(runs).unwrap();
    sleeps.abort();
    rt.block_on(sleeps).unwrap_err();
    assert_eq!(rt.handle().dump().tasks().len(), 0);
}

#[test]
fn a_dump_tells_how_old_a_task_is_and_when_it_ran() {
    let rt = one_proc();
    let start = Instant::now();
    let waker = Arc::new(tokio::sync::Notify::new());
    let wakes = Arc::clone(&waker);
    let task = rt.spawn(async move {
        wakes.notified().await;
        wakes.notified().await;
    });
    let times = || {
        let dump = rt.handle().dump();
        (dump.tasks()[0].age, dump.tasks()[0].since_poll)
    };
    until("an age", || matches!(times(), (age, Some(poll)) if age >= Duration::from_millis(30) && poll <= age));
    let (age, _) = times();
    assert!(age <= start.elapsed() + Duration::from_secs(1), "{age:?}");
    // By then all sleep, the monitor too, and nobody has looked at the clock.
    until("some time", || start.elapsed() >= Duration::from_millis(400));
    waker.notify_one();
    until("the poll", || rt.metrics().polls == 2 && rt.metrics().running_tasks == 0);
    let (age, poll) = times();
    assert!(poll.unwrap() < age / 2, "polled {poll:?} ago, spawned {age:?} ago");
    waker.notify_one();
    rt.block_on(task).unwrap();
}

#[test]
fn dumps_disturb_no_task() {
    let rt = Runtime::builder().procs(Procs::Fixed(2)).build().unwrap();
    let end = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&end);
    let busy = rt.spawn(async move {
        let mut all = 0_u64;
        while !ended.load(Ordering::Relaxed) {
            let tasks: Vec<_> = (0..50).map(|_| spawn(yield_now())).collect();
            all += tasks.len() as u64;
            futures_done(tasks).await;
        }
        all
    });
    let handle = rt.handle();
    until("some tasks", || {
        // Not of one instant, so there may be more than ever lived at a time.
        let dump = handle.dump();
        assert!(dump.tasks().iter().all(|task| task.site.file() == file!()), "{dump}");
        rt.metrics().spawned > 20_000
    });
    end.store(true, Ordering::Relaxed);
    let all = rt.block_on(busy).unwrap();
    let metrics = rt.metrics();
    assert_eq!((metrics.spawned, metrics.live_tasks), (all + 1, 0), "{metrics:?}");
    // The end of the runtime and a dump exclude each other: both take tasks out of their places.
    (0..20_000).for_each(|_| drop(rt.spawn(std::future::pending::<()>())));
    let gate = Gate::default();
    let dumping = gate.clone();
    gate.open();
    let dumps = std::thread::spawn(move || {
        until("the end", || {
            let left = handle.dump().tasks().len();
            dumping.pass();
            left == 0
        });
    });
    gate.await_task();
    drop(rt);
    dumps.join().unwrap();
}

#[test]
fn the_flight_recorder_is_off_unless_asked_for() {
    let rt = one_proc();
    rt.block_on(rt.spawn(yield_now())).unwrap();
    assert!(rt.handle().flight_record().events().is_empty());
    let refused = Runtime::builder().flight_recorder(1 << 21).build().unwrap_err();
    assert_eq!(refused.to_string(), "flight_recorder is 2097152, more than 1048576");
}

#[test]
fn the_flight_recorder_shows_what_happened() {
    let rt = Runtime::builder().procs(Procs::Fixed(1)).flight_recorder(1000).build().unwrap();
    let gate = Gate::default();
    let inside = gate.clone();
    let task = rt.spawn(async move {
        let other = spawn(async {});
        blocking(|| inside.pass());
        other.await.unwrap();
    });
    gate.await_task();
    until("the other's turn", || rt.metrics().retaken_marked == 1 && rt.metrics().live_tasks == 1);
    gate.open();
    rt.block_on(task).unwrap();
    let drives = |event: &Event| event.what == What::Begin(Span::Drive);
    until("the rest", || rt.handle().flight_record().events().iter().any(drives));

    let record = rt.handle().flight_record();
    let events = record.events();
    assert!(events.is_sorted_by_key(|event| event.at), "{events:?}");
    let at = |what: &dyn Fn(&Event) -> bool| events.iter().position(what).expect("it happened");
    let begin = at(&|event| is_poll(event.what));
    let region = at(&|event| event.what == What::Begin(Span::Blocking));
    let Track::Machine(machine) = events[region].track else { panic!("{events:?}") };
    let retake = at(&|event| event.what == What::Retake { machine, reason: RetakeReason::Marked });
    let end = at(&|event| event.what == What::End(Span::Blocking));
    assert!(begin < region && region < retake && retake < end, "{events:?}");
    assert_eq!(events[retake].track, Track::Monitor);
    at(&|event| event.track != events[region].track && is_poll(event.what));

    let mut trace = Vec::new();
    record.write_chrome_trace(&mut trace).unwrap();
    let trace = String::from_utf8(trace).unwrap();
    for part in ["\"retake: marked\"", "\"blocking\"", "the_flight_recorder_shows_what_happened", "\"machine 0\""] {
        assert!(trace.contains(part), "{part} is not in {trace}");
    }
}

fn is_poll(what: What) -> bool {
    matches!(what, What::Begin(Span::Poll { name, .. }) if name.contains("the_flight_recorder_shows"))
}
