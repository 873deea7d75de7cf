//! The scannable fingerprint (spec 07 §3).

use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// `CombinedFingerprints`: a version and the first 32 bytes of each party's fingerprint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScannableFingerprint {
    version: u32,
    local: Vec<u8>,
    remote: Vec<u8>,
}

impl ScannableFingerprint {
    pub(super) fn new(version: u32, local: [u8; 32], remote: [u8; 32]) -> Self {
        Self { version, local: local.to_vec(), remote: remote.to_vec() }
    }

    /// The scannable version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The bytes of the code: 74 of them for a version below 128.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.uint(1, self.version);
            w.message(2, |w| w.bytes(1, &self.local));
            w.message(3, |w| w.bytes(1, &self.remote));
        })
    }

    /// Reads a code. The contents may have any length.
    ///
    /// # Errors
    ///
    /// [`Error::FingerprintParsing`] when it is not a protobuf or lacks the version or a content.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match Fields::parse(bytes)? {
            Fields { version: Some(version), local: Some(local), remote: Some(remote) } => {
                Ok(Self { version, local: local.to_vec(), remote: remote.to_vec() })
            }
            _ => Err(Error::FingerprintParsing),
        }
    }

    /// Compares our own code with the one scanned from the other party's screen, in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::FingerprintVersionMismatch`] when the versions differ: an error, not "no match".
    /// [`Error::FingerprintParsing`] when `theirs` cannot be read.
    pub fn compare(&self, theirs: &[u8]) -> Result<bool, Error> {
        // 1. decode;  2. versions, absent = 0;  3. contents
        let theirs = Fields::parse(theirs)?;
        let version = theirs.version.unwrap_or(0);
        if version != self.version {
            return Err(Error::FingerprintVersionMismatch { theirs: version, ours: self.version });
        }
        let (Some(local), Some(remote)) = (theirs.local, theirs.remote) else {
            return Err(Error::FingerprintParsing);
        };
        // 4. their local is our remote and their remote is our local
        Ok((local.ct_eq(&self.remote) & remote.ct_eq(&self.local)).into())
    }
}

struct Fields<'a> {
    version: Option<u32>,
    local: Option<&'a [u8]>,
    remote: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut fields = Self { version: None, local: None, remote: None };
        fields.read(bytes).map_err(|_| Error::FingerprintParsing)?;
        Ok(fields)
    }

    fn read(&mut self, bytes: &'a [u8]) -> Result<(), Error> {
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => self.version = Some(value.uint32()?),
                // a message that is repeated is merged: its last content wins
                (2, value) => self.local = content(value.bytes()?)?.or(self.local),
                (3, value) => self.remote = content(value.bytes()?)?.or(self.remote),
                _ => {}
            }
        }
        Ok(())
    }
}

/// `LogicalFingerprint.content`; field 2 was an identifier and is ignored.
fn content(bytes: &[u8]) -> Result<Option<&[u8]>, Error> {
    let mut content = None;
    for field in Reader::new(bytes) {
        if let (1, value) = field? {
            content = Some(value.bytes()?);
        }
    }
    Ok(content)
}
