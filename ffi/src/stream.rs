//! Files as streams: pushed in piece by piece, in constant memory.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sandi::Error;
use sandi::attachment::{
    AttachmentDecryptor, AttachmentEncryptor, AttachmentVerifier, MediaDecryptor, MediaEncryptor,
    MediaVerifier, Transform, VerifiedAttachment, VerifiedMedia,
};

use crate::buffer::{Gift, SandiBuffer, Wiped};
use crate::guard::{self, Failure};
use crate::input::{self, Output};
use crate::status::SandiStatus;
use crate::table::{self, Kind, Object, SandiStream};

/// What is known at the end of a stream: the fields for the message, or what was verified. Free `index`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiStreamReport {
    /// Length of the plaintext in bytes, without padding; of a verifier: length of the blob.
    pub size: u64,
    /// After encrypting, where it was asked for: the incremental MAC's chunk size (Signal); else 0.
    pub chunk_size: u32,
    /// After decrypting a WhatsApp file: 1 if the message gave another length. Show the true one.
    pub length_differs: u32,
    /// SHA-256 of the plaintext, after encrypting or decrypting a WhatsApp file; else zeros.
    pub plaintext_sha256: [u8; 32],
    /// SHA-256 of the blob, after encrypting; else zeros.
    pub blob_sha256: [u8; 32],
    /// After encrypting, where it was asked for: the side-car (WhatsApp) or the incremental MAC (Signal); else no
    /// buffer.
    pub index: SandiBuffer,
}

pub(crate) const NO_REPORT: SandiStreamReport = SandiStreamReport {
    size: 0,
    chunk_size: 0,
    length_differs: 0,
    plaintext_sha256: [0; 32],
    blob_sha256: [0; 32],
    index: SandiBuffer::NONE,
};

/// A stream that is under way. Always boxed, so the size of the largest is nobody else's.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Running {
    AttachmentEncrypt(AttachmentEncryptor),
    AttachmentVerify(AttachmentVerifier),
    AttachmentDecrypt(AttachmentDecryptor),
    MediaEncrypt(MediaEncryptor),
    MediaVerify(MediaVerifier),
    MediaDecrypt(MediaDecryptor),
}

pub(crate) enum StreamObject {
    /// With the number of bytes that have gone in and not come out yet: as much as a decryptor can still give.
    /// Room for it is made before, for a buffer that grows would leave plaintext behind.
    Running(Box<Running>, usize),
    /// The end of a first pass, for the second.
    AttachmentVerified(VerifiedAttachment),
    MediaVerified(VerifiedMedia),
    /// Failed or finished.
    Ended,
}

impl Object for StreamObject {
    const KIND: Kind = Kind::Stream;
}

impl StreamObject {
    pub(crate) fn start(running: Running) -> Result<SandiStream, Failure> {
        let object = Self::Running(running.into(), 0);
        Ok(SandiStream { id: table::insert(object)? })
    }

    /// Runs a step that takes `taken` bytes, after whose failure nothing more comes.
    fn step<T>(
        &mut self,
        taken: usize,
        run: impl FnOnce(&mut Running, &mut Vec<u8>) -> Result<T, Error>,
    ) -> Result<(T, Wiped), Failure> {
        let Self::Running(running, held) = self else { return Err(SandiStatus::WrongState.into()) };
        let room = held.saturating_add(taken);
        let mut output = Wiped::with_capacity(if running.decrypts() { room } else { taken });
        let result = run(running, &mut output.0);
        *held = room.saturating_sub(output.0.len());
        if result.is_err() {
            *self = Self::Ended;
        }
        Ok((result?, output))
    }
}

impl Running {
    const fn decrypts(&self) -> bool {
        matches!(self, Self::AttachmentDecrypt(_) | Self::MediaDecrypt(_))
    }
}

macro_rules! each {
    ($running:expr, $transform:ident => $do:expr) => {
        match $running {
            Running::AttachmentEncrypt($transform) => $do,
            Running::AttachmentVerify($transform) => $do,
            Running::AttachmentDecrypt($transform) => $do,
            Running::MediaEncrypt($transform) => $do,
            Running::MediaVerify($transform) => $do,
            Running::MediaDecrypt($transform) => $do,
        }
    };
}

