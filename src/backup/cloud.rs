//! What a cloud sees of a backup besides its files: the `mcrypt1` blob, and names of files (spec 24 §4;
//! one source, to be treated as context).

use alloc::vec::Vec;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::BackupKey;
use crate::crypto::{cbc, hash, kdf};
use crate::error::Error;
use crate::secret::Secret;

/// The length of the initialisation vector, as it stands before it.
const IV_LENGTH: u8 = 0x10;
/// The length of the MAC, as it stands before it.
const MAC_LENGTH: u8 = 0x20;

/// The metadata of a backup, encrypted for a cloud:
/// `0x10 ‖ iv16 ‖ 0x20 ‖ hmac32 ‖ AES-256-CBC(metaEncKey, iv, JSON)` with `hmac32 = HMAC(metaAuthKey, iv ‖ ct)`.
///
/// The blob is bytes here; a cloud has it in base64.
pub struct CloudMetadata {
    encryption: Secret<32>,
    authentication: Secret<32>,
}

impl CloudMetadata {
    /// Derives the two keys.
    #[must_use]
    pub fn new(key: &BackupKey) -> Self {
        Self {
            encryption: key.metadata_encryption_key(),
            authentication: key.metadata_authentication_key(),
        }
    }

    /// Encrypts `json`. Draws the 16 bytes of the initialisation vector.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when no buffer can be that long.
    pub fn seal(&self, json: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, Error> {
        let iv = Secret::<16>::random(rng);
        let length = cbc::ciphertext_len(json.len()).ok_or(Error::InvalidArgument)?;
        let mut ciphertext = alloc::vec![0; length];
        cbc::encrypt(&self.encryption, &iv, json, &mut ciphertext)?;
        let mac = kdf::hmac(self.authentication.expose(), &[iv.expose(), &ciphertext]);
        Ok([&[IV_LENGTH], &iv.expose()[..], &[MAC_LENGTH], mac.expose(), &ciphertext].concat())
    }

    /// Verifies and decrypts a blob.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] for anything that [`seal`](Self::seal) did not make under this key.
    pub fn open(&self, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (iv, mac, ciphertext) = split(blob).ok_or(Error::Rejected)?;
        let expected = kdf::hmac(self.authentication.expose(), &[iv, ciphertext]);
        if !bool::from(expected.expose().ct_eq(mac)) {
            return Err(Error::Rejected);
        }
        let mut json = Zeroizing::new(ciphertext.to_vec());
        let length = cbc::decrypt_in_place(&self.encryption, &Secret::new(*iv), &mut json)?;
        json.truncate(length);
        Ok(json)
    }
}

fn split(blob: &[u8]) -> Option<(&[u8; 16], &[u8; 32], &[u8])> {
    let rest = blob.strip_prefix(&[IV_LENGTH])?;
    let (iv, rest) = rest.split_first_chunk()?;
    let rest = rest.strip_prefix(&[MAC_LENGTH])?;
    let (mac, ciphertext) = rest.split_first_chunk()?;
    Some((iv, mac, ciphertext))
}

impl BackupKey {
    /// The name of a file in the cloud: `HMAC-SHA-256(K, SHA-256(name) ‖ md5)`, as one downloader reports
    /// it; `md5` is that of the file.
    #[must_use]
    pub fn cloud_file_name(&self, name: &str, md5: &[u8; 16]) -> [u8; 32] {
        let name = hash::sha256(&[name.as_bytes()]);
        kdf::hmac(self.secret().expose(), &[&name, md5]).into_bytes()
    }
}
