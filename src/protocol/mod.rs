//! The operations of a device, as pure functions.
//!
//! An operation is a value that says what to do: [`StartSession`], [`Encrypt`], [`Decrypt`], …. It is
//! carried out in three steps, of which only the second is sandi's:
//!
//! 1. Load what [`Operation::needs`] names into a [`Loaded`], until it names nothing more. Some records
//!    tell which others are needed, so it takes one to three rounds.
//! 2. [`Operation::run`] computes the output and the [`Changes`], and touches nothing else.
//! 3. Commit the changes. Only then let the output out: a ciphertext that was sent before its key was
//!    committed as spent might be followed by another under the same key. When the commit is refused
//!    with `Conflict`, throw output and `Loaded` away and begin again.
//!
//! [`Device`](crate::device::Device) does all three over a [`Store`](crate::Store), and keeps decoded
//! sessions in between. An application whose storage is asynchronous does them itself:
//! `examples/async_store.rs`.
//!
//! | file | what |
//! |---|---|
//! | `local` | the device itself |
//! | `trust` | identity keys of peers |
//! | `ledger`, `replenish`, `upload` | which pre-keys exist; making, retiring and uploading them |
//! | `stored_keys`, `used_keys` | pre-keys as they are stored, and what a message uses of them |
//! | `start`, `encrypt`, `decrypt` | one message |
//! | `companion` | devices for which their account vouches |
//! | `repair` | a stored session that is damaged |
//! | `group` | messages to a group |
//! | `hosting` | who can read a chat, and the user's consent |
//! | `retry` | decryption errors, asked about and answered |
//! | `import` | state of another implementation |
//! | `backup` | what of a device goes into a backup, and comes back |
//! | `loaded`, `record` | what an operation works on, and its stored form |

mod backup;
mod companion;
mod decrypt;
mod encrypt;
mod group;
mod hosting;
mod import;
mod ledger;
mod loaded;
mod local;
mod record;
mod repair;
mod replenish;
mod retry;
mod start;
mod stored_keys;
mod trust;
mod upload;
mod used_keys;

use alloc::vec::Vec;

use rand_core::CryptoRng;

pub use backup::{
    BackedUpDevice, BackedUpRecord, BackupIdentity, DeviceBackupReader, DeviceBackupWriter,
    RestoredIdentity,
};
pub use companion::{
    CompanionPolicy, DecryptFromCompanion, NoteNewerDeviceList, StartCompanionSession,
    UpdateDeviceList, VerifyCompanion,
};
pub use decrypt::{Decrypt, Decrypted};
pub use encrypt::{ArchiveSession, DeleteSession, Encrypt, Encrypted, Recipient};
pub use group::{
    AcceptDistribution, DecryptGroup, ForgetSenderKey, GiveKeyAgain, GroupDecrypted, SendToGroup,
    SentToGroup,
};
pub use hosting::{ConsentToHosting, HostedPolicy, KnownHosting, LearnHosting};
pub use import::{ImportPeer, ImportPreKeys};
pub use ledger::PreKeyPlan;
pub use loaded::Loaded;
pub(crate) use loaded::Peer;
pub use local::{IdentityScope, Local};
pub(crate) use record::Stored;
pub use repair::{RepairSession, Repaired};
pub use replenish::{Replenish, ServerStock};
pub use retry::{AnswerRetry, Answered, AskRetry, Asked};
pub use start::{SessionStarted, StartSession};
pub use stored_keys::StoredKem;
pub use trust::{
    AcceptIdentity, IdentityChange, KnownIdentity, SetVerification, TrustPolicy, Verification,
};
pub use upload::{ConfirmUpload, PendingUpload, Upload};

use crate::dialect::Policy;
use crate::error::Error;
use crate::store::{Changes, Record, RecordKey, Snapshot};
use crate::time::Timestamp;

/// The device whose operation it is, and what its application has decided.
#[derive(Debug)]
pub struct Own {
    /// The device.
    pub local: Local,
    /// The application's decisions.
    pub options: Options,
}

/// What the application decides. Not stored: given whenever a device is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Which dialects to offer and accept.
    pub dialects: Policy,
    /// What to do when a peer's identity key changes.
    pub trust: TrustPolicy,
    /// Whether companions have to be vouched for before anything is encrypted to them.
    pub companions: CompanionPolicy,
    /// How many pre-keys to hold, and for how long.
    pub pre_keys: PreKeyPlan,
    /// What to do about recipients whose keys somebody else holds.
    pub hosted: HostedPolicy,
}

/// One operation. See the [module](self) for how it is carried out.
pub trait Operation {
    /// What it gives, to be let out once its changes are committed.
    type Output;

    /// The records that it needs and that are not in `loaded` yet. Empty when it can run.
    ///
    /// # Errors
    ///
    /// Those of malformed input, and of corrupt records that tell which others are needed.
    fn needs(&self, own: &Own, loaded: &Loaded) -> Result<Vec<RecordKey>, Error>;

    /// Carries it out on `loaded`, at `now`. If it fails, `loaded` is as before, or without the sessions
    /// that it was working on.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] if something is missing that [`needs`](Self::needs) would have named, and
    /// those of the operation.
    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self::Output, Changes), Error>;

    /// After [`Error::UntrustedIdentity`]: which key was met instead of which.
    fn identity_change(&self, own: &Own, loaded: &mut Loaded) -> Option<IdentityChange> {
        let _ = (own, loaded);
        None
    }
}
