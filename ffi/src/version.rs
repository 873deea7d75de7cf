//! Versions, texts of codes, and what to do about them.

use core::ffi::c_char;

use sandi::Disposition;

#[cfg(feature = "std")]
use crate::guard::{self, Detail};
use crate::status::SandiStatus;

/// The version of this border. It grows when something that a program relies on changes: compare it with
/// `SANDI_ABI_VERSION` when the program starts.
pub const SANDI_ABI_VERSION: u32 = 1;

/// The border's version of the library at hand.
#[unsafe(no_mangle)]
pub extern "C" fn sandi_abi_version() -> u32 {
    SANDI_ABI_VERSION
}

/// The library's version, as `"0.1.0"`. The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn sandi_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// What a status means, in English, for a log. The text is static; never null.
#[unsafe(no_mangle)]
pub extern "C" fn sandi_status_message(status: i32) -> *const c_char {
    SandiStatus::from_code(status).map_or(c"no status of this library", SandiStatus::text).as_ptr()
}

/// What to do about a status.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SandiDisposition {
    /// Nothing: success, or the end of a list.
    None = 0,
    /// Drop the message or bundle: it was seen before, or is not what an honest peer sends.
    Drop = 1,
    /// The message is lost, but its sender can send it again: `sandi_device_ask_retry`.
    AskSenderToResend = 2,
    /// Fetch a bundle of the peer's device and start a session, then send.
    StartSession = 3,
    /// Show the user the peer's new identity key, and accept it if the user does; then try again.
    AskUser = 4,
    /// What is stored is corrupt: `sandi_device_repair_session`, `sandi_device_forget_sender_key`.
    Repair = 5,
    /// It is of a later version than this library knows: update the application.
    Update = 6,
    /// The call was wrong; a defect of the calling program.
    FixCaller = 7,
    /// Repeat the operation, now or later.
    Repeat = 8,
    /// A defect of the library, or of the machine: free the object, and open the device again.
    Reopen = 9,
    /// Ask the account's own devices for a key, then try again.
    AskOwnDevices = 10,
    /// Fetch what was missed, then try again.
    Resynchronize = 11,
    /// Verify the devices of the account before writing to it, which this interface cannot yet do.
    VerifyDevices = 12,
}

/// What to do about a status.
#[unsafe(no_mangle)]
pub extern "C" fn sandi_status_disposition(status: i32) -> SandiDisposition {
    use SandiStatus as S;
    let Some(status) = S::from_code(status) else { return SandiDisposition::FixCaller };
    if let Some(error) = status.example() {
        return match error.disposition() {
            Disposition::Drop => SandiDisposition::Drop,
            Disposition::AskSenderToResend => SandiDisposition::AskSenderToResend,
            Disposition::StartSession => SandiDisposition::StartSession,
            Disposition::AskUser => SandiDisposition::AskUser,
            Disposition::Repair => SandiDisposition::Repair,
            Disposition::Update => SandiDisposition::Update,
            Disposition::AskOwnDevices => SandiDisposition::AskOwnDevices,
            Disposition::Resynchronize => SandiDisposition::Resynchronize,
            Disposition::VerifyDevices => SandiDisposition::VerifyDevices,
            _ => SandiDisposition::FixCaller,
        };
    }
    match status {
        S::Ok | S::NotFound | S::AlreadyCommitted => SandiDisposition::None,
        S::Busy | S::StoreFailed | S::Contention => SandiDisposition::Repeat,
        S::Panicked => SandiDisposition::Reopen,
        S::UnknownEncoding | S::Unknown => SandiDisposition::Update,
        _ => SandiDisposition::FixCaller,
    }
}

/// What the last call that failed in this thread has to add to its status: a text in English with the numbers that
/// belong to it, for a log. Writes at most `capacity` bytes, the last of which is a 0, and returns the length of
/// the whole text without it; 0 if no call has failed. `text` may be null if `capacity` is 0. Secrets do not
/// stand in it. Only in a build with `std`.
#[cfg(feature = "std")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_last_error(text: *mut c_char, capacity: usize) -> usize {
    let Some(failure) = guard::last() else { return 0 };
    let status = failure.status.text().to_string_lossy();
    let message = match failure.detail {
        Detail::None => status.into_owned(),
        Detail::Protocol(error) => std::format!("{error}"),
        Detail::Store(code) => std::format!("{status}: code {code}"),
    };
    if !text.is_null() && capacity > 0 {
        let len = message.len().min(capacity.saturating_sub(1));
        // SAFETY: the caller's: `capacity` writable bytes, and `len` is less; the message is another memory.
        unsafe { core::ptr::copy_nonoverlapping(message.as_ptr(), text.cast::<u8>(), len) };
        // SAFETY: as before.
        unsafe { text.wrapping_add(len).write(0) };
    }
    message.len()
}
