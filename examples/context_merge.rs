//! Two parents: a request ends with its client *or* with the server, whichever is first; its record is written all the same.
//!
//! `cargo run --release --example context_merge`

use std::process::{self, Command};
use std::time::Duration;

use tidemill::{Context, context::Cause};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::sleep;

struct RequestId(u32);

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Context::background();
    let mut terminate = signal(SignalKind::terminate())?;
    tidemill::spawn(server.cancel_on(async move { terminate.recv().await }, Cause::Signal(15)));

    let (hang_up, hung_up) = oneshot::channel::<()>();
    let (_stays, no_end) = oneshot::channel::<()>();
    let requests = [(1, hung_up), (2, no_end)].map(|(id, client)| tidemill::spawn(request(server.clone(), id, client)));
    drop(hang_up); // the first client goes away
    sleep(Duration::from_millis(50)).await;
    Command::new("kill").args(["-TERM", &process::id().to_string()]).status()?; // and then the server is told to end
    for request in requests {
        request.await?;
    }
    Ok(())
}

async fn request(server: Context, id: u32, client: oneshot::Receiver<()>) {
    let connection = Context::background().with_value(RequestId(id));
    tidemill::spawn(connection.cancel_on(client, "the client hung up"));
    let both = Context::merge(&connection, &server);
    if let Err(cause) = both.run(sleep(Duration::from_secs(3600))).await {
        // The values stay, the cancellation does not: nothing cuts the record short.
        both.detach().run(record(cause)).await.expect("nothing is above it");
    }
}

async fn record(cause: Cause) {
    sleep(Duration::from_millis(5)).await;
    let id = Context::current().value::<RequestId>().map(|id| id.0);
    println!("request {}: {cause}", id.unwrap_or_default());
}
