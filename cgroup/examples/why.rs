//! Prints what limits this process, and who says so: one line for CPU, one for memory.
//!
//! `cargo run -p tidemill-cgroup --example why`

use tidemill_cgroup::{cpu_limit, memory_limit};

fn main() {
    println!("{}", cpu_limit());
    match memory_limit() {
        Some(limit) => println!("{limit}"),
        None => println!("no memory limit"),
    }
}
