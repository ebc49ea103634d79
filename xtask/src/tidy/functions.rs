//! The length of functions.

use super::source::{Finding, Source};

/// The longest function, from its `fn` to its closing brace.
const MAX_LINES: usize = 60;

pub(super) fn function_length(source: &Source) -> Vec<Finding> {
    let lines: Vec<&str> = source.code.lines().collect();
    let starts = (0..lines.len()).filter(|&start| declares_function(lines[start]));
    let lengths = starts.filter_map(|start| Some((start + 1, length(&lines[start..])?)));
    let long = lengths.filter(|(_, length)| *length > MAX_LINES);
    long.map(|(line, length)| Finding::new(line, format!("a function of {length} lines, at most {MAX_LINES}")))
        .collect()
}

fn declares_function(line: &str) -> bool {
    let qualifier = |word: &&str| word.starts_with("pub") || ["const", "async", "unsafe", "extern"].contains(word);
    let mut words = line.split_whitespace().skip_while(qualifier);
    words.next() == Some("fn") && words.next().is_some()
}

/// Lines up to the brace that closes the first one opened; `None` for a declaration without a body.
fn length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => return (depth == 1).then_some(index + 1),
                '}' => depth -= 1,
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<usize> {
        function_length(&Source::new("a.rs", text)).into_iter().map(|finding| finding.line).collect()
    }

    fn function(head: &str, body_lines: usize) -> String {
        format!("//! A.\n{head} {{\n{}}}\n", "    x();\n".repeat(body_lines))
    }

    #[test]
    fn long_functions_are_found_at_their_head() {
        for head in ["fn f()", "pub(crate) async fn f<T>(t: T) -> u8", "    pub const unsafe fn f()"] {
            assert_eq!(found(&function(head, MAX_LINES - 2)), [], "{head}");
            assert_eq!(found(&function(head, MAX_LINES - 1)), [2], "{head}");
        }
    }

    #[test]
    fn braces_in_text_and_functions_without_body_do_not_count() {
        let many = "    x();\n".repeat(MAX_LINES);
        let text = format!(
            "//! A.\ntrait T {{\n    fn f();\n}}\nconst S: &str = \"fn g() {{\";\nstatic A: [u8; 0] = [];\n{many}"
        );
        assert_eq!(found(&text), []);
    }
}
