//! The report's line charts, drawn by `plotters` into inline SVG.

mod axis;
mod chart;
mod pictures;
mod theme;

pub(crate) use pictures::{Key, Picture, pictures};
