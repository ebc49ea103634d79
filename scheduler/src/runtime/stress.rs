//! Everything at once: tasks that spawn, wake, block, burn, wait for timers, panic and are aborted, while foreign threads
//! spawn and wake and the runtime changes its size. Nothing may be lost, and nothing may hang.
//!
//! It runs for two seconds, or `TIDEMILL_STRESS_SECONDS`. What each task does follows from a seed, which a failure
//! prints and `TIDEMILL_SEED` sets; how threads meet does not.

use std::env;
use std::io::{self, Write};
use std::panic;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::runtime::Options;
use crate::{JoinError, JoinHandle, Runtime, blocking, limits, spawn, yield_now};

const SECONDS: u64 = 2;

/// Tasks that one runtime gets, their children not counted.
const TASKS: usize = 2_000;

/// Most permits of a runtime.
const MOST: usize = 4;

/// A round takes a fraction of a second on a quiet computer; under a sanitizer on a crowded one, many times that.
const HANGS_AFTER: Duration = Duration::from_secs(300);

/// What a task does, once or several times in a row.
#[derive(Debug, Clone, Copy)]
enum Act {
    Yield,
    Child,
    /// Waits for an answer of a foreign thread, as a task.
    Ask,
    /// The same, in a marked region.
    AskBlocking,
    /// The same, without saying so.
    AskUnmarked,
    Nested,
    Timer,
    TimeOut,
    Burn,
    AbortChild,
    Panic,
}

fn act(random: &mut Rng) -> Act {
    match random.u16(0..1000) {
        0..300 => Act::Yield,
        300..500 => Act::Child,
        500..700 => Act::Ask,
        700..760 => Act::AskBlocking,
        760..765 => Act::AskUnmarked,
        765..800 => Act::Nested,
        800..850 => Act::Timer,
        850..880 => Act::TimeOut,
        880..885 => Act::Burn,
        885..960 => Act::AbortChild,
        960.. => Act::Panic,
    }
}

/// A question to the foreign threads, who answer by waking.
enum Question {
    Task(oneshot::Sender<()>),
    Thread(mpsc::SyncSender<()>),
}

/// Counts the tasks that are gone.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What all tasks of a round share.
#[derive(Clone)]
struct Round {
    questions: mpsc::Sender<Question>,
    gone: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

impl Round {
    fn token(&self) -> Token {
        self.made.fetch_add(1, Ordering::Relaxed);
        Token(Arc::clone(&self.gone))
    }

    fn ask_blocking(&self) {
        let (answer, answered) = mpsc::sync_channel(1);
        self.questions.send(Question::Thread(answer)).expect("the answerer outlives the tasks");
        answered.recv().expect("every question is answered");
    }

    async fn ask(&self) {
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question::Task(answer)).expect("the answerer outlives the tasks");
        answered.await.expect("every question is answered");
    }

    async fn act(&self, act: Act, random: &mut Rng) {
        match act {
            Act::Yield => yield_now().await,
            Act::Child => {
                let token = self.token();
                spawn(async move { drop(token) }).await.expect("the child does nothing");
            }
            Act::Ask => self.ask().await,
            Act::AskBlocking => blocking(|| self.ask_blocking()),
            Act::AskUnmarked => self.ask_blocking(),
            Act::Nested => crate::block_on(self.ask()),
            Act::Timer => sleep(Duration::from_millis(random.u64(0..3))).await,
            Act::TimeOut => {
                let never = timeout(Duration::from_millis(1), std::future::pending::<()>());
                never.await.expect_err("it never ends");
            }
            Act::Burn => {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(12) {}
            }
            Act::AbortChild => {
                let token = self.token();
                let child = spawn(async move {
                    let _token = token;
                    std::future::pending::<()>().await;
                });
                child.abort();
                assert!(child.await.is_err_and(|error| error.is_cancelled()), "it never ends by itself");
            }
            Act::Panic => panic::resume_unwind(Box::new("planned")),
        }
    }

    async fn play(self, seed: u64) {
        let _token = self.token();
        let mut random = Rng::with_seed(seed);
        for _ in 0..random.u8(1..6) {
            let act = act(&mut random);
            self.act(act, &mut random).await;
        }
    }
}

/// Answers from a thread that is no machine.
fn answer(questions: &mpsc::Receiver<Question>) {
    for question in questions {
        match question {
            // Whoever asked may be gone: aborted, or timed out.
            Question::Task(answer) => drop(answer.send(())),
            Question::Thread(answer) => drop(answer.send(())),
        }
    }
}

