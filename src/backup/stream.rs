//! A sealed stream under the root key, for a device's own state. Own design, not WhatsApp's.
//!
//! `0x01 ‖ salt32 ‖ chunk ‖ chunk ‖ …`: each chunk is AES-256-GCM of 65,536 bytes of plaintext, of the last one
//! up to as many, with its tag. `key = HKDF(salt, K, label, 32)` is fresh for every stream; the nonce is the chunk's
//! number (8 bytes, big-endian), three zero bytes, and 1 for the last chunk or 0: the STREAM construction
//! (Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015). So chunks are handed out as they arrive, and
//! can be neither altered, nor moved, nor left out at the end.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::BackupKey;
use crate::crypto::{aead, kdf};
use crate::error::Error;
use crate::secret::Secret;

const VERSION: u8 = 1;
const LABEL: &[u8] = b"sandi device backup 1";
const SALT: usize = 32;
/// Version and salt.
const START: usize = 1 + SALT;
/// Plaintext of a chunk that is not the last.
pub(crate) const CHUNK: usize = 64 * 1024;
const SEALED: usize = CHUNK + aead::TAG_LENGTH;

fn key(root: &BackupKey, salt: &[u8; SALT]) -> Secret<32> {
    kdf::hkdf(Some(salt), root.secret().expose(), &[LABEL])
}

fn nonce(number: u64, last: bool) -> [u8; aead::NONCE_LENGTH] {
    let mut nonce = [0; aead::NONCE_LENGTH];
    for (to, from) in nonce.iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
    if let Some(flag) = nonce.last_mut() {
        *flag = u8::from(last);
    }
    nonce
}

/// Seals a stream. Holds one chunk.
pub(crate) struct StreamSealer {
    key: Secret<32>,
    start: Vec<u8>,
    number: u64,
    chunk: Zeroizing<Vec<u8>>,
}

impl StreamSealer {
    /// Starts a stream. Draws 32 bytes.
    pub(crate) fn new(root: &BackupKey, rng: &mut impl CryptoRng) -> Self {
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        Self {
            key: key(root, &salt),
            start: [&[VERSION], &salt[..]].concat(),
            number: 0,
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK)),
        }
    }

    /// Takes the next plaintext and appends the chunks that are complete.
    pub(crate) fn update(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        output.append(&mut self.start);
        while !input.is_empty() {
            // only when more follows: the last chunk may be a full one
            if self.chunk.len() == CHUNK {
                self.seal(false, output)?;
            }
            let room = CHUNK.saturating_sub(self.chunk.len());
            let (now, later) = input.split_at(room.min(input.len()));
            self.chunk.extend_from_slice(now);
            input = later;
        }
        Ok(())
    }

    /// Appends the last chunk.
    pub(crate) fn finish(mut self, output: &mut Vec<u8>) -> Result<(), Error> {
        output.append(&mut self.start);
        self.seal(true, output)
    }

    fn seal(&mut self, last: bool, output: &mut Vec<u8>) -> Result<(), Error> {
        let nonce = nonce(self.number, last);
        let tag = aead::gcm_seal(&self.key, &nonce, &[], &mut self.chunk)?;
        output.extend_from_slice(&self.chunk);
        output.extend_from_slice(&tag);
        self.chunk.clear();
        self.number = self.number.saturating_add(1);
        Ok(())
    }
}

/// Opens a stream. Holds one chunk.
pub(crate) struct StreamOpener {
    root: BackupKey,
    key: Option<Secret<32>>,
    number: u64,
    /// Version and salt until the key is there, then a sealed chunk, which decrypts in place.
    buffer: Zeroizing<Vec<u8>>,
}

impl StreamOpener {
    /// Begins at the start of a stream.
    pub(crate) fn new(root: &BackupKey) -> Self {
        Self {
            root: BackupKey::new(root.secret().duplicate()),
            key: None,
            number: 0,
            buffer: Zeroizing::new(Vec::with_capacity(SEALED)),
        }
    }

    /// Takes the next bytes, and gives each chunk that is complete and authentic to `take`.
    pub(crate) fn update(
        &mut self,
        mut input: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while !input.is_empty() {
            if self.key.is_some() && self.buffer.len() == SEALED {
                self.open(false, &mut take)?;
            }
            let wanted = if self.key.is_some() { SEALED } else { START };
            let room = wanted.saturating_sub(self.buffer.len());
            let (now, later) = input.split_at(room.min(input.len()));
            self.buffer.extend_from_slice(now);
            input = later;
            if self.key.is_none() {
                self.begin()?;
            }
        }
        Ok(())
    }

    /// At the end of the stream: gives the last chunk.
    pub(crate) fn finish(
        mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.open(true, &mut take)
    }

    fn begin(&mut self) -> Result<(), Error> {
        let Some((&version, salt)) = self.buffer.split_first() else { return Ok(()) };
        match version {
            VERSION => {}
            0 => return Err(Error::Rejected),
            later => return Err(Error::FutureRecord(later)),
        }
        if let Ok(salt) = salt.try_into() {
            self.key = Some(key(&self.root, salt));
            self.buffer.clear();
        }
        Ok(())
    }

    fn open(
        &mut self,
        last: bool,
        take: &mut impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let key = self.key.as_ref().ok_or(Error::Rejected)?;
        let nonce = nonce(self.number, last);
        let (text, tag) = self.buffer.split_last_chunk_mut().ok_or(Error::Rejected)?;
        aead::gcm_open(key, &nonce, &[], text, tag)?;
        take(text)?;
        self.buffer.clear();
        self.number = self.number.saturating_add(1);
        Ok(())
    }
}
