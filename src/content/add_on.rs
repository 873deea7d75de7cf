//! Encrypting what is added to a message, bound to it and to its author (spec 20 §7).

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::secret::{MessageSecret, UseCase, account_text};
use crate::crypto::aead;
use crate::error::Error;
use crate::jid::Jid;

/// What an add-on is bound to. When sending, the addresses are of the form by which the chat is addressed: in a LID
/// chat both are LIDs. Their devices do not matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddOn<'a> {
    /// The id of the parent message.
    pub parent_id: &'a str,
    /// Who wrote the parent message.
    pub parent_sender: &'a Jid,
    /// Who writes the add-on.
    pub sender: &'a Jid,
    /// What it is.
    pub use_case: UseCase,
}

/// An encrypted add-on: `encIv` and `encPayload`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedAddOn {
    /// 12 bytes.
    pub iv: [u8; aead::NONCE_LENGTH],
    /// Ciphertext, then the 16-byte tag.
    pub payload: Vec<u8>,
}

impl AddOn<'_> {
    /// Encrypts an add-on's plaintext. Draws the 12 bytes of the IV. Of an edit both authors are the same; receivers
    /// refuse it otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for [`UseCase::ReportToken`], which encrypts nothing, and beyond the length limit of
    /// GCM.
    pub fn seal(
        &self,
        secret: &MessageSecret,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<SealedAddOn, Error> {
        if self.use_case == UseCase::ReportToken {
            return Err(Error::InvalidArgument);
        }
        let mut iv = [0; aead::NONCE_LENGTH];
        rng.fill_bytes(&mut iv);
        // out = AES-256-GCM(key, iv12, aad, plaintext)
        let key = secret.derive(self.parent_id, self.parent_sender, self.sender, self.use_case);
        let mut payload = Vec::with_capacity(plaintext.len().saturating_add(aead::TAG_LENGTH));
        payload.extend_from_slice(plaintext);
        let tag = aead::gcm_seal(&key, &iv, &self.associated_data(), &mut payload)?;
        payload.extend_from_slice(&tag);
        Ok(SealedAddOn { iv, payload })
    }

    /// Decrypts an add-on whose addresses are known to be these. Usually they are not: see [`open_add_on`], which also
    /// refuses an edit by somebody else than the author.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the tag does not fit, the IV has not 12 bytes, or the payload is shorter than a tag.
    pub fn open(
        &self,
        secret: &MessageSecret,
        iv: &[u8],
        payload: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let key = secret.derive(self.parent_id, self.parent_sender, self.sender, self.use_case);
        open_gcm(&key, iv, &self.associated_data(), payload)
    }

    /// `parentMessageId ‖ 0x00 ‖ modificationSender`, or nothing.
    fn associated_data(&self) -> Vec<u8> {
        if self.use_case.has_associated_data() {
            associated_data(self.parent_id, self.sender)
        } else {
            Vec::new()
        }
    }
}

/// `id ‖ 0x00 ‖ sender`.
pub(super) fn associated_data(id: &str, sender: &Jid) -> Vec<u8> {
    [id.as_bytes(), &[0], account_text(sender).as_bytes()].concat()
}

/// Opens `ciphertext ‖ tag` under a 12-byte IV.
pub(super) fn open_gcm(
    key: &crate::Secret<32>,
    iv: &[u8],
    aad: &[u8],
    payload: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let iv: &[u8; aead::NONCE_LENGTH] = iv.try_into().map_err(|_| Error::Rejected)?;
    let (ciphertext, tag) =
        payload.split_last_chunk::<{ aead::TAG_LENGTH }>().ok_or(Error::Rejected)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    aead::gcm_open(key, iv, aad, &mut plaintext, tag)?;
    Ok(plaintext)
}

/// Somebody who may be known by a phone number, a LID, or both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Author<'a> {
    /// The opaque identity, if it is known.
    pub lid: Option<&'a Jid>,
    /// The phone number, if it is known.
    pub phone_number: Option<&'a Jid>,
}

impl Author<'_> {
    /// Whether one of the known forms is the same account in both.
    fn meets(&self, other: &Self) -> bool {
        let same = |a: Option<&Jid>, b: Option<&Jid>| match (a, b) {
            (Some(a), Some(b)) => account_text(a) == account_text(b),
            _ => false,
        };
        same(self.lid, other.lid) || same(self.phone_number, other.phone_number)
    }
}

/// An add-on that was decrypted, and the names under which it was.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedAddOn {
    /// The plaintext. Wiped on drop.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The parent's author, as the sender of the add-on named it.
    pub parent_sender: Jid,
    /// The add-on's author, as it named itself.
    pub sender: Jid,
    /// The use case whose key it was.
    pub use_case: UseCase,
}

/// Decrypts an add-on when it is not known by which names its sender called the two authors: tries LID and LID, phone
/// number and phone number, LID and phone number, phone number and LID, of those that are known. An option added to
/// a poll is tried under [`UseCase::PollEdit`], too. So at most 8 decryptions.
///
/// Everybody in the chat knows the secret, so the add-on's author is proved by the message that carries the add-on,
/// not by this: `author` is who sent that message.
///
/// # Errors
///
/// [`Error::Rejected`] when none of them fits, and for an edit by somebody who is not the parent's author;
/// [`Error::InvalidArgument`] when no name of one of them is known.
pub fn open_add_on(
    secret: &MessageSecret,
    parent_id: &str,
    parent: Author<'_>,
    author: Author<'_>,
    use_case: UseCase,
    iv: &[u8],
    payload: &[u8],
) -> Result<OpenedAddOn, Error> {
    let is_known = |author: &Author<'_>| author.lid.is_some() || author.phone_number.is_some();
    if !is_known(&parent) || !is_known(&author) {
        return Err(Error::InvalidArgument);
    }
    if use_case.is_edit() && !parent.meets(&author) {
        return Err(Error::Rejected);
    }
    let pairs = [
        (parent.lid, author.lid),
        (parent.phone_number, author.phone_number),
        (parent.lid, author.phone_number),
        (parent.phone_number, author.lid),
    ];
    for (parent_sender, sender) in pairs {
        let (Some(parent_sender), Some(sender)) = (parent_sender, sender) else { continue };
        for &use_case in use_case.received_as() {
            let add_on = AddOn { parent_id, parent_sender, sender, use_case };
            if let Ok(plaintext) = add_on.open(secret, iv, payload) {
                let (parent_sender, sender) =
                    (parent_sender.without_device(), sender.without_device());
                return Ok(OpenedAddOn { plaintext, parent_sender, sender, use_case });
            }
        }
    }
    Err(Error::Rejected)
}

/// Without the plaintext.
impl fmt::Debug for OpenedAddOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OpenedAddOn({}, {} bytes from {})",
            self.use_case,
            self.plaintext.len(),
            self.sender
        )
    }
}
