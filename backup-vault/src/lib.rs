#![doc = include_str!("../README.md")]

mod client;
mod error;
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod suite;

pub use client::{VaultLogin, VaultRegistration, VaultUnlock};
pub use error::{ClientError, VaultError};
pub use server::{BackupVaultServer, Limits, LoginAnswer, Vault};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteVaultStore;
pub use store::{Account, MemoryVaultStore, VaultRecord, VaultStore};
