#![doc = include_str!("../README.md")]

mod error;
mod schema;
mod store;

pub use error::SqliteError;
pub use rusqlite;
pub use store::{Durability, Options, SqliteStore};
