//! Runs a body on a quiet runtime, and on runtimes all of whose permits' first holders block their threads.

use std::future::Future;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tidemill::{Procs, Runtime};

/// A body that hangs fails, and does not hang the tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// `(procs, tasks that block)`
const SETTINGS: [(usize, usize); 3] = [(2, 0), (1, 1), (2, 2)];

/// Runs `body` as a task, in every setting.
pub(crate) fn everywhere<F>(body: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for (procs, hogs) in SETTINGS {
        let rt = Runtime::builder().procs(Procs::Fixed(procs)).build().unwrap();
        let _hogs: Vec<_> = (0..hogs).map(|_| hog(&rt)).collect();
        run(&rt, body(), &format!("{procs} procs, {hogs} tasks that block"));
    }
}

/// A task that blocks its thread, unmarked, until the sender is dropped.
fn hog(rt: &Runtime) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (inside, is_inside) = mpsc::channel();
    rt.spawn(async move {
        inside.send(()).unwrap();
        let _ = released.recv();
    });
    is_inside.recv().unwrap();
    release
}

fn run(rt: &Runtime, body: impl Future<Output = ()> + Send + 'static, setting: &str) {
    let (done, is_done) = mpsc::channel();
    let task = rt.spawn(async move {
        body.await;
        done.send(()).unwrap();
    });
    match is_done.recv_timeout(PATIENCE) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout) => panic!("not done after {PATIENCE:?}: {setting}"),
        Err(RecvTimeoutError::Disconnected) => panic!("{}: {setting}", rt.block_on(task).unwrap_err()),
    }
}

/// Tasks on the reactor instead of ours.
pub(crate) fn foreign_tasks() -> usize {
    tidemill::Handle::current().metrics().foreign_tasks
}
