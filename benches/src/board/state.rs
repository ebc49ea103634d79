//! Whether the two CPUs of the moment are two cores, or two threads of one.
//!
//! On a virtual machine that is the host's choice and changes within minutes, and with it every ratio between programs that use
//! both. Two threads that multiply as fast as they can get in each other's way only if they share a core: then each takes twice
//! as long as alone.

use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// Some hundred microseconds of work: long beside a clock read, and short beside a time slice.
const STEPS: u64 = 150_000;

/// The least of so many tries counts: whoever else runs makes a try longer, and never shorter.
const TRIES: usize = 4;

/// From here on the two threads shared a core, or another program was in their way.
pub(super) const SHARED: f64 = 1.3;

/// How many times as long a thread takes beside another one as alone; 1 is two cores of one's own.
pub(super) fn measured() -> f64 {
    let least = |time: fn() -> Duration| (0..TRIES).map(|_| time()).min().unwrap_or_default().as_secs_f64();
    least(together) / least(alone)
}

fn alone() -> Duration {
    let start = Instant::now();
    multiply();
    start.elapsed()
}

/// The shorter time of two threads that begin together.
fn together() -> Duration {
    let start = Barrier::new(2);
    let one = || {
        start.wait();
        alone()
    };
    thread::scope(|scope| {
        let other = scope.spawn(one);
        let own = one();
        other.join().map_or(own, |other| own.min(other))
    })
}

/// Eight products that do not wait for each other keep the one multiplier of a core busy.
fn multiply() {
    let mut products = [3_u64; 8];
    for step in 0..STEPS {
        products = products.map(|product| product.wrapping_mul(step | 1));
    }
    black_box(products);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_much_faster_beside_another() {
        let times = measured();
        assert!(times.is_finite() && times > 0.3, "{times}");
    }
}
