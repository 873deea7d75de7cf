//! Sessions with peer devices, and messages to them.

use alloc::vec::Vec;

use sandi::Timestamp;
use sandi::protocol::{Encrypted, Recipient, Repaired};
use sandi::session::Requirements;

use crate::buffer::{Gift, SandiBuffer};
use crate::bundle;
use crate::device;
use crate::guard::{self, Failure};
use crate::input::{self, Output, SandiAddress};
use crate::platform;
use crate::status::SandiStatus;
use crate::table::SandiDevice;

/// A message in a session.
pub const SANDI_MESSAGE_SIGNAL: u32 = 2;
/// A message that starts a session, until the peer has answered.
pub const SANDI_MESSAGE_PRE_KEY: u32 = 3;
/// A message to a group.
pub const SANDI_MESSAGE_SENDER_KEY: u32 = 7;
/// What goes unencrypted: a request to send again.
pub const SANDI_MESSAGE_PLAINTEXT: u32 = 8;

/// Of `sandi_device_has_session`: established with a KEM.
pub const SANDI_REQUIRE_PQXDH: u32 = 1;
/// Of `sandi_device_has_session`: with SPQR.
pub const SANDI_REQUIRE_SPQR: u32 = 2;

/// Of `sandi_device_repair_session`: nothing was damaged.
pub const SANDI_REPAIRED_SOUND: u32 = 0;
/// Damaged states are forgotten; the others are kept.
pub const SANDI_REPAIRED_PARTLY: u32 = 1;
/// Nothing could be kept: sending needs a new session.
pub const SANDI_REPAIRED_FORGOTTEN: u32 = 2;

/// A peer device, and what to send to it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiRecipient {
    /// The peer's device.
    pub address: SandiAddress,
    /// The plaintext.
    pub plaintext: *const u8,
    /// Its length in bytes.
    pub plaintext_len: usize,
}

/// A message to one device, or why there is none. Free its buffers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiSent {
    /// `Ok`, or what became of this one.
    pub status: SandiStatus,
    /// The type to send with it: `SANDI_MESSAGE_…`.
    pub message_type: u32,
    /// The peer device's registration id, for servers that ask for it; 0 without a session.
    pub registration_id: u32,
    /// The peer's device, where `name` says which; else 0.
    pub device: u32,
    /// The message.
    pub bytes: SandiBuffer,
    /// The name of the peer's address, where the program has not given it itself; else no buffer.
    pub name: SandiBuffer,
}

impl SandiSent {
    pub(crate) const NONE: Self = Self {
        status: SandiStatus::NotFound,
        message_type: 0,
        registration_id: 0,
        device: 0,
        bytes: SandiBuffer::NONE,
        name: SandiBuffer::NONE,
    };

    pub(crate) fn of(sent: Encrypted, gift: &mut Gift) -> Result<Self, Failure> {
        let mut out = Self { registration_id: sent.registration_id, ..Self::NONE };
        match sent.message {
            Ok(message) => {
                out.status = SandiStatus::Ok;
                out.message_type = message.message_type.code().into();
                out.bytes = gift.add(message.bytes)?;
            }
            Err(error) => out.status = SandiStatus::of(error),
        }
        Ok(out)
    }
}

/// Starts a session with the device that published a bundle (`sandi_bundle_encode`). Durable when it returns.
///
/// Errors: `SignatureValidationFailed`, `UntrustedIdentity` and others of the bundle; those of its encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_start_session(
    device: SandiDevice,
    peer: *const SandiAddress,
    bundle: *const u8,
    bundle_len: usize,
    now_ms: u64,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let peer = unsafe { input::address(peer) }?;
        // SAFETY: as before.
        let bundle = bundle::decode(unsafe { input::bytes(bundle, bundle_len) }?)?;
        device::with(device, |object| {
            let rng = &mut platform::random();
            match object.device.start_session(&peer, &bundle, Timestamp(now_ms), rng) {
                Ok(started) => object.changed(started.identity_change),
                Err(error) => return Err(object.failed(error)),
            }
            Ok(())
        })
    })
}

/// Encrypts to one device. That the key is spent is durable when it returns; so do not encrypt the same message
/// again if sending fails, but send the bytes again.
///
/// Errors: `SessionNotFound`: start a session first; `UntrustedIdentity`; those of the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_encrypt(
    device: SandiDevice,
    peer: *const SandiAddress,
    plaintext: *const u8,
    plaintext_len: usize,
    now_ms: u64,
    out: *mut SandiSent,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiSent::NONE) }?;
        // SAFETY: as before.
        let address = unsafe { input::address(peer) }?;
        // SAFETY: as before.
        let plaintext = unsafe { input::bytes(plaintext, plaintext_len) }?;
        let sent = device::with(device, |object| {
            let recipients = [Recipient { address: &address, plaintext }];
            let rng = &mut platform::random();
            let mut sent =
                object.device.encrypt_many(&recipients, Timestamp(now_ms), rng)?.into_iter();
            Ok(sent.next().ok_or(SandiStatus::Unknown)?)
        })?;
        let message = sent.message?;
        out.set(SandiSent {
            status: SandiStatus::Ok,
            message_type: message.message_type.code().into(),
            registration_id: sent.registration_id,
            bytes: SandiBuffer::give(message.bytes)?,
            ..SandiSent::NONE
        });
        Ok(())
    })
}

