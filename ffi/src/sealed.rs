//! Messages that do not tell the server who sent them.

use alloc::vec::Vec;

use sandi::keys::PublicKey;
use sandi::sealed_sender::{
    BUILT_IN, ContentHint, KnownServerCertificate, PRODUCTION_ROOT, STAGING_ROOT,
    SenderCertificate, SentMessage, ServerCertificate, Trust, UnidentifiedSenderMessageContent,
};
use sandi::{ServiceId, Timestamp};

use crate::buffer::{Gift, SandiBuffer};
use crate::device;
use crate::guard::{self, Failure};
use crate::input::{self, Output, SandiAddress, SandiBytes};
use crate::platform;
use crate::received::message_type_of;
use crate::status::SandiStatus;
use crate::table::{self, Kind, Object, SandiDevice, SandiTrust};

/// The sender does not send again: show the failure at once.
pub const SANDI_HINT_DEFAULT: u32 = 0;
/// The sender is likely to send again: wait before showing the failure.
pub const SANDI_HINT_RESENDABLE: u32 = 1;
/// The message has no value to the user: never show the failure.
pub const SANDI_HINT_IMPLICIT: u32 = 2;

/// Server certificates in one trust object at most.
const CERTIFICATES_MAX: usize = 256;

struct TrustObject {
    roots: Vec<PublicKey>,
    known: Vec<(u32, Vec<u8>)>,
}

impl Object for TrustObject {
    const KIND: Kind = Kind::Trust;
}

/// A message to be sealed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiSealedContent {
    /// The type of the message inside: `SANDI_MESSAGE_…`.
    pub message_type: u32,
    /// `SANDI_HINT_…`.
    pub hint: u32,
    /// The message inside, as it was encrypted.
    pub message: SandiBytes,
    /// This device's sender certificate, from the server.
    pub certificate: SandiBytes,
    /// The group that the message belongs to; empty if it belongs to none.
    pub group_id: SandiBytes,
}

/// A sealed message that was opened. Free it with `sandi_opened_free`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiOpened {
    /// The type of the message inside: `SANDI_MESSAGE_…`.
    pub message_type: u32,
    /// `SANDI_HINT_…`, or another number: as `SANDI_HINT_DEFAULT`.
    pub hint: u32,
    /// The sender's device.
    pub sender_device: u32,
    /// Set to 0.
    pub reserved: u32,
    /// The name of the sender's address: its account's UUID.
    pub sender_name: SandiBuffer,
    /// The sender's phone number; no buffer where the certificate has none.
    pub sender_e164: SandiBuffer,
    /// The sender's identity key, 33 bytes.
    pub sender_identity: SandiBuffer,
    /// The message inside, to be decrypted.
    pub message: SandiBuffer,
    /// The group; no buffer if there is none.
    pub group_id: SandiBuffer,
}

/// Trusts roots: `count` public keys of 33 bytes, one after the other; one that fits is enough. The certificates of
/// Signal's service may be named by their ids.
///
/// Errors: `InvalidLength`; those of the keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_trust_roots(
    roots: *const u8,
    roots_len: usize,
    out: *mut SandiTrust,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiTrust::NONE) }?;
        // SAFETY: as before.
        let (roots, rest) = unsafe { input::bytes(roots, roots_len) }?.as_chunks::<33>();
        if !rest.is_empty() || roots.is_empty() {
            return Err(SandiStatus::InvalidLength.into());
        }
        let roots = roots.iter().map(|root| PublicKey::decode(root));
        let roots = roots.collect::<Result<_, _>>()?;
        out.set(SandiTrust { id: table::insert(TrustObject { roots, known: Vec::new() })? });
        Ok(())
    })
}

/// Trusts the root of Signal's production service, or of its staging service if `staging` is 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_trust_signal(staging: u32, out: *mut SandiTrust) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiTrust::NONE) }?;
        let root = match staging {
            0 => PRODUCTION_ROOT,
            1 => STAGING_ROOT,
            _ => return Err(SandiStatus::OutOfRange.into()),
        };
        let object = TrustObject { roots: [root].into(), known: Vec::new() };
        out.set(SandiTrust { id: table::insert(object)? });
        Ok(())
    })
}

