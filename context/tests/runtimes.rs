//! The same bodies on tidemill and on plain tokio: the context knows neither.
#![allow(clippy::unwrap_used)]

use std::{
    future::{Future, pending},
    process::{self, Command},
    sync::mpsc,
    time::Duration,
};

use tidemill_context::{Cause, Context};
use tidemill_spawner::{Spawner, Task};
use tokio::signal::unix::{SignalKind, signal};

const MOMENT: Duration = Duration::from_millis(10);

/// Runs the body on both runtimes, with two threads each.
fn on_both<F: Future<Output = ()> + Send + 'static>(body: impl Fn(Spawner) -> F) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    tokio.block_on(Spawner::from(tokio.handle().clone()).spawn_task(body(tokio.handle().clone().into()))).unwrap();
    let tidemill = tidemill_scheduler::Runtime::builder().procs(tidemill_scheduler::Procs::Fixed(2)).build().unwrap();
    tidemill.block_on(Spawner::from(tidemill.handle()).spawn_task(body(tidemill.handle().into()))).unwrap();
}

/// One test per body, named after it.
macro_rules! on_both_runtimes {
    ($(async fn $name:ident($on:ident) $body:block)*) => {$(
        #[test]
        fn $name() {
            on_both(|$on: Spawner| async move $body);
        }
    )*};
}

on_both_runtimes! {
    async fn a_cancel_from_another_task_cuts_a_run(on) {
        let ctx = Context::background();
        let inner = ctx.clone();
        let cancel = on.spawn_task(async move { inner.cancel("enough") });
        let cut = ctx.run(pending::<()>()).await;
        assert_eq!(cut.unwrap_err().to_string(), "cancelled: enough");
        assert!(cancel.await.unwrap());
    }

    async fn every_waiting_task_is_told_and_those_that_left_are_not_missed(on) {
        let ctx = Context::background();
        let waiting: Vec<_> = (0..100).map(|_| on.spawn_task(ctx.child().cancelled())).collect();
        let leaving: Vec<_> = (0..100).map(|_| on.spawn_task(ctx.child().cancelled())).collect();
        leaving.iter().for_each(Task::abort);
        for task in leaving {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        ctx.cancel(Cause::Shutdown);
        for task in waiting {
            assert_eq!(task.await.unwrap(), Cause::Shutdown);
        }
    }

    async fn a_deadline_runs_functions_and_cuts_tasks(on) {
        let ctx = Context::background().with_timeout(MOMENT);
        let (sender, receiver) = mpsc::channel();
        let _after = ctx.after_func(move |cause| sender.send(cause.clone()).unwrap());
        let inner = ctx.clone();
        let task = on.spawn_task(async move { inner.run(pending::<()>()).await });
        assert_eq!(task.await.unwrap(), Err(Cause::DeadlineExceeded));
        assert_eq!(on.blocking(move || receiver.recv()).await, Ok(Cause::DeadlineExceeded));
    }

    async fn a_scope_goes_with_its_task(on) {
        let ctx = Context::background().with_value("request 7");
        let task = on.spawn_task(ctx.scope(async {
            tokio::task::yield_now().await;
            Context::current().value::<&str>().copied()
        }));
        assert_eq!(task.await.unwrap(), Some("request 7"));
    }

    async fn a_request_ends_with_its_client_or_with_the_server(on) {
        for (shutdown, cause) in [(true, "shutting down"), (false, "cancelled: the client hung up")] {
            let (server, (hang_up, hung_up)) = (Context::background(), tokio::sync::oneshot::channel::<()>());
            let client = Context::background();
            let watch = on.spawn_task(client.cancel_on(hung_up, "the client hung up"));
            let request = Context::merge(&client, &server);
            let work = on.spawn_task(async move { request.run(pending::<()>()).await });
            if shutdown {
                server.cancel(Cause::Shutdown);
            } else {
                drop(hang_up);
            }
            assert_eq!(work.await.unwrap().unwrap_err().to_string(), cause);
            client.cancel(Cause::Cancelled);
            watch.await.unwrap();
        }
    }

    async fn a_signal_of_the_system_cancels(on) {
        let ctx = Context::background();
        let mut user = signal(SignalKind::user_defined1()).unwrap();
        let watch = on.spawn_task(ctx.cancel_on(async move { user.recv().await }, Cause::Signal(10)));
        let sent = on.blocking(|| Command::new("kill").args(["-USR1", &process::id().to_string()]).status()).await;
        assert!(sent.unwrap().success());
        assert_eq!(ctx.cancelled().await, Cause::Signal(10));
        watch.await.unwrap();
    }

    async fn a_thread_that_waits_is_told_by_a_task(on) {
        let ctx = Context::background();
        let inner = ctx.clone();
        let waiting = on.spawn_task({
            let on = on.clone();
            async move { on.blocking(move || inner.wait()).await }
        });
        ctx.cancel(Cause::Shutdown);
        assert_eq!(waiting.await.unwrap(), Cause::Shutdown);
    }
}

/// tokio's paused time jumps from timer to timer; a clock that follows it makes deadlines such timers.
#[tokio::test(start_paused = true)]
async fn deadlines_follow_tokios_paused_time() {
    use tidemill_context::ManualClock;

    let hour = Duration::from_secs(3600);
    let clock = ManualClock::following(|| tokio::time::Instant::now().into_std());
    let driven = clock.clone();
    let drive = Spawner::current().unwrap().spawn_task(async move {
        driven.drive(|at| tokio::time::sleep_until(at.into())).await;
    });
    let ctx = Context::on(&clock).with_timeout(2 * hour);
    tokio::time::sleep(hour).await;
    assert_eq!((ctx.remaining(), ctx.check()), (Some(hour), Ok(())));
    // Made while the driver sleeps to the later one.
    assert_eq!(ctx.with_timeout(hour / 2).run(pending::<()>()).await, Err(Cause::DeadlineExceeded));
    assert_eq!(ctx.remaining(), Some(hour / 2));
    assert_eq!(ctx.cancelled().await, Cause::DeadlineExceeded);
    assert_eq!(ctx.remaining(), Some(Duration::ZERO));
    drive.abort();
}
