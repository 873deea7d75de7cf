//! The QR code of a companion that asks to be linked (spec 22 §6).

use alloc::string::String;
use core::fmt;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::LinkingRequest;
use crate::error::Error;
use crate::keys::{IdentityKey, PublicKey};
use crate::secret::Secret;

/// What newer clients write before the content.
pub const QR_URL: &str = "https://wa.me/settings/linked_devices#";
/// The longest text that is read, in bytes: as much as a QR code holds.
const LENGTH_MAX: usize = 4296;
/// The length of 32 bytes in base64 with padding.
const KEY_LENGTH: usize = 44;
/// The length of three keys with their commas, and the comma of the client type.
const KEYS_LENGTH: usize = 3 * (KEY_LENGTH + 1) + 1;

/// The content of a linking QR code: `ref,noisePub,identityPub,advSecret[,clientType]`.
pub struct LinkingQr {
    /// What the server calls this attempt. May hold commas.
    pub reference: String,
    /// The companion's key for the transport.
    pub noise_key: PublicKey,
    /// The companion's identity key.
    pub identity: IdentityKey,
    /// The secret that only the two devices know.
    pub adv_secret: Secret<32>,
    /// The kind of client, which newer ones append. Without commas, and not a key in base64.
    pub client_type: Option<String>,
}

impl LinkingQr {
    /// Reads a code, with or without the URL in front. It is split from the right.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > LENGTH_MAX {
            return Err(Error::InvalidArgument);
        }
        let text = text.strip_prefix(QR_URL).unwrap_or(text);
        let split = |text| str::rsplit_once(text, ',').ok_or(Error::InvalidArgument);
        let (mut rest, mut last) = split(text)?;
        // A last field that is no key is the client type.
        let mut client_type = None;
        if key(last).is_err() {
            client_type = Some(String::from(last));
            (rest, last) = split(rest)?;
        }
        let adv_secret = key(last)?;
        let (rest, identity) = split(rest)?;
        let (reference, noise_key) = split(rest)?;
        Ok(Self {
            reference: reference.into(),
            noise_key: PublicKey::from_raw(*key(noise_key)?.expose()),
            identity: IdentityKey::new(PublicKey::from_raw(*key(identity)?.expose())),
            adv_secret,
            client_type,
        })
    }

    /// The text, without the URL. Holds the secret: for the screen alone.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<String> {
        let client_type = self.client_type.as_deref();
        let length = self.reference.len().saturating_add(client_type.map_or(0, str::len));
        let mut out = String::with_capacity(length.saturating_add(KEYS_LENGTH));
        out.push_str(&self.reference);
        let (noise, identity) = (self.noise_key.as_raw(), self.identity.public_key().as_raw());
        for key in [noise, identity, self.adv_secret.expose()] {
            let mut buffer = Zeroizing::new([0; KEY_LENGTH]);
            out.push(',');
            out.push_str(Base64::encode(key, buffer.as_mut_slice()).unwrap_or_default());
        }
        if let Some(client_type) = client_type {
            out.push(',');
            out.push_str(client_type);
        }
        Zeroizing::new(out)
    }

    /// What a primary that has read the code knows of the companion.
    #[must_use]
    pub fn into_request(self) -> LinkingRequest {
        LinkingRequest::new(self.identity, self.adv_secret)
    }
}

fn key(text: &str) -> Result<Secret<32>, Error> {
    let mut out = Secret::zero();
    match Base64::decode(text, out.expose_mut()) {
        Ok(bytes) if bytes.len() == 32 => Ok(out),
        _ => Err(Error::InvalidArgument),
    }
}

/// Without the secret.
impl fmt::Debug for LinkingQr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkingQr")
            .field("reference", &self.reference)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
