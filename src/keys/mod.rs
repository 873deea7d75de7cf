//! Curve25519 and KEM keys, identity keys, alternate-identity signatures (spec 01).

mod curve;
mod identity;
mod kem;

pub use curve::{KeyPair, PrivateKey, PublicKey, Signature};
pub use identity::{IdentityKey, IdentityKeyPair};
pub use kem::{KemCiphertext, KemKeyPair, KemPublicKey, KemSecretKey, KemType};
