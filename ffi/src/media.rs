//! Files in the WhatsApp family's format.

use sandi::attachment::{
    MediaDecryptor, MediaEncryptor, MediaHashes, MediaKey, MediaKeys, MediaKind, MediaVerifier,
    Sidecar,
};

use crate::buffer::SandiBuffer;
use crate::guard::{self, Failure};
use crate::input::{self, Output, SandiBytes};
use crate::platform;
use crate::status::SandiStatus;
use crate::stream::{Running, StreamObject};
use crate::table::{self, SandiStream};

/// A picture.
pub const SANDI_MEDIA_IMAGE: u32 = 0;
/// A sticker.
pub const SANDI_MEDIA_STICKER: u32 = 1;
/// A video.
pub const SANDI_MEDIA_VIDEO: u32 = 2;
/// A sound file.
pub const SANDI_MEDIA_AUDIO: u32 = 3;
/// A voice message.
pub const SANDI_MEDIA_VOICE: u32 = 4;
/// A document of any type.
pub const SANDI_MEDIA_DOCUMENT: u32 = 5;
/// The thumbnail of a link preview.
pub const SANDI_MEDIA_LINK_THUMBNAIL: u32 = 6;
/// A history synchronisation blob.
pub const SANDI_MEDIA_HISTORY: u32 = 7;
/// An app-state snapshot or external patch.
pub const SANDI_MEDIA_APP_STATE: u32 = 8;
/// The archive of a sticker pack.
pub const SANDI_MEDIA_STICKER_PACK: u32 = 9;
/// Any other kind, by its info string.
pub const SANDI_MEDIA_CUSTOM: u32 = 255;

/// A file's key, and what it is sent as.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiMediaKey {
    /// The key, 32 bytes. A secret.
    pub key: SandiBytes,
    /// For `SANDI_MEDIA_CUSTOM`: the info string; else empty.
    pub info: SandiBytes,
    /// `SANDI_MEDIA_…`: the type of the message that carries the file.
    pub kind: u32,
    /// Set to 0.
    pub reserved: u32,
}

/// What the message says about a file, as far as it says it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiMediaHashes {
    /// SHA-256 of the plaintext, 32 bytes, or empty.
    pub plaintext_sha256: SandiBytes,
    /// SHA-256 of the blob, 32 bytes, or empty.
    pub blob_sha256: SandiBytes,
    /// Length of the plaintext.
    pub size: u64,
    /// 1 if the message has that length, else 0.
    pub has_size: u32,
    /// Set to 0.
    pub reserved: u32,
}

/// Reads a key.
///
/// # Safety
///
/// `pointer`, if not null, points to a key, and its parts to as many bytes as they say.
unsafe fn keys(pointer: *const SandiMediaKey) -> Result<MediaKeys, Failure> {
    // SAFETY: the caller's.
    let given = unsafe { input::value(pointer) }?;
    // SAFETY: the caller's.
    let key: &[u8; 32] = unsafe { input::fixed(given.key.data, given.key.len) }?;
    // SAFETY: the caller's.
    let info = unsafe { input::text(given.info.data, given.info.len) }?;
    let kind = match given.kind {
        SANDI_MEDIA_IMAGE => MediaKind::Image,
        SANDI_MEDIA_STICKER => MediaKind::Sticker,
        SANDI_MEDIA_VIDEO => MediaKind::Video,
        SANDI_MEDIA_AUDIO => MediaKind::Audio,
        SANDI_MEDIA_VOICE => MediaKind::Voice,
        SANDI_MEDIA_DOCUMENT => MediaKind::Document,
        SANDI_MEDIA_LINK_THUMBNAIL => MediaKind::LinkThumbnail,
        SANDI_MEDIA_HISTORY => MediaKind::History,
        SANDI_MEDIA_APP_STATE => MediaKind::AppState,
        SANDI_MEDIA_STICKER_PACK => MediaKind::StickerPack,
        SANDI_MEDIA_CUSTOM => MediaKind::Custom(info),
        _ => return Err(SandiStatus::OutOfRange.into()),
    };
    if given.reserved != 0 || info.is_empty() == (given.kind == SANDI_MEDIA_CUSTOM) {
        return Err(SandiStatus::OutOfRange.into());
    }
    Ok(MediaKey::from_bytes(key)?.derive(kind))
}

