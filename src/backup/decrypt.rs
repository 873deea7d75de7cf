//! Reading a crypt15 file in two passes: no byte is handed out that no tag has covered.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::input::{Body, Input};
use super::{BackupKey, DecryptedBackup};
use crate::attachment::Transform;
use crate::error::Error;

/// The plaintext that the second pass hands out at a time.
const CHUNK: usize = 64 * 1024;

/// A file whose tag holds, as the first pass leaves it: the way into the second.
pub struct VerifiedCrypt15 {
    report: DecryptedBackup,
    /// The tag of every beginning of the ciphertext that is whole chunks long. They are MACs under the
    /// file's key which are never let out, so nobody can make other bytes that fit them.
    notes: Vec<[u8; 16]>,
}

impl VerifiedCrypt15 {
    /// What the file is.
    #[must_use]
    pub const fn report(&self) -> &DecryptedBackup {
        &self.report
    }
}

/// The first pass: reads the whole file, writes nothing, and checks its tag, in whichever form it is.
pub struct Crypt15Verifier {
    input: Option<Input>,
    notes: Vec<[u8; 16]>,
    /// Bytes of the chunk that is not complete.
    filled: usize,
}

impl Crypt15Verifier {
    /// A pass over a file under `key`.
    #[must_use]
    pub fn new(key: &BackupKey) -> Self {
        Self { input: Some(Input::new(key)), notes: Vec::new(), filled: 0 }
    }
}

impl Transform for Crypt15Verifier {
    type Report = VerifiedCrypt15;

    /// Writes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedBackup`], [`Error::InvalidProtobuf`] for the header.
    fn update(&mut self, input: &[u8], _output: &mut Vec<u8>) -> Result<(), Error> {
        let Self { input: state, notes, filled } = self;
        let reader = state.as_mut().ok_or(Error::Rejected)?;
        let done = reader.update(input, |body, mut bytes| {
            while !bytes.is_empty() {
                let (now, later) = bytes.split_at(bytes.len().min(CHUNK.saturating_sub(*filled)));
                body.gcm.authenticate(now).map_err(|_| Error::Rejected)?;
                *filled = filled.saturating_add(now.len());
                if *filled == CHUNK {
                    notes.push(body.gcm.current_tag());
                    *filled = 0;
                }
                bytes = later;
            }
            Ok(())
        });
        if done.is_err() {
            *state = None;
        }
        done
    }

    /// # Errors
    ///
    /// [`Error::Rejected`] when the tag does not fit, or the file is cut short.
    fn finish(self, _output: &mut Vec<u8>) -> Result<Self::Report, Error> {
        let (report, _) = self.input.ok_or(Error::Rejected)?.finish()?;
        Ok(VerifiedCrypt15 { report, notes: self.notes })
    }
}

/// The second pass: reads the same file again and decrypts it.
pub struct Crypt15Decryptor {
    input: Option<Input>,
    chunks: Chunks,
}

/// The chunk that is not complete, decrypted and not handed out.
struct Chunks {
    verified: VerifiedCrypt15,
    next: usize,
    chunk: Zeroizing<Vec<u8>>,
}

impl Crypt15Decryptor {
    /// A pass over the file that `verified` is about, under the same key.
    #[must_use]
    pub fn verified(key: &BackupKey, verified: VerifiedCrypt15) -> Self {
        // a last chunk of up to 16 bytes more comes from the end of the file
        let chunk = Zeroizing::new(Vec::with_capacity(CHUNK));
        Self { input: Some(Input::new(key)), chunks: Chunks { verified, next: 0, chunk } }
    }
}

impl Chunks {
    fn take(&mut self, body: &mut Body, bytes: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        // the header of now is the header that was reported
        if body.header != self.verified.report.header {
            return Err(Error::Rejected);
        }
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let at = self.chunk.len();
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK.saturating_sub(at)));
            self.chunk.extend_from_slice(now);
            let new = self.chunk.get_mut(at..).unwrap_or_default();
            body.gcm.decrypt(new).map_err(|_| Error::Rejected)?;
            if self.chunk.len() == CHUNK {
                let note = self.verified.notes.get(self.next).ok_or(Error::Rejected)?;
                if !bool::from(body.gcm.current_tag().ct_eq(note)) {
                    return Err(Error::Rejected);
                }
                output.extend_from_slice(&self.chunk);
                self.chunk.clear();
                self.next = self.next.saturating_add(1);
            }
            bytes = later;
        }
        Ok(())
    }
}

impl Transform for Crypt15Decryptor {
    type Report = DecryptedBackup;

    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let Self { input: state, chunks } = self;
        let reader = state.as_mut().ok_or(Error::Rejected)?;
        let done = reader.update(input, |body, bytes| chunks.take(body, bytes, output));
        if done.is_err() {
            *state = None;
        }
        done
    }

    fn finish(self, output: &mut Vec<u8>) -> Result<Self::Report, Error> {
        let (report, last) = self.input.ok_or(Error::Rejected)?.finish()?;
        if report != self.chunks.verified.report {
            return Err(Error::Rejected);
        }
        output.extend_from_slice(&self.chunks.chunk);
        output.extend_from_slice(&last);
        Ok(report)
    }
}
