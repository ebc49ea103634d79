//! A permit on its way between its owner, the monitor and whoever gets it next, in every interleaving that loom reaches.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::roster::{Leave, Roster, Wakeup};

/// Two machines, as many permits as asked, and the roster.
struct World {
    roster: Roster,
    holders: Holders,
    machines: [Held; 2],
}

impl World {
    /// One permit, which machine 0 holds; the second of two threads is not there yet.
    fn new(threads: usize) -> Arc<Self> {
        let roster = Roster::new(1, 1, threads);
        let holders = Holders::new(1);
        let machines = [Held::nothing(), Held::nothing()];
        let world = Arc::new(Self { roster, holders, machines });
        let Some(Wakeup::Start(0, permit)) = world.roster.claim_wake() else { panic!("the first thread may start") };
        world.roster.give_up();
        world.gain(0, permit);
        world
    }

    fn gain(&self, id: MachineId, permit: Permit) {
        self.holders.hold(&self.machines[id as usize], permit, id);
    }

    /// What the monitor does with a machine that it has seen stuck.
    fn retake(&self) {
        let Some(id) = self.holders.get(0) else { return };
        if self.holders.retake(&self.machines[id as usize], 0) {
            self.deliver(self.roster.hand_off(0));
        }
    }

    /// Stands for the woken machine's own step, which comes at any time after.
    fn deliver(&self, wakeup: Option<Wakeup>) {
        match wakeup {
            None => {}
            Some(Wakeup::Parked(id, permit) | Wakeup::Start(id, permit) | Wakeup::Driver(id, permit)) => {
                self.roster.give_up();
                self.gain(id, permit);
            }
            Some(Wakeup::Waiting(id, permit)) => self.gain(id, permit),
        }
    }

    /// Machine 0 goes to rest and finds that there is work after all.
    fn rest_and_leave(&self) {
        let permit = self.holders.give_up(&self.machines[0]);
        let (_, wakeup) = self.roster.rest(0, permit);
        self.deliver(wakeup);
        if let Leave::Permit(permit) = self.roster.leave_for_work(0) {
            self.gain(0, permit);
        }
    }

    /// Every permit is in one place, and the table knows it.
    fn check(&self) {
        let held: Vec<_> = self.machines.iter().map(Held::get).collect();
        let places = self.roster.census().idle_procs + held.iter().flatten().count();
        assert_eq!(places, 1, "the permit is in {places} places: {held:?}");
        let holder = held.iter().position(Option::is_some).map(|id| id as MachineId);
        assert_eq!(self.holders.get(0), holder, "the table is wrong: {held:?}");
    }
}

#[test]
fn loom_a_permit_given_up_and_retaken_at_once_is_in_one_place() {
    loom::model(|| {
        let world = World::new(2);
        let monitor = Arc::clone(&world);
        let monitor = thread::spawn(move || monitor.retake());
        world.rest_and_leave();
        monitor.join().expect("no panic");
        world.check();
    });
}

/// The owner comes out of a blocking region and finds the permit gone: it waits, or takes it back.
fn out_of_a_region(threads: usize) {
    loom::model(move || {
        let world = World::new(threads);
        let monitor = Arc::clone(&world);
        let monitor = thread::spawn(move || {
            monitor.retake();
            // Whoever got it gives it up again, for instance at its next look around.
            if let Some(permit) = monitor.holders.give_up(&monitor.machines[1]) {
                let back = monitor.roster.give_back(permit);
                monitor.deliver(back);
            }
        });
        if world.machines[0].get().is_none() {
            match world.roster.want_permit(0) {
                Leave::Permit(permit) => world.gain(0, permit),
                Leave::Without => {}
                Leave::Handed => panic!("the runtime does not stop"),
            }
        }
        monitor.join().expect("no panic");
        world.check();
        let census = world.roster.census();
        assert!(census.waiting == 0 || census.idle_procs == 0, "an idle permit beside a machine that waits for it");
    });
}

#[test]
fn loom_a_permit_retaken_from_a_region_comes_back_in_line() {
    out_of_a_region(2);
}

#[test]
fn loom_a_permit_retaken_where_no_thread_is_allowed_is_idle() {
    out_of_a_region(1);
}

#[test]
fn loom_a_permit_handed_over_wakes_the_sleeper() {
    loom::model(|| {
        let sleeper = Arc::new(Sleeper::nobody());
        sleeper.occupy();
        let giver = Arc::clone(&sleeper);
        let giver = thread::spawn(move || giver.hand(3, true));
        let handed = loop {
            if let Some(handed) = sleeper.take() {
                break handed;
            }
            thread::park();
        };
        assert_eq!(handed, (3, true));
        giver.join().expect("no panic");
        assert_eq!(sleeper.take(), None, "a permit is taken once");
    });
}

/// Without a thread to wake, for loom's `unpark` would order what the box has to.
#[test]
fn loom_a_permit_handed_over_brings_what_was_done_before() {
    loom::model(|| {
        let (sleeper, message) = (Arc::new(Sleeper::nobody()), Arc::new(AtomicU32::new(0)));
        let (giver, written) = (Arc::clone(&sleeper), Arc::clone(&message));
        let giver = thread::spawn(move || {
            written.store(1, Ordering::Relaxed);
            giver.hand(3, false);
        });
        if let Some(handed) = sleeper.take() {
            assert_eq!((handed, message.load(Ordering::Relaxed)), ((3, false), 1));
        }
        giver.join().expect("no panic");
    });
}
