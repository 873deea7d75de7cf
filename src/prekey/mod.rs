//! Pre-keys and bundles (spec 02).
//!
//! A device publishes one-time, signed and KEM pre-keys; a [`PreKeyBundle`] holds one of each, so
//! that a peer can start a session with a device that is offline.

mod bundle;
mod key;
mod replay_guard;

pub use bundle::{BundleKemPreKey, BundlePreKey, BundleSignedPreKey, PreKeyBundle};
pub use key::{KemPreKey, PreKey, PreKeyId, SignedPreKey};
pub use replay_guard::ReplayGuard;
