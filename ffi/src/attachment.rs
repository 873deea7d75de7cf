//! Files in Signal's format.

use sandi::attachment::{
    AttachmentDecryptor, AttachmentEncryptor, AttachmentKey, AttachmentVerifier,
    IncrementalCoverage, IncrementalDigest,
};

use crate::buffer::SandiBuffer;
use crate::guard::{self, Failure};
use crate::input::{self, Output, SandiBytes};
use crate::platform;
use crate::status::SandiStatus;
use crate::stream::{Running, StreamObject};
use crate::table::{self, SandiStream};

/// No incremental MAC.
pub const SANDI_INCREMENTAL_NONE: u32 = 0;
/// An incremental MAC over the whole blob.
pub const SANDI_INCREMENTAL_WHOLE_BLOB: u32 = 1;
/// An incremental MAC over the blob without the MAC at its end.
pub const SANDI_INCREMENTAL_WITHOUT_MAC: u32 = 2;

fn coverage(code: u32) -> Result<Option<IncrementalCoverage>, Failure> {
    match code {
        SANDI_INCREMENTAL_NONE => Ok(None),
        SANDI_INCREMENTAL_WHOLE_BLOB => Ok(Some(IncrementalCoverage::WholeBlob)),
        SANDI_INCREMENTAL_WITHOUT_MAC => Ok(Some(IncrementalCoverage::WithoutMac)),
        _ => Err(SandiStatus::OutOfRange.into()),
    }
}

/// Reads a key of 64 bytes.
///
/// # Safety
///
/// `key`, if `key_len` is not 0, points to as many bytes.
unsafe fn key(key: *const u8, key_len: usize) -> Result<AttachmentKey, Failure> {
    // SAFETY: the caller's.
    let key: &[u8; 64] = unsafe { input::fixed(key, key_len) }?;
    Ok(AttachmentKey::from_bytes(key)?)
}

/// A new key for a file, 64 bytes: for the message. A secret.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_attachment_key(out: *mut SandiBuffer) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        let key = AttachmentKey::generate(&mut platform::random());
        out.set(SandiBuffer::copy(key.secret().expose())?);
        Ok(())
    })
}

/// Starts to encrypt a file under a new key of 64 bytes. `incremental` is `SANDI_INCREMENTAL_…`; unless it is `NONE`,
/// `size` is the file's exact length, else it has no meaning.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_attachment_encrypt(
    key_bytes: *const u8,
    key_len: usize,
    incremental: u32,
    size: u64,
    out: *mut SandiStream,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStream::NONE) }?;
        // SAFETY: as before.
        let key = unsafe { key(key_bytes, key_len) }?;
        let rng = &mut platform::random();
        let encryptor = match coverage(incremental)? {
            None => AttachmentEncryptor::new(&key, rng),
            Some(coverage) => AttachmentEncryptor::with_incremental_mac(&key, size, coverage, rng)?,
        };
        out.set(StreamObject::start(Running::AttachmentEncrypt(encryptor))?);
        Ok(())
    })
}

/// Starts the first of two passes over a file whose message carries no incremental MAC. `digest` is the blob's SHA-256
/// (32 bytes), from the message. Its output is empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_attachment_verify(
    key_bytes: *const u8,
    key_len: usize,
    digest: *const u8,
    digest_len: usize,
    out: *mut SandiStream,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStream::NONE) }?;
        // SAFETY: as before.
        let key = unsafe { key(key_bytes, key_len) }?;
        // SAFETY: as before.
        let digest = unsafe { input::fixed(digest, digest_len) }?;
        out.set(StreamObject::start(Running::AttachmentVerify(AttachmentVerifier::new(
            &key, digest,
        )?))?);
        Ok(())
    })
}

/// Starts the second pass, after `sandi_stream_finish` of the first. `size` is the file's true length, from the message.
///
/// Errors: `WrongState` if the first pass has not ended, or was of another format.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_attachment_decrypt_verified(
    verified: SandiStream,
    key_bytes: *const u8,
    key_len: usize,
    size: u64,
    out: *mut SandiStream,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStream::NONE) }?;
        // SAFETY: as before.
        let key = unsafe { key(key_bytes, key_len) }?;
        let object = table::get::<StreamObject>(verified.id)?;
        let verified = match &*object.lock()? {
            StreamObject::AttachmentVerified(verified) => verified.clone(),
            _ => return Err(SandiStatus::WrongState.into()),
        };
        let decryptor = AttachmentDecryptor::verified(&key, verified, size)?;
        out.set(StreamObject::start(Running::AttachmentDecrypt(decryptor))?);
        Ok(())
    })
}

/// Starts to decrypt a file while it is received, with the incremental MAC from the message: its entries, its chunk size,
/// and what it covers (`SANDI_INCREMENTAL_…`, not `NONE`). `digest` is the blob's SHA-256, `size` the file's true
/// length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_attachment_decrypt(
    key_bytes: *const u8,
    key_len: usize,
    digest: *const u8,
    digest_len: usize,
    size: u64,
    entries: SandiBytes,
    chunk_size: u32,
    incremental: u32,
    out: *mut SandiStream,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStream::NONE) }?;
        // SAFETY: as before.
        let key = unsafe { key(key_bytes, key_len) }?;
        // SAFETY: as before.
        let digest = unsafe { input::fixed(digest, digest_len) }?;
        // SAFETY: as before.
        let entries = unsafe { input::bytes(entries.data, entries.len) }?.to_vec();
        let coverage = coverage(incremental)?.ok_or(SandiStatus::OutOfRange)?;
        let incremental = IncrementalDigest { chunk_size, entries };
        let decryptor = AttachmentDecryptor::streaming(&key, digest, incremental, coverage, size)?;
        out.set(StreamObject::start(Running::AttachmentDecrypt(decryptor))?);
        Ok(())
    })
}
