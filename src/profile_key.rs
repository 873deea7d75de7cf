//! What follows from a profile key (spec 09 §5).

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use crate::address::{ServiceId, ServiceIdKind};
use crate::crypto::{ctr, kdf};
use crate::error::Error;
use crate::secret::Secret;

/// The key of an account's profile, 32 bytes. Whoever has it may write to the account without saying who writes.
#[derive(Debug, PartialEq, Eq)]
pub struct ProfileKey(Secret<32>);

impl ProfileKey {
    /// Draws 32 bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Takes the bytes that came in a message.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless they are 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Secret::from_slice(bytes).map(Self).ok_or(Error::InvalidArgument)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The unidentified access key, which lets the server accept a message that does not tell who sent it.
    #[must_use]
    pub fn access_key(&self) -> Secret<16> {
        // AES-256(profile key, 00 * 15 || 02), which is counter mode over a block of zeros
        const BLOCK: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        let mut key = Secret::zero();
        // The one error is a counter that wraps.
        let _ = ctr::apply(&self.0, &BLOCK, key.expose_mut());
        key
    }

    /// The profile key version, 64 lower-case hex characters: under it the server keeps the profile.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServiceId`] unless `account` is an ACI.
    pub fn version(&self, account: &ServiceId) -> Result<String, Error> {
        const LABEL: &[u8] =
            b"Signal_ZKGroup_20200424_ProfileKeyAndUid_ProfileKey_GetProfileKeyVersion";
        if account.kind() != ServiceIdKind::Aci {
            return Err(Error::InvalidServiceId);
        }
        // SHO(label), absorb profile key || ACI UUID, squeeze 32
        let mut sho = Sho::new(LABEL);
        sho.absorb_and_ratchet(&[self.0.expose(), account.uuid()]);
        Ok(sho.squeeze(32).iter().flat_map(|&byte| hex(byte)).collect())
    }
}

/// The access key of a group: the XOR of its members' access keys.
#[must_use]
pub fn group_access_key<'a>(members: impl IntoIterator<Item = &'a ProfileKey>) -> Secret<16> {
    let mut sum = Secret::zero();
    for member in members {
        for (sum, byte) in sum.expose_mut().iter_mut().zip(member.access_key().expose()) {
            *sum ^= byte;
        }
    }
    sum
}

/// Two hex digits. Without a table: the byte is not secret, but nothing is lost by it.
fn hex(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 0xF].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
}

/// A stateful hash over HMAC-SHA-256.
struct Sho(Secret<32>);

impl Sho {
    /// cv = 32 zero bytes; absorb the label.
    fn new(label: &[u8]) -> Self {
        let mut sho = Self(Secret::zero());
        sho.absorb_and_ratchet(&[label]);
        sho
    }

    /// cv = HMAC(cv, data || 0x00). Of at most two parts.
    fn absorb_and_ratchet(&mut self, data: &[&[u8]]) {
        let mut stream = kdf::HmacKey::new(self.0.expose()).stream();
        data.iter().for_each(|part| stream.update(part));
        stream.update(&[0]);
        self.0 = Secret::new(stream.finish());
    }

    /// out = HMAC(cv, BE64(0) || 0x01) || HMAC(cv, BE64(1) || 0x01) || …, cut to n; cv = HMAC(cv, BE64(n) || 0x02).
    fn squeeze(&mut self, n: u32) -> Vec<u8> {
        let key = kdf::HmacKey::new(self.0.expose());
        let blocks = (0..u64::from(n.div_ceil(32)))
            .flat_map(|i| key.mac(&[&i.to_be_bytes(), &[1]]).into_bytes());
        let out = blocks.take(n as usize).collect();
        self.0 = key.mac(&[&u64::from(n).to_be_bytes(), &[2]]);
        out
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn the_stateful_hash_of_the_specification() {
        let mut sho = Sho::new(b"asd");
        sho.absorb_and_ratchet(&[b"asdasd"]);
        let out = sho.squeeze(64);
        let expected = [
            0x39, 0x2c, 0xb9, 0x44, 0x93, 0x73, 0x03, 0x7f, 0xa0, 0xc1, 0x1a, 0xeb, 0xed, 0x69,
            0xcc, 0xa3,
        ];
        assert_eq!((out.len(), &out[..16]), (64, &expected[..]));
        // squeezed by halves: another output, for the state has moved
        let mut sho = Sho::new(b"asd");
        sho.absorb_and_ratchet(&[b"asd", b"asd"]);
        assert_eq!(sho.squeeze(20), out[..20]);
        assert_ne!(sho.squeeze(20), out[20..40]);
    }
}
