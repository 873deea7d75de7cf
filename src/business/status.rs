//! Who can read a chat, and what to tell the user when that changes (spec 22 §5).

use alloc::string::String;

use super::Assessment;

/// Who can read what is sent to a user or a group.
///
/// Ordered by how it is joined, "worst wins": of two statements the greater one holds. End-to-end encrypted
/// is the least, so no statement of it takes another one back. That a chat is hosted comes next; to name
/// the host adds to that, so a named host stands above an unnamed one. Meta stands above a third
/// party, as in the clients: where a provider uses Meta's servers, Meta is what is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum EncryptionStatus {
    /// Only the user's own devices, or those that a business runs itself. Also where nothing is known.
    #[default]
    EndToEnd,
    /// Somebody else than the account's owner; nothing says who.
    HostedUnknown,
    /// A company that manages the business's messages.
    HostedByThirdParty,
    /// Meta, on behalf of the business.
    HostedByMeta,
}

impl EncryptionStatus {
    /// All of them, the best first.
    pub const ALL: [Self; 4] =
        [Self::EndToEnd, Self::HostedUnknown, Self::HostedByThirdParty, Self::HostedByMeta];

    /// Whether somebody else than the account's owner can read.
    #[must_use]
    pub const fn is_hosted(self) -> bool {
        !matches!(self, Self::EndToEnd)
    }

    /// The worse of two.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.max(other)
    }

    /// The number in stored records.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::EndToEnd => 0,
            Self::HostedUnknown => 1,
            Self::HostedByThirdParty => 2,
            Self::HostedByMeta => 3,
        }
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| u64::from(status.number()) == number)
    }
}

/// The status of a user or a group is another one than before: the application shows it before the next
/// message is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusChange {
    /// Whose: the name of the user's addresses, or the group's id.
    pub name: String,
    /// What was known so far; `None` if nothing was.
    pub from: Option<EncryptionStatus>,
    /// What it is now.
    pub to: EncryptionStatus,
    /// What that rests on.
    pub assessment: Assessment,
    /// Whether it is a group's, see [`Signal::is_about_a_group`](super::Signal::is_about_a_group).
    pub group: bool,
}

impl StatusChange {
    /// The system message that clients of the family show; `None` where none of theirs fits: a host
    /// that nothing names.
    #[must_use]
    pub const fn notice(&self) -> Option<Notice> {
        match (self.group, self.from, self.to) {
            (true, _, EncryptionStatus::HostedByMeta) => Some(Notice::HostedGroup),
            (_, _, EncryptionStatus::EndToEnd) => Some(Notice::NowEncrypted),
            (_, _, EncryptionStatus::HostedUnknown) => None,
            (_, None, EncryptionStatus::HostedByMeta) => Some(Notice::StartsHostedByMeta),
            (_, None, EncryptionStatus::HostedByThirdParty) => {
                Some(Notice::StartsHostedByThirdParty)
            }
            (_, Some(_), EncryptionStatus::HostedByMeta) => Some(Notice::ChangedToMeta),
            (_, Some(_), EncryptionStatus::HostedByThirdParty) => Some(Notice::ChangedToThirdParty),
        }
    }
}

/// The system messages of spec 22 §5 that a [`StatusChange`] calls for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// 75: messages are end-to-end encrypted from now on.
    NowEncrypted,
    /// 126: from the first message on, Meta's service manages the chat.
    StartsHostedByMeta,
    /// 127: from the first message on, the business works with other companies.
    StartsHostedByThirdParty,
    /// 128: Meta's service manages the chat now.
    ChangedToMeta,
    /// 129: the business works with other companies now.
    ChangedToThirdParty,
    /// 209: the group was created through the Cloud API and is not end-to-end encrypted.
    HostedGroup,
}

impl Notice {
    /// The number of the system message.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::NowEncrypted => 75,
            Self::StartsHostedByMeta => 126,
            Self::StartsHostedByThirdParty => 127,
            Self::ChangedToMeta => 128,
            Self::ChangedToThirdParty => 129,
            Self::HostedGroup => 209,
        }
    }
}
