//! The seam means the same on both runtimes.
#![allow(clippy::unwrap_used)]

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tidemill_spawner::Spawner;

/// Runs the body on both runtimes, with two threads each.
fn on_both<F: Future<Output = ()> + Send + 'static>(body: impl Fn(Spawner) -> F) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    tokio.block_on(tokio.spawn(body(tokio.handle().clone().into()))).unwrap();
    let tidemill = tidemill_scheduler::Runtime::builder().procs(tidemill_scheduler::Procs::Fixed(2)).build().unwrap();
    tidemill.block_on(tidemill.spawn(body(tidemill.handle().into()))).unwrap();
}

#[test]
fn inside_of_a_runtime_it_is_the_current_one() {
    on_both(|on| async move {
        let here = Spawner::current().unwrap();
        assert_eq!(matches!(here, Spawner::Tidemill(_)), matches!(on, Spawner::Tidemill(_)));
    });
    assert!(Spawner::current().is_none());
}

#[test]
fn an_aborted_task_ends_after_its_destructors() {
    /// Says when it is dropped.
    struct Trace(Arc<AtomicBool>);
    impl Drop for Trace {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    on_both(|on| async move {
        let gone = Arc::new(AtomicBool::new(false));
        let trace = Trace(Arc::clone(&gone));
        let task = on.spawn_task(async move {
            let _trace = trace;
            pending::<()>().await;
        });
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(gone.load(SeqCst));
    });
}

#[test]
fn a_panic_is_an_error_with_its_payload() {
    on_both(|on| async move {
        let error = on.spawn_task(async { panic!("as foreseen") }).await.unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert!(error.to_string().contains("panic"), "{error}");
        assert_eq!(error.try_into_panic().unwrap().downcast_ref::<&str>().unwrap(), &"as foreseen");
        let aborted = on.spawn_task(pending::<()>());
        aborted.abort();
        assert!(aborted.await.unwrap_err().try_into_panic().is_err());
    });
}

#[test]
fn blocking_work_returns_its_value_and_raises_its_panic() {
    on_both(|on| async move {
        assert_eq!(on.blocking(|| 7).await, 7);
        let inner = on.clone();
        let raised = on.spawn_task(async move { inner.blocking(|| panic!("as foreseen")).await }).await;
        assert!(raised.unwrap_err().is_panic());
    });
}
