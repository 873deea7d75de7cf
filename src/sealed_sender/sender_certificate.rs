//! `SenderCertificate` (spec 06 §1.2): what a service says about the sender of a sealed message.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::server_certificate::{ServerCertificate, read_signed, write_signed};
use super::trust::Trust;
use crate::address::{Address, DeviceId, ServiceId};
use crate::error::Error;
use crate::keys::{IdentityKey, PrivateKey};
use crate::time::Timestamp;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// Who a sender certificate is about.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The account's UUID, as text.
    pub uuid: &'a str,
    /// The phone number in E.164 form, where the account shows it.
    pub e164: Option<&'a str>,
    /// The device.
    pub device: DeviceId,
    /// The account's identity key.
    pub identity: &'a IdentityKey,
}

/// A sender certificate: account, device and identity key, signed by a server for a time.
///
/// The received bytes are kept: the signature covers them, unknown fields included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SenderCertificate {
    bytes: Vec<u8>,
    certificate: Vec<u8>,
    signature: Vec<u8>,
    uuid: String,
    e164: Option<String>,
    device: DeviceId,
    identity: IdentityKey,
    expiration: Timestamp,
    signer: Signer,
}

/// The server certificate that signed a sender certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signer {
    /// It is embedded.
    Embedded(ServerCertificate),
    /// It is named by an id of [`Trust`]'s table.
    Known(u32),
}

impl SenderCertificate {
    /// Issues a certificate in the form that every client reads: UUID as text, signer embedded. It is
    /// valid up to and including `expiration`. Draws the 64 bytes of a signature.
    pub fn issue(
        sender: &Sender<'_>,
        expiration: Timestamp,
        signer: &ServerCertificate,
        server_key: &PrivateKey,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let signer = Signer::Embedded(signer.clone());
        Self::sign(sender, expiration, signer, None, server_key, rng)
    }

    /// Issues a certificate in the short form that clients read since 2025: the UUID as 16 bytes, the
    /// signer by its id. Draws the 64 bytes of a signature.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServiceId`] when the sender's UUID is none in lower-case text form, which is
    /// what its readers make of the 16 bytes.
    pub fn issue_short(
        sender: &Sender<'_>,
        expiration: Timestamp,
        signer_id: u32,
        server_key: &PrivateKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let uuid = ServiceId::parse(sender.uuid)?;
        let uuid = *uuid.uuid();
        if ServiceId::aci(uuid).to_string() != sender.uuid {
            return Err(Error::InvalidServiceId);
        }
        let signer = Signer::Known(signer_id);
        Ok(Self::sign(sender, expiration, signer, Some(uuid), server_key, rng))
    }

    fn sign(
        sender: &Sender<'_>,
        expiration: Timestamp,
        signer: Signer,
        uuid_bytes: Option<[u8; 16]>,
        server_key: &PrivateKey,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let certificate = writer::encode(|w| {
            w.bytes_option(1, sender.e164.map(str::as_bytes));
            w.uint(2, sender.device.get());
            w.fixed64(3, expiration.as_millis());
            w.bytes(4, &sender.identity.encode());
            if let Signer::Embedded(server) = &signer {
                w.bytes(5, server.as_bytes());
            }
            match &uuid_bytes {
                None => w.bytes(6, sender.uuid.as_bytes()),
                Some(uuid) => w.bytes(7, uuid),
            }
            if let Signer::Known(id) = signer {
                w.uint(8, id);
            }
        });
        let signature = server_key.sign(&certificate, rng);
        Self {
            bytes: write_signed(&certificate, &signature),
            certificate,
            signature: signature.to_vec(),
            uuid: sender.uuid.into(),
            e164: sender.e164.map(Into::into),
            device: sender.device,
            identity: *sender.identity,
            expiration,
            signer,
        }
    }

