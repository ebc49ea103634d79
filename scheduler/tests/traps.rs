//! What hurt the users of other runtimes, by the numbers of `TRAPS.md`. Traps that another file tests are not here.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{builder, eventually, runtime};
use tidemill_scheduler::{Handle, block_on, blocking, spawn};
use tokio::time::sleep;

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn trap_02_a_task_in_the_slot_is_not_held_up_by_a_slow_poll() {
    // Alone, the machine loses its permit after the slice; among others it is robbed, long before its slice ends.
    for (procs, slice) in [(1, MILLISECOND), (2, Duration::MAX), (4, Duration::MAX)] {
        let rt = builder(procs).slice(slice).build().unwrap();
        rt.block_on(rt.spawn(async {
            let done = Arc::new(AtomicBool::new(false));
            let sets = Arc::clone(&done);
            // Alone, so it is in the slot; and this poll lasts until it has run.
            spawn(async move { sets.store(true, Ordering::SeqCst) });
            while !done.load(Ordering::SeqCst) {}
        }))
        .unwrap();
    }
}

#[test]
fn trap_02_nobody_is_woken_for_a_lone_task_in_the_slot() {
    const ROUNDS: u64 = 20_000;
    let searches = || {
        let rt = runtime(2);
        rt.block_on(rt.spawn(async {
            for _ in 0..ROUNDS {
                spawn(async {}).await.unwrap();
            }
        }))
        .unwrap();
        rt.metrics().searches
    };
    // The monitor's sweep finds the slot full now and then, on a crowded computer more often.
    let fewest = (0..3).map(|_| searches()).min().unwrap();
    assert!(fewest < ROUNDS / 20, "{fewest} searches");
}

#[test]
fn trap_03_the_monitor_serves_the_reactor_if_nobody_else_can() {
    let rt = builder(1).max_threads(1).build().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (stops, inside) = (Arc::clone(&done), mpsc::channel());
    let hog = rt.spawn(async move {
        inside.0.send(()).unwrap();
        while !stops.load(Ordering::SeqCst) {}
    });
    inside.1.recv().unwrap();
    // The only thread there may be is in one poll all the time.
    rt.block_on(async { sleep(MILLISECOND).await });
    assert!(!hog.is_finished());
    done.store(true, Ordering::SeqCst);
    rt.block_on(hog).unwrap();
}

#[test]
fn trap_08_a_blocking_call_stays_on_its_thread_and_costs_none() {
    let rt = runtime(1);
    rt.block_on(rt.spawn(async {
        let here = thread::current().id();
        for _ in 0..10_000 {
            assert_eq!(blocking(|| thread::current().id()), here);
        }
    }))
    .unwrap();
    assert_eq!((rt.metrics().threads, rt.metrics().retaken_marked), (1, 0), "{:?}", rt.metrics());
}

#[test]
fn trap_10_blocking_is_allowed_everywhere() {
    let rt = runtime(1);
    assert_eq!(blocking(|| 1), 1);
    assert_eq!(rt.block_on(async { blocking(|| 2) }), 2);
    assert_eq!(rt.block_on(rt.spawn(async { blocking(|| block_on(async { blocking(|| 3) })) })).unwrap(), 3);
}

/// A channel of tokio's that is never empty: each receipt uses one unit of tokio's budget, where there is one.
async fn drain(items: usize) -> usize {
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let mut sum = 0;
    for _ in 0..items {
        send.send(1).unwrap();
        sum += receive.recv().await.unwrap();
    }
    sum
}

