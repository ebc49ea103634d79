//! The files that rules look at, and what rules say about them.

use std::{fs, path::Path};

use super::code_only;

/// Folders that are not ours or not text.
const SKIPPED: &[&str] = &["target", ".git"];

/// Endings of the files that are read at all.
const READ: &[&str] = &["rs", "md", "toml", "sh", "yml"];

/// One file.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the root.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with comments and the contents of literals blanked: same lines, same columns.
    pub(super) code: String,
    /// The first line of test code: 1 in a test file, after the end in a file without tests.
    tests_from: usize,
}

/// Something a rule objects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// From 1.
    pub(super) line: usize,
    pub(super) what: String,
    /// A finer name for `tidy-allow` than the rule's.
    pub(super) topic: Option<&'static str>,
}

impl Finding {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into(), topic: None }
    }
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { code_only(text) } else { text.to_owned() };
        let tests_from = first_test_line(path, &code);
        Self { path: path.to_owned(), text: text.to_owned(), code, tests_from }
    }

    pub(super) fn is_test(&self, line: usize) -> bool {
        line >= self.tests_from
    }

    /// Whether the line of the finding, or the one before it, makes an exception and says why.
    pub(super) fn allows(&self, rule: &str, finding: &Finding) -> bool {
        let mark = format!("tidy-allow({}): ", finding.topic.unwrap_or(rule));
        let lines = self.text.lines().skip(finding.line.saturating_sub(2)).take(2);
        lines.filter_map(|line| line.split_once(&mark)).any(|(_, reason)| !reason.trim().is_empty())
    }
}

/// Test files are named so or lie in a folder named so; in other files tests are the module at the end.
fn first_test_line(path: &str, code: &str) -> usize {
    if path.ends_with("tests.rs") || path.split('/').any(|part| part == "tests") {
        return 1;
    }
    code.lines().position(|line| line.trim() == "#[cfg(test)]").map_or(usize::MAX, |index| index + 1)
}

/// Reads every file below `root` that a rule may look at, sorted by path.
///
/// # Errors
/// A file cannot be read.
pub(super) fn all(root: &Path) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    collect(root, root, &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, into: &mut Vec<Source>) -> Result<(), String> {
    let fault = |path: &Path, why: std::io::Error| format!("{}: {why}", path.display());
    for entry in fs::read_dir(folder).map_err(|why| fault(folder, why))? {
        let path = entry.map_err(|why| fault(folder, why))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !SKIPPED.contains(&name) {
                collect(root, &path, into)?;
            }
        } else if path.extension().is_some_and(|ending| READ.iter().any(|read| ending == *read)) {
            let text = fs::read_to_string(&path).map_err(|why| fault(&path, why))?;
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            into.push(Source::new(&shown, &text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_told_apart() {
        for (path, text, line, expected) in [
            ("a/src/b.rs", "//! B.\nfn f() {}\n", 2, false),
            ("a/src/b.rs", "//! B.\n#[cfg(test)]\nmod tests {}\n", 1, false),
            ("a/src/b.rs", "//! B.\n#[cfg(test)]\nmod tests {}\n", 3, true),
            ("a/src/b.rs", "//! Not `#[cfg(test)]`.\n// #[cfg(test)]\nfn f() {}\n", 3, false),
            ("a/src/b/tests.rs", "//! T.\n", 1, true),
            ("a/tests/c.rs", "//! C.\n", 1, true),
        ] {
            assert_eq!(Source::new(path, text).is_test(line), expected, "{path}:{line}\n{text}");
        }
    }
}
