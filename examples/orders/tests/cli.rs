//! `orders generate`, `run` and `check` as a user calls them.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, process::Output};

use support::{TempDir, orders};

fn run(args: &[&str]) -> Output {
    orders().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_file_is_answered_line_by_line_and_twice_the_same() {
    let dir = TempDir::new();
    let [db, input] = ["run.db", "orders.jsonl"].map(|name| dir.file(name).display().to_string());
    let mut lines = text(&run(&["generate", "--seed", "5", "--count", "50"]).stdout);
    fs::write(&input, &lines).unwrap();
    let good = run(&["run", "--input", &input, "--db", &db]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert_eq!(text(&good.stdout).lines().filter(|line| line.contains(": accepted {")).count(), 50);

    lines.push_str("\n{\"customer\":1}\nnonsense\n");
    fs::write(&input, &lines).unwrap();
    let again = run(&["run", "--input", &input, "--db", &db, "--variant", "naive"]);
    assert_eq!(again.status.code(), Some(1));
    let out = text(&again.stdout);
    assert_eq!(out.lines().filter(|line| line.contains(": replayed {")).count(), 50);
    assert!(out.contains("line 52: rejected: customer: must be a text\n"), "{out}");
    assert!(out.contains("line 53: rejected: body: "), "{out}");

    let check = run(&["check", "--db", &db]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stdout));
    rusqlite::Connection::open(&db).unwrap().execute("DELETE FROM deliveries", []).unwrap();
    let check = run(&["check", "--db", &db]);
    assert_eq!(check.status.code(), Some(1));
    assert!(text(&check.stdout).contains("BROKEN terminal"));
}

#[test]
fn the_same_seed_writes_the_same_orders() {
    let generate = |seed| run(&["generate", "--seed", seed, "--count", "20"]).stdout;
    assert_eq!(generate("9"), generate("9"));
    assert_ne!(generate("9"), generate("10"));
}

#[test]
fn what_cannot_be_done_is_said_with_code_two() {
    for args in [
        &["run", "--input", "/nowhere/orders.jsonl"][..],
        &["check", "--db", "/nowhere/orders.db"],
        &["serve", "--variant", "fast"],
        &["serve", "--db", "/nowhere/orders.db"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}
