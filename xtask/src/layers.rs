//! What each crate must never know, as a table, checked against `cargo tree`.
//!
//! That a crate does *not* use something cannot be read off its code, so it is written down here, with the reason, and
//! tested. Every feature is on, so that an optional dependency is found as well; development dependencies are free.
//!
//! Rejected: a list of what each crate *may* use. It would have to repeat every manifest.

use std::{collections::BTreeSet, fs};

use crate::{
    process::cargo,
    tidy::code_only,
    workspace::{Member, Workspace},
};

/// One row: `krate` must not depend, over any number of steps, on `never`.
struct Layer {
    krate: &'static str,
    /// Package names; a trailing `*` stands for any ending.
    never: &'static [&'static str],
    because: &'static str,
}

const LAYERS: &[Layer] = &[
    Layer { krate: "tidemill-clock", never: &["tidemill*", "orders*"], because: "it tells the time, to whoever asks" },
    Layer {
        krate: "tidemill-context",
        never: &[
            "tidemill",
            "tidemill-cgroup",
            "tidemill-groups",
            "tidemill-macros",
            "tidemill-pools",
            "tidemill-profiling",
            "tidemill-resilience",
            "tidemill-scheduler",
            "tidemill-serve",
            "tidemill-spawner",
            "orders*",
            "tokio",
        ],
        because: "a deadline means the same everywhere: it knows no runtime, pool or limit",
    },
    Layer {
        krate: "tidemill-cgroup",
        never: &["tidemill*", "orders*", "tokio"],
        because: "it states facts about the machine and serves any runtime",
    },
    Layer { krate: "tidemill-macros", never: &["tidemill*", "orders*", "tokio"], because: "it only rewrites tokens" },
    Layer {
        krate: "tidemill-scheduler",
        never: &[
            "tidemill",
            "tidemill-pools",
            "tidemill-resilience",
            "tidemill-profiling",
            "tidemill-serve",
            "orders*",
            "mimalloc",
        ],
        because: "it knows tasks, threads and permits, and nothing that is built on them",
    },
    Layer {
        krate: "tidemill-spawner",
        never: &[
            "tidemill",
            "tidemill-pools",
            "tidemill-resilience",
            "tidemill-profiling",
            "tidemill-serve",
            "orders*",
            "mimalloc",
        ],
        because: "it knows two runtimes, and nothing that is built on them",
    },
    Layer {
        krate: "tidemill-groups",
        never: &[
            "tidemill",
            "tidemill-pools",
            "tidemill-resilience",
            "tidemill-profiling",
            "tidemill-serve",
            "orders*",
            "mimalloc",
        ],
        because: "it knows tasks that belong together, not what they do",
    },
    Layer {
        krate: "tidemill-pools",
        never: &["tidemill", "tidemill-resilience", "tidemill-profiling", "tidemill-serve", "orders*", "mimalloc"],
        because: "a pool hands out things; how often is a limiter's business",
    },
    Layer {
        krate: "tidemill-resilience",
        never: &[
            "tidemill",
            "tidemill-scheduler",
            "tidemill-pools",
            "tidemill-profiling",
            "tidemill-serve",
            "orders*",
            "mimalloc",
        ],
        because: "limits and retries work on every runtime",
    },
    Layer {
        krate: "tidemill-serve",
        never: &["tidemill", "tidemill-pools", "tidemill-resilience", "orders*", "mimalloc", "axum", "tonic"],
        because: "it serves any tower service, whatever framework made it",
    },
    Layer {
        krate: "tidemill-profiling",
        never: &["tidemill", "tidemill-resilience", "orders*", "mimalloc"],
        because: "it watches programs that it knows nothing about",
    },
    Layer {
        krate: "tidemill",
        never: &["orders*", "benches", "xtask", "mimalloc", "clap", "criterion"],
        because: "a library forces neither an allocator nor a program's parts on its users",
    },
];

/// The crate that holds only re-exports.
const FACADE: &str = "src";

/// What begins an item with logic in it.
const LOGIC: &[&str] = &["fn", "struct", "enum", "union", "trait", "impl", "static", "macro_rules!"];

