//! Every member obeys the workspace's lints, and its root forbids unsafe code unless the table says why not. One that is published
//! says what it is, and names other members for its tests by path alone: cargo leaves those out of what it publishes, where a
//! version would ask for a crate that comes later (`tidemill-context` is tested on the scheduler, which needs it).

use std::{fs, path::Path};

use super::code_only;
use crate::workspace::Member;

/// Crates with unsafe code, and what for. Elsewhere the compiler forbids it.
const MAY_BE_UNSAFE: &[(&str, &str)] = &[
    ("gate", "implements `GlobalAlloc`, to count"),
    ("tidemill-cgroup", "reads the affinity mask by a system call"),
    ("tidemill-context", "borrows the ambient context of a thread, and names a parent's node or the own in one word"),
    ("tidemill-pools", "finds the magazine of a thread"),
    ("tidemill-profiling", "implements `GlobalAlloc` and raises a signal"),
    ("tidemill-scheduler", "task cells and queues"),
    ("suites", "starts the coroutines of may, which has no safe way to"),
    ("orders", "asks the system for the resources it used"),
];

/// What each manifest says by reference to the workspace.
const INHERITED: &[&str] = &["[lints]\nworkspace = true", "edition.workspace = true", "rust-version.workspace = true"];

/// What the registry shows of a published crate.
const SHOWN: &[&str] = &[
    "description = ",
    "license.workspace = true",
    "repository.workspace = true",
    "readme = ",
    "keywords = ",
    "categories = ",
];

pub(super) fn check(root: &Path, members: &[Member]) -> Vec<String> {
    members.iter().flat_map(|member| check_member(root, member)).collect()
}

fn check_member(root: &Path, member: &Member) -> Vec<String> {
    let folder = root.join(&member.folder);
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let mut findings = not_inherited(&manifest);
    findings.extend(not_publishable(&manifest));
    let roots = ["src/lib.rs", "src/main.rs"].into_iter().filter_map(|path| fs::read_to_string(folder.join(path)).ok());
    if roots.into_iter().any(|text| !forbids_unsafe(&text))
        && MAY_BE_UNSAFE.iter().all(|(name, _)| *name != member.name)
    {
        findings.push("the crate's root does not `#![forbid(unsafe_code)]`".to_owned());
    }
    findings.into_iter().map(|what| format!("{}: {what} [manifests]", member.name)).collect()
}

fn not_inherited(manifest: &str) -> Vec<String> {
    let missing = INHERITED.iter().filter(|text| !manifest.contains(*text));
    missing.map(|text| format!("Cargo.toml lacks `{}`", text.replace('\n', " "))).collect()
}

/// What keeps a manifest from being published, unless it says that it never is.
fn not_publishable(manifest: &str) -> Vec<String> {
    if manifest.contains("\npublish = false") {
        return Vec::new();
    }
    let missing = SHOWN.iter().filter(|key| !manifest.lines().any(|line| line.starts_with(**key)));
    let missing = missing.map(|key| format!("Cargo.toml lacks `{}..`", key.trim_end_matches("true")));
    missing.chain(tested_by_version(manifest)).collect()
}

fn tested_by_version(manifest: &str) -> Option<String> {
    let mut in_tests = false;
    let named = manifest.lines().find(|line| {
        if line.starts_with('[') {
            in_tests = line.contains("dev-dependencies]");
        }
        in_tests && line.starts_with("tidemill") && line.contains("workspace = true")
    })?;
    Some(format!("`{named}` among the dev-dependencies: name it by `path`, or this cannot be published before it"))
}

fn forbids_unsafe(text: &str) -> bool {
    code_only(text).lines().any(|line| line.trim() == "#![forbid(unsafe_code)]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_inherit() {
        let good = "[package]\nedition.workspace = true\nrust-version.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(not_inherited(good), Vec::<String>::new());
        assert_eq!(not_inherited(&good.replace("[lints]\n", "")), ["Cargo.toml lacks `[lints] workspace = true`"]);
    }

    #[test]
    fn what_is_published_says_what_it_is_and_names_its_test_runtimes_by_path() {
        let good = "[package]\ndescription = \"d\"\nlicense.workspace = true\nrepository.workspace = true\nreadme = \"r\"\n\
                    keywords = []\ncategories = []\n[dependencies]\ntidemill-a.workspace = true\n\
                    [target.'cfg(x)'.dev-dependencies]\ntidemill-b = { path = \"../b\" }\n";
        assert_eq!(not_publishable(good), Vec::<String>::new());
        assert_eq!(not_publishable(&good.replace("keywords = []\n", "")), ["Cargo.toml lacks `keywords = ..`"]);
        let by_version = good.replace("{ path = \"../b\" }", "{ workspace = true }");
        assert!(not_publishable(&by_version)[0].contains("tidemill-b"));
        assert_eq!(not_publishable("[package]\nname = \"own\"\npublish = false\n"), Vec::<String>::new());
    }

    #[test]
    fn only_code_forbids() {
        assert!(forbids_unsafe("//! A.\n#![forbid(unsafe_code)]\n"));
        assert!(!forbids_unsafe("//! A.\n// #![forbid(unsafe_code)]\n#![deny(unsafe_code)]\n"));
    }
}
