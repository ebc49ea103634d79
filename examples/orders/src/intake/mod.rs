//! HTTP in and out, on tidemill's server: a task for each connection, and one deadline for each order.
//!
//! Two paths lead to an order. **Naive** is a route of the axum router, as the book says. **Tuned** is
//! taken out of the stream of requests before any routing, reads the body where it lies and answers
//! without a box. Everything else goes through the router in both.

mod answer;
mod body;
mod router;
mod server;
mod vars;

pub use server::serve;
