//! Long programs in orders that proptest draws; a failure is shrunk to a short program and replays.

use proptest::prelude::*;

use super::{
    super::overflow::Overflow,
    world::{Event, Plan, Setting, World},
};

fn plans() -> impl Strategy<Value = Plan> {
    prop_oneof![
        3 => Just(Plan::Quick),
        2 => Just(Plan::Yields),
        2 => (1..4_u32).prop_map(Plan::Nests),
        1 => Just(Plan::NestsDeep),
        1 => Just(Plan::Stays),
    ]
}

/// Submits, and everything that can come in their way. A resize keeps at least one worker.
fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => plans().prop_map(Event::Submit),
        2 => (0..12_u32).prop_map(Event::Leave),
        2 => (0..12_u32).prop_map(Event::Cancel),
        2 => (1..4_usize).prop_map(Event::Resize),
        1 => Just(Event::Pause),
        1 => Just(Event::Resume),
        1 => Just(Event::Tick),
    ]
}

fn settings() -> impl Strategy<Value = Setting> {
    let overflow = prop_oneof![
        3 => Just(Overflow::Wait),
        1 => Just(Overflow::Reject),
        1 => Just(Overflow::DropOldest),
        1 => Just(Overflow::DropLowest),
    ];
    ((0..3_usize, 1..4_usize), 1..6_usize, overflow, any::<bool>()).prop_map(|((min, more), queue, overflow, deals)| {
        Setting { workers: (min, min.max(more)), queue, overflow, deals }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_job_is_lost_or_run_twice_and_no_waiter_forgotten(
        setting in settings(),
        events in prop::collection::vec(events(), 1..20),
        closes in prop::option::of(0..20_usize),
        order in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let mut events = events;
        if let Some(at) = closes {
            events.insert(at.min(events.len()), Event::Close);
        }
        let mut order = order.iter().cycle();
        let choose = |choices: usize| usize::from(*order.next().unwrap_or(&0)) % choices;
        World::new(setting).play(&events, choose);
    }
}
