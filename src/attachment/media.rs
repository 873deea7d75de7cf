//! Keys and lengths of the WhatsApp media format (spec 21 §2, §3).

use rand_core::CryptoRng;

use super::MediaKind;
use crate::crypto::kdf;
use crate::error::Error;
use crate::secret::Secret;

/// Length of the truncated MAC at the end of a blob, in bytes.
pub(super) const MAC_LENGTH: usize = 10;
/// Length of the shortest blob, that of an empty file: one block and the MAC.
pub(super) const BLOB_MIN: u64 = 26;

/// The 32-byte `mediaKey`, fresh for every file and sent inside the encrypted message.
#[derive(Debug, PartialEq, Eq)]
pub struct MediaKey(Secret<32>);

impl MediaKey {
    /// Draws 32 bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Takes the 32 bytes that came in a message.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Secret::from_slice(bytes).map(Self).ok_or(Error::InvalidArgument)
    }

    /// The 32 bytes, to be put into the message.
    #[must_use]
    pub const fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The four keys of a file of this kind.
    #[must_use]
    pub fn derive(&self, kind: MediaKind<'_>) -> MediaKeys {
        // okm = HKDF(mediaKey, 0s, info(type), 112)
        let okm: Secret<112> = kdf::hkdf(None, self.0.expose(), &[kind.info().as_bytes()]);
        MediaKeys {
            iv: kdf::part::<112, 0, 16>(&okm),
            cipher_key: kdf::part::<112, 16, 32>(&okm),
            mac_key: kdf::part::<112, 48, 32>(&okm),
            ref_key: kdf::part::<112, 80, 32>(&okm),
        }
    }
}

/// What one [`MediaKey`] gives for one kind: `iv || cipherKey || macKey || refKey` (spec 21 §2).
#[derive(Debug)]
pub struct MediaKeys {
    pub(super) iv: Secret<16>,
    pub(super) cipher_key: Secret<32>,
    pub(super) mac_key: Secret<32>,
    ref_key: Secret<32>,
}

impl MediaKeys {
    /// The initialisation vector, 16 bytes. It is not stored in the file.
    #[must_use]
    pub const fn iv(&self) -> &Secret<16> {
        &self.iv
    }

    /// The AES-256 key.
    #[must_use]
    pub const fn cipher_key(&self) -> &Secret<32> {
        &self.cipher_key
    }

    /// The HMAC key.
    #[must_use]
    pub const fn mac_key(&self) -> &Secret<32> {
        &self.mac_key
    }

    /// The reference key, which clients do not use.
    #[must_use]
    pub const fn ref_key(&self) -> &Secret<32> {
        &self.ref_key
    }

    /// Length of the blob of a file: `(length / 16 + 1) * 16 + 10`; `None` beyond `u64`.
    #[must_use]
    pub const fn blob_len(file_length: u64) -> Option<u64> {
        match file_length.checked_add(26) {
            Some(n) => Some(n.saturating_sub(file_length % 16)),
            None => None,
        }
    }
}

/// What the message says about the file, as far as it says it (spec 21 §1).
///
/// A hash that is given must fit. [`all_present`](Self::all_present) is the strict mode: some
/// senders leave hashes out, and an app may refuse these.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct MediaHashes {
    /// SHA-256 of the plaintext.
    pub file_sha256: Option<[u8; 32]>,
    /// SHA-256 of the blob.
    pub file_enc_sha256: Option<[u8; 32]>,
    /// Length of the plaintext in bytes. Advisory: some senders give wrong values, so a difference
    /// is reported, not refused.
    pub file_length: Option<u64>,
}

impl MediaHashes {
    /// Takes hashes as a message carries them; absent or empty is `None`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a hash of another length than 32.
    pub fn from_fields(
        file_sha256: Option<&[u8]>,
        file_enc_sha256: Option<&[u8]>,
        file_length: Option<u64>,
    ) -> Result<Self, Error> {
        Ok(Self {
            file_sha256: hash(file_sha256)?,
            file_enc_sha256: hash(file_enc_sha256)?,
            file_length,
        })
    }

    /// Whether both hashes are there.
    #[must_use]
    pub const fn all_present(&self) -> bool {
        self.file_sha256.is_some() && self.file_enc_sha256.is_some()
    }
}

fn hash(field: Option<&[u8]>) -> Result<Option<[u8; 32]>, Error> {
    match field {
        None | Some([]) => Ok(None),
        Some(bytes) => bytes.try_into().map(Some).map_err(|_| Error::InvalidArgument),
    }
}
