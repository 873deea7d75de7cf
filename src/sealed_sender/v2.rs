//! Version 2: one ciphertext for many recipients (spec 06 §5.1, §5.2).
//!
//! The content is encrypted once, under a key of 32 random bytes `M`. Every recipient gets `C`, which
//! is `M` masked by an agreement with an ephemeral key that `M` itself determines, and `AT`, a tag
//! that proves the sender's identity.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use super::UnidentifiedSenderMessageContent;
use crate::crypto::x25519::{self, PeerKey, Product};
use crate::crypto::{gcm_siv, kdf};
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair, KeyPair, PrivateKey, PublicKey};
use crate::secret::Secret;

/// Length of `C || AT`, a recipient's own part of a message, in bytes.
pub const RECIPIENT_PART_LENGTH: usize = C + AT;
/// Length of `raw(E)`, with which the shared part of a message begins, in bytes.
pub(super) const EPHEMERAL: usize = 32;

const C: usize = 32;
const AT: usize = 16;
const LABEL_R: &[u8] = b"Sealed Sender v2: r (2023-08)";
const LABEL_K: &[u8] = b"Sealed Sender v2: K";
const LABEL_DH: &[u8] = b"Sealed Sender v2: DH";
const LABEL_DH_SENDER: &[u8] = b"Sealed Sender v2: DH-sender";
/// The key is of this message alone.
const NONCE: [u8; gcm_siv::NONCE_LENGTH] = [0; gcm_siv::NONCE_LENGTH];

/// What 32 random bytes determine: the ephemeral key pair and the content key.
pub(super) struct MessageKeys {
    m: Secret<32>,
    ephemeral: KeyPair,
    key: Secret<32>,
}

impl MessageKeys {
    pub(super) fn derive(m: Secret<32>) -> Self {
        // r = HKDF(none, M, "Sealed Sender v2: r (2023-08)", 32);  E = key pair of r, clamped
        let r = PrivateKey::from_secret(kdf::hkdf(None, m.expose(), &[LABEL_R]));
        // K = HKDF(none, M, "Sealed Sender v2: K", 32)
        let key = kdf::hkdf(None, m.expose(), &[LABEL_K]);
        Self { m, ephemeral: KeyPair::from_private(r), key }
    }

