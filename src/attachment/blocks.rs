//! Cutting streams: whole cipher blocks from the front, a fixed tail from the end.

use alloc::vec::Vec;

use crate::crypto::cbc::{self, BLOCK, CbcEncryptor};
use crate::secret::Secret;

/// How much is worked on at a time: small enough to stay in the processor's first cache while
/// cipher, MAC and hashes pass over it one after the other.
pub(super) const PIECE: usize = 8 * 1024;

/// Collects a stream of plaintext into whole blocks and encrypts them.
pub(super) struct BlockEncryptor {
    cipher: CbcEncryptor,
    pending: Secret<BLOCK>,
    pending_len: usize,
}

impl BlockEncryptor {
    pub(super) fn new(key: &Secret<32>, iv: &[u8; BLOCK]) -> Self {
        Self { cipher: CbcEncryptor::new(key, iv), pending: Secret::zero(), pending_len: 0 }
    }

    /// Appends the ciphertext of the blocks that `input` completes.
    pub(super) fn update(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        let start = output.len();
        if self.pending_len > 0 {
            let room = self.pending.expose_mut().iter_mut().skip(self.pending_len);
            let taken = room.zip(input).map(|(to, from)| *to = *from).count();
            self.pending_len = self.pending_len.saturating_add(taken);
            input = input.get(taken..).unwrap_or_default();
            if self.pending_len < BLOCK {
                return;
            }
            output.extend_from_slice(self.pending.expose());
        }
        let (blocks, rest) = input.as_chunks::<BLOCK>();
        output.extend_from_slice(blocks.as_flattened());
        self.pending_len =
            self.pending.expose_mut().iter_mut().zip(rest).map(|(to, from)| *to = *from).count();
        if let Some(fresh) = output.get_mut(start..) {
            self.cipher.blocks(fresh);
        }
    }

    /// Appends the last block, with its PKCS#7 padding.
    pub(super) fn finish(mut self, output: &mut Vec<u8>) {
        cbc::pkcs7_pad(self.pending.expose_mut(), self.pending_len);
        self.cipher.blocks(self.pending.expose_mut());
        output.extend_from_slice(self.pending.expose());
    }
}

/// Holds back the last `N` bytes of a stream.
pub(super) struct Tail<const N: usize> {
    held: [u8; N],
    len: usize,
}

impl<const N: usize> Tail<N> {
    pub(super) const fn new() -> Self {
        Self { held: [0; N], len: 0 }
    }

    /// Takes `input` and hands on, in order, what cannot be among the last `N` bytes.
    pub(super) fn push(&mut self, input: &[u8], mut next: impl FnMut(&[u8])) {
        if let Some(cut) = input.len().checked_sub(N) {
            let (head, tail) = input.split_at(cut);
            next(self.held.get(..self.len).unwrap_or_default());
            next(head);
            self.held.copy_from_slice(tail);
            self.len = N;
            return;
        }
        // fewer than N bytes: as many of the oldest as are now too many go on
        let out = self.len.saturating_add(input.len()).saturating_sub(N);
        next(self.held.get(..out).unwrap_or_default());
        self.held.copy_within(out..self.len, 0);
        self.len = self.len.saturating_sub(out);
        let room = self.held.iter_mut().skip(self.len);
        let taken = room.zip(input).map(|(to, from)| *to = *from).count();
        self.len = self.len.saturating_add(taken);
    }

    /// The last `N` bytes; `None` when the stream was shorter.
    pub(super) fn get(&self) -> Option<&[u8; N]> {
        (self.len == N).then_some(&self.held)
    }
}
