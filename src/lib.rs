//! End-to-end encrypted messaging, wire-compatible with Signal.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// Floor 1
mod crypto;
mod dialect;
mod error;
mod secret;
mod time;
// Floor 2
pub mod address;
pub mod keys;
pub mod prekey;
pub mod store;
pub mod wire;
// Floor 3
mod handshake;
mod ratchet;
pub mod spqr;
// Floor 4
pub mod session;
// Floor 5
pub mod migrate;

pub use address::{Address, DeviceId, ServiceId, ServiceIdKind};
pub use dialect::{Dialect, Policy};
pub use error::Error;
pub use secret::Secret;
pub use store::{Changes, CommitError, MemoryStore, Record, RecordKey, SealedStore, Store};
pub use time::Timestamp;

/// The operating system's random generator. Panics when the system cannot give random bytes, which no
/// protocol step could survive.
#[cfg(feature = "getrandom")]
pub type OsRng = rand_core::UnwrapErr<getrandom::SysRng>;
pub use rand_core;
