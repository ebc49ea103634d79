//! The CPU time of this process, so that a report can say what the generator itself took.

use std::time::Duration;

/// Linux counts process times for user space in hundredths of a second on every architecture we run on
/// (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of all threads of this process so far, to 10 ms; `None` where there is no
/// `/proc`. Reads one file.
///
/// ```
/// let spent = orders_load::process_cpu();
/// assert_eq!(spent.is_some(), cfg!(target_os = "linux"));
/// ```
pub fn process_cpu() -> Option<Duration> {
    parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Fields 14 and 15; the second field is a name in parentheses that may contain anything.
fn parse(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) c) R 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0";
        assert_eq!(parse(stat), Some(Duration::from_millis(1750)));
        assert_eq!(parse("7 (a) R 1 2"), None);
    }
}
