//! Every mix of gets, returns, forgotten guards, trims and ends of threads, on three threads: the bound holds after each act,
//! nothing is given out twice, nothing is lost. (Nobody waits for an object, so there is no await at which to give up.)
#![allow(clippy::unwrap_used)]

use std::{
    mem::ManuallyDrop,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use flume::{Receiver, Sender};
use proptest::prelude::*;
use tidemill_pools::{BufferPool, ObjectPool, Pooled};

const THREADS: usize = 3;
const CAPACITY: usize = 12;

/// Counts the living.
#[derive(Clone, Debug, Default)]
struct Census(Arc<AtomicUsize>);

/// An object that notices being held twice.
#[derive(Debug)]
struct Citizen {
    census: Census,
    held: AtomicBool,
}

impl Drop for Citizen {
    fn drop(&mut self) {
        self.census.0.fetch_sub(1, SeqCst);
    }
}

fn citizens(census: &Census, magazine: usize, hooks: bool) -> Arc<ObjectPool<Citizen>> {
    let census = census.clone();
    let make = move || {
        census.0.fetch_add(1, SeqCst);
        Citizen { census: census.clone(), held: AtomicBool::new(false) }
    };
    let builder = ObjectPool::builder(make).capacity(CAPACITY).magazine(magazine);
    let builder = if hooks { builder.reset(|_| ()).keep_if(|citizen| !citizen.held.load(SeqCst)) } else { builder };
    Arc::new(builder.build().unwrap())
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Get,
    TryGet,
    /// Returns the guard of that number, modulo how many are out.
    Return(usize),
    Forget(usize),
    Detach(usize),
    Attach,
    Trim,
    Clear,
    /// The thread ends, and another one takes its place.
    End,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => Just(Act::Get),
        3 => Just(Act::TryGet),
        9 => any::<usize>().prop_map(Act::Return),
        1 => any::<usize>().prop_map(Act::Forget),
        1 => any::<usize>().prop_map(Act::Detach),
        1 => Just(Act::Attach),
        1 => Just(Act::Trim),
        1 => Just(Act::Clear),
        1 => Just(Act::End),
    ]
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does what it is told, one thing at a time.
struct Hand {
    jobs: Sender<Job>,
    done: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Hand {
    fn new() -> Self {
        let ((jobs, todo), (told, done)) = (flume::unbounded::<Job>(), flume::unbounded());
        let thread = thread::spawn(move || {
            for job in todo {
                job();
                told.send(()).unwrap();
            }
        });
        Self { jobs, done, thread }
    }

    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, answered) = flume::bounded(1);
        self.jobs.send(Box::new(move || answer.send(job()).unwrap())).unwrap();
        self.done.recv().unwrap();
        answered.recv().unwrap()
    }

    /// A join waits for the destructors of thread-locals.
    fn end(self) {
        drop(self.jobs);
        self.thread.join().unwrap();
    }
}

struct Storm {
    census: Census,
    pool: Arc<ObjectPool<Citizen>>,
    hands: Vec<Hand>,
    out: Vec<Pooled<Citizen>>,
    forgotten: usize,
}

impl Storm {
    fn new(magazine: usize, hooks: bool) -> Self {
        let census = Census::default();
        let pool = citizens(&census, magazine, hooks);
        let hands = (0..THREADS).map(|_| Hand::new()).collect();
        Self { census, pool, hands, out: Vec::new(), forgotten: 0 }
    }

