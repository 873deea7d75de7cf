//! The primary's side of linking: it vouches for companions and keeps their key indexes (spec 22 §4, §6).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::device_list::seconds;
use super::key_index_list::KEY_INDEXES_MAX;
use super::{
    AccountKey, DeviceIdentity, EncryptionType, KeyIndexList, LinkingRequest, SignedDeviceIdentity,
    SignedDeviceIdentityHmac, SignedKeyIndexList,
};
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair};
use crate::time::Timestamp;

/// The version of the stored form, its first byte.
const VERSION: u8 = 1;

/// What a primary keeps of the companions that it has linked: the registration's number and the key indexes.
///
/// A value: each step gives the next one, to be stored before its output is let out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Primary {
    list: KeyIndexList,
}

/// Who holds the keys of the account and of the companion that is linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkingKind {
    /// The account's.
    pub account_type: EncryptionType,
    /// The companion's.
    pub device_type: EncryptionType,
}

/// What a primary makes to link a companion.
#[derive(Debug)]
pub struct Linking {
    /// What to store in place of the [`Primary`] that made it, before anything is sent.
    pub next: Primary,
    /// The encoded `ADVSignedDeviceIdentityHMAC` for the companion.
    pub container: Vec<u8>,
    /// The encoded signed key-index list for the server, with the new index in it.
    pub key_index_list: Vec<u8>,
    /// What waits for the companion's answer.
    pub pending: AwaitingCompanion,
}

/// A companion that has been vouched for and has not answered yet.
#[derive(Debug)]
pub struct AwaitingCompanion {
    account: IdentityKey,
    companion: IdentityKey,
    details: Vec<u8>,
    account_signature: [u8; 64],
}

impl Primary {
    /// A registration without companions: index 0 is the primary's own.
    ///
    /// `raw_id` tells this registration from the account's others.
    #[must_use]
    pub fn new(raw_id: u32, account_type: EncryptionType) -> Self {
        let list = KeyIndexList {
            raw_id,
            valid_indexes: Vec::from([0]),
            account_type,
            ..Default::default()
        };
        Self { list }
    }

    /// The list as it was signed last.
    #[must_use]
    pub const fn list(&self) -> &KeyIndexList {
        &self.list
    }

    /// Vouches for a companion, with the next key index. Draws 128 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::ChainExhausted`] after the last index; [`Error::InvalidArgument`] for more companions than a
    /// list can hold.
    pub fn link(
        &self,
        identity: &IdentityKeyPair,
        request: &LinkingRequest,
        kind: LinkingKind,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Linking, Error> {
        let mut next = self.clone();
        let key_index = self.list.current_index.checked_add(1).ok_or(Error::ChainExhausted)?;
        if next.list.valid_indexes.len() >= KEY_INDEXES_MAX {
            return Err(Error::InvalidArgument);
        }
        next.list.current_index = key_index;
        next.list.valid_indexes.push(key_index);
        let key_index_list = next.sign(identity, now, rng);
        let LinkingKind { account_type, device_type } = kind;
        let details = DeviceIdentity {
            raw_id: self.list.raw_id,
            timestamp: next.list.timestamp,
            key_index,
            account_type,
            device_type,
        };
        let details = details.encode();
        // accountSignature(prefix by the inner device type ‖ details ‖ devicePub)
        let account_signature =
            SignedDeviceIdentity::sign_as_account(&details, device_type, identity, request, rng);
        let account = identity.identity_key();
        let signed =
            SignedDeviceIdentity::by_account(&details, account.public_key(), &account_signature);
        // HMAC(advSecret, [prefix by the outer account type ‖] signed)
        let container =
            SignedDeviceIdentityHmac::make(&signed.encode(), account_type, request.adv_secret());
        let pending = AwaitingCompanion {
            account: *account,
            companion: *request.identity(),
            details,
            account_signature,
        };
        Ok(Linking { next, container, key_index_list, pending })
    }

    /// Removes a companion: the next value, and the encoded signed key-index list for the server. Draws 64
    /// bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the index is 0, or not one of a companion.
    pub fn remove(
        &self,
        key_index: u32,
        identity: &IdentityKeyPair,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<u8>), Error> {
        let mut next = self.clone();
        next.list.valid_indexes.retain(|&index| index != key_index);
        if key_index == 0 || next.list.valid_indexes == self.list.valid_indexes {
            return Err(Error::InvalidArgument);
        }
        let list = next.sign(identity, now, rng);
        Ok((next, list))
    }

    /// Signs the list anew, before it is too old to be used (35 days). Draws 64 bytes.
    #[must_use]
    pub fn renew(
        &self,
        identity: &IdentityKeyPair,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> (Self, Vec<u8>) {
        let mut next = self.clone();
        let list = next.sign(identity, now, rng);
        (next, list)
    }

    fn sign(
        &mut self,
        identity: &IdentityKeyPair,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        // Peers refuse a list that is older than the last one: a clock that went back does not count.
        self.list.timestamp = self.list.timestamp.max(seconds(now));
        let account = AccountKey::Primary(*identity.identity_key().public_key());
        SignedKeyIndexList::sign(&self.list, &account, identity.private_key(), rng)
    }

    /// The stored form: a version byte and the list. Holds no secret.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let list = self.list.encode();
        let mut out = Vec::with_capacity(list.len().saturating_add(1));
        out.push(VERSION);
        out.extend_from_slice(&list);
        out
    }

    /// Reads [`encode`](Self::encode) back.
    ///
    /// # Errors
    ///
    /// [`Error::FutureRecord`] for a later version, [`Error::InvalidState`] for what `encode` does not
    /// write.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            Some((&VERSION, list)) => {
                let list = KeyIndexList::decode(list).map_err(|_| Error::InvalidState)?;
                let out = Self { list };
                if out.encode() == bytes { Ok(out) } else { Err(Error::InvalidState) }
            }
            Some((&version, _)) if version > VERSION => Err(Error::FutureRecord(version)),
            _ => Err(Error::InvalidState),
        }
    }
}

impl AwaitingCompanion {
    /// The companion's identity key.
    #[must_use]
    pub const fn companion(&self) -> &IdentityKey {
        &self.companion
    }

    /// Checks the companion's answer, an encoded `ADVSignedDeviceIdentity`: it is about what was vouched for,
    /// and the companion has signed it. Returns the full object, with the account key, for the server.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], [`Error::BadKeyLength`]; [`Error::IdentityMismatch`] if it is about
    /// another companion or account; [`Error::SignatureValidationFailed`].
    pub fn finish(self, answer: &[u8]) -> Result<Vec<u8>, Error> {
        let signed = SignedDeviceIdentity::parse(answer)?;
        let account = self.account.public_key();
        let same_account = signed.account_key().is_none_or(|key| key == *account);
        let same = signed.details_bytes() == self.details
            && signed.account_signature() == self.account_signature;
        if !(same && same_account) {
            return Err(Error::IdentityMismatch);
        }
        signed.verify_linked_device_signature(account, &self.companion)?;
        Ok(signed.with_account_key(account).encode())
    }
}
