//! The frame of this floor's stored records: `version byte || protobuf`, in one canonical form.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer::{self, Writer};

/// The version that is written, the first byte of a record.
const VERSION: u8 = 1;

/// A value that is one record.
pub(crate) trait Stored: Sized {
    /// Reads the fields. What they may hold is for `read` to check; that they are in the one form
    /// that [`write`](Self::write) gives is checked afterwards.
    fn read(fields: Reader<'_>) -> Result<Self, Error>;

    /// Writes the fields.
    fn write(&self, w: &mut Writer<'_>);

    /// The record's bytes, in a buffer of exactly their number.
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        frame(|w| self.write(w))
    }

    /// Reads [`encode`](Self::encode) back.
    ///
    /// # Errors
    ///
    /// [`Error::FutureRecord`] for a later version; [`Error::InvalidState`] for all else that `encode`
    /// does not write.
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            Some((&VERSION, fields)) => {
                let value = Self::read(Reader::new(fields)).map_err(|_| Error::InvalidState)?;
                let canonical = bool::from(value.encode().ct_eq(bytes));
                canonical.then_some(value).ok_or(Error::InvalidState)
            }
            Some((&version, _)) if version > VERSION => Err(Error::FutureRecord(version)),
            _ => Err(Error::InvalidState),
        }
    }
}

/// A record of these fields.
pub(super) fn frame(fields: impl Fn(&mut Writer<'_>)) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(writer::encode(|w| {
        w.raw(&[VERSION]);
        fields(w);
    }))
}

/// A required field.
pub(super) fn required<T>(field: Option<T>) -> Result<T, Error> {
    field.ok_or(Error::InvalidState)
}
