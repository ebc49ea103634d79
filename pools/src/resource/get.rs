//! A get, from the arrival of the caller to a resource that works.
//!
//! 1. Under one lock, take an idle resource. If it needs no proof, that was all: no allocation, no timer.
//! 2. Else wait in line, and be given one.
//! 3. Prove it if that is due. If it fails, go back to 1, with the place in the order of arrival that one came with.
//!
//! The one time-out is around 2 and 3, and so is the ambient context: a get that succeeds at once looks at neither.
//!
//! **The future has a small front.** 1 is written by hand in [`Get`]; 2 and 3 are an `async fn` of half a kilobyte, boxed when
//! it is needed. Written as one `async fn`, each get moved that half kilobyte twice before it began.
//!
//! **Cancel safe at every await**: in line, [`Turn`]'s drop leaves the line and passes on what was given unseen; during the
//! proof, the resource's lease is there, with the verdict that it is to be closed.

use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
    time::Duration,
};

use tidemill_context::Context;
use tokio::time::Instant;

use super::{
    entry::Entry,
    error::GetError,
    holders::Who,
    homes::Homes,
    lease::Lease,
    manager::Manager,
    outcome::{Standing, Todo},
    shared::Shared,
    stats::CloseReason,
    step::step,
};

type Got<M> = Result<Lease<M>, GetError<<M as Manager>::Error>>;

/// One call of `get`: at the first poll it takes what is there, or turns into a [`Call`].
pub(super) struct Get<'p, M: Manager> {
    shared: &'p Homes<M>,
    patience: Option<Duration>,
    state: State<'p, M>,
}

enum State<'p, M: Manager> {
    New(Who),
    Waiting(Pin<Box<dyn Future<Output = Got<M>> + Send + 'p>>),
    Done,
}

impl<'p, M: Manager> Get<'p, M> {
    pub(super) fn new(shared: &'p Homes<M>, who: Who, patience: Option<Duration>) -> Self {
        Self { shared, patience, state: State::New(who) }
    }
}

/// Nothing in it is pinned but what is boxed.
impl<M: Manager> Unpin for Get<'_, M> {}

impl<M: Manager> Future for Get<'_, M> {
    type Output = Got<M>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Got<M>> {
        if let State::New(who) = &self.state {
            match at_once(self.shared, who, self.patience) {
                Ok(got) => {
                    self.state = State::Done;
                    return Poll::Ready(got);
                }
                Err(missed) => self.wait(missed),
            }
        }
        self.poll_waiting(cx)
    }
}

impl<M: Manager> Get<'_, M> {
    #[cold]
    fn wait(&mut self, missed: Missed<M>) {
        if let State::New(who) = std::mem::replace(&mut self.state, State::Done) {
            self.state = State::Waiting(Box::pin(in_time(self.shared, who, self.patience, missed)));
        }
    }

    #[cold]
    fn poll_waiting(&mut self, cx: &mut task::Context<'_>) -> Poll<Got<M>> {
        let State::Waiting(call) = &mut self.state else { panic!("`get` polled after it was ready") };
        let outcome = call.as_mut().poll(cx);
        if outcome.is_ready() {
            self.state = State::Done;
        }
        outcome
    }
}

/// What is known of a call that could not be served at once.
struct Missed<M: Manager> {
    began: Instant,
    /// Its place in the order of arrival.
    key: u64,
    /// It has to be asked first.
    unproven: Option<Lease<M>>,
}

#[inline]
fn at_once<M: Manager>(shared: &Homes<M>, who: &Who, patience: Option<Duration>) -> Result<Got<M>, Missed<M>> {
    let began = shared.now();
    if patience == Some(Duration::ZERO) {
        return Ok(get_now(shared, who, began).ok_or_else(|| shared.in_vain()));
    }
    let (key, taken) = {
        let mut core = shared.lock();
        (core.arrive(), core.take(who.clone(), began))
    };
    let unproven = match taken.map(|taken| sift(shared, hand_out(shared, taken), began)) {
        Some(Sifted::Good(lease)) => return Ok(Ok(lease)),
        Some(Sifted::Unproven(lease)) => Some(lease),
        Some(Sifted::Bad) | None => None,
    };
    Err(Missed { began, key, unproven })
}

async fn in_time<M: Manager>(
    shared: &Homes<M>,
    who: Who,
    patience: Option<Duration>,
    Missed { began, key, unproven }: Missed<M>,
) -> Got<M> {
    let call = Call { shared, who, key };
    let end = patience.and_then(|patience| began.checked_add(patience));
    let waited = || shared.now().duration_since(began);
    // Each of the three is asked in this order: what was given by then is taken.
    let in_time = async {
        let Some(end) = end else { return call.served(unproven).await };
        let got = shared.rules.clock.timeout_at(end.into(), call.served(unproven)).await;
        got.unwrap_or_else(|_elapsed| Err(shared.timed_out(waited())))
    };
    let Some(context) = Context::try_current() else { return in_time.await };
    context.run(in_time).await.unwrap_or_else(|cause| Err(shared.cancelled(cause, waited())))
}