/// Checks every row whose crate exists, that no library is without a row, and that the façade has no logic.
pub(crate) fn run(at: &Workspace) -> Result<(), String> {
    let members = at.members()?;
    let mut findings = without_row(&members);
    for layer in LAYERS.iter().filter(|layer| members.iter().any(|member| member.name == layer.krate)) {
        let known = dependencies(at, layer.krate)?;
        findings.extend(violations(layer, &known));
        println!("{}: knows none of {}", layer.krate, layer.never.join(", "));
    }
    findings.extend(facade_logic(at)?);
    if findings.is_empty() { Ok(()) } else { Err(format!("\n  {}", findings.join("\n  "))) }
}

/// The names of all packages that `krate` is built from, itself left out.
fn dependencies(at: &Workspace, krate: &str) -> Result<BTreeSet<String>, String> {
    let args = format!("tree --package {krate} --edges normal,build --all-features --prefix none --format {{p}}");
    let list = cargo(at, &args).read()?;
    let names = list.lines().filter_map(|line| line.split(' ').next());
    Ok(names.filter(|name| !name.is_empty() && *name != krate).map(str::to_owned).collect())
}

fn violations(layer: &Layer, known: &BTreeSet<String>) -> Vec<String> {
    let hits = known.iter().filter(|name| layer.never.iter().any(|pattern| matches(pattern, name)));
    hits.map(|name| format!("{} must never know {name}: {}", layer.krate, layer.because)).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// Libraries of the toolkit that the table forgets.
fn without_row(members: &[Member]) -> Vec<String> {
    let ours = members.iter().filter(|member| matches("tidemill*", &member.name));
    let missing = ours.filter(|member| LAYERS.iter().all(|layer| layer.krate != member.name));
    missing.map(|member| format!("{} has no row in xtask/src/layers.rs", member.name)).collect()
}

fn facade_logic(at: &Workspace) -> Result<Vec<String>, String> {
    let folder = at.root().join(FACADE);
    let entries = fs::read_dir(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let mut findings = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let text = fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))?;
        let shown = path.strip_prefix(at.root()).unwrap_or(&path).display();
        findings
            .extend(logic(&text).into_iter().map(|line| format!("{shown}:{line}: the façade holds only re-exports")));
    }
    Ok(findings)
}

/// The numbers of the lines that begin an item with logic.
fn logic(text: &str) -> Vec<usize> {
    let code = code_only(text);
    let begins = |line: &str| {
        let words = line.split_whitespace().skip_while(|word| word.starts_with("pub") || *word == "async");
        words.take(1).any(|word| LOGIC.iter().any(|item| word == *item || word.starts_with("impl<")))
    };
    code.lines().zip(1..).filter(|(line, _)| begins(line)).map(|(_, number)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(krate: &str) -> &'static Layer {
        LAYERS.iter().find(|layer| layer.krate == krate).expect("the table has it")
    }

    fn known(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_forbidden_crate_is_found_with_the_reason() {
        let found = violations(row("tidemill-resilience"), &known(&["tokio", "tidemill-scheduler", "orders-load"]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].contains("tidemill-scheduler") && found[1].contains("every runtime"), "{found:?}");
    }

    #[test]
    fn allowed_crates_are_not() {
        assert!(violations(row("tidemill-scheduler"), &known(&["tokio", "libc", "tidemill-cgroup"])).is_empty());
        assert!(violations(row("tidemill"), &known(&["tidemill-pools", "tidemill-scheduler"])).is_empty());
    }

    #[test]
    fn a_new_library_needs_a_row() {
        let member = |name: &str| Member { name: name.into(), folder: name.into() };
        assert_eq!(without_row(&[member("tidemill-pools"), member("benches")]), Vec::<String>::new());
        assert_eq!(without_row(&[member("tidemill-new")]), ["tidemill-new has no row in xtask/src/layers.rs"]);
    }

    #[test]
    fn re_exports_are_not_logic_and_items_are() {
        let good =
            "//! fn in prose\n#[cfg(feature = \"a\")]\npub use a::{b, impl_c};\npub mod m { pub use x::fn_y; }\n";
        assert_eq!(logic(good), Vec::<usize>::new());
        assert_eq!(logic("pub use a::b;\npub fn c() {}\nimpl<T> D for T {}\npub(crate) struct E;\n"), [2, 3, 4]);
    }
}
