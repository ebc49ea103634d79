//! What this process has used: processor time and memory.

use std::{fs, io, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads so far.
pub(crate) fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.try_into().expect("processor time is never negative")
}

/// Memory that is resident now, in bytes.
///
/// # Errors
/// The system has no `/proc`.
pub(crate) fn resident_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    parse_resident(&status).ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS in kB"))
}

/// Threads that the process has now.
///
/// # Errors
/// The system has no `/proc`.
pub(crate) fn threads() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    parse_threads(&status).ok_or_else(|| io::Error::other("/proc/self/status has no Threads"))
}

fn parse_threads(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse().ok()
}

fn parse_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        for (status, expected) in [
            ("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n", Some(2 * 1024 * 1024)),
            ("VmRSS:\t12 pages\n", None),
            ("", None),
        ] {
            assert_eq!(parse_resident(status), expected, "{status}");
        }
    }

    #[test]
    fn threads_are_read() {
        for (status, expected) in [("Name:\tx\nThreads:\t12\nx", Some(12)), ("Threads:\tmany", None), ("", None)] {
            assert_eq!(parse_threads(status), expected, "{status}");
        }
        assert!(threads().is_ok_and(|threads| threads >= 1));
    }

    #[test]
    fn processor_time_grows_with_work() {
        let before = cpu_time();
        while cpu_time() == before {}
        assert!(cpu_time() > before);
    }
}
