//! The master keys of a participant's media, and the numbers of its streams (spec 23 §3).

use super::CallKey;
use crate::crypto::kdf;
use crate::jid::Jid;
use crate::secret::Secret;

/// What SRTP derives everything from: 16 bytes of master key, 14 bytes of master salt. Wiped on drop.
#[derive(Debug, PartialEq, Eq)]
pub struct MasterKeys {
    key: Secret<16>,
    salt: Secret<14>,
}

impl MasterKeys {
    /// Takes keys that were agreed on by another way, as those of the hop-by-hop layer.
    #[must_use]
    pub const fn new(key: Secret<16>, salt: Secret<14>) -> Self {
        Self { key, salt }
    }

    /// The keys of the streams that `participant` sends.
    pub(super) fn derive(call_key: &CallKey, participant: &Jid) -> Self {
        // okm = HKDF(callKey, 0s, info = participantId, 46); the last 16 bytes are not used
        let info = participant.with_device_text();
        let okm: Secret<46> = kdf::hkdf(None, call_key.secret().expose(), &[info.as_bytes()]);
        Self { key: kdf::part::<46, 0, 16>(&okm), salt: kdf::part::<46, 16, 14>(&okm) }
    }

    /// The master key.
    #[must_use]
    pub const fn key(&self) -> &Secret<16> {
        &self.key
    }

    /// The master salt.
    #[must_use]
    pub const fn salt(&self) -> &Secret<14> {
        &self.salt
    }
}

impl zeroize::ZeroizeOnDrop for MasterKeys {}

/// The SSRC of the stream in `slot` that `participant` sends in the call `call_id`.
#[must_use]
pub fn ssrc(call_id: &str, slot: u32, participant: &Jid) -> u32 {
    // u32 LE of HKDF(ikm = callId text, salt = u32 LE slot, info = participantId, 4)
    let info = participant.with_device_text();
    let salt = slot.to_le_bytes();
    let okm: Secret<4> = kdf::hkdf_parts(Some(&salt), &[call_id.as_bytes()], info.as_bytes());
    u32::from_le_bytes(*okm.expose())
}
