//! The rules of style that a machine can check, so that review is left for design.
//!
//! A [`Rule`] sees one file at a time and returns findings; the rules that need the whole tree (the crate map, the
//! manifests) stand beside them. Numbers are ratchets: they may be lowered, never raised.
//!
//! An exception is made where it is needed, with its reason, on the line before or on the line itself:
//! `// tidy-allow(name): reason`.

mod banned;
mod code;
mod functions;
mod manifests;
mod map;
mod markdown;
mod shape;
mod source;
mod tables;

pub(crate) use code::code_only;
use source::{Finding, Source};

use crate::workspace::Workspace;

/// A check of one file.
struct Rule {
    /// The name that `tidy-allow` uses.
    name: &'static str,
    /// The ending of the files it looks at.
    ending: &'static str,
    check: fn(&Source) -> Vec<Finding>,
}

const RULES: &[Rule] = &[
    Rule { name: "module-doc", ending: ".rs", check: shape::module_doc },
    Rule { name: "file-length", ending: ".rs", check: shape::file_length },
    Rule { name: "line-width", ending: ".rs", check: shape::line_width },
    Rule { name: "function-length", ending: ".rs", check: functions::function_length },
    Rule { name: "banned", ending: ".rs", check: banned::calls },
    Rule { name: "leftover", ending: "", check: banned::leftovers },
    Rule { name: "links", ending: ".md", check: markdown::links },
    Rule { name: "commands", ending: ".md", check: markdown::commands },
];

/// Rules that need more than one file: quoted files, named tests, the map, the manifests.
const TREE_RULES: usize = 4;

/// Checks every file of the tree.
pub(crate) fn run(at: &Workspace) -> Result<(), String> {
    let sources = source::all(at.root())?;
    let mut findings: Vec<String> = sources.iter().flat_map(check).collect();
    let members = at.members()?;
    findings.extend(markdown::quoted_files(&sources));
    findings.extend(tables::named_tests(&sources));
    findings.extend(map::check(at.root(), &members));
    findings.extend(manifests::check(at.root(), &members));
    println!("{} files, {} rules", sources.len(), RULES.len() + TREE_RULES);
    if findings.is_empty() { Ok(()) } else { Err(format!("{} findings\n  {}", findings.len(), findings.join("\n  "))) }
}

/// The findings of every rule in one file, less those that are allowed where they stand.
fn check(source: &Source) -> Vec<String> {
    let rules = RULES.iter().filter(|rule| source.path.ends_with(rule.ending));
    let found = rules.flat_map(|rule| (rule.check)(source).into_iter().map(move |finding| (rule, finding)));
    let kept = found.filter(|(rule, finding)| !source.allows(rule.name, finding));
    kept.map(|(rule, Finding { line, what, .. })| format!("{}:{line}: {what} [{}]", source.path, rule.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_its_place_and_its_rule() {
        let findings = check(&Source::new("a/b.rs", "fn f() {}\n"));
        assert_eq!(findings, ["a/b.rs:1: the first line is not the module's documentation (`//! ..`) [module-doc]"]);
    }

    #[test]
    fn rules_look_only_at_their_kind_of_file() {
        assert_eq!(check(&Source::new("notes.md", "no module doc here\n")), Vec::<String>::new());
    }

    #[test]
    fn an_exception_needs_the_right_name() {
        let with = |mark: &str| check(&Source::new("a.rs", &format!("//! A.\n{mark}\nfn f() {{ x.load(SeqCst); }}\n")));
        assert_eq!(with("").len(), 1);
        assert_eq!(with("// tidy-allow(other): reason").len(), 1);
        assert_eq!(with("// tidy-allow(seqcst):").len(), 1, "an exception gives its reason");
        assert_eq!(with("// tidy-allow(seqcst): the model in loom/ wants it").len(), 0);
    }
}
