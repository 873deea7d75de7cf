//! `ProvisionMessage`: what a primary gives to a device that it links, in the Signal family (spec 09 §4).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair, PrivateKey};
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// The account's secrets, for a device that is linked to it.
///
/// Fields of later versions are not kept.
#[derive(PartialEq, Eq)]
pub struct ProvisionMessage {
    /// The account's identity (1, 2).
    pub aci_identity: IdentityKeyPair,
    /// The phone number (3).
    pub number: Option<String>,
    /// The code with which the new device registers (4).
    pub provisioning_code: Option<Zeroizing<String>>,
    /// The primary's kind (5).
    pub user_agent: Option<String>,
    /// The profile key (6).
    pub profile_key: Option<Secret<32>>,
    /// Whether read receipts are sent (7).
    pub read_receipts: Option<bool>,
    /// The account id as text (8).
    pub aci: Option<String>,
    /// The version of provisioning (9).
    pub provisioning_version: Option<u32>,
    /// The phone number's id as text (10).
    pub pni: Option<String>,
    /// The phone number's identity (11, 12).
    pub pni_identity: Option<IdentityKeyPair>,
    /// The master key (13).
    pub master_key: Option<Secret<32>>,
}

impl ProvisionMessage {
    /// A message with the account's identity alone.
    #[must_use]
    pub const fn new(aci_identity: IdentityKeyPair) -> Self {
        Self {
            aci_identity,
            number: None,
            provisioning_code: None,
            user_agent: None,
            profile_key: None,
            read_receipts: None,
            aci: None,
            provisioning_version: None,
            pni: None,
            pni_identity: None,
            master_key: None,
        }
    }

    /// The encoding, in a buffer of exactly its length that is wiped on drop.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let text = |text: &Option<String>| text.as_deref().map(str::as_bytes).map(<[u8]>::to_vec);
        let (number, agent) = (text(&self.number), text(&self.user_agent));
        let (aci, pni) = (text(&self.aci), text(&self.pni));
        Zeroizing::new(writer::encode(|w| {
            w.bytes(1, &self.aci_identity.identity_key().encode());
            w.bytes(2, self.aci_identity.private_key().secret().expose());
            w.bytes_option(3, number.as_deref());
            w.bytes_option(4, self.provisioning_code.as_ref().map(|code| code.as_bytes()));
            w.bytes_option(5, agent.as_deref());
            w.bytes_option(6, self.profile_key.as_ref().map(|key| key.expose().as_slice()));
            w.uint_option(7, self.read_receipts);
            w.bytes_option(8, aci.as_deref());
            w.uint_option(9, self.provisioning_version);
            w.bytes_option(10, pni.as_deref());
            if let Some(identity) = &self.pni_identity {
                w.bytes(11, &identity.identity_key().encode());
                w.bytes(12, identity.private_key().secret().expose());
            }
            w.bytes_option(13, self.master_key.as_ref().map(|key| key.expose().as_slice()));
        }))
    }

    /// Reads the encoding.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], also when the account's identity is absent, a half of the other is, or a
    /// key of 32 bytes has another length; those of [`IdentityKey::decode`] and [`PrivateKey::decode`];
    /// [`Error::IdentityMismatch`] when the halves of an identity do not belong together.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut aci_identity, mut pni_identity) = ((None, None), (None, None));
        let (mut number, mut code, mut agent) = (None, None, None);
        let (mut profile_key, mut receipts, mut aci) = (None, None, None);
        let (mut version, mut pni, mut master_key) = (None, None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => aci_identity.0 = Some(value.bytes()?),
                (2, value) => aci_identity.1 = Some(value.bytes()?),
                (3, value) => number = Some(value.string()?),
                (4, value) => code = Some(value.string()?),
                (5, value) => agent = Some(value.string()?),
                (6, value) => profile_key = Some(value.bytes()?),
                (7, value) => receipts = Some(value.uint64()? != 0),
                (8, value) => aci = Some(value.string()?),
                (9, value) => version = Some(value.uint32()?),
                (10, value) => pni = Some(value.string()?),
                (11, value) => pni_identity.0 = Some(value.bytes()?),
                (12, value) => pni_identity.1 = Some(value.bytes()?),
                (13, value) => master_key = Some(value.bytes()?),
                _ => {}
            }
        }
        Ok(Self {
            aci_identity: identity(aci_identity)?.ok_or(Error::InvalidProtobuf)?,
            number: number.map(Into::into),
            provisioning_code: code.map(|code| Zeroizing::new(code.into())),
            user_agent: agent.map(Into::into),
            profile_key: profile_key.map(secret).transpose()?,
            read_receipts: receipts,
            aci: aci.map(Into::into),
            provisioning_version: version,
            pni: pni.map(Into::into),
            pni_identity: identity(pni_identity)?,
            master_key: master_key.map(secret).transpose()?,
        })
    }
}

fn secret(bytes: &[u8]) -> Result<Secret<32>, Error> {
    Secret::from_slice(bytes).ok_or(Error::InvalidProtobuf)
}

fn identity(halves: (Option<&[u8]>, Option<&[u8]>)) -> Result<Option<IdentityKeyPair>, Error> {
    let (public, private) = match halves {
        (Some(public), Some(private)) => (public, private),
        (None, None) => return Ok(None),
        _ => return Err(Error::InvalidProtobuf),
    };
    let pair = IdentityKeyPair::from_private(PrivateKey::decode(private)?);
    if *pair.identity_key() == IdentityKey::decode(public)? {
        Ok(Some(pair))
    } else {
        Err(Error::IdentityMismatch)
    }
}

/// Without the secrets.
impl fmt::Debug for ProvisionMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvisionMessage")
            .field("aci_identity", self.aci_identity.identity_key())
            .field("aci", &self.aci)
            .finish_non_exhaustive()
    }
}
