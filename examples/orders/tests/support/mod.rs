//! A server in a process of its own, the provider outside of it, and a client that speaks plain HTTP.
#![allow(dead_code, clippy::unwrap_used)] // Each test file uses its part.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// No answer takes longer, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory of one test, removed when it is dropped.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("orders-it-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The `orders` command.
pub(crate) fn orders() -> Command {
    Command::new(env!("CARGO_BIN_EXE_orders"))
}

/// A service that said where it listens; killed when dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) addr: String,
}

impl Service {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::try_start(command).unwrap_or_else(|status| panic!("{status}"))
    }

    /// The service, or how it ended before it said where it listens.
    pub(crate) fn try_start(command: &mut Command) -> Result<Self, ExitStatus> {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim().strip_prefix("listening on http://") {
            Some(addr) => Ok(Self { child, addr: addr.to_owned() }),
            None => Err(child.wait().unwrap()),
        }
    }

    pub(crate) fn shop(variant: &str, db: &Path, payment_url: &str) -> Self {
        Self::start(&mut Self::shop_command(variant, db, payment_url))
    }

    pub(crate) fn shop_command(variant: &str, db: &Path, payment_url: &str) -> Command {
        let args = ["serve", "--variant", variant, "--listen", "127.0.0.1:0", "--payment-url", payment_url];
        let mut command = orders();
        command.args(args).arg("--db").arg(db);
        command
    }

    pub(crate) fn provider(faults: &str) -> Self {
        let args = ["payment-sim", "--listen", "127.0.0.1:0", "--seed", "7", "--faults", faults];
        Self::start(orders().args(args))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.addr)
    }

    /// SIGKILL: no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// SIGTERM; how it ended and how long that took.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        (status, asked.elapsed())
    }

    pub(crate) fn vars(&self) -> serde_json::Value {
        serde_json::from_slice(&self.client().get("/debug/vars").unwrap().body).unwrap()
    }

    /// Waits until every accepted order is settled and every event has had its effect.
    pub(crate) fn wait_until_drained(&self) {
        let began = Instant::now();
        loop {
            let vars = self.vars();
            if vars["unpaid"] == 0 && vars["outbox_depth"] == 0 {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{vars}");
            std::thread::sleep(Duration::from_millis(10)); // tidy-allow(sleep-in-test): another process is polled
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// One connection; opened anew when it broke.
pub(crate) struct Client {
    addr: String,
    stream: Option<BufReader<TcpStream>>,
}

type IoResult<T> = std::io::Result<T>;

impl Client {
    pub(crate) fn new(addr: &str) -> Self {
        Self { addr: addr.to_owned(), stream: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> IoResult<Answer> {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"), b"")
    }

    pub(crate) fn order(&mut self, key: &str, body: &[u8]) -> IoResult<Answer> {
        self.post(&format!("idempotency-key: {key}\r\n"), body)
    }

    pub(crate) fn post(&mut self, headers: &str, body: &[u8]) -> IoResult<Answer> {
        let length = body.len();
        let head = format!("POST /orders HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n");
        self.send(&head, body)
    }

    fn send(&mut self, head: &str, body: &[u8]) -> IoResult<Answer> {
        let answer = self.exchange(head, body);
        let closes = |answer: &Answer| answer.head.contains("connection: close");
        if answer.as_ref().map_or(true, closes) {
            self.stream = None;
        }
        answer
    }

    fn exchange(&mut self, head: &str, body: &[u8]) -> IoResult<Answer> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.addr)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut().unwrap();
        stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        read_answer(stream)
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>) -> IoResult<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = head.to_ascii_lowercase();
    let status = head[9..12].parse().unwrap();
    let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body)?;
    Ok(Answer { status, head, body })
}
