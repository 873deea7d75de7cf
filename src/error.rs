//! The one error type.

use core::fmt;

/// What went wrong. Small, `Copy`, without strings and without secrets.
///
/// An operation that returns an error has changed nothing (spec 04 §10). A wrong MAC, wrong padding,
/// a wrong key and a failed post-quantum ratchet step are one and the same [`Rejected`](Self::Rejected).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    // -- malformed input ------------------------------------------------------------------------
    /// A key's encoding is empty (spec 01 §1, §7).
    NoKeyTypeIdentifier,
    /// The type byte of a Curve25519 public key is not `0x05`.
    BadKeyType(u8),
    /// A Curve25519 key has the wrong length; the value is the length met, in bytes.
    BadKeyLength(usize),
    /// The type byte of a KEM key or ciphertext is unknown or not enabled.
    BadKemKeyType(u8),
    /// A KEM key has the wrong length; the value is the length met, in bytes.
    BadKemKeyLength(usize),
    /// A KEM ciphertext has the wrong length; the value is the length met, in bytes.
    BadKemCiphertextLength(usize),
    /// A KEM key or ciphertext is of another type than its counterpart.
    WrongKemKeyType {
        /// The type byte met.
        got: u8,
        /// The type byte of the counterpart.
        expected: u8,
    },
    /// A key agreement gave all zeros: the peer's key is of low order (spec 01 §3).
    InvalidKeyAgreement,
    /// A protobuf could not be decoded, or lacks a required field.
    InvalidProtobuf,
    /// A message is too short to hold its fixed parts; the value is its length in bytes.
    CiphertextTooShort(usize),
    /// A service id's text or bytes are malformed (spec 01 §8.1).
    InvalidServiceId,
    /// A device id is out of range, or an address is malformed (spec 01 §8).
    InvalidProtocolAddress,
    /// A registration id is out of the range that the operation allows.
    InvalidRegistrationId,
    /// A value given by the caller is missing or out of range.
    InvalidArgument,

    /// The number of iterations of a fingerprint is not 2 to 1,000,000 (spec 07 §1).
    InvalidIterationCount(u32),
    /// A scanned fingerprint cannot be read (spec 07 §3.1).
    FingerprintParsing,
    /// A backup's root key is not 64 hexadecimal digits, or not a key file (spec 24 §2).
    InvalidBackupKey,

    // -- versions -------------------------------------------------------------------------------
    /// The message's session version is older than any supported one.
    LegacyCiphertextVersion(u8),
    /// The message's session version is newer than any supported one.
    UnrecognizedCiphertextVersion(u8),
    /// The first byte of a message that is not a ciphertext is unknown.
    UnrecognizedMessageVersion(u8),
    /// A scanned fingerprint has another version than ours (spec 07 §3.2).
    FingerprintVersionMismatch {
        /// The version scanned; 0 when absent.
        theirs: u32,
        /// Our version.
        ours: u32,
    },
    /// The version of a sealed-sender message is unknown: the nibble of a message, or the first byte of
    /// a multi-recipient message (spec 06 §3, §5.4).
    UnknownSealedSenderVersion(u8),
    /// A backup file is not under a root key: the value is its key type, 0 for a key that a server holds
    /// (crypt14 and older, spec 24 §4).
    UnsupportedBackup(u32),
    /// This device's policy does not accept or offer the session version (spec 03 §5.3).
    DialectRefused(u8),

    // -- authenticity ---------------------------------------------------------------------------
    /// The message did not decrypt: MAC, padding, address binding, wrong key or post-quantum ratchet.
    Rejected,
    /// A sealed-sender message did not open, or its certificate is not valid (spec 06).
    InvalidSealedSenderMessage,
    /// A sender certificate names a server certificate that is not in the table (spec 06 §1.2).
    UnknownSealedSenderServerCertificateId(u32),
    /// A sealed-sender message comes from this very device (spec 06 §6).
    SealedSenderSelfSend,
    /// A signature on a bundle, certificate or group message does not verify.
    SignatureValidationFailed,
    /// The base key of a pre-key message is not canonical (spec 01 §1.1).
    InvalidBaseKey,
    /// A pre-key message lacks Kyber fields that its version needs, or has one of the two.
    IncompleteKyberFields,
    /// The message was seen before, or its skipped key was evicted: drop it.
    DuplicatedMessage {
        /// Index of the receiving chain.
        chain_index: u32,
        /// Counter of the message.
        counter: u32,
    },
    /// The message's counter is further ahead than 25,000 (spec 04 §0).
    TooFarInFuture,
    /// A last-resort pre-key met the same base key before (spec 02 §6).
    ReusedBaseKey,
    /// The identity key is not the trusted one for that address.
    UntrustedIdentity,
    /// What was received is older than what is known, or another one of the same number: an app-state
    /// patch (spec 26 §4), a business's name (spec 25 §6).
    Outdated,
    /// Keys of the account came from, or were asked for by, a device that is not the account's own
    /// (spec 26 §1).
    NotOwnDevice,
    /// Somebody else than the recipient can read the message, and the user has not agreed to exactly that
    /// ([`HostedPolicy::RequireConsent`](crate::protocol::HostedPolicy::RequireConsent)); or has been asked
    /// about another status than the one of now.
    ConsentRequired,
    /// What links a device was not made with the secret that the two devices share (spec 22 §6), or is not
    /// what was committed to (spec 22 §8).
    LinkingMacMismatch,
    /// A key that comes twice while a device is linked or verified, or the halves of an identity, do not
    /// belong together (spec 22 §3, §7).
    IdentityMismatch,
    /// A signed device list is older than the one that is kept (spec 22 §4).
    OlderDeviceList,
    /// A linking code has met too many answers, or is too old (spec 22 §7).
    TooManyAttempts,

    // -- calls ----------------------------------------------------------------------------------
    /// The header of a media packet, or the trailer of a frame, is malformed, or it has more streams than a
    /// call may (spec 23 §3, §6).
    InvalidMediaPacket,
    /// The media packet or frame was seen before, or is older than the replay window.
    ReplayedMediaPacket,
    /// The call key was used before, for this call or another, its one sender was taken, or its epoch is over
    /// (spec 23 §5, §7).
    ReusedCallKey,
    /// A call key has encrypted as many packets or frames as it may: rotate it.
    CallKeyExhausted,

    // -- missing --------------------------------------------------------------------------------
    /// No session that can be used: never established, archived, or unacknowledged for over 30 days.
    SessionNotFound,
    /// No sender key for that sender and group, or none of the message's chain id (spec 05 §5): ask the
    /// sender to distribute it.
    NoSenderKeyState,
    /// No key is known with which an account vouches for its devices (spec 22 §3).
    NoAccountKey,
    /// The device is a companion, and its account has not vouched for its identity key, or no longer does
    /// (spec 22 §3).
    UnverifiedCompanion,
    /// The device list of the account is too old, or of an earlier registration (spec 22 §4).
    DeviceListExpired,
    /// The one-time pre-key is not in the store.
    InvalidPreKeyId(u32),
    /// The signed pre-key is not in the store.
    InvalidSignedPreKeyId(u32),
    /// The KEM pre-key is not in the store.
    InvalidKyberPreKeyId(u32),
    /// A key of the app state is not in the keyring (spec 26 §1): ask one's own devices for it.
    AppStateKeyMissing,
    /// An app-state patch does not follow on the stored version: fetch those in between (spec 26 §4).
    AppStatePatchMissing,
    /// An app-state patch is authentic, but the stored state is not the one it was made from
    /// (spec 26 §4): fetch a snapshot.
    AppStateOutOfStep,

    // -- stored state ---------------------------------------------------------------------------
    /// A session's state is corrupt or lacks what the operation needs.
    InvalidSession,
    /// A sender key's state is corrupt, or is not one's own and cannot encrypt.
    InvalidSenderKeySession,
    /// A stored value other than a session is corrupt.
    InvalidState,
    /// A stored record was written by a later version of this library; the value is the version byte.
    FutureRecord(u8),
    /// An operation was not given a record that it needs: load what its `needs` names.
    NotLoaded,
    /// A chain has reached its last index, 2^32 - 1, and cannot be used further.
    ChainExhausted,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoKeyTypeIdentifier => f.write_str("key encoding is empty"),
            Self::BadKeyType(byte) => write!(f, "key type {byte:#04x} is not Curve25519's 0x05"),
            Self::BadKeyLength(n) => write!(f, "Curve25519 key of {n} bytes"),
            Self::BadKemKeyType(byte) => write!(f, "KEM type {byte:#04x} is not enabled"),
            Self::BadKemKeyLength(n) => write!(f, "KEM key of {n} bytes"),
            Self::BadKemCiphertextLength(n) => write!(f, "KEM ciphertext of {n} bytes"),
            Self::WrongKemKeyType { got, expected } => {
                write!(f, "KEM type {got:#04x} where {expected:#04x} was expected")
            }
            Self::InvalidKeyAgreement => f.write_str("key agreement with a low-order key"),
            Self::InvalidProtobuf => f.write_str("protobuf is malformed or lacks a required field"),
            Self::CiphertextTooShort(n) => write!(f, "message of {n} bytes is too short"),
            Self::InvalidServiceId => f.write_str("service id is malformed"),
            Self::InvalidProtocolAddress => f.write_str("protocol address is out of range"),
            Self::InvalidRegistrationId => f.write_str("registration id is out of range"),
            Self::InvalidArgument => f.write_str("argument is missing or out of range"),
            Self::InvalidIterationCount(n) => write!(f, "fingerprint of {n} iterations"),
            Self::FingerprintParsing => f.write_str("fingerprint cannot be read"),
            Self::InvalidBackupKey => f.write_str("backup key is not 64 hexadecimal digits"),
            Self::UnsupportedBackup(key_type) => {
                write!(f, "backup is under a key of type {key_type}, not a root key")
            }
            Self::FingerprintVersionMismatch { theirs, ours } => {
                write!(f, "fingerprint of version {theirs}, ours is {ours}")
            }
            Self::LegacyCiphertextVersion(v) => write!(f, "session version {v} is too old"),
            Self::UnrecognizedCiphertextVersion(v) => write!(f, "session version {v} is unknown"),
            Self::UnrecognizedMessageVersion(b) => write!(f, "message version {b:#04x} is unknown"),
            Self::UnknownSealedSenderVersion(v) => {
                write!(f, "sealed-sender version {v:#04x} is unknown")
            }
            Self::DialectRefused(v) => write!(f, "policy refuses session version {v}"),
            Self::Rejected => f.write_str("message was rejected"),
            Self::InvalidSealedSenderMessage => f.write_str("sealed-sender message is not valid"),
            Self::UnknownSealedSenderServerCertificateId(id) => {
                write!(f, "sealed-sender server certificate {id} is unknown")
            }
            Self::SealedSenderSelfSend => f.write_str("sealed-sender message is our own"),
            Self::SignatureValidationFailed => f.write_str("signature does not verify"),
            Self::InvalidBaseKey => f.write_str("base key is not canonical"),
            Self::IncompleteKyberFields => f.write_str("pre-key message lacks Kyber fields"),
            Self::DuplicatedMessage { chain_index, counter } => {
                write!(f, "message {counter} was seen before (chain is at {chain_index})")
            }
            Self::TooFarInFuture => f.write_str("message is too far in the future"),
            Self::ReusedBaseKey => f.write_str("last-resort pre-key met this base key before"),
            Self::UntrustedIdentity => f.write_str("identity key is not trusted"),
            Self::Outdated => f.write_str("what was received is older than what is known"),
            Self::NotOwnDevice => f.write_str("device is not one of the account's own"),
            Self::ConsentRequired => f.write_str("recipient is hosted and the user has not agreed"),
            Self::LinkingMacMismatch => f.write_str("MAC of a linking does not fit"),
            Self::IdentityMismatch => f.write_str("identity keys do not belong together"),
            Self::OlderDeviceList => f.write_str("device list is older than the known one"),
            Self::TooManyAttempts => f.write_str("linking code is used up"),
            Self::NoAccountKey => f.write_str("no key that vouches for the device is known"),
            Self::UnverifiedCompanion => f.write_str("companion's identity is not verified"),
            Self::DeviceListExpired => f.write_str("device list is too old"),
            Self::InvalidMediaPacket => f.write_str("media packet is malformed"),
            Self::ReplayedMediaPacket => f.write_str("media packet was seen before or is too old"),
            Self::ReusedCallKey => f.write_str("call key was used before"),
            Self::CallKeyExhausted => f.write_str("call key is exhausted"),
            Self::SessionNotFound => f.write_str("no usable session"),
            Self::NoSenderKeyState => f.write_str("no sender key"),
            Self::InvalidPreKeyId(id) => write!(f, "one-time pre-key {id} is unknown"),
            Self::InvalidSignedPreKeyId(id) => write!(f, "signed pre-key {id} is unknown"),
            Self::InvalidKyberPreKeyId(id) => write!(f, "KEM pre-key {id} is unknown"),
            Self::AppStateKeyMissing => f.write_str("app-state key is unknown"),
            Self::AppStatePatchMissing => f.write_str("an earlier app-state patch is missing"),
            Self::AppStateOutOfStep => f.write_str("stored app state is out of step"),
            Self::InvalidSession => f.write_str("session state is corrupt"),
            Self::InvalidSenderKeySession => f.write_str("sender key cannot be used"),
            Self::InvalidState => f.write_str("stored state is corrupt"),
            Self::FutureRecord(v) => write!(f, "stored record of version {v} is too new"),
            Self::NotLoaded => f.write_str("a record that the operation needs was not loaded"),
            Self::ChainExhausted => f.write_str("chain has reached its last index"),
        }
    }
}

