//! Many tasks, wakes across threads, random panics: nothing is lost.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidemill_scheduler::{JoinHandle, Procs, Runtime, spawn, yield_now};
use tokio::sync::{mpsc, oneshot};

const TASKS: usize = 100_000;

/// What one task does, by its number: so that a failing seed replays.
#[derive(Clone, Copy)]
enum Part {
    Panic,
    Yield(u8),
    SpawnChild,
    AnswerFromOutside,
}

fn part(random: &mut fastrand::Rng) -> Part {
    match random.u8(..) {
        0..16 => Part::Panic,
        16..96 => Part::Yield(random.u8(0..4)),
        96..176 => Part::SpawnChild,
        176.. => Part::AnswerFromOutside,
    }
}

async fn play(part: Part, outside: mpsc::UnboundedSender<oneshot::Sender<usize>>) -> usize {
    match part {
        Part::Panic => panic::now(),
        Part::Yield(times) => {
            for _ in 0..times {
                yield_now().await;
            }
            1
        }
        Part::SpawnChild => spawn(async { 1 }).await.unwrap(),
        Part::AnswerFromOutside => {
            let (answer, answered) = oneshot::channel();
            outside.send(answer).unwrap();
            answered.await.unwrap()
        }
    }
}

mod panic {
    /// Unwinds without the panic hook's output.
    pub(super) fn now() -> ! {
        std::panic::resume_unwind(Box::new("planned"))
    }
}

/// Answers from plain threads, so that wakes come from outside of the runtime.
fn answerers(mut questions: mpsc::UnboundedReceiver<oneshot::Sender<usize>>) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut answered = 0;
        while let Some(question) = questions.blocking_recv() {
            answered += usize::from(question.send(1).is_ok());
        }
        answered
    })
}

fn none_is_lost(procs: usize, seed: u64) {
    let rt = Runtime::builder().procs(Procs::Fixed(procs)).build().unwrap();
    let (to_outside, questions) = mpsc::unbounded_channel();
    let outside = answerers(questions);
    let spawner = rt.spawn(async move {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut planned = 0;
        let tasks: Vec<JoinHandle<usize>> = (0..TASKS)
            .map(|_| {
                let part = part(&mut random);
                planned += usize::from(matches!(part, Part::Panic));
                spawn(play(part, to_outside.clone()))
            })
            .collect();
        (tasks, planned)
    });
    let (tasks, planned) = rt.block_on(spawner).unwrap();
    let (mut done, mut panicked) = (0, 0);
    rt.block_on(async {
        for task in tasks {
            match task.await {
                Ok(one) => done += one,
                Err(error) if error.is_panic() => panicked += 1,
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
    });
    assert_eq!((done, panicked), (TASKS - planned, planned), "seed {seed}");
    outside.join().unwrap();
    assert_eq!(rt.metrics().live_tasks, 0);
}

#[test]
fn a_hundred_thousand_tasks_with_wakes_across_threads_and_panics_lose_none() {
    for (procs, seed) in [(1, 1), (2, 2), (4, 3)] {
        none_is_lost(procs, seed);
    }
}

#[test]
fn runtimes_come_and_go_while_foreign_threads_spawn_and_wake() {
    let ended = Arc::new(AtomicUsize::new(0));
    for _ in 0..50 {
        let rt = Runtime::builder().procs(Procs::Fixed(2)).build().unwrap();
        let spawners: Vec<_> = (0..3)
            .map(|_| {
                let (handle, ended) = (rt.handle(), Arc::clone(&ended));
                std::thread::spawn(move || {
                    let counted = Counted(ended);
                    let tasks: Vec<_> = (0..100).map(|_| handle.spawn(hop(counted.clone()))).collect();
                    tasks.len()
                })
            })
            .collect();
        drop(rt);
        let spawned: usize = spawners.into_iter().map(|s| s.join().unwrap()).sum();
        assert_eq!(spawned, 300);
    }
    // Each task dropped its own token, whether it ran, was dropped at the end, or came too late.
    assert_eq!(ended.load(Ordering::SeqCst), 50 * 3 * 101);
}

async fn hop(_token: Counted) {
    for _ in 0..3 {
        yield_now().await;
    }
}

#[derive(Clone)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