    fn act(&mut self, hand: usize, act: Act) {
        let (pool, hand) = (Arc::clone(&self.pool), hand % THREADS);
        match act {
            Act::Get => self.hold(Some(self.hands[hand].run(move || pool.get()))),
            Act::TryGet => self.hold(self.hands[hand].run(move || pool.try_get())),
            Act::Return(nth) => {
                if let Some(guard) = self.pick(nth) {
                    self.hands[hand].run(move || drop(guard));
                }
            }
            Act::Forget(nth) => {
                if let Some(guard) = self.pick(nth) {
                    let _ = ManuallyDrop::new(guard);
                    self.forgotten += 1;
                }
            }
            Act::Detach(nth) => drop(self.pick(nth).map(Pooled::detach)),
            Act::Attach => {
                self.census.0.fetch_add(1, SeqCst);
                let newcomer = Citizen { census: self.census.clone(), held: AtomicBool::new(false) };
                self.hold(Some(pool.attach(newcomer)));
            }
            Act::Trim => self.hands[hand].run(move || pool.trim()),
            Act::Clear => self.hands[hand].run(move || pool.clear()),
            Act::End => {
                drop(pool);
                std::mem::replace(&mut self.hands[hand], Hand::new()).end();
            }
        }
        self.check();
    }

    fn hold(&mut self, guard: Option<Pooled<Citizen>>) {
        if let Some(guard) = guard {
            assert!(!guard.held.swap(true, SeqCst), "one object in two hands");
            self.out.push(guard);
        }
    }

    fn pick(&mut self, nth: usize) -> Option<Pooled<Citizen>> {
        let guard = (!self.out.is_empty()).then(|| self.out.swap_remove(nth % self.out.len()))?;
        guard.held.store(false, SeqCst);
        Some(guard)
    }

    fn check(&self) {
        let stats = self.pool.stats();
        assert!(stats.shared + stats.reserved <= CAPACITY, "{stats:?}");
        let idle = self.census.0.load(SeqCst) - self.out.len() - self.forgotten;
        assert!(idle <= CAPACITY, "{idle} are idle");
    }

    fn end(mut self) {
        while let Some(guard) = self.pick(0) {
            drop(guard);
        }
        self.check();
        drop(self.pool);
        self.hands.into_iter().for_each(Hand::end);
        assert_eq!(self.census.0.load(SeqCst), self.forgotten, "something was lost, or died twice");
    }
}

fn within_bytes(pool: &BufferPool, bytes: usize) {
    for (size, stats) in pool.stats().classes {
        assert!((stats.shared + stats.reserved) * size <= bytes, "class {size}: {stats:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_object_is_lost_or_given_out_twice_in_a_storm(
        acts in prop::collection::vec((0..THREADS, act()), 1..150),
        magazine in 0..6_usize,
        hooks in any::<bool>(),
    ) {
        let mut storm = Storm::new(magazine, hooks);
        for (hand, act) in acts {
            storm.act(hand, act);
        }
        storm.end();
    }

    /// Buffers of all sizes, some of which grow or shrink while they are out: no class ever keeps more than its bytes.
    #[test]
    fn no_class_of_buffers_is_over_its_bytes_in_a_storm(
        acts in prop::collection::vec((0..THREADS, 0..20_000_usize, 0..40_000_usize, any::<bool>()), 1..100),
    ) {
        let bytes = 16_384;
        let pool = BufferPool::builder().smallest(1024).largest(8192).bytes_per_class(bytes).build().unwrap();
        let pool = Arc::new(pool);
        let hands: Vec<_> = (0..THREADS).map(|_| Hand::new()).collect();
        let mut out = Vec::new();
        for (hand, size, grown, keep) in acts {
            let of = Arc::clone(&pool);
            let mut buffer = hands[hand].run(move || of.get_owned(size));
            assert!(buffer.is_empty() && buffer.capacity() >= size, "{} for {size}", buffer.capacity());
            buffer.resize(grown, 7);
            if keep {
                out.push(buffer);
            } else {
                hands[(hand + 1) % THREADS].run(move || drop(buffer));
            }
            within_bytes(&pool, bytes);
        }
        while let Some(buffer) = out.pop() {
            drop(buffer);
            within_bytes(&pool, bytes);
        }
        hands.into_iter().for_each(Hand::end);
    }
}
