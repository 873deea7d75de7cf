//! What names a sender key.

use alloc::string::String;

use crate::address::Address;
use crate::dialect::GroupDialect;
use crate::store::RecordKey;

/// What names a sender key beside the device that sends (spec 05 §1 and §6). It also fixes how messages
/// are laid out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Distribution {
    /// A distribution id, 16 bytes chosen by the sender for a group and carried by every message: Signal.
    Id([u8; 16]),
    /// The id of the group itself, as text. It is not on the wire: the context of a message gives it. The
    /// older form, and the WhatsApp family's.
    Group(String),
}

impl Distribution {
    /// How its messages are laid out.
    #[must_use]
    pub const fn dialect(&self) -> GroupDialect {
        match self {
            Self::Id(_) => GroupDialect::Distribution,
            Self::Group(_) => GroupDialect::GroupId,
        }
    }

    /// What every message carries: the distribution id, if there is one.
    #[must_use]
    pub const fn wire_id(&self) -> Option<&[u8; 16]> {
        match self {
            Self::Id(id) => Some(id),
            Self::Group(_) => None,
        }
    }

    /// The name of the record that holds the key of `sender`.
    #[must_use]
    pub fn sender_key(&self, sender: &Address) -> RecordKey {
        RecordKey::SenderKey { distribution: self.as_bytes().into(), sender: sender.clone() }
    }

    /// The name of the record that says who holds this device's own key.
    #[must_use]
    pub fn group(&self) -> RecordKey {
        RecordKey::Group(self.as_bytes().into())
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Id(id) => id,
            Self::Group(group) => group.as_bytes(),
        }
    }
}
