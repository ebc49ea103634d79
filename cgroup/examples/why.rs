//! Prints what limits this process, who says so, and what comes of it: one line for each fact.
//!
//! `cargo run -p tidemill-cgroup --example why`

use tidemill_cgroup::{Resource, cpu_limit, memory_limit, pressure, throttling};

fn main() {
    println!("{}", cpu_limit());
    println!("{}", throttling());
    println!("{}", memory_limit());
    for resource in [Resource::Cpu, Resource::Memory, Resource::Io] {
        println!("{}", pressure(resource));
    }
}
