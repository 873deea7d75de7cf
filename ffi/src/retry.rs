//! Messages that did not decrypt: asking for them again, and answering.

use sandi::Timestamp;
use sandi::protocol::{Answered, Asked};
use sandi::wire::PlaintextContent;

use crate::buffer::SandiBuffer;
use crate::device;
use crate::guard;
use crate::input::{self, Output, SandiAddress};
use crate::platform;
use crate::received::message_type_of;
use crate::table::SandiDevice;

/// Send the message again.
pub const SANDI_ANSWER_RESEND: u32 = 1;
/// The message was sent by another device of this account.
pub const SANDI_ANSWER_NOT_OURS: u32 = 2;
/// That device has asked too often: do nothing.
pub const SANDI_ANSWER_IGNORE: u32 = 3;

/// What to do about a peer's request to send a message again.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiAnswer {
    /// `SANDI_ANSWER_…`; the other fields are for `SANDI_ANSWER_RESEND`.
    pub action: u32,
    /// How often the message has been sent again, this time included.
    pub attempt: u32,
    /// 1: the session is now archived; fetch a bundle and start a new one first.
    pub session_archived: u32,
    /// 1: the message was one to a group; send the distribution message again, too
    /// (`sandi_device_give_key_again`).
    pub is_sender_key: u32,
    /// The message, by the timestamp under which it was sent.
    pub timestamp_ms: u64,
}

/// What to do about a message that did not decrypt, where the disposition of its error is
/// `AskSenderToResend`. `timestamp_ms` is the message's own, from its envelope.
///
/// `out`: the bytes to send to that device, of the type `SANDI_MESSAGE_PLAINTEXT`; no buffer where it was asked for
/// often enough: drop the message, and show that one is missing. `attempt` (may be null): 1 to 5, or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_ask_retry(
    device: SandiDevice,
    from: *const SandiAddress,
    message_type: u32,
    bytes: *const u8,
    bytes_len: usize,
    timestamp_ms: u64,
    now_ms: u64,
    out: *mut SandiBuffer,
    attempt: *mut u32,
) -> crate::status::SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let attempts = unsafe { Output::optional(attempt, 0) }?;
        // SAFETY: as before.
        let from = unsafe { input::address(from) }?;
        // SAFETY: as before.
        let bytes = unsafe { input::bytes(bytes, bytes_len) }?;
        let message_type = message_type_of(message_type)?;
        let (timestamp, now) = (Timestamp(timestamp_ms), Timestamp(now_ms));
        let asked = device::with(device, |object| {
            let rng = &mut platform::random();
            Ok(object.device.ask_retry(&from, message_type, bytes, timestamp, now, rng)?)
        })?;
        if let Asked::Ask { message, attempt } = asked {
            out.set(SandiBuffer::give(PlaintextContent::encode(&message))?);
            if let Some(attempts) = attempts {
                attempts.set(attempt);
            }
        }
        Ok(())
    })
}

/// What to do about a message of the type `SANDI_MESSAGE_PLAINTEXT`: a peer's request to send a message again.
///
/// Errors: those of the message and of the stored session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_answer_retry(
    device: SandiDevice,
    from: *const SandiAddress,
    bytes: *const u8,
    bytes_len: usize,
    now_ms: u64,
    out: *mut SandiAnswer,
) -> crate::status::SandiStatus {
    guard::run(|| {
        let none = SandiAnswer {
            action: 0,
            attempt: 0,
            session_archived: 0,
            is_sender_key: 0,
            timestamp_ms: 0,
        };
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, none) }?;
        // SAFETY: as before.
        let from = unsafe { input::address(from) }?;
        // SAFETY: as before.
        let bytes = unsafe { input::bytes(bytes, bytes_len) }?;
        let request = PlaintextContent::parse(bytes)?.decryption_error_message()?;
        let answered = device::with(device, |object| {
            let rng = &mut platform::random();
            Ok(object.device.answer_retry(&from, &request, Timestamp(now_ms), rng)?)
        })?;
        out.set(match answered {
            Answered::NotOurs => SandiAnswer { action: SANDI_ANSWER_NOT_OURS, ..none },
            Answered::Ignore => SandiAnswer { action: SANDI_ANSWER_IGNORE, ..none },
            Answered::Resend { timestamp, session_archived, is_sender_key, attempt } => {
                SandiAnswer {
                    action: SANDI_ANSWER_RESEND,
                    attempt,
                    session_archived: session_archived.into(),
                    is_sender_key: is_sender_key.into(),
                    timestamp_ms: timestamp.as_millis(),
                }
            }
        });
        Ok(())
    })
}
