//! Who can read a chat, and what the user has agreed to.

use alloc::vec::Vec;

use sandi::Timestamp;
use sandi::business::{AssertedSource, BoundSource, Claim, EncryptionStatus, Signal, hosting_name};

use crate::buffer::SandiBuffer;
use crate::device;
use crate::guard::{self, Failure};
use crate::identity::Event;
use crate::input::{self, Output, SandiAddress, SandiBytes};
use crate::platform;
use crate::status::SandiStatus;
use crate::table::SandiDevice;

/// Only the user's own devices can read, or those that a business runs itself.
pub const SANDI_HOSTING_END_TO_END: u32 = 0;
/// Somebody else can; nothing says who.
pub const SANDI_HOSTING_UNKNOWN_HOST: u32 = 1;
/// A company that manages the business's messages can.
pub const SANDI_HOSTING_THIRD_PARTY: u32 = 2;
/// Meta can, on behalf of the business.
pub const SANDI_HOSTING_META: u32 = 3;
/// Nothing is known, or nothing was agreed to.
pub const SANDI_HOSTING_NONE: u32 = 255;

/// The addresses of all of a user's devices; as the server cannot make it up, this and the next five bind.
pub const SANDI_SIGNAL_ADDRESSES: u32 = 1;
/// The types of a user's devices, in their verified identities.
pub const SANDI_SIGNAL_DEVICE_TYPE: u32 = 2;
/// The account's type, in a verified device identity or key-index list.
pub const SANDI_SIGNAL_ACCOUNT_TYPE: u32 = 3;
/// The account's type, in a message that decrypted.
pub const SANDI_SIGNAL_MESSAGE: u32 = 4;
/// The hosted state of a scanned security code.
pub const SANDI_SIGNAL_SCAN: u32 = 5;
/// The flag of a group, in a message that decrypted.
pub const SANDI_SIGNAL_GROUP_MESSAGE: u32 = 6;
/// The business profile: no more than the server's word.
pub const SANDI_SIGNAL_PROFILE: u32 = 101;
/// The flag of a group's record: no more than the server's word.
pub const SANDI_SIGNAL_GROUP_RECORD: u32 = 102;

/// One statement about who can read a chat.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiHostingSignal {
    /// When it was true, in the source's own time: a later one of the same source replaces it.
    pub at: u64,
    /// `SANDI_SIGNAL_…`.
    pub source: u32,
    /// Who can read: `SANDI_HOSTING_…`, not `NONE`.
    pub status: u32,
}

/// What is known of who can read a chat.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiHosting {
    /// Who can: `SANDI_HOSTING_…`. Where nothing is known, `END_TO_END`.
    pub status: u32,
    /// What is bound by cryptography; `NONE` if nothing is.
    pub bound: u32,
    /// What only the server says; `NONE` if it says nothing.
    pub asserted: u32,
    /// What the user has agreed to; `NONE` if to nothing.
    pub consent: u32,
    /// 1 if the user has been asked what has to be asked before a message is sent.
    pub permits: u32,
}

/// The number of a status.
pub(crate) const fn number(status: Option<EncryptionStatus>) -> u32 {
    match status {
        None => SANDI_HOSTING_NONE,
        Some(EncryptionStatus::EndToEnd) => SANDI_HOSTING_END_TO_END,
        Some(EncryptionStatus::HostedUnknown) => SANDI_HOSTING_UNKNOWN_HOST,
        Some(EncryptionStatus::HostedByThirdParty) => SANDI_HOSTING_THIRD_PARTY,
        Some(EncryptionStatus::HostedByMeta) => SANDI_HOSTING_META,
    }
}

fn status(number: u32) -> Result<EncryptionStatus, Failure> {
    Ok(match number {
        SANDI_HOSTING_END_TO_END => EncryptionStatus::EndToEnd,
        SANDI_HOSTING_UNKNOWN_HOST => EncryptionStatus::HostedUnknown,
        SANDI_HOSTING_THIRD_PARTY => EncryptionStatus::HostedByThirdParty,
        SANDI_HOSTING_META => EncryptionStatus::HostedByMeta,
        _ => return Err(SandiStatus::OutOfRange.into()),
    })
}

