//! One line chart, as an SVG without title or legend: those are text of the page around it.

use std::error::Error;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::axis::Axis;
use super::theme::{self, GRID, INK};
use crate::Variant;

/// The size in which text is laid out; the page scales the picture.
const SIZE: (u32, u32) = (640, 360);
const FONT: (&str, u32) = ("sans-serif", 17);
const LINE_WIDTH: u32 = 3;
/// Length and gap of dashes.
const DASH: (u32, u32) = (7, 5);
const DOT_RADIUS: u32 = 4;

pub(super) struct Line {
    pub(super) variant: Variant,
    pub(super) dashed: bool,
    /// Marks each point, for lines of a few measured points.
    pub(super) dots: bool,
    pub(super) points: Vec<(f64, f64)>,
}

type Drawn = Result<(), Box<dyn Error>>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws `lines` over two axes.
pub(super) fn draw(x: Axis, y: Axis, lines: &[Line]) -> String {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    draw_on(&area, x, y, lines).expect("drawing into a string does no I/O, and no range is empty");
    drop(area);
    theme::themed(&svg)
}

fn draw_on(area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, x: Axis, y: Axis, lines: &[Line]) -> Drawn {
    let placed: Vec<_> = lines.iter().map(|line| placed(line, x, y)).collect();
    let places = || placed.iter().flatten();
    let (x_range, y_range) = (x.range(places().map(|place| place.0)), y.range(places().map(|place| place.1)));
    let (x_ticks, y_ticks) = (x.ticks(&x_range), y.ticks(&y_range));

    let mut plane = ChartBuilder::on(area)
        .margin_top(12)
        .margin_right(28)
        .x_label_area_size(48)
        .y_label_area_size(74)
        .build_cartesian_2d(x_range, y_range)?;
    let text = FONT.into_font().color(&INK);
    plane
        .configure_mesh()
        .x_labels(x_ticks)
        .y_labels(y_ticks)
        .x_label_formatter(&|place| x.tick(*place))
        .y_label_formatter(&|place| y.tick(*place))
        .x_desc(x.label)
        .y_desc(y.label)
        .label_style(text.clone())
        .axis_desc_style(text)
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .draw()?;
    lines.iter().zip(placed).try_for_each(|(line, places)| draw_line(&mut plane, line, places))?;
    area.present()?;
    Ok(())
}

fn placed(line: &Line, x: Axis, y: Axis) -> Vec<(f64, f64)> {
    line.points.iter().filter_map(|&(at, value)| Some((x.place(at)?, y.place(value)?))).collect()
}

fn draw_line(plane: &mut Plane<'_, '_>, line: &Line, places: Vec<(f64, f64)>) -> Drawn {
    let colour = theme::colour(line.variant);
    let style = colour.stroke_width(LINE_WIDTH);
    if line.dots {
        plane.draw_series(places.iter().map(|&place| Circle::new(place, DOT_RADIUS, colour.filled())))?;
    }
    if line.dashed {
        plane.draw_series(DashedLineSeries::new(places, DASH.0, DASH.1, style))?;
    } else {
        plane.draw_series(LineSeries::new(places, style))?;
    }
    Ok(())
}
