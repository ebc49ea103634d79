//! What the kernel has charged this process: CPU time, memory, context switches.
//!
//! Two sources, each for what it alone gives well: `getrusage` for CPU time in microseconds and the
//! switches, `/proc/self/status` for the resident set now and at its peak.
#![allow(unsafe_code)] // One system call.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// A reading of the kernel's account of this process, all threads included. Linux only.
///
/// Costs one system call and one read of a file under `/proc`: about 20 us.
///
/// ```
/// let before = tidemill_profiling::ProcessStats::read()?;
/// let sum: u64 = std::hint::black_box(0..1_000_000_u64).map(std::hint::black_box).sum();
/// let after = tidemill_profiling::ProcessStats::read()?;
/// assert!(sum > 0 && after.cpu() >= before.cpu());
/// assert!(after.peak_rss_bytes >= after.rss_bytes);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStats {
    /// CPU time spent in user code.
    pub user: Duration,
    /// CPU time the kernel spent on behalf of the process.
    pub system: Duration,
    /// Resident set now, in bytes.
    pub rss_bytes: u64,
    /// The largest resident set so far, in bytes.
    pub peak_rss_bytes: u64,
    /// Times a thread gave up its CPU to wait for something.
    pub voluntary_switches: u64,
    /// Times the kernel took the CPU away from a thread that wanted to run on.
    pub involuntary_switches: u64,
}

impl ProcessStats {
    /// Reads the account.
    ///
    /// # Errors
    /// When `/proc` is not mounted or has no memory lines, which the error names.
    pub fn read() -> io::Result<Self> {
        let usage = usage_of_self()?;
        let status = std::fs::read_to_string("/proc/self/status")?;
        Ok(Self {
            user: duration(usage.ru_utime),
            system: duration(usage.ru_stime),
            rss_bytes: kib_field(&status, "VmRSS:")? * 1024,
            peak_rss_bytes: kib_field(&status, "VmHWM:")? * 1024,
            voluntary_switches: usage.ru_nvcsw.unsigned_abs(),
            involuntary_switches: usage.ru_nivcsw.unsigned_abs(),
        })
    }

    /// CPU time in all, user and system.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

fn usage_of_self() -> io::Result<libc::rusage> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the pointer is valid for one `rusage`, which is all the call writes.
    let code = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    if code != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled the whole structure.
    Ok(unsafe { usage.assume_init() })
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
}

/// The value of a line such as `VmHWM:     5024 kB`.
fn kib_field(status: &str, name: &str) -> io::Result<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {name} line in /proc/self/status")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn status_lines_are_found_by_name() {
        let status = "Name:\tx\nVmHWM:\t    5024 kB\nVmRSS:\t    100 kB\n";
        assert_eq!(kib_field(status, "VmHWM:").unwrap(), 5024);
        assert_eq!(kib_field(status, "VmRSS:").unwrap(), 100);
        let missing = kib_field(status, "VmPeak:").unwrap_err();
        assert!(missing.to_string().contains("VmPeak:"), "{missing}");
    }

    #[test]
    fn burning_cpu_is_charged() {
        let before = ProcessStats::read().unwrap();
        let target = before.cpu() + Duration::from_millis(20);
        while ProcessStats::read().unwrap().cpu() < target {
            std::hint::black_box((0..10_000_u64).map(std::hint::black_box).sum::<u64>());
        }
        let after = ProcessStats::read().unwrap();
        assert!(after.user > before.user);
    }

    #[test]
    fn memory_that_was_touched_shows_in_the_peak() {
        const BLOCK: usize = 32 << 20;
        let before = ProcessStats::read().unwrap();
        drop(std::hint::black_box(vec![1_u8; BLOCK]));
        let after = ProcessStats::read().unwrap();
        // The kernel's counters are per-thread batches, so leave a little slack.
        assert!(after.peak_rss_bytes >= before.rss_bytes + (BLOCK as u64) / 2);
        assert!(after.peak_rss_bytes >= after.rss_bytes);
    }
}
