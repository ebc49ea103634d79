//! From spawn to the end of a task and of its handle, in every state a task can be in, and on every kind of thread.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::{pending, poll_fn, ready};
use std::panic::{self, AssertUnwindSafe, panic_any, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use common::{eventually, runtime};
use tidemill_scheduler::{Handle, JoinHandle, block_on, blocking, spawn, yield_now};

/// Counted by its clones.
type Token = Arc<()>;

#[test]
fn an_aborted_task_is_cancelled_and_dropped_in_whatever_state_it_was() {
    let rt = runtime(1);
    type Start = fn(Token) -> JoinHandle<()>;
    let token = Token::default();
    let cases: [(&str, Start); 4] = [
        ("asleep", |token| {
            let (asleep, is_asleep) = mpsc::channel();
            let task = spawn(async move {
                let _token = token;
                asleep.send(()).unwrap();
                pending::<()>().await;
            });
            block_on(async { is_asleep.recv().unwrap() });
            task
        }),
        ("queued here", |token| spawn(async move { drop(token) })),
        ("queued from outside", |token| Handle::current().spawn(async move { drop(token) })),
        ("yielding for ever", |token| {
            spawn(async move {
                let _token = token;
                loop {
                    yield_now().await;
                }
            })
        }),
    ];
    for (state, start) in cases {
        let mine = Arc::clone(&token);
        let ended = rt.block_on(rt.spawn(async move {
            let task = start(mine);
            task.abort();
            task.abort();
            task.await
        }));
        assert!(ended.unwrap().unwrap_err().is_cancelled(), "{state}");
        assert_eq!(Arc::strong_count(&token), 1, "{state}: its future is dropped when the handle says so");
    }
}

#[test]
fn a_running_task_that_is_aborted_finishes_its_poll() {
    let rt = runtime(1);
    // What the poll gives back after the abort, and what becomes of it.
    for (returns, cancelled) in [(Poll::Ready(7), false), (Poll::Pending, true)] {
        let (inside, is_inside) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let task = rt.spawn(poll_fn(move |_| {
            inside.send(()).unwrap();
            blocking(|| released.recv().unwrap());
            returns
        }));
        is_inside.recv().unwrap();
        task.abort();
        assert!(!task.is_finished(), "it is inside its poll");
        release.send(()).unwrap();
        match rt.block_on(task) {
            Ok(output) => assert!(output == 7 && !cancelled),
            Err(error) => assert!(error.is_cancelled() && cancelled),
        }
    }
}

#[test]
fn a_task_may_abort_itself_and_join_itself_in_vain() {
    let rt = runtime(1);
    let (to_task, own) = mpsc::channel::<JoinHandle<()>>();
    let (ended, has_ended) = mpsc::channel();
    let task = rt.spawn(async move {
        let mut own = own.recv().unwrap();
        own.abort();
        let joined = poll_fn(|context| Poll::Ready(pin!(&mut own).poll(context).is_pending())).await;
        ended.send((joined, own.is_finished())).unwrap();
        own.await.unwrap();
        unreachable!("its next pause is its end");
    });
    to_task.send(task).unwrap();
    assert_eq!(has_ended.recv().unwrap(), (true, false));
    eventually("it is cancelled", || rt.metrics().live_tasks == 0);
}

#[test]
fn a_detached_task_goes_on() {
    let rt = runtime(1);
    let (done, is_done) = mpsc::channel();
    drop(rt.spawn(async move {
        yield_now().await;
        done.send(()).unwrap();
    }));
    is_done.recv().unwrap();
}

#[test]
fn every_kind_of_payload_comes_through_a_join() {
    let rt = runtime(1);
    let cases: [(fn(), &str); 4] = [
        (|| panic!("plain"), "the task panicked: plain"),
        (|| panic!("number {}", std::hint::black_box(5)), "the task panicked: number 5"),
        (|| panic_any(5_u8), "the task panicked"),
        (|| resume_unwind(Box::new("quiet")), "the task panicked: quiet"),
    ];
    for (fault, text) in cases {
        let error = rt.block_on(rt.spawn(async move { fault() })).unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.to_string(), text);
        let payload = error.try_into_panic().unwrap();
        assert_eq!(payload.is::<u8>(), text == "the task panicked");
    }
    let task = rt.spawn(pending::<()>());
    task.abort();
    let error = rt.block_on(task).unwrap_err();
    assert_eq!(error.to_string(), "the task was cancelled");
    let error = error.try_into_panic().unwrap_err();
    assert!(panic::catch_unwind(AssertUnwindSafe(|| error.into_panic())).is_err());
}

