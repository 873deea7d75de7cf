//! `SignalMessage`: one message of the Double Ratchet (spec 04 §2).
//!
//! `version byte (1) || protobuf || MAC (8)`
//!
//! | # | type | meaning |
//! |---|---|---|
//! | 1 | bytes | sender ratchet public key, 33 bytes |
//! | 2 | uint32 | counter in the sending chain |
//! | 3 | uint32 | previous counter |
//! | 4 | bytes | AES-CBC ciphertext |
//! | 5 | bytes | SPQR message |
//! | 6 | bytes | address binding, 36 bytes |

use alloc::vec::Vec;
use core::ops::Range;

use super::address_binding::ADDRESS_BINDING_LENGTH;
use super::reader::Reader;
use super::version::session_version;
use super::writer::{self, Writer};
use crate::error::Error;
use crate::keys::PublicKey;

/// Length of a message's MAC, in bytes (spec 04 §0).
pub const MAC_LENGTH: usize = 8;

/// A received message of the Double Ratchet: a view into its bytes. Its MAC is **not** checked yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalMessage<'a> {
    bytes: &'a [u8],
    authenticated: &'a [u8],
    mac: &'a [u8; MAC_LENGTH],
    version_byte: u8,
    ratchet_key: PublicKey,
    counter: u32,
    previous_counter: u32,
    ciphertext: &'a [u8],
    pq_ratchet: Option<&'a [u8]>,
    addresses: Option<&'a [u8]>,
}

impl<'a> SignalMessage<'a> {
    /// Parses a message (spec 04 §2.2).
    ///
    /// # Errors
    ///
    /// In this order: [`Error::CiphertextTooShort`] below 9 bytes;
    /// [`Error::LegacyCiphertextVersion`] and [`Error::UnrecognizedCiphertextVersion`] for a session
    /// version other than 3 and 4; [`Error::InvalidProtobuf`] when the protobuf is malformed or lacks
    /// field 1, 2 or 4; the errors of [`PublicKey::decode`] for the ratchet key.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        // 1. version byte || protobuf || MAC
        let too_short = Error::CiphertextTooShort(bytes.len());
        let (authenticated, mac) = bytes.split_last_chunk().ok_or(too_short)?;
        let (&version_byte, protobuf) = authenticated.split_first().ok_or(too_short)?;
        // 2. high nibble
        session_version(version_byte)?;

        // 3. fields 1, 2 and 4 are required
        let (mut ratchet_key, mut counter, mut previous_counter) = (None, None, 0);
        let (mut ciphertext, mut pq_ratchet, mut addresses) = (None, None, None);
        for field in Reader::new(protobuf) {
            match field? {
                (1, value) => ratchet_key = Some(value.bytes()?),
                (2, value) => counter = Some(value.uint32()?),
                (3, value) => previous_counter = value.uint32()?,
                (4, value) => ciphertext = Some(value.bytes()?),
                (5, value) => pq_ratchet = Some(value.bytes()?),
                (6, value) => addresses = Some(value.bytes()?),
                _ => {}
            }
        }
        let (Some(ratchet_key), Some(counter), Some(ciphertext)) =
            (ratchet_key, counter, ciphertext)
        else {
            return Err(Error::InvalidProtobuf);
        };

