//! Verifying and decrypting a file in the WhatsApp format (spec 21 §3, §4).

use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::first_pass::FirstPass;
use super::media::{BLOB_MIN, MAC_LENGTH, MediaHashes, MediaKeys};
use super::sidecar::{SidecarWriter, WINDOW, truncated};
use super::{Sidecar, Transform};
use crate::crypto::cbc::{self, BLOCK, CbcDecryptor};
use crate::crypto::hash::Sha256Stream;
use crate::crypto::kdf::{HmacKey, HmacStream};
use crate::error::Error;
use crate::secret::Secret;

/// The first of two passes over a blob whose message carries no side-car: checks length, hash and
/// MAC of the whole, and notes the MAC of every window for the second pass.
///
/// As a [`Transform`] it has no output.
pub struct MediaVerifier {
    pass: FirstPass<MAC_LENGTH>,
    sidecar: SidecarWriter,
    expected: Option<[u8; 32]>,
}

/// A blob that was read once and found authentic: what the second pass needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedMedia {
    /// The MAC of every window, 10 bytes each, made by the verifier itself.
    pub sidecar: Sidecar,
    /// Length of the blob in bytes.
    pub blob_length: u64,
}

impl MediaVerifier {
    /// Starts a pass. `hashes.file_enc_sha256` is checked where it is given.
    #[must_use]
    pub fn new(keys: &MediaKeys, hashes: &MediaHashes) -> Self {
        let key = HmacKey::new(keys.mac_key.expose());
        let mut mac = key.stream();
        mac.update(keys.iv.expose());
        let mut sidecar = SidecarWriter::new(key);
        sidecar.update(keys.iv.expose());
        Self { pass: FirstPass::new(mac), sidecar, expected: hashes.file_enc_sha256 }
    }
}

impl Transform for MediaVerifier {
    type Report = VerifiedMedia;

    fn update(&mut self, input: &[u8], _output: &mut Vec<u8>) -> Result<(), Error> {
        self.pass.update(input, |piece| self.sidecar.update(piece))
    }

    fn finish(self, _output: &mut Vec<u8>) -> Result<VerifiedMedia, Error> {
        let found = self.pass.finish()?;
        // |blob| >= 26 and (|blob| - 10) mod 16 = 0
        check_length(found.length)?;
        if let Some(expected) = self.expected
            && !bool::from(found.hash.ct_eq(&expected))
        {
            return Err(Error::Rejected);
        }
        check_mac(&Secret::new(found.computed), &found.mac)?;
        Ok(VerifiedMedia { sidecar: self.sidecar.finish(), blob_length: found.length })
    }
}

pub(super) fn check_length(blob_length: u64) -> Result<(), Error> {
    match blob_length.checked_sub(10) {
        Some(ciphertext) if blob_length >= BLOB_MIN && ciphertext.is_multiple_of(16) => Ok(()),
        _ => Err(Error::Rejected),
    }
}

fn check_mac(computed: &Secret<32>, mac: &[u8; MAC_LENGTH]) -> Result<(), Error> {
    if truncated(computed).ct_eq(mac).into() { Ok(()) } else { Err(Error::Rejected) }
}

/// Decrypts a blob window by window, each verified before its plaintext goes out.
pub struct MediaDecryptor {
    keys: WindowKeys,
    sidecar: Sidecar,
    index: u64,
    /// `IV || ciphertext` of the window that is being received.
    window: Vec<u8>,
    /// The last block of the windows so far: padding, if the stream ends here.
    held: Option<Secret<BLOCK>>,
    file: Sha256Stream,
    whole: Option<Whole>,
    hashes: MediaHashes,
    length: u64,
    failed: bool,
}

/// MAC and hash of the whole blob, which a sender's side-car does not replace.
struct Whole {
    mac: HmacStream,
    blob: Sha256Stream,
}

/// What is known at the end of a decryption.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MediaReport {
    /// SHA-256 of the plaintext. Equal to the message's, where it has one.
    pub file_sha256: [u8; 32],
    /// Length of the plaintext in bytes.
    pub file_length: u64,
    /// The message gave another length. Show the true one; do not refuse (spec 21 §3).
    pub length_differs: bool,
}

