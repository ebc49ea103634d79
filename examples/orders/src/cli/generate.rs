//! `orders generate`: orders for `orders run`.

use std::io::{self, BufWriter, Write};

use super::{Failure, Verdict};
use crate::{generate::Generator, limits};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Seed: the same one gives the same orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many orders.
    #[arg(long)]
    count: u64,
    /// Products of the shop they are for.
    #[arg(long, default_value_t = limits::PRODUCTS)]
    products: u32,
}

pub(super) fn generate(args: &Args) -> Result<Verdict, Failure> {
    let generator = Generator::new(args.seed, args.products);
    let mut out = BufWriter::new(io::stdout().lock());
    for number in 0..args.count {
        match writeln!(out, "{}", generator.line(number)) {
            // The reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Verdict::Good),
            written => written?,
        }
    }
    out.flush()?;
    Ok(Verdict::Good)
}
