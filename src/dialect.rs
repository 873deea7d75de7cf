//! One const row per dialect of the protocol: the only place where they differ.
//!
//! Read by `handshake`, `ratchet`, `wire` and `session`, and by nothing else.

/// Largest permitted distance between a message's counter and the chain's index (spec 04 §0).
pub(crate) const MAX_FORWARD_JUMPS: u32 = 25_000;
/// Skipped message keys kept per receiver chain (spec 04 §0).
pub(crate) const MAX_MESSAGE_KEYS: usize = 2_000;
/// Receiver chains kept per session (spec 04 §0).
pub(crate) const MAX_RECEIVER_CHAINS: usize = 5;
/// Archived states kept per session record (spec 04 §0).
pub(crate) const ARCHIVED_STATES_MAX: usize = 40;
/// Age after which an unanswered initiated session cannot send, in milliseconds: 30 days (spec 04 §0).
pub(crate) const MAX_UNACKNOWLEDGED_AGE_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Retained states per sender-key record (spec 05 §1).
pub(crate) const MAX_SENDER_KEY_STATES: usize = 5;

/// A dialect of the protocol. Fixed when a session is established, and stored with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Session version 3: X3DH and the Double Ratchet, as WhatsApp-family clients speak it.
    V3,
    /// Session version 4 without SPQR: PQXDH and the Double Ratchet, as Signal spoke it before 2026.
    ///
    /// For peers that cannot do better; a device offers and accepts it only when told to.
    V4WithoutSpqr,
    /// Session version 4: PQXDH, the Double Ratchet and SPQR ("triple ratchet"), as Signal speaks it.
    V4,
}

/// What a dialect fixes.
pub(crate) struct Row {
    /// Session version: the high nibble of the version byte (spec 03 §1).
    pub(crate) version: u8,
    /// The version byte that this library writes: session version, then its own newest for the
    /// family. WhatsApp-family readers accept `0x33` only (spec 03 §5.1).
    pub(crate) version_byte: u8,
    /// HKDF label of the handshake (spec 03 §3).
    pub(crate) root_label: &'static [u8],
    /// Whether a KEM takes part in the handshake.
    pub(crate) kem: bool,
    /// Whether SPQR runs beside the Double Ratchet.
    pub(crate) spqr: bool,
    /// Whether pre-key messages bind both addresses into their MAC (spec 04 §2.3).
    pub(crate) binds_addresses: bool,
}

const V3: Row = Row {
    version: 3,
    version_byte: 0x33,
    root_label: b"WhisperText",
    kem: false,
    spqr: false,
    binds_addresses: false,
};

const V4_WITHOUT_SPQR: Row = Row {
    version: 4,
    version_byte: 0x44,
    root_label: b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024",
    kem: true,
    spqr: false,
    binds_addresses: true,
};

const V4: Row = Row { spqr: true, ..V4_WITHOUT_SPQR };

impl Dialect {
    pub(crate) const fn row(self) -> &'static Row {
        match self {
            Self::V3 => &V3,
            Self::V4WithoutSpqr => &V4_WITHOUT_SPQR,
            Self::V4 => &V4,
        }
    }

    /// The session version, 3 or 4 (spec 03 §1).
    #[must_use]
    pub const fn session_version(self) -> u8 {
        self.row().version
    }
}

/// Which dialects a device offers when it starts a session, and accepts when a peer starts one.
///
/// A refused dialect is [`Error::DialectRefused`](crate::Error::DialectRefused): nothing is ever
/// downgraded silently. Sessions that exist already go on whatever the policy says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    v3: bool,
    v4: Option<Dialect>,
}

impl Policy {
    /// Today's Signal: version 4 with SPQR, nothing else. The default.
    pub const V4: Self = Self { v3: false, v4: Some(Dialect::V4) };
    /// The WhatsApp family: version 3, nothing else.
    pub const V3: Self = Self { v3: true, v4: None };
    /// Both: version 4 with SPQR where the peer's bundle has a KEM pre-key, else version 3.
    pub const V3_OR_V4: Self = Self { v3: true, v4: Some(Dialect::V4) };
    /// Version 4 without SPQR, for peers of 2023 to 2025. Gives up post-quantum ratcheting.
    pub const V4_WITHOUT_SPQR: Self = Self { v3: false, v4: Some(Dialect::V4WithoutSpqr) };

    /// Whether sessions may be offered that take a KEM pre-key.
    pub(crate) const fn offers_kem(self) -> bool {
        self.v4.is_some()
    }

    /// The dialect for a session of `version`, if this policy allows one.
    pub(crate) const fn dialect(self, version: u8) -> Option<Dialect> {
        match version {
            3 if self.v3 => Some(Dialect::V3),
            4 => self.v4,
            _ => None,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::V4
    }
}

/// How messages to a group are laid out (spec 05 §6). The two forms differ in their field numbers and in
/// what names the group, and in nothing else; they cannot be told apart reliably by looking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum GroupDialect {
    /// Every message carries the 16-byte distribution id: Signal since March 2021.
    Distribution,
    /// The context names the group: the older form, which the WhatsApp family speaks.
    GroupId,
}

impl GroupDialect {
    /// The dialect of a message with, or without, a distribution id.
    pub(crate) const fn of(distribution_id: Option<&[u8; 16]>) -> Self {
        match distribution_id {
            Some(_) => Self::Distribution,
            None => Self::GroupId,
        }
    }

    /// The field number of the chain id; the fields after it follow by one.
    pub(crate) const fn chain_id_field(self) -> u32 {
        match self {
            Self::Distribution => 2,
            Self::GroupId => 1,
        }
    }

    /// Checks the distribution id that a message carries, or not.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtobuf`](crate::Error::InvalidProtobuf) where it lacks, or has not 16 bytes.
    pub(crate) fn distribution_id(
        self,
        bytes: Option<&[u8]>,
    ) -> Result<Option<&[u8; 16]>, crate::Error> {
        match self {
            Self::GroupId => Ok(None),
            Self::Distribution => bytes
                .and_then(|bytes| bytes.try_into().ok())
                .map(Some)
                .ok_or(crate::Error::InvalidProtobuf),
        }
    }
}
