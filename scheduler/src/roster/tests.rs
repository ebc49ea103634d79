//! Permits as the runtime shrinks and grows, and who is woken.

use super::*;

/// Permits that can be taken now.
fn idle(roster: &Roster) -> usize {
    roster.census().idle_procs
}

#[test]
fn shrinking_withdraws_idle_permits_at_once_and_used_ones_as_they_come_back() {
    let roster = Roster::new(3, 4, 8);
    let Leave::Permit(used) = roster.want_permit(0) else { panic!("a permit is idle") };
    roster.resize(1);
    assert_eq!((idle(&roster), roster.is_oversized()), (0, false), "two were idle, one is in use");
    assert_eq!(roster.rest(0, Some(used)), (Some(Role::Driver), None));
    assert_eq!(idle(&roster), 1);

    let Leave::Permit(used) = roster.leave_for_work(0) else { panic!("a permit is idle") };
    roster.resize(2);
    let Leave::Permit(second) = roster.want_permit(1) else { panic!("a permit is idle") };
    roster.resize(1);
    assert!(roster.is_oversized());
    let _ = roster.rest(0, Some(used));
    assert_eq!((idle(&roster), roster.is_oversized()), (0, false), "one came back and was withdrawn");
    let _ = roster.rest(1, Some(second));
    assert_eq!(idle(&roster), 1);
}

#[test]
fn growing_takes_back_what_was_not_yet_withdrawn() {
    let roster = Roster::new(2, 4, 8);
    let taken: Vec<_> = (0..2).map(|machine| roster.want_permit(machine)).collect();
    assert!(taken.iter().all(|leave| matches!(leave, Leave::Permit(_))));
    roster.resize(1);
    roster.resize(4);
    assert_eq!((idle(&roster), roster.is_oversized(), roster.procs()), (2, false, 4));
}

#[test]
fn a_withdrawn_permit_is_not_handed_to_one_that_waits() {
    let roster = Roster::new(2, 2, 8);
    let (Leave::Permit(a), Leave::Permit(b)) = (roster.want_permit(0), roster.want_permit(1)) else {
        panic!("two permits are idle")
    };
    assert_eq!(roster.want_permit(2), Leave::Without);
    roster.resize(1);
    assert_eq!(roster.rest(0, Some(a)).1, None);
    assert_eq!(roster.rest(1, Some(b)).1, Some(Wakeup::Waiting(2, b)));
}

#[test]
fn trap_07_a_burst_wakes_one_machine_and_what_it_finds_the_next() {
    let roster = Roster::new(4, 4, 8);
    assert!(roster.wants_wake());
    assert!(matches!(roster.claim_wake(), Some(Wakeup::Start(..))));
    assert!(!roster.wants_wake(), "one searches");
    assert_eq!(roster.claim_wake(), None, "also if two submit at the same time");
    assert!(roster.found(), "it was the last one, and looks further");
    assert!(matches!(roster.claim_wake(), Some(Wakeup::Start(..))));
}
