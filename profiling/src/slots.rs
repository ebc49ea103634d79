//! Exact counters that no two threads write: the table under the counting allocator.
//!
//! An allocation costs a few nanoseconds, and one atomic read-modify-write costs more than that, so a
//! shared counter would be most of what it measures. Here each thread *leases* a slot of a fixed table
//! and is its only writer: counting is a load, an add and a store of a line that stays in its cache. A
//! reader sums all slots. A thread gives its slot back when it ends; the counts stay, and the next owner
//! continues from them. A thread that finds no free slot, or that allocates after its lease ended (in the
//! destructor of another thread-local), counts in one overflow slot by read-modify-write: slower, never
//! wrong.
//!
//! Rejected: one shared counter per event (about 9 ns each, and one line bounced between the cores); a
//! sharded table indexed by thread id (two threads may meet in a shard, so it needs the
//! read-modify-write anyway); a list of per-thread blocks (registering a block allocates inside the
//! allocator).

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots in the table; threads alive at once beyond this number share the overflow slot.
/// 512 is the default thread cap of the scheduler, and the table is then 64 KiB of untouched zero pages.
const SLOTS: usize = 512;
/// Leases are bits of these words.
const WORDS: usize = SLOTS / u64::BITS as usize;
/// What one slot counts. Aligned to two cache lines, because the prefetcher pulls lines in pairs.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Slot {
    allocations: AtomicU64,
    deallocations: AtomicU64,
    allocated_bytes: AtomicU64,
    deallocated_bytes: AtomicU64,
}

/// The sum over all slots.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) allocations: u64,
    pub(crate) deallocations: u64,
    pub(crate) allocated_bytes: u64,
    pub(crate) deallocated_bytes: u64,
}

static TABLE: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];
/// The slot of threads without a lease.
static OVERFLOW: Slot = Slot::new();
static LEASED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

thread_local! {
    /// The slot this thread owns. Without a destructor, so that the fast path is one load; [`LEASE`] is
    /// what ends with the thread.
    static OWNED: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    static LEASE: Lease = const { Lease(Cell::new(None)) };
}

/// Counts one block of `bytes` bytes handed out.
#[inline]
pub(crate) fn count_allocation(bytes: usize) {
    with_slot(|slot, add| {
        add(&slot.allocations, 1);
        add(&slot.allocated_bytes, bytes as u64);
    });
}

/// Counts one block of `bytes` bytes taken back.
#[inline]
pub(crate) fn count_deallocation(bytes: usize) {
    with_slot(|slot, add| {
        add(&slot.deallocations, 1);
        add(&slot.deallocated_bytes, bytes as u64);
    });
}

/// Sums the table. Each counter is exact; counters of threads that are running are read one after the
/// other, not at one instant.
pub(crate) fn totals() -> Totals {
    // Relaxed: the figures order nothing else. A thread that has been joined is seen in full, because
    // the join itself orders its stores before these loads.
    TABLE.iter().chain([&OVERFLOW]).fold(Totals::default(), |sum, slot| Totals {
        allocations: sum.allocations + slot.allocations.load(Ordering::Relaxed),
        deallocations: sum.deallocations + slot.deallocations.load(Ordering::Relaxed),
        allocated_bytes: sum.allocated_bytes + slot.allocated_bytes.load(Ordering::Relaxed),
        deallocated_bytes: sum.deallocated_bytes + slot.deallocated_bytes.load(Ordering::Relaxed),
    })
}

/// Runs `count` on this thread's slot, with the cheapest addition that is exact there.
#[inline]
fn with_slot(count: impl Fn(&Slot, fn(&AtomicU64, u64))) {
    match OWNED.get().or_else(lease) {
        Some(slot) => count(slot, add_owned),
        None => count(&OVERFLOW, add_shared),
    }
}

/// Leases a slot for this thread; `None` if all are taken or the thread is ending.
#[cold]
fn lease() -> Option<&'static Slot> {
    let slot = LEASE.try_with(Lease::acquire).ok()?;
    OWNED.set(slot);
    slot
}

/// For a counter that only this thread writes: no read-modify-write is needed.
#[inline]
fn add_owned(counter: &AtomicU64, amount: u64) {
    // Relaxed: the lease makes this thread the only writer; readers want any recent value.
    counter.store(counter.load(Ordering::Relaxed) + amount, Ordering::Relaxed);
}

/// For the overflow slot, which many threads write.
fn add_shared(counter: &AtomicU64, amount: u64) {
    // Relaxed: a sum does not depend on the order of its terms.
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// A thread's right to write the slot of this index; ends with the thread.
struct Lease(Cell<Option<usize>>);

impl Lease {
    fn acquire(&self) -> Option<&'static Slot> {
        let index = claim()?;
        self.0.set(Some(index));
        Some(&TABLE[index])
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        OWNED.set(None);
        if let Some(index) = self.0.take() {
            let (word, bit) = (index / u64::BITS as usize, index % u64::BITS as usize);
            // Release: pairs with the Acquire in `claim`, so that the next owner adds to our last values.
            LEASED[word].fetch_and(!(1 << bit), Ordering::Release);
        }
    }
}

/// Takes the first free slot.
fn claim() -> Option<usize> {
    LEASED.iter().enumerate().find_map(|(word, leased)| {
        // Acquire: pairs with the Release in `Lease::drop`. Relaxed on failure: the closure only chooses.
        let before = leased
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |bits| (bits != u64::MAX).then(|| bits | (bits + 1)));
        before.ok().map(|bits| word * u64::BITS as usize + bits.trailing_ones() as usize)
    })
}

impl Slot {
    const fn new() -> Self {
        Self {
            allocations: AtomicU64::new(0),
            deallocations: AtomicU64::new(0),
            allocated_bytes: AtomicU64::new(0),
            deallocated_bytes: AtomicU64::new(0),
        }
    }
}
