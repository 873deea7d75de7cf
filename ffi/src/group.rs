//! Messages to groups, and the keys for them.

use alloc::vec::Vec;
use core::cell::Cell;
use core::ffi::c_void;

use sandi::device::DeviceError;
use sandi::group::Distribution;
use sandi::protocol::{Encrypted, SendToGroup, SentToGroup};
use sandi::{Address, Error, Timestamp};
use zeroize::Zeroizing;

use crate::buffer::{Gift, SandiBuffer};
use crate::device;
use crate::guard::{self, Failure};
use crate::input::{self, Output, SandiAddress};
use crate::message::SandiSent;
use crate::platform;
use crate::status::SandiStatus;
use crate::table::{self, Kind, Object, SandiDevice, SandiGroupSent, SandiSink};

/// `id` is a distribution id of 16 bytes: Signal.
pub const SANDI_DISTRIBUTION_ID: u32 = 0;
/// `id` is the group's id as text: the older form, and the WhatsApp family's.
pub const SANDI_DISTRIBUTION_GROUP: u32 = 1;

/// What names a sender key for a group.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiDistribution {
    /// `SANDI_DISTRIBUTION_ID` or `SANDI_DISTRIBUTION_GROUP`.
    pub kind: u32,
    /// The id.
    pub id: *const u8,
    /// Its length in bytes: 16 for a distribution id.
    pub id_len: usize,
}

/// Puts a distribution message into the content of a one-to-one message of the program, and gives that to
/// `sandi_content_write` with the sink. Returns 0, or any other number if it failed: nothing is sent then.
///
/// The bytes are secret, and valid until it returns. It must not throw, jump out, or call the library otherwise.
pub type SandiWrap = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        distribution_message: *const u8,
        len: usize,
        sink: SandiSink,
    ) -> i32,
>;

/// Reads what names a sender key.
///
/// # Safety
///
/// `pointer`, if not null, points to a distribution, and its id to as many bytes as it says.
pub(crate) unsafe fn distribution(
    pointer: *const SandiDistribution,
) -> Result<Distribution, Failure> {
    // SAFETY: the caller's.
    let given = unsafe { input::value(pointer) }?;
    match given.kind {
        // SAFETY: the caller's.
        SANDI_DISTRIBUTION_ID => {
            // SAFETY: the caller's.
            Ok(Distribution::Id(*unsafe { input::fixed(given.id, given.id_len) }?))
        }
        SANDI_DISTRIBUTION_GROUP => {
            // SAFETY: the caller's.
            Ok(Distribution::Group(unsafe { input::text(given.id, given.id_len) }?.into()))
        }
        _ => Err(SandiStatus::OutOfRange.into()),
    }
}

/// What a wrap's callback has given.
struct Wrapped(Option<Zeroizing<Vec<u8>>>);

impl Object for Wrapped {
    const KIND: Kind = Kind::Sink;
}

/// For `SandiWrap`: the content for one member. The bytes are copied.
///
/// Errors: `WrongState` if it was given already; `StaleHandle` after the callback has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_content_write(
    sink: SandiSink,
    data: *const u8,
    len: usize,
) -> SandiStatus {
    guard::run_in_callback(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let bytes = unsafe { input::bytes(data, len) }?;
        let wrapped = table::get::<Wrapped>(sink.id)?;
        let mut wrapped = wrapped.lock()?;
        if wrapped.0.is_some() {
            return Err(SandiStatus::WrongState.into());
        }
        wrapped.0 = Some(Zeroizing::new(bytes.to_vec()));
        Ok(())
    })
}

/// Lets the program wrap a distribution message; `None` if it failed.
fn wrap(wrap: SandiWrap, context: *mut c_void, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let Some(wrap) = wrap else { return Some(Zeroizing::new(bytes.to_vec())) };
    let sink = table::insert(Wrapped(None)).ok()?;
    // SAFETY: the program's function, called as its documentation says; `bytes` live for the call.
    let result = guard::callback(|| unsafe {
        wrap(context, bytes.as_ptr(), bytes.len(), SandiSink { id: sink })
    });
    let wrapped = table::get::<Wrapped>(sink).ok()?;
    table::free(Kind::Sink, sink).ok()?;
    let given = wrapped.lock().ok()?.0.take();
    given.filter(|_| result == 0)
}

