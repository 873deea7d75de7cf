//! The error codes. A number is never given to another meaning.

use core::ffi::CStr;

use sandi::Error;

/// What a call gave. Codes below 100 are the border's own; from 100 on they are the protocol's.
///
/// `sandi_status_disposition` says what to do about one.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SandiStatus {
    /// The call did what it says.
    Ok = 0,
    /// A pointer is null where none may be, or with a length that is not 0.
    NullPointer = 1,
    /// A pointer to a struct or number is not aligned for it.
    Misaligned = 2,
    /// A length is beyond what can be in memory, or not the one that the value has.
    InvalidLength = 3,
    /// Text is not UTF-8.
    InvalidText = 4,
    /// The handle was never given out.
    InvalidHandle = 5,
    /// The handle is of another kind of object.
    WrongHandle = 6,
    /// The object was freed before, or consumed.
    StaleHandle = 7,
    /// There are 16,777,215 objects and buffers.
    TooManyHandles = 8,
    /// A number is none of those that the parameter takes.
    OutOfRange = 9,
    /// A callback called a function other than the one it may call.
    Reentrant = 10,
    /// Another thread uses the object. Only in a build without `std`; there is no waiting then.
    Busy = 11,
    /// A defect of the library, or the system gave no random bytes; or an earlier call on the object ended so. Free the object; the stored state is sound.
    Panicked = 12,
    /// The message was committed before.
    AlreadyCommitted = 13,
    /// There is no such element, or nothing is known.
    NotFound = 14,
    /// The stream has failed or ended, or has not ended yet.
    WrongState = 15,
    /// A callback of the program said that it failed.
    CallbackFailed = 16,
    /// The version byte of an encoding is unknown: it was made by a later version.
    UnknownEncoding = 17,
    /// The store failed. `sandi_last_error` has its code. Whether the changes are durable is unknown; repeating the operation is right in every case.
    StoreFailed = 30,
    /// Others kept changing the same records.
    Contention = 31,
    /// There is no device in the store.
    NotCreated = 32,
    /// There is a device in the store already.
    AlreadyCreated = 33,
    /// An error that this version of the border has no code for.
    Unknown = 99,
    /// A key's encoding is empty.
    NoKeyTypeIdentifier = 100,
    /// A public key's type is not 0x05.
    BadKeyType = 101,
    /// A key has the wrong length.
    BadKeyLength = 102,
    /// A KEM key's type is not enabled.
    BadKemKeyType = 103,
    /// A KEM key has the wrong length.
    BadKemKeyLength = 104,
    /// A KEM ciphertext has the wrong length.
    BadKemCiphertextLength = 105,
    /// KEM key and ciphertext are of different types.
    WrongKemKeyType = 106,
    /// A key agreement met a low-order key.
    InvalidKeyAgreement = 107,
    /// A protobuf is malformed or lacks a required field.
    InvalidProtobuf = 108,
    /// A message is too short.
    CiphertextTooShort = 109,
    /// A service id is malformed.
    InvalidServiceId = 110,
    /// A device id is out of range or an address is malformed.
    InvalidProtocolAddress = 111,
    /// A registration id is out of range.
    InvalidRegistrationId = 112,
    /// An argument is missing or out of range.
    InvalidArgument = 113,
    /// A fingerprint's number of iterations is out of range.
    InvalidIterationCount = 114,
    /// A scanned fingerprint cannot be read.
    FingerprintParsing = 115,
    /// The message's session version is too old.
    LegacyCiphertextVersion = 120,
    /// The message's session version is too new.
    UnrecognizedCiphertextVersion = 121,
    /// The first byte of a message is unknown.
    UnrecognizedMessageVersion = 122,
    /// A scanned fingerprint has another version.
    FingerprintVersionMismatch = 123,
    /// The version of a sealed-sender message is unknown.
    UnknownSealedSenderVersion = 124,
    /// The device's policy refuses the session version.
    DialectRefused = 125,
    /// The message did not decrypt.
    Rejected = 130,
    /// A sealed-sender message did not open, or its certificate is not valid.
    InvalidSealedSenderMessage = 131,
    /// A sender certificate names an unknown server certificate.
    UnknownSealedSenderServerCertificateId = 132,
    /// A sealed-sender message comes from this very device.
    SealedSenderSelfSend = 133,
    /// A signature does not verify.
    SignatureValidationFailed = 134,
    /// The base key of a pre-key message is not canonical.
    InvalidBaseKey = 135,
    /// A pre-key message lacks KEM fields.
    IncompleteKyberFields = 136,
    /// The message was seen before.
    DuplicatedMessage = 137,
    /// The message is too far in the future.
    TooFarInFuture = 138,
    /// A last-resort pre-key met the same base key before.
    ReusedBaseKey = 139,
    /// The identity key is not the trusted one.
    UntrustedIdentity = 140,
    /// What was received is older than what is known.
    Outdated = 141,
    /// Keys came from a device that is not the account's own.
    NotOwnDevice = 142,
    /// Somebody else can read the message, and the user has not agreed to that.
    ConsentRequired = 143,
    /// There is no usable session.
    SessionNotFound = 150,
    /// There is no sender key.
    NoSenderKeyState = 151,
    /// The one-time pre-key is not in the store.
    InvalidPreKeyId = 152,
    /// The signed pre-key is not in the store.
    InvalidSignedPreKeyId = 153,
    /// The KEM pre-key is not in the store.
    InvalidKyberPreKeyId = 154,
    /// An app-state key is unknown.
    AppStateKeyMissing = 155,
    /// An earlier app-state patch is missing.
    AppStatePatchMissing = 156,
    /// Stored app state is out of step.
    AppStateOutOfStep = 157,
    /// A stored session is corrupt.
    InvalidSession = 160,
    /// A stored sender key is corrupt or cannot encrypt.
    InvalidSenderKeySession = 161,
    /// A stored record is corrupt.
    InvalidState = 162,
    /// A stored record was written by a later version.
    FutureRecord = 163,
    /// A record that the operation needs was not loaded.
    NotLoaded = 164,
    /// A chain has reached its last index.
    ChainExhausted = 165,
    /// A backup key is not 64 hexadecimal digits, or not a key file.
    InvalidBackupKey = 170,
    /// A backup is not under a root key.
    UnsupportedBackup = 171,
    /// The MAC of a linking does not fit.
    LinkingMacMismatch = 172,
    /// Identity keys that should be one, or belong together, do not.
    IdentityMismatch = 173,
    /// A signed device list is older than the known one.
    OlderDeviceList = 174,
    /// A linking code is used up.
    TooManyAttempts = 175,
    /// No key that vouches for the device is known.
    NoAccountKey = 176,
    /// The account of a companion has not vouched for it.
    UnverifiedCompanion = 177,
    /// The device list of the account is too old.
    DeviceListExpired = 178,
    /// A media packet is malformed.
    InvalidMediaPacket = 179,
    /// A media packet was seen before.
    ReplayedMediaPacket = 180,
    /// A call key was used before.
    ReusedCallKey = 181,
    /// A call key has encrypted as much as it may.
    CallKeyExhausted = 182,
}

