//! Code without its comments and literals.
//!
//! A small scanner instead of a parser: rules need lines and braces, not syntax trees, and xtask should build in a
//! second. It knows line comments, nested block comments, strings, raw strings, characters and lifetimes.

/// Blanks comments and the contents of strings and characters. Lines and columns stay.
pub(crate) fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let blanked = blanked_length(rest, out.chars().next_back());
        let (piece, after) = rest.split_at(blanked.unwrap_or(first.len_utf8()));
        if blanked.is_some() {
            out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(piece);
        }
        rest = after;
    }
    out
}

/// The length of the comment or literal that `rest` begins with, if it does. `before` is the last character of code.
fn blanked_length(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if in_word { None } else { raw_string(rest) }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// From an opening quote to behind the closing one; a backslash hides what follows it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    rest.len()
}

/// A character literal, or `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.chars().skip(1);
    let (first, second) = (chars.next()?, chars.next()?);
    (first == '\\' || second == '\'').then(|| quoted(rest, '\''))
}

/// `r"..."`, `r#"..."#`, with a `b` or `c` in front or not.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let body = prefix.trim_start_matches('#');
    let hashes = prefix.len() - body.len();
    let body = body.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(rest.len() - body.len() + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_go_and_columns_stay() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d\n */ e", "a               \n    e"),
            (r#"f("{", g)"#, "f(   , g)"),
            (r#"f("\"{", g)"#, "f(     , g)"),
            ("'{' x", "    x"),
            (r"'\'' x", "     x"),
            ("&'a T { 'b: loop {} }", "&'a T { 'b: loop {} }"),
            ("r#\"{\"{\"# x", "         x"),
            ("br\"{\" x", "      x"),
            ("for\"{\" x", "for    x"),
            ("let r = 1; r#type", "let r = 1; r#type"),
            ("\"never closed {", "               "),
            ("é /* ü */ ß", "é         ß"),
        ] {
            let found = code_only(text);
            assert_eq!(found, code, "{text}");
            assert_eq!(found.chars().count(), text.chars().count(), "{text}");
        }
    }
}
