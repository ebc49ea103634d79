//! Documents: links lead somewhere, commands exist.

use std::{fs, path::Path};

use super::source::{Finding, Source};
use crate::steps;

/// Relative links name a file that exists, and a heading in it if they name one.
///
/// A crate's README is also its documentation, so links to items (`crate::..`) are left to rustdoc.
pub(super) fn links(source: &Source) -> Vec<Finding> {
    let prose = without_code(&source.text);
    let targets = prose.iter().zip(1..).flat_map(|(text, line)| targets(text).map(move |target| (target, line)));
    targets.filter_map(|(target, line)| Some(Finding::new(line, fault(source, target)?))).collect()
}

/// What is wrong with a link target, if anything.
fn fault(source: &Source, target: &str) -> Option<String> {
    if target.contains("::") || ["http:", "https:", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = Path::new(&source.path).parent().unwrap_or(Path::new("")).join(path);
    let text = if path.is_empty() {
        source.text.clone()
    } else if file.is_dir() {
        return None;
    } else {
        match fs::read(&file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => return Some(format!("the link `{target}` leads nowhere")),
        }
    };
    let found = anchor.is_empty() || headings(&text).any(|heading| heading == anchor);
    (!found).then(|| format!("the link `{target}` names no heading"))
}

/// The targets of the inline links of a line: `](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()).filter(|target| !target.is_empty())
}

/// The anchors of a document's headings, as code hosts make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
    })
}

/// The lines, with code blocks emptied and code in lines left out.
fn without_code(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut prose = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        let outside = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        prose.push(if in_block || fence { String::new() } else { outside });
    }
    prose
}

/// Every `cargo xtask NAME` that a document tells to type exists.
pub(super) fn commands(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().zip(1..);
    let named = lines.flat_map(|(text, line)| text.split("cargo xtask ").skip(1).map(move |rest| (rest, line)));
    let names =
        named.map(|(rest, line)| (rest.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default(), line));
    let unknown = names.filter(|(name, _)| !name.is_empty() && !steps::is_command(name));
    unknown.map(|(name, line)| Finding::new(line, format!("there is no `cargo xtask {name}`"))).collect()
}

/// Every source file that a document quotes as `` `folder/file.rs` `` exists, under that path or one that ends in it.
pub(super) fn quoted_files(sources: &[Source]) -> Vec<String> {
    let documents = sources.iter().filter(|source| source.path.ends_with(".md"));
    let quoted = documents.flat_map(|document| quotes(&document.text).into_iter().map(move |quote| (document, quote)));
    let gone = quoted.filter(|(_, (path, _))| !sources.iter().any(|source| is_at(source, path)));
    gone.map(|(document, (path, line))| format!("{}:{line}: there is no `{path}` [quoted-files]", document.path))
        .collect()
}

fn is_at(source: &Source, path: &str) -> bool {
    source.path.strip_suffix(path).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// The paths of Rust files between backticks, with their lines.
fn quotes(text: &str) -> Vec<(&str, usize)> {
    let words =
        text.lines().zip(1..).flat_map(|(line, number)| line.split('`').skip(1).step_by(2).map(move |w| (w, number)));
    let is_path = |word: &str| word.ends_with(".rs") && word.contains('/') && !word.contains([' ', '*', '<', '{']);
    words.filter(|(word, _)| is_path(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links_in(text: &str) -> Vec<String> {
        links(&Source::new("README.md", text)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn good_links() {
        // Tests run in the folder of xtask.
        for text in [
            "[x](src/main.rs)",
            "[the sources](src/)",
            "[here](#a-title)\n# A Title!",
            "[web](https://example.org/x) and [mail](mailto:a@b.c)",
            "[item](crate::steps) and `[code](nowhere.md)`",
            "```\n[code](nowhere.md)\n```",
            "[there](Cargo.toml \"with a title\")",
        ] {
            assert_eq!(links_in(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn bad_links() {
        assert_eq!(links_in("see [x](nowhere.md)"), ["the link `nowhere.md` leads nowhere"]);
        assert_eq!(links_in("# Title\n[x](#other)"), ["the link `#other` names no heading"]);
        assert_eq!(links_in("`code` [x](a.md) `code` [y](b.md)").len(), 2);
    }

    #[test]
    fn quoted_files_exist() {
        let tree = |text| [Source::new("a/src/b.rs", "//! B.\n"), Source::new("A.md", text)];
        for text in ["`a/src/b.rs` and `src/b.rs`", "`b.rs`", "`x/*.rs`", "no quote of x/y.rs", "`cat x/y.rs`"] {
            assert_eq!(quoted_files(&tree(text)), Vec::<String>::new(), "{text}");
        }
        assert_eq!(quoted_files(&tree("one\n`rc/b.rs`")), ["A.md:2: there is no `rc/b.rs` [quoted-files]"]);
    }

    #[test]
    fn commands_exist() {
        let found = |text| commands(&Source::new("README.md", text)).len();
        assert_eq!(found("`cargo xtask test`, `cargo xtask tidy layers` and `cargo xtask STEP`"), 0);
        assert_eq!(found("run `cargo xtask everything`"), 1);
    }
}
