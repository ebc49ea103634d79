#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod find;
mod folder;
mod postgres;
mod redis;

pub use find::{SERVERS, Server};
pub use postgres::Postgres;
pub use redis::Redis;