/// Adds a server certificate that a sender certificate may name by its id. It must still be signed by a root.
///
/// Errors: those of the certificate; `TooManyHandles` for more than 256.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_trust_add_server_certificate(
    trust: SandiTrust,
    id: u32,
    bytes: *const u8,
    bytes_len: usize,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let bytes = unsafe { input::bytes(bytes, bytes_len) }?;
        ServerCertificate::parse(bytes)?;
        let object = table::get::<TrustObject>(trust.id)?;
        let known = &mut object.lock()?.known;
        if known.len() >= CERTIFICATES_MAX {
            return Err(SandiStatus::TooManyHandles.into());
        }
        known.push((id, bytes.to_vec()));
        Ok(())
    })
}

/// Frees what is trusted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_trust_free(trust: SandiTrust) -> SandiStatus {
    guard::run(|| table::free(Kind::Trust, trust.id))
}

/// Reads what is to be sealed.
///
/// # Safety
///
/// `pointer`, if not null, points to a content, and its parts to as many bytes as they say.
unsafe fn content(
    pointer: *const SandiSealedContent,
) -> Result<UnidentifiedSenderMessageContent, Failure> {
    // SAFETY: the caller's.
    let given = unsafe { input::value(pointer) }?;
    // SAFETY: the caller's.
    let read = |part: SandiBytes| unsafe { input::bytes(part.data, part.len) };
    let hint = match given.hint {
        SANDI_HINT_DEFAULT | SANDI_HINT_RESENDABLE | SANDI_HINT_IMPLICIT => {
            ContentHint::from_code(given.hint)
        }
        _ => return Err(SandiStatus::OutOfRange.into()),
    };
    let certificate = SenderCertificate::parse(read(given.certificate)?)?;
    Ok(UnidentifiedSenderMessageContent::new(
        message_type_of(given.message_type)?,
        read(given.message)?,
        &certificate,
        hint,
        Some(read(given.group_id)?),
    ))
}

/// Seals a message for one device, with the identity key known for it.
///
/// Errors: `SessionNotFound` if none is known; those of the certificate and of the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_seal(
    device: SandiDevice,
    peer: *const SandiAddress,
    sealed_content: *const SandiSealedContent,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let peer = unsafe { input::address(peer) }?;
        // SAFETY: as before.
        let content = unsafe { content(sealed_content) }?;
        let sealed = device::with(device, |object| {
            Ok(object.device.seal(&peer, &content, &mut platform::random())?)
        })?;
        out.set(SandiBuffer::give(sealed)?);
        Ok(())
    })
}

/// Seals one message for many devices, such as a group's: for the server, which gives each device its part. Sort the
/// devices by account. `excluded` are accounts that are members and do not get it: service ids of 17 bytes, one
/// after the other.
///
/// Errors: `SessionNotFound` for a device whose identity is not known; `InvalidServiceId`, `InvalidRegistrationId`;
/// those of the certificate and of the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_seal_for_many(
    device: SandiDevice,
    peers: *const SandiAddress,
    count: usize,
    excluded: *const u8,
    excluded_len: usize,
    sealed_content: *const SandiSealedContent,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let peers = unsafe { input::addresses(peers, count) }?;
        // SAFETY: as before.
        let (excluded, rest) = unsafe { input::bytes(excluded, excluded_len) }?.as_chunks::<17>();
        if !rest.is_empty() {
            return Err(SandiStatus::InvalidLength.into());
        }
        let excluded = excluded.iter().map(|id| ServiceId::from_fixed_width(id));
        let excluded = excluded.collect::<Result<Vec<_>, _>>()?;
        // SAFETY: as before.
        let content = unsafe { content(sealed_content) }?;
        let sealed = device::with(device, |object| {
            let rng = &mut platform::random();
            Ok(object.device.seal_for_many(&peers, &excluded, &content, rng)?)
        })?;
        out.set(SandiBuffer::give(sealed)?);
        Ok(())
    })
}