impl MediaDecryptor {
    /// Decrypts while the blob is being received, with the side-car from the sender's message. The
    /// MAC and, where given, the hashes of the whole are checked at the end as well.
    #[must_use]
    pub fn streaming(keys: &MediaKeys, sidecar: Sidecar, hashes: &MediaHashes) -> Self {
        let mut mac = HmacKey::new(keys.mac_key.expose()).stream();
        mac.update(keys.iv.expose());
        let whole = Whole { mac, blob: Sha256Stream::new() };
        Self::start(keys, sidecar, hashes, Some(whole))
    }

    /// The second pass over a blob that a [`MediaVerifier`] has read.
    #[must_use]
    pub fn verified(keys: &MediaKeys, verified: VerifiedMedia, hashes: &MediaHashes) -> Self {
        Self::start(keys, verified.sidecar, hashes, None)
    }

    fn start(
        keys: &MediaKeys,
        sidecar: Sidecar,
        hashes: &MediaHashes,
        whole: Option<Whole>,
    ) -> Self {
        let mut window = Vec::with_capacity(WINDOW.saturating_add(BLOCK));
        window.extend_from_slice(keys.iv.expose());
        Self {
            keys: WindowKeys::new(keys),
            sidecar,
            index: 0,
            window,
            held: None,
            file: Sha256Stream::new(),
            whole,
            hashes: *hashes,
            length: 0,
            failed: false,
        }
    }

    /// Verifies the window, appends its plaintext but for the last block, and begins the next one.
    fn full_window(&mut self, output: &mut Vec<u8>) -> Result<(), Error> {
        self.sidecar.verify(&self.keys.mac, self.index, &self.window)?;
        let (iv, ciphertext) = self.window.split_first_chunk::<BLOCK>().ok_or(Error::Rejected)?;
        let next_iv = *ciphertext.last_chunk::<BLOCK>().ok_or(Error::Rejected)?;
        let start = output.len();
        if let Some(held) = self.held.take() {
            output.extend_from_slice(held.expose());
        }
        self.keys.decrypt(iv, ciphertext, output);
        // the last block may be the end of the file, with its padding
        let keep = output.len().saturating_sub(BLOCK);
        self.held = output.get(keep..).and_then(Secret::from_slice);
        output.truncate(keep);
        let fresh = output.get(start..).unwrap_or_default();
        self.file.update(fresh);
        self.length = add(self.length, fresh.len())?;
        self.window.clear();
        self.window.extend_from_slice(&next_iv);
        self.index = self.index.checked_add(1).ok_or(Error::Rejected)?;
        Ok(())
    }

    fn take(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        while !input.is_empty() {
            let room = WINDOW.saturating_add(BLOCK).saturating_sub(self.window.len());
            let (piece, rest) = input.split_at(room.min(input.len()));
            input = rest;
            self.window.extend_from_slice(piece);
            if let Some(whole) = &mut self.whole {
                whole.blob.update(piece);
            }
            if self.window.len() == WINDOW.saturating_add(BLOCK) {
                if let Some(whole) = &mut self.whole {
                    whole.mac.update(self.window.get(BLOCK..).unwrap_or_default());
                }
                self.full_window(output)?;
            }
        }
        Ok(())
    }
}

