//! `SenderKeyDistributionMessage`: what lets its reader decrypt a sender's messages to a group from now
//! on (spec 05 §3, §6). It holds a secret and travels inside a one-to-one message only.
//!
//! `version byte (1) || protobuf`
//!
//! | # | older # | type | meaning |
//! |---|---|---|---|
//! | 1 | | bytes | distribution id, 16 bytes |
//! | 2 | 1 | uint32 | chain id |
//! | 3 | 2 | uint32 | iteration of the chain key |
//! | 4 | 3 | bytes | chain key, 32 bytes |
//! | 5 | 4 | bytes | signing public key, 33 bytes |

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::reader::Reader;
use super::version::sender_key_version;
use super::writer;
use crate::dialect::GroupDialect;
use crate::error::Error;
use crate::keys::PublicKey;
use crate::secret::Secret;

/// The shortest message that is looked at, in bytes: version byte, chain key and signing key.
const MIN_LENGTH: usize = 1 + 32 + 32;

/// A received distribution message: a view into its bytes, which hold a secret.
#[derive(Clone, Copy)]
pub struct SenderKeyDistributionMessage<'a> {
    version_byte: u8,
    distribution_id: Option<&'a [u8; 16]>,
    chain_id: u32,
    iteration: u32,
    chain_key: &'a [u8; 32],
    signing_key: PublicKey,
}

impl<'a> SenderKeyDistributionMessage<'a> {
    /// Parses a message of `dialect` (spec 05 §3).
    ///
    /// # Errors
    ///
    /// In this order: [`Error::CiphertextTooShort`] below 65 bytes;
    /// [`Error::LegacyCiphertextVersion`] and [`Error::UnrecognizedCiphertextVersion`] for a version
    /// other than 3; [`Error::InvalidProtobuf`] when the protobuf is malformed, lacks a field, is of the
    /// other dialect, or has a distribution id, chain key or signing key of the wrong length;
    /// [`Error::BadKeyType`] for a signing key of another type.
    pub fn parse(dialect: GroupDialect, bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() < MIN_LENGTH {
            return Err(Error::CiphertextTooShort(bytes.len()));
        }
        let (&version_byte, protobuf) =
            bytes.split_first().ok_or(Error::CiphertextTooShort(bytes.len()))?;
        sender_key_version(version_byte)?;

        let first = dialect.chain_id_field();
        let (mut distribution_id, mut chain_id, mut iteration) = (None, None, None);
        let (mut chain_key, mut signing_key) = (None, None);
        for field in Reader::new(protobuf) {
            let (number, value) = field?;
            match number.checked_sub(first) {
                None => distribution_id = Some(value.bytes()?),
                Some(0) => chain_id = Some(value.uint32()?),
                Some(1) => iteration = Some(value.uint32()?),
                Some(2) => chain_key = Some(value.bytes()?),
                Some(3) => signing_key = Some(value.bytes()?),
                Some(_) => {}
            }
        }
        let (Some(chain_id), Some(iteration)) = (chain_id, iteration) else {
            return Err(Error::InvalidProtobuf);
        };
        let distribution_id = dialect.distribution_id(distribution_id)?;
        let chain_key = chain_key.and_then(|bytes| bytes.try_into().ok());
        let signing_key = signing_key.filter(|bytes| bytes.len() == PublicKey::LENGTH);
        let (Some(chain_key), Some(signing_key)) = (chain_key, signing_key) else {
            return Err(Error::InvalidProtobuf);
        };
        Ok(Self {
            version_byte,
            distribution_id,
            chain_id,
            iteration,
            chain_key,
            signing_key: PublicKey::decode(signing_key)?,
        })
    }

    /// The message version, 3: the high nibble of the version byte.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version_byte >> 4
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

    /// The iteration of the chain key: the first message that its reader can decrypt.
    #[must_use]
    pub const fn iteration(&self) -> u32 {
        self.iteration
    }

    /// The chain key.
    #[must_use]
    pub const fn chain_key(&self) -> Secret<32> {
        Secret::new(*self.chain_key)
    }

    /// The public key under which the sender signs its messages.
    #[must_use]
    pub const fn signing_key(&self) -> &PublicKey {
        &self.signing_key
    }
}

impl fmt::Debug for SenderKeyDistributionMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderKeyDistributionMessage")
            .field("version_byte", &self.version_byte)
            .field("distribution_id", &self.distribution_id)
            .field("chain_id", &self.chain_id)
            .field("iteration", &self.iteration)
            .field("signing_key", &self.signing_key)
            .finish_non_exhaustive()
    }
}

/// What a sender puts into a [`SenderKeyDistributionMessage`].
#[derive(Clone, Copy, Debug)]
pub struct SenderKeyDistributionMessageFields<'a> {
    /// The version byte, `0x33`.
    pub version_byte: u8,
    /// The distribution id; `None` writes the older form.
    pub distribution_id: Option<&'a [u8; 16]>,
    /// The chain id.
    pub chain_id: u32,
    /// The iteration of the chain key.
    pub iteration: u32,
    /// The chain key.
    pub chain_key: &'a Secret<32>,
    /// The signing public key.
    pub signing_key: &'a PublicKey,
}

impl SenderKeyDistributionMessageFields<'_> {
    /// The message: at most 101 bytes, 83 in the older form.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let first = GroupDialect::of(self.distribution_id).chain_id_field();
        Zeroizing::new(writer::encode(|w| {
            w.raw(&[self.version_byte]);
            w.bytes_option(1, self.distribution_id.map(<[u8; 16]>::as_slice));
            w.uint(first, self.chain_id);
            w.uint(first.saturating_add(1), self.iteration);
            w.bytes(first.saturating_add(2), self.chain_key.expose());
            w.bytes(first.saturating_add(3), &self.signing_key.encode());
        }))
    }
}
