//! Small programs in every order of events that departs from the plain order at most so many times.
//!
//! The plain order polls whoever is ready, the oldest task first, and lets the next event happen when nobody is. Each
//! other choice is a departure; [`DEPARTURES`] bounds them, as loom bounds the preemptions of a run: without the bound three
//! submitters alone have 416,126 orders.

use super::{
    super::overflow::Overflow,
    world::{
        Event,
        Event::{Cancel, Close, Leave, Pause, Resize, Resume, Submit, Tick},
        Plan::{Meets, Nests, NestsDeep, Quick, Stays, Yields},
        Setting, World,
    },
};

/// Choices other than the first, in one play.
const DEPARTURES: usize = 4;

/// Walks the tree of choices depth first: plays, then changes the last choice that has an alternative left. Gives the number
/// of orders, and of jobs that were dealt in them.
fn every_order(setting: Setting, events: &[Event]) -> (u64, u64) {
    let (mut path, mut plays, mut dealt): (Vec<(usize, usize)>, u64, u64) = (Vec::new(), 0, 0);
    loop {
        let (mut step, mut departures) = (0, 0);
        dealt += World::new(setting).play(events, |choices| {
            if step == path.len() {
                path.push((0, if departures < DEPARTURES { choices } else { 1 }));
            }
            let (choice, _) = path[step];
            step += 1;
            departures += usize::from(choice != 0);
            choice
        });
        plays += 1;
        while path.last().is_some_and(|(choice, choices)| choice + 1 == *choices) {
            path.pop();
        }
        match path.last_mut() {
            Some((choice, _)) => *choice += 1,
            None => return (plays, dealt),
        }
    }
}

const ONE: Setting = Setting { workers: (1, 1), queue: 1, overflow: Overflow::Wait, deals: false };
const TWO: Setting = Setting { workers: (2, 2), queue: 1, overflow: Overflow::Wait, deals: false };
const GROWS: Setting = Setting { workers: (0, 2), queue: 2, overflow: Overflow::Wait, deals: false };

/// Each with the number of its orders, so that a change that makes the model blind is seen.
#[test]
fn every_order_of_small_programs() {
    let oldest = Setting { overflow: Overflow::DropOldest, ..ONE };
    let deals = Setting { queue: 2, deals: true, ..ONE };
    let two_deal = Setting { queue: 3, deals: true, ..TWO };
    let three_deal = Setting { workers: (3, 3), ..two_deal };
    let deal_oldest = Setting { overflow: Overflow::DropOldest, ..deals };
    let programs: &[(&str, Setting, &[Event])] = &[
        ("one after the other", ONE, &[Submit(Quick), Submit(Quick), Submit(Yields)]),
        ("a waiter that leaves", ONE, &[Submit(Yields), Submit(Quick), Submit(Quick), Leave(2)]),
        ("two workers", TWO, &[Submit(Yields), Submit(Quick), Submit(Quick)]),
        ("cancels", ONE, &[Submit(Yields), Submit(Quick), Cancel(0), Cancel(1)]),
        ("a nested wait", ONE, &[Submit(Nests(1)), Submit(Quick)]),
        ("a parent that comes back to a busy worker", ONE, &[Submit(Nests(1)), Submit(Yields)]),
        ("more children than places", ONE, &[Submit(Nests(2))]),
        ("two parents", ONE, &[Submit(Nests(1)), Submit(Nests(1))]),
        ("a parent of a parent that is cancelled", ONE, &[Submit(NestsDeep), Cancel(0)]),
        ("a parent whose pool shrinks", TWO, &[Submit(Nests(1)), Resize(1), Submit(Quick)]),
        ("two that meet", Setting { queue: 2, ..TWO }, &[Submit(Yields), Submit(Meets), Submit(Meets)]),
        ("two that meet by a resize", ONE, &[Submit(Meets), Submit(Meets), Resize(2)]),
        ("one that stays", ONE, &[Submit(Stays), Submit(Quick)]),
        ("resize", ONE, &[Submit(Yields), Resize(2), Submit(Quick), Resize(1)]),
        ("pause", ONE, &[Submit(Quick), Pause, Submit(Quick), Resume]),
        ("close", ONE, &[Submit(Quick), Submit(Quick), Submit(Nests(1)), Close]),
        ("oldest gives way", oldest, &[Submit(Yields), Submit(Quick), Submit(Quick)]),
        ("dealt, and a second worker comes", deals, &[Submit(Yields), Submit(Quick), Submit(Quick), Resize(2)]),
        ("dealt and cancelled", deals, &[Submit(Yields), Submit(Yields), Submit(Quick), Cancel(2)]),
        ("dealt behind a parent", deals, &[Submit(Nests(1)), Submit(Quick), Submit(Quick)]),
        ("dealt to one of two", two_deal, &[Submit(Yields), Submit(Yields), Submit(Yields)]),
        ("dealt while a third sleeps", three_deal, &[Submit(Yields), Submit(Yields), Submit(Yields)]),
        ("dealt beside one that returns", two_deal, &[Submit(Nests(1)), Submit(Yields), Submit(Yields)]),
        ("dealt behind one that stays", two_deal, &[Submit(Stays), Submit(Yields), Submit(Quick)]),
        ("dealt, then full", deals, &[Submit(Yields), Submit(Yields), Submit(Quick), Submit(Quick)]),
        ("dealt, then paused", deals, &[Submit(Yields), Submit(Quick), Pause, Resume]),
        ("dealt, then closed", deals, &[Submit(Yields), Submit(Yields), Submit(Quick), Close]),
        ("dealt and displaced", deal_oldest, &[Submit(Yields), Submit(Yields), Submit(Quick), Submit(Quick)]),
        ("workers come and go", GROWS, &[Submit(Quick), Tick, Submit(Yields), Tick]),
    ];
    for (name, setting, events) in programs {
        let (plays, dealt) = every_order(*setting, events);
        println!("{name}: {plays} orders, {dealt} jobs dealt");
        assert_eq!(dealt > 0, setting.deals, "{name}: {dealt} jobs dealt");
        assert!(plays > 10, "{name}: {plays} orders are hardly all");
    }
}
