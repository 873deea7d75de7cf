//! The QR content of a security code (spec 25 §3).
//!
//! The bytes go into the QR code as ISO-8859-1 text: one character a byte.

use alloc::string::String;
use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use super::DeviceKeys;
use super::security_code::hash_keys;
use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer::{self, Writer};

/// What a code carries of the keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QrVersion {
    /// Version 0: the sorted keys themselves, for few devices.
    Keys,
    /// Version 1: their hash, for many devices.
    HashedKeys,
}

/// One party as a code shows it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct QrParty {
    public_key: Option<Vec<u8>>,
    pn_identifier: Option<String>,
    lid_identifier: Option<Vec<u8>>,
    username_identifier: Option<String>,
    hosted: bool,
    hashed_public_key: Option<Vec<u8>>,
}

/// `CombinedFingerprint`: what one device shows and the other scans.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityQr {
    version: u32,
    local: QrParty,
    remote: QrParty,
}

/// What a scan says (spec 25 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ScanResult {
    /// Both codes agree: nobody stands between the two users.
    Match,
    /// Their code shows other keys for me than I have.
    MyKeysDiffer,
    /// Their keys are not the ones that I know for them.
    TheirKeysDiffer,
    /// Their code has a version that is not known here.
    VersionTooNew,
    /// The two codes are not about the same two users, or have no kind of identifier in common.
    IdentifiersDiffer,
    /// The two sides do not agree on who is hosted by someone else.
    HostedStateDiffers,
}

impl QrParty {
    /// A party's keys, in the form of the version, and whether the account is hosted by someone else
    /// than its owner. Identifiers are added with the functions below.
    #[must_use]
    pub fn new(version: QrVersion, keys: &DeviceKeys, hosted: bool) -> Self {
        let mut party = Self { hosted, ..Self::default() };
        match version {
            QrVersion::Keys => party.public_key = Some(keys.as_bytes().to_vec()),
            QrVersion::HashedKeys => party.hashed_public_key = Some(keys.hashed().to_vec()),
        }
        party
    }

    /// Whether the party's account is hosted by someone else than its owner, as the code says: what
    /// [`Signal::scan`](crate::business::Signal::scan) takes.
    #[must_use]
    pub const fn is_hosted(&self) -> bool {
        self.hosted
    }

    /// Adds the phone-number identifier.
    #[must_use]
    pub fn with_pn(mut self, identifier: impl Into<String>) -> Self {
        self.pn_identifier = Some(identifier.into());
        self
    }

    /// Adds the LID identifier. Its exact bytes are undetermined in the specification; both sides
    /// must make it the same way.
    #[must_use]
    pub fn with_lid(mut self, identifier: impl Into<Vec<u8>>) -> Self {
        self.lid_identifier = Some(identifier.into());
        self
    }

