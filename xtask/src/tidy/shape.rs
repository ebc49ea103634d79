//! The shape of a file: its head, its length, its width.

use super::source::{Finding, Source};

/// The longest file. In the code bases people praise files are 90 to 330 lines long; what needs more is two ideas.
const MAX_LINES: usize = 500;

/// The widest line: rustfmt keeps code at 100, so this bounds strings, tables and comments.
const MAX_COLUMNS: usize = 140;

/// What a file is for is its first line.
pub(super) fn module_doc(source: &Source) -> Vec<Finding> {
    let first = source.text.lines().next().unwrap_or_default();
    if first.starts_with("//! ") || first.starts_with("#![doc = include_str!(") {
        return Vec::new();
    }
    vec![Finding::new(1, "the first line is not the module's documentation (`//! ..`)")]
}

pub(super) fn file_length(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    if lines <= MAX_LINES {
        return Vec::new();
    }
    vec![Finding::new(lines, format!("{lines} lines, at most {MAX_LINES}: split it by idea"))]
}

pub(super) fn line_width(source: &Source) -> Vec<Finding> {
    let widths = source.text.lines().map(|line| line.chars().count());
    let wide = widths.zip(1..).filter(|(width, _)| *width > MAX_COLUMNS);
    wide.map(|(width, line)| Finding::new(line, format!("{width} columns, at most {MAX_COLUMNS}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(check: fn(&Source) -> Vec<Finding>, text: &str) -> Vec<usize> {
        check(&Source::new("a.rs", text)).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn the_first_line_documents() {
        for (text, bad) in [
            ("//! What it is for.\n", false),
            ("#![doc = include_str!(\"../README.md\")]\n", false),
            ("use std::io;\n//! Too late.\n", true),
            ("// Not a doc comment.\n", true),
            ("", true),
        ] {
            assert_eq!(!lines(module_doc, text).is_empty(), bad, "{text}");
        }
    }

    #[test]
    fn files_end_in_time() {
        assert_eq!(lines(file_length, &"x\n".repeat(MAX_LINES)), []);
        assert_eq!(lines(file_length, &"x\n".repeat(MAX_LINES + 1)), [MAX_LINES + 1]);
    }

    #[test]
    fn lines_end_in_time_counted_in_characters() {
        assert_eq!(lines(line_width, &format!("a\n{}\n", "é".repeat(MAX_COLUMNS))), []);
        assert_eq!(lines(line_width, &format!("a\n{}\n", "e".repeat(MAX_COLUMNS + 1))), [2]);
    }
}
