//! One deadline over a whole request: every part sees what is left, and what is cut short says why.
//!
//! `cargo run --release --example context_deadline`

use std::time::Duration;

use tidemill::{Context, context::Cause};
use tokio::time::sleep;

#[tidemill::main]
async fn main() {
    for (budget, rows) in [(200, 3), (60, 3), (60, 0)] {
        let request = Context::background().with_timeout(Duration::from_millis(budget));
        match request.run(answer(rows)).await {
            Ok(Ok(answer)) => println!("{budget} ms: {answer}"),
            Ok(Err(cause)) | Err(cause) => println!("{budget} ms: {cause}"),
        }
    }
}

/// Nobody passes the context on: it is ambient, and tasks inherit it.
async fn answer(rows: u32) -> Result<String, Cause> {
    let price = tidemill::spawn(async {
        sleep(Duration::from_millis(30)).await;
        42
    });
    if rows == 0 {
        Context::current().cancel("the table is empty"); // ends the request, and everything in it
    }
    for _ in 0..rows {
        if Context::current().remaining().is_some_and(|left| left < Duration::from_millis(30)) {
            return Err(Cause::from("less time left than a row takes")); // refuse at once rather than at the end
        }
        sleep(Duration::from_millis(30)).await;
    }
    Ok(format!("{rows} rows at {}", price.await.expect("it does not panic")))
}
