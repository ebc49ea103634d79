//! Work for a CPU, measured in steps and not by the clock, so that a thread that is put aside still has all of it to do.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Steps of one measurement: some 100 us.
const STEPS: u64 = 50_000;

/// Measurements, of which the fastest counts: the others were disturbed.
const TRIES: usize = 50;

/// How many steps this CPU does per nanosecond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spin(f64);

impl Spin {
    /// Measures it, which takes some milliseconds.
    pub(crate) fn calibrated() -> Self {
        let timed = |_| {
            let start = Instant::now();
            steps(STEPS);
            start.elapsed()
        };
        let fastest = (0..TRIES).map(timed).min().expect("there are tries");
        Self(STEPS as f64 / fastest.as_nanos().max(1) as f64)
    }

    /// Does what takes an undisturbed CPU this long.
    pub(crate) fn work(self, time: Duration) {
        steps((self.0 * time.as_nanos() as f64) as u64);
    }
}

/// A chain in which each step needs the one before. It stays in registers: with a `black_box` in each step, which goes through the
/// stack, the same work took a fifth longer on one thread than on another.
fn steps(n: u64) {
    let mut x = black_box(1_u64);
    for _ in 0..n {
        x = (x ^ (x >> 29)).wrapping_mul(6_364_136_223_846_793_005);
    }
    black_box(x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_in_proportion() {
        let spin = Spin(2.0);
        let start = Instant::now();
        spin.work(Duration::from_micros(1));
        assert!(start.elapsed() > Duration::ZERO);
        assert!(Spin::calibrated().0 > 0.0);
    }
}
