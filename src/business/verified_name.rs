//! The certificate of a business's name (spec 25 §6).

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::VerifiedName;
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair};
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::{self, Writer};

/// Names in other languages at most.
const LOCALIZED_MAX: usize = 256;

/// Who issues a name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Issuer {
    /// `smb:wa`: the app of small businesses, for itself.
    SmallBusiness,
    /// `ent:wa`: businesses on the API.
    Enterprise,
    /// Another text.
    Other(String),
}

impl Issuer {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::SmallBusiness => "smb:wa",
            Self::Enterprise => "ent:wa",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for Issuer {
    fn from(text: &str) -> Self {
        match text {
            "smb:wa" => Self::SmallBusiness,
            "ent:wa" => Self::Enterprise,
            other => Self::Other(other.into()),
        }
    }
}

/// The name in one language.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LocalizedName {
    /// The language, such as `id`.
    pub language: String,
    /// The country, such as `ID`; may be empty.
    pub country: String,
    /// The name.
    pub name: String,
}

/// `VerifiedNameCertificate.Details`: what the business signs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VerifiedNameDetails {
    /// Rises with every certificate of the business.
    pub serial: u64,
    /// Who issues it.
    pub issuer: Issuer,
    /// The name.
    pub name: String,
    /// The name in other languages, at most 256.
    pub localized: Vec<LocalizedName>,
    /// When it was issued, in seconds since the Unix epoch; 0 if it does not say.
    pub issue_time: u64,
}

impl VerifiedNameDetails {
    /// Signs the name with the identity of the business's primary device. Draws 64 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for more than 256 localized names.
    pub fn sign(
        &self,
        identity: &IdentityKeyPair,
        rng: &mut impl CryptoRng,
    ) -> Result<VerifiedNameCertificate, Error> {
        if self.localized.len() > LOCALIZED_MAX {
            return Err(Error::InvalidArgument);
        }
        let details = writer::encode(|w| self.write(w));
        // signature = XEdDSA by the identity key over the raw details
        let signature = identity.private_key().sign(&details, rng).to_vec();
        Ok(VerifiedNameCertificate { details, signature, server_signature: None })
    }

    /// The name for a language and country: of both, else of the language alone, else the name itself.
    #[must_use]
    pub fn name_in(&self, language: &str, country: &str) -> &str {
        let of = |language: &str, country: &str| {
            let mut names = self.localized.iter();
            names.find(|name| name.language == language && name.country == country)
        };
        of(language, country).or_else(|| of(language, "")).map_or(&self.name, |found| &found.name)
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.uint(1, self.serial);
        w.bytes(2, self.issuer.as_str().as_bytes());
        w.bytes(4, self.name.as_bytes());
        for localized in &self.localized {
            w.message(8, |w| {
                w.bytes(1, localized.language.as_bytes());
                w.bytes_nonempty(2, localized.country.as_bytes());
                w.bytes(3, localized.name.as_bytes());
            });
        }
        w.uint_nonzero(10, self.issue_time);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut serial, mut issuer, mut name) = (None, None, None);
        let (mut localized, mut issue_time) = (Vec::new(), 0);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => serial = Some(value.uint64()?),
                (2, value) => issuer = Some(value.string()?),
                (4, value) => name = Some(value.string()?),
                (8, value) if localized.len() < LOCALIZED_MAX => {
                    localized.push(read_localized(value)?);
                }
                (8, _) => return Err(Error::InvalidProtobuf),
                (10, value) => issue_time = value.uint64()?,
                _ => {}
            }
        }
        Ok(Self {
            serial: serial.ok_or(Error::InvalidProtobuf)?,
            issuer: issuer.ok_or(Error::InvalidProtobuf)?.into(),
            name: name.ok_or(Error::InvalidProtobuf)?.into(),
            localized,
            issue_time,
        })
    }
}

fn read_localized(value: Value<'_>) -> Result<LocalizedName, Error> {
    let (mut language, mut country, mut name) = ("", "", "");
    for field in Reader::new(value.bytes()?) {
        match field? {
            (1, value) => language = value.string()?,
            (2, value) => country = value.string()?,
            (3, value) => name = value.string()?,
            _ => {}
        }
    }
    Ok(LocalizedName { language: language.into(), country: country.into(), name: name.into() })
}

/// `VerifiedNameCertificate`: details with their signature. Says nothing before it is
/// [verified](Self::verify).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VerifiedNameCertificate {
    pub(super) details: Vec<u8>,
    signature: Vec<u8>,
    server_signature: Option<Vec<u8>>,
}

impl VerifiedNameCertificate {
    /// Reads the protobuf.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], also when details or signature lack.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut details, mut signature, mut server_signature) = (None, None, None);
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => details = Some(value.bytes()?),
                (2, value) => signature = Some(value.bytes()?),
                (3, value) => server_signature = Some(value.bytes()?.to_vec()),
                _ => {}
            }
        }
        Ok(Self {
            details: details.ok_or(Error::InvalidProtobuf)?.to_vec(),
            signature: signature.ok_or(Error::InvalidProtobuf)?.to_vec(),
            server_signature,
        })
    }

    /// The protobuf, with details and signatures byte for byte as they were read or made.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        writer::encode(|w| {
            w.bytes(1, &self.details);
            w.bytes(2, &self.signature);
            w.bytes_option(3, self.server_signature.as_deref());
        })
    }

    /// The details as they are signed.
    #[must_use]
    pub fn details(&self) -> &[u8] {
        &self.details
    }

    /// The server's signature, whose key is not public: it is carried, and not checked.
    #[must_use]
    pub fn server_signature(&self) -> Option<&[u8]> {
        self.server_signature.as_deref()
    }

    /// Verifies the signature by the identity key of the business's primary device: for a hosted business,
    /// that of the hosting endpoint.
    ///
    /// It shows that the business calls itself so, and not who it is: that is the
    /// [`VerifiedLevel`](super::VerifiedLevel), the server's word.
    ///
    /// # Errors
    ///
    /// [`Error::SignatureValidationFailed`]; then [`Error::InvalidProtobuf`] for details that cannot be read, or
    /// lack serial, issuer or name.
    pub fn verify(&self, business: &IdentityKey) -> Result<VerifiedName, Error> {
        if !business.public_key().verify(&self.details, &self.signature) {
            return Err(Error::SignatureValidationFailed);
        }
        let details = VerifiedNameDetails::decode(&self.details)?;
        Ok(VerifiedName::new(*business, details, self.clone()))
    }
}
