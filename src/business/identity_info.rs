//! `BizIdentityInfo`: what the server says about a business (spec 22 §5, spec 25 §6).

use alloc::vec::Vec;

use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// How far the server says that it has looked into who a business is (spec 25 §6). The server's word: no
/// signature covers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum VerifiedLevel {
    /// 0, absent, or a number that is not known.
    #[default]
    Unknown,
    /// 1.
    Low,
    /// 2: an official business.
    High,
}

/// `hostStorage`: where the keys of the business are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HostStorage {
    /// 0: with the business, or with whom it has chosen.
    OnPremise,
    /// 1: on Meta's servers.
    Meta,
    /// A number that is not known.
    Other(u32),
}

/// `actualActors`: who reads and answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ActualActors {
    /// 0: the business itself.
    Itself,
    /// 1: a solution provider.
    ThirdParty,
    /// A number that is not known.
    Other(u32),
}

/// `BizIdentityInfo`. All of it is the server's word, apart from the certificate, which has a signature of
/// its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IdentityInfo<'a> {
    /// How far the business is verified.
    pub level: VerifiedLevel,
    /// The encoded [`VerifiedNameCertificate`](super::VerifiedNameCertificate); verify it.
    pub certificate: Option<&'a [u8]>,
    /// Whether the certificate is said to be signed.
    pub signed: bool,
    /// Whether the certificate is revoked: then the business has no verified name.
    pub revoked: bool,
    /// Where the keys are.
    pub host_storage: Option<HostStorage>,
    /// Who reads and answers.
    pub actual_actors: Option<ActualActors>,
    /// `privacyModeTs`, in seconds: since when host and actors are so. Of two profiles the newer one
    /// holds.
    pub privacy_mode_time: u64,
    /// `featureControls`: bits without a meaning here.
    pub feature_controls: u64,
}

impl<'a> IdentityInfo<'a> {
    /// Reads the protobuf. Fields that are not known are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut info = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, value) => {
                    info.level = match value.uint32()? {
                        1 => VerifiedLevel::Low,
                        2 => VerifiedLevel::High,
                        _ => VerifiedLevel::Unknown,
                    };
                }
                (2, value) => info.certificate = Some(value.bytes()?),
                (3, value) => info.signed = value.uint64()? != 0,
                (4, value) => info.revoked = value.uint64()? != 0,
                (5, value) => {
                    info.host_storage = Some(match value.uint32()? {
                        0 => HostStorage::OnPremise,
                        1 => HostStorage::Meta,
                        other => HostStorage::Other(other),
                    });
                }
                (6, value) => {
                    info.actual_actors = Some(match value.uint32()? {
                        0 => ActualActors::Itself,
                        1 => ActualActors::ThirdParty,
                        other => ActualActors::Other(other),
                    });
                }
                (7, value) => info.privacy_mode_time = value.uint64()?,
                (8, value) => info.feature_controls = value.uint64()?,
                _ => {}
            }
        }
        Ok(info)
    }

    /// The protobuf. Fields at their default are left out, `hostStorage` and `actualActors` only if `None`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let level: u8 = match self.level {
            VerifiedLevel::Unknown => 0,
            VerifiedLevel::Low => 1,
            VerifiedLevel::High => 2,
        };
        let host_storage = self.host_storage.map(|host| match host {
            HostStorage::OnPremise => 0,
            HostStorage::Meta => 1,
            HostStorage::Other(number) => number,
        });
        let actual_actors = self.actual_actors.map(|actors| match actors {
            ActualActors::Itself => 0,
            ActualActors::ThirdParty => 1,
            ActualActors::Other(number) => number,
        });
        writer::encode(|w| {
            w.uint_nonzero(1, level);
            w.bytes_option(2, self.certificate);
            w.uint_nonzero(3, self.signed);
            w.uint_nonzero(4, self.revoked);
            w.uint_option(5, host_storage);
            w.uint_option(6, actual_actors);
            w.uint_nonzero(7, self.privacy_mode_time);
            w.uint_nonzero(8, self.feature_controls);
        })
    }
}
