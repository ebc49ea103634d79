//! What a pool has to know about its resources: how one is made, proven, and closed.

use std::{error::Error, future::Future};

/// Makes, proves and closes the resources of a [`ResourcePool`](crate::ResourcePool).
///
/// ```
/// use tidemill_pools::Manager;
/// # struct Client;
/// # impl Client {
/// #     async fn connect(_: &str) -> std::io::Result<Self> { Ok(Self) }
/// #     async fn ping(&mut self) -> std::io::Result<()> { Ok(()) }
/// # }
///
/// struct Database { address: String }
///
/// impl Manager for Database {
///     type Resource = Client;
///     type Error = std::io::Error;
///
///     async fn create(&self) -> Result<Client, Self::Error> {
///         Client::connect(&self.address).await
///     }
///
///     async fn validate(&self, client: &mut Client) -> Result<(), Self::Error> {
///         client.ping().await
///     }
/// }
/// ```
pub trait Manager: Send + Sync + 'static {
    /// What is pooled.
    type Resource: Send + 'static;
    /// Why one could not be made or is of no use any more.
    type Error: Error + Send + Sync + 'static;

    /// Makes a resource. Called by a task of the pool's, never by the one that waits for a resource. Dropped if it takes
    /// longer than the builder's `step_timeout`; a panic counts as a failure.
    fn create(&self) -> impl Future<Output = Result<Self::Resource, Self::Error>> + Send;

    /// Proves that an idle resource still works, and readies it for its next user (deadpool's *recycle*). Called on checkout as
    /// the builder's `validate` says, and for keep-alive. An error closes the resource. If the future is dropped, because the
    /// caller gave up, the resource is closed as well: what state it was left in is unknown.
    fn validate(&self, resource: &mut Self::Resource) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = resource;
        async { Ok(()) }
    }

    /// Whether the resource is known to be of no use, without asking anybody. Called on each checkout and each return; it
    /// has to be quick.
    fn is_broken(&self, resource: &Self::Resource) -> bool {
        let _ = resource;
        false
    }

    /// Closes a resource, in a task of its own; its place is free for another one afterwards. Default: drops it.
    fn close(&self, resource: Self::Resource) -> impl Future<Output = ()> + Send {
        async move { drop(resource) }
    }
}
