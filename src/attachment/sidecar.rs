//! The streaming side-car (spec 21 §4): a 10-byte MAC for every 64 KiB window of `S = iv || ct || mac`.
//!
//! A window is 65,536 bytes **plus the next 16**, which are the IV of the window after it. So every
//! window is its own IV and ciphertext, verified and decrypted without the others.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use super::media::MAC_LENGTH;
use crate::crypto::kdf::{HmacKey, HmacStream};
use crate::error::Error;
use crate::secret::Secret;

/// Distance of two windows in bytes; also the ciphertext in a full window.
pub(super) const WINDOW: usize = 65_536;
/// What a window shares with the next one.
const OVERLAP: usize = 16;

/// The streaming side-car of a file: 10 bytes per window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sidecar(Vec<u8>);

impl Sidecar {
    /// Takes the side-car of a message.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when empty or not a multiple of 10 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(MAC_LENGTH) {
            return Err(Error::InvalidArgument);
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The bytes, 10 per window.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many windows it covers.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.0.len() / MAC_LENGTH
    }

    /// Verifies window `index`, given as `IV || ciphertext`, in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when it does not fit or the side-car has no such window.
    pub(super) fn verify(&self, key: &HmacKey, index: u64, window: &[u8]) -> Result<(), Error> {
        let expected = usize::try_from(index)
            .ok()
            .and_then(|index| self.0.as_chunks::<MAC_LENGTH>().0.get(index))
            .ok_or(Error::Rejected)?;
        if bool::from(truncated(&key.mac(&[window])).ct_eq(expected)) {
            Ok(())
        } else {
            Err(Error::Rejected)
        }
    }

    /// The first-frame side-car of an animated sticker: the MAC over the IV and the whole blocks
    /// that hold the first `frame_length` bytes (spec 21 §4).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when `blob` is shorter than that.
    pub fn first_frame(
        keys: &super::MediaKeys,
        blob: &[u8],
        frame_length: usize,
    ) -> Result<[u8; MAC_LENGTH], Error> {
        // HMAC(macKey, iv || ct[0..roundup16(firstFrameLength)])[0..10]
        let end = frame_length.checked_next_multiple_of(16).ok_or(Error::InvalidArgument)?;
        let prefix = blob.get(..end).ok_or(Error::InvalidArgument)?;
        Ok(truncated(&HmacKey::new(keys.mac_key.expose()).mac(&[keys.iv.expose(), prefix])))
    }
}

/// The first 10 bytes of a MAC.
pub(super) fn truncated(mac: &Secret<32>) -> [u8; MAC_LENGTH] {
    let mut out = [0; MAC_LENGTH];
    for (to, from) in out.iter_mut().zip(mac.expose()) {
        *to = *from;
    }
    out
}

/// Makes a side-car while `S` streams by.
pub(super) struct SidecarWriter {
    key: HmacKey,
    /// The window that the next byte belongs to, once it has one.
    open: Option<HmacStream>,
    /// Bytes of the open window so far.
    filled: usize,
    /// The window before, while it still takes its overlap.
    closing: Option<(HmacStream, usize)>,
    entries: Vec<u8>,
}

impl SidecarWriter {
    pub(super) fn new(key: HmacKey) -> Self {
        Self { key, open: None, filled: 0, closing: None, entries: Vec::new() }
    }

    /// Takes the next bytes of `S`.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // up to the end of the window, or of the overlap with the one before
            let mut take = bytes.len().min(WINDOW.saturating_sub(self.filled));
            if let Some((_, missing)) = &self.closing {
                take = take.min(*missing);
            }
            let (piece, rest) = bytes.split_at(take);
            bytes = rest;
            if let Some((window, missing)) = &mut self.closing {
                window.update(piece);
                *missing = missing.saturating_sub(take);
                if *missing == 0 {
                    self.close();
                }
            }
            self.open.get_or_insert_with(|| self.key.stream()).update(piece);
            self.filled = self.filled.saturating_add(take);
            if self.filled == WINDOW {
                self.closing = self.open.take().map(|window| (window, OVERLAP));
                self.filled = 0;
            }
        }
    }

    /// Ends `S`: the plain loop of spec 21 §4, which gives a window to every byte.
    pub(super) fn finish(mut self) -> Sidecar {
        self.close();
        if let Some(window) = self.open.take() {
            self.entries.extend(window.finish().iter().take(MAC_LENGTH));
        }
        Sidecar(self.entries)
    }

    fn close(&mut self) {
        if let Some((window, _)) = self.closing.take() {
            self.entries.extend(window.finish().iter().take(MAC_LENGTH));
        }
    }
}
