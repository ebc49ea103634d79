//! The table by steps, and its races under loom.

use std::panic::Location;
use std::ptr::NonNull;

use super::{FIRST, Origin, Slots};

fn pointer(to: &'static u32) -> NonNull<u32> {
    NonNull::from(to)
}

fn origin() -> Origin {
    Origin { site: Location::caller(), born: 7 }
}

#[cfg(not(tidemill_loom))]
mod steps {
    use super::*;

    #[test]
    fn places_are_used_again_and_chunks_are_added() {
        let (table, claims) = Slots::new();
        let here = origin();
        let places: Vec<_> = (0..3 * FIRST).map(|_| table.insert(&claims, pointer(&7), here)).collect();
        let expected: Vec<_> = (0..3 * FIRST).collect();
        assert_eq!(places, expected, "fresh places in order, over two chunks");

        assert!(table.remove(5, Some(&claims)), "by the owner");
        assert!(table.remove(9, None), "by another");
        assert!(table.remove(70, None), "by another, second chunk");
        let again: Vec<_> = (0..4).map(|_| table.insert(&claims, pointer(&8), here)).collect();
        assert_eq!(again, [5, 70, 9, 3 * FIRST], "own list, returned list, then fresh");
    }

    #[test]
    fn a_pointer_is_given_to_one_taker_only() {
        let (table, claims) = Slots::new();
        let here = origin();
        let (first, second) = (table.insert(&claims, pointer(&1), here), table.insert(&claims, pointer(&2), here));
        assert!(table.remove(first, Some(&claims)));
        let mut drained = Vec::new();
        // SAFETY: the pointers are to statics.
        table.drain(|p| drained.push(unsafe { *p.as_ref() }));
        assert_eq!(drained, [2]);
        assert!(!table.remove(second, Some(&claims)), "the drain has it");
    }

    #[test]
    fn a_visitor_sees_all_and_is_left_with_what_is_removed_meanwhile() {
        let (table, claims) = Slots::new();
        let here = origin();
        let places: Vec<_> = [&1, &2, &3].map(|n| table.insert(&claims, pointer(n), here)).into();
        let mut seen = Vec::new();
        let removed = table.visit(|p, origin| {
            assert_eq!(origin, here);
            // SAFETY: the pointers are to statics.
            seen.push(unsafe { *p.as_ref() });
            if seen.len() == 2 {
                assert!(!table.remove(places[1], None), "the visitor has it");
            }
        });
        assert_eq!(seen, [1, 2, 3]);
        assert_eq!(removed, [pointer(&2)]);
        assert_eq!(table.insert(&claims, pointer(&4), here), places[1], "its place is free");
        assert!(table.remove(places[0], None), "the others are in the table as before");
    }
}

#[cfg(tidemill_loom)]
mod models {
    use super::*;
    use loom::{sync::Arc, thread};

    /// Claims are `Send` but not `Sync`; so is the model: the owner's thread has them.
    #[test]
    fn loom_each_pointer_goes_to_its_remover_or_to_the_drain() {
        loom::model(|| {
            let (table, claims) = Slots::new();
            let table = Arc::new(table);
            let place = table.insert(&claims, pointer(&1), origin());
            // The second chunk is made before: loom does not know that `OnceLock` orders its making.
            let second = table.insert(&claims, pointer(&2), origin());
            assert!(table.remove(second, Some(&claims)));
            let (drainer, remover) = (Arc::clone(&table), Arc::clone(&table));
            let drain = thread::spawn(move || {
                let mut drained = 0;
                drainer.drain(|_| drained += 1);
                drained
            });
            let remove = thread::spawn(move || u32::from(remover.remove(place, None)));
            table.insert(&claims, pointer(&2), origin());
            let drained = drain.join().expect("no panic") + remove.join().expect("no panic");
            let mut left = 0;
            table.drain(|_| left += 1);
            assert_eq!(drained + left, 2, "a pointer was lost, or taken twice");
        });
    }

    #[test]
    fn loom_places_given_back_by_two_are_claimed_once_each() {
        loom::model(|| {
            let (table, claims) = Slots::new();
            let table = Arc::new(table);
            let places = [(); 2].map(|()| table.insert(&claims, pointer(&1), origin()));
            let others = places.map(|place| {
                let table = Arc::clone(&table);
                thread::spawn(move || assert!(table.remove(place, None)))
            });
            let early = table.insert(&claims, pointer(&2), origin());
            others.map(|other| other.join().expect("no panic"));
            let late = [(); 2].map(|()| table.insert(&claims, pointer(&3), origin()));
            assert!(late[0] != late[1] && !late.contains(&early), "a place was claimed twice: {early} {late:?}");
        });
    }

    #[test]
    fn loom_a_visited_pointer_is_not_lost() {
        loom::model(|| {
            let (table, claims) = Slots::new();
            let table = Arc::new(table);
            let place = table.insert(&claims, pointer(&1), origin());
            let remover = Arc::clone(&table);
            let remove = thread::spawn(move || remover.remove(place, None));
            let removed = table.visit(|_, _| ()).len();
            let by_remover = usize::from(remove.join().expect("no panic"));
            assert_eq!(removed + by_remover, 1, "the pointer's duty is nobody's, or two's");
        });
    }
}
