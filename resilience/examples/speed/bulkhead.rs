//! The rows of bulkhead and adaptive limit: a permit that is free, taken and given back.

use std::hint::black_box;

use tidemill_resilience::{AdaptiveLimit, Aimd, Bulkhead};
use tokio::sync::Semaphore;

use super::{Contender, compare, ready, repeat};

pub(super) fn free() {
    let bulkhead = Bulkhead::builder(1000).build().expect("sound");
    let semaphore = Semaphore::new(1000);
    let adaptive = AdaptiveLimit::builder(Aimd::default()).initial(1000).range(1000, 1000).build().expect("sound");
    let ours = repeat(|| bulkhead.try_acquire().is_ok());
    let theirs = repeat(|| semaphore.try_acquire().is_ok());
    let limited = repeat(|| adaptive.try_acquire().map(tidemill_resilience::AdaptivePermit::success).is_ok());
    let waiting = |calls| {
        ready(async {
            for _ in 0..calls {
                black_box(bulkhead.acquire().await.is_ok());
            }
        });
    };
    let theirs_waiting = |calls| {
        ready(async {
            for _ in 0..calls {
                black_box(semaphore.acquire().await.is_ok());
            }
        });
    };
    for (title, threads) in [("bulkhead, a permit is free, one thread", 1), ("bulkhead, two threads on one", 2)] {
        compare(
            title,
            &[
                Contender { name: "tidemill", threads, call: &ours },
                Contender { name: "tidemill, async", threads, call: &waiting },
                Contender { name: "tokio's semaphore", threads, call: &theirs },
                Contender { name: "tokio's semaphore, async", threads, call: &theirs_waiting },
                Contender { name: "tidemill, adaptive limit (two clock reads)", threads, call: &limited },
            ],
        );
    }
}
