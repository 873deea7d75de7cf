//! Fingerprints: numbers and codes by which two people make sure that nobody stands between them.
//!
//! | type | what | specification |
//! |---|---|---|
//! | [`Fingerprint`] | Signal's safety number: one identity key a party | 07 |
//! | [`ScannableFingerprint`] | its scannable code, versions 1 and 2 | 07 §3 |
//! | [`SecurityCode`] | the WhatsApp family's code over all of a user's devices | 25 §1 |
//! | [`SecurityQr`] | its QR content, and the comparison after a scan | 25 §3 |

mod identifier;
mod numeric;
mod scannable;
mod security_code;
mod security_qr;

use alloc::string::String;

use crate::crypto::hash::sha512;
use crate::error::Error;
use crate::keys::IdentityKey;

pub use identifier::pn_identifier;
pub use scannable::ScannableFingerprint;
pub use security_code::{DeviceKeys, SecurityCode};
pub use security_qr::{QrParty, QrVersion, ScanResult, SecurityQr};

/// The number of iterations that clients use.
pub const ITERATIONS: u32 = 5200;
/// The most iterations that are accepted.
const ITERATIONS_MAX: u32 = 1_000_000;

/// The fingerprint of two parties, seen from one of them (spec 07).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fingerprint {
    version: u32,
    local: [u8; 64],
    remote: [u8; 64],
}

impl Fingerprint {
    /// Computes both parties' fingerprints.
    ///
    /// `version` is the scannable version that the application uses: 1 with a phone number's text as
    /// the stable identifier, 2 with the 16 bytes of an account's UUID. It appears only in the
    /// scannable form. `iterations` is [`ITERATIONS`] in every client.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidIterationCount`] unless 2 to 1,000,000.
    pub fn new(
        version: u32,
        iterations: u32,
        local: (&[u8], &IdentityKey),
        remote: (&[u8], &IdentityKey),
    ) -> Result<Self, Error> {
        if !(2..=ITERATIONS_MAX).contains(&iterations) {
            return Err(Error::InvalidIterationCount(iterations));
        }
        Ok(Self {
            version,
            local: iterate(iterations, local.0, &local.1.encode()),
            remote: iterate(iterations, remote.0, &remote.1.encode()),
        })
    }

    /// The 64 bytes of the local party.
    #[must_use]
    pub const fn local(&self) -> &[u8; 64] {
        &self.local
    }

    /// The 64 bytes of the remote party.
    #[must_use]
    pub const fn remote(&self) -> &[u8; 64] {
        &self.remote
    }

    /// The 60 digits that both parties see: each one's 30, the smaller first (spec 07 §2). Usually
    /// shown as 12 groups of 5.
    #[must_use]
    pub fn display(&self) -> String {
        numeric::join(numeric::digits(&self.local), numeric::digits(&self.remote))
    }

    /// The code for the other party to scan (spec 07 §3).
    #[must_use]
    pub fn scannable(&self) -> ScannableFingerprint {
        ScannableFingerprint::new(self.version, half(&self.local), half(&self.remote))
    }
}

/// `h = SHA-512(00 00 || K || id || K)`, then `n - 1` times `h = SHA-512(h || K)` (spec 07 §1).
fn iterate(iterations: u32, id: &[u8], key: &[u8]) -> [u8; 64] {
    // the two zero bytes are a fingerprint version that never changed
    let mut h = sha512(&[&[0, 0], key, id, key]);
    for _ in 1..iterations {
        h = sha512(&[&h, key]);
    }
    h
}

/// The first 32 bytes of a fingerprint.
fn half(fingerprint: &[u8; 64]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(fingerprint) {
        *to = *from;
    }
    out
}