/// What the server does with a message of `sandi_device_seal_for_many`: the message that the devices of one account
/// receive. `service_id` has 17 bytes. For tests, and for servers.
///
/// Errors: `NotFound` if the account gets none; those of the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_sealed_for_account(
    bytes: *const u8,
    bytes_len: usize,
    service_id: *const u8,
    service_id_len: usize,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let message = SentMessage::parse(unsafe { input::bytes(bytes, bytes_len) }?)?;
        // SAFETY: as before.
        let account = unsafe { input::bytes(service_id, service_id_len) }?;
        let account = ServiceId::from_fixed_width(account)?;
        let mut recipients = message.recipients();
        let recipient = recipients.find(|recipient| *recipient.service_id() == account);
        let recipient = recipient.ok_or(SandiStatus::NotFound)?;
        out.set(SandiBuffer::give(message.received(recipient)?)?);
        Ok(())
    })
}

/// Opens a sealed message and validates its sender's certificate. `e164` is this account's phone number, if its own
/// messages are to be recognised by it, too; else empty. What is inside is decrypted as always, from the address
/// and of the type that the result names.
///
/// Errors: `InvalidSealedSenderMessage`, `SealedSenderSelfSend`, `UnknownSealedSenderServerCertificateId` and others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_open_sealed(
    device: SandiDevice,
    bytes: *const u8,
    bytes_len: usize,
    trust: SandiTrust,
    e164: *const u8,
    e164_len: usize,
    now_ms: u64,
    out: *mut SandiOpened,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, NOT_OPENED) }?;
        // SAFETY: as before.
        let bytes = unsafe { input::bytes(bytes, bytes_len) }?;
        // SAFETY: as before.
        let number = Some(unsafe { input::text(e164, e164_len) }?).filter(|text| !text.is_empty());
        let content = {
            let object = table::get::<TrustObject>(trust.id)?;
            let object = object.lock()?;
            let own = object.known.iter();
            let own = own.map(|(id, bytes)| KnownServerCertificate { id: *id, bytes });
            // The program's come first.
            let known: Vec<_> = own.chain(BUILT_IN.iter().copied()).collect();
            let trust = Trust { roots: &object.roots, known: &known };
            device::with(device, |device| {
                Ok(device.device.open_sealed(bytes, &trust, number, Timestamp(now_ms))?)
            })?
        };
        let sender = content.sender();
        let mut gift = Gift::default();
        let opened = SandiOpened {
            message_type: content.message_type().code().into(),
            hint: content.hint().code(),
            sender_device: sender.device().get().into(),
            reserved: 0,
            sender_name: gift.add(sender.uuid().as_bytes().to_vec())?,
            sender_e164: match sender.e164() {
                Some(number) => gift.add(number.as_bytes().to_vec())?,
                None => SandiBuffer::NONE,
            },
            sender_identity: gift.add(sender.identity().encode().to_vec())?,
            message: gift.add(content.contents().to_vec())?,
            group_id: match content.group_id() {
                Some(id) => gift.add(id.to_vec())?,
                None => SandiBuffer::NONE,
            },
        };
        gift.done();
        out.set(opened);
        Ok(())
    })
}

const NOT_OPENED: SandiOpened = SandiOpened {
    message_type: 0,
    hint: 0,
    sender_device: 0,
    reserved: 0,
    sender_name: SandiBuffer::NONE,
    sender_e164: SandiBuffer::NONE,
    sender_identity: SandiBuffer::NONE,
    message: SandiBuffer::NONE,
    group_id: SandiBuffer::NONE,
};

/// Frees all buffers of an opened message, and sets the struct to nothing.
///
/// Errors: the first of any buffer; the others are freed all the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_opened_free(opened: *mut SandiOpened) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let given = *unsafe { input::value(opened.cast_const()) }?;
        // SAFETY: as before.
        unsafe { Output::new(opened, NOT_OPENED) }?;
        let buffers = [
            given.sender_name,
            given.sender_e164,
            given.sender_identity,
            given.message,
            given.group_id,
        ];
        let freed = buffers.map(|buffer| table::free(Kind::Buffer, buffer.id));
        freed.into_iter().collect()
    })
}
