//! What every reader of a crypt15 file does: it takes the header off, holds the end back, and tells the
//! two forms apart (spec 24 §4).

use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::header::{self, HEADER_MAX};
use super::{BackupKey, Crypt15Form, Crypt15Header};
use crate::crypto::gcm_stream::{GcmStream, TAG_LENGTH};
use crate::crypto::hash::Md5Stream;
use crate::error::Error;
use crate::secret::Secret;

const MD5_LENGTH: usize = 16;
/// What may be the end of the file: tag and MD5.
const TAIL: usize = TAG_LENGTH + MD5_LENGTH;

/// What is known of a file whose tag holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecryptedBackup {
    /// The header. **Not authenticated**, except that with another initialisation vector the tag would
    /// not have held.
    pub header: Crypt15Header,
    /// The form that the tag fits.
    pub form: Crypt15Form,
    /// Whether the MD5 fits; `None` in the multi-file form. Where it does not, header or MD5 were damaged:
    /// the plaintext is authentic all the same.
    pub checksum_fits: Option<bool>,
    /// Length of the plaintext in bytes.
    pub length: u64,
}

/// The header is there, and the ciphertext runs.
pub(super) struct Body {
    pub(super) header: Crypt15Header,
    pub(super) gcm: GcmStream,
    md5: Md5Stream,
    length: u64,
}

/// A file as it arrives.
pub(super) struct Input {
    key: Secret<32>,
    /// Length and header, as far as they are there.
    start: Vec<u8>,
    body: Option<Body>,
    tail: [u8; TAIL],
    tail_len: usize,
}

/// The last bytes of plaintext, known once the tag holds.
pub(super) type Last = Zeroizing<Vec<u8>>;

impl Input {
    pub(super) fn new(key: &BackupKey) -> Self {
        let key = key.encryption_key();
        Self { key, start: Vec::new(), body: None, tail: [0; TAIL], tail_len: 0 }
    }

    /// Takes the next bytes, and gives all that is certainly ciphertext to `take`, in two pieces at most.
    pub(super) fn update(
        &mut self,
        mut input: &[u8],
        mut take: impl FnMut(&mut Body, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while self.body.is_none() {
            let Some((&byte, rest)) = input.split_first() else { return Ok(()) };
            // at most HEADER_MAX + 2 times
            self.start.push(byte);
            input = rest;
            self.begin()?;
        }
        let Some(body) = &mut self.body else { return Err(Error::Rejected) };
        // all but the last TAIL bytes of what is there
        let available = self.tail_len.saturating_add(input.len());
        let ready = available.saturating_sub(TAIL);
        let from_tail = ready.min(self.tail_len);
        let (from_input, kept) = input.split_at(ready.saturating_sub(from_tail).min(input.len()));
        for piece in [self.tail.get(..from_tail).unwrap_or_default(), from_input] {
            if !piece.is_empty() {
                body.md5.update(piece);
                take(body, piece)?;
                let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                body.length = body.length.saturating_add(length);
            }
        }
        self.tail.copy_within(from_tail..self.tail_len, 0);
        self.tail_len = self.tail_len.saturating_sub(from_tail);
        for (to, from) in self.tail.iter_mut().skip(self.tail_len).zip(kept) {
            *to = *from;
        }
        self.tail_len = self.tail_len.saturating_add(kept.len());
        Ok(())
    }

    /// Reads the header once it is complete.
    fn begin(&mut self) -> Result<(), Error> {
        let Some((prefix, length)) = header::lengths(&self.start)? else { return Ok(()) };
        if length > HEADER_MAX {
            return Err(Error::InvalidProtobuf);
        }
        match self.start.get(prefix..) {
            Some(header) if header.len() == length => {
                let header = Crypt15Header::decode(header)?;
                let gcm = GcmStream::new(&self.key, header.iv());
                let mut md5 = Md5Stream::new();
                md5.update(&self.start);
                self.start = Vec::new();
                self.body = Some(Body { header, gcm, md5, length: 0 });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// At the end of the file: verifies the tag, and gives what is left of the plaintext.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the tag fits in neither form, or the file is cut short.
    pub(super) fn finish(self) -> Result<(DecryptedBackup, Last), Error> {
        let Body { header, gcm, mut md5, mut length } = self.body.ok_or(Error::Rejected)?;
        let tail = self.tail.get(..self.tail_len).unwrap_or_default();
        // ... ‖ tag ‖ md5
        if let Some((tag, checksum)) = tail.split_first_chunk::<TAG_LENGTH>()
            && checksum.len() == MD5_LENGTH
            && bool::from(gcm.current_tag().ct_eq(tag))
        {
            md5.update(tag);
            let checksum_fits = Some(md5.finish() == *checksum);
            let form = Crypt15Form::SingleFile;
            let report = DecryptedBackup { header, form, checksum_fits, length };
            return Ok((report, Last::default()));
        }
        // ... ‖ tag: what stands before it is ciphertext
        let (rest, tag) = tail.split_last_chunk::<TAG_LENGTH>().ok_or(Error::Rejected)?;
        let mut last = Last::new(rest.to_vec());
        let mut gcm = gcm;
        gcm.decrypt(&mut last).map_err(|_| Error::Rejected)?;
        gcm.verify(tag)?;
        length = length.saturating_add(u64::try_from(last.len()).unwrap_or(u64::MAX));
        let form = Crypt15Form::MultiFile;
        Ok((DecryptedBackup { header, form, checksum_fits: None, length }, last))
    }
}
