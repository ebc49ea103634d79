//! The attributes as a user writes them. What they refuse is tested beside the expansion, in `macros/`.
#![cfg(feature = "macros")]
#![allow(clippy::unwrap_used)]

use std::{num::ParseIntError, sync::Arc};

/// The toolkit under another name, as a crate that renames the dependency sees it.
mod renamed {
    pub(crate) use tidemill as mill;
}

#[tidemill::main(procs = 2, max_threads = 8)]
async fn sum_of_two_tasks() -> u32 {
    let (a, b) = (tidemill::spawn(async { 40 }), tidemill::spawn(async { 2 }));
    a.await.unwrap() + b.await.unwrap()
}

#[tidemill::main(procs = "auto")]
async fn port() -> Result<u16, ParseIntError> {
    let text = tidemill::spawn(async { "8O80" }).await.unwrap();
    let port = text.parse()?;
    Ok(port)
}

#[tidemill::main(crate = "renamed::mill")]
async fn stays_on_this_thread() -> Arc<u8> {
    // Not `Send`, and borrowed across an await: `main` itself is no spawned task.
    let local = std::rc::Rc::new(7);
    tidemill::yield_now().await;
    Arc::new(*local)
}

#[test]
fn main_returns_what_the_function_returns() {
    assert_eq!(sum_of_two_tasks(), 42);
    assert!(port().is_err(), "the letter O is no digit");
    assert_eq!(*stays_on_this_thread(), 7);
}

#[tidemill::test]
async fn a_test_runs_on_a_runtime() {
    assert_eq!(tidemill::spawn(async { 1 + 1 }).await.unwrap(), 2);
}

#[tidemill::test(procs = 2)]
async fn a_test_may_return_a_result() -> Result<(), tidemill::JoinError> {
    tidemill::spawn(tidemill::yield_now()).await
}

#[tidemill::test]
#[should_panic(expected = "as foreseen")]
async fn a_test_may_be_expected_to_panic() {
    panic!("as foreseen");
}

#[tidemill::test]
#[ignore = "shows that the attribute is kept: it would fail"]
async fn a_test_may_be_ignored() {
    panic!("an ignored test ran");
}
