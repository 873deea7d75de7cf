//! Safety numbers.

use alloc::vec::Vec;

use sandi::fingerprint::{Fingerprint, ITERATIONS, ScannableFingerprint};
use sandi::keys::IdentityKey;

use crate::buffer::{Gift, SandiBuffer};
use crate::guard;
use crate::input::{self, Output, SandiBytes};
use crate::status::SandiStatus;

/// One party of a fingerprint.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiFingerprintParty {
    /// What stands for the account: the 16 bytes of its UUID (version 2), or its phone number as text (version 1).
    pub identifier: SandiBytes,
    /// Its identity key, 33 bytes.
    pub identity_key: SandiBytes,
}

/// Computes the safety number of two parties. `version` is 2 with UUIDs, 1 with phone numbers; `iterations` is 5,200
/// in every client, or 0 for that.
///
/// `display` (may be null): the 60 digits that both parties see. `scannable` (may be null): the code for the other
/// party to scan.
///
/// Errors: `InvalidIterationCount`; those of the keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_fingerprint(
    version: u32,
    iterations: u32,
    local: *const SandiFingerprintParty,
    remote: *const SandiFingerprintParty,
    display: *mut SandiBuffer,
    scannable: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let display = unsafe { Output::optional(display, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let scannable = unsafe { Output::optional(scannable, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let (local, remote) = (unsafe { input::value(local) }?, unsafe { input::value(remote) }?);
        // SAFETY: as before.
        let read = |part: SandiBytes| unsafe { input::bytes(part.data, part.len) };
        let local_key = IdentityKey::decode(read(local.identity_key)?)?;
        let remote_key = IdentityKey::decode(read(remote.identity_key)?)?;
        let iterations = if iterations == 0 { ITERATIONS } else { iterations };
        let fingerprint = Fingerprint::new(
            version,
            iterations,
            (read(local.identifier)?, &local_key),
            (read(remote.identifier)?, &remote_key),
        )?;
        let mut gift = Gift::default();
        let outputs = [
            (display, fingerprint.display().into_bytes()),
            (scannable, fingerprint.scannable().encode()),
        ];
        let mut given = Vec::with_capacity(2);
        for (output, bytes) in outputs {
            if let Some(output) = output {
                given.push((output, gift.add(bytes)?));
            }
        }
        for (output, buffer) in given {
            output.set(buffer);
        }
        gift.done();
        Ok(())
    })
}

/// Compares the code that was scanned with one's own (`scannable`): `out` is 1 if they belong together, else 0.
///
/// Errors: `FingerprintParsing`, `FingerprintVersionMismatch`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_fingerprint_compare(
    own: *const u8,
    own_len: usize,
    scanned: *const u8,
    scanned_len: usize,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, 0) }?;
        // SAFETY: as before.
        let own = unsafe { input::bytes(own, own_len) }?;
        // SAFETY: as before.
        let scanned = unsafe { input::bytes(scanned, scanned_len) }?;
        out.set(ScannableFingerprint::decode(own)?.compare(scanned)?.into());
        Ok(())
    })
}
