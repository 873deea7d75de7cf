//! `encrypted_backup.key`: the root key as a Java-serialised byte array (spec 24 §2).

use subtle::ConstantTimeEq;

use super::BackupKey;
use crate::error::Error;
use crate::secret::Secret;

/// What stands before the 32 bytes: the stream's magic and version, the class `[B` with its serial
/// number, and the array's length.
const PREFIX: [u8; 27] = [
    0xAC, 0xED, 0x00, 0x05, 0x75, 0x72, 0x00, 0x02, 0x5B, 0x42, 0xAC, 0xF3, 0x17, 0xF8, 0x06, 0x08,
    0x54, 0xE0, 0x02, 0x00, 0x00, 0x78, 0x70, 0x00, 0x00, 0x00, 0x20,
];

impl BackupKey {
    /// Reads an `encrypted_backup.key` file: 27 fixed bytes, then the key; 59 bytes in all.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidBackupKey`] for anything else.
    pub fn from_key_file(file: &[u8]) -> Result<Self, Error> {
        let (prefix, key) = file.split_at_checked(PREFIX.len()).ok_or(Error::InvalidBackupKey)?;
        if !bool::from(prefix.ct_eq(&PREFIX)) {
            return Err(Error::InvalidBackupKey);
        }
        Secret::from_slice(key).map(Self::new).ok_or(Error::InvalidBackupKey)
    }
}
