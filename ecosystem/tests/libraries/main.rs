//! One file per library, one body per test, run alone and beside tasks that block (`everywhere.rs`).
//!
//! One binary, because linking takes longer than the tests. Tests that need a server have its name in theirs, so that
//! `cargo xtask ecosystem` can leave them out.
#![allow(clippy::unwrap_used)]

mod everywhere;
mod grpc_tonic;
mod http_axum;
mod http_hyper;
mod http_reqwest;
mod http_server;
mod kv_redis;
mod limiter_redis;
mod pool_postgres;
mod pool_rusqlite;
mod sql_postgres;
mod tokio_fs;
mod tokio_io;
mod tokio_process;
mod tokio_signal;
mod tokio_sync;
mod tokio_task;
mod tokio_time;
