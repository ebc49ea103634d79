//! The monitor's long sleep while all machines turn over: an alarm, which they put off.
//!
//! To see a stuck machine within a millisecond or two the monitor has to wake up every millisecond, and that costs some 12 us
//! of CPU time. It is little, but in a container whose quota is as large as the number of permits it is too much: every
//! period of the quota ends early, and all threads stand still for the rest of it. So, when every permit is in use and
//! nothing was stuck for a while, the monitor sleeps on a timer; each machine, which reads the clock at its looks around in any
//! case, notes that it came round, and every quarter of a millisecond one of them puts the alarm off. That is one system call
//! (0.3 us), on a thread that has the CPU.
//!
//! **The alarm rings a millisecond after the moment at which the machine came round that has not done so for longest.** Whoever
//! puts it off reckons from the oldest note, not from its own, so nobody can speak for a machine that is stuck. A machine
//! that rests, or loses its permit, or stops, notes nothing: the alarm rings, and the monitor naps as usual. Two
//! machines that reckon at once may set it too early: then the monitor looks once for nothing. For these reasons no race
//! matters here, and everything is `Relaxed`.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::read;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::limits::{ALARM, PUT_OFF_GAP};
use crate::roster::Permit;
use crate::sync::{AtomicBool, AtomicU64, Ordering, Padded};

/// For a permit that nobody holds.
const NEVER: u64 = u64::MAX;

/// All times are those of [`Reactor::now`](crate::reactor::Reactor::now), in nanoseconds.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// None where the system has none to give; shuttle's clock stands still.
    timer: Option<OwnedFd>,
    /// The monitor sleeps on it.
    on: AtomicBool,
    /// When the alarm was set last.
    set: AtomicU64,
    /// The monitor wants to be awake then in any case.
    until: AtomicU64,
    /// When the holder of each permit came round.
    seen: Box<[Padded<AtomicU64>]>,
}

impl Watchdog {
    pub(crate) fn new(permits: usize) -> Self {
        let timer = || timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).ok();
        Self {
            timer: if cfg!(tidemill_shuttle) { None } else { timer() },
            on: AtomicBool::new(false),
            set: AtomicU64::new(0),
            until: AtomicU64::new(0),
            seen: (0..permits).map(|_| Padded(AtomicU64::new(0))).collect(),
        }
    }

    /// Do the machines watch each other? A load of a line that is written twice per sleep of the monitor.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// The holder of `permit` has come round; whether that put the alarm off.
    pub(crate) fn came_round(&self, permit: Permit, now: u64) -> bool {
        self.seen[permit as usize].0.store(now, Ordering::Relaxed);
        let due = now.saturating_sub(self.set.load(Ordering::Relaxed)) >= nanos(PUT_OFF_GAP);
        due && self.set_alarm(now)
    }

    /// By the monitor: sleeps until the alarm rings, at the latest `most` after `now`; `false` if there is no alarm. It rings
    /// for no permit that is not `held` now.
    pub(crate) fn sleep(&self, now: u64, most: Duration, held: impl Fn(usize) -> bool) -> bool {
        self.begin(now, most, held);
        if !self.set_alarm(now) {
            return false;
        }
        self.on.store(true, Ordering::Relaxed);
        // An error (a signal came) is a look too many.
        let rang = self.timer.as_ref().map(|timer| read(timer, &mut [0; 8]));
        self.on.store(false, Ordering::Relaxed);
        rang.is_some()
    }

    fn begin(&self, now: u64, most: Duration, held: impl Fn(usize) -> bool) {
        self.until.store(now + nanos(most), Ordering::Relaxed);
        for (permit, seen) in self.seen.iter().enumerate() {
            seen.0.store(if held(permit) { now } else { NEVER }, Ordering::Relaxed);
        }
    }

    fn set_alarm(&self, now: u64) -> bool {
        self.set.store(now, Ordering::Relaxed);
        let after = self.rings_at().saturating_sub(now);
        self.timer
            .as_ref()
            .is_some_and(|timer| timerfd_settime(timer, TimerfdTimerFlags::empty(), &once(after)).is_ok())
    }

    fn rings_at(&self) -> u64 {
        let oldest = self.seen.iter().map(|seen| seen.0.load(Ordering::Relaxed)).min();
        let alarm = oldest.unwrap_or(NEVER).saturating_add(nanos(ALARM));
        alarm.min(self.until.load(Ordering::Relaxed))
    }
}

/// A timer that rings once; at once is a nanosecond from now, for zero would turn it off.
fn once(after: u64) -> Itimerspec {
    let after = after.max(1);
    let value = Timespec { tv_sec: (after / 1_000_000_000) as i64, tv_nsec: (after % 1_000_000_000) as _ };
    Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value }
}

fn nanos(span: Duration) -> u64 {
    span.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const LONG: Duration = Duration::from_secs(3600);

    /// A watchdog of `permits`, all held, whose monitor began to sleep at `now`.
    fn asleep(permits: usize, now: u64, most: Duration) -> Watchdog {
        let dog = Watchdog::new(permits);
        dog.begin(now, most, |_| true);
        dog.set.store(now, Ordering::Relaxed);
        dog
    }

    #[test]
    fn it_rings_for_the_one_that_has_not_come_round_for_longest() {
        let dog = asleep(3, 10 * MS, LONG);
        let rounds = [(0, 11, 11), (1, 12, 11), (0, 13, 11), (2, 14, 13), (1, 15, 14), (1, 16, 14)];
        for (permit, at, rings) in rounds {
            dog.came_round(permit, at * MS);
            assert_eq!(dog.rings_at(), rings * MS, "permit {permit} at {at} ms");
        }
    }

    #[test]
    fn it_does_not_ring_for_a_permit_that_nobody_held_until_somebody_does() {
        let dog = Watchdog::new(2);
        dog.begin(0, LONG, |permit| permit == 0);
        dog.came_round(0, 5 * MS);
        assert_eq!(dog.rings_at(), 6 * MS);
        dog.came_round(1, 4 * MS);
        assert_eq!(dog.rings_at(), 5 * MS);
    }

    #[test]
    fn it_rings_when_the_monitor_wants_to_be_awake() {
        let dog = asleep(1, 0, Duration::from_millis(5));
        dog.came_round(0, 4 * MS + MS / 2);
        assert_eq!(dog.rings_at(), 5 * MS);
    }

    #[test]
    fn it_is_put_off_four_times_in_a_millisecond_and_no_oftener() {
        let dog = asleep(1, 0, LONG);
        let put_off = (1..=400).filter(|i| dog.came_round(0, i * MS / 40)).count();
        assert_eq!(put_off, 40);
    }

    #[test]
    fn the_sleeper_wakes_up_if_nobody_comes_round() {
        assert!(Watchdog::new(2).sleep(0, LONG, |_| true), "this ends");
    }
}
