//! The races of the state machine under loom.

use super::*;
use loom::sync::Arc;
use loom::{cell::UnsafeCell, thread};

struct Model {
    state: State,
    /// Stands for the future: touched only by the holder of `RUNNING`.
    future: UnsafeCell<u32>,
    /// Written by the waker before it wakes, read by the poll.
    message: AtomicUsize,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Self { state: State::new(), future: UnsafeCell::new(0), message: AtomicUsize::new(0) })
    }

    /// Runs the task until it is idle or complete; returns the last message that a poll saw.
    fn run(&self, polls: &mut Vec<usize>) -> bool {
        loop {
            match self.state.start() {
                Start::Gone => return true,
                Start::Cancel => return self.end(),
                Start::Poll => {}
            }
            self.touch();
            polls.push(self.message.load(Ordering::Relaxed));
            match self.state.finish_poll() {
                Pending::Idle => return false,
                Pending::Resubmit => {}
                Pending::Cancel => return self.end(),
            }
        }
    }

    fn end(&self) -> bool {
        self.touch();
        // The slab's reference is left, so that the word is never freed in the model.
        let _ = self.state.complete(1, true);
        true
    }

    fn touch(&self) {
        // SAFETY: the caller holds RUNNING; loom reports any overlap.
        self.future.with_mut(|f| unsafe { *f += 1 });
    }
}

#[test]
fn loom_a_wake_is_never_lost_and_its_writes_are_seen() {
    loom::model(|| {
        let task = Model::new();
        let waker = Arc::clone(&task);
        let other = thread::spawn(move || {
            waker.message.store(1, Ordering::Relaxed);
            waker.state.wake_by_ref() == Wake::Submit
        });
        let mut polls = Vec::new();
        task.run(&mut polls);
        if other.join().expect("no panic in the model") {
            task.run(&mut polls);
        }
        // The first poll may or may not see the message; the last one after the wake must.
        assert_eq!(polls.last(), Some(&1), "the wake's message was not polled: {polls:?}");
    });
}

#[test]
fn loom_shutdown_and_poller_never_both_hold_the_future() {
    loom::model(|| {
        let task = Model::new();
        let closer = Arc::clone(&task);
        let other = thread::spawn(move || {
            let mine = closer.state.shutdown() != Shutdown::Theirs;
            mine && {
                closer.touch();
                closer.state.complete(0, true) == Completion::Done(false)
            }
        });
        let ended = task.run(&mut Vec::new());
        let closed = other.join().expect("no panic in the model");
        let missed = closed || ended || task.state.shutdown() == Shutdown::Theirs;
        assert!(missed, "an idle task was missed by both");
    });
}

#[test]
fn loom_join_waker_and_completion_meet() {
    loom::model(|| {
        let task = Model::new();
        assert_eq!(task.state.start(), Start::Poll);
        let joiner = Arc::clone(&task);
        let other = thread::spawn(move || joiner.state.publish_join_waker());
        let wakes = task.state.complete(1, false) == Completion::Wake;
        let published = other.join().expect("no panic in the model");
        assert_eq!(wakes, published, "the joiner sleeps and nobody wakes it, or the reverse");
    });
}

#[test]
fn loom_one_of_completer_and_join_handle_drops_the_output_and_one_frees() {
    loom::model(|| {
        let task = Model::new();
        assert_eq!(task.state.start(), Start::Poll);
        let joiner = Arc::clone(&task);
        let other = thread::spawn(move || {
            let output = joiner.state.drop_join_interest();
            if output {
                joiner.touch();
            }
            (output, output && joiner.state.release(1))
        });
        let mut dropped = false;
        let freed = loop {
            match task.state.complete(2, dropped) {
                Completion::Unclaimed => {
                    task.touch();
                    dropped = true;
                }
                Completion::Wake => unreachable!("nobody left a waker"),
                Completion::Done(last) => break last,
            }
        };
        let (output, last) = other.join().expect("no panic in the model");
        assert!(output != dropped, "the output is dropped by both or by nobody");
        assert!(last != freed, "the task is freed by both or by nobody");
    });
}

#[test]
fn loom_a_waker_of_an_ended_runtime_finds_it_kept() {
    loom::model(|| {
        let task = Model::new();
        assert_eq!(task.state.start(), Start::Poll);
        assert_eq!(task.state.finish_poll(), Pending::Idle);
        let closer = Arc::clone(&task);
        let other = thread::spawn(move || closer.state.shutdown());
        let submits = task.state.wake_by_ref() == Wake::Submit;
        let shutdown = other.join().expect("no panic in the model");
        assert_eq!(shutdown, Shutdown::Cancel { kept: submits }, "a push is on its way, and the runtime is gone");
    });
}
