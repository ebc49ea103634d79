//! Axes. Values are put on their scale before they are drawn, so that the chart itself is always linear;
//! an axis knows the way there and back.

use std::ops::Range;

use crate::number;

/// How values are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero up.
    Linear,
    /// Whole decades.
    Log,
    /// Percentiles, each nine as wide as the one before: 0, 90, 99, 99.9 %.
    Nines,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
}

/// Ticks of a linear axis; plotters rounds it to a handy step.
const LINEAR_TICKS: usize = 7;
/// A linear axis ends this much above the largest value.
const HEADROOM: f64 = 1.05;

impl Axis {
    /// The place of `value` on the scale; `None` if the scale cannot show it.
    pub(super) fn place(self, value: f64) -> Option<f64> {
        let place = match self.scale {
            Scale::Linear => value,
            Scale::Log => value.log10(),
            Scale::Nines => -(1.0 - value / 100.0).log10(),
        };
        place.is_finite().then_some(place)
    }

    /// The part of the scale that shows all `places`, never empty.
    pub(super) fn range(self, places: impl Iterator<Item = f64> + Clone) -> Range<f64> {
        let lowest = places.clone().fold(f64::INFINITY, f64::min);
        let highest = places.fold(f64::NEG_INFINITY, f64::max);
        if lowest > highest {
            return 0.0..1.0;
        }
        match self.scale {
            Scale::Linear => 0.0..(highest * HEADROOM).max(f64::MIN_POSITIVE),
            Scale::Log => lowest.floor()..highest.ceil().max(lowest.floor() + 1.0),
            Scale::Nines => 0.0..highest.ceil().max(1.0),
        }
    }

    /// How many labels the axis gets over `range`.
    pub(super) fn ticks(self, range: &Range<f64>) -> usize {
        match self.scale {
            Scale::Linear => LINEAR_TICKS,
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A few decades.
            Scale::Log | Scale::Nines => (range.end - range.start).round() as usize + 1,
        }
    }

    /// The label of a tick.
    pub(super) fn tick(self, place: f64) -> String {
        match self.scale {
            Scale::Linear => short(place),
            Scale::Log => short(10_f64.powf(place)),
            Scale::Nines => format!("{} %", short(100.0 - 100.0 * 10_f64.powf(-place))),
        }
    }
}

/// Ticks are round numbers: trailing zeros after the point say nothing.
fn short(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    if rounded.abs() < 1000.0 { format!("{rounded}") } else { number::human(rounded) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const fn axis(scale: Scale) -> Axis {
        Axis { label: "", scale }
    }

    #[test]
    fn a_tick_says_the_value_placed_there() {
        for (scale, value, text) in [
            (Scale::Linear, 2500.0, "2,500"),
            (Scale::Linear, 2.5, "2.5"),
            (Scale::Log, 0.1, "0.1"),
            (Scale::Log, 10_000.0, "10,000"),
            (Scale::Nines, 0.0, "0 %"),
            (Scale::Nines, 99.9, "99.9 %"),
        ] {
            let axis = axis(scale);
            assert_eq!(axis.tick(axis.place(value).unwrap()), text);
        }
    }

    #[test]
    fn what_a_scale_cannot_show_is_left_out() {
        assert_eq!(axis(Scale::Log).place(0.0), None);
        assert_eq!(axis(Scale::Nines).place(100.0), None);
        assert_eq!(axis(Scale::Linear).place(f64::NAN), None);
    }

    #[test]
    fn a_range_is_never_empty() {
        for scale in [Scale::Linear, Scale::Log, Scale::Nines] {
            for places in [vec![], vec![0.0], vec![2.0, 2.0]] {
                let range = axis(scale).range(places.iter().copied());
                assert!(range.start < range.end, "{scale:?} {places:?} {range:?}");
            }
        }
        assert_eq!(axis(Scale::Log).range([0.3, 2.2].into_iter()), 0.0..3.0);
    }
}
