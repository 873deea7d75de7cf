//! Pre-key data of a session that the peer has not answered (spec 02 §5 step 7, spec 03 §5.4).

use crate::dialect::MAX_UNACKNOWLEDGED_AGE_MS;
use crate::keys::KemCiphertext;
use crate::prekey::PreKeyId;
use crate::time::Timestamp;

/// What every message repeats until the peer answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PendingPreKey {
    pub(crate) pre_key_id: Option<PreKeyId>,
    pub(crate) signed_pre_key_id: PreKeyId,
    /// Creation time in whole seconds since the epoch.
    pub(crate) created_secs: u64,
    /// KEM pre-key id and ciphertext, in version 4.
    pub(crate) kem: Option<(PreKeyId, KemCiphertext)>,
}

impl PendingPreKey {
    /// Whether `created + 30 days < now`. The creation time is in seconds, the comparison in
    /// milliseconds (spec 04 §7.1).
    pub(crate) const fn is_stale(&self, now: Timestamp) -> bool {
        let created = self.created_secs.saturating_mul(1000);
        created.saturating_add(MAX_UNACKNOWLEDGED_AGE_MS) < now.as_millis()
    }
}
