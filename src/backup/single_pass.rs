//! Reading a crypt15 file in one pass, for a source that cannot be read twice: the plaintext is in a
//! temporary place until the tag holds.

use alloc::vec::Vec;
use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::input::Input;
use super::{BackupKey, DecryptedBackup};
use crate::error::Error;

/// Decrypted at a time.
const PIECE: usize = 64 * 1024;

/// Where unverified plaintext may lie: a temporary file, or memory. **Nothing that reads it may act on it**
/// before [`Crypt15SinglePass::finish`] has given the place back: until then, whoever stores the backup may
/// have altered it.
pub trait TemporaryPlace {
    /// What can go wrong.
    type Error;

    /// Appends plaintext that no tag has covered.
    ///
    /// # Errors
    ///
    /// The place's own.
    fn write_unverified(&mut self, plaintext: &[u8]) -> Result<(), Self::Error>;

    /// Throws away all that was written: the tag did not hold, or the reader was dropped before the end.
    fn discard(self);
}

/// In memory. Discarded, it is wiped.
impl TemporaryPlace for Vec<u8> {
    type Error = core::convert::Infallible;

    fn write_unverified(&mut self, plaintext: &[u8]) -> Result<(), Self::Error> {
        self.extend_from_slice(plaintext);
        Ok(())
    }

    fn discard(mut self) {
        self.zeroize();
    }
}

/// A temporary file, written from where it stands. Discarded, it is cut to no bytes.
#[cfg(feature = "std")]
impl TemporaryPlace for std::fs::File {
    type Error = std::io::Error;

    fn write_unverified(&mut self, plaintext: &[u8]) -> Result<(), Self::Error> {
        std::io::Write::write_all(self, plaintext)
    }

    fn discard(self) {
        // best effort: whoever made the temporary file deletes it
        let _ = self.set_len(0);
    }
}

/// Why a [`Crypt15SinglePass`] failed. What it has written is discarded then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SinglePassError<E> {
    /// The file is no backup under this key, or altered, or cut short.
    Backup(Error),
    /// The temporary place failed.
    Place(E),
}

impl<E: fmt::Display> fmt::Display for SinglePassError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup(error) => error.fmt(f),
            Self::Place(error) => write!(f, "temporary place: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for SinglePassError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Backup(error) => Some(error),
            Self::Place(error) => Some(error),
        }
    }
}

/// Decrypts into a [`TemporaryPlace`] that it owns, and gives back only once the tag holds. Dropped before,
/// it discards the place.
pub struct Crypt15SinglePass<P: TemporaryPlace> {
    state: Option<(Input, P)>,
    piece: Zeroizing<Vec<u8>>,
}

impl<P: TemporaryPlace> Crypt15SinglePass<P> {
    /// A pass over a file under `key`, into `place`.
    #[must_use]
    pub fn new(key: &BackupKey, place: P) -> Self {
        let piece = Zeroizing::new(Vec::with_capacity(PIECE));
        Self { state: Some((Input::new(key), place)), piece }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedBackup`], [`Error::InvalidProtobuf`] for the header; those of the place.
    /// [`Error::Rejected`] after an error.
    pub fn update(&mut self, input: &[u8]) -> Result<(), SinglePassError<P::Error>> {
        // taken out: after an error it is discarded
        let (mut reader, mut place) =
            self.state.take().ok_or(SinglePassError::Backup(Error::Rejected))?;
        let mut failed = None;
        let piece = &mut self.piece;
        let done = reader.update(input, |body, bytes| {
            for bytes in bytes.chunks(PIECE) {
                piece.clear();
                piece.extend_from_slice(bytes);
                body.gcm.decrypt(piece).map_err(|_| Error::Rejected)?;
                if let Err(error) = place.write_unverified(piece) {
                    failed = Some(error);
                    return Err(Error::Rejected);
                }
            }
            Ok(())
        });
        match (done, failed) {
            (Ok(()), _) => {
                self.state = Some((reader, place));
                Ok(())
            }
            (Err(error), failed) => {
                place.discard();
                Err(failed.map_or(SinglePassError::Backup(error), SinglePassError::Place))
            }
        }
    }

    /// At the end of the file: gives the place back, whose contents are verified now.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the tag does not fit, or the file is cut short; those of the place.
    pub fn finish(mut self) -> Result<(P, DecryptedBackup), SinglePassError<P::Error>> {
        let (reader, mut place) =
            self.state.take().ok_or(SinglePassError::Backup(Error::Rejected))?;
        let (report, last) = match reader.finish() {
            Ok(done) => done,
            Err(error) => {
                place.discard();
                return Err(SinglePassError::Backup(error));
            }
        };
        if let Err(error) = place.write_unverified(&last) {
            place.discard();
            return Err(SinglePassError::Place(error));
        }
        Ok((place, report))
    }
}

impl<P: TemporaryPlace> Drop for Crypt15SinglePass<P> {
    fn drop(&mut self) {
        if let Some((_, place)) = self.state.take() {
            place.discard();
        }
    }
}
