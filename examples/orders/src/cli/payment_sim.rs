//! `orders payment-sim`: the provider in a process of its own, so that it survives a crash of the shop.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use orders_payment::simulator::{Faults, Simulator};

use super::{Failure, Verdict, serve::until_signal};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// What faults and declines are drawn from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Faults by name and rate, such as `timeout=0.05,decline=0.01`.
    #[arg(long, default_value = "")]
    faults: String,
}

pub(super) async fn serve(args: Args) -> Result<Verdict, Failure> {
    let faults: Faults = args.faults.parse()?;
    let simulator = Simulator::builder().seed(args.seed).faults(faults).bind(args.listen).await?;
    println!("listening on {}", simulator.url());
    io::stdout().flush()?;
    until_signal().await?;
    simulator.stop().await;
    Ok(Verdict::Good)
}
