//! The one background task of a pool: closes what is idle or alive for too long, keeps the rest alive, looks for leaks.
//!
//! It turns twice within the shortest of the times it watches over, but every 30 seconds at least. No caller depends on it:
//! a checkout looks at the age of what it takes itself. It holds the pool weakly and ends with it. Idle resources are
//! checked one after the other, so that a check takes away one at a time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use tidemill_clock::SharedClock;

use super::{
    manager::Manager,
    shared::{Rules, Shared},
    stats::CloseReason,
    step::step,
};
use crate::limits::{SWEEP_LONGEST, SWEEP_SHORTEST};

/// How often to sweep, if there is anything to sweep for.
pub(super) fn interval(rules: &Rules) -> Option<Duration> {
    let times = [rules.idle_timeout, rules.max_life, rules.keep_alive, rules.leak_after];
    let shortest = times.into_iter().flatten().min()?;
    Some((shortest / 2).clamp(SWEEP_SHORTEST, SWEEP_LONGEST))
}

pub(super) async fn sweep_for_ever<M: Manager>(pool: Weak<Shared<M>>, clock: SharedClock, interval: Duration) {
    loop {
        clock.sleep(interval).await;
        let Some(shared) = pool.upgrade() else { return };
        if shared.lock().is_over() {
            return;
        }
        report_leaks(&shared);
        expire(&shared);
        keep_alive(&shared).await;
    }
}

fn expire<M: Manager>(shared: &Arc<Shared<M>>) {
    let now = shared.now();
    let (over, todo) = shared.lock().expire(shared.rules.idle_timeout, now);
    over.into_iter().for_each(|placed| shared.settle(placed));
    shared.carry_out(todo);
}

async fn keep_alive<M: Manager>(shared: &Arc<Shared<M>>) {
    let Some(every) = shared.rules.keep_alive else { return };
    let began = shared.now();
    loop {
        let Some(entry) = shared.lock().take_unproven(every, began) else { return };
        let mut check = Check { shared, entry: Some(entry), verdict: Some(CloseReason::Abandoned) };
        let Some(entry) = check.entry.as_mut() else { return };
        let resource = &mut entry.resource;
        let works = step(&shared.rules, move || shared.manager.validate(resource)).await.is_ok();
        check.verdict = (!works).then_some(CloseReason::Invalid);
    }
}

/// A resource that is being checked. Dropped with its task by an ending runtime, it is closed.
struct Check<'s, M: Manager> {
    shared: &'s Arc<Shared<M>>,
    entry: Option<Box<super::entry::Entry<M::Resource>>>,
    verdict: Option<CloseReason>,
}

impl<M: Manager> Drop for Check<'_, M> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            let now = self.shared.now();
            let placed = self.shared.lock().checked(entry, self.verdict, now);
            self.shared.settle(placed);
        }
    }
}

fn report_leaks<M: Manager>(shared: &Shared<M>) {
    let Some(after) = shared.rules.leak_after else { return };
    let now = shared.now();
    let suspects = {
        let mut core = shared.lock();
        let suspects = core.holders.newly_over(after, now);
        core.counts.suspected += suspects.len() as u64;
        suspects
    };
    let Some(on_leak) = &shared.rules.on_leak else { return };
    for holder in &suspects {
        // A hook that panics has said what it had to say.
        let _ = catch_unwind(AssertUnwindSafe(|| on_leak(holder)));
    }
}
