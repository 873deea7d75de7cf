//! What a retry receipt says went wrong (spec 20 §8).

use core::fmt;

use crate::error::Error;

/// The reason in a retry receipt, `error=` of `<retry>`.
///
/// Whether to send a receipt at all is for [`Error::disposition`] to say; how often, and what a receipt that was received
/// leads to, for [`AskRetry`](crate::protocol::AskRetry) and [`AnswerRetry`](crate::protocol::AnswerRetry), whose
/// attempts are the `count` of `<retry>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum RetryReason {
    /// None of the others, or a code that is not known.
    Unknown = 0,
    /// There is no session, or no sender key.
    NoSession = 1,
    /// A key is malformed.
    InvalidKey = 2,
    /// A pre-key of that id does not exist.
    InvalidKeyId = 3,
    /// The message is malformed, or of another version.
    InvalidMessage = 4,
    /// A signature does not verify.
    InvalidSignature = 5,
    /// The message's counter is too far ahead.
    TooFarAhead = 6,
    /// The message did not decrypt.
    BadMac = 7,
    /// What is stored of the session or sender key cannot be used.
    InvalidSession = 8,
    /// The message's key was used before, or was dropped.
    InvalidMessageKey = 9,
    /// The ephemeral setting of a broadcast is wrong.
    BadBroadcastEphemeralSetting = 10,
    /// A companion device without a pre-key.
    UnknownCompanionNoPreKey = 11,
    /// The device's identity is not signed by its account (spec 22).
    AdvFailure = 12,
    /// The revocation of a status came too late.
    StatusRevokeDelay = 13,
}

impl RetryReason {
    const ALL: [Self; 14] = [
        Self::Unknown,
        Self::NoSession,
        Self::InvalidKey,
        Self::InvalidKeyId,
        Self::InvalidMessage,
        Self::InvalidSignature,
        Self::TooFarAhead,
        Self::BadMac,
        Self::InvalidSession,
        Self::InvalidMessageKey,
        Self::BadBroadcastEphemeralSetting,
        Self::UnknownCompanionNoPreKey,
        Self::AdvFailure,
        Self::StatusRevokeDelay,
    ];

    /// The code, 0 to 13.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The reason of a code; [`Unknown`](Self::Unknown) for one that is not known.
    #[must_use]
    pub fn from_code(code: u32) -> Self {
        let at = usize::try_from(code).unwrap_or(usize::MAX);
        Self::ALL.get(at).copied().unwrap_or(Self::Unknown)
    }

    /// Whether the receipt of attempt `count` has to carry `<keys>`, a bundle of our own: from the second on, and where
    /// there is no session.
    #[must_use]
    pub const fn needs_keys(self, count: u32) -> bool {
        count >= 2 || matches!(self, Self::NoSession)
    }
}

impl From<Error> for RetryReason {
    fn from(error: Error) -> Self {
        match error {
            Error::SessionNotFound | Error::NoSenderKeyState => Self::NoSession,
            Error::NoKeyTypeIdentifier
            | Error::BadKeyType(_)
            | Error::BadKeyLength(_)
            | Error::BadKemKeyType(_)
            | Error::BadKemKeyLength(_)
            | Error::BadKemCiphertextLength(_)
            | Error::WrongKemKeyType { .. }
            | Error::InvalidKeyAgreement
            | Error::InvalidBaseKey => Self::InvalidKey,
            Error::InvalidPreKeyId(_)
            | Error::InvalidSignedPreKeyId(_)
            | Error::InvalidKyberPreKeyId(_) => Self::InvalidKeyId,
            Error::InvalidProtobuf
            | Error::CiphertextTooShort(_)
            | Error::LegacyCiphertextVersion(_)
            | Error::UnrecognizedCiphertextVersion(_)
            | Error::UnrecognizedMessageVersion(_)
            | Error::DialectRefused(_)
            | Error::IncompleteKyberFields => Self::InvalidMessage,
            Error::SignatureValidationFailed => Self::InvalidSignature,
            Error::TooFarInFuture => Self::TooFarAhead,
            Error::Rejected => Self::BadMac,
            Error::InvalidSession
            | Error::InvalidSenderKeySession
            | Error::InvalidState
            | Error::FutureRecord(_)
            | Error::ChainExhausted => Self::InvalidSession,
            Error::DuplicatedMessage { .. } => Self::InvalidMessageKey,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}
