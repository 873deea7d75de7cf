//! The authenticator: MACs over header and ciphertext under a key that itself ratchets, spec 10 §6.

use crate::crypto::kdf;
use crate::crypto::kem::split768::{CT1, CT2, HEADER};
use crate::secret::Secret;

use super::error::SpqrError;

/// Length of a MAC, in bytes.
pub(super) const MAC: usize = 32;

const UPDATE: &[u8] = b"Signal_PQCKA_V1_MLKEM768:Authenticator Update";
const HEADER_MAC: &[u8] = b"Signal_PQCKA_V1_MLKEM768:ekheader";
const CIPHERTEXT_MAC: &[u8] = b"Signal_PQCKA_V1_MLKEM768:ciphertext";
const EPOCH_SECRET: &[u8] = b"Signal_PQCKA_V1_MLKEM768:SCKA Key";

/// The two keys of the authenticator.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Authenticator {
    /// What the next keys are derived from.
    pub(super) root_key: Secret<32>,
    /// What MACs are made with.
    pub(super) mac_key: Secret<32>,
}

impl Authenticator {
    /// Start of session: `update(1, auth_key)` on zero keys, on both sides.
    pub(super) fn new(auth_key: &Secret<32>) -> Self {
        Self { root_key: Secret::zero(), mac_key: Secret::zero() }.updated(1, auth_key)
    }

    /// `update(E, k)`: the authenticator that follows.
    pub(super) fn updated(&self, epoch: u64, key: &Secret<32>) -> Self {
        // HKDF(Z32, root_key || k, label || BE64(E), 64)
        let mut ikm = Secret::<64>::zero();
        let (root, fresh) = ikm.expose_mut().split_at_mut(32);
        root.copy_from_slice(self.root_key.expose());
        fresh.copy_from_slice(key.expose());
        let out = kdf::hkdf::<64>(None, ikm.expose(), &[UPDATE, &epoch.to_be_bytes()]);
        let (root_key, mac_key) = kdf::halves(&out);
        Self { root_key, mac_key }
    }

    /// `HMAC(mac_key, label || BE64(E) || header)`, before `update(E, ..)`.
    pub(super) fn header_mac(&self, epoch: u64, header: &[u8; HEADER]) -> Secret<MAC> {
        kdf::hmac(self.mac_key.expose(), &[HEADER_MAC, &epoch.to_be_bytes(), header])
    }

    /// `HMAC(mac_key, label || BE64(E) || ct1 || ct2)`, after `update(E, s_E)`.
    pub(super) fn ciphertext_mac(
        &self,
        epoch: u64,
        ct1: &[u8; CT1],
        ct2: &[u8; CT2],
    ) -> Secret<MAC> {
        kdf::hmac(self.mac_key.expose(), &[CIPHERTEXT_MAC, &epoch.to_be_bytes(), ct1, ct2])
    }
}

/// Compares a MAC in constant time.
///
/// # Errors
///
/// [`SpqrError::MacVerifyFailed`].
pub(super) fn verify(expected: &Secret<MAC>, received: &[u8; MAC]) -> Result<(), SpqrError> {
    if *expected == Secret::new(*received) { Ok(()) } else { Err(SpqrError::MacVerifyFailed) }
}

/// The epoch secret `s_E`, from the shared secret of the KEM (spec 10 §4).
pub(super) fn epoch_secret(epoch: u64, shared: &Secret<32>) -> Secret<32> {
    kdf::hkdf(None, shared.expose(), &[EPOCH_SECRET, &epoch.to_be_bytes()])
}
