//! Line charts of the examples, as SVG: axes, a line for each series, and its name at the line's end.

use std::{error::Error, path::Path};

use plotters::prelude::*;

const SIZE: (u32, u32) = (760, 400);
const FONT: (&str, u32) = ("sans-serif", 15);
const LINE_WIDTH: u32 = 2;

/// Colours that are told apart by most eyes (Okabe and Ito).
const COLOURS: [RGBColor; 5] = [
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
];

/// Points by name.
pub(crate) type Series<'a> = (&'a str, Vec<(f64, f64)>);

/// What is drawn.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    /// The values are drawn by their power of ten.
    pub(crate) log: bool,
    pub(crate) series: Vec<Series<'a>>,
}

impl Chart<'_> {
    /// Writes the picture to `path`.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let place = |value: f64| if self.log { value.max(1.0).log10() } else { value };
        let points = || self.series.iter().flat_map(|(_, points)| points);
        let x_range = 0.0..points().map(|point| point.0).fold(1.0, f64::max);
        // A bit above the largest.
        let y_range = 0.0..points().map(|point| place(point.1)).fold(1.0, f64::max) * 1.05;
        let mut plane = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .margin_right(150)
            .build_cartesian_2d(x_range, y_range)?;
        plane
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .label_style(FONT)
            .x_label_formatter(&|value| format!("{value:.0}"))
            .y_labels(if self.log { 7 } else { 8 })
            .y_label_formatter(&|value| {
                if self.log { format!("{:.0}", 10f64.powf(*value)) } else { format!("{value}") }
            })
            .light_line_style(TRANSPARENT)
            .draw()?;
        let mut labels = Vec::new();
        for ((name, points), colour) in self.series.iter().zip(COLOURS) {
            let line = points.iter().map(|&(x, y)| (x, place(y)));
            plane.draw_series(LineSeries::new(line, colour.stroke_width(LINE_WIDTH)))?;
            if let Some(&(x, y)) = points.last() {
                labels.push((plane.backend_coord(&(x, place(y))), *name, colour));
            }
        }
        // From the top down, each below the one before, so that none covers another.
        labels.sort_by_key(|((_, y), ..)| *y);
        let mut lowest = i32::MIN;
        for ((x, y), name, colour) in labels {
            let y = y.max(lowest);
            lowest = y + 16;
            area.draw(&Text::new(name.to_owned(), (x + 6, y - 8), FONT.into_font().color(&colour)))?;
        }
        area.present()?;
        Ok(())
    }
}
