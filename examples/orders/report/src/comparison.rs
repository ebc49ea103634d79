//! The comparison itself: rows of figures, each measured for both variants, and what improved.

use std::fmt;

use crate::{number, table};

/// Which direction is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better, as for orders per second.
    Higher,
    /// Less is better, as for latency and memory.
    Lower,
}

/// One figure, measured for both variants.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What was measured, and how.
    pub name: String,
    /// The unit of both values.
    pub unit: String,
    /// The naive variant's value; not finite if it could not be measured.
    pub naive: f64,
    /// The tuned variant's value; not finite if it could not be measured.
    pub tuned: f64,
    /// Which direction is good.
    pub better: Better,
    /// Shown large at the head of the HTML report, under this short name.
    pub headline: Option<String>,
}

impl Row {
    /// A figure of which more is better.
    pub fn higher(name: impl Into<String>, unit: impl Into<String>, naive: f64, tuned: f64) -> Self {
        Self::new(Better::Higher, name.into(), unit.into(), naive, tuned)
    }

    /// A figure of which less is better.
    pub fn lower(name: impl Into<String>, unit: impl Into<String>, naive: f64, tuned: f64) -> Self {
        Self::new(Better::Lower, name.into(), unit.into(), naive, tuned)
    }

    /// Shows the row at the head of the HTML report.
    #[must_use]
    pub fn headline(mut self, short_name: impl Into<String>) -> Self {
        self.headline = Some(short_name.into());
        self
    }

    /// How much better the tuned variant is; `None` if a value is missing or the factor has no meaning,
    /// because a value is zero or below.
    #[must_use]
    pub fn improvement(&self) -> Option<Improvement> {
        let meaningful = |value: f64| value.is_finite() && value > 0.0;
        if !meaningful(self.naive) || !meaningful(self.tuned) {
            return None;
        }
        let factor = match self.better {
            Better::Higher => self.tuned / self.naive,
            Better::Lower => self.naive / self.tuned,
        };
        Some(Improvement { factor, percent: (self.tuned / self.naive - 1.0) * 100.0 })
    }

    fn new(better: Better, name: String, unit: String, naive: f64, tuned: f64) -> Self {
        Self { name, unit, naive, tuned, better, headline: None }
    }
}

/// How much better the tuned variant is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Improvement {
    /// How many times better; below 1 if it is worse.
    pub factor: f64,
    /// The change of the value in percent of the naive one; negative for less.
    pub percent: f64,
}

impl Improvement {
    /// `12.3x`.
    #[must_use]
    pub fn factor_text(&self) -> String {
        format!("{}x", number::human(self.factor))
    }

    /// `-91.9 %`. Reductions keep a digit more the nearer they come to all: -99.97 % is not -100 %.
    #[must_use]
    pub fn percent_text(&self) -> String {
        match self.percent {
            percent if percent <= -99.0 => format!("{percent:.2} %"),
            percent if percent.abs() < 1000.0 => format!("{percent:+.1} %"),
            percent => format!("+{} %", number::human(percent)),
        }
    }
}

/// The table: what the whole job is for.
///
/// ```
/// use orders_report::{Comparison, Row};
///
/// let table = Comparison {
///     rows: vec![
///         Row::higher("saturated throughput", "orders/s", 800.0, 20_000.0),
///         Row::lower("p99 from the planned send time", "ms", 300.0, 6.0),
///     ],
///     notes: vec!["both variants at 560 orders/s".into()],
/// };
/// let text = table.to_string();
/// assert!(text.contains("25.0x") && text.contains("-98.0 %"));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// The figures, in the order shown.
    pub rows: Vec<Row>,
    /// What holds for all rows, one line each.
    pub notes: Vec<String>,
}

impl fmt::Display for Comparison {
    /// The table as aligned text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&table::render(self))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_factor_above_one_is_always_better() {
        for (row, factor, percent) in [
            (Row::higher("", "", 100.0, 250.0), "2.50x", "+150.0 %"),
            (Row::lower("", "", 300.0, 80.0), "3.75x", "-73.3 %"),
            (Row::lower("", "", 10_000.0, 3.0), "3,333x", "-99.97 %"),
            (Row::higher("", "", 10.0, 310.0), "31.0x", "+3,000 %"),
            (Row::lower("", "", 80.0, 100.0), "0.800x", "+25.0 %"),
        ] {
            let improvement = row.improvement().unwrap();
            assert_eq!(improvement.factor_text(), factor);
            assert_eq!(improvement.percent_text(), percent);
        }
    }

    #[test]
    fn a_missing_or_zero_value_has_no_factor() {
        for (naive, tuned) in [(f64::NAN, 1.0), (1.0, f64::INFINITY), (0.0, 1.0), (1.0, 0.0)] {
            assert_eq!(Row::lower("", "", naive, tuned).improvement(), None);
        }
    }
}
