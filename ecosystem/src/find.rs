//! Where the servers are. A table, because `cargo xtask services` and the tests ask the same questions.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A server that tests need.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// Its name, which is part of the name of each test that needs it.
    pub name: &'static str,
    /// What Debian calls it.
    pub package: &'static str,
    /// Where it is, if it is here.
    pub find: fn() -> Option<PathBuf>,
}

/// All of them.
///
/// ```
/// for server in ecosystem::SERVERS {
///     println!("{}: {:?}", server.name, (server.find)());
/// }
/// ```
pub const SERVERS: &[Server] = &[
    Server { name: "postgres", package: "postgresql", find: postgres },
    Server { name: "redis", package: "redis-server", find: redis },
];

/// Where Debian keeps its versions of PostgreSQL, out of the way of `PATH`.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// The folder with all of PostgreSQL's programs.
pub(crate) fn postgres() -> Option<PathBuf> {
    // Behind the link, if it is one: the other programs are there.
    let linked = in_path("postgres").and_then(|found| Some(found.canonicalize().ok()?.parent()?.to_owned()));
    let versions = fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten().filter_map(Result::ok);
    let mut versions: Vec<_> = versions.map(|version| version.path()).collect();
    versions.sort_by_key(|path| number(path));
    let folders = linked.into_iter().chain(versions.into_iter().rev().map(|version| version.join("bin")));
    folders.into_iter().find(|folder| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file()))
}

pub(crate) fn redis() -> Option<PathBuf> {
    in_path("redis-server")
}

/// The program that a shell would run. Not behind links: Redis is several programs in one, by the name of the link.
fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// `/usr/lib/postgresql/15` is 15.
fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.parse().ok()
}
