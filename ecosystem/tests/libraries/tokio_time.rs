//! `tokio::time`. Only lower bounds: the machine may be busy.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};

use crate::everywhere::everywhere;

const TICK: Duration = Duration::from_millis(5);

#[test]
fn sleeps_intervals_and_time_outs() {
    everywhere(|| async {
        let start = Instant::now();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..5 {
            ticks.tick().await;
        }
        assert!(start.elapsed() >= TICK * 4, "the first tick is at once");

        let start = Instant::now();
        sleep(TICK).await;
        sleep_until((start + TICK * 3).into()).await;
        assert!(start.elapsed() >= TICK * 3);

        assert!(timeout(TICK, std::future::pending::<()>()).await.is_err());
        assert_eq!(timeout(Duration::from_secs(60), async { 7 }).await, Ok(7));
    });
}
