//! Encrypting a file in the Signal format (spec 09 §2): `IV || ct || HMAC(IV || ct)`.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::blocks::{BlockEncryptor, PIECE};
use super::{IncrementalDigest, IncrementalMac, Transform, incremental_mac_chunk_size};
use crate::crypto::hash::Sha256Stream;
use crate::crypto::kdf::{self, HmacKey, HmacStream};
use crate::error::Error;
use crate::secret::Secret;

/// Length of the MAC at the end of a blob, in bytes.
pub(super) const MAC_LENGTH: usize = 32;
/// IV, one block, MAC: the shortest blob, in bytes.
pub(super) const BLOB_MIN: u64 = 64;

/// The 64-byte attachment key: AES-256 key, then HMAC key. Fresh for every file.
#[derive(Debug, PartialEq, Eq)]
pub struct AttachmentKey(Secret<64>);

impl AttachmentKey {
    /// Draws 64 bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Takes the 64 bytes that came in a message.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Secret::from_slice(bytes).map(Self).ok_or(Error::InvalidArgument)
    }

    /// The 64 bytes, to be put into the message.
    #[must_use]
    pub const fn secret(&self) -> &Secret<64> {
        &self.0
    }

    pub(super) fn halves(&self) -> (Secret<32>, Secret<32>) {
        kdf::halves(&self.0)
    }
}

/// The length that a plaintext of `size` bytes is padded to (spec 09 §2):
/// `max(541, floor(1.05 ^ ceil(log_1.05(size))))`, so that a blob's length tells little.
///
/// In IEEE doubles, as deployed. Never below `size`.
#[must_use]
pub fn attachment_padded_len(size: u64) -> u64 {
    const BASE: f64 = 1.05;
    const MIN: u64 = 541;
    // doubles hold every length up to 2^53 exactly; beyond it the bucket is rounded like the rest
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    #[allow(clippy::arithmetic_side_effects)] // floating point does not overflow
    let bucket = {
        let exponent = libm::ceil(libm::log(size.max(1) as f64) / libm::log(BASE));
        libm::floor(libm::pow(BASE, exponent)) as u64
    };
    bucket.max(MIN).max(size)
}

/// What the incremental MAC of an attachment runs over.
///
/// The specification could not determine whether it covers the MAC at the end of the blob; both are
/// here, and sender and receiver must agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IncrementalCoverage {
    /// `IV || ct || MAC`, the bytes as transmitted.
    WholeBlob,
    /// `IV || ct`.
    WithoutMac,
}

/// Encrypts one file. One pass, constant memory.
pub struct AttachmentEncryptor {
    cipher: BlockEncryptor,
    iv: Option<[u8; 16]>,
    mac: HmacStream,
    blob: Sha256Stream,
    incremental: Option<(IncrementalMac, IncrementalCoverage)>,
    /// The length that was promised, where one was.
    size: Option<u64>,
    length: u64,
    padding: Option<u64>,
}

/// What the message says about an encrypted file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncryptedAttachment {
    /// SHA-256 of the whole blob.
    pub digest: [u8; 32],
    /// True length of the plaintext in bytes, without the padding.
    pub size: u64,
    /// The incremental MAC, where it was asked for.
    pub incremental: Option<IncrementalDigest>,
}

impl AttachmentEncryptor {
    /// Starts a file. Draws the 16 bytes of the IV.
    pub fn new(key: &AttachmentKey, rng: &mut impl CryptoRng) -> Self {
        let mut iv = [0; 16];
        rng.fill_bytes(&mut iv);
        let (cipher_key, mac_key) = key.halves();
        Self {
            cipher: BlockEncryptor::new(&cipher_key, &iv),
            iv: Some(iv),
            mac: HmacKey::new(mac_key.expose()).stream(),
            blob: Sha256Stream::new(),
            incremental: None,
            size: None,
            length: 0,
            padding: None,
        }
    }

