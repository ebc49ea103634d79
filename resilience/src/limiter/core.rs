//! What the lock protects, and the one way through it.
//!
//! Every slow call is a *pass*: lock, settle the caller's own home, read the clock, serve the queue, do the one thing
//! the call came for, publish the gate, unlock, wake. Serving in every pass means that whoever comes by does the work
//! that is due, so no timer is trusted to be on time; comparing the head and its alarm before and after means that one
//! rule covers arrival, cancellation, grant and claim: *if the alarm changed, the head is woken to set it anew*.

use std::task::Waker;

use super::{
    Refused,
    acquire::Claim,
    bucket::{Bucket, Moment},
    lease::{Leases, Ledger, Settled},
    queue::Queue,
};

#[derive(Debug)]
pub(super) struct Core {
    pub(super) bucket: Bucket,
    pub(super) queue: Queue,
    pub(super) ledger: Ledger,
    /// The latest time seen. A clock that steps back is held here.
    pub(super) nanos: u64,
    pub(super) now: Moment,
    /// Nothing is let through before this time.
    pub(super) paused_until: u64,
}

/// The head of the queue and the time (nanoseconds) its tokens are open from, if that is known.
pub(super) type Alarm = Option<(u64, Option<u64>)>;

impl Core {
    pub(super) fn new(bucket: Bucket, ledger: Ledger) -> Self {
        let now = bucket.at(0);
        Self { bucket, queue: Queue::default(), ledger, nanos: 0, now, paused_until: 0 }
    }

    /// Charges what was spent of leases that were ended, and moves the time on: the clock is read after they ended (see `lease`).
    pub(super) fn charge(&mut self, settled: &Settled, nanos: impl Fn() -> u64) {
        self.nanos = self.nanos.max(nanos());
        self.now = self.bucket.at(self.nanos);
        self.bucket.put_back(settled.unspent);
        self.bucket.spend_aside(settled.spent, self.now);
    }

    pub(super) fn check_burst(&self, n: u64) -> Result<(), Refused> {
        let burst = self.bucket.burst();
        if n > burst { Err(Refused::ExceedsBurst { asked: n, burst }) } else { Ok(()) }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.nanos < self.paused_until
    }

    /// Grants the head of the queue, and the next, as long as their tokens are open.
    pub(super) fn serve(&mut self, woken: &mut Vec<Waker>) {
        while !self.is_paused()
            && let Some((_, tokens)) = self.queue.head()
            && self.bucket.set_aside(tokens, self.now)
        {
            woken.extend(self.queue.grant_head());
        }
    }

    /// Takes or holds `n` tokens if they are open and nobody waits for them.
    pub(super) fn claim(&mut self, n: u64, claim: Claim) -> bool {
        let free = !self.is_paused() && self.queue.is_empty();
        free && match claim {
            Claim::Spend => self.bucket.take(n, self.now),
            Claim::Hold => self.bucket.set_aside(n, self.now),
        }
    }

    /// After a taking of `n`: sets aside what this home will soon want.
    pub(super) fn lease(&mut self, leases: &Leases, home: usize, n: u64) {
        let tokens = self.ledger.size(home, n, self.bucket.open(self.now), self.nanos);
        if tokens > 0 && self.bucket.set_aside(tokens, self.now) {
            self.ledger.grant(leases, home, tokens);
        }
    }

    pub(super) fn alarm(&self) -> Alarm {
        let (ticket, tokens) = self.queue.head()?;
        let opens = self.bucket.open_from(tokens).map(|tick| self.bucket.grid.nanos_at(tick).max(self.paused_until));
        Some((ticket, opens))
    }

    /// The time at which `n` tokens are open to a newcomer, behind all who wait, in nanoseconds.
    pub(super) fn ready_at(&self, n: u64) -> u64 {
        let wanted = self.queue.asked().saturating_add(n);
        // Those ahead can be served after the pause at the earliest; the bucket fills meanwhile.
        let start = self.bucket.grid.floor(self.paused_until.max(self.nanos));
        let tick = self.bucket.estimate(wanted, start);
        self.bucket.grid.nanos_at(tick).max(self.paused_until)
    }

    /// The time before which not one token can be open to a newcomer; zero if that cannot be said.
    pub(super) fn gate(&self) -> u64 {
        if self.ledger.any_outstanding() {
            return 0;
        }
        let tick = self.bucket.estimate(self.queue.asked().saturating_add(1), 0);
        self.bucket.grid.nanos_at(tick).max(self.paused_until)
    }
}
