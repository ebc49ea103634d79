//! A Redis of one's own: `redis-server` without a port, until it is dropped.

use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::find;
use crate::folder::Folder;
use crate::postgres::missing;

/// It takes a tenth of a second, on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks whether it is there: it says so in words that change with the version.
const LOOK: Duration = Duration::from_millis(5);

/// A running Redis, on a Unix socket. Dropping it stops it.
///
/// ```no_run
/// let server = ecosystem::Redis::start()?;
/// println!("redis-cli -s {}", server.socket().display());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Redis {
    server: Child,
    folder: Folder,
}

impl Redis {
    /// Blocks until the server takes connections.
    ///
    /// # Errors
    /// There is no Redis here, or it does not start; the error has what it said.
    pub fn start() -> io::Result<Self> {
        let program = find::redis().ok_or_else(|| missing("Redis"))?;
        let folder = Folder::new("redis")?;
        let log = File::create(folder.path().join("log"))?;
        let mut command = folder.command(&program)?;
        command.args(["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no"]);
        let server = command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log).spawn()?;
        let mut redis = Self { server, folder };
        redis.wait_until_ready()?;
        Ok(redis)
    }

    /// The file that clients connect to.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(self.socket()).is_err() {
            if self.server.try_wait()?.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(self.folder.path().join("log"))?;
                return Err(io::Error::other(format!("redis-server does not answer: {said}")));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Nothing is to be saved. An error says that it has ended already.
        let _ = self.server.kill().and_then(|()| self.server.wait());
    }
}
