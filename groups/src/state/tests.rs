//! Random runs of the state against a plain account of it: no slot lost, none minted, nobody forgotten, whatever gives up
//! and whenever the cancel comes.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::Wake,
};

use proptest::prelude::*;

use super::*;

/// What happens next; the numbers choose among those that there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    TrySpawn,
    /// Somebody who is no child spawns, and waits if it must.
    Spawn,
    /// A child spawns, and lends its slot if it must.
    SpawnFrom(usize),
    /// A waiter looks whether it is its turn, as a task that was woken, or for no reason.
    Look(usize),
    /// A waiter is dropped, granted or not.
    GiveUp(usize),
    /// A child ends, while it waits for a slot as well.
    End(usize),
    SetLimit(usize),
    Cancel,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::TrySpawn),
        4 => Just(Step::Spawn),
        4 => any::<usize>().prop_map(Step::SpawnFrom),
        6 => any::<usize>().prop_map(Step::Look),
        3 => any::<usize>().prop_map(Step::GiveUp),
        6 => any::<usize>().prop_map(Step::End),
        1 => (1..4_usize).prop_map(Step::SetLimit),
        1 => Just(Step::Cancel),
    ];
    prop::collection::vec(step, 1..120)
}

/// Remembers that it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// Somebody in line; `parent`: a child that has lent its slot.
struct Waiting {
    key: u64,
    parent: Option<Seat>,
    flag: Arc<Flag>,
}

/// The state, and who is there.
struct Run {
    state: State<usize>,
    children: Vec<Seat>,
    waiting: Vec<Waiting>,
    limit: usize,
    ended: VecDeque<usize>,
}

impl Run {
    fn new(limit: usize) -> Self {
        Self { state: State::new(limit), children: Vec::new(), waiting: Vec::new(), limit, ended: VecDeque::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::TrySpawn => {
                let entry = self.state.enter();
                self.enter(entry);
            }
            Step::Spawn => self.spawn(None),
            Step::SpawnFrom(choice) if !self.children.is_empty() => {
                let parent = self.children[choice % self.children.len()];
                // A child does one thing at a time.
                if self.waiting.iter().all(|waiting| waiting.parent != Some(parent)) {
                    self.spawn(Some(parent));
                }
            }
            Step::Look(choice) if !self.waiting.is_empty() => self.look(choice % self.waiting.len()),
            Step::GiveUp(choice) if !self.waiting.is_empty() => {
                let gone = self.waiting.remove(choice % self.waiting.len());
                self.state.leave_line(gone.key);
            }
            Step::End(choice) if !self.children.is_empty() => self.end(choice % self.children.len()),
            Step::SetLimit(limit) => {
                self.limit = limit;
                self.state.set_limit(limit);
            }
            Step::Cancel => self.state.cancel(),
            _ => {}
        }
    }

    fn spawn(&mut self, parent: Option<Seat>) {
        let flag = Arc::new(Flag::default());
        let (entry, key) = self.state.enter_or_join(parent.map(|parent| parent.number), &Arc::clone(&flag).into());
        self.enter(entry);
        let lent = matches!(entry, Entry::In(_));
        self.waiting.extend(key.map(|key| Waiting { key, parent: parent.filter(|_| lent), flag }));
    }

    fn enter(&mut self, entry: Entry) {
        if let Entry::In(seat) = entry {
            assert!(!self.state.is_cancelled(), "a child entered a cancelled group");
            self.children.push(seat);
        }
    }

    fn look(&mut self, index: usize) {
        let Waiting { key, parent, flag } = &self.waiting[index];
        let waker = Arc::clone(flag).into();
        let over = match *parent {
            Some(parent) => self.state.reclaim(*key, parent.number, &waker),
            None => {
                let entry = self.state.enter_waiting(*key, &waker);
                self.enter(entry);
                entry != Entry::Full
            }
        };
        if over {
            self.waiting.remove(index);
        }
    }

    fn end(&mut self, index: usize) {
        let seat = self.children.swap_remove(index);
        // What it waited for is dropped with it, and before it.
        if let Some(position) = self.waiting.iter().position(|waiting| waiting.parent == Some(seat)) {
            self.state.leave_line(self.waiting.remove(position).key);
        }
        self.state.finish(seat, Some(seat.number), false, || ());
        self.ended.push_back(seat.number);
    }

    /// Everybody looks and every child ends, until nothing is left: nobody may be stuck.
    fn run_out(&mut self) {
        while !(self.children.is_empty() && self.waiting.is_empty()) {
            let woken = self.waiting.iter().position(|waiting| waiting.flag.0.swap(false, SeqCst));
            match woken {
                Some(index) => self.look(index),
                None => {
                    assert!(!self.children.is_empty(), "a waiter was forgotten");
                    self.end(0);
                }
            }
        }
    }

    /// The account: as many children are in as the state says.
    fn check(&self) {
        let counts = self.state.counts();
        assert_eq!(counts.running, self.children.len());
        assert!(counts.waiting <= self.waiting.len());
        if counts.waiting > 0 && !self.state.is_cancelled() {
            assert_eq!(self.state.enter(), Entry::Full, "a slot is free and somebody waits for one");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_slot_is_lost_or_minted_and_nobody_is_forgotten(
        limit in prop_oneof![4 => 1..4_usize, 1 => Just(UNLIMITED)],
        steps in steps(),
    ) {
        let mut run = Run::new(limit);
        for step in steps {
            run.step(step);
            run.check();
        }
        run.run_out();
        prop_assert!(run.state.poll_end(false, Waker::noop()).is_ready());
        let (done, root, _) = run.state.take_done();
        prop_assert_eq!(done.into_iter().map(|(number, _)| number).collect::<VecDeque<_>>(), run.ended);
        prop_assert_eq!(root, None);
        if !run.state.is_cancelled() && run.limit != UNLIMITED {
            let slots = (0..run.limit + 1).filter(|_| matches!(run.state.enter(), Entry::In(_))).count();
            prop_assert_eq!(slots, run.limit, "all slots are there again, and no more");
        }
    }

    /// Without lending and without a lower limit there are never more children than slots.
    #[test]
    fn the_limit_holds(limit in 1..4_usize, steps in steps()) {
        let mut run = Run::new(limit);
        for step in steps {
            if !matches!(step, Step::SpawnFrom(_) | Step::SetLimit(_)) {
                run.step(step);
            }
            prop_assert!(run.children.len() <= limit);
        }
    }
}
