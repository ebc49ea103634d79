//! What tells a blocked thread from a busy one: its CPU time, and what the kernel says it does.
//!
//! CPU time alone would not do: a thread that is ready but has no CPU, because the machine is crowded, uses none either,
//! and another thread would only crowd it more. Reading the time costs 150 to 250 ns, asking the kernel about 3 us; the
//! monitor does the first for polls that it has seen twice, the second when it is about to take a permit.

use std::fs;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The way to look at one thread from another.
#[derive(Debug)]
pub(crate) struct Vitals {
    clock: libc::clockid_t,
    thread: libc::pid_t,
}

impl Vitals {
    /// Of the calling thread; none where the system has no such clock.
    pub(crate) fn of_this_thread() -> Option<Self> {
        let mut clock = 0;
        // SAFETY: it only says who calls.
        let this = unsafe { libc::pthread_self() };
        // SAFETY: a live thread's id, and a place for the answer.
        let error = unsafe { libc::pthread_getcpuclockid(this, &raw mut clock) };
        // SAFETY: as for `pthread_self`.
        let thread = unsafe { libc::gettid() };
        (error == 0).then_some(Self { clock, thread })
    }

    /// The CPU time used so far; none if the thread has ended.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: a place for the answer; an id whose thread has ended is an error, not a fault.
        if unsafe { libc::clock_gettime(self.clock, time.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: success filled it in.
        let time = unsafe { time.assume_init() };
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }

    /// Does the thread sleep in the kernel? `true` also where the kernel does not say.
    pub(crate) fn sleeps(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", self.thread));
        stat.map_or(true, |stat| state(&stat) != Some('R'))
    }
}

/// Lets the calling thread's naps end when they are over. As a rule Linux adds up to 50 us, to wake several sleepers at
/// once.
pub(crate) fn nap_precisely() {
    // SAFETY: it changes a number of the calling thread. An error leaves the naps as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// The state letter of a line of `/proc/../stat`: what follows the name, which is in parentheses and may have more.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_sleeping_thread_uses_no_cpu_and_sleeps_a_running_one_does_neither() {
        let (to_main, from_thread) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let sleeper = thread::spawn(move || {
            to_main.send(Vitals::of_this_thread()).expect("main waits");
            released.recv().expect("main releases");
        });
        let asleep = from_thread.recv().expect("the thread sends").expect("Linux has thread clocks");
        while !asleep.sleeps() {
            thread::yield_now();
        }
        let before = asleep.cpu_time();
        let own = Vitals::of_this_thread().expect("Linux has thread clocks");
        let start = own.cpu_time().expect("alive");
        while own.cpu_time().expect("alive") < start + Duration::from_millis(2) {}
        assert!(!own.sleeps(), "whoever asks is running");
        assert_eq!(asleep.cpu_time(), before, "a thread that waits uses no time");
        release.send(()).expect("the thread waits");
        sleeper.join().expect("no panic");
    }

    #[test]
    fn the_state_follows_the_last_parenthesis() {
        let cases = [
            ("12 (tidemill) R 1 2", Some('R')),
            ("12 (a) b) (R) S 1 2", Some('S')),
            ("12 (tidemill)", None),
            ("", None),
        ];
        for (stat, expected) in cases {
            assert_eq!(state(stat), expected, "{stat:?}");
        }
    }
}
