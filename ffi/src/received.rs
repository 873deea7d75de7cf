//! Messages that decrypt, and become durable when they are committed.

use alloc::sync::Arc;
use alloc::vec::Vec;

use sandi::device::PausedReceived;
use sandi::group::Distribution;
use sandi::protocol::{Decrypt, DecryptGroup, Decrypted, GroupDecrypted};
use sandi::wire::CiphertextMessageType;
use sandi::{Address, Timestamp};

use crate::buffer::SandiBuffer;
use crate::device::{self, DeviceObject};
use crate::group::{self, SandiDistribution};
use crate::guard::{self, Failure};
use crate::input::{self, Output, SandiAddress};
use crate::platform;
use crate::status::SandiStatus;
use crate::sync::Lock;
use crate::table::{self, Kind, Object, SandiDevice, SandiReceived};

/// What was decrypted: by which operation, and what it gave.
enum Content {
    Message { message_type: CiphertextMessageType, state: State<Decrypted> },
    Group { distribution: Distribution, state: State<GroupDecrypted> },
}

/// How far it has come.
enum State<T> {
    Decrypted(PausedReceived<T>),
    Committed(T),
    /// A commit has failed: it decrypts again, for the next one.
    Failed,
}

impl<T> State<T> {
    fn get(&self) -> Result<&T, Failure> {
        match self {
            Self::Decrypted(paused) => Ok(paused.decrypted()),
            Self::Committed(decrypted) => Ok(decrypted),
            Self::Failed => Err(SandiStatus::WrongState.into()),
        }
    }
}

struct ReceivedObject {
    device: Arc<Lock<DeviceObject>>,
    from: Address,
    bytes: Vec<u8>,
    now: Timestamp,
    content: Content,
}

impl Object for ReceivedObject {
    const KIND: Kind = Kind::Received;
}

impl ReceivedObject {
    fn plaintext(&self) -> Result<&[u8], Failure> {
        Ok(match &self.content {
            Content::Message { state, .. } => &state.get()?.plaintext,
            Content::Group { state, .. } => &state.get()?.plaintext,
        })
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let Self { device, from, bytes, now, content } = self;
        let rng = &mut platform::random();
        let mut object = device.lock()?;
        let object = &mut *object;
        match content {
            Content::Message { message_type, state } => {
                let operation = Decrypt { from, message_type: *message_type, bytes };
                let done = match core::mem::replace(state, State::Failed) {
                    State::Decrypted(paused) => {
                        object.device.resume(operation, paused, *now, rng).commit()
                    }
                    State::Failed => object
                        .device
                        .decrypt(from, *message_type, bytes, *now, rng)
                        .and_then(|received| received.commit()),
                    committed @ State::Committed(_) => {
                        *state = committed;
                        return Err(SandiStatus::AlreadyCommitted.into());
                    }
                };
                match done {
                    Ok(decrypted) => {
                        object.changed(decrypted.identity_change.clone());
                        *state = State::Committed(decrypted);
                        Ok(())
                    }
                    Err(error) => Err(object.failed(error)),
                }
            }
            Content::Group { distribution, state } => {
                let operation = DecryptGroup { from, distribution, bytes };
                let done = match core::mem::replace(state, State::Failed) {
                    State::Decrypted(paused) => {
                        object.device.resume(operation, paused, *now, rng).commit()
                    }
                    State::Failed => object
                        .device
                        .decrypt_group(from, distribution, bytes, *now, rng)
                        .and_then(|received| received.commit()),
                    committed @ State::Committed(_) => {
                        *state = committed;
                        return Err(SandiStatus::AlreadyCommitted.into());
                    }
                };
                match done {
                    Ok(decrypted) => {
                        *state = State::Committed(decrypted);
                        Ok(())
                    }
                    Err(error) => Err(object.failed(error)),
                }
            }
        }
    }
}

/// Decrypts a message of a peer device: `message_type` is `SANDI_MESSAGE_SIGNAL` or `SANDI_MESSAGE_PRE_KEY`, as
/// the envelope says. Nothing is durable before `sandi_received_commit`: read the plaintext, store it, commit.
///
/// Errors: `DuplicatedMessage`, `Rejected`, `UntrustedIdentity` and others; `sandi_status_disposition` says what
/// to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_decrypt(
    device: SandiDevice,
    from: *const SandiAddress,
    message_type: u32,
    bytes: *const u8,
    bytes_len: usize,
    now_ms: u64,
    out: *mut SandiReceived,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiReceived::NONE) }?;
        // SAFETY: as before.
        let from = unsafe { input::address(from) }?;
        // SAFETY: as before.
        let bytes = unsafe { input::bytes(bytes, bytes_len) }?;
        let message_type = message_type_of(message_type)?;
        let now = Timestamp(now_ms);
        let device = device::get(device)?;
        let paused = {
            let object = &mut *device.lock()?;
            let rng = &mut platform::random();
            match object.device.decrypt(&from, message_type, bytes, now, rng) {
                Ok(received) => received.pause(),
                Err(error) => return Err(object.failed(error)),
            }
        };
        let content = Content::Message { message_type, state: State::Decrypted(paused) };
        let received = ReceivedObject { device, from, bytes: bytes.to_vec(), now, content };
        out.set(SandiReceived { id: table::insert(received)? });
        Ok(())
    })
}