    /// Reads a certificate. It is **not** validated: nothing that it says may be believed before
    /// [`validate`](Self::validate).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`], also for a missing field, a device id outside 1 to 127 or UUID bytes
    /// of another number than 16; the errors of keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (certificate, signature) = read_signed(bytes)?;
        let inner = Inner::read(certificate)?;
        Ok(Self {
            uuid: inner.uuid.text()?,
            e164: inner.e164.map(Into::into),
            device: inner.device,
            expiration: inner.expiration,
            identity: IdentityKey::decode(inner.identity)?,
            signer: inner.signer.read()?,
            bytes: bytes.to_vec(),
            certificate: certificate.to_vec(),
            signature: signature.to_vec(),
        })
    }

    /// Whether the certificate is signed under one of the trust roots and not expired at `now`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSealedSenderServerCertificateId`] when the signer is named by an id that
    /// `trust` does not know.
    pub fn validate(&self, trust: &Trust<'_>, now: Timestamp) -> Result<bool, Error> {
        // 1. resolve the signer
        let known;
        let signer = match &self.signer {
            Signer::Embedded(server) => server,
            Signer::Known(id) => {
                known = trust.resolve(*id)?;
                &known
            }
        };
        // 2. signer under a root;  3. signature over the received bytes;  4. time
        Ok(trust.roots.iter().any(|root| signer.is_valid(root))
            && signer.key().verify(&self.certificate, &self.signature)
            && now <= self.expiration)
    }

    /// The sender's UUID, as text.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// The sender's phone number, where the certificate has it.
    #[must_use]
    pub fn e164(&self) -> Option<&str> {
        self.e164.as_deref()
    }

    /// The sender's device.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The sender's address: UUID and device (spec 06 §6).
    #[must_use]
    pub fn address(&self) -> Address {
        Address::new(self.uuid.as_str(), self.device)
    }

    /// The sender's identity key.
    #[must_use]
    pub const fn identity(&self) -> &IdentityKey {
        &self.identity
    }

    /// The last moment at which the certificate is valid.
    #[must_use]
    pub const fn expiration(&self) -> Timestamp {
        self.expiration
    }

    /// Who signed.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The signed bytes.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The server's signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The encoding, as issued or received.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The fields of the inner certificate as they stand.
struct Inner<'a> {
    e164: Option<&'a str>,
    device: DeviceId,
    expiration: Timestamp,
    identity: &'a [u8],
    signer: SignerField<'a>,
    uuid: UuidField<'a>,
}

/// Fields 5 and 8, of which the later on the wire counts.
enum SignerField<'a> {
    Embedded(&'a [u8]),
    Known(u32),
}

/// Fields 6 and 7, of which the later on the wire counts.
enum UuidField<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Inner<'a> {
    fn read(certificate: &'a [u8]) -> Result<Self, Error> {
        let (mut e164, mut device, mut expiration, mut identity) = (None, None, None, None);
        let (mut signer, mut uuid) = (None, None);
        for field in Reader::new(certificate) {
            match field? {
                (1, value) => e164 = Some(value.string()?),
                (2, value) => device = Some(value.uint32()?),
                (3, value) => expiration = Some(Timestamp(value.fixed64()?)),
                (4, value) => identity = Some(value.bytes()?),
                (5, value) => signer = Some(SignerField::Embedded(value.bytes()?)),
                (6, value) => uuid = Some(UuidField::Text(value.string()?)),
                (7, value) => uuid = Some(UuidField::Bytes(value.bytes()?)),
                (8, value) => signer = Some(SignerField::Known(value.uint32()?)),
                _ => {}
            }
        }
        let missing = Error::InvalidProtobuf;
        Ok(Self {
            e164,
            device: DeviceId::new(device.ok_or(missing)?).map_err(|_| missing)?,
            expiration: expiration.ok_or(missing)?,
            identity: identity.ok_or(missing)?,
            signer: signer.ok_or(missing)?,
            uuid: uuid.ok_or(missing)?,
        })
    }
}

impl SignerField<'_> {
    fn read(&self) -> Result<Signer, Error> {
        match self {
            Self::Embedded(bytes) => ServerCertificate::parse(bytes).map(Signer::Embedded),
            Self::Known(id) => Ok(Signer::Known(*id)),
        }
    }
}

impl UuidField<'_> {
    fn text(&self) -> Result<String, Error> {
        match self {
            Self::Text(text) => Ok((*text).into()),
            Self::Bytes(bytes) => {
                let uuid = (*bytes).try_into().map_err(|_| Error::InvalidProtobuf)?;
                Ok(ServiceId::aci(uuid).to_string())
            }
        }
    }
}