struct SentObject {
    message: Option<Vec<u8>>,
    rotated: bool,
    distributions: Vec<Encrypted>,
    missing: Vec<(Address, SandiStatus)>,
}

impl Object for SentObject {
    const KIND: Kind = Kind::GroupSent;
}

/// Encrypts to a group, and its key to every member that needs it first, in one commit: for all of them or, if
/// something is missing, for none (`sandi_group_sent_missing`). `members` are all devices of all members, as the
/// program knows them now; this one is passed over. `wrap` may be null: then a distribution message is all of
/// the content that carries it.
///
/// Errors: `CallbackFailed`; `InvalidSenderKeySession` where the stored key is corrupt; those of the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_send_to_group(
    device: SandiDevice,
    distribution_of: *const SandiDistribution,
    members: *const SandiAddress,
    count: usize,
    content: *const u8,
    content_len: usize,
    wrap_with: SandiWrap,
    wrap_context: *mut c_void,
    now_ms: u64,
    out: *mut SandiGroupSent,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiGroupSent::NONE) }?;
        // SAFETY: as before.
        let distribution = unsafe { distribution(distribution_of) }?;
        // SAFETY: as before.
        let members = unsafe { input::addresses(members, count) }?;
        // SAFETY: as before.
        let content = unsafe { input::bytes(content, content_len) }?;
        let failed = Cell::new(false);
        let wrap = |bytes: &[u8]| match wrap(wrap_with, wrap_context, bytes) {
            Some(wrapped) => wrapped,
            None => {
                failed.set(true);
                Zeroizing::default()
            }
        };
        let operation =
            SendToGroup { distribution: &distribution, members: &members, content, wrap: &wrap };
        let sent = device::with(device, |object| {
            let rng = &mut platform::random();
            // What was wrapped wrongly is not committed.
            let check = |_: &SentToGroup, _: &mut sandi::Changes| match failed.get() {
                true => Err(Error::InvalidArgument),
                false => Ok(()),
            };
            match object.device.perform_with(&operation, Timestamp(now_ms), rng, check) {
                Err(DeviceError::Protocol(Error::InvalidArgument)) if failed.get() => {
                    Err(SandiStatus::CallbackFailed.into())
                }
                sent => Ok(sent?),
            }
        })?;
        let object = match sent {
            SentToGroup::Message { bytes, distributions, rotated } => {
                SentObject { message: Some(bytes), rotated, distributions, missing: Vec::new() }
            }
            SentToGroup::Incomplete { need_session, blocked } => {
                let need = need_session.into_iter().map(|a| (a, SandiStatus::SessionNotFound));
                let blocked = blocked.into_iter().map(|(a, error)| (a, SandiStatus::of(error)));
                let missing = need.chain(blocked).collect();
                SentObject { message: None, rotated: false, distributions: Vec::new(), missing }
            }
        };
        out.set(SandiGroupSent { id: table::insert(object)? });
        Ok(())
    })
}

/// The message to all members, of the type `SANDI_MESSAGE_SENDER_KEY`. It goes after the distributions. `rotated`
/// (may be null): 1 if the key was replaced.
///
/// Errors: `NotFound` if something is missing first: see `sandi_group_sent_missing`, then send again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_group_sent_message(
    sent: SandiGroupSent,
    out: *mut SandiBuffer,
    rotated: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let rotated = unsafe { Output::optional(rotated, 0) }?;
        let object = table::get::<SentObject>(sent.id)?;
        let object = object.lock()?;
        out.set(SandiBuffer::copy(object.message.as_ref().ok_or(SandiStatus::NotFound)?)?);
        if let Some(rotated) = rotated {
            rotated.set(object.rotated.into());
        }
        Ok(())
    })
}

