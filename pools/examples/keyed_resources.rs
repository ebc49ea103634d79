//! A pool of connections for each tenant, and one bound over all of them: whoever is idle for longest makes room.
//!
//! `cargo run -p tidemill-pools --example keyed_resources`

use std::{convert::Infallible, time::Duration};

use tidemill_pools::{KeyedResourcePool, Manager, ResourcePool};

struct Tenant(&'static str);

impl Manager for Tenant {
    type Resource = String;
    type Error = Infallible;

    async fn create(&self) -> Result<String, Infallible> {
        println!("  connecting for {}", self.0);
        Ok(format!("a connection of {}", self.0))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tenants = KeyedResourcePool::builder(|name: &&'static str| ResourcePool::builder(Tenant(name)).max(2))
        .max_total(3) // try: 10, and nobody has to make room
        .build()?;

    for name in ["acme", "initech", "acme", "umbrella", "globex"] {
        let connection = tenants.of(&name)?.get().await?;
        println!("{name} has {}", *connection);
    }
    println!("{:?}", tenants.total());
    let left = tenants.drain(Duration::from_secs(1)).await;
    println!("still in use after the drain: {}", left.len());
    Ok(())
}
