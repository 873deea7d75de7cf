//! Writing a crypt15 file (spec 24 §4): `length ‖ header ‖ ciphertext ‖ tag16 [‖ md5_16]`.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::{BackupInfo, BackupKey, Crypt15Header};
use crate::attachment::Transform;
use crate::crypto::gcm_stream::GcmStream;
use crate::crypto::hash::Md5Stream;
use crate::error::Error;

/// Which of the two forms a file has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crypt15Form {
    /// One file is the whole backup: it ends with an MD5 over all before it.
    SingleFile,
    /// One of several files, such as media: no MD5.
    MultiFile,
}

/// What is known of a file that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncryptedBackup {
    /// The tag over the ciphertext.
    pub tag: [u8; 16],
    /// MD5 of everything before it: a check of the transfer. In the file in the single-file form only.
    pub md5: [u8; 16],
    /// Length of the plaintext in bytes.
    pub length: u64,
}

/// Encrypts a backup as a stream: give it the plaintext, for a database a zlib stream.
///
/// AES-256-GCM with a 16-byte initialisation vector that is drawn for every file. At most 64 GiB less 32
/// bytes.
pub struct Crypt15Encryptor {
    /// Length and header, until they are written.
    start: Vec<u8>,
    gcm: GcmStream,
    md5: Md5Stream,
    form: Crypt15Form,
    length: u64,
}

impl Crypt15Encryptor {
    /// Starts a file. Draws the 16 bytes of the initialisation vector.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for information that is longer than 4 KiB, or whose feature table is none.
    pub fn new(
        key: &BackupKey,
        info: BackupInfo,
        form: Crypt15Form,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let mut iv = [0; 16];
        rng.fill_bytes(&mut iv);
        let start = Crypt15Header { iv, info }.start()?;
        let gcm = GcmStream::new(&key.encryption_key(), &iv);
        let mut md5 = Md5Stream::new();
        md5.update(&start);
        Ok(Self { start, gcm, md5, form, length: 0 })
    }
}

impl Transform for Crypt15Encryptor {
    type Report = EncryptedBackup;

    /// # Errors
    ///
    /// [`Error::InvalidArgument`] beyond the limit of GCM.
    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        output.append(&mut self.start);
        let at = output.len();
        output.extend_from_slice(input);
        let ciphertext = output.get_mut(at..).unwrap_or_default();
        if let Err(error) = self.gcm.encrypt(ciphertext) {
            // what the cipher did not take is still plaintext
            output.truncate(at);
            return Err(error);
        }
        self.md5.update(ciphertext);
        self.length = self.length.saturating_add(u64::try_from(input.len()).unwrap_or(0));
        Ok(())
    }

    fn finish(mut self, output: &mut Vec<u8>) -> Result<Self::Report, Error> {
        output.append(&mut self.start);
        let tag = self.gcm.tag();
        output.extend_from_slice(&tag);
        self.md5.update(&tag);
        let md5 = self.md5.finish();
        if self.form == Crypt15Form::SingleFile {
            output.extend_from_slice(&md5);
        }
        Ok(EncryptedBackup { tag, md5, length: self.length })
    }
}
