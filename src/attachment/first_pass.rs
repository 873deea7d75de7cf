//! The pass over a whole blob that the verifiers of both formats make: its length, its hash, and the MAC of
//! all but the MAC at its end.

use super::blocks::{PIECE, Tail};
use crate::crypto::hash::Sha256Stream;
use crate::crypto::kdf::HmacStream;
use crate::error::Error;

/// A pass over a blob that ends with a MAC of `N` bytes.
pub(super) struct FirstPass<const N: usize> {
    tail: Tail<N>,
    mac: HmacStream,
    blob: Sha256Stream,
    length: u64,
}

/// What a pass has found. Nothing is compared yet.
pub(super) struct Found<const N: usize> {
    /// The MAC at the end.
    pub(super) mac: [u8; N],
    /// The HMAC over everything before it.
    pub(super) computed: [u8; 32],
    /// SHA-256 of the blob.
    pub(super) hash: [u8; 32],
    /// Length of the blob in bytes.
    pub(super) length: u64,
}

impl<const N: usize> FirstPass<N> {
    /// Starts a pass. `mac` has absorbed what it covers besides the blob.
    pub(super) fn new(mac: HmacStream) -> Self {
        Self { tail: Tail::new(), mac, blob: Sha256Stream::new(), length: 0 }
    }

    /// Takes the next bytes, and shows them to `note` while they are in the cache.
    pub(super) fn update(
        &mut self,
        input: &[u8],
        mut note: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let more = u64::try_from(input.len()).map_err(|_| Error::InvalidArgument)?;
        self.length = self.length.checked_add(more).ok_or(Error::InvalidArgument)?;
        for piece in input.chunks(PIECE) {
            self.blob.update(piece);
            note(piece);
            self.tail.push(piece, |body| self.mac.update(body));
        }
        Ok(())
    }

    /// Ends the pass; [`Error::Rejected`] when the blob has not even room for the MAC.
    pub(super) fn finish(self) -> Result<Found<N>, Error> {
        Ok(Found {
            mac: *self.tail.get().ok_or(Error::Rejected)?,
            computed: self.mac.finish(),
            hash: self.blob.finish(),
            length: self.length,
        })
    }
}
