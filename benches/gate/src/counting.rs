//! mimalloc, which is the same on every machine, and a count of its blocks.
#![allow(unsafe_code)] // `GlobalAlloc` is an unsafe trait.

use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicU64, Ordering},
};

use mimalloc::MiMalloc;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Blocks handed out so far.
pub(crate) fn allocations() -> u64 {
    // Relaxed: laps begin and end with the threads at rest.
    ALLOCATIONS.load(Ordering::Relaxed)
}

pub(crate) struct Counting;

// SAFETY: every call is passed on unchanged to mimalloc, which upholds the contract; counting touches a static only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: see `allocations`.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from mimalloc with this `layout`, as the caller promises.
        unsafe { MiMalloc.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Relaxed: see `allocations`.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `block` came from mimalloc with this `layout`, as the caller promises.
        unsafe { MiMalloc.realloc(block, layout, new_size) }
    }
}
