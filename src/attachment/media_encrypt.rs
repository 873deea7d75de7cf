//! Encrypting a file in the WhatsApp format (spec 21 §3): `blob = ct || HMAC(iv || ct)[0..10]`.

use alloc::vec::Vec;

use super::blocks::{BlockEncryptor, PIECE};
use super::media::{MAC_LENGTH, MediaKeys};
use super::sidecar::SidecarWriter;
use super::{Sidecar, Transform};
use crate::crypto::hash::Sha256Stream;
use crate::crypto::kdf::{HmacKey, HmacStream};
use crate::error::Error;

/// Encrypts one file. One pass, constant memory.
pub struct MediaEncryptor {
    cipher: BlockEncryptor,
    mac: HmacStream,
    file: Sha256Stream,
    blob: Sha256Stream,
    sidecar: Option<SidecarWriter>,
    length: u64,
}

/// What the message says about an encrypted file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncryptedMedia {
    /// `fileSha256`, over the plaintext.
    pub file_sha256: [u8; 32],
    /// `fileEncSha256`, over the blob.
    pub file_enc_sha256: [u8; 32],
    /// `fileLength`, of the plaintext, in bytes.
    pub file_length: u64,
    /// The truncated MAC, the last 10 bytes of the blob.
    pub mac: [u8; MAC_LENGTH],
    /// `streamingSidecar`, where it was asked for.
    pub sidecar: Option<Sidecar>,
}

impl MediaEncryptor {
    /// Starts a file. The keys are for this file alone.
    #[must_use]
    pub fn new(keys: &MediaKeys) -> Self {
        Self::start(keys, false)
    }

    /// Starts a file whose message carries a side-car: a video or a sound that plays while it loads.
    #[must_use]
    pub fn with_sidecar(keys: &MediaKeys) -> Self {
        Self::start(keys, true)
    }

    fn start(keys: &MediaKeys, with_sidecar: bool) -> Self {
        let mac_key = HmacKey::new(keys.mac_key.expose());
        // mac = HMAC(macKey, iv || ct): the IV is covered but not stored
        let mut mac = mac_key.stream();
        mac.update(keys.iv.expose());
        let sidecar = with_sidecar.then(|| {
            // S = iv || ct || mac
            let mut sidecar = SidecarWriter::new(mac_key);
            sidecar.update(keys.iv.expose());
            sidecar
        });
        Self {
            cipher: BlockEncryptor::new(&keys.cipher_key, keys.iv.expose()),
            mac,
            file: Sha256Stream::new(),
            blob: Sha256Stream::new(),
            sidecar,
            length: 0,
        }
    }

    fn absorb(&mut self, ciphertext: &[u8]) {
        self.mac.update(ciphertext);
        self.blob.update(ciphertext);
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.update(ciphertext);
        }
    }
}

impl Transform for MediaEncryptor {
    type Report = EncryptedMedia;

    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let more = u64::try_from(input.len()).map_err(|_| Error::InvalidArgument)?;
        self.length = self.length.checked_add(more).ok_or(Error::InvalidArgument)?;
        output.reserve(input.len().saturating_add(16));
        for piece in input.chunks(PIECE) {
            self.file.update(piece);
            let start = output.len();
            self.cipher.update(piece, output);
            self.absorb(output.get(start..).unwrap_or_default());
        }
        Ok(())
    }

    fn finish(mut self, output: &mut Vec<u8>) -> Result<EncryptedMedia, Error> {
        let mut last = Vec::with_capacity(16);
        let cipher = self.cipher;
        cipher.finish(&mut last);
        self.mac.update(&last);
        self.blob.update(&last);
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.update(&last);
        }
        output.extend_from_slice(&last);
        // mac = HMAC(..)[0..10];  blob = ct || mac;  fileEncSha256 = SHA-256(blob)
        let mut mac = [0; MAC_LENGTH];
        for (to, from) in mac.iter_mut().zip(self.mac.finish()) {
            *to = from;
        }
        self.blob.update(&mac);
        output.extend_from_slice(&mac);
        let sidecar = self.sidecar.map(|mut sidecar| {
            sidecar.update(&mac);
            sidecar.finish()
        });
        Ok(EncryptedMedia {
            file_sha256: self.file.finish(),
            file_enc_sha256: self.blob.finish(),
            file_length: self.length,
            mac,
            sidecar,
        })
    }
}
