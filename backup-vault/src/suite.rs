//! The parameters of OPAQUE. They belong to the version of a record: to change one is a new version.

use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::{CipherSuite, Identifiers, Ristretto255, TripleDh};
use sandi::rand_core;
use sha2::Sha512;

/// OPAQUE-3DH over ristretto255 with SHA-512.
pub(crate) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Argon2<'static>;
}

/// Binds the login to this protocol.
pub(crate) const CONTEXT: &[u8] = b"sandi-vault 1";
const SERVER: &[u8] = b"sandi backup key vault";

/// The names of both sides.
pub(crate) const fn identifiers(account: &str) -> Identifiers<'_> {
    Identifiers { client: Some(account.as_bytes()), server: Some(SERVER) }
}

/// Argon2id with 64 MiB, 3 passes, 4 lanes: the second recommendation of RFC 9106 §4.
pub(crate) fn stretching() -> Option<Argon2<'static>> {
    let params = Params::new(64 * 1024, 3, 4, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// A random generator of sandi's for `opaque-ke`, which has an earlier version of the same traits.
pub(crate) struct Rng<'a, R>(pub(crate) &'a mut R);

impl<R: rand_core::CryptoRng> rand::RngCore for Rng<'_, R> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl<R: rand_core::CryptoRng> rand::CryptoRng for Rng<'_, R> {}
