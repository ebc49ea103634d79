//! The comparison as text for a terminal: names to the left, figures to the right, one rule above and
//! one below, nothing that needs more than a plain font.

use crate::comparison::{Comparison, Row};
use crate::number;

const HEADER: [&str; 6] = ["", "unit", "naive", "tuned", "better by", "change"];
/// The first two columns are words, the others numbers.
const LEFT_ALIGNED: usize = 2;
const GAP: &str = "  ";

pub(crate) fn render(comparison: &Comparison) -> String {
    let cells: Vec<_> = comparison.rows.iter().map(cells).collect();
    let widths = widths(&cells);
    let rule = "─".repeat(widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1));

    let mut lines = vec![line(&HEADER.map(str::to_owned), widths), rule.clone()];
    lines.extend(cells.iter().map(|cells| line(cells, widths)));
    lines.push(rule);
    lines.extend(comparison.notes.iter().cloned());
    lines.join("\n") + "\n"
}

fn cells(row: &Row) -> [String; HEADER.len()] {
    let improvement = row.improvement();
    [
        row.name.clone(),
        row.unit.clone(),
        number::human(row.naive),
        number::human(row.tuned),
        improvement.map_or_else(|| "-".to_owned(), |improvement| improvement.factor_text()),
        improvement.map_or_else(|| "-".to_owned(), |improvement| improvement.percent_text()),
    ]
}

fn widths(rows: &[[String; HEADER.len()]]) -> [usize; HEADER.len()] {
    std::array::from_fn(|column| {
        let longest = rows.iter().map(|row| row[column].chars().count()).max();
        longest.unwrap_or(0).max(HEADER[column].len())
    })
}

fn line(cells: &[String; HEADER.len()], widths: [usize; HEADER.len()]) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
        if column < LEFT_ALIGNED { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    });
    padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let comparison = Comparison {
            rows: vec![
                Row::higher("throughput", "orders/s", 812.0, 24_310.0),
                Row::lower("allocations per order", "", 1234.0, 9.5),
                Row::lower("never measured", "ms", f64::NAN, 9.5),
            ],
            notes: vec!["same rate".into()],
        };
        let expected = [
            "                       unit      naive   tuned  better by    change",
            "───────────────────────────────────────────────────────────────────",
            "throughput             orders/s    812  24,310      29.9x  +2,894 %",
            "allocations per order            1,234    9.50       130x  -99.23 %",
            "never measured         ms            -    9.50          -         -",
            "───────────────────────────────────────────────────────────────────",
            "same rate",
        ];
        let text = render(&comparison);
        assert!(text.lines().eq(expected), "\n{text}");
    }
}
