//! A PostgreSQL of one's own: `initdb`, `pg_ctl start`, and `pg_ctl stop` at the end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::find;
use crate::folder::Folder;

/// A running PostgreSQL, on a Unix socket, with a user `postgres` who needs no password. Dropping it stops it.
///
/// ```no_run
/// let server = ecosystem::Postgres::start()?;
/// println!("psql -h {} -U postgres", server.socket_folder().display());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: Folder,
}

impl Postgres {
    /// Blocks until the server takes connections, which is for about a second.
    ///
    /// # Errors
    /// There is no PostgreSQL here, or it does not start; the error has what it said.
    pub fn start() -> io::Result<Self> {
        let programs = find::postgres().ok_or_else(|| missing("PostgreSQL"))?;
        let server = Self { programs, folder: Folder::new("postgres")? };
        let mut initdb = server.program("initdb")?;
        // Fast, not safe: nothing outlives the test. A locale that every system has.
        run(initdb.args(["--username=postgres", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"]))?;
        let options = format!("-k {} -c listen_addresses= -c fsync=off", server.folder.path().display());
        run(server.program("pg_ctl")?.args(["start", "--wait", "--silent", "--log=log", "--options", &options]))?;
        Ok(server)
    }

    /// The folder with the socket, which clients take as the host.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    fn program(&self, name: &str) -> io::Result<Command> {
        let mut command = self.folder.command(&self.programs.join(name))?;
        command.arg("--pgdata=data");
        Ok(command)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // If it does not stop there is nobody to tell.
        let _ = self.program("pg_ctl").and_then(|mut stop| run(stop.args(["stop", "--silent", "--mode=immediate"])));
    }
}

pub(crate) fn missing(what: &str) -> io::Error {
    let text = format!("no {what} here: `cargo xtask services` installs it, `cargo xtask ecosystem` does without");
    io::Error::new(io::ErrorKind::NotFound, text)
}

/// Runs a program to its end. What it says goes to a file: a server that it leaves behind would keep a pipe open.
fn run(command: &mut Command) -> io::Result<()> {
    let said = command.get_current_dir().unwrap_or(Path::new(".")).join("said");
    let file = File::create(&said)?;
    let status = command.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file).status()?;
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(said)?;
    Err(io::Error::other(format!("{:?} failed ({status}): {said}", command.get_program())))
}
