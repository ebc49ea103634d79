//! The queue by steps, and its races under loom.

use std::ptr::NonNull;

use super::{Item, Queue};

impl Item for Box<usize> {
    type Target = usize;

    fn into_raw(self) -> NonNull<usize> {
        NonNull::from(Box::leak(self))
    }

    unsafe fn from_raw(pointer: NonNull<usize>) -> Self {
        // SAFETY: it comes from `into_raw`, once.
        unsafe { Box::from_raw(pointer.as_ptr()) }
    }
}

fn filled(items: std::ops::Range<usize>) -> Queue<Box<usize>> {
    let queue = Queue::new();
    items.for_each(|i| queue.push(Box::new(i)));
    queue
}

fn popped(queue: &Queue<Box<usize>>) -> Vec<usize> {
    std::iter::from_fn(|| queue.pop()).map(|item| *item).collect()
}

#[cfg(not(tidemill_loom))]
mod steps {
    use super::super::{LOOT, SMALL};
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn items_come_out_in_order_also_when_the_ring_was_outgrown() {
        for n in [0, 1, SMALL, SMALL + 1, 10 * SMALL + 3] {
            assert_eq!(popped(&filled(0..n)), (0..n).collect::<Vec<_>>(), "{n} items");
        }
    }

    #[test]
    fn the_ring_goes_round() {
        let queue = filled(0..3);
        for i in 3..10 * SMALL {
            queue.push(Box::new(i));
            assert_eq!(queue.pop().as_deref(), Some(&(i - 3)));
        }
        assert_eq!(queue.ring().0.len(), SMALL, "three items at a time need no larger one");
    }

    #[test]
    fn a_theft_takes_the_older_half_and_no_more_than_the_loot() {
        for (n, taken) in [(0, 0), (1, 1), (2, 1), (5, 3), (2 * LOOT, LOOT), (9 * LOOT, LOOT)] {
            let (victim, thief) = (filled(0..n), filled(1000..1001));
            let first = thief.steal(&victim.thieves());
            assert_eq!(first.as_deref().copied(), (n > 0).then_some(0), "{n} items");
            let expected: Vec<_> = [1000].into_iter().chain(1..taken).collect();
            assert_eq!(popped(&thief), expected, "{n} items");
            assert_eq!(popped(&victim), (taken..n).collect::<Vec<_>>(), "{n} items");
        }
    }

    #[test]
    fn draining_takes_as_many_as_wanted() {
        let queue = filled(0..3 * LOOT);
        let mut out = Vec::new();
        assert_eq!(queue.thieves().drain(LOOT + 7, |item| out.push(*item)), LOOT + 7);
        assert_eq!(queue.thieves().drain(usize::MAX, |item| out.push(*item)), 2 * LOOT - 7);
        assert_eq!(out, (0..3 * LOOT).collect::<Vec<_>>());
    }

    #[test]
    fn memory_of_a_burst_is_given_back() {
        let queue = filled(0..100 * SMALL);
        queue.trim();
        assert_eq!(queue.ring().0.len(), 128 * SMALL, "it is not empty");
        popped(&queue);
        queue.trim();
        assert_eq!(queue.ring().0.len(), SMALL);
        assert!(queue.retired.borrow().is_empty());
        queue.push(Box::new(7));
        assert_eq!(popped(&queue), [7]);
    }

    #[test]
    fn items_left_are_dropped_with_the_last_end() {
        struct Counted {
            _count: std::sync::Arc<()>,
        }
        impl Item for Box<Counted> {
            type Target = Counted;
            fn into_raw(self) -> NonNull<Counted> {
                NonNull::from(Box::leak(self))
            }
            unsafe fn from_raw(pointer: NonNull<Counted>) -> Self {
                // SAFETY: it comes from `into_raw`, once.
                unsafe { Box::from_raw(pointer.as_ptr()) }
            }
        }
        let counted = std::sync::Arc::new(());
        let queue = Queue::new();
        (0..5).for_each(|_| queue.push(Box::new(Counted { _count: std::sync::Arc::clone(&counted) })));
        let thieves = queue.thieves();
        drop(queue);
        assert_eq!(thieves.drain(1, drop), 1);
        assert_eq!(std::sync::Arc::strong_count(&counted), 5, "four items and ours");
        drop(thieves);
        assert_eq!(std::sync::Arc::strong_count(&counted), 1);
    }

    #[test]
    fn a_stampede_takes_each_item_once() {
        const ITEMS: usize = 200_000;
        let queue = Queue::<Box<usize>>::new();
        let (sum, end) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                let (thieves, sum, end) = (queue.thieves(), &sum, &end);
                scope.spawn(move || {
                    let own = Queue::new();
                    while !end.load(Ordering::Acquire) {
                        let first = own.steal(&thieves).map_or(0, |item| *item);
                        sum.fetch_add(first + popped(&own).into_iter().sum::<usize>(), Ordering::Relaxed);
                    }
                });
            }
            for i in 1..=ITEMS {
                queue.push(Box::new(i));
                if i % 3 == 0 {
                    sum.fetch_add(queue.pop().map_or(0, |item| *item), Ordering::Relaxed);
                }
                if i % 1000 == 0 {
                    sum.fetch_add(popped(&queue).into_iter().sum::<usize>(), Ordering::Relaxed);
                    queue.trim();
                }
            }
            sum.fetch_add(popped(&queue).into_iter().sum::<usize>(), Ordering::Relaxed);
            end.store(true, Ordering::Release);
        });
        assert_eq!(sum.into_inner(), ITEMS * (ITEMS + 1) / 2);
    }
}

#[cfg(tidemill_loom)]
mod models {
    use super::*;
    use loom::thread;

    /// The owner outgrows its ring and pops, while thieves steal: each item comes out once.
    fn model(pushes: usize, thieves: usize) {
        loom::model(move || {
            let queue = filled(0..1);
            let robbers: Vec<_> = (0..thieves)
                .map(|_| {
                    let from = queue.thieves();
                    thread::spawn(move || {
                        let own = Queue::new();
                        let mut loot: Vec<usize> = own.steal(&from).map(|item| *item).into_iter().collect();
                        loot.extend(popped(&own));
                        loot
                    })
                })
                .collect();
            (1..=pushes).for_each(|i| queue.push(Box::new(i)));
            let mut all: Vec<usize> = queue.pop().map(|item| *item).into_iter().collect();
            robbers.into_iter().for_each(|robber| all.extend(robber.join().expect("no panic")));
            all.extend(popped(&queue));
            queue.trim();
            all.sort_unstable();
            assert_eq!(all, (0..=pushes).collect::<Vec<_>>(), "an item was lost, or taken twice");
        });
    }

    #[test]
    fn loom_owner_and_thief_share_a_ring() {
        model(1, 1);
    }

    #[test]
    fn loom_owner_outgrows_the_ring_that_a_thief_reads() {
        model(3, 1);
    }

    #[test]
    fn loom_two_thieves_and_the_owner() {
        model(1, 2);
    }
}