impl SandiStatus {
    /// The code of the protocol's error.
    pub(crate) const fn of(error: Error) -> Self {
        match error {
            Error::NoKeyTypeIdentifier => Self::NoKeyTypeIdentifier,
            Error::BadKeyType(_) => Self::BadKeyType,
            Error::BadKeyLength(_) => Self::BadKeyLength,
            Error::BadKemKeyType(_) => Self::BadKemKeyType,
            Error::BadKemKeyLength(_) => Self::BadKemKeyLength,
            Error::BadKemCiphertextLength(_) => Self::BadKemCiphertextLength,
            Error::WrongKemKeyType { .. } => Self::WrongKemKeyType,
            Error::InvalidKeyAgreement => Self::InvalidKeyAgreement,
            Error::InvalidProtobuf => Self::InvalidProtobuf,
            Error::CiphertextTooShort(_) => Self::CiphertextTooShort,
            Error::InvalidServiceId => Self::InvalidServiceId,
            Error::InvalidProtocolAddress => Self::InvalidProtocolAddress,
            Error::InvalidRegistrationId => Self::InvalidRegistrationId,
            Error::InvalidArgument => Self::InvalidArgument,
            Error::InvalidIterationCount(_) => Self::InvalidIterationCount,
            Error::FingerprintParsing => Self::FingerprintParsing,
            Error::LegacyCiphertextVersion(_) => Self::LegacyCiphertextVersion,
            Error::UnrecognizedCiphertextVersion(_) => Self::UnrecognizedCiphertextVersion,
            Error::UnrecognizedMessageVersion(_) => Self::UnrecognizedMessageVersion,
            Error::FingerprintVersionMismatch { .. } => Self::FingerprintVersionMismatch,
            Error::UnknownSealedSenderVersion(_) => Self::UnknownSealedSenderVersion,
            Error::DialectRefused(_) => Self::DialectRefused,
            Error::Rejected => Self::Rejected,
            Error::InvalidSealedSenderMessage => Self::InvalidSealedSenderMessage,
            Error::UnknownSealedSenderServerCertificateId(_) => {
                Self::UnknownSealedSenderServerCertificateId
            }
            Error::SealedSenderSelfSend => Self::SealedSenderSelfSend,
            Error::SignatureValidationFailed => Self::SignatureValidationFailed,
            Error::InvalidBaseKey => Self::InvalidBaseKey,
            Error::IncompleteKyberFields => Self::IncompleteKyberFields,
            Error::DuplicatedMessage { .. } => Self::DuplicatedMessage,
            Error::TooFarInFuture => Self::TooFarInFuture,
            Error::ReusedBaseKey => Self::ReusedBaseKey,
            Error::UntrustedIdentity => Self::UntrustedIdentity,
            Error::Outdated => Self::Outdated,
            Error::NotOwnDevice => Self::NotOwnDevice,
            Error::ConsentRequired => Self::ConsentRequired,
            Error::SessionNotFound => Self::SessionNotFound,
            Error::NoSenderKeyState => Self::NoSenderKeyState,
            Error::InvalidPreKeyId(_) => Self::InvalidPreKeyId,
            Error::InvalidSignedPreKeyId(_) => Self::InvalidSignedPreKeyId,
            Error::InvalidKyberPreKeyId(_) => Self::InvalidKyberPreKeyId,
            Error::AppStateKeyMissing => Self::AppStateKeyMissing,
            Error::AppStatePatchMissing => Self::AppStatePatchMissing,
            Error::AppStateOutOfStep => Self::AppStateOutOfStep,
            Error::InvalidSession => Self::InvalidSession,
            Error::InvalidSenderKeySession => Self::InvalidSenderKeySession,
            Error::InvalidState => Self::InvalidState,
            Error::FutureRecord(_) => Self::FutureRecord,
            Error::NotLoaded => Self::NotLoaded,
            Error::ChainExhausted => Self::ChainExhausted,
            Error::InvalidBackupKey => Self::InvalidBackupKey,
            Error::UnsupportedBackup(_) => Self::UnsupportedBackup,
            Error::LinkingMacMismatch => Self::LinkingMacMismatch,
            Error::IdentityMismatch => Self::IdentityMismatch,
            Error::OlderDeviceList => Self::OlderDeviceList,
            Error::TooManyAttempts => Self::TooManyAttempts,
            Error::NoAccountKey => Self::NoAccountKey,
            Error::UnverifiedCompanion => Self::UnverifiedCompanion,
            Error::DeviceListExpired => Self::DeviceListExpired,
            Error::InvalidMediaPacket => Self::InvalidMediaPacket,
            Error::ReplayedMediaPacket => Self::ReplayedMediaPacket,
            Error::ReusedCallKey => Self::ReusedCallKey,
            Error::CallKeyExhausted => Self::CallKeyExhausted,
            _ => Self::Unknown,
        }
    }

