//! Where the workspace is and who its members are.

use std::path::{Path, PathBuf};

use crate::process::cargo;

/// The root of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Relative to the root; empty for the root package.
    pub(crate) folder: String,
}

impl Workspace {
    /// Finds the root and makes it the current folder, so that relative paths mean the same from wherever one calls.
    ///
    /// # Errors
    /// xtask was not started by cargo, or has moved.
    pub(crate) fn enter() -> Result<Self, String> {
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("run this as `cargo xtask`")?;
        let root = Path::new(&xtask).parent().ok_or("xtask/ lies below the workspace's root")?;
        std::env::set_current_dir(root).map_err(|why| format!("{}: {why}", root.display()))?;
        Ok(Self::at(root))
    }

    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A target directory beside the ordinary one, for flags that would otherwise rebuild everything.
    pub(crate) fn target_for(&self, purpose: &str) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from);
        target.join(purpose)
    }

    /// Every member, sorted, as cargo sees them.
    ///
    /// # Errors
    /// A manifest is broken.
    pub(crate) fn members(&self) -> Result<Vec<Member>, String> {
        let list = cargo(self, "tree --workspace --depth 0 --prefix none --format {p}").read()?;
        let mut members: Vec<_> = list.lines().filter_map(|line| parse_member(line, &self.root)).collect();
        members.sort();
        members.dedup();
        Ok(members)
    }
}

/// Reads `name v0.1.0 (/root/folder)`, where `(proc-macro)` may stand in between.
fn parse_member(line: &str, root: &Path) -> Option<Member> {
    let name = line.split(' ').next().filter(|name| !name.is_empty())?;
    let (_, path) = line.strip_suffix(')')?.rsplit_once('(')?;
    let folder = Path::new(path).strip_prefix(root).ok()?;
    Some(Member { name: name.to_owned(), folder: folder.to_str()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_from_cargo_tree() {
        let member = |name: &str, folder: &str| Some(Member { name: name.into(), folder: folder.into() });
        for (line, expected) in [
            ("tidemill v0.1.0 (/w)", member("tidemill", "")),
            ("orders v0.1.0 (/w/examples/orders)", member("orders", "examples/orders")),
            ("macros v0.1.0 (proc-macro) (/w/macros)", member("macros", "macros")),
            ("elsewhere v0.1.0 (/x/macros)", None),
            ("", None),
        ] {
            assert_eq!(parse_member(line, Path::new("/w")), expected, "{line}");
        }
    }
}
