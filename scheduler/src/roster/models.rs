//! The wake-up protocol, in every interleaving that loom reaches.

use super::*;
use loom::sync::{Arc, atomic::AtomicBool};
use loom::thread;

/// The protocol around a queue of one task: a submitter against machines that go to rest. If all rest, the task
/// must have been taken.
fn submit_against_resting(procs: usize) {
    loom::model(move || {
        let roster = Arc::new(Roster::new(procs, procs, procs));
        let queue = Arc::new(AtomicBool::new(false));
        let permits: Vec<_> = (0..procs).map(|_| running(&roster)).collect();
        let machines: Vec<_> = permits
            .into_iter()
            .map(|(machine, permit)| {
                let (roster, queue) = (Arc::clone(&roster), Arc::clone(&queue));
                thread::spawn(move || run_dry(&roster, &queue, machine, permit))
            })
            .collect();
        queue.store(true, Ordering::Release);
        let woken = roster.wants_wake_fenced() && roster.claim_wake().is_some();
        let taken = machines.into_iter().fold(false, |taken, m| taken | m.join().expect("no panic"));
        assert!(woken || taken, "the task lies in the queue and everybody sleeps");
    });
}

/// A machine of the roster with its permit, as after a start.
fn running(roster: &Roster) -> (MachineId, Permit) {
    let Some(Wakeup::Start(machine, permit)) = roster.claim_wake() else { panic!("a thread may start") };
    (machine, permit)
}

/// Gives up searching, rests, looks; `true` if the look took the task with a permit.
fn run_dry(roster: &Roster, queue: &AtomicBool, machine: MachineId, permit: Permit) -> bool {
    roster.give_up();
    let _ = roster.rest(machine, Some(permit));
    queue.load(Ordering::Acquire) && !matches!(roster.leave_for_work(machine), Leave::Without)
}

#[test]
fn loom_no_task_is_left_with_one_machine() {
    submit_against_resting(1);
}

/// A driver that is called, while another machine goes to rest: the call must not be answered by the other.
#[test]
fn loom_a_called_driver_keeps_its_seat_until_it_is_out() {
    loom::model(|| {
        let roster = Arc::new(Roster::new(2, 2, 2));
        let (first, one) = running(&roster);
        roster.give_up();
        let (second, two) = running(&roster);
        roster.give_up();
        assert_eq!(roster.rest(first, Some(one)).0, Some(Role::Driver));
        let other = Arc::clone(&roster);
        let resting = thread::spawn(move || other.rest(second, Some(two)).0);
        let called = roster.claim_wake();
        let role = resting.join().expect("no panic");
        if matches!(called, Some(Wakeup::Driver(..))) {
            assert_eq!(role, Some(Role::Parked), "two machines in the reactor, and one call for both");
            assert_eq!(roster.leave_reactor(first), Leave::Handed);
        }
    });
}

#[test]
fn loom_a_permit_released_goes_to_the_machine_that_waits() {
    loom::model(|| {
        let roster = Arc::new(Roster::new(1, 1, 2));
        let (machine, permit) = running(&roster);
        roster.give_up();
        let other = Arc::clone(&roster);
        let waiter = thread::spawn(move || other.want_permit(7));
        let (_, wakeup) = roster.rest(machine, Some(permit));
        let got = match waiter.join().expect("no panic") {
            Leave::Permit(_) => 1,
            Leave::Without => usize::from(wakeup == Some(Wakeup::Waiting(7, permit))),
            Leave::Handed => 0,
        };
        assert_eq!(got, 1, "an idle permit beside a machine that waits for one");
    });
}

/// Permits that are neither idle nor withdrawn are in use: `used` counts them on the side of the machines.
fn check_size(roster: &Roster, most: usize, used: usize) {
    let lists = lock(&roster.lists);
    let (idle, withdrawn) = (lists.permits.len(), lists.withdrawn.len());
    drop(lists);
    let (procs, surplus) = (roster.procs(), roster.surplus.load(Ordering::Relaxed));
    assert_eq!(idle + used + withdrawn, most, "a permit is lost or doubled");
    assert_eq!(idle + used, procs + surplus, "neither more nor fewer permits than there are to be");
    assert_eq!(roster.idle(), idle, "the copy");
    assert!(surplus == 0 || idle == 0, "an idle permit that is to be withdrawn");
}

/// How many permits a machine has after its last step, its own and those it was to hand on.
fn in_use(wakeup: Option<Wakeup>, leave: Leave) -> usize {
    usize::from(wakeup.is_some()) + usize::from(matches!(leave, Leave::Permit(_)))
}

/// The sizes that a runtime of three permits is given, while one machine rests and comes back and the monitor hands the
/// other machine's permit on. The third permit is idle, and no third thread is allowed.
fn resize_against_resting(sizes: &'static [usize]) {
    loom::model(move || {
        let roster = Arc::new(Roster::new(3, 3, 2));
        let (resting, one) = running(&roster);
        roster.give_up();
        let (_, two) = running(&roster);
        roster.give_up();
        let machine = Arc::clone(&roster);
        let machine = thread::spawn(move || {
            let (_, wakeup) = machine.rest(resting, Some(one));
            in_use(wakeup, machine.leave_for_work(resting))
        });
        let monitor = Arc::clone(&roster);
        let monitor = thread::spawn(move || usize::from(monitor.hand_off(two).is_some()));
        for &procs in sizes {
            roster.resize(procs);
        }
        let used = machine.join().expect("no panic") + monitor.join().expect("no panic");
        check_size(&roster, 3, used);
    });
}

#[test]
fn loom_shrinking_withdraws_each_permit_once() {
    resize_against_resting(&[1]);
}

#[test]
fn loom_growing_again_loses_none() {
    resize_against_resting(&[1, 2]);
}

#[test]
fn loom_a_surplus_permit_is_not_given_to_one_that_waits() {
    loom::model(|| {
        let roster = Arc::new(Roster::new(2, 2, 3));
        let (_, one) = running(&roster);
        roster.give_up();
        let (_, two) = running(&roster);
        roster.give_up();
        assert_eq!(roster.want_permit(7), Leave::Without);
        let machine = Arc::clone(&roster);
        let machine = thread::spawn(move || usize::from(machine.give_back(one).is_some()));
        roster.resize(1);
        let used = machine.join().expect("no panic");
        let late = usize::from(roster.is_oversized());
        let given = usize::from(roster.give_back(two).is_some());
        assert_eq!(late + usize::from(used == 0), 1, "the surplus is counted until a permit was withdrawn");
        check_size(&roster, 2, used + given);
        assert_eq!(used + given, 1, "the machine that waits has one permit");
    });
}