        // 4. the ratchet key decodes
        let ratchet_key = PublicKey::decode(ratchet_key)?;
        Ok(Self {
            bytes,
            authenticated,
            mac,
            version_byte,
            ratchet_key,
            counter,
            previous_counter,
            ciphertext,
            pq_ratchet,
            addresses,
        })
    }

    /// The session version, 3 or 4: the high nibble of the version byte.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version_byte >> 4
    }

    /// The version byte as received. All of it is under the MAC.
    #[must_use]
    pub const fn version_byte(&self) -> u8 {
        self.version_byte
    }

    /// The sender's ratchet key.
    #[must_use]
    pub const fn ratchet_key(&self) -> &PublicKey {
        &self.ratchet_key
    }

    /// The message's index in the sending chain; the first message of a chain has 0.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// The last index of the previous sending chain; 0 when absent. Receivers ignore it.
    #[must_use]
    pub const fn previous_counter(&self) -> u32 {
        self.previous_counter
    }

    /// The AES-CBC ciphertext. Its length is not checked here.
    #[must_use]
    pub const fn ciphertext(&self) -> &'a [u8] {
        self.ciphertext
    }

    /// Where in the message the ciphertext lies.
    #[must_use]
    pub fn ciphertext_range(&self) -> Range<usize> {
        let start = self.ciphertext.as_ptr().addr().saturating_sub(self.bytes.as_ptr().addr());
        start..start.saturating_add(self.ciphertext.len())
    }

    /// The SPQR message.
    #[must_use]
    pub const fn pq_ratchet(&self) -> Option<&'a [u8]> {
        self.pq_ratchet
    }

    /// The address binding. Its length is not checked here: any length but 36 is a wrong binding.
    #[must_use]
    pub const fn addresses(&self) -> Option<&'a [u8]> {
        self.addresses
    }

    /// What the MAC covers after the two identity keys: version byte and protobuf, exactly as received.
    #[must_use]
    pub const fn authenticated(&self) -> &'a [u8] {
        self.authenticated
    }

    /// The MAC as received.
    #[must_use]
    pub const fn mac(&self) -> &'a [u8; MAC_LENGTH] {
        self.mac
    }

    /// The whole message as received.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// What a sender puts into a [`SignalMessage`], but for the ciphertext and the MAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalMessageFields<'a> {
    /// The version byte (spec 04 §2.1).
    pub version_byte: u8,
    /// The sender's ratchet key.
    pub ratchet_key: &'a PublicKey,
    /// The message's index in the sending chain.
    pub counter: u32,
    /// The last index of the previous sending chain.
    pub previous_counter: u32,
    /// The SPQR message; an empty one is not written.
    pub pq_ratchet: &'a [u8],
    /// The address binding.
    pub addresses: Option<&'a [u8; ADDRESS_BINDING_LENGTH]>,
}

impl SignalMessageFields<'_> {
    /// Length in bytes of the whole message, MAC included, around `ciphertext_len` bytes.
    #[must_use]
    pub fn encoded_len(&self, ciphertext_len: usize) -> usize {
        writer::encoded_len(|w| {
            self.before_ciphertext(w, ciphertext_len);
            self.after_ciphertext(w);
        })
        .saturating_add(ciphertext_len)
        .saturating_add(MAC_LENGTH)
    }

    /// Appends the message to `out`, after reserving exactly its length: a buffer that is used again
    /// does not allocate.
    ///
    /// `fill` writes the ciphertext in place, over `ciphertext_len` zero bytes. Then `mac` computes the
    /// MAC over its argument: version byte and protobuf as they were just written.
    ///
    /// # Errors
    ///
    /// What `fill` returns; `out` is as before then. [`Error::InvalidArgument`] when the message would
    /// exceed the address space.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        ciphertext_len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), Error>,
        mac: impl FnOnce(&[u8]) -> [u8; MAC_LENGTH],
    ) -> Result<(), Error> {
        let start = out.len();
        writer::reserve(out, self.encoded_len(ciphertext_len))?;
        self.before_ciphertext(&mut Writer::new(out), ciphertext_len);

        // The ciphertext, in place.
        let at = out.len();
        out.resize(at.saturating_add(ciphertext_len), 0);
        let filled = out.get_mut(at..).ok_or(Error::InvalidArgument).and_then(fill);
        if let Err(error) = filled {
            out.truncate(start);
            return Err(error);
        }

        self.after_ciphertext(&mut Writer::new(out));
        let mac = mac(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&mac);
        Ok(())
    }

    /// Version byte, fields 1 to 3 and the head of field 4. Zero counters are written (spec 04 §2.1).
    #[inline]
    fn before_ciphertext(&self, w: &mut Writer<'_>, ciphertext_len: usize) {
        w.raw(&[self.version_byte]);
        w.bytes(1, &self.ratchet_key.encode());
        w.uint(2, self.counter);
        w.uint(3, self.previous_counter);
        w.delimited(4, ciphertext_len);
    }

    /// Fields 5 and 6.
    #[inline]
    fn after_ciphertext(&self, w: &mut Writer<'_>) {
        w.bytes_nonempty(5, self.pq_ratchet);
        w.bytes_option(6, self.addresses.map(<[u8; ADDRESS_BINDING_LENGTH]>::as_slice));
    }
}
