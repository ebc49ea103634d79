//! Machines without threads of their own: single steps of a machine's life.

use std::panic::Location;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Local;
use crate::current;
use crate::roster::{Leave, MachineId, Permit, Wakeup};
use crate::runtime::{Options, Shared};

fn shared(procs: usize) -> Arc<Shared> {
    let options = Options {
        procs,
        most_procs: procs,
        max_threads: 8,
        thread_name: "by-hand".to_owned(),
        thread_keep_alive: Duration::from_secs(10),
        blocked_after: Duration::from_millis(1),
        slice: Duration::from_millis(10),
        flight_recorder: 0,
        trace: None,
    };
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

/// Machine `id` waits for a permit, holds it once, sees `what`, and gives it back when somebody else waits.
fn one_turn<T: Send + 'static>(
    shared: &Arc<Shared>,
    id: MachineId,
    what: impl FnOnce(&Shared) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    assert_eq!(shared.roster.want_permit(id), Leave::Without);
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let machine = shared.machine(id);
        let permit = loop {
            match machine.take_handed() {
                Some((permit, _)) => break permit,
                None => thread::yield_now(),
            }
        };
        let seen = what(&shared);
        while !shared.roster.anyone_waits() {
            thread::yield_now();
        }
        if let Some(wakeup) = shared.roster.give_back(permit) {
            shared.deliver(wakeup);
        }
        seen
    })
}

#[test]
fn a_searcher_that_passes_its_permit_on_stops_searching() {
    let shared = shared(1);
    let (local, permit) = searcher(&shared);
    let waiter = one_turn(&shared, 7, |_| ());
    local.countdown.set(1);
    current::with_machine(&local, || local.look_around());
    waiter.join().expect("no panic");

    assert_eq!(local.machine.permit(), Some(permit), "it waited behind the other and has the permit again");
    assert_eq!(shared.roster.census().searching, 0, "nobody would be woken any more");
}

#[test]
fn a_machine_that_passes_its_permit_on_leaves_its_queue_to_the_others() {
    let shared = shared(1);
    let (local, _) = searcher(&shared);
    for _ in 0..3 {
        let (task, _) = local.task(async {}, Location::caller());
        local.ready(task.expect("the runtime goes on"));
    }
    let own = local.machine.id;
    let waiter = one_turn(&shared, 7, move |shared| shared.stranded.take(|id| (id == own).then_some(())));
    local.countdown.set(1);
    current::with_machine(&local, || local.look_around());
    assert_eq!(waiter.join().expect("no panic"), Some(()), "others take from its queue while it waits");
    // A runtime's end, by hand: each queued task keeps the runtime, which keeps the queue.
    local.end_tasks();
    shared.stop();
    current::with_machine(&local, || local.flush());
    shared.end_tasks();
}
