//! What can go wrong with a device over a store.

use alloc::boxed::Box;
use core::fmt;

use crate::error::{Disposition, Error};
use crate::protocol::IdentityChange;

/// Why an operation of a [`Device`](super::Device) failed.
///
/// Whatever it was, nothing has changed, with one exception: after [`Store`](Self::Store) the changes
/// may have become durable as a whole, see [`CommitError`](crate::CommitError). The device reads the
/// store again at the next operation, so repeating the operation is right in every case.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DeviceError<E> {
    /// The protocol's own.
    Protocol(Error),
    /// The peer's identity key is not the known one, and the policy asks the user. Accept exactly
    /// [`IdentityChange::new`], and the same message or bundle works.
    UntrustedIdentity(Box<IdentityChange>),
    /// The store failed.
    Store(E),
    /// Others kept changing the same records; the operation gave up after 100 attempts.
    Contention,
    /// [`open`](super::Device::open) found no device in the store.
    NotCreated,
    /// [`create`](super::Device::create) found a device in the store.
    AlreadyCreated,
}

impl<E> DeviceError<E> {
    /// The protocol's error, if it was one.
    #[must_use]
    pub const fn protocol(&self) -> Option<Error> {
        match self {
            Self::Protocol(error) => Some(*error),
            Self::UntrustedIdentity(_) => Some(Error::UntrustedIdentity),
            _ => None,
        }
    }

    /// What to do about it; `None` where the store has to be asked first, or the operation repeated.
    #[must_use]
    pub const fn disposition(&self) -> Option<Disposition> {
        match self {
            Self::NotCreated | Self::AlreadyCreated => Some(Disposition::FixCaller),
            _ => match self.protocol() {
                Some(error) => Some(error.disposition()),
                None => None,
            },
        }
    }
}

impl<E> From<Error> for DeviceError<E> {
    fn from(error: Error) -> Self {
        Self::Protocol(error)
    }
}

impl<E: fmt::Display> fmt::Display for DeviceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::UntrustedIdentity(change) => {
                write!(f, "identity key of {} has changed and is not accepted", change.address)
            }
            Self::Store(error) => write!(f, "store: {error}"),
            Self::Contention => f.write_str("others keep changing the same records"),
            Self::NotCreated => f.write_str("there is no device in the store"),
            Self::AlreadyCreated => f.write_str("there is a device in the store already"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for DeviceError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Protocol(error) => Some(error),
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}
