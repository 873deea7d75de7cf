//! Which key (spec 26 §1): `device (u16 BE) || epoch (u32 BE)`, six bytes; to every MAC they are opaque.

use alloc::boxed::Box;
use core::fmt;

use crate::error::Error;

/// The id of an [`AppStateKey`](super::AppStateKey): 1 to 32 bytes, six in practice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppStateKeyId(Box<[u8]>);

impl AppStateKeyId {
    /// The longest id, in bytes.
    pub const MAX_LENGTH: usize = 32;

    /// The id of the key that `device` makes for `epoch`.
    #[must_use]
    pub fn new(device: u16, epoch: u32) -> Self {
        let ([d0, d1], [e0, e1, e2, e3]) = (device.to_be_bytes(), epoch.to_be_bytes());
        Self(Box::new([d0, d1, e0, e1, e2, e3]))
    }

    /// Takes the bytes of a message.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when empty or longer than [`MAX_LENGTH`](Self::MAX_LENGTH).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() || bytes.len() > Self::MAX_LENGTH {
            return Err(Error::InvalidArgument);
        }
        Ok(Self(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The device that made the key, and the epoch; `None` for an id that is not six bytes long.
    #[must_use]
    pub fn device_and_epoch(&self) -> Option<(u16, u32)> {
        let &[d0, d1, e0, e1, e2, e3] = &*self.0 else { return None };
        Some((u16::from_be_bytes([d0, d1]), u32::from_be_bytes([e0, e1, e2, e3])))
    }
}

impl fmt::Debug for AppStateKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppStateKeyId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
