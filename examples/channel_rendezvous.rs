//! A rendezvous, as Go's unbuffered channel: a send is done when somebody has taken it.
//!
//! `cargo run --release --example channel_rendezvous`

use tidemill::channel;

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (ping, pings) = channel::bounded::<u32>(0);
    let (pong, pongs) = channel::bounded::<u32>(0);
    let player = tidemill::spawn(async move {
        while let Ok(ball) = pings.recv_async().await {
            if pong.send_async(ball + 1).await.is_err() {
                return;
            }
        }
    });
    let mut ball = 0;
    for _ in 0..1_000 {
        ping.send_async(ball).await?; // waits until the player has it
        ball = pongs.recv_async().await?;
    }
    drop(ping);
    player.await?;
    println!("the ball went {ball} times over");
    Ok(())
}
