//! Reading the sent form of version 2, as a server does, and splitting it (spec 06 §5.4).

use alloc::vec::Vec;

use super::multi_recipient::{ANOTHER_DEVICE, DEVICE, REGISTRATION_ID, SERVICE_ID, VERSION};
use super::v2::{EPHEMERAL, RECIPIENT_PART_LENGTH};
use crate::address::{DeviceId, ServiceId};
use crate::error::Error;
use crate::wire::reader::Reader;

/// The version byte of the received form, and of the old sent form whose recipients are bare UUIDs.
pub(super) const VERSION_UUIDS: u8 = 0x22;

/// A sent message: a view into its bytes. Per recipient it holds where things are, and copies nothing.
#[derive(Clone, Debug)]
pub struct SentMessage<'a> {
    recipients: Vec<SentRecipient<'a>>,
    shared: &'a [u8],
}

/// One account that a sent message names.
#[derive(Clone, Debug)]
pub struct SentRecipient<'a> {
    service_id: ServiceId,
    /// `device-list`; empty when excluded.
    devices: &'a [[u8; DEVICE]],
    /// Device lists of later entries of the same account.
    more_devices: Vec<&'a [[u8; DEVICE]]>,
    /// `C || AT`; `None` when excluded.
    part: Option<&'a [u8; RECIPIENT_PART_LENGTH]>,
}

impl<'a> SentMessage<'a> {
    /// Reads a sent message. What the server cannot check, the ciphertexts, is not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSealedSenderMessage`] when empty, or when an account is both a recipient and
    /// excluded, or excluded twice; [`Error::UnknownSealedSenderVersion`] with the first byte;
    /// [`Error::InvalidProtobuf`] for everything else.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        // 1. version
        let (version, rest) = bytes.split_first().ok_or(Error::InvalidSealedSenderMessage)?;
        let bare_uuids = match *version {
            VERSION => false,
            VERSION_UUIDS => true,
            other => return Err(Error::UnknownSealedSenderVersion(other)),
        };
        // 2. count; an entry has at least a UUID and one more byte, so the bytes bound the allocation
        let mut cursor = Cursor { rest };
        let count = cursor.count()?;
        let mut recipients = Vec::with_capacity(count.min(cursor.rest.len() / SERVICE_ID));
        // 3. entries
        for _ in 0..count {
            recipients.push(cursor.recipient(bare_uuids)?);
        }
        // 5. shared = raw(E) || ct
        let shared = cursor.rest;
        if shared.len() < EPHEMERAL {
            return Err(Error::InvalidProtobuf);
        }
        // 4. repeated accounts
        merge_repeated(&mut recipients)?;
        Ok(Self { recipients, shared })
    }

    /// The recipients, in order of their first appearance, without the excluded accounts.
    pub fn recipients(&self) -> impl Iterator<Item = &SentRecipient<'a>> {
        self.recipients.iter().filter(|recipient| recipient.part.is_some())
    }

    /// The accounts that the message is not for.
    pub fn excluded(&self) -> impl Iterator<Item = ServiceId> {
        self.recipients.iter().filter(|entry| entry.part.is_none()).map(|entry| entry.service_id)
    }

    /// `raw(E) || ct`: what all recipients get.
    #[must_use]
    pub const fn shared(&self) -> &'a [u8] {
        self.shared
    }

    /// What to deliver to a recipient, in three pieces to be written one after the other: a byte,
    /// 48 bytes of its own, the shared bytes. Nothing is copied.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when it is excluded.
    pub fn received_parts(&self, recipient: &SentRecipient<'a>) -> Result<[&'a [u8]; 3], Error> {
        let part = recipient.part.ok_or(Error::InvalidArgument)?;
        // 0x22, whichever form was uploaded
        Ok([&[VERSION_UUIDS], part, self.shared])
    }

    /// The message as a recipient gets it: `0x22 || C || AT || shared`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when it is excluded.
    pub fn received(&self, recipient: &SentRecipient<'a>) -> Result<Vec<u8>, Error> {
        self.received_parts(recipient).map(|parts| parts.concat())
    }
}

