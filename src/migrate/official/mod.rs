//! Records of the official library (spec 08).
//!
//! Decoding and encoding a sound record again is byte-identical. Encodings hold private keys: they come
//! in buffers that wipe themselves.
//!
//! | record of spec 08 | here |
//! |---|---|
//! | SessionRecord (§1) | [`decode_session`], [`encode_session`] |
//! | PreKeyRecord, SignedPreKeyRecord, KyberPreKeyRecord (§2) | [`decode_pre_key`] and so on |
//! | IdentityKeyPair (§2) | [`IdentityKeyPair::decode`](crate::keys::IdentityKeyPair::decode), `encode` |
//! | a peer's identity: its 33 bytes | [`IdentityKey::decode`](crate::keys::IdentityKey::decode), `encode` |
//! | SenderKeyRecord (§2.1) | [`decode_sender_key`], [`encode_sender_key`] |
//!
//! The library has no record for registration ids, addresses, the trust in an identity, and the base keys that
//! a last-resort pre-key has met: those are in the application's own tables (`docs/migration.md`).

mod chain;
mod prekey;
mod sender_key;
mod session;

pub use prekey::{
    decode_kem_pre_key, decode_pre_key, decode_signed_pre_key, encode_kem_pre_key, encode_pre_key,
    encode_signed_pre_key,
};
pub use sender_key::{decode_sender_key, encode_sender_key};
pub use session::{decode_session, encode_session};
