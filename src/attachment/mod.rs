//! Files of any size, encrypted as streams in constant memory.
//!
//! | file | what | specification |
//! |---|---|---|
//! | [`MediaKind`], [`MediaKey`] | per-kind keys of the WhatsApp format | 21 §2 |
//! | [`MediaEncryptor`] | WhatsApp format: `ct || mac10`, both hashes, streaming side-car | 21 §3, §4 |
//! | [`MediaVerifier`], [`MediaDecryptor`], [`MediaRange`] | the way back, whole, while downloading, or by range | 21 §3 to §5 |
//! | [`MediaRetryKey`] | asking the sender's phone for a new upload | 21 §7 |
//! | [`AttachmentKey`], [`AttachmentEncryptor`] | Signal format: `iv || ct || mac`, padding buckets, digest | 09 §2 |
//! | [`AttachmentVerifier`], [`AttachmentDecryptor`] | the way back | 09 §2 |
//! | [`IncrementalMac`], [`IncrementalMacValidator`] | verification while receiving | 09 §1 |
//!
//! # Plaintext is verified first
//!
//! No decryptor hands out a byte that no MAC has covered. What covers it is the sender's side-car
//! (WhatsApp) or incremental MAC (Signal), in chunks of 64 KiB and more. Where the sender gave none,
//! the file is read twice: a verifier reads it once, checks MAC and hash of the whole, and notes a
//! short MAC of every chunk (10 or 32 bytes per 64 KiB); the decryptor reads it again and checks
//! every chunk against these notes, so that a file which changed in between is refused as well.
//!
//! Every encryptor, verifier and decryptor is a [`Transform`]: push bytes in, take bytes out. With
//! `std`, [`TransformReader`] and [`TransformWriter`] put one between a `Read` or `Write`, and
//! [`MediaReader`] seeks in an encrypted file.

mod blocks;
mod first_pass;
mod incremental_mac;
#[cfg(feature = "std")]
mod io;
mod kind;
mod media;
mod media_decrypt;
mod media_encrypt;
mod media_range;
mod retry;
mod sidecar;
mod signal;
mod signal_decrypt;

use alloc::vec::Vec;

use crate::error::Error;

pub use incremental_mac::{
    IncrementalDigest, IncrementalMac, IncrementalMacValidator, incremental_mac_chunk_size,
};
#[cfg(feature = "std")]
pub use io::{MediaReader, TransformReader, TransformWriter, transform};
pub use kind::MediaKind;
pub use media::{MediaHashes, MediaKey, MediaKeys};
pub use media_decrypt::{MediaDecryptor, MediaReport, MediaVerifier, VerifiedMedia};
pub use media_encrypt::{EncryptedMedia, MediaEncryptor};
pub use media_range::MediaRange;
pub use retry::{MediaRetryKey, RetryPayload};
pub use sidecar::Sidecar;
pub use signal::{
    AttachmentEncryptor, AttachmentKey, EncryptedAttachment, IncrementalCoverage,
    attachment_padded_len,
};
pub use signal_decrypt::{
    AttachmentDecryptor, AttachmentReport, AttachmentVerifier, VerifiedAttachment,
};

/// A stream turned into another one, in constant memory: the push interface of this module.
///
/// Give every piece of the input to [`update`](Self::update), call [`drain`](Self::drain) until it
/// returns `false`, then [`finish`](Self::finish). Any cut of the input gives the same output.
/// After an error the object must not be used further; it refuses.
pub trait Transform {
    /// What is known at the end.
    type Report;

    /// Takes the next bytes and appends to `output` what they complete. `output` grows by about as
    /// much as `input` holds, plus at most one chunk.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] where a chunk does not verify. Nothing of that chunk is in `output`.
    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error>;

    /// After the last input: appends up to 64 KiB that are still to come before the end, such as
    /// padding. `false` when there is none left.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    fn drain(&mut self, output: &mut Vec<u8>) -> Result<bool, Error> {
        let _ = output;
        Ok(false)
    }

    /// Ends the stream and appends its last bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] where the stream as a whole does not verify or is cut short. The last
    /// chunk is not in `output` then.
    fn finish(self, output: &mut Vec<u8>) -> Result<Self::Report, Error>;
}
