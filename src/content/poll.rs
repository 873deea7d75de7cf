//! A vote in a poll: the plaintext of [`UseCase::PollVote`](super::UseCase::PollVote) (spec 20 §7).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::crypto::hash;
use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// How many options a vote may select: far more than a poll has.
const OPTIONS_MAX: usize = 1024;

/// What names an option of a poll: `SHA-256(name)`.
#[must_use]
pub fn poll_option_hash(name: &str) -> [u8; 32] {
    hash::sha256(&[name.as_bytes()])
}

/// `PollVoteMessage {selectedOptions#1}`: hashes of the selected options. None at all retracts the vote.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PollVote {
    /// The [hashes](poll_option_hash) of the selected options.
    pub selected: Vec<[u8; 32]>,
}

impl PollVote {
    /// A vote for the options of these names.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { selected: names.into_iter().map(poll_option_hash).collect() }
    }

    /// Reads the plaintext.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when it is malformed, a hash has not 32 bytes, or more than 1,024 are selected.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut selected = Vec::new();
        for field in Reader::new(bytes) {
            if let (1, value) = field? {
                let hash = value.bytes()?.try_into().map_err(|_| Error::InvalidProtobuf)?;
                if selected.len() >= OPTIONS_MAX {
                    return Err(Error::InvalidProtobuf);
                }
                selected.push(hash);
            }
        }
        Ok(Self { selected })
    }

    /// The plaintext to seal.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(writer::encode(|w| self.selected.iter().for_each(|hash| w.bytes(1, hash))))
    }
}