/// Reads hashes; a null pointer gives none.
///
/// # Safety
///
/// `pointer`, if not null, points to hashes, and its parts to as many bytes as they say.
unsafe fn hashes(pointer: *const SandiMediaHashes) -> Result<MediaHashes, Failure> {
    if pointer.is_null() {
        return Ok(MediaHashes::default());
    }
    // SAFETY: the caller's.
    let given = unsafe { input::value(pointer) }?;
    if given.has_size > 1 || given.reserved != 0 {
        return Err(SandiStatus::OutOfRange.into());
    }
    // SAFETY: the caller's.
    let read = |part: SandiBytes| unsafe { input::bytes(part.data, part.len) };
    let (plaintext, blob) = (read(given.plaintext_sha256)?, read(given.blob_sha256)?);
    let size = (given.has_size == 1).then_some(given.size);
    Ok(MediaHashes::from_fields(Some(plaintext), Some(blob), size)?)
}

/// A new key for a file, 32 bytes: for the message. A secret.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_media_key(out: *mut SandiBuffer) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        let key = MediaKey::generate(&mut platform::random());
        out.set(SandiBuffer::copy(key.secret().expose())?);
        Ok(())
    })
}

/// Starts to encrypt a file under a new key. `sidecar` is 1 for a side-car: for a video or a sound that plays while it
/// loads; else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_media_encrypt(
    key: *const SandiMediaKey,
    sidecar: u32,
    out: *mut SandiStream,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStream::NONE) }?;
        // SAFETY: as before.
        let keys = unsafe { keys(key) }?;
        let encryptor = match sidecar {
            0 => MediaEncryptor::new(&keys),
            1 => MediaEncryptor::with_sidecar(&keys),
            _ => return Err(SandiStatus::OutOfRange.into()),
        };
        out.set(StreamObject::start(Running::MediaEncrypt(encryptor))?);
        Ok(())
    })
}

/// Starts the first of two passes over a file whose message carries no side-car. `given` (may be null) is what the
/// message says. Its output is empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_media_verify(
    key: *const SandiMediaKey,
    given: *const SandiMediaHashes,
    out: *mut SandiStream,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStream::NONE) }?;
        // SAFETY: as before.
        let keys = unsafe { keys(key) }?;
        // SAFETY: as before.
        let hashes = unsafe { hashes(given) }?;
        out.set(StreamObject::start(Running::MediaVerify(MediaVerifier::new(&keys, &hashes)))?);
        Ok(())
    })
}

/// Starts the second pass, after `sandi_stream_finish` of the first.
///
/// Errors: `WrongState` if the first pass has not ended, or was of another format.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_media_decrypt_verified(
    verified: SandiStream,
    key: *const SandiMediaKey,
    given: *const SandiMediaHashes,
    out: *mut SandiStream,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStream::NONE) }?;
        // SAFETY: as before.
        let keys = unsafe { keys(key) }?;
        // SAFETY: as before.
        let hashes = unsafe { hashes(given) }?;
        let object = table::get::<StreamObject>(verified.id)?;
        let verified = match &*object.lock()? {
            StreamObject::MediaVerified(verified) => verified.clone(),
            _ => return Err(SandiStatus::WrongState.into()),
        };
        let decryptor = MediaDecryptor::verified(&keys, verified, &hashes);
        out.set(StreamObject::start(Running::MediaDecrypt(decryptor))?);
        Ok(())
    })
}

/// Starts to decrypt a file while it is received, with the side-car from the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_media_decrypt(
    key: *const SandiMediaKey,
    given: *const SandiMediaHashes,
    sidecar: *const u8,
    sidecar_len: usize,
    out: *mut SandiStream,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiStream::NONE) }?;
        // SAFETY: as before.
        let keys = unsafe { keys(key) }?;
        // SAFETY: as before.
        let hashes = unsafe { hashes(given) }?;
        // SAFETY: as before.
        let sidecar = Sidecar::from_bytes(unsafe { input::bytes(sidecar, sidecar_len) }?)?;
        let decryptor = MediaDecryptor::streaming(&keys, sidecar, &hashes);
        out.set(StreamObject::start(Running::MediaDecrypt(decryptor))?);
        Ok(())
    })
}
