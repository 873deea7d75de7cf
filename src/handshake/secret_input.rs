//! The secret input of the handshake (spec 03 §2) and the keys derived from it (spec 03 §3).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::crypto::kdf;
use crate::dialect::Dialect;
use crate::ratchet::{ChainKey, RootKey};
use crate::secret::Secret;

/// What precedes the agreements, so that no X25519 output can begin like it.
const DISCONTINUITY: [u8; 32] = [0xFF; 32];

/// Discontinuity, DH1 to DH4, and the KEM's shared secret: at most six parts of 32 bytes.
const CAPACITY: usize = 6 * 32;

/// The secret input, in the order of spec 03 §2. Reserved in full, so that it never moves; wiped on
/// drop.
pub(crate) struct SecretInput(Zeroizing<Vec<u8>>);

/// The agreements of a handshake, whichever side computed them (spec 03 §2).
pub(crate) struct Agreements {
    /// `DH(IK_A, SPK_B)`.
    pub(crate) dh1: Secret<32>,
    /// `DH(EK_A, IK_B)`.
    pub(crate) dh2: Secret<32>,
    /// `DH(EK_A, SPK_B)`.
    pub(crate) dh3: Secret<32>,
    /// `DH(EK_A, OPK_B)`, if a one-time pre-key takes part.
    pub(crate) dh4: Option<Secret<32>>,
    /// The KEM's shared secret, in version 4.
    pub(crate) ss: Option<Secret<32>>,
}

/// What both sides derive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Derived {
    pub(crate) root0: RootKey,
    pub(crate) chain0: ChainKey,
    /// Authentication and seed key of SPQR, in version 4.
    pub(crate) pqkey: Option<Secret<32>>,
}

impl SecretInput {
    pub(crate) fn new(agreements: &Agreements) -> Self {
        let mut input = Zeroizing::new(Vec::with_capacity(CAPACITY));
        input.extend_from_slice(&DISCONTINUITY);
        input.extend_from_slice(agreements.dh1.expose());
        input.extend_from_slice(agreements.dh2.expose());
        input.extend_from_slice(agreements.dh3.expose());
        for part in [&agreements.dh4, &agreements.ss].into_iter().flatten() {
            input.extend_from_slice(part.expose());
        }
        Self(input)
    }

    /// Root key, first chain key and, where SPQR takes part, its key.
    ///
    /// HKDF output is prefix-consistent: 96 bytes serve every dialect.
    pub(crate) fn derive(&self, dialect: Dialect) -> Derived {
        let row = dialect.row();
        let okm: Secret<96> = kdf::hkdf(None, &self.0, &[row.root_label]);
        Derived {
            root0: RootKey::new(kdf::part::<96, 0, 32>(&okm)),
            chain0: ChainKey::new(kdf::part::<96, 32, 32>(&okm), 0),
            pqkey: row.spqr.then(|| kdf::part::<96, 64, 32>(&okm)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Secret<32> {
        Secret::from_slice(&hex::decode(text).unwrap()).unwrap()
    }

    fn agreements(dh4: bool) -> Agreements {
        Agreements {
            dh1: bytes("0218ad26f9fc7751c2e46803b666cc15d2911a8f0689347cccf9ec98b9b77a08"),
            dh2: bytes("ce201a3cf48e66a9513be19d72855619863201bd268e92479edd2481e3b4553f"),
            dh3: bytes("d0554f0da55ee7d9228ffd6c8edeeaa92f8d28f4e1c0ee695de5a668cf239723"),
            dh4: dh4
                .then(|| bytes("d4d72846045f1b70480be838a8fc46fea5b4d6fc738afe655b64a5acbdd4be13")),
            ss: Some(bytes("5c7ef046131d91a1040a59104e5e478d2ef0e990ee87dda74263b2d62f753c23")),
        }
    }

    /// Spec 03 §9, the derivation with a given KEM secret, with and without a one-time key.
    #[test]
    fn pqxdh_derivation_example() {
        let with = SecretInput::new(&agreements(true)).derive(Dialect::V4);
        assert_eq!(
            with,
            Derived {
                root0: RootKey::new(bytes(
                    "0007f5aa4f94ab75742eb7c2af62de74ddad9e21db6d735875c493d07b82180d"
                )),
                chain0: ChainKey::new(
                    bytes("b1104036826e4e7e7343e2ca073a0f949f0b4885409243bc8a3b1fc6f4e9a198"),
                    0
                ),
                pqkey: Some(bytes(
                    "63d0631c7be4afa863caa3e5e337ee8fe66ce198411830af1d72a1477185b74d"
                )),
            }
        );
        let without = SecretInput::new(&agreements(false)).derive(Dialect::V4);
        assert_eq!(
            without,
            Derived {
                root0: RootKey::new(bytes(
                    "30b98e8ffccb2b2a6ef6eaab031b7e966996eff6bb529a39c2f69fafa6374f3a"
                )),
                chain0: ChainKey::new(
                    bytes("687bf986238b9a0c5b615e15de54999a6a74e9bec1a50b8f03e3507848834fbd"),
                    0
                ),
                pqkey: Some(bytes(
                    "3b5eb6b8c757599e2b338eb7726c36cda590dec3fbbbf5ebc14d55d9a12d3f88"
                )),
            }
        );
    }

    #[test]
    fn without_spqr_there_is_no_pqkey() {
        let input = SecretInput::new(&agreements(true));
        let (v4, old) = (input.derive(Dialect::V4), input.derive(Dialect::V4WithoutSpqr));
        assert_eq!((v4.root0, v4.chain0), (old.root0, old.chain0));
        assert_eq!(old.pqkey, None);
    }
}
