//! Random trees against a model that walks them: after every step each context must say what the model says.
//!
//! The model keeps every context for ever and looks up its parents at each question; the crate pushes causes down and forgets
//! what is dropped. They must agree on cause, deadline and value, on who was woken, and on which functions have run.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{self, Wake, Waker},
    time::{Duration, Instant},
};

use proptest::prelude::*;
use tidemill_context::{AfterFunc, Cancelled, Cause, Context, ManualClock};

#[derive(Clone, Debug)]
enum Step {
    Child(usize),
    Clone(usize),
    Value(usize),
    Timeout(usize, u64),
    Merge(usize, usize),
    Detach(usize),
    Cancel(usize),
    Drop(usize),
    After(usize),
    Stop(usize),
    Forget(usize),
    Wait(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..64_usize;
    prop_oneof![
        3 => any.clone().prop_map(Step::Child),
        2 => any.clone().prop_map(Step::Clone),
        1 => any.clone().prop_map(Step::Value),
        2 => (any.clone(), 0..20_u64).prop_map(|(at, seconds)| Step::Timeout(at, seconds)),
        2 => (any.clone(), any.clone()).prop_map(|(a, b)| Step::Merge(a, b)),
        1 => any.clone().prop_map(Step::Detach),
        2 => any.clone().prop_map(Step::Cancel),
        4 => any.clone().prop_map(Step::Drop),
        3 => any.clone().prop_map(Step::After),
        1 => any.clone().prop_map(Step::Stop),
        1 => any.clone().prop_map(Step::Forget),
        2 => any.prop_map(Step::Wait),
        1 => (1..8_u64).prop_map(Step::Advance),
    ]
}

/// A context as the model sees it.
#[derive(Default)]
struct Known {
    parents: Vec<usize>,
    cause: Option<Cause>,
    /// Its own.
    deadline: Option<Instant>,
    value: Option<usize>,
    /// Handles, registered functions that can be stopped, and waits: each keeps it alive.
    held: usize,
}

/// A function: of which context, and what the model says of it.
struct Function {
    of: usize,
    handle: Option<AfterFunc>,
    expected: bool,
    taken_back: bool,
}

struct Wait {
    of: usize,
    future: Cancelled,
    woken: Arc<Count>,
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct World {
    clock: ManualClock,
    known: Vec<Known>,
    handles: Vec<(usize, Context)>,
    functions: Vec<Function>,
    waits: Vec<Wait>,
    ran: Arc<Mutex<Vec<usize>>>,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let (root, ran) = ((0, Context::on(&clock)), Arc::default());
        let known = vec![Known { held: 1, ..Known::default() }];
        Self { clock, known, handles: vec![root], functions: Vec::new(), waits: Vec::new(), ran }
    }

    fn at(&self, index: usize) -> Option<(usize, &Context)> {
        let (id, context) = self.handles.get(index % self.handles.len().max(1))?;
        Some((*id, context))
    }

    /// Enters a context below `parents`, with what the model expects of it at birth.
    fn enter(&mut self, context: Context, parents: Vec<usize>, deadline: Option<Instant>, value: Option<usize>) {
        let id = self.known.len();
        let late = deadline.filter(|at| *at <= self.clock.instant()).map(|_| Cause::DeadlineExceeded);
        let cause = parents.iter().find_map(|&parent| self.known[parent].cause.clone()).or(late);
        self.known.push(Known { parents, cause, deadline, value, held: 1 });
        self.handles.push((id, context));
    }

    fn deadline(&self, id: usize) -> Option<Instant> {
        let known = &self.known[id];
        known.parents.iter().filter_map(|&parent| self.deadline(parent)).chain(known.deadline).min()
    }

    /// Held, or above one that is.
    fn is_alive(&self, id: usize) -> bool {
        let below = (id + 1..self.known.len()).filter(|&other| self.known[other].parents.contains(&id));
        self.known[id].held > 0 || below.into_iter().any(|other| self.is_alive(other))
    }

    fn cancel(&mut self, id: usize, cause: &Cause) {
        if self.known[id].cause.is_some() || !self.is_alive(id) {
            return;
        }
        self.known[id].cause = Some(cause.clone());
        for function in self.functions.iter_mut().filter(|function| function.of == id && !function.taken_back) {
            function.expected = true;
        }
        for child in id + 1..self.known.len() {
            if self.known[child].parents.contains(&id) {
                self.cancel(child, cause);
            }
        }
    }

    fn advance(&mut self, seconds: u64) {
        let then = self.clock.instant() + Duration::from_secs(seconds);
        let mut due: Vec<_> = (0..self.known.len()).filter_map(|id| Some((self.known[id].deadline?, id))).collect();
        due.sort();
        self.clock.advance_to(then);
        due.into_iter().filter(|(at, _)| *at <= then).for_each(|(_, id)| self.cancel(id, &Cause::DeadlineExceeded));
    }

