//! Chain keys (spec 04 §1).

use crate::crypto::kdf::HmacKey;
use crate::error::Error;
use crate::secret::Secret;

/// What the chain key authenticates to give the seed of the current message.
const MESSAGE_SEED: &[u8] = &[0x01];
/// What the chain key authenticates to give its successor.
const NEXT_CHAIN: &[u8] = &[0x02];

/// A chain key of 32 bytes and the index of the message it belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ChainKey {
    key: Secret<32>,
    index: u32,
}

impl ChainKey {
    pub(crate) const fn new(key: Secret<32>, index: u32) -> Self {
        Self { key, index }
    }

    pub(crate) const fn index(&self) -> u32 {
        self.index
    }

    /// One step: the seed of the message at this index, and the chain key of the next index. Both
    /// HMACs share one key schedule.
    ///
    /// # Errors
    ///
    /// [`Error::ChainExhausted`] at index 2^32 - 1, whose successor does not exist.
    pub(crate) fn step(&self) -> Result<(Secret<32>, Self), Error> {
        let index = self.index.checked_add(1).ok_or(Error::ChainExhausted)?;
        let hmac = HmacKey::new(self.key.expose());
        // seed = HMAC(chain, 0x01);  next_chain = HMAC(chain, 0x02), index += 1
        Ok((hmac.mac(&[MESSAGE_SEED]), Self { key: hmac.mac(&[NEXT_CHAIN]), index }))
    }

    /// The 32 bytes, for stored records.
    pub(crate) const fn secret(&self) -> &Secret<32> {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec 04 §1, published chain vector.
    #[test]
    fn chain_vector() {
        let key = hex::decode("8ab72d6f4cc5ac0d387eaf463378ddb28edd07385b1cb01250c715982e7ad48f");
        let chain = ChainKey::new(Secret::from_slice(&key.unwrap()).unwrap(), 0);
        let (seed, next) = chain.step().unwrap();
        let keys = super::super::MessageKeys::derive(&seed, None);
        assert_eq!(
            hex::encode(keys.cipher_key().expose()),
            "bf51e9d75e0e31031051f82a2491ffc084fa298b7793bd9db620056febf45217"
        );
        assert_eq!(
            hex::encode(keys.mac_key().expose()),
            "c6c77d6a73a354337a56435e34607dfe48e3ace14e77314dc6abc172e7a7030b"
        );
        assert_eq!(
            hex::encode(next.secret().expose()),
            "28e8f8fee54b801eef7c5cfb2f17f32c7b334485bbb70fac6ec10342a246d15d"
        );
        assert_eq!(next.index(), 1);
    }

    #[test]
    fn the_last_index_is_an_error() {
        let chain = ChainKey::new(Secret::zero(), u32::MAX);
        assert_eq!(chain.step().unwrap_err(), Error::ChainExhausted);
    }
}