#[test]
fn a_panic_at_the_end_of_a_detached_task_leaves_the_machine_whole() {
    struct Bomb(&'static str);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(self.0);
        }
    }
    let rt = runtime(1);
    // In the poll, in the destructor of the future, and in that of an output nobody wants.
    drop(rt.spawn(async { panic!("in the poll") }));
    drop(rt.spawn(async {
        let _bomb = Bomb("in the future");
    }));
    drop(rt.spawn(async { Bomb("in the output") }));
    assert_eq!(rt.block_on(rt.spawn(async { 1 })).unwrap(), 1);
    eventually("all have ended", || rt.metrics().live_tasks == 0);
    eventually("no thread took the permit with it", || rt.metrics().idle_procs == 1);
}

#[test]
fn the_output_that_was_not_taken_is_dropped_with_the_handle() {
    let rt = runtime(1);
    let token = Token::default();
    let mine = Arc::clone(&token);
    let task = rt.spawn(async move { mine });
    eventually("it has ended", || task.is_finished());
    assert_eq!(Arc::strong_count(&token), 2, "the output waits for the handle");
    drop(task);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn a_join_handle_wakes_whoever_polled_it_last() {
    let rt = runtime(1);
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let mut task = rt.spawn(released);
    let (first, last) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    for bell in [&first, &last, &last] {
        let waker = Waker::from(Arc::clone(bell));
        assert!(pin!(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    release.send(()).unwrap();
    eventually("the last is woken", || last.rung());
    assert!(!first.rung(), "the first was replaced");
    rt.block_on(task).unwrap().unwrap();
}

#[derive(Default)]
struct Bell(std::sync::atomic::AtomicBool);

impl Bell {
    fn rung(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl std::task::Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn runtimes_in_one_process_spawn_into_each_other() {
    let (a, b) = (runtime(1), runtime(1));
    let (on_a, on_b) = (a.handle(), b.handle());
    // Each level hands its child to the other runtime and waits for it without a thread of its own.
    fn bounce(here: &Handle, there: &Handle, left: u32) -> JoinHandle<u32> {
        let next = (there.clone(), here.clone());
        here.spawn(async move { if left == 0 { 0 } else { bounce(&next.0, &next.1, left - 1).await.unwrap() + 1 } })
    }
    assert_eq!(block_on(bounce(&on_a, &on_b, 100)).unwrap(), 100);
    assert_eq!((a.metrics().spawned, b.metrics().spawned), (51, 50));
}

#[test]
fn a_plain_spawn_goes_to_the_runtime_of_the_thread() {
    let (a, b) = (runtime(1), runtime(1));
    let on_b = b.handle();
    a.block_on(async move {
        // Inside of another runtime's block_on that one is the runtime, and afterwards the first again.
        on_b.block_on(async { spawn(ready(())).await.unwrap() });
        spawn(ready(())).await.unwrap();
    });
    assert_eq!((a.metrics().spawned, b.metrics().spawned), (1, 1));
}

#[test]
fn inside_a_task_block_on_of_another_runtime_makes_that_the_runtime() {
    let (a, b) = (runtime(1), runtime(1));
    let on_b = b.handle();
    a.block_on(a.spawn(async move { on_b.block_on(async { spawn(ready(())).await.unwrap() }) })).unwrap();
    assert_eq!((a.metrics().spawned, b.metrics().spawned), (1, 1));
}

#[test]
fn a_runtime_may_be_built_and_dropped_inside_of_another() {
    let outer = runtime(1);
    let sum = outer.block_on(outer.spawn(async {
        let inner = runtime(1);
        let timer = inner.spawn(async { tokio::time::sleep(std::time::Duration::from_millis(1)).await });
        let sum = inner.block_on(async { spawn(ready(20)).await.unwrap() + 1 });
        timer.await.unwrap();
        drop(inner);
        sum + spawn(ready(21)).await.unwrap()
    }));
    assert_eq!(sum.unwrap(), 42);
}

#[test]
fn foreign_threads_spawn_together_and_none_is_lost() {
    let rt = runtime(2);
    let start = Arc::new(Barrier::new(8));
    let spawners: Vec<_> = (0..8)
        .map(|_| {
            let (handle, start) = (rt.handle(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                let tasks: Vec<_> = (0..500_u32).map(|i| handle.spawn(async move { i })).collect();
                handle.block_on(async {
                    let mut sum = 0;
                    for task in tasks {
                        sum += task.await.unwrap();
                    }
                    sum
                })
            })
        })
        .collect();
    for spawner in spawners {
        assert_eq!(spawner.join().unwrap(), 124_750);
    }
}

#[test]
fn spawning_where_there_is_no_runtime_says_what_to_do() {
    for call in [|| drop(spawn(ready(()))), || drop(Handle::current())] {
        let payload = thread::spawn(call).join().unwrap_err();
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        let text = text.unwrap();
        assert!(text.contains("call this inside of block_on, a task or #[tidemill::main]"), "{text:?}");
    }
    assert!(Handle::try_current().is_none());
}

#[test]
fn a_waker_that_panics_is_its_owners_fault_and_no_machines_end() {
    struct Loud;
    impl std::task::Wake for Loud {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }
    let rt = runtime(1);
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let mut task = rt.spawn(released);
    let loud = Waker::from(Arc::new(Loud));
    assert!(pin!(&mut task).poll(&mut Context::from_waker(&loud)).is_pending());
    release.send(()).unwrap();
    rt.block_on(rt.spawn(async {})).unwrap();
    rt.block_on(task).unwrap().unwrap();
    eventually("no thread took the permit with it", || rt.metrics().idle_procs == 1);
}

#[test]
fn a_waker_that_panics_at_its_end_takes_no_machine_along() {
    /// Wakes by telling the test, and waits until the test has let go of the task.
    struct Last(mpsc::Sender<()>, Arc<Barrier>, Bomb);
    impl std::task::Wake for Last {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            self.0.send(()).unwrap();
            self.1.wait();
        }
    }
    let rt = runtime(1);
    let (woken, is_woken) = mpsc::channel();
    let let_go = Arc::new(Barrier::new(2));
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let mut task = rt.spawn(released);
    let last = Waker::from(Arc::new(Last(woken, Arc::clone(&let_go), Bomb)));
    assert!(pin!(&mut task).poll(&mut Context::from_waker(&last)).is_pending());
    // The clone in the task is the last one, and it goes when the machine frees the task.
    drop(last);
    release.send(()).unwrap();
    is_woken.recv().unwrap();
    assert!(pin!(&mut task).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    drop(task);
    let_go.wait();
    assert_eq!(rt.block_on(rt.spawn(async { 1 })).unwrap(), 1);
    eventually("no thread took the permit with it", || rt.metrics().idle_procs == 1);
}

/// Panics at its end.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("at its end"));
    }
}

/// Ready at once, and panics at its end.
struct Mine<T>(Option<T>, Bomb);

impl<T: Unpin> std::future::Future for Mine<T> {
    type Output = T;

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        match self.0.take() {
            Some(output) => Poll::Ready(output),
            None => resume_unwind(Box::new(Bomb)),
        }
    }
}

#[test]
fn a_future_an_output_and_a_payload_that_all_panic_at_their_end_take_no_machine_along() {
    let rt = runtime(1);
    for output in [Some(Bomb), None] {
        let empty = output.is_none();
        let task = rt.spawn(Mine(output, Bomb));
        let error = rt.block_on(task).unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: at its end", "{empty}");
        drop(rt.spawn(Mine((!empty).then(|| Bomb), Bomb)));
        assert_eq!(rt.block_on(rt.spawn(async { 1 })).unwrap(), 1);
    }
    eventually("no thread took the permit with it", || rt.metrics().idle_procs == 1);
}
