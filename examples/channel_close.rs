//! Close and iterate, as Go's `close(ch)` and `for v := range ch`: a channel is closed when its last sender is dropped, and
//! who receives takes what is left and then stops.
//!
//! `cargo run --release --example channel_close`

use std::thread;

use tidemill::channel;

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (sender, receiver) = channel::bounded(16);
    for name in ["task one", "task two"] {
        let sender = sender.clone();
        tidemill::spawn(async move {
            for number in 0..3 {
                if sender.send_async(format!("{name}: {number}")).await.is_err() {
                    return; // nobody receives any more
                }
            }
        });
    }
    let from_a_thread = sender.clone();
    thread::spawn(move || from_a_thread.send("a plain thread".to_owned()));
    drop(sender); // the last one closes the channel

    // In blocking code `for line in receiver` does the same; tasks of tidemill may use either.
    while let Ok(line) = receiver.recv_async().await {
        println!("{line}");
    }
    println!("closed");
    Ok(())
}
