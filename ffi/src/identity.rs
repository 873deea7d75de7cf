//! The identity keys of peers, and events: what has happened to them, or to who can read a chat.

use sandi::Timestamp;
use sandi::business::{Notice, StatusChange};
use sandi::keys::IdentityKey;
use sandi::protocol::{IdentityChange, Verification};

use crate::buffer::SandiBuffer;
use crate::device;
use crate::guard::{self, Failure};
use crate::hosting::{self, SANDI_HOSTING_NONE};
use crate::input::{self, Output, SandiAddress};
use crate::platform;
use crate::status::SandiStatus;
use crate::table::SandiDevice;

/// A peer's identity key is another one than before, and was accepted. Show it to the user.
pub const SANDI_EVENT_IDENTITY_CHANGED: u32 = 1;
/// A peer's identity key is another one than before, and waits for `sandi_device_accept_identity`.
pub const SANDI_EVENT_IDENTITY_BLOCKED: u32 = 2;

/// Who can read the chat with a user or in a group is somebody else than before. Show it to the user.
pub const SANDI_EVENT_HOSTING_CHANGED: u32 = 3;

/// What a device has noticed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    IdentityChanged(IdentityChange),
    IdentityBlocked(IdentityChange),
    Hosting(StatusChange),
}

impl Event {
    /// For the program.
    fn give(&self) -> Result<SandiEvent, Failure> {
        let (kind, change) = match self {
            Self::IdentityChanged(change) => (SANDI_EVENT_IDENTITY_CHANGED, change),
            Self::IdentityBlocked(change) => (SANDI_EVENT_IDENTITY_BLOCKED, change),
            Self::Hosting(change) => {
                return Ok(SandiEvent {
                    kind: SANDI_EVENT_HOSTING_CHANGED,
                    old_hosting: hosting::number(change.from),
                    new_hosting: hosting::number(Some(change.to)),
                    notice: change.notice().map_or(0, Notice::number),
                    name: SandiBuffer::copy(change.name.as_bytes())?,
                    ..NO_EVENT
                });
            }
        };
        Ok(SandiEvent {
            kind,
            device: change.address.device().get().into(),
            was_verified: change.was_verified.into(),
            old_key: change.old.encode(),
            new_key: change.new.encode(),
            name: SandiBuffer::copy(change.address.name().as_bytes())?,
            ..NO_EVENT
        })
    }
}

const NO_EVENT: SandiEvent = SandiEvent {
    kind: 0,
    device: 0,
    was_verified: 0,
    old_hosting: SANDI_HOSTING_NONE,
    new_hosting: SANDI_HOSTING_NONE,
    notice: 0,
    old_key: [0; 33],
    new_key: [0; 33],
    name: SandiBuffer::NONE,
};

/// What a device has noticed of a peer. Free `name`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiEvent {
    /// `SANDI_EVENT_…`.
    pub kind: u32,
    /// The peer's device.
    pub device: u32,
    /// 1 if the user had verified the old key.
    pub was_verified: u32,
    /// Of `SANDI_EVENT_HOSTING_CHANGED`: who could read, `SANDI_HOSTING_…`; `NONE` if nothing was known.
    pub old_hosting: u32,
    /// Who can read now.
    pub new_hosting: u32,
    /// The number of the system message that clients of the WhatsApp family show; 0 where none fits.
    pub notice: u32,
    /// Of an identity event: the key known so far.
    pub old_key: [u8; 33],
    /// The key it has now.
    pub new_key: [u8; 33],
    /// The name of the peer's address; of `SANDI_EVENT_HOSTING_CHANGED`, of the user or group.
    pub name: SandiBuffer,
}

/// What is known of a peer's identity.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiKnownIdentity {
    /// When this key was first seen, in milliseconds since 1970.
    pub first_seen_ms: u64,
    /// 1 if the user has verified this key.
    pub is_verified: u32,
    /// The key.
    pub key: [u8; 33],
}

/// Takes the oldest event of a device: after every call that starts a session, decrypts or commits. `lost` (may
/// be null): how many were dropped since the last call, because more than 1,024 were waiting.
///
/// Errors: `NotFound` if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_next_event(
    device: SandiDevice,
    out: *mut SandiEvent,
    lost: *mut u64,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, NO_EVENT) }?;
        // SAFETY: as before.
        let lost = unsafe { Output::optional(lost, 0) }?;
        device::with(device, |object| {
            if let Some(lost) = lost {
                lost.set(core::mem::take(&mut object.events_lost));
            }
            out.set(object.events.front().ok_or(SandiStatus::NotFound)?.give()?);
            object.events.pop_front();
            Ok(())
        })
    })
}

/// What is known of a peer's identity.
///
/// Errors: `NotFound` if nothing is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_identity_of(
    device: SandiDevice,
    peer: *const SandiAddress,
    out: *mut SandiKnownIdentity,
) -> SandiStatus {
    guard::run(|| {
        let none = SandiKnownIdentity { first_seen_ms: 0, is_verified: 0, key: [0; 33] };
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, none) }?;
        // SAFETY: as before.
        let peer = unsafe { input::address(peer) }?;
        let known = device::with(device, |object| Ok(object.device.identity_of(&peer)?))?;
        let known = known.ok_or(SandiStatus::NotFound)?;
        out.set(SandiKnownIdentity {
            first_seen_ms: known.first_seen().as_millis(),
            is_verified: (known.verification() == Verification::Verified).into(),
            key: known.key().encode(),
        });
        Ok(())
    })
}

/// Accepts exactly this identity key (33 bytes) for a peer: the user's answer to
/// `SANDI_EVENT_IDENTITY_BLOCKED`. Then the same message or bundle works.
///
/// Errors: those of the key; those of the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_accept_identity(
    device: SandiDevice,
    peer: *const SandiAddress,
    key: *const u8,
    key_len: usize,
    now_ms: u64,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let peer = unsafe { input::address(peer) }?;
        // SAFETY: as before.
        let key = IdentityKey::decode(unsafe { input::bytes(key, key_len) }?)?;
        device::with(device, |object| {
            let rng = &mut platform::random();
            let change = object.device.accept_identity(&peer, &key, Timestamp(now_ms), rng)?;
            object.changed(change);
            Ok(())
        })
    })
}

/// Notes that the user has verified (1) exactly this key of a peer, or no longer does (0).
///
/// Errors: `UntrustedIdentity` if it is not the known one; `OutOfRange`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_set_verified(
    device: SandiDevice,
    peer: *const SandiAddress,
    key: *const u8,
    key_len: usize,
    verified: u32,
    now_ms: u64,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let peer = unsafe { input::address(peer) }?;
        // SAFETY: as before.
        let key = IdentityKey::decode(unsafe { input::bytes(key, key_len) }?)?;
        let verification = match verified {
            0 => Verification::Unverified,
            1 => Verification::Verified,
            _ => return Err(SandiStatus::OutOfRange.into()),
        };
        device::with(device, |object| {
            let rng = &mut platform::random();
            let now = Timestamp(now_ms);
            Ok(object.device.set_verification(&peer, &key, verification, now, rng)?)
        })
    })
}
