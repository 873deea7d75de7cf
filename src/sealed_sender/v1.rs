//! Version 1: a message to one recipient (spec 06 §4).
//!
//! `0x11 || { ephemeral key (1), encrypted static key (2), encrypted content (3) }`

use alloc::vec::Vec;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

use super::UnidentifiedSenderMessageContent;
use crate::crypto::x25519::{self, Product};
use crate::crypto::{ctr, kdf};
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair, PrivateKey, PublicKey};
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// The version byte that is written.
const VERSION: u8 = 0x11;
/// What the salt of the first derivation begins with.
const SALT_PREFIX: &[u8] = b"UnidentifiedDelivery";
/// Length of a truncated MAC in bytes.
const MAC: usize = 10;
/// Length of the encrypted static key with its MAC, in bytes.
const ENCRYPTED_STATIC: usize = PublicKey::LENGTH + MAC;

/// Seals `content` for one recipient. Draws the 32 bytes of an ephemeral key.
///
/// `sender` must be the identity that the content's certificate names: recipients refuse any other.
///
/// # Errors
///
/// [`Error::InvalidKeyAgreement`] when the recipient's key is of low order.
pub fn seal_v1(
    sender: &IdentityKeyPair,
    recipient: &IdentityKey,
    content: &UnidentifiedSenderMessageContent,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, Error> {
    let private = PrivateKey::generate(rng);
    let their = recipient.public_key();
    let prepared = their.prepare();
    let [ephemeral, shared_e, shared_s] = x25519::multiply_each([
        Product::Public(private.secret()),
        Product::Agreement(private.secret(), &prepared),
        Product::Agreement(sender.private_key().secret(), &prepared),
    ])?;
    let ephemeral = PublicKey::from_raw(*ephemeral.expose());
    // e = HKDF("UnidentifiedDelivery" || ser(R.pub) || ser(E.pub), DH(E.priv, R.pub), "", 96)
    let e = Keys::ephemeral(their, &ephemeral, &shared_e);
    // encrypted_static = CtrMac(e_cipher, e_mac, ser(S.pub))
    let mut encrypted_static = [0; ENCRYPTED_STATIC];
    let (text, mac) = encrypted_static.split_at_mut(PublicKey::LENGTH);
    text.copy_from_slice(&sender.identity_key().encode());
    mac.copy_from_slice(&e.encrypt(text)?);
    // s = HKDF(e_chain || encrypted_static, DH(S.priv, R.pub), "", 96)
    let s = Keys::sender(&e.chain, &encrypted_static, &shared_s);

    // encrypted_message = CtrMac(s_cipher, s_mac, USMC bytes), encrypted where it stands
    let plain = content.as_bytes();
    let mut out = Vec::new();
    writer::append(&mut out, |w| {
        w.raw(&[VERSION]);
        w.bytes(1, &ephemeral.encode());
        w.bytes(2, &encrypted_static);
        w.delimited(3, plain.len().saturating_add(MAC));
        w.raw(plain);
        w.raw(&[0; MAC]);
    });
    if let Some((rest, mac)) = out.split_last_chunk_mut::<MAC>()
        && let Some(text) = rest.len().checked_sub(plain.len()).and_then(|at| rest.get_mut(at..))
    {
        *mac = s.encrypt(text)?;
    }
    Ok(out)
}

/// Opens what follows the version byte. The certificate inside is not validated.
pub(super) fn open(
    body: &[u8],
    recipient: &IdentityKeyPair,
) -> Result<UnidentifiedSenderMessageContent, Error> {
    let (mut ephemeral, mut encrypted_static, mut message) = (None, None, None);
    for field in Reader::new(body) {
        match field? {
            (1, value) => ephemeral = Some(value.bytes()?),
            (2, value) => encrypted_static = Some(value.bytes()?),
            (3, value) => message = Some(value.bytes()?),
            _ => {}
        }
    }
    let (Some(ephemeral), Some(encrypted_static), Some(message)) =
        (ephemeral, encrypted_static, message)
    else {
        return Err(Error::InvalidProtobuf);
    };
    let ephemeral = PublicKey::decode(ephemeral)?;
    let encrypted_static: &[u8; ENCRYPTED_STATIC] =
        encrypted_static.try_into().map_err(|_| Error::InvalidSealedSenderMessage)?;
    // e, in the sender's order: recipient, then ephemeral;  S.pub
    let shared = recipient.private_key().agree(&ephemeral)?;
    let our = recipient.identity_key().public_key();
    let e = Keys::ephemeral(our, &ephemeral, &shared);
    let static_bytes = e.decrypt(encrypted_static)?;
    let sender = PublicKey::decode(&static_bytes)?;
    // s, and the content
    let shared = recipient.private_key().agree(&sender)?;
    let s = Keys::sender(&e.chain, encrypted_static, &shared);
    let content = UnidentifiedSenderMessageContent::parse(s.decrypt(message)?)?;
    // the sender who could encrypt this is the one that the certificate names
    if bool::from(static_bytes.ct_eq(&content.sender().identity().encode())) {
        Ok(content)
    } else {
        Err(Error::InvalidSealedSenderMessage)
    }
}

/// `chain || cipher || mac`, 96 derived bytes.
struct Keys {
    chain: Secret<32>,
    cipher: Secret<32>,
    mac: Secret<32>,
}

impl Keys {
    fn ephemeral(recipient: &PublicKey, ephemeral: &PublicKey, shared: &Secret<32>) -> Self {
        let mut salt = [0; SALT_PREFIX.len() + 2 * PublicKey::LENGTH];
        let keys = [recipient.encode(), ephemeral.encode()];
        for (to, from) in salt.iter_mut().zip(SALT_PREFIX.iter().chain(keys.as_flattened())) {
            *to = *from;
        }
        Self::derive(&salt, shared)
    }

    fn sender(
        chain: &Secret<32>,
        encrypted_static: &[u8; ENCRYPTED_STATIC],
        shared: &Secret<32>,
    ) -> Self {
        let mut salt: Secret<{ 32 + ENCRYPTED_STATIC }> = Secret::zero();
        let parts = chain.expose().iter().chain(encrypted_static);
        for (to, from) in salt.expose_mut().iter_mut().zip(parts) {
            *to = *from;
        }
        Self::derive(salt.expose(), shared)
    }

    fn derive(salt: &[u8], shared: &Secret<32>) -> Self {
        let okm: Secret<96> = kdf::hkdf_parts(Some(salt), &[shared.expose()], &[]);
        Self {
            chain: kdf::part::<96, 0, 32>(&okm),
            cipher: kdf::part::<96, 32, 32>(&okm),
            mac: kdf::part::<96, 64, 32>(&okm),
        }
    }

    /// `CtrMac`: encrypts in place, and returns `HMAC(mk, c)[0..10]`.
    fn encrypt(&self, text: &mut [u8]) -> Result<[u8; MAC], Error> {
        // AES-256-CTR from a zero block: every key is used once
        ctr::apply(&self.cipher, &[0; 16], text)?;
        Ok(self.tag(text))
    }

    /// Checks the MAC at the end of `bytes`, and decrypts what precedes it.
    fn decrypt(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let (text, mac) =
            bytes.split_last_chunk::<MAC>().ok_or(Error::InvalidSealedSenderMessage)?;
        if !bool::from(self.tag(text).ct_eq(mac)) {
            return Err(Error::InvalidSealedSenderMessage);
        }
        let mut text = text.to_vec();
        ctr::apply(&self.cipher, &[0; 16], &mut text)?;
        Ok(text)
    }

    fn tag(&self, text: &[u8]) -> [u8; MAC] {
        let full = kdf::hmac(self.mac.expose(), &[text]);
        let mut out = [0; MAC];
        for (to, from) in out.iter_mut().zip(full.expose()) {
            *to = *from;
        }
        out
    }
}