/// A resource that is idle and needs no proof.
pub(super) fn get_now<M: Manager>(shared: &Homes<M>, who: &Who, now: Instant) -> Option<Lease<M>> {
    loop {
        let wanted = |entry: &Entry<_>| !shared.rules.validate.is_due(entry.proven, now);
        let taken = shared.lock().take_if(who.clone(), now, wanted)?;
        if let Sifted::Good(lease) = sift(shared, hand_out(shared, taken), now) {
            return Some(lease);
        }
    }
}

#[inline]
fn hand_out<M: Manager>(shared: &Homes<M>, (entry, todo): (Box<Entry<M::Resource>>, Todo)) -> Lease<M> {
    let lease = Lease::new(shared.mine(), entry);
    shared.carry_out(todo);
    lease
}

/// What a first look at a resource says.
enum Sifted<M: Manager> {
    Good(Lease<M>),
    /// It was idle for so long that it has to be asked.
    Unproven(Lease<M>),
    /// Closed.
    Bad,
}

#[inline]
fn sift<M: Manager>(shared: &Shared<M>, mut lease: Lease<M>, now: Instant) -> Sifted<M> {
    let flaw = lease.flaw(now);
    if flaw.is_some() {
        lease.judge(flaw);
        return Sifted::Bad;
    }
    if shared.rules.validate.is_due(lease.entry().proven, now) {
        lease.set_used(false);
        return Sifted::Unproven(lease);
    }
    Sifted::Good(lease)
}

/// A get that has to wait, or to ask.
struct Call<'p, M: Manager> {
    shared: &'p Homes<M>,
    who: Who,
    /// Its place in the order of arrival.
    key: u64,
}

impl<M: Manager> Call<'_, M> {
    /// Goes on until there is a resource that works. `next` is one that is to be proven first.
    async fn served(self, mut next: Option<Lease<M>>) -> Got<M> {
        loop {
            let unproven = match next.take() {
                Some(lease) => lease,
                None => {
                    let lease = Turn { call: &self, in_line_since: None }.await?;
                    match sift(self.shared, lease, self.shared.now()) {
                        Sifted::Good(lease) => return Ok(lease),
                        Sifted::Unproven(lease) => lease,
                        Sifted::Bad => continue,
                    }
                }
            };
            if let Some(lease) = self.proven(unproven).await {
                return Ok(lease);
            }
        }
    }

    /// Asks the resource; it is closed if it fails, and if the question is cut short.
    async fn proven(&self, mut lease: Lease<M>) -> Option<Lease<M>> {
        lease.set_used(true);
        lease.judge(Some(CloseReason::Abandoned));
        let (shared, resource) = (self.shared, &mut *lease);
        let works = step(&shared.rules, move || shared.manager.validate(resource)).await.is_ok();
        lease.judge((!works).then_some(CloseReason::Invalid));
        works.then_some(lease)
    }
}

/// Waits in line until there is a resource.
struct Turn<'c, 'p, M: Manager> {
    call: &'c Call<'p, M>,
    /// Present while we stand in line.
    in_line_since: Option<Instant>,
}

/// Nothing in it is pinned.
impl<M: Manager> Unpin for Turn<'_, '_, M> {}

impl<M: Manager> Future for Turn<'_, '_, M> {
    type Output = Got<M>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let Call { shared, who, key } = self.call;
        let now = shared.now();
        let mut core = shared.lock();
        let standing = match self.in_line_since {
            None => core.take_or_join(*key, who, cx.waker(), now),
            Some(since) => core.look(*key, who, cx.waker(), since, now),
        };
        drop(core);
        let outcome = match standing {
            Standing::Waiting(todo) => {
                self.in_line_since.get_or_insert(now);
                shared.carry_out(todo);
                return Poll::Pending;
            }
            Standing::Got(entry, todo) => Ok(hand_out(shared, (entry, todo))),
            Standing::Refused => Err(GetError::TooManyWaiting),
            Standing::Closed(todo) => {
                shared.carry_out(todo);
                Err(GetError::Closed)
            }
        };
        self.in_line_since = None;
        Poll::Ready(outcome)
    }
}

impl<M: Manager> Drop for Turn<'_, '_, M> {
    fn drop(&mut self) {
        if self.in_line_since.is_some() {
            let (passed_on, todo) = self.call.shared.lock().leave(self.call.key);
            passed_on.into_iter().for_each(|placed| self.call.shared.settle(placed));
            self.call.shared.carry_out(todo);
        }
    }
}
