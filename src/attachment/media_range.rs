//! Random access to a file in the WhatsApp format, with its side-car (spec 21 §4, §5).

use alloc::vec::Vec;
use core::ops::Range;

use zeroize::Zeroizing;

use super::media_decrypt::{WindowKeys, check_length, check_windows, last_window, strip_padding};
use super::sidecar::WINDOW;
use super::{MediaKeys, Sidecar};
use crate::crypto::cbc::BLOCK;
use crate::error::Error;

/// [`WINDOW`] as a position in a file.
const WINDOW_64: u64 = 65_536;

/// A range of a file's plaintext, and what has to be fetched to verify and read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaRange {
    plaintext: Range<u64>,
    fetch: Range<u64>,
    first: u64,
    blob_length: u64,
}

impl MediaRange {
    /// Plans to read `plaintext`, a range of bytes of the file, from a blob of `blob_length` bytes.
    /// The part of the range behind the end of the file is empty.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a range that ends before it starts, [`Error::Rejected`] when no
    /// blob has that length.
    pub fn new(plaintext: Range<u64>, blob_length: u64) -> Result<Self, Error> {
        check_length(blob_length)?;
        if plaintext.end < plaintext.start {
            return Err(Error::InvalidArgument);
        }
        // the windows whose ciphertext holds the range; a window of the MAC alone holds none
        let last = blob_length.saturating_sub(11) / WINDOW_64;
        let first = (plaintext.start / WINDOW_64).min(last);
        let end = (plaintext.end.saturating_sub(1) / WINDOW_64).clamp(first, last);
        // the end of the file may need the padding of the block before a window of the MAC alone
        let fetch_end = match end.checked_add(1).and_then(|next| next.checked_mul(WINDOW_64)) {
            Some(fetch_end) if fetch_end < blob_length => fetch_end,
            _ => blob_length,
        };
        let alone = blob_length.saturating_sub(fetch_end) == 10;
        let fetch_end = if alone { blob_length } else { fetch_end };
        // S[k*65536..]: the 16 bytes before the window's ciphertext are its IV
        let fetch_start = first.saturating_mul(WINDOW_64).saturating_sub(16);
        Ok(Self { plaintext, fetch: fetch_start..fetch_end, first, blob_length })
    }

    /// The bytes of the blob to fetch: whole windows, with the block before the first.
    #[must_use]
    pub fn fetch(&self) -> Range<u64> {
        self.fetch.clone()
    }

    /// Verifies every window in `fetched` and appends the plaintext of the range to `output`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when `fetched` is not as long as [`fetch`](Self::fetch) says,
    /// [`Error::Rejected`] when a window does not verify; `output` is unchanged then.
    pub fn open(
        &self,
        keys: &MediaKeys,
        sidecar: &Sidecar,
        fetched: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let expected = self.fetch.end.saturating_sub(self.fetch.start);
        if u64::try_from(fetched.len()) != Ok(expected) {
            return Err(Error::InvalidArgument);
        }
        let start = output.len();
        let result = self.open_windows(keys, sidecar, fetched, output);
        if result.is_err() {
            output.truncate(start);
        }
        result
    }

    fn open_windows(
        &self,
        keys: &MediaKeys,
        sidecar: &Sidecar,
        fetched: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let window_keys = WindowKeys::new(keys);
        // window = its IV || its ciphertext; the first one's IV is not in the blob
        let (mut iv, mut rest) = match self.first {
            0 => (*keys.iv.expose(), fetched),
            _ => match fetched.split_first_chunk::<BLOCK>() {
                Some((iv, rest)) => (*iv, rest),
                None => return Err(Error::Rejected),
            },
        };
        let mut index = self.first;
        let mut position = self.first.saturating_mul(WINDOW_64);
        let mut window = Vec::with_capacity(WINDOW.saturating_add(BLOCK));
        let mut plain = Zeroizing::new(Vec::with_capacity(WINDOW.saturating_mul(2)));
        loop {
            let (ciphertext, next) = rest.split_at(rest.len().min(WINDOW));
            window.clear();
            window.extend_from_slice(&iv);
            window.extend_from_slice(ciphertext);
            sidecar.verify(&window_keys.mac, index, &window)?;
            let is_last = next.is_empty() && self.fetch.end == self.blob_length;
            if is_last {
                let (ciphertext, mac) = last_window(&window)?;
                check_windows(sidecar, &window_keys.mac, index, &window, mac)?;
                window_keys.decrypt(&iv, ciphertext, &mut plain);
                strip_padding(&mut plain)?;
                self.append(position, &plain, output);
                return Ok(());
            }
            window_keys.decrypt(&iv, ciphertext, &mut plain);
            if next.is_empty() {
                self.append(position, &plain, output);
                return Ok(());
            }
            // hold the last window back while it may end with the file's padding
            if next.len() > 10 || self.fetch.end != self.blob_length {
                self.append(position, &plain, output);
                plain.clear();
                position = position.saturating_add(WINDOW_64);
            }
            iv = *ciphertext.last_chunk::<BLOCK>().ok_or(Error::Rejected)?;
            rest = next;
            index = index.checked_add(1).ok_or(Error::Rejected)?;
        }
    }

    /// Appends the part of `plain`, which lies at `position` of the file, that is in the range.
    fn append(&self, position: u64, plain: &[u8], output: &mut Vec<u8>) {
        let from = usize::try_from(self.plaintext.start.saturating_sub(position));
        let to = usize::try_from(self.plaintext.end.saturating_sub(position));
        let to = to.unwrap_or(usize::MAX).min(plain.len());
        if let Some(part) = from.ok().and_then(|from| plain.get(from..to)) {
            output.extend_from_slice(part);
        }
    }
}
