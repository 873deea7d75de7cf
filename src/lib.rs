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
pub mod wire;
pub mod prekey;
// Floor 3
mod handshake;
mod ratchet;

pub use address::{Address, DeviceId, ServiceId, ServiceIdKind};
pub use dialect::{Dialect, Policy};
pub use error::Error;
pub use secret::Secret;
pub use time::Timestamp;
