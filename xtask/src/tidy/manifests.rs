//! Every member obeys the workspace's lints, and its root forbids unsafe code unless the table says why not.

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
    ("orders", "asks the system for the resources it used"),
];

/// What each manifest says by reference to the workspace.
const INHERITED: &[&str] = &["[lints]\nworkspace = true", "edition.workspace = true", "rust-version.workspace = true"];

pub(super) fn check(root: &Path, members: &[Member]) -> Vec<String> {
    members.iter().flat_map(|member| check_member(root, member)).collect()
}

fn check_member(root: &Path, member: &Member) -> Vec<String> {
    let folder = root.join(&member.folder);
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let mut findings = not_inherited(&manifest);
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
    fn only_code_forbids() {
        assert!(forbids_unsafe("//! A.\n#![forbid(unsafe_code)]\n"));
        assert!(!forbids_unsafe("//! A.\n// #![forbid(unsafe_code)]\n#![deny(unsafe_code)]\n"));
    }
}
