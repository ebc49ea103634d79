//! The servers that the tests of `ecosystem/` talk to: where they are, and how they get here.
//!
//! They are installed only where that is expected: in continuous integration, or if one asks by `cargo xtask services`.

use std::{fs, os::unix::fs::MetadataExt};

use ecosystem::{SERVERS, Server};

use crate::{process::apt_get, workspace::Workspace};

/// Says where the servers are, and installs those that are missing.
pub(crate) fn run(at: &Workspace) -> Result<(), String> {
    for server in SERVERS {
        match (server.find)() {
            Some(path) => println!("{}: {}", server.name, path.display()),
            None => println!("{}: not here", server.name),
        }
    }
    install(at, &missing())
}

/// The servers whose tests have to be left out.
///
/// # Errors
/// This is continuous integration, and one is neither here nor can be installed.
pub(crate) fn provide(at: &Workspace) -> Result<Vec<Server>, String> {
    let missing = missing();
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
        install(at, &missing)?;
        return Ok(Vec::new());
    }
    for server in &missing {
        let Server { name, package, .. } = server;
        println!(
            "SKIPPED: the tests with {name}, which is not here; `cargo xtask services` installs it (package {package})"
        );
    }
    Ok(missing)
}

/// What leaves the tests of these servers out: they have its name in theirs.
pub(crate) fn filter(without: &[Server]) -> String {
    let skips: String = without.iter().map(|server| format!(" --skip {}", server.name)).collect();
    if skips.is_empty() { skips } else { format!(" --{skips}") }
}

fn missing() -> Vec<Server> {
    SERVERS.iter().filter(|server| (server.find)().is_none()).copied().collect()
}

fn install(at: &Workspace, servers: &[Server]) -> Result<(), String> {
    if servers.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = servers.iter().map(|server| server.package).collect();
    let args = format!("install -y --no-install-recommends {}", packages.join(" "));
    if !is_root() {
        return Err(format!("only root can install them: sudo apt-get {args}"));
    }
    // A fresh container has no lists of packages yet.
    apt_get(at, &args).run().or_else(|_| apt_get(at, "update").run().and_then(|()| apt_get(at, &args).run()))?;
    let missing: Vec<_> = missing().iter().map(|server| server.name).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("installed, and still not found: {}", missing.join(", "))) }
}

/// A process owns its own entry.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_left_out_by_the_names_of_their_servers() {
        assert_eq!(filter(&[]), "");
        assert_eq!(filter(SERVERS), " -- --skip postgres --skip redis");
    }

    #[test]
    fn each_server_has_a_file_of_tests_by_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../ecosystem/tests/libraries");
        let files: Vec<_> =
            fs::read_dir(folder).expect("it is there").map(|file| file.expect("readable").path()).collect();
        for server in SERVERS {
            let has = |file: &std::path::PathBuf| file.to_string_lossy().ends_with(&format!("_{}.rs", server.name));
            assert!(files.iter().any(has), "{}", server.name);
        }
    }
}