/// How the tasks of a round ended.
#[derive(Debug, Default)]
struct Ends {
    done: usize,
    panicked: usize,
    aborted: usize,
}

impl Ends {
    fn count(&mut self, end: Result<(), JoinError>) {
        match end {
            Ok(()) => self.done += 1,
            Err(error) if error.is_cancelled() => self.aborted += 1,
            Err(error) => {
                let payload = error.into_panic();
                if payload.downcast_ref() == Some(&"planned") {
                    self.panicked += 1;
                } else {
                    panic::resume_unwind(payload);
                }
            }
        }
    }
}

fn options(procs: usize) -> Options {
    Options {
        procs,
        most_procs: MOST,
        max_threads: 64,
        thread_name: "stress".to_owned(),
        // Short, so that threads come and go.
        thread_keep_alive: Duration::from_millis(5),
        blocked_after: limits::BLOCKED_AFTER,
        slice: limits::SLICE,
        flight_recorder: 0,
        trace: None,
    }
}

fn round(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let procs = random.usize(1..=MOST);
    let rt = Runtime::start(options(procs), None).expect("the system gives threads");
    let (to_foreign, questions) = mpsc::channel();
    let answerer = thread::spawn(move || answer(&questions));
    let round = Round { questions: to_foreign, gone: Arc::default(), made: Arc::default() };

    let end = Arc::new(AtomicBool::new(false));
    let sizer = resize(&rt, random.fork(), Arc::clone(&end));
    let outside = spawn_from_outside(&rt, &round, random.fork());
    let inside: Vec<_> = (0..TASKS / 2).map(|_| rt.spawn(round.clone().play(random.u64(..)))).collect();
    let tasks = inside.into_iter().chain(outside.join().expect("no panic"));
    let mut ends = Ends::default();
    rt.block_on(async {
        for task in tasks {
            if random.u8(..) < 8 {
                task.abort();
            }
            ends.count(task.await);
        }
    });
    end.store(true, Ordering::Relaxed);
    sizer.join().expect("no panic");
    assert_eq!(ends.done + ends.panicked + ends.aborted, TASKS, "{ends:?}");

    // Left to the end of the runtime: what waits for ever.
    for _ in 0..10 {
        let token = round.token();
        drop(rt.spawn(async move {
            let _token = token;
            std::future::pending::<()>().await;
        }));
    }
    rt.shutdown_timeout(HANGS_AFTER);
    let Round { questions, gone, made } = round;
    drop(questions);
    answerer.join().expect("no panic");
    assert_eq!(gone.load(Ordering::Relaxed), made.load(Ordering::Relaxed), "each task is dropped once");
}

fn resize(rt: &Runtime, mut random: Rng, end: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let shared = Arc::clone(rt.handle.shared());
    thread::spawn(move || {
        while !end.load(Ordering::Relaxed) {
            shared.resize(random.usize(1..=MOST));
            thread::park_timeout(Duration::from_micros(random.u64(100..2000)));
        }
    })
}

fn spawn_from_outside(rt: &Runtime, round: &Round, mut random: Rng) -> thread::JoinHandle<Vec<JoinHandle<()>>> {
    let (handle, round) = (rt.handle(), round.clone());
    thread::spawn(move || {
        (0..TASKS / 2)
            .map(|_| {
                if random.u8(..) == 0 {
                    thread::yield_now();
                }
                handle.spawn(round.clone().play(random.u64(..)))
            })
            .collect()
    })
}

/// Ends the process, with the seed, if `f` hangs: a test that hangs says nothing.
fn watched(seed: u64, f: impl FnOnce()) {
    let (running, ended) = mpsc::channel::<()>();
    let watcher = thread::spawn(move || {
        if ended.recv_timeout(HANGS_AFTER) == Err(RecvTimeoutError::Timeout) {
            // Not by a macro, whose output the test harness keeps until the end, which does not come.
            let _ = writeln!(io::stderr(), "stress: the round with TIDEMILL_SEED={seed} hangs");
            process::abort();
        }
    });
    f();
    drop(running);
    watcher.join().expect("no panic");
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, not a number")))
}

#[test]
fn stress() {
    let first = number("TIDEMILL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let time = Duration::from_secs(number("TIDEMILL_STRESS_SECONDS").unwrap_or(SECONDS));
    let start = Instant::now();
    let mut seed = first;
    loop {
        println!("stress: round with TIDEMILL_SEED={seed}");
        watched(seed, || round(seed));
        if start.elapsed() >= time {
            return;
        }
        seed = seed.wrapping_add(1);
    }
}
