//! `ADVDeviceIdentity`: what a primary says about one of its companions (spec 22 §2).

use alloc::vec::Vec;

use super::EncryptionType;
use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// The details of a companion that its account's primary signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeviceIdentity {
    /// Number of the account's registration (rawId): another one means that it was registered anew.
    pub raw_id: u32,
    /// When the companion was linked, in seconds since the Unix epoch.
    pub timestamp: u64,
    /// The companion's key index: unique within a registration.
    pub key_index: u32,
    /// Who holds the account's keys.
    pub account_type: EncryptionType,
    /// Who holds the companion's keys.
    pub device_type: EncryptionType,
}

impl DeviceIdentity {
    /// Reads the encoding. What is absent is 0.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut out = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => out.raw_id = value.uint32()?,
                (2, value) => out.timestamp = value.uint64()?,
                (3, value) => out.key_index = value.uint32()?,
                (4, value) => out.account_type = EncryptionType::from_value(value.uint32()?),
                (5, value) => out.device_type = EncryptionType::from_value(value.uint32()?),
                _ => {}
            }
        }
        Ok(out)
    }

    /// The encoding, which is what is signed. A type is left out when it is 0.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.uint(1, self.raw_id);
            w.uint(2, self.timestamp);
            w.uint(3, self.key_index);
            w.uint_nonzero(4, self.account_type.value());
            w.uint_nonzero(5, self.device_type.value());
        })
    }
}