    /// The status of a number, if it is one.
    pub(crate) const fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            0 => Self::Ok,
            1 => Self::NullPointer,
            2 => Self::Misaligned,
            3 => Self::InvalidLength,
            4 => Self::InvalidText,
            5 => Self::InvalidHandle,
            6 => Self::WrongHandle,
            7 => Self::StaleHandle,
            8 => Self::TooManyHandles,
            9 => Self::OutOfRange,
            10 => Self::Reentrant,
            11 => Self::Busy,
            12 => Self::Panicked,
            13 => Self::AlreadyCommitted,
            14 => Self::NotFound,
            15 => Self::WrongState,
            16 => Self::CallbackFailed,
            17 => Self::UnknownEncoding,
            30 => Self::StoreFailed,
            31 => Self::Contention,
            32 => Self::NotCreated,
            33 => Self::AlreadyCreated,
            99 => Self::Unknown,
            100 => Self::NoKeyTypeIdentifier,
            101 => Self::BadKeyType,
            102 => Self::BadKeyLength,
            103 => Self::BadKemKeyType,
            104 => Self::BadKemKeyLength,
            105 => Self::BadKemCiphertextLength,
            106 => Self::WrongKemKeyType,
            107 => Self::InvalidKeyAgreement,
            108 => Self::InvalidProtobuf,
            109 => Self::CiphertextTooShort,
            110 => Self::InvalidServiceId,
            111 => Self::InvalidProtocolAddress,
            112 => Self::InvalidRegistrationId,
            113 => Self::InvalidArgument,
            114 => Self::InvalidIterationCount,
            115 => Self::FingerprintParsing,
            120 => Self::LegacyCiphertextVersion,
            121 => Self::UnrecognizedCiphertextVersion,
            122 => Self::UnrecognizedMessageVersion,
            123 => Self::FingerprintVersionMismatch,
            124 => Self::UnknownSealedSenderVersion,
            125 => Self::DialectRefused,
            130 => Self::Rejected,
            131 => Self::InvalidSealedSenderMessage,
            132 => Self::UnknownSealedSenderServerCertificateId,
            133 => Self::SealedSenderSelfSend,
            134 => Self::SignatureValidationFailed,
            135 => Self::InvalidBaseKey,
            136 => Self::IncompleteKyberFields,
            137 => Self::DuplicatedMessage,
            138 => Self::TooFarInFuture,
            139 => Self::ReusedBaseKey,
            140 => Self::UntrustedIdentity,
            141 => Self::Outdated,
            142 => Self::NotOwnDevice,
            143 => Self::ConsentRequired,
            150 => Self::SessionNotFound,
            151 => Self::NoSenderKeyState,
            152 => Self::InvalidPreKeyId,
            153 => Self::InvalidSignedPreKeyId,
            154 => Self::InvalidKyberPreKeyId,
            155 => Self::AppStateKeyMissing,
            156 => Self::AppStatePatchMissing,
            157 => Self::AppStateOutOfStep,
            160 => Self::InvalidSession,
            161 => Self::InvalidSenderKeySession,
            162 => Self::InvalidState,
            163 => Self::FutureRecord,
            164 => Self::NotLoaded,
            165 => Self::ChainExhausted,
            170 => Self::InvalidBackupKey,
            171 => Self::UnsupportedBackup,
            172 => Self::LinkingMacMismatch,
            173 => Self::IdentityMismatch,
            174 => Self::OlderDeviceList,
            175 => Self::TooManyAttempts,
            176 => Self::NoAccountKey,
            177 => Self::UnverifiedCompanion,
            178 => Self::DeviceListExpired,
            179 => Self::InvalidMediaPacket,
            180 => Self::ReplayedMediaPacket,
            181 => Self::ReusedCallKey,
            182 => Self::CallKeyExhausted,
            _ => return None,
        })
    }

    /// An error of the protocol with this code: its fields have no meaning.
    pub(crate) const fn example(self) -> Option<Error> {
        Some(match self {
            Self::NoKeyTypeIdentifier => Error::NoKeyTypeIdentifier,
            Self::BadKeyType => Error::BadKeyType(0),
            Self::BadKeyLength => Error::BadKeyLength(0),
            Self::BadKemKeyType => Error::BadKemKeyType(0),
            Self::BadKemKeyLength => Error::BadKemKeyLength(0),
            Self::BadKemCiphertextLength => Error::BadKemCiphertextLength(0),
            Self::WrongKemKeyType => Error::WrongKemKeyType { got: 0, expected: 0 },
            Self::InvalidKeyAgreement => Error::InvalidKeyAgreement,
            Self::InvalidProtobuf => Error::InvalidProtobuf,
            Self::CiphertextTooShort => Error::CiphertextTooShort(0),
            Self::InvalidServiceId => Error::InvalidServiceId,
            Self::InvalidProtocolAddress => Error::InvalidProtocolAddress,
            Self::InvalidRegistrationId => Error::InvalidRegistrationId,
            Self::InvalidArgument => Error::InvalidArgument,
            Self::InvalidIterationCount => Error::InvalidIterationCount(0),
            Self::FingerprintParsing => Error::FingerprintParsing,
            Self::LegacyCiphertextVersion => Error::LegacyCiphertextVersion(0),
            Self::UnrecognizedCiphertextVersion => Error::UnrecognizedCiphertextVersion(0),
            Self::UnrecognizedMessageVersion => Error::UnrecognizedMessageVersion(0),
            Self::FingerprintVersionMismatch => {
                Error::FingerprintVersionMismatch { theirs: 0, ours: 0 }
            }
            Self::UnknownSealedSenderVersion => Error::UnknownSealedSenderVersion(0),
            Self::DialectRefused => Error::DialectRefused(0),
            Self::Rejected => Error::Rejected,
            Self::InvalidSealedSenderMessage => Error::InvalidSealedSenderMessage,
            Self::UnknownSealedSenderServerCertificateId => {
                Error::UnknownSealedSenderServerCertificateId(0)
            }
            Self::SealedSenderSelfSend => Error::SealedSenderSelfSend,
            Self::SignatureValidationFailed => Error::SignatureValidationFailed,
            Self::InvalidBaseKey => Error::InvalidBaseKey,
            Self::IncompleteKyberFields => Error::IncompleteKyberFields,
            Self::DuplicatedMessage => Error::DuplicatedMessage { chain_index: 0, counter: 0 },
            Self::TooFarInFuture => Error::TooFarInFuture,
            Self::ReusedBaseKey => Error::ReusedBaseKey,
            Self::UntrustedIdentity => Error::UntrustedIdentity,
            Self::Outdated => Error::Outdated,
            Self::NotOwnDevice => Error::NotOwnDevice,
            Self::ConsentRequired => Error::ConsentRequired,
            Self::SessionNotFound => Error::SessionNotFound,
            Self::NoSenderKeyState => Error::NoSenderKeyState,
            Self::InvalidPreKeyId => Error::InvalidPreKeyId(0),
            Self::InvalidSignedPreKeyId => Error::InvalidSignedPreKeyId(0),
            Self::InvalidKyberPreKeyId => Error::InvalidKyberPreKeyId(0),
            Self::AppStateKeyMissing => Error::AppStateKeyMissing,
            Self::AppStatePatchMissing => Error::AppStatePatchMissing,
            Self::AppStateOutOfStep => Error::AppStateOutOfStep,
            Self::InvalidSession => Error::InvalidSession,
            Self::InvalidSenderKeySession => Error::InvalidSenderKeySession,
            Self::InvalidState => Error::InvalidState,
            Self::FutureRecord => Error::FutureRecord(0),
            Self::NotLoaded => Error::NotLoaded,
            Self::ChainExhausted => Error::ChainExhausted,
            Self::InvalidBackupKey => Error::InvalidBackupKey,
            Self::UnsupportedBackup => Error::UnsupportedBackup(0),
            Self::LinkingMacMismatch => Error::LinkingMacMismatch,
            Self::IdentityMismatch => Error::IdentityMismatch,
            Self::OlderDeviceList => Error::OlderDeviceList,
            Self::TooManyAttempts => Error::TooManyAttempts,
            Self::NoAccountKey => Error::NoAccountKey,
            Self::UnverifiedCompanion => Error::UnverifiedCompanion,
            Self::DeviceListExpired => Error::DeviceListExpired,
            Self::InvalidMediaPacket => Error::InvalidMediaPacket,
            Self::ReplayedMediaPacket => Error::ReplayedMediaPacket,
            Self::ReusedCallKey => Error::ReusedCallKey,
            Self::CallKeyExhausted => Error::CallKeyExhausted,
            _ => return None,
        })
    }

    /// What it means.
    pub(crate) const fn text(self) -> &'static CStr {
        match self {
            Self::Ok => c"success",
            Self::NullPointer => c"a pointer is null",
            Self::Misaligned => c"a pointer is not aligned",
            Self::InvalidLength => c"a length is out of range",
            Self::InvalidText => c"text is not UTF-8",
            Self::InvalidHandle => c"the handle was never given out",
            Self::WrongHandle => c"the handle is of another kind",
            Self::StaleHandle => c"the handle was freed before",
            Self::TooManyHandles => c"there are too many handles",
            Self::OutOfRange => c"a number is out of range",
            Self::Reentrant => c"a callback called back into the library",
            Self::Busy => c"another thread uses the object",
            Self::Panicked => c"a defect of the library",
            Self::AlreadyCommitted => c"the message was committed before",
            Self::NotFound => c"there is no such element",
            Self::WrongState => c"the stream is not in the state for this call",
            Self::CallbackFailed => c"a callback failed",
            Self::UnknownEncoding => c"the version of an encoding is unknown",
            Self::StoreFailed => c"the store failed",
            Self::Contention => c"others keep changing the same records",
            Self::NotCreated => c"there is no device in the store",
            Self::AlreadyCreated => c"there is a device in the store already",
            Self::Unknown => c"an error without a code",
            Self::NoKeyTypeIdentifier => c"a key's encoding is empty",
            Self::BadKeyType => c"a public key's type is not 0x05",
            Self::BadKeyLength => c"a key has the wrong length",
            Self::BadKemKeyType => c"a KEM key's type is not enabled",
            Self::BadKemKeyLength => c"a KEM key has the wrong length",
            Self::BadKemCiphertextLength => c"a KEM ciphertext has the wrong length",
            Self::WrongKemKeyType => c"KEM key and ciphertext are of different types",
            Self::InvalidKeyAgreement => c"a key agreement met a low-order key",
            Self::InvalidProtobuf => c"a protobuf is malformed or lacks a required field",
            Self::CiphertextTooShort => c"a message is too short",
            Self::InvalidServiceId => c"a service id is malformed",
            Self::InvalidProtocolAddress => {
                c"a device id is out of range or an address is malformed"
            }
            Self::InvalidRegistrationId => c"a registration id is out of range",
            Self::InvalidArgument => c"an argument is missing or out of range",
            Self::InvalidIterationCount => c"a fingerprint's number of iterations is out of range",
            Self::FingerprintParsing => c"a scanned fingerprint cannot be read",
            Self::LegacyCiphertextVersion => c"the message's session version is too old",
            Self::UnrecognizedCiphertextVersion => c"the message's session version is too new",
            Self::UnrecognizedMessageVersion => c"the first byte of a message is unknown",
            Self::FingerprintVersionMismatch => c"a scanned fingerprint has another version",
            Self::UnknownSealedSenderVersion => {
                c"the version of a sealed-sender message is unknown"
            }
            Self::DialectRefused => c"the device's policy refuses the session version",
            Self::Rejected => c"the message did not decrypt",
            Self::InvalidSealedSenderMessage => {
                c"a sealed-sender message did not open, or its certificate is not valid"
            }
            Self::UnknownSealedSenderServerCertificateId => {
                c"a sender certificate names an unknown server certificate"
            }
            Self::SealedSenderSelfSend => c"a sealed-sender message comes from this very device",
            Self::SignatureValidationFailed => c"a signature does not verify",
            Self::InvalidBaseKey => c"the base key of a pre-key message is not canonical",
            Self::IncompleteKyberFields => c"a pre-key message lacks KEM fields",
            Self::DuplicatedMessage => c"the message was seen before",
            Self::TooFarInFuture => c"the message is too far in the future",
            Self::ReusedBaseKey => c"a last-resort pre-key met the same base key before",
            Self::UntrustedIdentity => c"the identity key is not the trusted one",
            Self::Outdated => c"what was received is older than what is known",
            Self::NotOwnDevice => c"keys came from a device that is not the account's own",
            Self::ConsentRequired => {
                c"somebody else can read the message, and the user has not agreed to that"
            }
            Self::SessionNotFound => c"there is no usable session",
            Self::NoSenderKeyState => c"there is no sender key",
            Self::InvalidPreKeyId => c"the one-time pre-key is not in the store",
            Self::InvalidSignedPreKeyId => c"the signed pre-key is not in the store",
            Self::InvalidKyberPreKeyId => c"the KEM pre-key is not in the store",
            Self::AppStateKeyMissing => c"an app-state key is unknown",
            Self::AppStatePatchMissing => c"an earlier app-state patch is missing",
            Self::AppStateOutOfStep => c"stored app state is out of step",
            Self::InvalidSession => c"a stored session is corrupt",
            Self::InvalidSenderKeySession => c"a stored sender key is corrupt or cannot encrypt",
            Self::InvalidState => c"a stored record is corrupt",
            Self::FutureRecord => c"a stored record was written by a later version",
            Self::NotLoaded => c"a record that the operation needs was not loaded",
            Self::ChainExhausted => c"a chain has reached its last index",
            Self::InvalidBackupKey => c"a backup key is not 64 hexadecimal digits",
            Self::UnsupportedBackup => c"a backup is not under a root key",
            Self::LinkingMacMismatch => c"the MAC of a linking does not fit",
            Self::IdentityMismatch => c"identity keys do not belong together",
            Self::OlderDeviceList => c"a device list is older than the known one",
            Self::TooManyAttempts => c"a linking code is used up",
            Self::NoAccountKey => c"no key that vouches for the device is known",
            Self::UnverifiedCompanion => c"the identity of a companion is not verified",
            Self::DeviceListExpired => c"a device list is too old",
            Self::InvalidMediaPacket => c"a media packet is malformed",
            Self::ReplayedMediaPacket => c"a media packet was seen before or is too old",
            Self::ReusedCallKey => c"a call key was used before",
            Self::CallKeyExhausted => c"a call key is exhausted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SandiStatus;

    #[test]
    fn every_code_of_the_protocol_is_that_of_its_error() {
        let mut seen = 0;
        for code in 100..200 {
            let Some(status) = SandiStatus::from_code(code) else { continue };
            assert_eq!(status as i32, code);
            assert_eq!(status.example().map(SandiStatus::of), Some(status));
            assert!(!status.text().is_empty());
            seen += 1;
        }
        assert_eq!(seen, 63);
    }
}
