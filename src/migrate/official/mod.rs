//! Records of the official library (spec 08).
//!
//! Decoding and encoding a sound record again is byte-identical. Encodings hold private keys: they come
//! in buffers that wipe themselves.

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
