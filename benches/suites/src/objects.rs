//! Object pools: a buffer of 1 KiB taken, touched and given back.

use std::{cell::RefCell, hint::black_box};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use tidemill::pools::ObjectPool;

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "objects",
    measures: "taking a buffer of 1 KiB from a pool, touching it and giving it back, over and over, by one thread or two",
    leaves_out: "objects that are dear to make; pools that are empty; objects given back by another thread",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const BYTES: usize = 1024;

/// Objects that the pools with a bound may keep.
const KEPT: usize = 64;

/// What the workload needs from a pool.
trait Pool: Sync + 'static {
    fn new() -> Self;
    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T;
}

fn benches() -> Vec<Bench> {
    [1, 2].map(bench).into()
}

fn bench(threads: u64) -> Bench {
    Bench::counted(
        format!("get + return, {threads} thread(s)"),
        1_000_000,
        vec![
            case::<ObjectPool<Vec<u8>>>("tidemill", threads),
            case::<opool::Pool<Buffers, Vec<u8>>>("opool", threads),
            case::<object_pool::Pool<Vec<u8>>>("object-pool", threads),
            case::<lockfree_object_pool::LinearObjectPool<Vec<u8>>>("lockfree-object-pool linear", threads),
            case::<lockfree_object_pool::MutexObjectPool<Vec<u8>>>("lockfree-object-pool mutex", threads),
            case::<Malloc>("malloc + free", threads),
            Case::floor("floor: a thread's own stack", move || move |ops| lap::<OwnStack>(&OwnStack, threads, ops)),
        ],
    )
}

fn case<P: Pool>(name: &'static str, threads: u64) -> Case {
    Case::new(name, move || {
        let pool = P::new();
        move |ops| lap(&pool, threads, ops)
    })
}

fn lap<P: Pool>(pool: &P, threads: u64, ops: u64) -> Lap {
    Lap::on_threads(threads, ops, |part| (0..part).map(|_| pool.with(touch)).sum())
}

/// The compiler has to believe that the buffer is used.
fn touch(buffer: &mut Vec<u8>) -> u64 {
    u64::from(black_box(buffer).capacity() >= BYTES)
}

fn buffer() -> Vec<u8> {
    Vec::with_capacity(BYTES)
}

impl Pool for ObjectPool<Vec<u8>> {
    fn new() -> Self {
        Self::builder(buffer).build().expect("the options are valid")
    }

    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        then(&mut self.get())
    }
}

struct Buffers;

impl opool::PoolAllocator<Vec<u8>> for Buffers {
    fn allocate(&self) -> Vec<u8> {
        buffer()
    }
}

impl Pool for opool::Pool<Buffers, Vec<u8>> {
    fn new() -> Self {
        Self::new(KEPT, Buffers)
    }

    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        then(&mut self.get())
    }
}

impl Pool for object_pool::Pool<Vec<u8>> {
    fn new() -> Self {
        Self::new(KEPT, buffer)
    }

    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        then(&mut self.pull(buffer))
    }
}

impl Pool for lockfree_object_pool::LinearObjectPool<Vec<u8>> {
    fn new() -> Self {
        Self::new(buffer, Vec::clear)
    }

    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        then(&mut self.pull())
    }
}

impl Pool for lockfree_object_pool::MutexObjectPool<Vec<u8>> {
    fn new() -> Self {
        Self::new(buffer, Vec::clear)
    }

    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        then(&mut self.pull())
    }
}

struct Malloc;

impl Pool for Malloc {
    fn new() -> Self {
        Self
    }

    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        then(&mut buffer())
    }
}

/// No pool, for nobody else can have what a thread gave back; only the push and the pop that every pool needs.
struct OwnStack;

thread_local! {
    static STACK: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Pool for OwnStack {
    fn new() -> Self {
        Self
    }

    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        STACK.with_borrow_mut(|stack| {
            let mut object = stack.pop().unwrap_or_else(buffer);
            let result = then(&mut object);
            stack.push(object);
            result
        })
    }
}
