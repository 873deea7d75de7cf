//! The secret in a parent message to which later add-ons are bound (spec 20 §7).

use core::fmt;

use rand_core::CryptoRng;

use crate::crypto::kdf;
use crate::error::Error;
use crate::jid::Jid;
use crate::secret::Secret;

/// `messageContextInfo.messageSecret`: 32 random bytes in the parent message, known to everybody who could read it.
#[derive(Debug, PartialEq, Eq)]
pub struct MessageSecret(Secret<32>);

impl MessageSecret {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// Draws 32 bytes, for a new message.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Takes the bytes that came in a message.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless they are 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Secret::from_slice(bytes).map(Self).ok_or(Error::InvalidArgument)
    }

    /// The 32 bytes, to be put into the message.
    #[must_use]
    pub const fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// `HKDF(messageSecret, 0s, parentMessageId ‖ parentSender ‖ modificationSender ‖ useCase, 32)`.
    pub(super) fn derive(
        &self,
        parent_id: &str,
        parent_sender: &Jid,
        sender: &Jid,
        use_case: UseCase,
    ) -> Secret<32> {
        let (parent_sender, sender) = (account_text(parent_sender), account_text(sender));
        let info = [parent_id, &parent_sender, &sender, use_case.as_str()].map(str::as_bytes);
        kdf::hkdf(None, self.0.expose(), &info)
    }
}

/// `user@server`: an address as it is hashed here, without device and agent.
pub(super) fn account_text(jid: &Jid) -> alloc::string::String {
    use alloc::string::ToString;
    jid.without_device().to_string()
}

/// What an add-on is for. Each has keys of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum UseCase {
    /// A vote in a poll.
    PollVote,
    /// A reaction where the members of the chat are hidden.
    EncReaction,
    /// A comment.
    EncComment,
    /// An answer to an event.
    EventResponse,
    /// An edit of an event.
    EventEdit,
    /// An edit of a message.
    MessageEdit,
    /// An edit of a poll.
    PollEdit,
    /// An option that is added to a poll.
    PollAddOption,
    /// The key of a [`report_token`](super::report_token).
    ReportToken,
}

impl UseCase {
    /// The text that is hashed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PollVote => "Poll Vote",
            Self::EncReaction => "Enc Reaction",
            Self::EncComment => "Enc Comment",
            Self::EventResponse => "Event Response",
            Self::EventEdit => "Event Edit",
            Self::MessageEdit => "Message Edit",
            Self::PollEdit => "Poll Edit",
            Self::PollAddOption => "Poll Add Option",
            Self::ReportToken => "Report Token",
        }
    }

    /// Whether `parentMessageId ‖ 0x00 ‖ modificationSender` is authenticated with the payload.
    pub(super) const fn has_associated_data(self) -> bool {
        matches!(self, Self::PollVote | Self::EventResponse)
    }

    /// Whether only the author of the parent may do it.
    #[must_use]
    pub const fn is_edit(self) -> bool {
        matches!(self, Self::EventEdit | Self::MessageEdit | Self::PollEdit)
    }

    /// The use cases to try on receipt: some senders use the key of a poll's edit for an added option.
    pub(super) const fn received_as(self) -> &'static [Self] {
        match self {
            Self::PollVote => &[Self::PollVote],
            Self::EncReaction => &[Self::EncReaction],
            Self::EncComment => &[Self::EncComment],
            Self::EventResponse => &[Self::EventResponse],
            Self::EventEdit => &[Self::EventEdit],
            Self::MessageEdit => &[Self::MessageEdit],
            Self::PollEdit => &[Self::PollEdit],
            Self::PollAddOption => &[Self::PollAddOption, Self::PollEdit],
            Self::ReportToken => &[],
        }
    }
}

impl fmt::Display for UseCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