    /// Adds the user name.
    #[must_use]
    pub fn with_username(mut self, identifier: impl Into<String>) -> Self {
        self.username_identifier = Some(identifier.into());
        self
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes_option(1, self.public_key.as_deref());
        w.bytes_option(2, self.pn_identifier.as_deref().map(str::as_bytes));
        w.bytes_option(3, self.lid_identifier.as_deref());
        w.bytes_option(4, self.username_identifier.as_deref().map(str::as_bytes));
        w.uint_nonzero(5, u64::from(self.hosted));
        w.bytes_option(6, self.hashed_public_key.as_deref());
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => self.public_key = Some(value.bytes()?.to_vec()),
                (2, value) => self.pn_identifier = Some(value.string()?.into()),
                (3, value) => self.lid_identifier = Some(value.bytes()?.to_vec()),
                (4, value) => self.username_identifier = Some(value.string()?.into()),
                // E2EE is 0; anything else is not end-to-end encrypted with the owner
                (5, value) => self.hosted = value.uint64()? != 0,
                (6, value) => self.hashed_public_key = Some(value.bytes()?.to_vec()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether at least one kind of identifier is in both, and every kind that is in both is equal.
    fn same_user(&self, other: &Self) -> bool {
        let kinds = [
            same(self.pn_identifier.as_ref(), other.pn_identifier.as_ref()),
            same(self.lid_identifier.as_ref(), other.lid_identifier.as_ref()),
            same(self.username_identifier.as_ref(), other.username_identifier.as_ref()),
        ];
        kinds.contains(&Some(true)) && !kinds.contains(&Some(false))
    }

    /// Compares key material of the same kind; where the kinds differ the hash is computed.
    fn same_keys(&self, other: &Self) -> bool {
        if let (Some(a), Some(b)) = (&self.public_key, &other.public_key) {
            return a.as_slice().ct_eq(b.as_slice()).into();
        }
        match (self.key_hash(), other.key_hash()) {
            (Some(a), Some(b)) => a.as_slice().ct_eq(b.as_slice()).into(),
            _ => false,
        }
    }

    fn key_hash(&self) -> Option<Vec<u8>> {
        self.hashed_public_key
            .clone()
            .or_else(|| self.public_key.as_deref().map(|keys| hash_keys(keys).to_vec()))
    }
}

/// Equality where both sides have a value.
fn same<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> Option<bool> {
    Some(a? == b?)
}

impl core::fmt::Debug for QrParty {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QrParty").field("hosted", &self.hosted).finish_non_exhaustive()
    }
}

impl SecurityQr {
    /// The newest version that is known here.
    const VERSION_MAX: u32 = 1;
    /// The longest code that is read, in bytes: as much as a QR code can hold.
    const LENGTH_MAX: usize = 2953;

    /// The code that this device shows.
    #[must_use]
    pub const fn new(version: QrVersion, local: QrParty, remote: QrParty) -> Self {
        let version = match version {
            QrVersion::Keys => 0,
            QrVersion::HashedKeys => 1,
        };
        Self { version, local, remote }
    }

    /// The party that shows the code.
    #[must_use]
    pub const fn local(&self) -> &QrParty {
        &self.local
    }

    /// The bytes of the code.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.uint(1, self.version);
            w.message(2, |w| self.local.write(w));
            w.message(3, |w| self.remote.write(w));
        })
    }

    /// Reads a code.
    ///
    /// # Errors
    ///
    /// [`Error::FingerprintParsing`] when it is not a protobuf, lacks a party, or is longer than a QR
    /// code can be.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let parse = || {
            let (mut version, mut local, mut remote) = (0, None, None);
            for field in Reader::new(bytes) {
                match field? {
                    (1, value) => version = value.uint32()?,
                    (2, value) => {
                        local.get_or_insert_with(QrParty::default).read(value.bytes()?)?;
                    }
                    (3, value) => {
                        remote.get_or_insert_with(QrParty::default).read(value.bytes()?)?;
                    }
                    _ => {}
                }
            }
            match (local, remote) {
                (Some(local), Some(remote)) => Ok(Self { version, local, remote }),
                _ => Err(Error::FingerprintParsing),
            }
        };
        if bytes.len() > Self::LENGTH_MAX {
            return Err(Error::FingerprintParsing);
        }
        parse().map_err(|_: Error| Error::FingerprintParsing)
    }

    /// Compares our own code with the one scanned from the other device.
    #[must_use]
    pub fn compare(&self, theirs: &Self) -> ScanResult {
        if theirs.version > Self::VERSION_MAX {
            return ScanResult::VersionTooNew;
        }
        // their local is my remote and their remote is me
        if !theirs.local.same_user(&self.remote) || !theirs.remote.same_user(&self.local) {
            return ScanResult::IdentifiersDiffer;
        }
        if !theirs.local.same_keys(&self.remote) {
            return ScanResult::TheirKeysDiffer;
        }
        if !theirs.remote.same_keys(&self.local) {
            return ScanResult::MyKeysDiffer;
        }
        if theirs.local.hosted != self.remote.hosted || theirs.remote.hosted != self.local.hosted {
            return ScanResult::HostedStateDiffers;
        }
        ScanResult::Match
    }
}
