//! The header of a crypt15 file: a protobuf after its length (spec 24 §4). **Not authenticated.**

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::{self, Writer};

/// The longest header that is read or written, in bytes. Those seen have at most 255.
pub(super) const HEADER_MAX: usize = 4096;
/// `key_type` of a file under the root key.
const ROOT_KEY: u32 = 1;
/// The first field of the feature table in `info`.
const FIRST_FEATURE: u32 = 5;

/// The header of a crypt15 file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crypt15Header {
    pub(super) iv: [u8; 16],
    /// What the file says about itself.
    pub info: BackupInfo,
}

/// What a file says about itself. Nobody vouches for it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BackupInfo {
    /// The version of the application that made it.
    pub app_version: Option<String>,
    /// The last two digits of the account's number.
    pub jid_suffix: Option<String>,
    /// The version of the backup.
    pub backup_version: Option<u64>,
    /// The feature table as it stands in the file: fields 5 and up, encoded, in their order.
    pub features: Vec<u8>,
}

impl BackupInfo {
    /// Adds a feature that is set, as the varint 1.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a number below 5 or above 2^29 - 1, which is no field of the table.
    pub fn set_feature(&mut self, number: u32) -> Result<(), Error> {
        if !(FIRST_FEATURE..1 << 29).contains(&number) {
            return Err(Error::InvalidArgument);
        }
        writer::append(&mut self.features, |w| w.uint(number, 1_u32));
        Ok(())
    }

    /// The numbers and values of the features, in their order; fields that are no varints are left out.
    pub fn features(&self) -> impl Iterator<Item = (u32, u64)> {
        Reader::new(&self.features).map_while(Result::ok).filter_map(
            |(number, value)| match value {
                Value::Varint(value) => Some((number, value)),
                _ => None,
            },
        )
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut info = Self::default();
        let mut fields = Reader::new(bytes);
        let mut rest = bytes;
        while let Some(field) = fields.next() {
            let (number, value) = field?;
            let raw = rest.len().saturating_sub(fields.remaining());
            let (raw, after) = rest.split_at_checked(raw).ok_or(Error::InvalidProtobuf)?;
            rest = after;
            match number {
                1 => info.app_version = Some(value.string()?.into()),
                3 => info.jid_suffix = Some(value.string()?.into()),
                4 => info.backup_version = Some(value.uint64()?),
                FIRST_FEATURE.. => info.features.extend_from_slice(raw),
                _ => {}
            }
        }
        Ok(info)
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes_option(1, self.app_version.as_deref().map(str::as_bytes));
        w.bytes_option(3, self.jid_suffix.as_deref().map(str::as_bytes));
        w.uint_option(4, self.backup_version);
        w.raw(&self.features);
    }

    /// Whether the feature table is one.
    fn check(&self) -> Result<(), Error> {
        for field in Reader::new(&self.features) {
            match field {
                Ok((FIRST_FEATURE.., _)) => {}
                _ => return Err(Error::InvalidArgument),
            }
        }
        Ok(())
    }
}

impl Crypt15Header {
    /// The initialisation vector.
    #[must_use]
    pub const fn iv(&self) -> &[u8; 16] {
        &self.iv
    }

    /// Reads the protobuf, without its length.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedBackup`] for a file under a key that a server holds, such as crypt14;
    /// [`Error::InvalidProtobuf`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut key_type, mut server_keyed, mut iv) = (ROOT_KEY, false, None);
        let mut info = BackupInfo::default();
        for field in Reader::new(bytes) {
            match field? {
                // key_type: 0 is a key that a server provides, 1 the root key
                (1, value) => key_type = value.uint32()?,
                // c14: cipher information of server-keyed files only
                (2, _) => server_keyed = true,
                // c15 { iv#1 }
                (3, value) => {
                    for field in Reader::new(value.bytes()?) {
                        if let (1, value) = field? {
                            iv = Some(value.bytes()?);
                        }
                    }
                }
                (4, value) => info = BackupInfo::read(value.bytes()?)?,
                _ => {}
            }
        }
        match (key_type, iv) {
            (ROOT_KEY, Some(iv)) => {
                let iv = iv.try_into().map_err(|_| Error::InvalidProtobuf)?;
                Ok(Self { iv, info })
            }
            (ROOT_KEY, None) if server_keyed => Err(Error::UnsupportedBackup(0)),
            (ROOT_KEY, None) => Err(Error::InvalidProtobuf),
            (other, _) => Err(Error::UnsupportedBackup(other)),
        }
    }

    /// The protobuf, without its length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.uint(1, ROOT_KEY);
            w.message(3, |w| w.bytes(1, &self.iv));
            w.message(4, |w| self.info.write(w));
        })
    }

    /// Length and protobuf, as they begin the file.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when it is too long, or the features are no such table.
    pub(super) fn start(&self) -> Result<Vec<u8>, Error> {
        self.info.check()?;
        let header = self.encode();
        if header.len() > HEADER_MAX {
            return Err(Error::InvalidArgument);
        }
        Ok(writer::encode(|w| {
            w.length(header.len());
            w.raw(&header);
        }))
    }
}

/// How many bytes of a file are its length field and how many its header, once enough is there.
///
/// # Errors
///
/// [`Error::UnsupportedBackup`] for an empty header: crypt12 files begin with a zero byte.
/// [`Error::InvalidProtobuf`] beyond [`HEADER_MAX`].
pub(super) fn lengths(start: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    // an ordinary varint (spec 24 §4); two bytes carry more than HEADER_MAX
    const { assert!(HEADER_MAX < 1 << 14, "the length has at most two bytes") };
    let (prefix, length) = match *start {
        [] => return Ok(None),
        [low @ 0..=0x7F, ..] => (1, usize::from(low)),
        [_] => return Ok(None),
        [low, high @ 0..=0x7F, ..] => (2, usize::from(high) << 7 | usize::from(low & 0x7F)),
        _ => return Err(Error::InvalidProtobuf),
    };
    match length {
        0 => Err(Error::UnsupportedBackup(0)),
        1..=HEADER_MAX => Ok(Some((prefix, length))),
        _ => Err(Error::InvalidProtobuf),
    }
}
