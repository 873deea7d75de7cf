//! The session keys of SRTP and SRTCP (RFC 3711 §4.3), with AES-128-CM and a key derivation rate of 0.

use super::MasterKeys;
use crate::crypto::ctr::Aes128Ctr;
use crate::secret::Secret;

/// The first label of SRTP's three keys: cipher key, authentication key, salt.
const LABEL_RTP: u8 = 0;
/// The first label of SRTCP's three.
const LABEL_RTCP: u8 = 3;

/// The keys that packets are encrypted and authenticated with. Wiped on drop.
#[derive(Debug, PartialEq, Eq)]
pub struct SessionKeys {
    cipher_key: Secret<16>,
    auth_key: Secret<20>,
    salt: Secret<14>,
}

impl SessionKeys {
    /// The keys of media packets: labels 0, 1, 2.
    #[must_use]
    pub fn rtp(master: &MasterKeys) -> Self {
        Self::derive(master, LABEL_RTP)
    }

    /// The keys of control packets: labels 3, 4, 5.
    #[must_use]
    pub fn rtcp(master: &MasterKeys) -> Self {
        Self::derive(master, LABEL_RTCP)
    }

    #[allow(clippy::arithmetic_side_effects)] // label is 0 or 3
    fn derive(master: &MasterKeys, label: u8) -> Self {
        let prf = Aes128Ctr::new(master.key());
        Self {
            cipher_key: expand(&prf, master.salt(), label),
            auth_key: expand(&prf, master.salt(), label + 1),
            salt: expand(&prf, master.salt(), label + 2),
        }
    }

    /// The cipher key.
    #[must_use]
    pub const fn cipher_key(&self) -> &Secret<16> {
        &self.cipher_key
    }

    /// The authentication key.
    #[must_use]
    pub const fn auth_key(&self) -> &Secret<20> {
        &self.auth_key
    }

    /// The salt of the counter.
    #[must_use]
    pub const fn salt(&self) -> &Secret<14> {
        &self.salt
    }
}

impl zeroize::ZeroizeOnDrop for SessionKeys {}

/// `PRF_n(master key, x)` for one label (RFC 3711 §4.3.3).
fn expand<const N: usize>(prf: &Aes128Ctr, salt: &Secret<14>, label: u8) -> Secret<N> {
    // x = key_id XOR master salt, key_id = label || r, where r is 48 bits, 0 for a rate of 0
    let mut x: Secret<16> = Secret::zero();
    for (to, from) in x.expose_mut().iter_mut().zip(salt.expose()) {
        *to = *from;
    }
    let [_, _, _, _, _, _, _, key_id, ..] = x.expose_mut();
    *key_id ^= label;
    // the key stream whose counter begins at x * 2^16
    let mut out = Secret::zero();
    // The one error is a counter that wraps, which two blocks from a multiple of 2^16 cannot.
    let _ = prf.apply(x.expose(), out.expose_mut());
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// RFC 3711 appendix B.3.
    #[test]
    fn key_derivation_test_vectors_of_the_rfc() {
        let bytes = |text| hex::decode(text).unwrap();
        let master = MasterKeys::new(
            Secret::from_slice(&bytes("e1f97a0d3e018be0d64fa32c06de4139")).unwrap(),
            Secret::from_slice(&bytes("0ec675ad498afeebb6960b3aabe6")).unwrap(),
        );
        let keys = SessionKeys::rtp(&master);
        assert_eq!(keys.cipher_key.expose()[..], bytes("c61e7a93744f39ee10734afe3ff7a087"));
        assert_eq!(keys.salt.expose()[..], bytes("30cbbc08863d8c85d49db34a9ae1"));
        // the RFC derives 94 bytes of authentication key
        let long = "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbcee049646c43d9327a\
                    d175578ef72270986371c10c9a369ac2f94a8c5fbcdddc256d6e919a48b610ef17c2041e47403576\
                    6b68642c59bbfc2f34db60dbdfb2";
        let prf = Aes128Ctr::new(master.key());
        let auth: Secret<94> = expand(&prf, master.salt(), 1);
        assert_eq!(auth.expose()[..], bytes(long));
        assert_eq!(keys.auth_key.expose()[..], bytes(long)[..20]);
    }
}