    /// Starts a file of exactly `size` bytes with an incremental MAC, whose chunk size follows from
    /// the length of the blob. Draws the 16 bytes of the IV.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when the blob's length exceeds `u64`.
    pub fn with_incremental_mac(
        key: &AttachmentKey,
        size: u64,
        coverage: IncrementalCoverage,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let blob_length = Self::blob_len(size).ok_or(Error::InvalidArgument)?;
        let (_, mac_key) = key.halves();
        let chunk_size = incremental_mac_chunk_size(blob_length);
        let mac = IncrementalMac::new(mac_key.expose(), chunk_size)?;
        let mut this = Self::new(key, rng);
        this.incremental = Some((mac, coverage));
        this.size = Some(size);
        Ok(this)
    }

    /// Length of the blob of a file of `size` bytes; `None` beyond `u64`.
    #[must_use]
    pub fn blob_len(size: u64) -> Option<u64> {
        let padded = attachment_padded_len(size);
        padded.checked_add(64)?.checked_sub(padded % 16)
    }

    fn absorb(&mut self, bytes: &[u8]) {
        self.mac.update(bytes);
        self.blob.update(bytes);
        if let Some((incremental, _)) = &mut self.incremental {
            incremental.update(bytes);
        }
    }

    /// The IV goes out, and into the MAC, before the first ciphertext.
    fn begin(&mut self, output: &mut Vec<u8>) {
        if let Some(iv) = self.iv.take() {
            output.extend_from_slice(&iv);
            self.absorb(&iv);
        }
    }

    fn encrypt(&mut self, plaintext: &[u8], output: &mut Vec<u8>) {
        self.begin(output);
        output.reserve(plaintext.len().saturating_add(16));
        for piece in plaintext.chunks(PIECE) {
            let start = output.len();
            self.cipher.update(piece, output);
            self.absorb(output.get(start..).unwrap_or_default());
        }
    }
}

impl Transform for AttachmentEncryptor {
    type Report = EncryptedAttachment;

    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let more = u64::try_from(input.len()).map_err(|_| Error::InvalidArgument)?;
        let length = self.length.checked_add(more).ok_or(Error::InvalidArgument)?;
        if self.padding.is_some() || self.size.is_some_and(|size| length > size) {
            return Err(Error::InvalidArgument);
        }
        self.length = length;
        self.encrypt(input, output);
        Ok(())
    }

    fn drain(&mut self, output: &mut Vec<u8>) -> Result<bool, Error> {
        const ZEROS: [u8; PIECE] = [0; PIECE];
        // zero bytes up to the bucket
        let total = attachment_padded_len(self.length).saturating_sub(self.length);
        let missing = self.padding.unwrap_or(total);
        let take = usize::try_from(missing).unwrap_or(PIECE).min(PIECE);
        self.encrypt(ZEROS.get(..take).unwrap_or_default(), output);
        let left = missing.saturating_sub(u64::try_from(take).unwrap_or(0));
        self.padding = Some(left);
        Ok(left > 0)
    }

    fn finish(mut self, output: &mut Vec<u8>) -> Result<EncryptedAttachment, Error> {
        if self.size.is_some_and(|size| size != self.length) {
            return Err(Error::InvalidArgument);
        }
        while self.padding != Some(0) {
            self.drain(output)?;
        }
        let mut last = Vec::with_capacity(16);
        self.cipher.finish(&mut last);
        output.extend_from_slice(&last);
        self.mac.update(&last);
        self.blob.update(&last);
        // HMAC(mac key, IV || ciphertext), in full
        let mac = self.mac.finish();
        output.extend_from_slice(&mac);
        self.blob.update(&mac);
        let incremental = self.incremental.map(|(mut incremental, coverage)| {
            incremental.update(&last);
            if coverage == IncrementalCoverage::WholeBlob {
                incremental.update(&mac);
            }
            incremental.finish()
        });
        Ok(EncryptedAttachment { digest: self.blob.finish(), size: self.length, incremental })
    }
}