/// Encrypts to many devices in one commit. `out` is an array of `count`, in the recipients' order: one that
/// fails has its own status and does not hold up the others.
///
/// Errors: those of the pointers and of the store; then there is no message for anybody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_encrypt_many(
    device: SandiDevice,
    recipients: *const SandiRecipient,
    count: usize,
    now_ms: u64,
    out: *mut SandiSent,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let recipients = unsafe { input::array(recipients, count) }?;
        let mut outputs = Vec::with_capacity(count);
        for at in 0..count {
            // SAFETY: as before: an array of `count`.
            outputs.push(unsafe { Output::new(out.wrapping_add(at), SandiSent::NONE) }?);
        }
        let mut inputs = Vec::with_capacity(count);
        for recipient in recipients {
            // SAFETY: as before.
            let address = unsafe { input::address(&raw const recipient.address) }?;
            // SAFETY: as before.
            let plaintext = unsafe { input::bytes(recipient.plaintext, recipient.plaintext_len) }?;
            inputs.push((address, plaintext));
        }
        let each: Vec<_> =
            inputs.iter().map(|(address, plaintext)| Recipient { address, plaintext }).collect();
        let sent = device::with(device, |object| {
            let rng = &mut platform::random();
            Ok(object.device.encrypt_many(&each, Timestamp(now_ms), rng)?)
        })?;
        let mut gift = Gift::default();
        let sent: Vec<_> = sent
            .into_iter()
            .map(|sent| SandiSent::of(sent, &mut gift))
            .collect::<Result<_, _>>()?;
        gift.done();
        for (output, sent) in outputs.iter().zip(sent) {
            output.set(sent);
        }
        Ok(())
    })
}

/// Archives the session with a device: sending needs a new one, late messages still decrypt. `out` (may be
/// null): whether there was one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_archive_session(
    device: SandiDevice,
    peer: *const SandiAddress,
    now_ms: u64,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::optional(out, 0) }?;
        // SAFETY: as before.
        let peer = unsafe { input::address(peer) }?;
        let had = device::with(device, |object| {
            Ok(object.device.archive_session(&peer, Timestamp(now_ms), &mut platform::random())?)
        })?;
        if let Some(out) = out {
            out.set(had.into());
        }
        Ok(())
    })
}

/// Deletes the session with a device: its late messages do not decrypt any more. `out` (may be null): whether
/// there was one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_delete_session(
    device: SandiDevice,
    peer: *const SandiAddress,
    now_ms: u64,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::optional(out, 0) }?;
        // SAFETY: as before.
        let peer = unsafe { input::address(peer) }?;
        let had = device::with(device, |object| {
            Ok(object.device.delete_session(&peer, Timestamp(now_ms), &mut platform::random())?)
        })?;
        if let Some(out) = out {
            out.set(had.into());
        }
        Ok(())
    })
}

/// Whether a message can be sent to a device without a bundle: 1 or 0. `requirements` is 0, or
/// `SANDI_REQUIRE_…` added up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_has_session(
    device: SandiDevice,
    peer: *const SandiAddress,
    requirements: u32,
    now_ms: u64,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, 0) }?;
        // SAFETY: as before.
        let peer = unsafe { input::address(peer) }?;
        if requirements & !(SANDI_REQUIRE_PQXDH | SANDI_REQUIRE_SPQR) != 0 {
            return Err(SandiStatus::OutOfRange.into());
        }
        let requirements = Requirements {
            not_stale: true,
            pqxdh: requirements & SANDI_REQUIRE_PQXDH != 0,
            spqr: requirements & SANDI_REQUIRE_SPQR != 0,
        };
        let has = device::with(device, |object| {
            Ok(object.device.has_session(&peer, requirements, Timestamp(now_ms))?)
        })?;
        out.set(has.into());
        Ok(())
    })
}

/// Mends the stored session with a device, after `InvalidSession`. `out` (may be null): `SANDI_REPAIRED_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_repair_session(
    device: SandiDevice,
    peer: *const SandiAddress,
    now_ms: u64,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::optional(out, 0) }?;
        // SAFETY: as before.
        let peer = unsafe { input::address(peer) }?;
        let repaired = device::with(device, |object| {
            Ok(object.device.repair_session(&peer, Timestamp(now_ms), &mut platform::random())?)
        })?;
        if let Some(out) = out {
            out.set(match repaired {
                Repaired::Sound => SANDI_REPAIRED_SOUND,
                Repaired::Partly => SANDI_REPAIRED_PARTLY,
                Repaired::Forgotten => SANDI_REPAIRED_FORGOTTEN,
            });
        }
        Ok(())
    })
}
