//! What must not be written, and what to write instead.
//!
//! Clippy bans what has a path (`clippy.toml`); this table has what depends on where a call stands or is no call.

use super::source::{Finding, Source};

/// One banned text.
struct Ban {
    /// The name that `tidy-allow` uses.
    name: &'static str,
    text: &'static str,
    /// Where the text stands and is fine.
    unless: &'static str,
    place: Place,
    instead: &'static str,
}

/// Where a ban holds.
#[derive(PartialEq, Eq)]
enum Place {
    Tests,
    Shipped,
    Everywhere,
}

const CALLS: &[Ban] = &[
    Ban {
        name: "sleep-in-test",
        text: "thread::sleep(",
        unless: "fn ",
        place: Place::Tests,
        instead: "wait for the event itself (a channel, a join, a manual clock): a sleep is too short on a busy machine",
    },
    Ban {
        name: "seqcst",
        text: "SeqCst",
        unless: "fence(",
        place: Place::Shipped,
        instead: "name the weaker ordering and its partner, or use `fence(SeqCst)`, the only form that loom models",
    },
    Ban {
        name: "ignored-test",
        text: "#[ignore]",
        unless: "",
        place: Place::Everywhere,
        instead: "say why: `#[ignore = \"..\"]`",
    },
    Ban {
        name: "lazy",
        text: "lazy_static!",
        unless: "",
        place: Place::Everywhere,
        instead: "use `std::sync::LazyLock`",
    },
];

/// Written in halves, so that this file does not contain them.
const LEFTOVERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

pub(super) fn calls(source: &Source) -> Vec<Finding> {
    let lines = source.code.lines().zip(1..);
    let hits = lines.flat_map(|(code, line)| CALLS.iter().map(move |ban| (ban, code, line)));
    let hits = hits.filter(|(ban, code, line)| ban.hits(code, source.is_test(*line)));
    hits.map(|(ban, _, line)| ban.finding(line)).collect()
}

impl Ban {
    fn hits(&self, code: &str, is_test: bool) -> bool {
        let here = match self.place {
            Place::Tests => is_test,
            Place::Shipped => !is_test,
            Place::Everywhere => true,
        };
        // An import is no use.
        let fine = code.trim_start().starts_with("use ") || !self.unless.is_empty() && code.contains(self.unless);
        here && code.contains(self.text) && !fine
    }

    fn finding(&self, line: usize) -> Finding {
        let what = format!("`{}`: {}; or tidy-allow({})", self.text, self.instead, self.name);
        Finding { topic: Some(self.name), ..Finding::new(line, what) }
    }
}

/// Work that was put off: do it, or state the limit in the documentation.
pub(super) fn leftovers(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().zip(1..);
    let hits =
        lines.filter(|(text, _)| text.split(|c: char| !c.is_alphanumeric()).any(|word| LEFTOVERS.contains(&word)));
    hits.map(|(_, line)| Finding::new(line, "work that was put off: do it, or document the limit")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, line: &str) -> usize {
        calls(&Source::new(path, &format!("//! A.\n{line}\n"))).len()
    }

    #[test]
    fn each_ban_has_a_good_and_a_bad_line() {
        for (path, line, expected) in [
            ("a/tests/b.rs", "thread::sleep(TICK);", 1),
            ("a/src/b.rs", "thread::sleep(TICK);", 0),
            ("a/tests/b.rs", "clock.advance(TICK); // not thread::sleep(TICK)", 0),
            ("a/src/b.rs", "x.load(Ordering::SeqCst);", 1),
            ("a/src/b.rs", "fence(Ordering::SeqCst);", 0),
            ("a/src/b.rs", "use std::sync::atomic::Ordering::SeqCst;", 0),
            ("a/tests/b.rs", "x.load(Ordering::SeqCst);", 0),
            ("a/tests/b.rs", "#[ignore]", 1),
            ("a/tests/b.rs", "#[ignore = \"needs root\"]", 0),
            ("a/src/b.rs", "lazy_static! { static ref A: u8 = 1; }", 1),
            ("a/src/b.rs", "static A: LazyLock<u8> = LazyLock::new(|| 1);", 0),
        ] {
            assert_eq!(found(path, line), expected, "{path}: {line}");
        }
    }

    #[test]
    fn leftovers_are_words() {
        for (text, expected) in [(concat!("// TO", "DO: later"), 1), ("A FIXMENT of XXXL size", 0), ("todo", 0)] {
            assert_eq!(leftovers(&Source::new("a.md", text)).len(), expected, "{text}");
        }
    }
}
