//! Ciphertext type codes (spec 04 §9).

/// What kind of message a ciphertext is. The kind travels outside the bytes, with the envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CiphertextMessageType {
    /// A [`SignalMessage`](super::SignalMessage), code 2 ("Whisper").
    Signal,
    /// A [`PreKeySignalMessage`](super::PreKeySignalMessage), code 3; 1 inside sealed sender.
    PreKey,
    /// A message to a group by sender key, code 7.
    SenderKey,
    /// A [`PlaintextContent`](super::PlaintextContent), code 8.
    Plaintext,
}

impl CiphertextMessageType {
    /// The code: 2, 3, 7 or 8.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Signal => 2,
            Self::PreKey => 3,
            Self::SenderKey => 7,
            Self::Plaintext => 8,
        }
    }

    /// The type of a code; `None` for an unknown one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            2 => Some(Self::Signal),
            3 => Some(Self::PreKey),
            7 => Some(Self::SenderKey),
            8 => Some(Self::Plaintext),
            _ => None,
        }
    }

    /// The code inside sealed sender: 2, **1** for a pre-key message, 7 or 8.
    #[must_use]
    pub const fn sealed_sender_code(self) -> u8 {
        match self {
            Self::PreKey => 1,
            other => other.code(),
        }
    }

    /// The type of a code inside sealed sender; `None` for an unknown one (3 is unknown there).
    #[must_use]
    pub const fn from_sealed_sender_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::PreKey),
            3 => None,
            other => Self::from_code(other),
        }
    }
}
