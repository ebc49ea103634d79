//! How much of what a limit allows is admitted, at which rate: ours and governor, in virtual time, as a picture.
//!
//! `cargo run --release -p tidemill-resilience --example limiter_accuracy` writes `resilience/docs/limiter_accuracy.svg`. For each rate
//! a caller that always wants more takes all it can get, a thousand times in one second; both limiters run on a clock
//! that is moved by hand, so the picture is the same on every machine.

use std::{error::Error, num::NonZeroU32, path::Path, time::Duration};

use governor::{Quota, RateLimiter as Governor, clock::FakeRelativeClock};
use plotters::prelude::*;
use tidemill_resilience::{ManualClock, Rate, RateLimiter};

/// Looks per second of virtual time.
const STEPS: u32 = 1_000;

/// The burst is worth this part of a second: ten steps, so that no look comes too late.
const BURST_PART: u32 = 100;

/// Rates of the picture, evenly on a logarithmic scale, none of them round.
const POINTS: i32 = 400;

/// From a thousand tokens a second to a billion.
const DECADES: (f64, f64) = (3.0, 9.0);

/// Takes all that `take` gives, in halves, and returns how much it was.
fn take_all(burst: u32, take: impl Fn(u32) -> bool) -> u64 {
    let mut taken = 0;
    let mut n = burst;
    loop {
        while take(n) {
            taken += u64::from(n);
        }
        if n == 1 {
            return taken;
        }
        n = n.div_ceil(2);
    }
}

fn ours(rate: u32, burst: u32) -> Result<u64, Box<dyn Error>> {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().rate(Rate::per_second(rate.into())).burst(burst.into());
    let limiter = builder.clock(clock.clone()).build()?;
    let all = || take_all(burst, |n| limiter.try_acquire(n.into()).is_ok());
    Ok((0..STEPS).fold(all(), |taken, _| {
        clock.advance(Duration::from_secs(1) / STEPS);
        taken + all()
    }))
}

fn governors(rate: u32, burst: u32) -> Result<u64, Box<dyn Error>> {
    let nonzero = |n| NonZeroU32::new(n).ok_or("a rate of nothing");
    let clock = FakeRelativeClock::default();
    let quota = Quota::per_second(nonzero(rate)?).allow_burst(nonzero(burst)?);
    let limiter = Governor::direct_with_clock(quota, clock.clone());
    let fits = |n| NonZeroU32::new(n).is_some_and(|n| matches!(limiter.check_n(n), Ok(Ok(()))));
    let all = || take_all(burst, fits);
    Ok((0..STEPS).fold(all(), |taken, _| {
        clock.advance(Duration::from_secs(1) / STEPS);
        taken + all()
    }))
}

/// Admitted by allowed: one is exact, more is over the bound.
fn share(admitted: u64, rate: u32, burst: u32) -> f64 {
    admitted as f64 / (f64::from(rate) + f64::from(burst))
}

type Line = Vec<(f64, f64)>;

fn measure() -> Result<(Line, Line), Box<dyn Error>> {
    let (mut tidemill, mut governor) = (vec![], vec![]);
    for point in 0..=POINTS {
        let exponent = DECADES.0 + (DECADES.1 - DECADES.0) * f64::from(point) / f64::from(POINTS);
        let rate = 10f64.powf(exponent).round() as u32;
        let burst = (rate / BURST_PART).max(1);
        tidemill.push((f64::from(rate), share(ours(rate, burst)?, rate, burst)));
        governor.push((f64::from(rate), share(governors(rate, burst)?, rate, burst)));
    }
    Ok((tidemill, governor))
}

fn draw(path: &Path, tidemill: &Line, governor: &Line) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (860, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let most = governor.iter().map(|&(_, share)| share).fold(1.0, f64::max);
    let rates = (10f64.powf(DECADES.0)..10f64.powf(DECADES.1)).log_scale();
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption("admitted / allowed in one second of greedy calls", ("sans-serif", 18))
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(rates, 0.9..most + 0.1)?;
    let decade = |rate: &f64| format!("10^{:.0}", rate.log10());
    chart.configure_mesh().x_desc("tokens per second, as configured").x_label_formatter(&decade).draw()?;
    for (name, line, colour) in [("governor 0.10", governor, RED), ("tidemill", tidemill, BLUE)] {
        let series = LineSeries::new(line.iter().copied(), colour.stroke_width(2));
        let key = move |(x, y): (i32, i32)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(2));
        chart.draw_series(series)?.label(name).legend(key);
    }
    chart.configure_series_labels().position(SeriesLabelPosition::UpperLeft).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (tidemill, governor) = measure()?;
    let worst = |line: &Line| {
        let far = |share: f64| (share - 1.0).abs();
        line.iter().copied().fold((0.0, 1.0), |worst, here| if far(here.1) > far(worst.1) { here } else { worst })
    };
    for (name, line) in [("tidemill", &tidemill), ("governor", &governor)] {
        let (rate, share) = worst(line);
        println!("{name}: furthest off at {rate} per second, where {:.4} % of the allowed are admitted", share * 100.0);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/limiter_accuracy.svg");
    draw(&path, &tidemill, &governor)?;
    println!("{}", path.display());
    Ok(())
}
