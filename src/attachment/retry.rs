//! Media retry notifications (spec 21 §7): asking the sender's phone to upload an expired file again.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::MediaKey;
use crate::crypto::{aead, kdf};
use crate::error::Error;
use crate::secret::Secret;

/// The key of the retry messages about one file.
pub struct MediaRetryKey(Secret<32>);

/// An encrypted retry message: nonce and ciphertext with its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetryPayload {
    /// The nonce, 12 bytes.
    pub iv: [u8; aead::NONCE_LENGTH],
    /// Ciphertext, then the 16-byte tag.
    pub ciphertext: Vec<u8>,
}

impl MediaRetryKey {
    /// Derives the key from the file's media key.
    #[must_use]
    pub fn new(key: &MediaKey) -> Self {
        // k = HKDF(mediaKey, 0s, "WhatsApp Media Retry Notification", 32)
        let info: &[u8] = b"WhatsApp Media Retry Notification";
        Self(kdf::hkdf(None, key.secret().expose(), &[info]))
    }

    /// Encrypts an encoded `ServerErrorReceipt` or `MediaRetryNotification` about the message
    /// `stanza_id`. Draws the 12 bytes of the nonce.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] beyond the length limit of GCM.
    pub fn seal(
        &self,
        stanza_id: &str,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<RetryPayload, Error> {
        let mut iv = [0; aead::NONCE_LENGTH];
        rng.fill_bytes(&mut iv);
        let mut ciphertext = Vec::with_capacity(plaintext.len().saturating_add(aead::TAG_LENGTH));
        ciphertext.extend_from_slice(plaintext);
        // AES-256-GCM(k, iv, aad = stanzaId)
        let tag = aead::gcm_seal(&self.0, &iv, stanza_id.as_bytes(), &mut ciphertext)?;
        ciphertext.extend_from_slice(&tag);
        Ok(RetryPayload { iv, ciphertext })
    }

    /// Decrypts a retry message about `stanza_id`.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the tag does not fit.
    pub fn open(&self, stanza_id: &str, payload: &RetryPayload) -> Result<Vec<u8>, Error> {
        let (ciphertext, tag) =
            payload.ciphertext.split_last_chunk::<{ aead::TAG_LENGTH }>().ok_or(Error::Rejected)?;
        let mut plaintext = ciphertext.to_vec();
        aead::gcm_open(&self.0, &payload.iv, stanza_id.as_bytes(), &mut plaintext, tag)?;
        Ok(plaintext)
    }
}
