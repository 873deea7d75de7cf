//! `SenderKeyMessage`: one message to a group (spec 05 §4, §6).
//!
//! `version byte (1) || protobuf || signature (64)`
//!
//! | # | older # | type | meaning |
//! |---|---|---|---|
//! | 1 | | bytes | distribution id, 16 bytes |
//! | 2 | 1 | uint32 | chain id |
//! | 3 | 2 | uint32 | iteration |
//! | 4 | 3 | bytes | AES-CBC ciphertext |

use alloc::vec::Vec;
use core::ops::Range;

use super::reader::Reader;
use super::version::sender_key_version;
use super::writer::{self, Writer};
use crate::dialect::GroupDialect;
use crate::error::Error;
use crate::keys::{PublicKey, Signature};

/// Length of the signature at the end, in bytes.
const SIGNATURE_LENGTH: usize = size_of::<Signature>();

/// A received message to a group: a view into its bytes. Its signature is **not** checked yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderKeyMessage<'a> {
    bytes: &'a [u8],
    signed: &'a [u8],
    signature: &'a Signature,
    version_byte: u8,
    distribution_id: Option<&'a [u8; 16]>,
    chain_id: u32,
    iteration: u32,
    ciphertext: &'a [u8],
}

impl<'a> SenderKeyMessage<'a> {
    /// Parses a message of `dialect` (spec 05 §4).
    ///
    /// # Errors
    ///
    /// In this order: [`Error::CiphertextTooShort`] below 65 bytes;
    /// [`Error::LegacyCiphertextVersion`] and [`Error::UnrecognizedCiphertextVersion`] for a version
    /// other than 3; [`Error::InvalidProtobuf`] when the protobuf is malformed, lacks a field, is of the
    /// other dialect, or its distribution id has not 16 bytes.
    pub fn parse(dialect: GroupDialect, bytes: &'a [u8]) -> Result<Self, Error> {
        // version byte || protobuf || signature
        let too_short = Error::CiphertextTooShort(bytes.len());
        let (signed, signature) = bytes.split_last_chunk().ok_or(too_short)?;
        let (&version_byte, protobuf) = signed.split_first().ok_or(too_short)?;
        sender_key_version(version_byte)?;

        let first = dialect.chain_id_field();
        let (mut distribution_id, mut chain_id) = (None, None);
        let (mut iteration, mut ciphertext) = (None, None);
        for field in Reader::new(protobuf) {
            let (number, value) = field?;
            match number.checked_sub(first) {
                None => distribution_id = Some(value.bytes()?),
                Some(0) => chain_id = Some(value.uint32()?),
                Some(1) => iteration = Some(value.uint32()?),
                Some(2) => ciphertext = Some(value.bytes()?),
                Some(_) => {}
            }
        }
        let (Some(chain_id), Some(iteration), Some(ciphertext)) = (chain_id, iteration, ciphertext)
        else {
            return Err(Error::InvalidProtobuf);
        };
        let distribution_id = dialect.distribution_id(distribution_id)?;
        Ok(Self {
            bytes,
            signed,
            signature,
            version_byte,
            distribution_id,
            chain_id,
            iteration,
            ciphertext,
        })
    }

    /// The message version, 3: the high nibble of the version byte.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version_byte >> 4
    }

    /// The version byte as received. All of it is under the signature.
    #[must_use]
    pub const fn version_byte(&self) -> u8 {
        self.version_byte
    }

    /// The distribution id; `None` in the older form, where the context names the group.
    #[must_use]
    pub const fn distribution_id(&self) -> Option<&'a [u8; 16]> {
        self.distribution_id
    }

    /// The chain id: which of the sender's keys (spec 05 §1). The older form calls it key id.
    #[must_use]
    pub const fn chain_id(&self) -> u32 {
        self.chain_id
    }

    /// The message's index in the chain.
    #[must_use]
    pub const fn iteration(&self) -> u32 {
        self.iteration
    }

    /// The AES-CBC ciphertext. Its length is not checked here.
    #[must_use]
    pub const fn ciphertext(&self) -> &'a [u8] {
        self.ciphertext
    }

    /// Where in the message the ciphertext lies.
    #[must_use]
    pub fn ciphertext_range(&self) -> Range<usize> {
        let start = self.ciphertext.as_ptr().addr().saturating_sub(self.bytes.as_ptr().addr());
        start..start.saturating_add(self.ciphertext.len())
    }

    /// What the signature covers: version byte and protobuf, exactly as received.
    #[must_use]
    pub const fn signed(&self) -> &'a [u8] {
        self.signed
    }

    /// The signature as received.
    #[must_use]
    pub const fn signature(&self) -> &'a Signature {
        self.signature
    }

    /// Whether `signing_key` signed the message.
    #[must_use]
    pub fn verify(&self, signing_key: &PublicKey) -> bool {
        signing_key.verify(self.signed, self.signature)
    }

    /// The whole message as received.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// What a sender puts into a [`SenderKeyMessage`], but for the ciphertext and the signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderKeyMessageFields<'a> {
    /// The version byte, `0x33`.
    pub version_byte: u8,
    /// The distribution id; `None` writes the older form.
    pub distribution_id: Option<&'a [u8; 16]>,
    /// The chain id.
    pub chain_id: u32,
    /// The message's index in the chain.
    pub iteration: u32,
}

impl SenderKeyMessageFields<'_> {
    /// Length in bytes of the whole message, signature included, around `ciphertext_len` bytes.
    #[must_use]
    pub fn encoded_len(&self, ciphertext_len: usize) -> usize {
        writer::encoded_len(|w| self.before_ciphertext(w, ciphertext_len))
            .saturating_add(ciphertext_len)
            .saturating_add(SIGNATURE_LENGTH)
    }

    /// Appends the message to `out`, after reserving exactly its length: a buffer that is used again
    /// does not allocate.
    ///
    /// `fill` writes the ciphertext in place, over `ciphertext_len` zero bytes. Then `sign` signs its
    /// argument: version byte and protobuf as they were just written.
    ///
    /// # Errors
    ///
    /// What `fill` returns; `out` is as before then. [`Error::InvalidArgument`] when the message would
    /// exceed the address space.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        ciphertext_len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), Error>,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> Result<(), Error> {
        let start = out.len();
        writer::reserve(out, self.encoded_len(ciphertext_len))?;
        self.before_ciphertext(&mut Writer::new(out), ciphertext_len);

        // The ciphertext, in place.
        let at = out.len();
        out.resize(at.saturating_add(ciphertext_len), 0);
        let filled = out.get_mut(at..).ok_or(Error::InvalidArgument).and_then(fill);
        if let Err(error) = filled {
            out.truncate(start);
            return Err(error);
        }

        let signature = sign(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&signature);
        Ok(())
    }

    /// Version byte, the fields before the ciphertext, and its head. Zeros are written (spec 05 §6).
    #[inline]
    fn before_ciphertext(&self, w: &mut Writer<'_>, ciphertext_len: usize) {
        let first = GroupDialect::of(self.distribution_id).chain_id_field();
        w.raw(&[self.version_byte]);
        w.bytes_option(1, self.distribution_id.map(<[u8; 16]>::as_slice));
        w.uint(first, self.chain_id);
        w.uint(first.saturating_add(1), self.iteration);
        w.delimited(first.saturating_add(2), ciphertext_len);
    }
}
