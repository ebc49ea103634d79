//! Tasks that libraries give to `tokio::spawn`: counted, timed, and said once.
#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "a library's use of tokio::spawn is what is tested")]

use std::process::Command;
use std::time::{Duration, Instant};

use tidemill_scheduler::{Metrics, Procs, Runtime};
use tokio::sync::oneshot;

fn runtime() -> Runtime {
    Runtime::builder().procs(Procs::Fixed(1)).build().unwrap()
}

/// Waits until the numbers are as they should be; they lag by a turn of the reactor.
fn eventually(rt: &Runtime, expected: impl Fn(&Metrics) -> bool) -> Metrics {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !expected(&rt.metrics()) && Instant::now() < deadline {
        std::thread::yield_now();
    }
    rt.metrics()
}

#[test]
fn they_are_counted_while_they_live() {
    let rt = runtime();
    let (ends, tasks): (Vec<_>, Vec<_>) = rt.block_on(async {
        (0..3)
            .map(|_| {
                let (end, ended) = oneshot::channel::<()>();
                (end, tokio::spawn(ended))
            })
            .unzip()
    });
    assert_eq!(rt.metrics().foreign_tasks, 3);
    assert_eq!(rt.metrics().live_tasks, 0, "they are no tasks of ours");
    drop(ends);
    for task in tasks {
        assert!(rt.block_on(task).unwrap().is_err(), "its sender was dropped");
    }
    assert_eq!(eventually(&rt, |metrics| metrics.foreign_tasks == 0).foreign_tasks, 0);
}

#[test]
fn their_time_is_measured() {
    const BURN: Duration = Duration::from_millis(20);
    let rt = runtime();
    rt.block_on(async {
        let burns = tokio::spawn(async {
            let start = Instant::now();
            while start.elapsed() < BURN {}
        });
        burns.await.unwrap();
    });
    let metrics = eventually(&rt, |metrics| metrics.foreign_time >= BURN);
    assert!(metrics.foreign_time >= BURN, "{metrics:?}");
}

/// Run again by the next test, as a process of its own: one cannot read one's own stderr.
#[test]
fn spawns_on_tokio() {
    let rt = runtime();
    for _ in 0..3 {
        rt.block_on(async { tokio::spawn(tokio::time::sleep(Duration::from_millis(5))).await.unwrap() });
    }
}

#[test]
fn they_are_mentioned_once_where_it_is_wanted() {
    for (variable, expected) in [("1", 1), ("0", 0)] {
        let this = std::env::current_exe().unwrap();
        let mut again = Command::new(this);
        again.args(["--exact", "spawns_on_tokio", "--nocapture"]).env("TIDEMILL_WARN", variable);
        let output = again.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        assert_eq!(stderr.matches("from tokio::spawn run inside the reactor").count(), expected, "{stderr}");
    }
}