impl Transform for MediaDecryptor {
    type Report = MediaReport;

    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Rejected);
        }
        let start = output.len();
        let result = self.take(input, output);
        if result.is_err() {
            self.failed = true;
            // windows before the bad one are authentic, but an error leaves no trace
            output.truncate(start);
        }
        result
    }

    fn finish(mut self, output: &mut Vec<u8>) -> Result<MediaReport, Error> {
        if self.failed {
            return Err(Error::Rejected);
        }
        let (ciphertext, mac) = last_window(&self.window)?;
        self.sidecar.verify(&self.keys.mac, self.index, &self.window)?;
        check_windows(&self.sidecar, &self.keys.mac, self.index, &self.window, mac)?;
        if let Some(mut whole) = self.whole.take() {
            whole.mac.update(ciphertext);
            check_mac(&Secret::new(whole.mac.finish()), mac)?;
            if let Some(expected) = self.hashes.file_enc_sha256
                && !bool::from(whole.blob.finish().ct_eq(&expected))
            {
                return Err(Error::Rejected);
            }
        }
        // only now is the rest decrypted: held block and last window, less the padding
        let mut rest = Zeroizing::new(Vec::with_capacity(ciphertext.len().saturating_add(BLOCK)));
        if let Some(held) = self.held.take() {
            rest.extend_from_slice(held.expose());
        }
        let iv = self.window.first_chunk::<BLOCK>().ok_or(Error::Rejected)?;
        self.keys.decrypt(iv, ciphertext, &mut rest);
        strip_padding(&mut rest)?;
        self.file.update(&rest);
        let file_length = add(self.length, rest.len())?;
        let file_sha256 = self.file.finish();
        if let Some(expected) = self.hashes.file_sha256
            && !bool::from(file_sha256.ct_eq(&expected))
        {
            return Err(Error::Rejected);
        }
        output.extend_from_slice(&rest);
        let length_differs = self.hashes.file_length.is_some_and(|length| length != file_length);
        Ok(MediaReport { file_sha256, file_length, length_differs })
    }
}

/// The last window is `IV || ciphertext || mac10`: splits off ciphertext and MAC.
pub(super) fn last_window(window: &[u8]) -> Result<(&[u8], &[u8; MAC_LENGTH]), Error> {
    let (ciphertext, mac) = window
        .get(BLOCK..)
        .and_then(<[u8]>::split_last_chunk::<MAC_LENGTH>)
        .ok_or(Error::Rejected)?;
    if !ciphertext.len().is_multiple_of(BLOCK) {
        return Err(Error::Rejected);
    }
    Ok((ciphertext, mac))
}

/// After the last window the side-car ends. One more entry is allowed, and must fit, where only
/// bytes that the last window already covers lie beyond its 64 KiB (spec 21 §4, undetermined).
pub(super) fn check_windows(
    sidecar: &Sidecar,
    key: &HmacKey,
    index: u64,
    window: &[u8],
    mac: &[u8; MAC_LENGTH],
) -> Result<(), Error> {
    let last = index.checked_add(1).ok_or(Error::Rejected)?;
    let entries = u64::try_from(sidecar.windows()).map_err(|_| Error::Rejected)?;
    if entries == last {
        return Ok(());
    }
    // S ends 10 bytes beyond the boundary: the entry over these bytes, which are the MAC
    if window.len() == WINDOW.saturating_add(MAC_LENGTH) && Some(entries) == last.checked_add(1) {
        return sidecar.verify(key, last, mac);
    }
    Err(Error::Rejected)
}

/// Strips PKCS#7, strictly. The bytes are authentic.
pub(super) fn strip_padding(plaintext: &mut Vec<u8>) -> Result<(), Error> {
    let last = plaintext.last_chunk::<BLOCK>().ok_or(Error::Rejected)?;
    let padding = cbc::pkcs7_len(last).ok_or(Error::Rejected)?;
    plaintext.truncate(plaintext.len().saturating_sub(padding));
    Ok(())
}

fn add(length: u64, more: usize) -> Result<u64, Error> {
    u64::try_from(more).ok().and_then(|more| length.checked_add(more)).ok_or(Error::Rejected)
}

/// What opens a window.
pub(super) struct WindowKeys {
    cipher_key: Secret<32>,
    pub(super) mac: HmacKey,
}

impl WindowKeys {
    pub(super) fn new(keys: &MediaKeys) -> Self {
        Self { cipher_key: keys.cipher_key.duplicate(), mac: HmacKey::new(keys.mac_key.expose()) }
    }

    /// Appends the plaintext of whole blocks.
    pub(super) fn decrypt(&self, iv: &[u8; BLOCK], ciphertext: &[u8], output: &mut Vec<u8>) {
        let mut cipher = CbcDecryptor::new(&self.cipher_key, iv);
        output.reserve(ciphertext.len());
        let start = output.len();
        output.extend_from_slice(ciphertext);
        if let Some(fresh) = output.get_mut(start..) {
            cipher.blocks(fresh);
        }
    }
}
