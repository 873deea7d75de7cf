//! What says who can read a chat, and how far it can be believed (spec 22 §5).

use super::{ActualActors, EncryptionStatus, HostStorage, IdentityInfo, is_hosted};
use crate::address::Address;
use crate::linking::EncryptionType;
use crate::time::Timestamp;

/// What a device or an account says of itself; anything but end-to-end encrypted is hosted (spec 22 §2).
const fn status_of(declared: EncryptionType) -> EncryptionStatus {
    hosted_if(!declared.is_e2ee())
}

const fn hosted_if(hosted: bool) -> EncryptionStatus {
    if hosted { EncryptionStatus::HostedUnknown } else { EncryptionStatus::EndToEnd }
}

/// Sources that the server cannot make up: they are signed by the account's devices, are inside of an
/// encrypted message, were scanned from the peer's screen, or name the keys themselves that are encrypted to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BoundSource {
    /// (i) The addresses of the user's devices: a session is with an address.
    Addresses,
    /// (ii) The types that the user's devices have in their verified device identities.
    DeviceType,
    /// (ii) The account's type in a verified device identity or signed key-index list.
    AccountType,
    /// (iv) The account's type in the device-list metadata of a message that decrypted.
    Message,
    /// (v) The hosted state of a scanned security code.
    Scan,
    /// The flag `capiCreatedGroup` of a message that decrypted (`messageContextInfo`, 11).
    GroupMessage,
}

/// Sources that are no more than the server's word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AssertedSource {
    /// (iii) The business profile, [`IdentityInfo`].
    Profile,
    /// The flag `capiCreatedGroup` of a group's record (`conversation`, 48).
    GroupRecord,
}

/// What a source says, and since when. The later claim of one source holds; of two of the same
/// moment, the worse one. So claims may arrive in any order and more than once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Claim {
    /// When it was true, in the source's own time; compared with claims of the same source only.
    pub at: u64,
    /// Who can read.
    pub status: EncryptionStatus,
}

/// One statement about who can read a chat, with whether it is bound by cryptography or only asserted.
///
/// The functions below make the signals of spec 22 §5, (i) to (v), and those of groups.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    /// The server cannot make it up, and cannot change it.
    Bound(BoundSource, Claim),
    /// The server says so.
    Asserted(AssertedSource, Claim),
}

impl Signal {
    /// (i) From all addresses of a user's devices, as a list of them says at `now`.
    #[must_use]
    pub fn addresses<'a>(list: impl IntoIterator<Item = &'a Address>, now: Timestamp) -> Self {
        let status = hosted_if(list.into_iter().any(is_hosted));
        Self::Bound(BoundSource::Addresses, Claim { at: now.as_millis(), status })
    }

    /// (i) From one address alone; `None` unless it is hosted, for one that is not says nothing about
    /// the user's other devices.
    #[must_use]
    pub fn address(address: &Address, now: Timestamp) -> Option<Self> {
        is_hosted(address).then(|| Self::addresses([address], now))
    }

    /// (ii) From `deviceType` of the verified identities of all of a user's devices, at `now`.
    #[must_use]
    pub fn device_types(types: impl IntoIterator<Item = EncryptionType>, now: Timestamp) -> Self {
        let worst = types.into_iter().map(status_of).max().unwrap_or_default();
        Self::Bound(BoundSource::DeviceType, Claim { at: now.as_millis(), status: worst })
    }

    /// (ii) From `accountType` of a device identity or key-index list whose signature was verified, and
    /// the timestamp in it, in seconds.
    #[must_use]
    pub const fn account_type(account_type: EncryptionType, timestamp: u64) -> Self {
        let claim = Claim { at: timestamp, status: status_of(account_type) };
        Self::Bound(BoundSource::AccountType, claim)
    }

    /// (iv) From `senderAccountType` of the device-list metadata in a message of the user that decrypted,
    /// and `senderTimestamp` beside it, in seconds; 0 where it lacks. The `receiverAccountType` is one
    /// about this device's own user.
    #[must_use]
    pub const fn message(account_type: EncryptionType, timestamp: u64) -> Self {
        Self::Bound(BoundSource::Message, Claim { at: timestamp, status: status_of(account_type) })
    }

    /// (v) From `hostedState` of a security code that was scanned at `now`. It stands until the next
    /// scan.
    #[must_use]
    pub const fn scan(hosted: bool, now: Timestamp) -> Self {
        let claim = Claim { at: now.as_millis(), status: hosted_if(hosted) };
        Self::Bound(BoundSource::Scan, claim)
    }

    /// (iii) From a business profile; `None` if it says nothing about hosting.
    #[must_use]
    pub const fn profile(info: &IdentityInfo<'_>) -> Option<Self> {
        // reduced mode (spec 22 §5); an absent field of the two is its first value
        let status = match (info.host_storage, info.actual_actors) {
            (None, None) => return None,
            (Some(HostStorage::Meta), _) => EncryptionStatus::HostedByMeta,
            // numbers of a later schema: whatever they mean, it is not "the business itself"
            (Some(HostStorage::Other(_)), _) | (_, Some(ActualActors::Other(_))) => {
                EncryptionStatus::HostedUnknown
            }
            (_, Some(ActualActors::ThirdParty)) => EncryptionStatus::HostedByThirdParty,
            (Some(HostStorage::OnPremise) | None, Some(ActualActors::Itself) | None) => {
                EncryptionStatus::EndToEnd
            }
        };
        let claim = Claim { at: info.privacy_mode_time, status };
        Some(Self::Asserted(AssertedSource::Profile, claim))
    }

    /// From `capiCreatedGroup` in a message to a group that decrypted. A group that was created so stays
    /// so: `None` for a flag that is not set.
    #[must_use]
    pub const fn group_message(capi_created_group: bool) -> Option<Self> {
        if !capi_created_group {
            return None;
        }
        let claim = Claim { at: 0, status: EncryptionStatus::HostedByMeta };
        Some(Self::Bound(BoundSource::GroupMessage, claim))
    }

    /// From `capiCreatedGroup` in a group's record; `None` for a flag that is not set.
    #[must_use]
    pub const fn group_record(capi_created_group: bool) -> Option<Self> {
        if !capi_created_group {
            return None;
        }
        let claim = Claim { at: 0, status: EncryptionStatus::HostedByMeta };
        Some(Self::Asserted(AssertedSource::GroupRecord, claim))
    }

    /// What it says.
    #[must_use]
    pub const fn claim(&self) -> Claim {
        match self {
            Self::Bound(_, claim) | Self::Asserted(_, claim) => *claim,
        }
    }

    /// Whether it is bound by cryptography.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        matches!(self, Self::Bound(..))
    }

    /// Whether it speaks of a group, not of a user.
    #[must_use]
    pub const fn is_about_a_group(&self) -> bool {
        matches!(
            self,
            Self::Bound(BoundSource::GroupMessage, _)
                | Self::Asserted(AssertedSource::GroupRecord, _)
        )
    }
}

impl BoundSource {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Addresses,
        Self::DeviceType,
        Self::AccountType,
        Self::Message,
        Self::Scan,
        Self::GroupMessage,
    ];

    /// The number in stored records, ascending in the order of the variants.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Addresses => 1,
            Self::DeviceType => 2,
            Self::AccountType => 3,
            Self::Message => 4,
            Self::Scan => 5,
            Self::GroupMessage => 6,
        }
    }
}

impl AssertedSource {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Profile, Self::GroupRecord];

    /// The number in stored records, ascending in the order of the variants.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Profile => 1,
            Self::GroupRecord => 2,
        }
    }
}
