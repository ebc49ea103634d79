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

    // In async code.
    let mut count = 0;
    while let Ok(line) = receiver.recv_async().await {
        println!("while let: {line}");
        count += 1;
        if count == 3 {
            break;
        }
    }
    // In code that blocks; on tidemill a task may be such code: its thread waits, and the other tasks go on.
    for line in receiver {
        println!("for: {line}");
        count += 1;
    }
    println!("closed, after {count} lines");
    Ok(())
}
