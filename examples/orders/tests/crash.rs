//! What survives SIGKILL, SIGTERM and a crash at any named step under load: everything a client was told is
//! accepted, once.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use orders::{crash::Step, generate::Generator};
use support::{Client, Service, TempDir, orders};

const SENDERS: u64 = 8;
/// Answers each sender gets before the server is struck.
const WARM: usize = 25;

/// Senders that repeat each order until it has an answer, wherever the server is by then.
struct Load {
    stop: Arc<AtomicBool>,
    senders: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Load {
    /// Starts them with the order of that number, and returns when each has had its first answers.
    fn start(addr: &str, first: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (warm, is_warm) = mpsc::channel();
        let sender = |number| {
            let (addr, stop, warm) = (addr.to_owned(), Arc::clone(&stop), warm.clone());
            let orders = (number, first);
            thread::spawn(move || send(&addr, orders, &stop, &warm))
        };
        let senders = (0..SENDERS).map(sender).collect();
        drop(warm);
        for _ in 0..SENDERS {
            // A sender whose server is gone before that is warm as well.
            let _ = is_warm.recv();
        }
        Self { stop, senders }
    }

    /// Stops them; one line for each order that was accepted.
    fn stop(self) -> String {
        self.stop.store(true, Ordering::Relaxed);
        let lines = self.senders.into_iter().flat_map(|sender| sender.join().unwrap());
        lines.map(|line| line + "\n").collect()
    }
}

fn send(addr: &str, (sender, first): (u64, u64), stop: &AtomicBool, warm: &mpsc::Sender<()>) -> Vec<String> {
    let (mut client, generator) = (Client::new(addr), Generator::new(sender, 1_000));
    let mut accepted = Vec::new();
    for number in first.. {
        let (key, body) = generator.order(number);
        let key = std::str::from_utf8(key.as_bytes()).unwrap();
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match client.order(key, &body) {
            Ok(answer) => {
                assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
                accepted.push(format!("{} {key}", answer.json()["order"]));
            }
            // The server is gone: this order may be taken or not.
            Err(_) => break,
        }
        if accepted.len() == WARM {
            warm.send(()).unwrap();
        }
    }
    accepted
}

/// Lets the shop come to rest and holds it against the ledger and the answers.
fn settle_and_check(shop: Service, provider: &Service, dir: &TempDir, accepted: &str) {
    shop.wait_until_drained();
    assert!(shop.terminate().0.success());
    let [db, ledger, answers] = ["shop.db", "ledger.json", "accepted.txt"].map(|name| dir.file(name));
    fs::write(&ledger, provider.client().get("/ledger").unwrap().body).unwrap();
    fs::write(&answers, accepted).unwrap();
    let check = orders()
        .arg("check")
        .args(["--db".as_ref(), db.as_os_str()])
        .args(["--ledger".as_ref(), ledger.as_os_str()])
        .args(["--accepted".as_ref(), answers.as_os_str()])
        .output()
        .unwrap();
    let report = String::from_utf8(check.stdout).unwrap();
    assert!(check.status.success(), "{report}{}", String::from_utf8_lossy(&check.stderr));
    assert_eq!(report.lines().count(), orders::check::INVARIANTS.len(), "{report}");
}

#[test]
fn killed_under_load_nothing_is_lost_and_nothing_paid_twice() {
    for variant in ["naive", "tuned"] {
        let dir = TempDir::new();
        let provider = Service::provider("declined=0.05");
        let mut accepted = String::new();
        // The second time begins with orders that the first has answered.
        for first in [0, WARM as u64 / 2] {
            let shop = Service::shop(variant, &dir.file("shop.db"), &provider.url());
            let load = Load::start(&shop.addr, first);
            shop.kill();
            accepted += &load.stop();
        }
        assert!(accepted.lines().count() >= WARM * SENDERS as usize);
        let shop = Service::shop(variant, &dir.file("shop.db"), &provider.url());
        settle_and_check(shop, &provider, &dir, &accepted);
    }
}

#[test]
fn terminated_under_load_it_ends_in_order_and_in_time() {
    for variant in ["naive", "tuned"] {
        let dir = TempDir::new();
        let provider = Service::provider("");
        let shop = Service::shop(variant, &dir.file("shop.db"), &provider.url());
        let load = Load::start(&shop.addr, 0);
        let (status, took) = shop.terminate();
        let accepted = load.stop();
        assert!(status.success(), "{variant}: {status}");
        assert!(took.as_secs() < 5, "{variant}: {took:?}");
        let shop = Service::shop(variant, &dir.file("shop.db"), &provider.url());
        settle_and_check(shop, &provider, &dir, &accepted);
    }
}

/// Few orders in arrears, so that the tuned store writes its projections.
const OFTEN: [&str; 2] = ["--lag", "16"];

fn is_abort(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGABRT)
}

/// A shop that crashes there, and one that goes on.
fn crash_at(step: Step, variant: &str) {
    let dir = TempDir::new();
    let provider = Service::provider("declined=0.1");
    let db = dir.file("shop.db");
    let mut accepted = String::new();
    // The third passing in the first life, then the first one: of what was left behind.
    for (first, passing) in [(0, 3), (WARM as u64 / 2, 1)] {
        let at = format!("{step}:{}", if step == Step::Opening { 1 } else { passing });
        let mut command = Service::shop_command(variant, &db, &provider.url());
        match Service::try_start(command.args(OFTEN).args(["--crash-at", &at])) {
            Err(status) => assert!(is_abort(status), "{variant} {at}: {status}"),
            Ok(shop) => {
                let load = Load::start(&shop.addr, first);
                let status = shop.wait();
                accepted += &load.stop();
                assert!(is_abort(status), "{variant} {at}: {status}");
            }
        }
        if step == Step::Opening {
            // Something to open again.
            let shop = Service::start(Service::shop_command(variant, &db, &provider.url()).args(OFTEN));
            let load = Load::start(&shop.addr, first);
            shop.kill();
            accepted += &load.stop();
        }
    }
    let shop = Service::start(Service::shop_command(variant, &db, &provider.url()).args(OFTEN));
    settle_and_check(shop, &provider, &dir, &accepted);
}

#[test]
fn a_crash_at_any_step_of_the_tuned_form_loses_nothing_and_pays_nothing_twice() {
    Step::ALL.into_iter().for_each(|(step, _)| crash_at(step, "tuned"));
}

#[test]
fn a_crash_at_any_step_of_the_naive_form_loses_nothing_and_pays_nothing_twice() {
    let steps = Step::ALL.into_iter().filter(|(step, _)| *step != Step::ProjectionsWritten);
    steps.for_each(|(step, _)| crash_at(step, "naive"));
}
