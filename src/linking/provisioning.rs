//! Linking a device in the Signal family: the QR code and the sealed envelope (spec 09 §4).

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Base64Unpadded, Encoding};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::ProvisionMessage;
use crate::crypto::{cbc, kdf};
use crate::error::Error;
use crate::keys::{KeyPair, PublicKey};
use crate::secret::Secret;
use crate::wire::reader::Reader;
use crate::wire::writer;

const SCHEME: &str = "sgnl://linkdevice?";
const INFO: &[u8] = b"TextSecure Provisioning Message";
const VERSION: u8 = 1;
const MAC: usize = 32;
/// The longest URL, address or envelope that is read, in bytes.
const LENGTH_MAX: usize = 65_536;

/// What the QR code of a new device says: where to send the envelope, and for whom to seal it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProvisioningUrl {
    /// The provisioning address that the server gave the new device: opaque.
    pub address: String,
    /// The new device's ephemeral key.
    pub public_key: PublicKey,
}

impl ProvisioningUrl {
    /// Reads `sgnl://linkdevice?uuid=…&pub_key=…`. Other parameters are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for anything else; those of [`PublicKey::decode`], and
    /// [`Error::BadKeyLength`] for more than 33 bytes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > LENGTH_MAX {
            return Err(Error::InvalidArgument);
        }
        let query = text.strip_prefix(SCHEME).ok_or(Error::InvalidArgument)?;
        let value = |name| {
            let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = parameters.find(|(found, _)| *found == name);
            percent_decode(found.ok_or(Error::InvalidArgument)?.1)
        };
        let (address, key) = (value("uuid")?, value("pub_key")?);
        let key = key.trim_end_matches('=');
        let mut buffer = [0; PublicKey::LENGTH];
        let key = Base64Unpadded::decode(key, &mut buffer).map_err(|_| Error::InvalidArgument)?;
        if address.is_empty() {
            return Err(Error::InvalidArgument);
        }
        Ok(Self { address, public_key: PublicKey::decode(key)? })
    }

    /// The text for the QR code.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut buffer = [0; 44];
        let key = Base64::encode(&self.public_key.encode(), &mut buffer).unwrap_or_default();
        let mut out = String::from(SCHEME);
        out.push_str("uuid=");
        percent_encode(&self.address, &mut out);
        out.push_str("&pub_key=");
        percent_encode(key, &mut out);
        out
    }
}

/// The provisioning socket's first message: the opaque address (field 1).
///
/// # Errors
///
/// [`Error::InvalidProtobuf`], also when it is absent or empty.
pub fn parse_provisioning_address(bytes: &[u8]) -> Result<&str, Error> {
    let mut address = "";
    for field in Reader::new(bytes) {
        if let (1, value) = field? {
            address = value.string()?;
        }
    }
    if address.is_empty() { Err(Error::InvalidProtobuf) } else { Ok(address) }
}

/// A new device that shows its QR code. Its key pair is for one attempt.
#[derive(Debug)]
pub struct ProvisioningDevice {
    ephemeral: KeyPair,
}

impl ProvisioningDevice {
    /// Draws the ephemeral key, 32 bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self { ephemeral: KeyPair::generate(rng) }
    }

    /// What the QR code says, with the address that the server gave.
    #[must_use]
    pub fn url(&self, address: impl Into<String>) -> ProvisioningUrl {
        ProvisioningUrl { address: address.into(), public_key: *self.ephemeral.public_key() }
    }

    /// Opens the envelope that the primary has sealed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], the errors of [`PublicKey::decode`];
    /// [`Error::UnrecognizedMessageVersion`]; [`Error::CiphertextTooShort`];
    /// [`Error::InvalidKeyAgreement`]; [`Error::Rejected`]; those of [`ProvisionMessage::decode`].
    pub fn open(&self, envelope: &[u8]) -> Result<ProvisionMessage, Error> {
        let (mut public, mut body): (&[u8], &[u8]) = (&[], &[]);
        for field in Reader::new(envelope) {
            match field? {
                (1, value) => public = value.bytes()?,
                (2, value) => body = value.bytes()?,
                _ => {}
            }
        }
        let public = PublicKey::decode(public)?;
        // body = 0x01 ‖ IV ‖ ciphertext ‖ MAC
        let short = Error::CiphertextTooShort(body.len());
        let (&version, _) = body.split_first().ok_or(short)?;
        if version != VERSION {
            return Err(Error::UnrecognizedMessageVersion(version));
        }
        let (authenticated, mac) = body.split_last_chunk::<MAC>().ok_or(short)?;
        let (_, rest) = authenticated.split_first().ok_or(short)?;
        let (iv, ciphertext) = rest.split_first_chunk::<16>().ok_or(short)?;
        let (cipher_key, mac_key) = keys(&self.ephemeral, &public)?;
        // the MAC first, in constant time
        let expected = kdf::hmac(mac_key.expose(), &[authenticated]);
        if !bool::from(expected.expose().ct_eq(mac)) {
            return Err(Error::Rejected);
        }
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let length = cbc::decrypt_in_place(&cipher_key, &Secret::new(*iv), &mut plaintext)?;
        ProvisionMessage::decode(plaintext.get(..length).unwrap_or_default())
    }
}

/// Seals `message` for the device whose QR code was read: the encoded `ProvisionEnvelope`. Draws 48 bytes.
///
/// # Errors
///
/// [`Error::InvalidKeyAgreement`].
pub fn seal_provision_message(
    message: &ProvisionMessage,
    to: &PublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, Error> {
    let ephemeral = KeyPair::generate(rng);
    let iv: Secret<16> = Secret::random(rng);
    let (cipher_key, mac_key) = keys(&ephemeral, to)?;
    let plaintext = message.encode();
    let length = cbc::ciphertext_len(plaintext.len()).ok_or(Error::InvalidArgument)?;
    let mut body = Vec::with_capacity(length.saturating_add(1 + 16 + MAC));
    body.push(VERSION);
    body.extend_from_slice(iv.expose());
    body.resize(length.saturating_add(1 + 16), 0);
    let ciphertext = body.get_mut(1 + 16..).ok_or(Error::InvalidArgument)?;
    cbc::encrypt(&cipher_key, &iv, &plaintext, ciphertext)?;
    let mac = kdf::hmac(mac_key.expose(), &[&body]);
    body.extend_from_slice(mac.expose());
    Ok(writer::encode(|w| {
        w.bytes(1, &ephemeral.public_key().encode());
        w.bytes(2, &body);
    }))
}

/// `okm = HKDF(none, DH(E.priv, P.pub), "TextSecure Provisioning Message", 64)`, in halves.
fn keys(own: &KeyPair, their: &PublicKey) -> Result<(Secret<32>, Secret<32>), Error> {
    let shared = own.private_key().agree(their)?;
    Ok(kdf::halves(&kdf::hkdf(None, shared.expose(), &[INFO])))
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                    out.push(digit.to_ascii_uppercase());
                }
            }
        }
    }
}

fn percent_decode(text: &str) -> Result<String, Error> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || {
                    let digit = char::from(bytes.next()?).to_digit(16)?;
                    u8::try_from(digit).ok()
                };
                let (high, low) = (digit(), digit());
                high.ok_or(Error::InvalidArgument)? << 4 | low.ok_or(Error::InvalidArgument)?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).map_err(|_| Error::InvalidArgument)
}
