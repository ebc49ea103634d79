//! The CPU time of another thread: what tells a blocked thread from a busy one.
//!
//! Reading it costs 150 to 250 ns, a system call; the monitor reads it only for polls that it has seen twice.

use std::mem::MaybeUninit;
use std::time::Duration;

/// The CPU clock of one thread.
#[derive(Debug)]
pub(crate) struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// Of the calling thread; none where the system has no such clock.
    pub(crate) fn of_this_thread() -> Option<Self> {
        let mut clock = 0;
        // SAFETY: it only says who calls.
        let thread = unsafe { libc::pthread_self() };
        // SAFETY: a live thread's id, and a place for the answer.
        let error = unsafe { libc::pthread_getcpuclockid(thread, &raw mut clock) };
        (error == 0).then_some(Self(clock))
    }

    /// The time used so far; none if the thread has ended.
    pub(crate) fn read(&self) -> Option<Duration> {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: a place for the answer; an id whose thread has ended is an error, not a fault.
        if unsafe { libc::clock_gettime(self.0, time.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: success filled it in.
        let time = unsafe { time.assume_init() };
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_the_thread_does() {
        let (to_main, from_thread) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            to_main.send(CpuClock::of_this_thread()).expect("main waits");
            released.recv().expect("main releases");
        });
        let clock = from_thread.recv().expect("the thread sends").expect("Linux has thread clocks");
        let first = loop {
            // Until the thread sleeps in `recv`: two equal readings a while apart.
            let reading = clock.read();
            std::thread::yield_now();
            if clock.read() == reading {
                break reading;
            }
        };
        let own = CpuClock::of_this_thread().expect("Linux has thread clocks");
        let start = own.read().expect("alive");
        while own.read().expect("alive") < start + Duration::from_millis(2) {}
        assert_eq!(clock.read(), first, "a thread that waits uses no time");
        release.send(()).expect("the thread waits");
        thread.join().expect("no panic");
    }
}
