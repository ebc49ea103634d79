//! Machines without threads of their own: single steps of a machine's life.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Local;
use crate::current;
use crate::roster::{Leave, MachineId, Permit, Wakeup};
use crate::runtime::{Options, Shared};

fn shared(procs: usize) -> Arc<Shared> {
    let slice = Duration::from_millis(10);
    let thread_name = "by-hand".to_owned();
    let options =
        Options { procs, most_procs: procs, max_threads: 8, thread_name, slice, flight_recorder: 0, trace: None };
    Shared::new(options).expect("the system gives a reactor")
}

/// The calling thread as machine `id`, with a permit and searching, as after a start.
fn searcher(shared: &Arc<Shared>) -> (Local, Permit) {
    let Some(Wakeup::Start(id, permit)) = shared.roster.claim_wake() else { panic!("a machine may start") };
    let machine = shared.machine(id);
    let belongings = machine.occupy().expect("nobody else is this machine");
    let local = Local::new(machine, Arc::clone(shared), belongings);
    local.gain(permit);
    local.searching.set(true);
    (local, permit)
}

#[test]
fn a_searcher_that_passes_its_permit_on_stops_searching() {
    let shared = shared(1);
    let (local, permit) = searcher(&shared);
    let other: MachineId = 7;
    assert_eq!(shared.roster.want_permit(other), Leave::Without);

    let behind = Arc::clone(&shared);
    let waiter = thread::spawn(move || {
        let machine = behind.machine(other);
        while machine.take_handed().is_none() {
            thread::yield_now();
        }
        // It has had its turn: the permit goes to the next that waits, which is the searcher.
        while !behind.roster.anyone_waits() {
            thread::yield_now();
        }
        if let Some(wakeup) = behind.roster.give_back(permit) {
            behind.deliver(wakeup);
        }
    });
    local.countdown.set(1);
    current::with_machine(&local, || local.look_around());
    waiter.join().expect("no panic");

    assert_eq!(local.machine.permit(), Some(permit), "it waited behind the other and has the permit again");
    assert_eq!(shared.roster.census().searching, 0, "nobody would be woken any more");
}
