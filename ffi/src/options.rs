//! What the program decides about a device.

use sandi::Policy;
use sandi::protocol::{CompanionPolicy, HostedPolicy, Options, PreKeyPlan, TrustPolicy};

use crate::guard::{self, Failure};
use crate::input::{self, Output};
use crate::status::SandiStatus;

/// Today's Signal: session version 4, with SPQR.
pub const SANDI_DIALECTS_V4: u32 = 0;
/// The WhatsApp family: session version 3.
pub const SANDI_DIALECTS_V3: u32 = 1;
/// Version 4 where the peer's bundle has a KEM pre-key, else version 3.
pub const SANDI_DIALECTS_V3_OR_V4: u32 = 2;
/// Version 4 without SPQR, for peers of 2023 to 2025.
pub const SANDI_DIALECTS_V4_WITHOUT_SPQR: u32 = 3;

/// A new identity key replaces the old one, and the change is an event.
pub const SANDI_TRUST_ON_FIRST_USE: u32 = 0;
/// A new identity key is `UntrustedIdentity` until it is accepted.
pub const SANDI_TRUST_BLOCK_UNTIL_ACCEPTED: u32 = 1;
/// As on first use, but sessions of an old key go on as long as the peer uses them.
pub const SANDI_TRUST_ALWAYS: u32 = 2;

/// Send to recipients whose keys somebody else holds; every change is an event.
pub const SANDI_HOSTED_INFORM: u32 = 0;
/// Refuse with `ConsentRequired` until the user has agreed (`sandi_device_consent_to_hosting`).
pub const SANDI_HOSTED_REQUIRE_CONSENT: u32 = 1;

/// What the program decides about a device. Not stored: given whenever a device is opened. Start from
/// `sandi_options_default`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiOptions {
    /// `sizeof(SandiOptions)`: later versions of the struct are longer.
    pub size: u32,
    /// One of `SANDI_DIALECTS_…`.
    pub dialects: u32,
    /// One of `SANDI_TRUST_…`.
    pub trust: u32,
    /// Decoded sessions that are kept in memory, 2 to 5 kB each.
    pub cached_sessions: u32,
    /// One-time pre-keys that the server should have, at most 1,000.
    pub one_time: u32,
    /// One-time KEM pre-keys that the server should have, at most 1,000.
    pub one_time_kem: u32,
    /// The stock is filled up when fewer than this are left.
    pub refill_below: u32,
    /// One of `SANDI_HOSTED_…`.
    pub hosted: u32,
    /// Age in milliseconds at which the signed and the last-resort pre-key are replaced.
    pub rotate_after: u64,
    /// How long a replaced pre-key still accepts late messages, in milliseconds.
    pub keep_retired: u64,
    /// Age in milliseconds at which unused one-time pre-keys are deleted.
    pub keep_one_time: u64,
}

const CACHED_SESSIONS: u32 = 1024;

#[allow(clippy::cast_possible_truncation)] // 64 bytes
const SIZE: u32 = size_of::<SandiOptions>() as u32;

fn defaults() -> SandiOptions {
    let plan = PreKeyPlan::default();
    SandiOptions {
        size: SIZE,
        dialects: SANDI_DIALECTS_V4,
        trust: SANDI_TRUST_ON_FIRST_USE,
        cached_sessions: CACHED_SESSIONS,
        one_time: plan.one_time,
        one_time_kem: plan.one_time_kem,
        refill_below: plan.refill_below,
        hosted: SANDI_HOSTED_INFORM,
        rotate_after: plan.rotate_after,
        keep_retired: plan.keep_retired,
        keep_one_time: plan.keep_one_time,
    }
}

/// Reads options, and how many sessions are cached; a null pointer gives the defaults.
///
/// # Safety
///
/// `options`, if not null, points to options.
pub(crate) unsafe fn read(options: *const SandiOptions) -> Result<(Options, usize), Failure> {
    let options = if options.is_null() {
        defaults()
    } else {
        // SAFETY: the caller's.
        *unsafe { input::value(options) }?
    };
    // A longer one comes from a program that was built for a later version, and knows more than this.
    if options.size != SIZE {
        return Err(SandiStatus::InvalidLength.into());
    }
    let dialects = match options.dialects {
        SANDI_DIALECTS_V4 => Policy::V4,
        SANDI_DIALECTS_V3 => Policy::V3,
        SANDI_DIALECTS_V3_OR_V4 => Policy::V3_OR_V4,
        SANDI_DIALECTS_V4_WITHOUT_SPQR => Policy::V4_WITHOUT_SPQR,
        _ => return Err(SandiStatus::OutOfRange.into()),
    };
    let trust = match options.trust {
        SANDI_TRUST_ON_FIRST_USE => TrustPolicy::TrustOnFirstUse,
        SANDI_TRUST_BLOCK_UNTIL_ACCEPTED => TrustPolicy::BlockUntilAccepted,
        SANDI_TRUST_ALWAYS => TrustPolicy::Always,
        _ => return Err(SandiStatus::OutOfRange.into()),
    };
    if options.one_time > 1000 || options.one_time_kem > 1000 {
        return Err(SandiStatus::OutOfRange.into());
    }
    let hosted = match options.hosted {
        SANDI_HOSTED_INFORM => HostedPolicy::Inform,
        SANDI_HOSTED_REQUIRE_CONSENT => HostedPolicy::RequireConsent,
        _ => return Err(SandiStatus::OutOfRange.into()),
    };
    let pre_keys = PreKeyPlan {
        one_time: options.one_time,
        one_time_kem: options.one_time_kem,
        refill_below: options.refill_below,
        rotate_after: options.rotate_after,
        keep_retired: options.keep_retired,
        keep_one_time: options.keep_one_time,
    };
    let cached = usize::try_from(options.cached_sessions).unwrap_or(usize::MAX);
    Ok((Options { dialects, trust, companions: CompanionPolicy::Any, pre_keys, hosted }, cached))
}

/// The defaults: version 4, trust on first use, 1,024 cached sessions, 100 one-time pre-keys of each kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_options_default(out: *mut SandiOptions) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        unsafe { Output::new(out, defaults()) }.map(drop)
    })
}
