//! The border: whatever happens inside, a status comes out.

use sandi::Error;
use sandi::device::DeviceError;

use crate::status::SandiStatus;
use crate::store::StoreFailure;

/// Why a call failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    pub(crate) status: SandiStatus,
    /// More than the status tells.
    pub(crate) detail: Detail,
}

/// What `sandi_last_error` adds to the text of the status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detail {
    None,
    Protocol(Error),
    /// What a store's callback returned, or SQLite's own code.
    Store(i32),
}

impl From<SandiStatus> for Failure {
    fn from(status: SandiStatus) -> Self {
        Self { status, detail: Detail::None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: SandiStatus::of(error), detail: Detail::Protocol(error) }
    }
}

impl From<StoreFailure> for Failure {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Code(code) => {
                Self { status: SandiStatus::StoreFailed, detail: Detail::Store(code) }
            }
            StoreFailure::Status(status) => status.into(),
        }
    }
}

/// An identity key that waits for an answer is noted by the device before its error comes here.
impl From<DeviceError<StoreFailure>> for Failure {
    fn from(error: DeviceError<StoreFailure>) -> Self {
        match error {
            DeviceError::Protocol(error) => error.into(),
            DeviceError::UntrustedIdentity(_) => Error::UntrustedIdentity.into(),
            DeviceError::Store(failure) => failure.into(),
            DeviceError::Contention => SandiStatus::Contention.into(),
            DeviceError::NotCreated => SandiStatus::NotCreated.into(),
            DeviceError::AlreadyCreated => SandiStatus::AlreadyCreated.into(),
            _ => SandiStatus::Unknown.into(),
        }
    }
}

/// Runs the body of an exported function: refuses calls from within a callback, stops panics, and notes the
/// failure for `sandi_last_error`.
pub(crate) fn run(body: impl FnOnce() -> Result<(), Failure>) -> SandiStatus {
    if is_in_callback() {
        return failed(SandiStatus::Reentrant.into());
    }
    run_in_callback(body)
}

/// As [`run`], for the functions that a callback may call.
pub(crate) fn run_in_callback(body: impl FnOnce() -> Result<(), Failure>) -> SandiStatus {
    match stop_panics(body) {
        Ok(()) => SandiStatus::Ok,
        Err(failure) => failed(failure),
    }
}

#[cfg(feature = "std")]
pub(crate) use hosted::{callback, last};
#[cfg(feature = "std")]
use hosted::{failed, is_in_callback, stop_panics};

#[cfg(feature = "std")]
mod hosted {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{Failure, SandiStatus};

    std::thread_local! {
        static LAST: Cell<Option<Failure>> = const { Cell::new(None) };
        static CALLBACKS: Cell<u32> = const { Cell::new(0) };
    }

    /// The last failure of this thread.
    pub(crate) fn last() -> Option<Failure> {
        LAST.get()
    }

    #[cold]
    pub(super) fn failed(failure: Failure) -> SandiStatus {
        LAST.set(Some(failure));
        failure.status
    }

    pub(super) fn is_in_callback() -> bool {
        CALLBACKS.get() > 0
    }

    /// Runs a callback of the program.
    pub(crate) fn callback<T>(call: impl FnOnce() -> T) -> T {
        CALLBACKS.set(CALLBACKS.get().saturating_add(1));
        let result = call();
        CALLBACKS.set(CALLBACKS.get().saturating_sub(1));
        result
    }

    /// What a panic leaves behind stays sound: a device commits all or nothing, and the lock of an object in
    /// use is poisoned, so that nobody meets it half changed.
    pub(super) fn stop_panics(body: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(result) => result,
            Err(payload) => {
                // A payload whose drop panics must not get further than this either.
                core::mem::forget(payload);
                Err(SandiStatus::Panicked.into())
            }
        }
    }
}

#[cfg(not(feature = "std"))]
pub(crate) use bare::callback;
#[cfg(not(feature = "std"))]
use bare::{failed, is_in_callback, stop_panics};

/// Without an operating system: a panic ends the program (`platform`), a call from within a callback finds
/// the object busy, and nothing is noted of a failure.
#[cfg(not(feature = "std"))]
mod bare {
    use super::{Failure, SandiStatus};

    pub(super) const fn failed(failure: Failure) -> SandiStatus {
        failure.status
    }

    pub(super) const fn is_in_callback() -> bool {
        false
    }

    pub(crate) fn callback<T>(call: impl FnOnce() -> T) -> T {
        call()
    }

    pub(super) fn stop_panics(body: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        body()
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    #![allow(clippy::panic)]

    use super::{SandiStatus, callback, run, run_in_callback};

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(run(|| panic!("a defect")), SandiStatus::Panicked);
        // and the next call works
        assert_eq!(run(|| Ok(())), SandiStatus::Ok);
    }

    #[test]
    fn a_callback_may_call_only_what_it_may() {
        assert_eq!(callback(|| run(|| Ok(()))), SandiStatus::Reentrant);
        assert_eq!(callback(|| run_in_callback(|| Ok(()))), SandiStatus::Ok);
        assert_eq!(run(|| Ok(())), SandiStatus::Ok);
    }
}
