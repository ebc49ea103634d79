//! Tables of traps and of features: the tests that they name are there.
//!
//! A row of `TRAPS.md` or `FEATURES.md` names a test as `` `file::test` ``, where the file is one of `tests/`, or a module with tests
//! (`` `roster::tests::test` ``); a name may be cut short with two dots. Other paths between backticks (`` `tokio::spawn` ``) are
//! told from tests by their names: a test's says what it shows, and so has several words.

use super::source::Source;

/// The names of such documents.
const TABLES: [&str; 2] = ["TRAPS.md", "FEATURES.md"];

/// A name of fewer words is not looked for.
const FEWEST_WORDS: usize = 3;

pub(super) fn named_tests(sources: &[Source]) -> Vec<String> {
    let tables = sources.iter().filter(|source| TABLES.iter().any(|name| source.path.ends_with(name)));
    let named = tables.flat_map(|table| tests(&table.text).map(move |test| (table, test)));
    let gone = named.filter(|(_, (path, _))| !is_there(sources, path));
    gone.map(|(table, (path, line))| format!("{}:{line}: there is no test `{path}` [named-tests]", table.path))
        .collect()
}

/// What a text names between backticks and looks like a test, with the line.
fn tests(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let words = text.lines().zip(1..).flat_map(|(line, at)| line.split('`').skip(1).step_by(2).map(move |w| (w, at)));
    words.filter(|(word, _)| {
        let plain = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:.".contains(c));
        plain && word.rsplit_once("::").is_some_and(|(_, name)| name.split('_').count() >= FEWEST_WORDS)
    })
}

/// Does a file under that path have a function of that name, or, cut short, of that beginning?
fn is_there(sources: &[Source], test: &str) -> bool {
    let Some((path, name)) = test.rsplit_once("::") else { return false };
    let path = path.strip_suffix("::tests").unwrap_or(path).replace("::", "/");
    let function = match name.split_once("..") {
        Some((begin, _)) => format!("fn {begin}"),
        None => format!("fn {name}("),
    };
    let endings = ["", "/tests", "/mod", "/main", "/models"].map(|file| format!("/{path}{file}.rs"));
    let files = sources.iter().filter(|source| endings.iter().any(|end| source.path.ends_with(end)));
    files.into_iter().any(|source| source.code.contains(&function))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(row: &str) -> Vec<String> {
        named_tests(&[
            Source::new("a/tests/blocking.rs", "//! T.\nfn a_task_may_block() {}\n// fn a_task_may_not_block()\n"),
            Source::new("a/src/roster/tests.rs", "//! T.\nasync fn the_last_one_looks_again() {}\n"),
            Source::new("a/src/pace.rs", "//! P.\nfn it_follows_a_change() {}\n"),
            Source::new("a/TRAPS.md", row),
        ])
    }

    #[test]
    fn tests_that_are_there_and_what_is_no_test() {
        for row in [
            "| x | `blocking::a_task_may_block` |",
            "| x | `blocking::a_task_may_..`, `roster::tests::the_last_one_looks_again` |",
            "| x | `pace::tests::it_follows_a_change` |",
            "| x | `tokio::spawn`, `tokio::task::spawn_blocking`, `Runtime::block_on`, `blocking` |",
            "| x | no code: blocking::a_task_may_not_block |",
        ] {
            assert_eq!(found(row), Vec::<String>::new(), "{row}");
        }
    }

    #[test]
    fn tests_that_are_gone() {
        for test in ["blocking::a_task_may_bloc", "blocking::a_task_may_not_block", "roster::a_task_may_block"] {
            let finding = format!("a/TRAPS.md:2: there is no test `{test}` [named-tests]");
            assert_eq!(found(&format!("| a |\n| `{test}` |")), [finding]);
        }
    }
}
