//! What costs no allocation: a get and a return of what is there.
#![allow(clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    convert::Infallible,
};

use tidemill_pools::{BufferPool, Manager, ObjectPool, ResourcePool};

/// The system's allocator, which counts for each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all is done by the system's allocator; the count is a cell of this thread, and needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

struct Words;

impl Manager for Words {
    type Resource = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(7)
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
}

#[test]
fn an_object_costs_none() {
    let pool = ObjectPool::builder(|| Vec::<u8>::with_capacity(64)).build().unwrap();
    let careful = ObjectPool::builder(String::new).reset(String::clear).valid_if(String::is_empty).build().unwrap();
    let buffers = BufferPool::builder().build().unwrap();
    let round = || drop((pool.get(), pool.get(), careful.get(), buffers.get(100)));
    round();
    assert_eq!(allocations(|| (0..1000).for_each(|_| round())), 0);
}

#[test]
fn an_idle_resource_costs_none() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let pool = ResourcePool::builder(Words).build().unwrap();
        drop((pool.get().await.unwrap(), pool.get().await.unwrap()));
        let before = COUNT.get();
        for _ in 0..1000 {
            drop((pool.get().await.unwrap(), pool.try_get().unwrap()));
        }
        assert_eq!(COUNT.get() - before, 0);
    });
}
