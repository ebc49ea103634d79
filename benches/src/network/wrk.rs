//! The same question asked by `wrk`, if it is installed: a client that this project did not write.

use std::{
    io,
    net::SocketAddr,
    process::{Command, Stdio},
};

/// What wrk found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Report {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// Requests in all.
    pub(super) requests: f64,
}

/// Whether it can be started.
pub(super) fn is_installed() -> bool {
    Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// One thread, `connections` connections.
///
/// # Errors
/// It cannot be started, met errors, or prints something else than expected.
pub(super) fn drive(server: SocketAddr, connections: usize, seconds: u64) -> io::Result<Report> {
    let (connections, span, url) = (format!("-c{connections}"), format!("-d{seconds}s"), format!("http://{server}/"));
    let output = Command::new("wrk").args(["-t1", &connections, &span, "--latency", &url]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Socket errors") || text.contains("Non-2xx") {
        return Err(io::Error::other(format!("wrk met errors: {text}")));
    }
    parse(&text).ok_or_else(|| io::Error::other(format!("wrk says something unknown: {text}")))
}

fn parse(text: &str) -> Option<Report> {
    let after = |key: &str| {
        let mut words = text.split_whitespace().skip_while(move |word| *word != key).skip(1);
        words.next()
    };
    let requests = text.lines().find(|line| line.contains(" requests in "))?.split_whitespace().next()?;
    Some(Report {
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50_us: micros(after("50%")?)?,
        p99_us: micros(after("99%")?)?,
        requests: requests.parse().ok()?,
    })
}

fn micros(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let text = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  Latency Distribution\n     \
                    50%  612.00us\n     75%    1.00ms\n     99%    4.50ms\n  90210 requests in 1.10s, 8.00MB read\n\
                    Requests/sec:  82009.09\nTransfer/sec:      7.27MB\n";
        let expected = Report { per_second: 82_009.09, p50_us: 612.0, p99_us: 4_500.0, requests: 90_210.0 };
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("unable to connect"), None);
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in [("1.50s", Some(1.5e6)), ("2us", Some(2.0)), ("3", None), ("4h", None)] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }
}
