//! The report as plain text, for a terminal and for a log.

use std::fmt::{self, Display, Formatter};

use hdrhistogram::Histogram;

use crate::{Class, Counts, LoadReport, Mode, StepReport, limits};

/// The quantiles that are printed, with their names.
const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

impl Display for LoadReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        self.write_rates(f)?;
        write_counts(f, &self.counts(), self.dropped())?;
        self.write_latencies(f)?;
        if self.steps.len() > 1 {
            write_steps(f, &self.steps)?;
        }
        self.write_orders(f)?;
        self.write_cost(f)?;
        self.write_verdict(f)
    }
}

impl LoadReport {
    fn write_head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            Mode::Open => "open loop",
            Mode::Closed => "closed loop",
        };
        let (connections, seconds) = (self.connections, self.duration.as_secs_f64());
        writeln!(f, "{mode}, {connections} connections, {seconds:.1} s")
    }

    fn write_rates(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "  rate/s    ")?;
        if self.mode == Mode::Open {
            write!(f, "offered {:.1}, ", self.offered_rate())?;
        }
        writeln!(f, "answered {:.1}, accepted {:.1}", self.achieved_rate(), self.goodput())
    }

    fn write_latencies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "  latency ms    ")?;
        QUANTILES.iter().try_for_each(|(name, _)| write!(f, "{name:>10}"))?;
        writeln!(f)?;
        let latency = self.latency();
        if self.mode == Mode::Open {
            write_latency(f, "from planned", &latency.planned)?;
        }
        write_latency(f, "from sent", &latency.sent)
    }

    fn write_orders(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "  orders    {} accepted by number, {} without", self.accepted.len(), self.unidentified)
    }

    fn write_cost(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(cpu) = self.cpu else { return Ok(()) };
        let each = cpu.as_secs_f64() * 1e6 / self.counts().total().max(1) as f64;
        writeln!(f, "  cpu       {:.2} s of this process, {each:.1} us per request", cpu.as_secs_f64())
    }

    fn write_verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.mode == Mode::Closed {
            return write!(f, "  note      a closed loop waits for slow answers: no latencies to judge by");
        }
        let lag = millis(self.lag.value_at_quantile(0.99));
        if self.is_valid() {
            write!(f, "  valid     generator lag p99 {lag:.3} ms")
        } else {
            let limit = limits::LAG_LIMIT.as_secs_f64() * 1e3;
            write!(f, "  INVALID   generator lag p99 {lag:.3} ms is above {limit} ms: it measured itself")
        }
    }
}

fn write_counts(f: &mut Formatter<'_>, counts: &Counts, dropped: u64) -> fmt::Result {
    write!(f, "  ended     {} {}", Class::Accepted, counts.of(Class::Accepted))?;
    for class in Class::ALL.into_iter().skip(1).filter(|class| counts.of(*class) > 0) {
        write!(f, ", {class} {}", counts.of(class))?;
    }
    writeln!(f, "; dropped {dropped}")
}

fn write_latency(f: &mut Formatter<'_>, name: &str, histogram: &Histogram<u64>) -> fmt::Result {
    write!(f, "    {name:<12}")?;
    for (_, quantile) in QUANTILES {
        write!(f, "{:>10.3}", millis(histogram.value_at_quantile(quantile)))?;
    }
    writeln!(f)
}

fn write_steps(f: &mut Formatter<'_>, steps: &[StepReport]) -> fmt::Result {
    writeln!(f, "  steps      rate/s  accepted/s   dropped    p50 ms    p99 ms")?;
    for step in steps {
        let [p50, p99] = [0.5, 0.99].map(|q| millis(step.latency.planned.value_at_quantile(q)));
        let (rate, goodput, dropped) = (step.step.rate, step.goodput(), step.dropped);
        writeln!(f, "    {rate:>14.1}{goodput:>12.1}{dropped:>10}{p50:>10.3}{p99:>10.3}")?;
    }
    Ok(())
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}