    fn apply(&mut self, step: &Step, number: usize) -> Option<()> {
        match *step {
            Step::Child(at) => {
                let (id, context) = self.at(at)?;
                self.enter(context.child(), vec![id], None, self.known[id].value);
            }
            Step::Clone(at) => {
                let (id, context) = self.at(at).map(|(id, context)| (id, context.clone()))?;
                self.known[id].held += 1;
                self.handles.push((id, context));
            }
            Step::Value(at) => {
                let (id, context) = self.at(at)?;
                self.enter(context.with_value(number), vec![id], None, Some(number));
            }
            Step::Timeout(at, seconds) => {
                let (id, context) = self.at(at)?;
                let (timeout, value) = (Duration::from_secs(seconds), self.known[id].value);
                self.enter(context.with_timeout(timeout), vec![id], Some(self.clock.instant() + timeout), value);
            }
            Step::Merge(a, b) => {
                let ((a, one), (b, other)) = (self.at(a)?, self.at(b)?);
                let value = self.known[a].value.or(self.known[b].value);
                self.enter(Context::merge(one, other), vec![a, b], None, value);
            }
            Step::Detach(at) => {
                let (id, context) = self.at(at)?;
                self.enter(context.detach(), Vec::new(), None, self.known[id].value);
            }
            Step::Cancel(at) => {
                let (id, _) = self.at(at)?;
                let cause = Cause::Signal(i32::try_from(number).expect("few steps"));
                let first = self.at(at)?.1.cancel(cause.clone());
                assert_eq!(first, self.known[id].cause.is_none());
                self.cancel(id, &cause);
            }
            Step::Drop(at) => {
                let at = at % self.handles.len().max(1);
                let (id, _) = (at < self.handles.len()).then(|| self.handles.swap_remove(at))?;
                self.known[id].held -= 1;
            }
            Step::After(at) => self.after(at)?,
            Step::Stop(at) => self.stop(at, |handle| Some(handle.stop()))?,
            Step::Forget(at) => self.stop(at, |_| None)?,
            Step::Wait(at) => self.wait(at)?,
            Step::Advance(seconds) => self.advance(seconds),
        }
        Some(())
    }

    fn after(&mut self, at: usize) -> Option<()> {
        let (of, context) = self.at(at)?;
        let (number, ran) = (self.functions.len(), self.ran.clone());
        let handle = context.after_func(move |_| ran.lock().expect("no panic").push(number));
        self.known[of].held += 1;
        let expected = self.known[of].cause.is_some();
        self.functions.push(Function { of, handle: Some(handle), expected, taken_back: false });
        Some(())
    }

    /// Uses up the handle of a function: `end` stops or drops it.
    fn stop(&mut self, at: usize, end: impl FnOnce(AfterFunc) -> Option<bool>) -> Option<()> {
        let at = at % self.functions.len().max(1);
        let function = self.functions.get_mut(at)?;
        if let Some(stopped) = end(function.handle.take()?) {
            assert_eq!(stopped, !function.expected);
            function.taken_back = stopped;
        }
        self.known[function.of].held -= 1;
        Some(())
    }

    fn wait(&mut self, at: usize) -> Option<()> {
        let (of, context) = self.at(at)?;
        let mut wait = Wait { of, future: context.cancelled(), woken: Arc::default() };
        let waker = Waker::from(wait.woken.clone());
        let ready = pin!(&mut wait.future).poll(&mut task::Context::from_waker(&waker)).is_ready();
        assert_eq!(ready, self.known[of].cause.is_some());
        if !ready {
            self.known[of].held += 1;
            self.waits.push(wait);
        }
        Some(())
    }

    fn check(&self) {
        for (id, context) in &self.handles {
            let known = &self.known[*id];
            assert_eq!(context.cause(), known.cause, "cause of {id}");
            assert_eq!(context.is_cancelled(), known.cause.is_some());
            assert_eq!(context.deadline(), self.deadline(*id), "deadline of {id}");
            assert_eq!(context.value::<usize>(), known.value.as_ref(), "value of {id}");
        }
        let expected = self.functions.iter().enumerate().filter(|(_, function)| function.expected);
        let expected: Vec<_> = expected.map(|(number, _)| number).collect();
        let mut ran = self.ran.lock().expect("no panic").clone();
        ran.sort();
        assert_eq!(ran, expected, "functions that have run");
        for wait in &self.waits {
            let expected = usize::from(self.known[wait.of].cause.is_some());
            assert_eq!(wait.woken.0.load(Relaxed), expected, "wakes of a wait for {}", wait.of);
        }
    }
}

proptest! {
    #[test]
    fn a_random_tree_does_what_its_model_says(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for (number, step) in steps.iter().enumerate() {
            // A step that finds nothing to act on is none.
            let _ = world.apply(step, number);
            world.check();
        }
        let deadlines = world.clock.clone();
        drop(world);
        prop_assert_eq!(deadlines.next_due(), None, "all are gone, and a deadline is waited for");
    }
}
