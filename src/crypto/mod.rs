//! Floor 1: the primitives. The only place that names the cryptography crates.
//!
//! | file | what | crate behind it |
//! |---|---|---|
//! | [`x25519`] | key agreement (RFC 7748) with the all-zero check | x25519-dalek |
//! | [`xeddsa`] | signatures by X25519 keys, the canonical check | curve25519-dalek, ed25519-dalek |
//! | [`hash`] | SHA-256, SHA-512, MD5 as a checksum | sha2, md-5 |
//! | [`kdf`] | HMAC-SHA-256, HMAC-SHA-512, HMAC-SHA-1, HKDF-SHA-256, PBKDF2 | hmac, hkdf, pbkdf2, sha2, sha1 |
//! | [`cbc`] | AES-256-CBC with PKCS#7 padding, whole or as a stream | aes, cbc |
//! | [`ctr`] | AES-128-CTR, AES-256-CTR | aes, ctr |
//! | [`gcm_siv`] | AES-256-GCM-SIV | aes-gcm-siv |
//! | [`aead`] | AES-256-GCM, AES-128-GCM with a 16-byte nonce | aes-gcm |
//! | [`gcm_stream`] | AES-256-GCM with a 16-byte nonce, over a stream | aes, ctr, ghash |
//! | [`hpke`] | HPKE with X25519, HKDF-SHA-256, AES-256-GCM | hpke |
//! | [`kem`] | Kyber1024, ML-KEM-1024, split ML-KEM-768 | libcrux-ml-kem |

pub(crate) mod aead;
pub(crate) mod cbc;
pub(crate) mod ctr;
pub(crate) mod gcm_siv;
pub(crate) mod gcm_stream;
pub(crate) mod hash;
pub(crate) mod hpke;
pub(crate) mod kdf;
pub(crate) mod kem;
#[cfg(test)]
mod wycheproof;
pub(crate) mod x25519;
pub(crate) mod xeddsa;
