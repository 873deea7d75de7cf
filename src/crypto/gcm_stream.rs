//! AES-256-GCM with a 16-byte nonce and without associated data, over a stream (NIST SP 800-38D).
//!
//! `aes-gcm` wants the whole message at once; a backup does not fit into memory. This file joins the
//! same crates' counter mode and GHASH as the standard says, and a test compares it with `aes-gcm`.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::error::Error;
use crate::secret::Secret;

/// Length of the nonce in bytes.
pub(crate) const NONCE_LENGTH: usize = 16;
/// Length of the tag in bytes.
pub(crate) const TAG_LENGTH: usize = 16;
/// The most that one key and nonce may encrypt: 2^36 - 32 bytes (SP 800-38D §5.2.1.1).
const MAX_LENGTH: u64 = (1 << 36) - 32;

/// The state of one message.
pub(crate) struct GcmStream {
    keystream: ctr::Ctr32BE<Aes256>,
    ghash: GHash,
    /// `E(K, J0)`, which masks the tag.
    mask: [u8; TAG_LENGTH],
    /// Ciphertext bytes that do not fill a block of GHASH yet.
    pending: [u8; 16],
    pending_len: usize,
    length: u64,
}

impl GcmStream {
    /// Starts a message.
    pub(crate) fn new(key: &Secret<32>, nonce: &[u8; NONCE_LENGTH]) -> Self {
        let cipher = Aes256::new(key.expose().into());
        // H = E(K, 0^128)
        let mut h = Array::default();
        cipher.encrypt_block(&mut h);
        let ghash = GHash::new(&h);
        h.zeroize();
        // J0 = GHASH_H(IV || 0^64 || [128]_64), the rule for nonces that are not of 96 bits
        let mut lengths = [0; 16];
        lengths[8..].copy_from_slice(&128u64.to_be_bytes());
        let mut j0 = ghash.clone();
        j0.update(&[(*nonce).into(), lengths.into()]);
        let j0 = j0.finalize();
        let mut mask = j0;
        cipher.encrypt_block(&mut mask);
        // the message's key stream begins at inc32(J0)
        let mut keystream = ctr::Ctr32BE::<Aes256>::new(key.expose().into(), &j0);
        let mut skipped = [0; 16];
        keystream.apply_keystream(&mut skipped);
        skipped.zeroize();
        Self { keystream, ghash, mask: mask.into(), pending: [0; 16], pending_len: 0, length: 0 }
    }

    /// Encrypts the next bytes in place.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] beyond 2^36 - 32 bytes in all.
    pub(crate) fn encrypt(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.count(buffer.len())?;
        self.keystream.try_apply_keystream(buffer).map_err(|_| Error::InvalidArgument)?;
        self.absorb(buffer);
        Ok(())
    }

    /// Decrypts the next bytes in place. They are **not authentic** before [`verify`](Self::verify).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] beyond 2^36 - 32 bytes in all.
    pub(crate) fn decrypt(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.authenticate(buffer)?;
        self.keystream.try_apply_keystream(buffer).map_err(|_| Error::InvalidArgument)
    }

    /// Absorbs ciphertext without decrypting it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] beyond 2^36 - 32 bytes in all.
    pub(crate) fn authenticate(&mut self, ciphertext: &[u8]) -> Result<(), Error> {
        self.count(ciphertext.len())?;
        self.absorb(ciphertext);
        Ok(())
    }

    /// The tag of what was absorbed so far; the message goes on.
    pub(crate) fn current_tag(&self) -> [u8; TAG_LENGTH] {
        // the last block is filled with zeros, then come the lengths of A and C in bits
        let mut ghash = self.ghash.clone();
        if let Some(last) = self.pending.get(..self.pending_len) {
            ghash.update_padded(last);
        }
        let mut lengths = [0; 16];
        lengths[8..].copy_from_slice(&self.length.saturating_mul(8).to_be_bytes());
        ghash.update(&[lengths.into()]);
        // T = GHASH_H(C...) xor E(K, J0)
        let mut tag: [u8; TAG_LENGTH] = ghash.finalize().into();
        for (byte, mask) in tag.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        tag
    }

    /// The tag of the whole message.
    pub(crate) fn tag(mut self) -> [u8; TAG_LENGTH] {
        let tag = self.current_tag();
        self.mask.zeroize();
        tag
    }

    /// Compares the tag in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when it does not fit.
    pub(crate) fn verify(self, tag: &[u8; TAG_LENGTH]) -> Result<(), Error> {
        if self.tag().ct_eq(tag).into() { Ok(()) } else { Err(Error::Rejected) }
    }

    fn count(&mut self, more: usize) -> Result<(), Error> {
        let length = u64::try_from(more)
            .ok()
            .and_then(|more| self.length.checked_add(more))
            .filter(|length| *length <= MAX_LENGTH)
            .ok_or(Error::InvalidArgument)?;
        self.length = length;
        Ok(())
    }

    fn absorb(&mut self, mut bytes: &[u8]) {
        if self.pending_len > 0 {
            let room = self.pending.iter_mut().skip(self.pending_len);
            let taken = room.zip(bytes).map(|(to, from)| *to = *from).count();
            self.pending_len = self.pending_len.saturating_add(taken);
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.pending_len < 16 {
                return;
            }
            self.ghash.update(&[self.pending.into()]);
            self.pending_len = 0;
        }
        let (blocks, rest) = Array::slice_as_chunks(bytes);
        self.ghash.update(blocks);
        self.pending_len = self.pending.iter_mut().zip(rest).map(|(to, from)| *to = *from).count();
    }
}

#[cfg(test)]
mod tests {
    use aes_gcm::aead::AeadInOut;
    use aes_gcm::aead::consts::U16;
    use aes_gcm::{AesGcm, KeyInit};

    use super::*;

    #[test]
    fn the_stream_equals_aes_gcm_at_every_length_and_cut() {
        let key = Secret::new([7; 32]);
        let nonce = [9; 16];
        for length in 0..70 {
            let message: alloc::vec::Vec<u8> = (0..length).collect();
            let mut expected = message.clone();
            let tag = AesGcm::<Aes256, U16>::new(key.expose().into())
                .encrypt_inout_detached(&nonce.into(), &[], expected.as_mut_slice().into())
                .map(<[u8; 16]>::from)
                .unwrap_or_default();
            for cut in 0..=message.len() {
                let mut buffer = message.clone();
                let (left, right) = buffer.split_at_mut(cut);
                let mut stream = GcmStream::new(&key, &nonce);
                assert!(stream.encrypt(left).is_ok() && stream.encrypt(right).is_ok());
                assert_eq!(stream.tag(), tag);
                assert_eq!(buffer, expected);
                let (left, right) = buffer.split_at_mut(cut);
                let mut stream = GcmStream::new(&key, &nonce);
                assert!(stream.decrypt(left).is_ok() && stream.decrypt(right).is_ok());
                assert_eq!(stream.verify(&tag), Ok(()));
                assert_eq!(buffer, message);
            }
        }
    }
}
