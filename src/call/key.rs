//! The secret of a call and the message that carries it (spec 23 §1, §2).

use rand_core::CryptoRng;

use crate::error::Error;
use crate::secret::Secret;
use crate::wire::reader::Reader;

/// Length of [`CallKey::message`] in bytes.
pub const CALL_KEY_MESSAGE_LENGTH: usize = 36;

/// `Message{ call#10 { callKey#1 = 32 bytes } }` up to the key.
const MESSAGE_HEAD: [u8; 4] = [10 << 3 | 2, 34, 1 << 3 | 2, 32];

/// The 32 random bytes of a call, or of one key epoch of a group call. One key serves all devices of the
/// callee.
///
/// It derives nothing before [`CallKeyLedger::admit`](super::CallKeyLedger::admit) has bound it to a call.
#[derive(Debug, PartialEq, Eq)]
pub struct CallKey(Secret<32>);

impl CallKey {
    /// Draws 32 bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Takes a secret that came by another way than a [message](Self::parse_message).
    #[must_use]
    pub const fn from_secret(secret: Secret<32>) -> Self {
        Self(secret)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The message content that carries the key: pad it as every content of the family (spec 20 §5), then
    /// encrypt it for each device.
    #[must_use]
    pub fn message(&self) -> Secret<CALL_KEY_MESSAGE_LENGTH> {
        let mut message = Secret::zero();
        let bytes = MESSAGE_HEAD.iter().chain(self.0.expose());
        for (to, from) in message.expose_mut().iter_mut().zip(bytes) {
            *to = *from;
        }
        message
    }

    /// Reads the key from a message content whose padding was removed. Other fields are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`] when it is malformed, or has no call key of 32 bytes.
    pub fn parse_message(message: &[u8]) -> Result<Self, Error> {
        let mut key = None;
        for field in Reader::new(message) {
            if let (10, call) = field? {
                for field in Reader::new(call.bytes()?) {
                    if let (1, value) = field? {
                        key = Some(value.bytes()?);
                    }
                }
            }
        }
        key.and_then(Secret::from_slice).map(Self).ok_or(Error::InvalidProtobuf)
    }
}

impl zeroize::ZeroizeOnDrop for CallKey {}
