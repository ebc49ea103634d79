//! Colours that follow the reader's light or dark theme.
//!
//! A drawing library wants numbers, a themed page wants CSS variables. So charts are drawn in a handful of
//! near-black marker colours that occur nowhere else, and [`themed`] swaps each for its variable.

use plotters::style::RGBColor;

use crate::Variant;

pub(super) const INK: RGBColor = RGBColor(1, 1, 1);
pub(super) const GRID: RGBColor = RGBColor(2, 2, 2);
const NAIVE: RGBColor = RGBColor(3, 3, 3);
const TUNED: RGBColor = RGBColor(4, 4, 4);

const VARIABLES: [(RGBColor, &str); 4] =
    [(INK, "var(--muted)"), (GRID, "var(--grid)"), (NAIVE, "var(--naive)"), (TUNED, "var(--tuned)")];

pub(super) fn colour(variant: Variant) -> RGBColor {
    match variant {
        Variant::Naive => NAIVE,
        Variant::Tuned => TUNED,
    }
}

/// Replaces the marker colours of a finished SVG.
pub(super) fn themed(svg: &str) -> String {
    VARIABLES.iter().fold(svg.to_owned(), |svg, (RGBColor(r, g, b), variable)| {
        svg.replace(&format!("\"#{r:02X}{g:02X}{b:02X}\""), &format!("\"{variable}\""))
    })
}
