//! Errors as the protocol reports them.

use sandi::Error;
use serde_json::{Value, json};

/// A stable kind and words for people.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new("BadRequest", message)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"kind": self.kind, "code": null, "codeName": null, "message": self.message})
    }
}

/// sandi's errors are finer than the official kinds; several become `InvalidMessage` (spec 04 §10).
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NoKeyTypeIdentifier => "NoKeyType",
            Error::BadKeyType(_) => "BadKeyType",
            Error::BadKeyLength(_) => "BadKeyLength",
            // the driver's kinds, derived from the official texts
            Error::BadKemKeyType(_) | Error::WrongKemKeyType { .. } => "BadKemKeyType",
            Error::BadKemKeyLength(_) => "BadKemKeyLength",
            Error::BadKemCiphertextLength(_) => "BadKemCiphertextLength",
            Error::InvalidKeyAgreement => "InvalidKeyAgreement",
            Error::InvalidProtobuf => "InvalidProtobuf",
            Error::CiphertextTooShort(_) => "CiphertextTooShort",
            Error::InvalidServiceId => "InvalidServiceId",
            Error::InvalidProtocolAddress => "InvalidProtocolAddress",
            Error::InvalidRegistrationId => "InvalidRegistrationId",
            Error::InvalidArgument => "InvalidArgument",
            Error::LegacyCiphertextVersion(_) => "LegacyCiphertextVersion",
            Error::UnrecognizedCiphertextVersion(_) => "UnrecognizedCiphertextVersion",
            Error::UnrecognizedMessageVersion(_) => "UnrecognizedMessageVersion",
            Error::SignatureValidationFailed => "SignatureValidationFailed",
            Error::DuplicatedMessage { .. } => "DuplicatedMessage",
            Error::InvalidSealedSenderMessage => "InvalidSealedSenderMessage",
            Error::UnknownSealedSenderVersion(_) => "UnknownSealedSenderVersion",
            Error::UnknownSealedSenderServerCertificateId(_) => "UnknownServerCertificateId",
            Error::SealedSenderSelfSend => "SealedSenderSelfSend",
            Error::FingerprintVersionMismatch { .. } => "FingerprintVersionMismatch",
            // the official library's texts have no kind of their own
            Error::FingerprintParsing | Error::InvalidIterationCount(_) => "LibSignalError",
            Error::ReusedBaseKey => "KyberReplay",
            Error::UntrustedIdentity => "UntrustedIdentity",
            Error::NoSenderKeyState => "NoSenderKeyState",
            Error::InvalidSenderKeySession => "InvalidSenderKeySession",
            Error::SessionNotFound => "SessionNotFound",
            Error::InvalidPreKeyId(_) => "InvalidPreKeyId",
            Error::InvalidSignedPreKeyId(_) => "InvalidSignedPreKeyId",
            Error::InvalidKyberPreKeyId(_) => "InvalidKyberPreKeyId",
            Error::InvalidSession => "InvalidSession",
            Error::InvalidState => "InvalidState",
            _ => "InvalidMessage",
        };
        Self::new(kind, error.to_string())
    }
}