impl core::error::Error for Error {}

/// What an application should do about an [`Error`] (spec 04 §10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Disposition {
    /// Drop the message or bundle: it was seen before, or is not what an honest peer sends. To answer
    /// would let anyone who can write to the server set off traffic.
    Drop,
    /// The message is lost, but its sender can send it again: ask, with a
    /// [`DecryptionErrorMessage`](crate::wire::DecryptionErrorMessage). For a group's message the sender
    /// distributes its sender key, too.
    AskSenderToResend,
    /// Fetch a bundle of the peer's device and start a session, then send. For a message that was
    /// received, ask its sender to send it again.
    StartSession,
    /// Fetch the account's signed device list and its devices' identities, and verify them; then try
    /// again. Do not write to the device before.
    VerifyDevices,
    /// Show the user what has changed: the peer's new identity key, or who can read the chat. Accept it if
    /// the user does; then try the same message or bundle again.
    AskUser,
    /// What is stored is corrupt. A session:
    /// [`repair_session`](crate::Device::repair_session), then start a new one where nothing was left.
    /// A sender key: [`forget_sender_key`](crate::Device::forget_sender_key). Another record: restore it, or
    /// register the device anew.
    Repair,
    /// A key of the account is missing: keep what was received, ask one's own devices
    /// ([`KeyRequest`](crate::app_state::KeyRequest)), and try again when they have answered.
    AskOwnDevices,
    /// Own state of the account is behind or out of step: fetch what is missing from the server, or a
    /// snapshot of the whole.
    Resynchronize,
    /// It is of a later version than this library knows: update the application.
    Update,
    /// The call was wrong; a defect of the calling program.
    FixCaller,
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub const fn disposition(self) -> Disposition {
        match self {
            Self::DuplicatedMessage { .. }
            | Self::SignatureValidationFailed
            | Self::LegacyCiphertextVersion(_)
            | Self::NoKeyTypeIdentifier
            | Self::BadKeyType(_)
            | Self::BadKeyLength(_)
            | Self::BadKemKeyType(_)
            | Self::BadKemKeyLength(_)
            | Self::BadKemCiphertextLength(_)
            | Self::WrongKemKeyType { .. }
            | Self::InvalidKeyAgreement
            | Self::InvalidProtobuf
            | Self::CiphertextTooShort(_)
            | Self::InvalidServiceId
            | Self::InvalidSealedSenderMessage
            | Self::SealedSenderSelfSend
            | Self::LinkingMacMismatch
            | Self::IdentityMismatch
            | Self::OlderDeviceList
            | Self::TooManyAttempts
            | Self::FingerprintParsing
            | Self::FingerprintVersionMismatch { .. }
            | Self::Outdated
            | Self::UnsupportedBackup(_)
            | Self::NotOwnDevice
            | Self::InvalidMediaPacket
            | Self::ReplayedMediaPacket
            | Self::ReusedCallKey => Disposition::Drop,
            Self::Rejected
            | Self::TooFarInFuture
            | Self::ReusedBaseKey
            | Self::DialectRefused(_)
            | Self::InvalidBaseKey
            | Self::IncompleteKyberFields
            | Self::InvalidPreKeyId(_)
            | Self::InvalidSignedPreKeyId(_)
            | Self::InvalidKyberPreKeyId(_)
            | Self::NoSenderKeyState => Disposition::AskSenderToResend,
            Self::SessionNotFound | Self::ChainExhausted => Disposition::StartSession,
            Self::AppStateKeyMissing => Disposition::AskOwnDevices,
            Self::AppStatePatchMissing | Self::AppStateOutOfStep => Disposition::Resynchronize,
            Self::NoAccountKey | Self::UnverifiedCompanion | Self::DeviceListExpired => {
                Disposition::VerifyDevices
            }
            Self::UntrustedIdentity | Self::ConsentRequired => Disposition::AskUser,
            Self::InvalidSession | Self::InvalidSenderKeySession | Self::InvalidState => {
                Disposition::Repair
            }
            Self::UnrecognizedCiphertextVersion(_)
            | Self::UnrecognizedMessageVersion(_)
            | Self::UnknownSealedSenderVersion(_)
            | Self::UnknownSealedSenderServerCertificateId(_)
            | Self::FutureRecord(_) => Disposition::Update,
            Self::InvalidProtocolAddress
            | Self::InvalidRegistrationId
            | Self::InvalidArgument
            | Self::InvalidIterationCount(_)
            | Self::InvalidBackupKey
            | Self::CallKeyExhausted
            | Self::NotLoaded => Disposition::FixCaller,
        }
    }
}
