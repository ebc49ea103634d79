//! A global allocator that counts what passes through it.
//!
//! The wrapper adds nothing to the block and takes no lock; the counting itself is in [`crate::slots`].
//! A `realloc` is counted as one block taken back and one handed out, of the old and the new size: so
//! `allocations - deallocations` is always the number of live blocks, and a `Vec` that doubles is seen
//! to ask for memory each time.
#![allow(unsafe_code)] // `GlobalAlloc` is an unsafe trait.

use std::alloc::{GlobalAlloc, Layout};

use crate::slots;

/// Wraps a global allocator and counts its blocks and bytes, exactly and for about a nanosecond each.
///
/// Every `CountingAlloc` of a program counts into the same table, read by [`AllocStats::read`].
///
/// ```
/// use std::alloc::System;
/// use tidemill_profiling::{AllocStats, CountingAlloc};
///
/// #[global_allocator]
/// static GLOBAL: CountingAlloc<System> = CountingAlloc::new(System);
///
/// let before = AllocStats::read();
/// let block = std::hint::black_box(Box::new([0_u8; 100]));
/// let spent = AllocStats::read() - before;
/// assert_eq!((spent.allocations, spent.allocated_bytes), (1, 100));
/// drop(block);
/// ```
#[derive(Debug, Default)]
pub struct CountingAlloc<A> {
    inner: A,
}

impl<A> CountingAlloc<A> {
    /// Counts what `inner` hands out.
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

// SAFETY: every method forwards its arguments unchanged to `A`, which upholds the contract, and returns
// `A`'s answer unchanged. Counting neither allocates nor unwinds: it touches statics and a const-initialised
// thread-local, which std guarantees to be usable inside a global allocator.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAlloc<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is passed on.
        let block = unsafe { self.inner.alloc(layout) };
        counted(block, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is passed on.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        counted(block, layout.size())
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        slots::count_deallocation(layout.size());
        // SAFETY: `block` came from `self.inner` with this `layout`, as the caller promises.
        unsafe { self.inner.dealloc(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: `block` came from `self.inner` with this `layout`, as the caller promises.
        let moved = unsafe { self.inner.realloc(block, layout, new_size) };
        if !moved.is_null() {
            slots::count_deallocation(layout.size());
        }
        counted(moved, new_size)
    }
}

/// Counts `block` unless the allocator refused it.
#[inline]
fn counted(block: *mut u8, bytes: usize) -> *mut u8 {
    if !block.is_null() {
        slots::count_allocation(bytes);
    }
    block
}

/// What the process has allocated since it started, in blocks and in requested bytes.
///
/// All zero unless the program's global allocator is a [`CountingAlloc`]. Subtract an earlier reading for
/// what a phase has spent. Reading sums a table of some hundred slots: a few microseconds, no allocation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct AllocStats {
    /// Blocks handed out, those of `realloc` included.
    pub allocations: u64,
    /// Blocks taken back, those of `realloc` included.
    pub deallocations: u64,
    /// Bytes asked for; the allocator's rounding is not seen.
    pub allocated_bytes: u64,
    /// Bytes given back.
    pub deallocated_bytes: u64,
}

impl AllocStats {
    /// Reads the counters of all threads.
    #[must_use]
    pub fn read() -> Self {
        let sum = slots::totals();
        Self {
            allocations: sum.allocations,
            deallocations: sum.deallocations,
            allocated_bytes: sum.allocated_bytes,
            deallocated_bytes: sum.deallocated_bytes,
        }
    }

    /// Bytes in live blocks. Zero if a racing read saw the freeing of a block before its allocation.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.deallocated_bytes)
    }
}

impl std::ops::Sub for AllocStats {
    type Output = Self;

    /// What was spent between `earlier` and `self`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            allocations: self.allocations.saturating_sub(earlier.allocations),
            deallocations: self.deallocations.saturating_sub(earlier.deallocations),
            allocated_bytes: self.allocated_bytes.saturating_sub(earlier.allocated_bytes),
            deallocated_bytes: self.deallocated_bytes.saturating_sub(earlier.deallocated_bytes),
        }
    }
}