fn signal(given: &SandiHostingSignal) -> Result<Signal, Failure> {
    let claim = Claim { at: given.at, status: status(given.status)? };
    Ok(match given.source {
        SANDI_SIGNAL_ADDRESSES => Signal::Bound(BoundSource::Addresses, claim),
        SANDI_SIGNAL_DEVICE_TYPE => Signal::Bound(BoundSource::DeviceType, claim),
        SANDI_SIGNAL_ACCOUNT_TYPE => Signal::Bound(BoundSource::AccountType, claim),
        SANDI_SIGNAL_MESSAGE => Signal::Bound(BoundSource::Message, claim),
        SANDI_SIGNAL_SCAN => Signal::Bound(BoundSource::Scan, claim),
        SANDI_SIGNAL_GROUP_MESSAGE => Signal::Bound(BoundSource::GroupMessage, claim),
        SANDI_SIGNAL_PROFILE => Signal::Asserted(AssertedSource::Profile, claim),
        SANDI_SIGNAL_GROUP_RECORD => Signal::Asserted(AssertedSource::GroupRecord, claim),
        _ => return Err(SandiStatus::OutOfRange.into()),
    })
}

/// The name under which the status of a device's user is kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_hosting_name(
    peer: *const SandiAddress,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let peer = unsafe { input::address(peer) }?;
        out.set(SandiBuffer::give(hosting_name(&peer).into_bytes())?);
        Ok(())
    })
}

/// Takes over signals of who can read the chat with a user, under all `names` (1 to 16, of `sandi_hosting_name`) that
/// are known to be the user's; or in a group, by its id. Durable when it returns. Every change is an event
/// (`SANDI_EVENT_HOSTING_CHANGED`): show it before the next message is sent.
///
/// Errors: `InvalidArgument` for the names; `OutOfRange`; those of the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_learn_hosting(
    device: SandiDevice,
    names: *const SandiBytes,
    name_count: usize,
    signals: *const SandiHostingSignal,
    signal_count: usize,
    now_ms: u64,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let names = unsafe { input::array(names, name_count) }?;
        // SAFETY: as before.
        let names = names.iter().map(|name| unsafe { input::text(name.data, name.len) });
        let names = names.collect::<Result<Vec<_>, _>>()?;
        // SAFETY: as before.
        let signals = unsafe { input::array(signals, signal_count) }?;
        let signals = signals.iter().map(signal).collect::<Result<Vec<_>, _>>()?;
        device::with(device, |object| {
            let rng = &mut platform::random();
            let changes = object.device.learn_hosting(&names, &signals, Timestamp(now_ms), rng)?;
            for change in changes {
                object.note(Event::Hosting(change));
            }
            Ok(())
        })
    })
}

/// What is known of who can read the chat with a user, by a name of `sandi_hosting_name`; or in a group, by its id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_hosting_of(
    device: SandiDevice,
    name: *const u8,
    name_len: usize,
    out: *mut SandiHosting,
) -> SandiStatus {
    guard::run(|| {
        let none = SandiHosting { status: 0, bound: 0, asserted: 0, consent: 0, permits: 0 };
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, none) }?;
        // SAFETY: as before.
        let name = unsafe { input::text(name, name_len) }?;
        let known = device::with(device, |object| Ok(object.device.encryption_status(name)?))?;
        let assessment = known.assessment();
        out.set(SandiHosting {
            status: number(Some(assessment.status)),
            bound: number(assessment.bound),
            asserted: number(assessment.asserted),
            consent: number(known.consent()),
            permits: known.permits().into(),
        });
        Ok(())
    })
}

/// Records that the user agrees to write to a user or a group although somebody else can read it: to exactly the status
/// (`SANDI_HOSTING_…`) that the user has seen, and until that changes.
///
/// Errors: `ConsentRequired` if it is not the status of now; `InvalidArgument` for `END_TO_END`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_consent_to_hosting(
    device: SandiDevice,
    name: *const u8,
    name_len: usize,
    hosting: u32,
    now_ms: u64,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let name = unsafe { input::text(name, name_len) }?;
        let hosting = status(hosting)?;
        device::with(device, |object| {
            let rng = &mut platform::random();
            Ok(object.device.consent_to_hosting(name, hosting, Timestamp(now_ms), rng)?)
        })
    })
}