#[test]
fn trap_16_a_nested_block_on_has_no_budget_to_run_out_of() {
    let rt = runtime(1);
    assert_eq!(rt.block_on(rt.spawn(async { block_on(drain(1000)) })).unwrap(), 1000);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a library's use of tokio::spawn is what is tested")]
fn trap_16_block_on_inside_a_task_of_tokios_is_refused() {
    let rt = runtime(1);
    let refused = rt.block_on(async { tokio::spawn(async { block_on(async { sleep(MILLISECOND).await }) }).await });
    let payload = refused.unwrap_err().into_panic();
    assert!(payload.downcast_ref::<&str>().unwrap().contains("inside of a tokio::spawn task"));
    // The reactor has not suffered.
    rt.block_on(async { sleep(MILLISECOND).await });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a library's use of tokio's ways to block is what is tested")]
fn trap_3a_what_tokio_forbids_its_own_tasks_is_allowed_in_ours() {
    let rt = runtime(1);
    rt.block_on(rt.spawn(async {
        let (send, receive) = tokio::sync::oneshot::channel();
        spawn(async move { send.send(1).unwrap() });
        assert_eq!(receive.blocking_recv(), Ok(1));
        assert_eq!(tokio::task::block_in_place(|| 2), 2);
        assert_eq!(tokio::task::spawn_blocking(|| 3).await.unwrap(), 3);
        assert_eq!(tokio::runtime::Handle::current().block_on(async { 4 }), 4);
        let own = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(own.block_on(async { 5 }), 5);
    }))
    .unwrap();
}

#[test]
fn trap_3b_files_processes_signals_and_udp_work_in_a_task() {
    let rt = runtime(1);
    rt.block_on(rt.spawn(async {
        assert!(!tokio::fs::read("/proc/self/stat").await.unwrap().is_empty());
        assert!(tokio::process::Command::new("true").status().await.unwrap().success());
        let mut signals = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1()).unwrap();
        // SAFETY: it has a handler now.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
        signals.recv().await.unwrap();
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(b"x", socket.local_addr().unwrap()).await.unwrap();
        assert_eq!(socket.recv(&mut [0; 2]).await.unwrap(), 1);
    }))
    .unwrap();
}

#[test]
fn trap_3b_whoever_leaves_the_reactor_may_wait_for_it() {
    // The driver comes out with a task, which waits for a timer by blocking: ours, and unmarked in tokio's way.
    let waits: [fn(); 2] = [
        || block_on(async { sleep(MILLISECOND).await }),
        || tokio::runtime::Handle::current().block_on(async { sleep(MILLISECOND).await }),
    ];
    for procs in [1, 2] {
        let rt = runtime(procs);
        for wait in waits {
            rt.block_on(rt.spawn(async move {
                sleep(MILLISECOND).await;
                wait();
            }))
            .unwrap();
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a library's use of tokio::spawn is what is tested")]
fn trap_3b_a_task_of_tokios_runs_and_spawns_while_every_machine_is_stuck() {
    let rt = builder(1).max_threads(1).build().unwrap();
    let (release, released) = mpsc::channel();
    let tokios = rt.spawn(async move {
        let here = thread::current().id();
        tokio::spawn(async move {
            assert_ne!(thread::current().id(), here, "the only machine is stuck");
            assert!(Handle::try_current().is_some());
            release.send((spawn(async { 1 }),)).unwrap();
        });
        released.recv().unwrap()
    });
    let (ours,) = rt.block_on(tokios).unwrap();
    assert_eq!(rt.block_on(ours).unwrap(), 1);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a library's use of tokio::spawn is what is tested")]
fn trap_3b_a_task_of_tokios_that_blocks_stops_the_reactor_and_nothing_else() {
    let rt = runtime(1);
    let ((inside, is_inside), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
    // All machines are stuck until the task of tokio's is run in their stead, and blocks in there.
    let stuck = rt.spawn(async move {
        tokio::spawn(async move {
            inside.send(()).unwrap();
            let _ = released.recv();
        });
        is_inside.recv().unwrap();
        // Now two of ours take the one permit from each other.
        let (answer, answered) = mpsc::channel();
        spawn(async move { answer.send(blocking(|| 1)).unwrap() });
        answered.recv().unwrap()
    });
    assert_eq!(rt.block_on(stuck).unwrap(), 1);
    drop(release);
    rt.block_on(async { sleep(MILLISECOND).await });
}

#[test]
fn trap_3b_a_task_that_is_always_ready_starves_nobody() {
    let rt = builder(1).slice(MILLISECOND).build().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let stops = Arc::clone(&done);
    let hog = rt.spawn(async move {
        let mut received = 0;
        while !stops.load(Ordering::SeqCst) {
            received += drain(100).await;
        }
        received
    });
    rt.block_on(rt.spawn(async { sleep(MILLISECOND).await })).unwrap();
    done.store(true, Ordering::SeqCst);
    rt.block_on(hog).unwrap();
}

/// Polls a timer with a waker that panics, so that it does so inside the reactor.
fn panic_inside_the_reactor() {
    struct Loud;
    impl Wake for Loud {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }
    let rt = runtime(1);
    rt.block_on(async {
        let mut timer = Box::pin(sleep(MILLISECOND));
        let loud = Waker::from(Arc::new(Loud));
        assert_eq!(timer.as_mut().poll(&mut Context::from_waker(&loud)), Poll::Pending);
        sleep(Duration::from_secs(3600)).await;
    });
}

#[test]
fn trap_3b_a_waker_that_panics_inside_the_reactor_ends_the_process_and_says_so() {
    const CHILD: &str = "TIDEMILL_TRAP_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return panic_inside_the_reactor();
    }
    let name = "trap_3b_a_waker_that_panics_inside_the_reactor_ends_the_process_and_says_so";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(!child.status.success() && said.contains("a waker panicked inside the reactor"), "{said}");
}

#[test]
fn trap_3c_what_the_reactor_wakes_at_once_is_shared() {
    // All wait for the same instant; the driver comes out with all of them, and each blocks until all have come.
    const TASKS: usize = 4;
    let rt = runtime(TASKS);
    let here = Arc::new(AtomicUsize::new(0));
    let until = std::time::Instant::now() + 5 * MILLISECOND;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let here = Arc::clone(&here);
            rt.spawn(async move {
                tokio::time::sleep_until(until.into()).await;
                here.fetch_add(1, Ordering::SeqCst);
                eventually("all at the same time", || here.load(Ordering::SeqCst) == TASKS);
            })
        })
        .collect();
    for task in tasks {
        rt.block_on(task).unwrap();
    }
}
