//! One open-loop run: a generator, the tasks, and what each of them wrote down.
//!
//! Each task stores its time of ending in a slot of its own: no lock, no shared counter, 8 bytes. The generator sleeps
//! from one due arrival to the next, but never for less than [`NAP`], and then submits all that has become due: spinning would be
//! more exact, and would take one of the CPUs that the executors run on.

use std::{
    io,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::thread::set_current_timer_slack;

use super::{
    Plan, Spin,
    plan::{Job, Long},
};
use crate::{executor::Executor, latency::Latencies};

/// The generator's shortest sleep.
const NAP: Duration = Duration::from_micros(50);

/// How late the kernel may wake the generator, in nanoseconds. Of its own thread only: executors keep their 50 us.
const SLACK: NonZero<u64> = NonZero::<u64>::MIN;

/// Between two looks for the last tasks.
const LOOK: Duration = Duration::from_micros(500);

/// What a run found.
pub(crate) struct Outcome {
    /// Latencies of the short tasks from their planned arrivals.
    pub(crate) short: Latencies,
    /// Of the same tasks, from when they were submitted: what the executor alone makes of it.
    pub(crate) served: Latencies,
    /// How late the generator submitted.
    pub(crate) late: Latencies,
    /// From the start to the end of the last task.
    pub(crate) took: Duration,
}

/// When each task ended: nanoseconds from the start, 0 until then.
type Ends = Arc<[AtomicU64]>;

/// Submits the plan's tasks as they become due and waits for the last.
///
/// # Errors
/// The system refuses a thread, or a task ended before it was submitted.
pub(crate) fn open_loop<E: Executor>(executor: &E, plan: &Plan, spin: Spin) -> io::Result<Outcome> {
    let ends: Ends = (0..plan.len()).map(|_| AtomicU64::new(0)).collect();
    let start = Instant::now();
    // A thread of its own, because threads inherit the timer slack of the one that starts them.
    let submitted = thread::scope(|scope| {
        let generator = thread::Builder::new().spawn_scoped(scope, || generate(executor, plan, spin, start, &ends))?;
        generator.join().map_err(|_| io::Error::other("the generator panicked"))?
    })?;
    collect(plan, &ends, &submitted)
}

/// When each task was submitted.
fn generate<E: Executor>(
    executor: &E,
    plan: &Plan,
    spin: Spin,
    start: Instant,
    ends: &Ends,
) -> io::Result<Vec<Duration>> {
    set_current_timer_slack(Some(SLACK))?;
    let mut submitted = Vec::with_capacity(plan.len());
    for number in 0..plan.len() {
        let due = plan.at(number);
        let mut now = start.elapsed();
        while now < due {
            thread::sleep((due - now).max(NAP));
            now = start.elapsed();
        }
        let (job, ends) = (plan.job(number), Arc::clone(ends));
        executor.submit(async move {
            work(job, spin);
            // Release: pairs with `collect`.
            ends[number].store(start.elapsed().as_nanos() as u64, Ordering::Release);
        });
        submitted.push(now);
    }
    Ok(submitted)
}

fn work(job: Job, spin: Spin) {
    match job {
        Job::Short(time) | Job::Long(time, Long::Computes) => spin.work(time),
        Job::Long(time, Long::Sleeps) => thread::sleep(time),
    }
}

/// Waits for every end and sorts the latencies by class.
fn collect(plan: &Plan, ends: &Ends, submitted: &[Duration]) -> io::Result<Outcome> {
    let [short, served, late] = std::array::from_fn(|_| Latencies::none());
    let mut outcome = Outcome { short, served, late, took: Duration::ZERO };
    for (number, (end, &submitted)) in ends.iter().zip(submitted).enumerate() {
        let (end, due) = (ended(end), plan.at(number));
        let Some(served) = end.checked_sub(submitted) else {
            return Err(io::Error::other(format!("task {number} ended before it was submitted")));
        };
        outcome.late.record(submitted - due);
        outcome.took = outcome.took.max(end);
        if matches!(plan.job(number), Job::Short(_)) {
            outcome.short.record(end - due);
            outcome.served.record(served);
        }
    }
    Ok(outcome)
}

fn ended(end: &AtomicU64) -> Duration {
    loop {
        // Acquire: pairs with the task's store; what it did is over.
        match end.load(Ordering::Acquire) {
            0 => thread::sleep(LOOK),
            nanos => return Duration::from_nanos(nanos),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{AsyncExecutor, Listed, Tidemill, Tokio, tail::Mix};

    fn counts_every_task<E: Executor>() {
        let mix = Mix::new(1_000, 1_000_000, Long::Sleeps);
        let plan = Plan::poisson(20_000.0, Duration::from_millis(50), mix, 3);
        let shorts = (0..plan.len()).filter(|&number| matches!(plan.job(number), Job::Short(_))).count();
        assert!(shorts < plan.len(), "without a long task it proves little");
        let outcome = open_loop(&E::start(2).unwrap(), &plan, Spin::calibrated()).unwrap();
        assert_eq!((outcome.short.count(), outcome.late.count()), (shorts as u64, plan.len() as u64), "{}", E::NAME);
        assert_eq!(outcome.served.count(), shorts as u64, "{}", E::NAME);
        assert!(outcome.served.micros(1.0) <= outcome.short.micros(1.0), "{}", E::NAME);
        assert!(outcome.took >= plan.at(plan.len() - 1), "{}", E::NAME);
    }

    #[test]
    fn on_every_executor() {
        counts_every_task::<Tidemill>();
        counts_every_task::<Tokio>();
        counts_every_task::<AsyncExecutor<Listed>>();
    }

    #[test]
    fn a_task_that_ends_before_it_is_submitted_is_a_fault() {
        let plan = Plan::poisson(1_000.0, Duration::from_secs(1), Mix::new(1, 1, Long::Computes), 1);
        let ends: Ends = (0..plan.len()).map(|_| AtomicU64::new(1)).collect();
        let submitted: Vec<_> = (0..plan.len()).map(|number| plan.at(number)).collect();
        assert!(collect(&plan, &ends, &submitted).is_err());
    }
}
