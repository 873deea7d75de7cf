//! End-to-end encrypted backups: the root key, the crypt15 file, and a sealed stream for a device's own state.
//!
//! | file | what | specification |
//! |---|---|---|
//! | [`BackupKey`] | the root key, its 64 digits, its key file | 24 §2, §3 |
//! | [`BackupKeyWrap`] | the root key under a password's or a passkey's secret | 24 §5, own design |
//! | [`Crypt15Header`], [`BackupInfo`] | the header of a file | 24 §4 |
//! | [`Crypt15Encryptor`] | writing | 24 §4 |
//! | [`Crypt15Verifier`], [`Crypt15Decryptor`] | reading in two passes | 24 §4 |
//! | [`Crypt15SinglePass`] | reading in one pass, into a temporary place | 24 §4 |
//! | [`CloudMetadata`] | the `mcrypt1` blob, and names of files in a cloud | 24 §4 |
//! | `stream` | the sealed stream of a device's state, own design | |
//!
//! What is in a device's own backup, and the rule that nothing restored uses a key again, is in
//! [`DeviceBackupWriter`](crate::protocol::DeviceBackupWriter) and
//! [`DeviceRestore`](crate::device::DeviceRestore).
//!
//! # Plaintext is verified first
//!
//! The one tag of a crypt15 file is at its end. [`Crypt15Verifier`] reads the file once, checks the tag,
//! and notes a tag of every beginning of the file that is a multiple of 64 KiB long: 16 bytes each, 256
//! bytes a MiB, and nothing else grows with the file. [`Crypt15Decryptor`] reads it again and hands out no
//! chunk that does not fit its note, so a file that changed in between is refused as well. What cannot be
//! read twice goes through [`Crypt15SinglePass`], whose output is in a [`TemporaryPlace`] until the tag holds.
//!
//! The header and the checksum are **not authenticated**; the format has it so. The initialisation vector
//! is, in effect: with another one the tag does not fit.
//!
//! The plaintext of a database is a zlib stream; compressing is the application's.

mod cloud;
mod crypt15;
mod decrypt;
mod digits;
mod header;
mod input;
#[cfg(feature = "std")]
mod io;
mod key;
mod key_file;
mod single_pass;
pub(crate) mod stream;
mod wrap;

pub use cloud::CloudMetadata;
pub use crypt15::{Crypt15Encryptor, Crypt15Form, EncryptedBackup};
pub use decrypt::{Crypt15Decryptor, Crypt15Verifier, VerifiedCrypt15};
pub use digits::BackupKeyDigits;
pub use header::{BackupInfo, Crypt15Header};
pub use input::DecryptedBackup;
#[cfg(feature = "std")]
pub use io::decrypt_crypt15;
pub use key::BackupKey;
pub use single_pass::{Crypt15SinglePass, SinglePassError, TemporaryPlace};
pub use wrap::{BackupKeyWrap, WrappedBackupKey};