    /// Appends `raw(E) || ct`.
    pub(super) fn encrypt(&self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(self.ephemeral.public_key().as_raw());
        // ct = AES-256-GCM-SIV(K, 0, "", USMC bytes)
        let start = out.len();
        out.extend_from_slice(content);
        let tag = gcm_siv::seal(&self.key, &NONCE, out.get_mut(start..).unwrap_or_default())?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// `C || AT` of each recipient, in order: two key agreements each, which no two recipients share, with
    /// one inversion for all.
    pub(super) fn for_recipients(
        &self,
        sender: &IdentityKeyPair,
        recipients: &[&IdentityKey],
    ) -> Result<Vec<[u8; RECIPIENT_PART_LENGTH]>, Error> {
        let prepared: Vec<PeerKey> =
            recipients.iter().map(|recipient| recipient.public_key().prepare()).collect();
        let (e, s) = (self.ephemeral.private_key().secret(), sender.private_key().secret());
        let products: Vec<Product<'_>> = prepared
            .iter()
            .flat_map(|their| [Product::Agreement(e, their), Product::Agreement(s, their)])
            .collect();
        let shared = x25519::multiply(&products)?;
        let (pairs, _) = shared.as_chunks();
        Ok(recipients
            .iter()
            .zip(pairs)
            .map(|(recipient, [e, s])| {
                self.part(sender.identity_key(), recipient.public_key(), e, s)
            })
            .collect())
    }

    /// `C || AT` from `DH(E.priv, R.pub)` and `DH(S.priv, R.pub)`.
    fn part(
        &self,
        sender: &IdentityKey,
        their: &PublicKey,
        shared_e: &Secret<32>,
        shared_s: &Secret<32>,
    ) -> [u8; RECIPIENT_PART_LENGTH] {
        let e = self.ephemeral.public_key().encode();
        // C = M xor x
        let mut c = *self.m.expose();
        mask(&mut c, shared_e, &e, their);
        // AT over DH(S.priv, R.pub)
        let at = tag(shared_s, &e, &c, sender, their);
        let mut out = [0; RECIPIENT_PART_LENGTH];
        for (to, from) in out.iter_mut().zip(c.iter().chain(&at)) {
            *to = *from;
        }
        out
    }
}

/// Opens what follows the version byte of the received form, `C || AT || raw(E) || ct`. The certificate
/// inside is not validated.
pub(super) fn open(
    body: &[u8],
    recipient: &IdentityKeyPair,
) -> Result<UnidentifiedSenderMessageContent, Error> {
    let (c, rest) = body.split_first_chunk::<C>().ok_or(Error::InvalidProtobuf)?;
    let (at, rest) = rest.split_first_chunk::<AT>().ok_or(Error::InvalidProtobuf)?;
    let (e, ct) = rest.split_first_chunk::<EPHEMERAL>().ok_or(Error::InvalidProtobuf)?;
    let ephemeral = PublicKey::from_raw(*e);
    let our = recipient.identity_key();
    // M = C xor x, with DH(R.priv, E.pub)
    let shared = recipient.private_key().agree(&ephemeral)?;
    let mut m = Secret::new(*c);
    mask(m.expose_mut(), &shared, &ephemeral.encode(), our.public_key());
    // the E that M determines is the one received
    let keys = MessageKeys::derive(m);
    if !bool::from(keys.ephemeral.public_key().ct_eq(&ephemeral)) {
        return Err(Error::InvalidSealedSenderMessage);
    }
    let (ct, ct_tag) = ct
        .split_last_chunk::<{ gcm_siv::TAG_LENGTH }>()
        .ok_or(Error::InvalidSealedSenderMessage)?;
    let mut content = ct.to_vec();
    gcm_siv::open(&keys.key, &NONCE, &mut content, ct_tag)
        .map_err(|_| Error::InvalidSealedSenderMessage)?;
    let content = UnidentifiedSenderMessageContent::parse(content)?;
    // AT, with DH(R.priv, S.pub), S from the certificate
    let sender = content.sender().identity();
    let shared = recipient.private_key().agree(sender.public_key())?;
    let expected = tag(&shared, &ephemeral.encode(), c, sender, our.public_key());
    if bool::from(expected.ct_eq(at)) {
        Ok(content)
    } else {
        Err(Error::InvalidSealedSenderMessage)
    }
}

/// Masks `value` with `x = HKDF(none, DH || ser(E.pub) || ser(R.pub), "Sealed Sender v2: DH", 32)`.
fn mask(
    value: &mut [u8; C],
    shared: &Secret<32>,
    ephemeral: &[u8; PublicKey::LENGTH],
    recipient: &PublicKey,
) {
    let ikm: [&[u8]; 3] = [shared.expose(), ephemeral, &recipient.encode()];
    let x: Secret<C> = kdf::hkdf_parts(None, &ikm, LABEL_DH);
    for (byte, mask) in value.iter_mut().zip(x.expose()) {
        *byte ^= mask;
    }
}

/// `AT = HKDF(none, DH || ser(E.pub) || C || ser(S.pub) || ser(R.pub), "Sealed Sender v2: DH-sender", 16)`.
fn tag(
    shared: &Secret<32>,
    ephemeral: &[u8; PublicKey::LENGTH],
    c: &[u8; C],
    sender: &IdentityKey,
    recipient: &PublicKey,
) -> [u8; AT] {
    let ikm: [&[u8]; 5] = [shared.expose(), ephemeral, c, &sender.encode(), &recipient.encode()];
    kdf::hkdf_parts(None, &ikm, LABEL_DH_SENDER).into_bytes()
}
