//! A reference to a blob that is too large for a patch (spec 26 §4, spec 21 §6).

use alloc::string::String;
use alloc::vec::Vec;

use crate::attachment::{MediaHashes, MediaKey, MediaKind};
use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// Where external mutations, or a snapshot, are, and what opens them: a file of [`KIND`](Self::KIND), to be
/// downloaded, verified and decrypted as any other by [`attachment`](crate::attachment).
#[derive(Debug, PartialEq, Eq)]
pub struct ExternalBlob {
    /// The file's key.
    pub media_key: MediaKey,
    /// The path at the media server.
    pub direct_path: String,
    /// The handle that the server knows it by.
    pub handle: Option<String>,
    /// Hashes and length of the file.
    pub hashes: MediaHashes,
}

impl ExternalBlob {
    /// The kind of file.
    pub const KIND: MediaKind<'static> = MediaKind::AppState;

    /// Parses `ExternalBlobReference{mediaKey#1, directPath#2, handle#3, fileSizeBytes#4, fileSha256#5,
    /// fileEncSha256#6}`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when malformed, or without a key or a path.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (mut key, mut path, mut handle) = (None, None, None);
        let (mut size, mut file, mut blob) = (None, None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => key = Some(value.bytes()?),
                (2, value) => path = Some(value.string()?),
                (3, value) => handle = Some(value.string()?),
                (4, value) => size = Some(value.uint64()?),
                (5, value) => file = Some(value.bytes()?),
                (6, value) => blob = Some(value.bytes()?),
                _ => {}
            }
        }
        let key = key.and_then(|key| MediaKey::from_bytes(key).ok());
        Ok(Self {
            media_key: key.ok_or(Error::InvalidProtobuf)?,
            direct_path: path.ok_or(Error::InvalidProtobuf)?.into(),
            handle: handle.map(String::from),
            hashes: MediaHashes::from_fields(file, blob, size)
                .map_err(|_| Error::InvalidProtobuf)?,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.bytes(1, self.media_key.secret().expose());
            w.bytes(2, self.direct_path.as_bytes());
            w.bytes_option(3, self.handle.as_deref().map(str::as_bytes));
            w.uint_option(4, self.hashes.file_length);
            w.bytes_option(5, self.hashes.file_sha256.as_ref().map(<[u8; 32]>::as_slice));
            w.bytes_option(6, self.hashes.file_enc_sha256.as_ref().map(<[u8; 32]>::as_slice));
        })
    }
}
