//! `ADVEncryptionType` (spec 22 §2).

/// Who holds the keys of an account or a device.
///
/// Absent on the wire it is end-to-end encrypted. What is not known here is treated as hosted: only
/// [`E2ee`](Self::E2ee) is ever taken for end-to-end encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[non_exhaustive]
pub enum EncryptionType {
    /// 0: the account's owner.
    #[default]
    E2ee,
    /// 1: somebody who hosts it.
    Hosted,
    /// 2, of the newest schema: not end-to-end encrypted.
    NonE2ee,
    /// A value that is not known here.
    Unknown(u32),
}

impl EncryptionType {
    /// The type of a value on the wire.
    #[must_use]
    pub const fn from_value(value: u32) -> Self {
        match value {
            0 => Self::E2ee,
            1 => Self::Hosted,
            2 => Self::NonE2ee,
            other => Self::Unknown(other),
        }
    }

    /// The value on the wire.
    #[must_use]
    pub const fn value(self) -> u32 {
        match self {
            Self::E2ee => 0,
            Self::Hosted => 1,
            Self::NonE2ee => 2,
            Self::Unknown(other) => other,
        }
    }

    /// Whether it is end-to-end encrypted with the owner.
    #[must_use]
    pub const fn is_e2ee(self) -> bool {
        matches!(self, Self::E2ee)
    }
}