/// A one-to-one message that carries the key to one who needs it, at an index from 0. With the name of the peer's
/// device.
///
/// Errors: `NotFound` beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_group_sent_distribution(
    sent: SandiGroupSent,
    index: usize,
    out: *mut SandiSent,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiSent::NONE) }?;
        let object = table::get::<SentObject>(sent.id)?;
        let object = object.lock()?;
        let sent = object.distributions.get(index).ok_or(SandiStatus::NotFound)?;
        let mut gift = Gift::default();
        let mut one = SandiSent::of(sent.clone(), &mut gift)?;
        one.device = sent.address.device().get().into();
        one.name = gift.add(sent.address.name().as_bytes().to_vec())?;
        gift.done();
        out.set(one);
        Ok(())
    })
}

/// A member's device that the message waits for, at an index from 0: its status is `SessionNotFound` where a session
/// has to be started, `UntrustedIdentity` where the user has to be asked, or an error of the stored session.
///
/// Errors: `NotFound` beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_group_sent_missing(
    sent: SandiGroupSent,
    index: usize,
    out: *mut SandiSent,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiSent::NONE) }?;
        let object = table::get::<SentObject>(sent.id)?;
        let object = object.lock()?;
        let (address, status) = object.missing.get(index).ok_or(SandiStatus::NotFound)?;
        out.set(SandiSent {
            status: *status,
            device: address.device().get().into(),
            name: SandiBuffer::copy(address.name().as_bytes())?,
            ..SandiSent::NONE
        });
        Ok(())
    })
}

/// Frees what became of a message to a group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_group_sent_free(sent: SandiGroupSent) -> SandiStatus {
    guard::run(|| table::free(Kind::GroupSent, sent.id))
}

/// Takes over a sender's key from a distribution message that a one-to-one message has carried. Before that message
/// is committed: then a crash in between loses nothing.
///
/// Errors: those of the message; `InvalidArgument` if it is for another distribution.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_accept_distribution(
    device: SandiDevice,
    from: *const SandiAddress,
    distribution_of: *const SandiDistribution,
    bytes: *const u8,
    bytes_len: usize,
    now_ms: u64,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let from = unsafe { input::address(from) }?;
        // SAFETY: as before.
        let distribution = unsafe { distribution(distribution_of) }?;
        // SAFETY: as before.
        let bytes = unsafe { input::bytes(bytes, bytes_len) }?;
        device::with(device, |object| {
            let rng = &mut platform::random();
            let now = Timestamp(now_ms);
            Ok(object.device.accept_distribution(&from, &distribution, bytes, now, rng)?)
        })
    })
}

/// Gives this device's key to a member again, with the next message. `out` (may be null): whether it will.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_give_key_again(
    device: SandiDevice,
    distribution_of: *const SandiDistribution,
    member: *const SandiAddress,
    now_ms: u64,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::optional(out, 0) }?;
        // SAFETY: as before.
        let distribution = unsafe { distribution(distribution_of) }?;
        // SAFETY: as before.
        let member = unsafe { input::address(member) }?;
        let again = device::with(device, |object| {
            let rng = &mut platform::random();
            Ok(object.device.give_key_again(&distribution, &member, Timestamp(now_ms), rng)?)
        })?;
        if let Some(out) = out {
            out.set(again.into());
        }
        Ok(())
    })
}

/// Forgets the key of one device for a group: after `InvalidSenderKeySession`, or when a member is gone. Of this
/// device: the next message makes a new key, and gives it to everybody. `out` (may be null): whether there was
/// one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_forget_sender_key(
    device: SandiDevice,
    distribution_of: *const SandiDistribution,
    sender: *const SandiAddress,
    now_ms: u64,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::optional(out, 0) }?;
        // SAFETY: as before.
        let distribution = unsafe { distribution(distribution_of) }?;
        // SAFETY: as before.
        let sender = unsafe { input::address(sender) }?;
        let had = device::with(device, |object| {
            let rng = &mut platform::random();
            Ok(object.device.forget_sender_key(&distribution, &sender, Timestamp(now_ms), rng)?)
        })?;
        if let Some(out) = out {
            out.set(had.into());
        }
        Ok(())
    })
}