/// The message type of a code.
pub(crate) fn message_type_of(code: u32) -> Result<CiphertextMessageType, Failure> {
    u8::try_from(code)
        .ok()
        .and_then(CiphertextMessageType::from_code)
        .ok_or_else(|| SandiStatus::OutOfRange.into())
}

/// Decrypts a message to a group. Nothing is durable before `sandi_received_commit`.
///
/// Errors: `NoSenderKeyState` asks the sender for its key; `DuplicatedMessage` and others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_decrypt_group(
    device: SandiDevice,
    from: *const SandiAddress,
    distribution: *const SandiDistribution,
    bytes: *const u8,
    bytes_len: usize,
    now_ms: u64,
    out: *mut SandiReceived,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiReceived::NONE) }?;
        // SAFETY: as before.
        let from = unsafe { input::address(from) }?;
        // SAFETY: as before.
        let distribution = unsafe { group::distribution(distribution) }?;
        // SAFETY: as before.
        let bytes = unsafe { input::bytes(bytes, bytes_len) }?;
        let now = Timestamp(now_ms);
        let device = device::get(device)?;
        let paused = {
            let object = &mut *device.lock()?;
            let rng = &mut platform::random();
            match object.device.decrypt_group(&from, &distribution, bytes, now, rng) {
                Ok(received) => received.pause(),
                Err(error) => return Err(object.failed(error)),
            }
        };
        let content = Content::Group { distribution, state: State::Decrypted(paused) };
        let received = ReceivedObject { device, from, bytes: bytes.to_vec(), now, content };
        out.set(SandiReceived { id: table::insert(received)? });
        Ok(())
    })
}

/// The plaintext, before or after the commit. A secret.
///
/// Errors: `WrongState` after a commit that failed, until one succeeds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_received_plaintext(
    received: SandiReceived,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        let object = table::get::<ReceivedObject>(received.id)?;
        out.set(SandiBuffer::copy(object.lock()?.plaintext()?)?);
        Ok(())
    })
}

/// The device that sent it. `device_id` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_received_sender(
    received: SandiReceived,
    name: *mut SandiBuffer,
    device_id: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let name = unsafe { Output::new(name, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let id = unsafe { Output::optional(device_id, 0) }?;
        let object = table::get::<ReceivedObject>(received.id)?;
        let object = object.lock()?;
        name.set(SandiBuffer::copy(object.from.name().as_bytes())?);
        if let Some(id) = id {
            id.set(object.from.device().get().into());
        }
        Ok(())
    })
}

/// The identity key under which it was sent, 33 bytes.
///
/// Errors: `NotFound` for a message to a group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_received_identity_key(
    received: SandiReceived,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        let object = table::get::<ReceivedObject>(received.id)?;
        let object = object.lock()?;
        let Content::Message { state, .. } = &object.content else {
            return Err(SandiStatus::NotFound.into());
        };
        out.set(SandiBuffer::copy(&state.get()?.identity_key.encode())?);
        Ok(())
    })
}

/// Whether the message established a session: pre-keys were used up, look at the server's stock. 1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_received_is_new_session(
    received: SandiReceived,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, 0) }?;
        let object = table::get::<ReceivedObject>(received.id)?;
        let object = object.lock()?;
        if let Content::Message { state, .. } = &object.content {
            out.set(state.get()?.used_pre_keys.is_some().into());
        }
        Ok(())
    })
}

/// Makes it durable: from now on the message is a duplicate. After a failure it may be called again.
///
/// Errors: `AlreadyCommitted`; `DuplicatedMessage` if another handle has committed this very message; those of
/// the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_received_commit(received: SandiReceived) -> SandiStatus {
    guard::run(|| table::get::<ReceivedObject>(received.id)?.lock()?.commit())
}

/// Frees a message. One that was not committed can be delivered again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_received_free(received: SandiReceived) -> SandiStatus {
    guard::run(|| table::free(Kind::Received, received.id))
}