/// Takes the next bytes, of any number, and gives what they complete: it may be nothing. Plaintext is given only
/// after it was verified. After an error the stream has ended.
///
/// Errors: `Rejected`; `WrongState` after an end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_stream_update(
    stream: SandiStream,
    data: *const u8,
    len: usize,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let data = unsafe { input::bytes(data, len) }?;
        let object = table::get::<StreamObject>(stream.id)?;
        let (_, output) = object.lock()?.step(
            len,
            |running, output| each!(running, transform => transform.update(data, output)),
        )?;
        out.set(SandiBuffer::give(output)?);
        Ok(())
    })
}

/// After the last bytes: gives up to 64 KiB that are still to come before the end, such as padding. Call it until `more`
/// is 0, then `sandi_stream_finish`.
///
/// Errors: as `sandi_stream_update`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_stream_drain(
    stream: SandiStream,
    out: *mut SandiBuffer,
    more: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let more = unsafe { Output::new(more, 0) }?;
        let object = table::get::<StreamObject>(stream.id)?;
        let (left, output) = object
            .lock()?
            .step(0, |running, output| each!(running, transform => transform.drain(output)))?;
        out.set(SandiBuffer::give(output)?);
        more.set(left.into());
        Ok(())
    })
}

/// Ends a stream: gives its last bytes, and what is known now. `report` may be null. The handle is still to be freed;
/// that of a verifier is what the second pass needs.
///
/// Errors: `Rejected` where the stream as a whole does not verify or is cut short; `WrongState` after an end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_stream_finish(
    stream: SandiStream,
    out: *mut SandiBuffer,
    report: *mut SandiStreamReport,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let report = unsafe { Output::optional(report, NO_REPORT) }?;
        let object = table::get::<StreamObject>(stream.id)?;
        let mut object = object.lock()?;
        let (running, held) = match core::mem::replace(&mut *object, StreamObject::Ended) {
            StreamObject::Running(running, held) => (*running, held),
            ended => {
                *object = ended;
                return Err(SandiStatus::WrongState.into());
            }
        };
        let mut output = Wiped::with_capacity(if running.decrypts() { held } else { 0 });
        let mut known = NO_REPORT;
        let mut index = None;
        match running {
            Running::AttachmentEncrypt(transform) => {
                let done = transform.finish(&mut output.0)?;
                known.size = done.size;
                known.blob_sha256 = done.digest;
                if let Some(incremental) = done.incremental {
                    known.chunk_size = incremental.chunk_size;
                    index = Some(incremental.entries);
                }
            }
            Running::AttachmentVerify(transform) => {
                let verified = transform.finish(&mut output.0)?;
                known.size = verified.blob_length;
                *object = StreamObject::AttachmentVerified(verified);
            }
            Running::AttachmentDecrypt(transform) => {
                known.size = transform.finish(&mut output.0)?.size;
            }
            Running::MediaEncrypt(transform) => {
                let done = transform.finish(&mut output.0)?;
                known.size = done.file_length;
                known.plaintext_sha256 = done.file_sha256;
                known.blob_sha256 = done.file_enc_sha256;
                index = done.sidecar.map(|sidecar| sidecar.as_bytes().to_vec());
            }
            Running::MediaVerify(transform) => {
                let verified = transform.finish(&mut output.0)?;
                known.size = verified.blob_length;
                *object = StreamObject::MediaVerified(verified);
            }
            Running::MediaDecrypt(transform) => {
                let done = transform.finish(&mut output.0)?;
                known.size = done.file_length;
                known.plaintext_sha256 = done.file_sha256;
                known.length_differs = done.length_differs.into();
            }
        }
        let mut gift = Gift::default();
        let output = gift.add(output)?;
        if let Some(report) = report {
            if let Some(index) = index {
                known.index = gift.add(index)?;
            }
            report.set(known);
        }
        gift.done();
        out.set(output);
        Ok(())
    })
}

/// Frees a stream, at its end or before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_stream_free(stream: SandiStream) -> SandiStatus {
    guard::run(|| table::free(Kind::Stream, stream.id))
}
