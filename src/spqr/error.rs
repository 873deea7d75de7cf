//! What can go wrong in the post-quantum ratchet, spec 10 §12.

use core::fmt;

/// An error of the post-quantum ratchet. After every one of them the state is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SpqrError {
    /// A stored state is malformed, contradicts itself, or is of a newer format. So is one that holds
    /// neither a chain nor what starts one, which the specification calls *chain not available*.
    StateDecode,
    /// A message is malformed.
    MessageDecode,
    /// The message's epoch is ahead (the value is the Braid epoch), or the chain of its key epoch is
    /// not held (the value is the key epoch).
    EpochOutOfRange(u64),
    /// The MAC of a header or of a ciphertext is wrong.
    MacVerifyFailed,
    /// The encapsulation key does not fit its header, or is not canonical.
    ErroneousData,
    /// The message is of a lower version, and the version was settled before.
    VersionMismatch,
    /// The message is of a version below the lowest acceptable one.
    MinimumVersion,
    /// The message's index is too far ahead of the chain's counter.
    KeyJump {
        /// The chain's counter.
        counter: u32,
        /// The message's index.
        index: u32,
    },
    /// The message's index is too far behind: its key is not kept any longer.
    KeyTrimmed(u32),
    /// The message's key was used before, or never stored.
    KeyAlreadyRequested(u32),
    /// The epoch to send in went back: the stored state is corrupt.
    SendKeyEpochDecreased {
        /// The key epoch that was sent in before.
        from: u64,
        /// The key epoch that should be sent in now.
        to: u64,
    },
    /// A chain or the epoch counter has reached its last value and cannot be used further.
    Exhausted,
}

impl fmt::Display for SpqrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::StateDecode => f.write_str("stored ratchet state is malformed"),
            Self::MessageDecode => f.write_str("ratchet message is malformed"),
            Self::EpochOutOfRange(epoch) => write!(f, "epoch {epoch} is out of range"),
            Self::MacVerifyFailed => f.write_str("MAC of a header or ciphertext is wrong"),
            Self::ErroneousData => f.write_str("encapsulation key does not fit its header"),
            Self::VersionMismatch => f.write_str("version is lower than the settled one"),
            Self::MinimumVersion => f.write_str("version is below the lowest acceptable one"),
            Self::KeyJump { counter, index } => {
                write!(f, "key {index} is too far ahead of {counter}")
            }
            Self::KeyTrimmed(index) => write!(f, "key {index} is not kept any longer"),
            Self::KeyAlreadyRequested(index) => write!(f, "key {index} was used before"),
            Self::SendKeyEpochDecreased { from, to } => {
                write!(f, "sending went back from key epoch {from} to {to}")
            }
            Self::Exhausted => f.write_str("a counter has reached its last value"),
        }
    }
}

impl core::error::Error for SpqrError {}
