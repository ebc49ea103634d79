//! The lines of an order as its row keeps them: `[[product,quantity,unit price],...]`.
//!
//! Text, so that SQL can take it apart (the view `order_lines`) and a person can read it. A table with a row
//! for each line said the same in two rows more for the average order.

use std::fmt::Write as _;

use crate::domain::Line;

/// Puts the lines into `text`, which is cleared first. No allocation if it has room.
pub(super) fn write(lines: &[Line], text: &mut String) {
    text.clear();
    for Line { product, quantity, unit_price } in lines {
        let mark = if text.is_empty() { '[' } else { ',' };
        // Writing to a string cannot fail.
        let _ = write!(text, "{mark}[{product},{quantity},{}]", unit_price.cents());
    }
    text.push_str(if text.is_empty() { "[]" } else { "]" });
}

/// Product and quantity of each line; `None` if that is not what `write` wrote.
pub(super) fn read(text: &str) -> Option<Vec<(u32, u32)>> {
    let lines: Vec<(u32, u32, u64)> = serde_json::from_str(text).ok()?;
    Some(lines.into_iter().map(|(product, quantity, _)| (product, quantity)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Money;

    #[test]
    fn what_is_written_can_be_read() {
        let line = |product, quantity| Line { product, quantity, unit_price: Money::from_cents(199) };
        let table = [
            (vec![], "[]"),
            (vec![line(7, 2)], "[[7,2,199]]"),
            (vec![line(0, 1), line(u32::MAX, 10_000)], "[[0,1,199],[4294967295,10000,199]]"),
        ];
        let mut text = String::from("left over");
        for (lines, expected) in table {
            write(&lines, &mut text);
            assert_eq!(text, expected);
            let pairs = lines.iter().map(|line| (line.product, line.quantity)).collect();
            assert_eq!(read(&text), Some(pairs));
        }
        assert_eq!(read("[[1,2]]"), None);
    }
}