impl SentRecipient<'_> {
    /// The account.
    #[must_use]
    pub const fn service_id(&self) -> &ServiceId {
        &self.service_id
    }

    /// The devices with the registration ids that the sender knows; a server compares them with its
    /// own. Repetitions are not looked for.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, u16)> {
        let lists = core::iter::once(&self.devices).chain(&self.more_devices);
        lists.flat_map(|list| list.iter()).filter_map(|[device, high, low]| {
            let registration_id = u16::from_be_bytes([*high, *low]) & REGISTRATION_ID;
            Some((DeviceId::new(u32::from(*device)).ok()?, registration_id))
        })
    }
}

/// What is still to be read.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Error::InvalidProtobuf)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A varint below 2^32, of minimal length.
    fn count(&mut self) -> Result<usize, Error> {
        let mut reader = Reader::new(self.rest);
        let count = u32::try_from(reader.varint()?).map_err(|_| Error::InvalidProtobuf)?;
        let (varint, rest) = self
            .rest
            .split_at_checked(self.rest.len().saturating_sub(reader.remaining()))
            .ok_or(Error::InvalidProtobuf)?;
        // servers disagree on where a longer varint ends, so that there must be none
        if matches!(varint, [_, .., 0]) {
            return Err(Error::InvalidProtobuf);
        }
        self.rest = rest;
        usize::try_from(count).map_err(|_| Error::InvalidProtobuf)
    }

    fn recipient(&mut self, bare_uuids: bool) -> Result<SentRecipient<'a>, Error> {
        let service_id = if bare_uuids {
            ServiceId::aci(*self.array()?)
        } else {
            ServiceId::from_fixed_width(self.array::<SERVICE_ID>()?)
                .map_err(|_| Error::InvalidProtobuf)?
        };
        let more_devices = Vec::new();
        if let [0, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(SentRecipient { service_id, devices: &[], more_devices, part: None });
        }
        let devices = self.devices()?;
        Ok(SentRecipient { service_id, devices, more_devices, part: Some(self.array()?) })
    }

    /// A device list: as long as bit 15 says that another device follows.
    fn devices(&mut self) -> Result<&'a [[u8; DEVICE]], Error> {
        let (all, _) = self.rest.as_chunks::<DEVICE>();
        let mut length: usize = 0;
        for [device, high, low] in all {
            // 0 ends nothing here, and there are no devices above 127
            if !(1..=127).contains(device) {
                return Err(Error::InvalidProtobuf);
            }
            length = length.saturating_add(1);
            if u16::from_be_bytes([*high, *low]) & ANOTHER_DEVICE == 0 {
                let list = all.get(..length).ok_or(Error::InvalidProtobuf)?;
                let taken = list.as_flattened().len();
                self.rest = self.rest.get(taken..).ok_or(Error::InvalidProtobuf)?;
                return Ok(list);
            }
        }
        Err(Error::InvalidProtobuf)
    }
}

/// Joins the entries of one account into the first of them.
fn merge_repeated(recipients: &mut Vec<SentRecipient<'_>>) -> Result<(), Error> {
    let Some(first_of) = repeated(recipients) else { return Ok(()) };
    for (index, first) in first_of.iter().enumerate() {
        if *first == index {
            continue;
        }
        let Some((before, rest)) = recipients.split_at_mut_checked(index) else { continue };
        let (Some(first), Some(again)) = (before.get_mut(*first), rest.first()) else { continue };
        if first.part.is_none() || again.part.is_none() {
            return Err(Error::InvalidSealedSenderMessage);
        }
        // devices are appended; the first C || AT is kept
        first.more_devices.push(again.devices);
    }
    let mut index: usize = 0;
    recipients.retain(|_| {
        let keep = first_of.get(index) == Some(&index);
        index = index.saturating_add(1);
        keep
    });
    Ok(())
}

/// For every entry the index of the first one of its account; `None` when all accounts differ.
fn repeated(recipients: &[SentRecipient<'_>]) -> Option<Vec<usize>> {
    let id = |index: usize| recipients.get(index).map(|recipient| recipient.service_id);
    let mut order: Vec<usize> = (0..recipients.len()).collect();
    order.sort_unstable_by_key(|index| (id(*index), *index));
    let mut first_of: Vec<usize> = (0..recipients.len()).collect();
    let mut found = false;
    let mut first = None;
    for index in order {
        match first {
            Some(first) if id(first) == id(index) => {
                found = true;
                if let Some(slot) = first_of.get_mut(index) {
                    *slot = first;
                }
            }
            _ => first = Some(index),
        }
    }
    found.then_some(first_of)
}
