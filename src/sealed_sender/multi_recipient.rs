//! The sent form of version 2 (spec 06 §5.3): one upload for all recipients.
//!
//! `0x23 || varint count || recipient * || excluded * || raw(E) || ct`

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::UnidentifiedSenderMessageContent;
use super::v2::{EPHEMERAL, MessageKeys, RECIPIENT_PART_LENGTH};
use crate::address::{Address, DeviceId, ServiceId};
use crate::crypto::gcm_siv::TAG_LENGTH;
use crate::error::Error;
use crate::keys::{IdentityKey, IdentityKeyPair};
use crate::secret::Secret;
use crate::wire::writer;

/// The version byte that is written: recipients are 17-byte service ids.
pub(super) const VERSION: u8 = 0x23;
/// Length of an encoded service id in bytes.
pub(super) const SERVICE_ID: usize = 17;
/// Length of a device id with its registration id, in bytes.
pub(super) const DEVICE: usize = 3;
/// Bit 15: another device of the same recipient follows.
pub(super) const ANOTHER_DEVICE: u16 = 0x8000;
/// How many recipients share one inversion: more would gain less than one hundredth.
const BATCH: usize = 32;
/// Bits 13 to 0: the registration id.
pub(super) const REGISTRATION_ID: u16 = 0x3FFF;

/// Collects the recipients of a message and seals it for all of them.
#[derive(Clone, Debug, Default)]
pub struct MultiRecipientMessage {
    recipients: Vec<Recipient>,
    /// Devices of all recipients, in order.
    devices: Vec<(DeviceId, u16)>,
    excluded: Vec<ServiceId>,
}

/// Consecutive devices of one account.
#[derive(Clone, Debug)]
struct Recipient {
    service_id: ServiceId,
    identity: IdentityKey,
    devices: usize,
}

impl MultiRecipientMessage {
    /// A message to nobody yet, with room for `recipients`.
    #[must_use]
    pub fn with_capacity(recipients: usize) -> Self {
        Self {
            recipients: Vec::with_capacity(recipients),
            devices: Vec::with_capacity(recipients),
            excluded: Vec::new(),
        }
    }

    /// Adds a device. `identity` is what the identity store has for it; of consecutive devices of one
    /// account the first one's counts. `registration_id` is the device's own, as its current session
    /// says ([`Session::remote_registration_id`](crate::session::Session::remote_registration_id)).
    ///
    /// Sort by account: devices of one that do not follow each other cost two key agreements each time.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when the name is no service id; [`Error::InvalidProtocolAddress`] for
    /// a device outside 1 to 127; [`Error::InvalidState`] without a registration id, which is without
    /// a current session; [`Error::InvalidRegistrationId`] above 16,383. Nothing is added then.
    pub fn add(
        &mut self,
        device: &Address,
        identity: &IdentityKey,
        registration_id: Option<u32>,
    ) -> Result<(), Error> {
        let service_id = device.service_id().ok_or(Error::InvalidArgument)?;
        let device = DeviceId::new(device.device().get().into())?;
        let registration_id = u16::try_from(registration_id.ok_or(Error::InvalidState)?)
            .ok()
            .filter(|id| *id <= REGISTRATION_ID)
            .ok_or(Error::InvalidRegistrationId)?;
        match self.recipients.last_mut() {
            Some(last) if last.service_id == service_id => {
                last.devices = last.devices.saturating_add(1);
            }
            _ => self.recipients.push(Recipient { service_id, identity: *identity, devices: 1 }),
        }
        self.devices.push((device, registration_id));
        Ok(())
    }

    /// Names an account that the message is **not** for, so that the server does not ask why a member
    /// of the group is missing.
    pub fn exclude(&mut self, account: ServiceId) {
        self.excluded.push(account);
    }

    /// Seals `content` for all recipients: two key agreements each, and one encryption. Draws 32 bytes.
    /// With the feature `rayon` the agreements are spread over the processors.
    ///
    /// `sender` must be the identity that the content's certificate names: recipients refuse any other.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKeyAgreement`] when a recipient's key is of low order.
    pub fn seal(
        &self,
        sender: &IdentityKeyPair,
        content: &UnidentifiedSenderMessageContent,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, Error> {
        let keys = MessageKeys::derive(Secret::random(rng));
        let parts = self.parts(sender, &keys)?;
        let mut out = Vec::new();
        writer::reserve(&mut out, self.encoded_len(content))?;
        // 0x23 || varint count
        out.push(VERSION);
        let count = self.recipients.len().saturating_add(self.excluded.len());
        let mut count = u32::try_from(count).map_err(|_| Error::InvalidArgument)?;
        while let low @ 0x80.. = count {
            out.push(low.to_le_bytes()[0] | 0x80);
            count >>= 7;
        }
        out.push(count.to_le_bytes()[0]);
        // recipient = service id || device-list || C || AT
        let mut devices = self.devices.iter();
        for (recipient, part) in self.recipients.iter().zip(&parts) {
            out.extend_from_slice(&recipient.service_id.to_fixed_width());
            for following in (0..recipient.devices).rev() {
                let Some((device, id)) = devices.next() else { break };
                let more = if following > 0 { ANOTHER_DEVICE } else { 0 };
                out.push(device.get());
                out.extend_from_slice(&(*id | more).to_be_bytes());
            }
            out.extend_from_slice(part);
        }
        // excluded = service id || 0x00
        for account in &self.excluded {
            out.extend_from_slice(&account.to_fixed_width());
            out.push(0);
        }
        keys.encrypt(content.as_bytes(), &mut out)?;
        Ok(out)
    }

    /// `C || AT` of every recipient, worked out in batches of [`BATCH`].
    fn parts(
        &self,
        sender: &IdentityKeyPair,
        keys: &MessageKeys,
    ) -> Result<Vec<[u8; RECIPIENT_PART_LENGTH]>, Error> {
        let batch = |recipients: &[Recipient]| {
            let identities: Vec<_> =
                recipients.iter().map(|recipient| &recipient.identity).collect();
            keys.for_recipients(sender, &identities)
        };
        #[cfg(feature = "rayon")]
        let batches: Vec<_> = {
            use rayon::prelude::*;
            self.recipients.par_chunks(BATCH).map(batch).collect::<Result<_, _>>()?
        };
        #[cfg(not(feature = "rayon"))]
        let batches: Vec<_> = self.recipients.chunks(BATCH).map(batch).collect::<Result<_, _>>()?;
        Ok(batches.concat())
    }

    /// An upper bound of the message's length.
    fn encoded_len(&self, content: &UnidentifiedSenderMessageContent) -> usize {
        let recipients =
            self.recipients.len().saturating_mul(SERVICE_ID.saturating_add(RECIPIENT_PART_LENGTH));
        let devices = self.devices.len().saturating_mul(DEVICE);
        let excluded = self.excluded.len().saturating_mul(SERVICE_ID.saturating_add(1));
        // version byte, a varint of 32 bits, raw(E), tag
        [1, 5, recipients, devices, excluded, EPHEMERAL, content.as_bytes().len(), TAG_LENGTH]
            .into_iter()
            .fold(0, usize::saturating_add)
    }
}
