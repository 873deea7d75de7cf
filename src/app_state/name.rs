//! The collections (spec 26 §4).

use crate::error::Error;

/// One of the collections that an account's state is divided into. Each has versions of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum CollectionName {
    /// `critical_block`.
    CriticalBlock,
    /// `critical_unblock_low`.
    CriticalUnblockLow,
    /// `regular_high`.
    RegularHigh,
    /// `regular_low`.
    RegularLow,
    /// `regular`.
    Regular,
}

impl CollectionName {
    /// Every collection.
    pub const ALL: [Self; 5] = [
        Self::CriticalBlock,
        Self::CriticalUnblockLow,
        Self::RegularHigh,
        Self::RegularLow,
        Self::Regular,
    ];

    /// The name, as the MACs cover it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CriticalBlock => "critical_block",
            Self::CriticalUnblockLow => "critical_unblock_low",
            Self::RegularHigh => "regular_high",
            Self::RegularLow => "regular_low",
            Self::Regular => "regular",
        }
    }

    /// The collection of that name.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for an unknown name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|known| known.as_str() == name).ok_or(Error::InvalidArgument)
    }
}
