//! The encoding of pre-key bundles at this border.
//!
//! ```text
//! bundle   = version registration_id device_id identity signed flags [one_time] [kem]
//! version  = 01
//! signed   = id key signature        flags = bit 0: one_time, bit 1: kem; no other bit
//! one_time = id key                  kem   = id signature kem_key
//! ```
//!
//! `registration_id` and every `id` are 4 bytes, big-endian; `device_id` and `flags` one byte; `identity` and
//! `key` 33 bytes, `signature` 64, `kem_key` 1,569. Nothing follows: so one bundle has one encoding, of 141 to
//! 1,815 bytes.

use alloc::vec::Vec;

use sandi::DeviceId;
use sandi::keys::{IdentityKey, KemPublicKey, PublicKey, Signature};
use sandi::prekey::{BundleKemPreKey, BundlePreKey, BundleSignedPreKey, PreKeyBundle};

use crate::buffer::{Gift, SandiBuffer};
use crate::guard::{self, Failure};
use crate::input::{self, Output, SandiBytes};
use crate::status::SandiStatus;

const VERSION: u8 = 1;
const ONE_TIME: u8 = 1;
const KEM: u8 = 2;

/// A pre-key bundle in its parts, as a server's answer has them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiBundleParts {
    /// The device's registration id.
    pub registration_id: u32,
    /// The device's id.
    pub device_id: u32,
    /// The account's identity key, 33 bytes.
    pub identity_key: SandiBytes,
    /// The signed pre-key's id.
    pub signed_id: u32,
    /// The id of the one-time pre-key, if there is one.
    pub one_time_id: u32,
    /// The signed pre-key, 33 bytes.
    pub signed_key: SandiBytes,
    /// The signature over it, 64 bytes.
    pub signed_signature: SandiBytes,
    /// The one-time pre-key, 33 bytes; empty if there is none.
    pub one_time_key: SandiBytes,
    /// The id of the KEM pre-key, if there is one.
    pub kem_id: u32,
    /// Set to 0.
    pub reserved: u32,
    /// The KEM pre-key, 1,569 bytes; empty if there is none.
    pub kem_key: SandiBytes,
    /// The signature over it, 64 bytes.
    pub kem_signature: SandiBytes,
}

/// Writes a bundle.
pub(crate) fn encode(bundle: &PreKeyBundle) -> Vec<u8> {
    let mut out = Vec::with_capacity(141);
    out.push(VERSION);
    out.extend(bundle.registration_id.to_be_bytes());
    out.push(bundle.device_id.get());
    out.extend(bundle.identity_key.encode());
    out.extend(bundle.signed_pre_key.id.to_be_bytes());
    out.extend(bundle.signed_pre_key.key.encode());
    out.extend(bundle.signed_pre_key.signature);
    let one_time = if bundle.pre_key.is_some() { ONE_TIME } else { 0 };
    let kem = if bundle.kem_pre_key.is_some() { KEM } else { 0 };
    out.push(one_time | kem);
    if let Some(key) = &bundle.pre_key {
        out.extend(key.id.to_be_bytes());
        out.extend(key.key.encode());
    }
    if let Some(key) = &bundle.kem_pre_key {
        out.extend(key.id.to_be_bytes());
        out.extend(key.signature);
        out.extend(key.key.encode());
    }
    out
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Failure> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SandiStatus::InvalidLength)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Failure> {
        self.take::<1>().map(|[byte]| *byte)
    }

    fn number(&mut self) -> Result<u32, Failure> {
        self.take().map(|bytes| u32::from_be_bytes(*bytes))
    }

    fn key(&mut self) -> Result<PublicKey, Failure> {
        Ok(PublicKey::decode(self.take::<{ PublicKey::LENGTH }>()?)?)
    }
}

/// Reads a bundle.
pub(crate) fn decode(bytes: &[u8]) -> Result<PreKeyBundle, Failure> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return Err(SandiStatus::UnknownEncoding.into());
    }
    let registration_id = reader.number()?;
    let device_id = DeviceId::new_v3(reader.byte()?.into())?;
    let identity_key = IdentityKey::new(reader.key()?);
    let signed_pre_key =
        BundleSignedPreKey { id: reader.number()?, key: reader.key()?, signature: *reader.take()? };
    let flags = reader.byte()?;
    if flags & !(ONE_TIME | KEM) != 0 {
        return Err(SandiStatus::OutOfRange.into());
    }
    let pre_key = if flags & ONE_TIME == 0 {
        None
    } else {
        Some(BundlePreKey { id: reader.number()?, key: reader.key()? })
    };
    let kem_pre_key = if flags & KEM == 0 {
        None
    } else {
        let (id, signature) = (reader.number()?, *reader.take()?);
        let key = KemPublicKey::decode(reader.take::<{ KemPublicKey::LENGTH }>()?)?;
        Some(BundleKemPreKey { id, key, signature })
    };
    if !reader.0.is_empty() {
        return Err(SandiStatus::InvalidLength.into());
    }
    Ok(PreKeyBundle {
        registration_id,
        device_id,
        identity_key,
        signed_pre_key,
        pre_key,
        kem_pre_key,
    })
}

/// Makes a bundle of its parts: of what a server has answered. Its signatures are verified when a session is
/// started.
///
/// Errors: `InvalidLength` for a signature; those of the keys; `OutOfRange`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_bundle_encode(
    parts: *const SandiBundleParts,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let parts = unsafe { input::value(parts) }?;
        if parts.reserved != 0 {
            return Err(SandiStatus::OutOfRange.into());
        }
        // SAFETY: as before.
        let read = |part: SandiBytes| unsafe { input::bytes(part.data, part.len) };
        let signature = |part| -> Result<Signature, Failure> {
            read(part)?.try_into().map_err(|_| SandiStatus::InvalidLength.into())
        };
        let (one_time, kem) = (read(parts.one_time_key)?, read(parts.kem_key)?);
        let bundle = PreKeyBundle {
            registration_id: parts.registration_id,
            device_id: DeviceId::new_v3(parts.device_id)?,
            identity_key: IdentityKey::decode(read(parts.identity_key)?)?,
            signed_pre_key: BundleSignedPreKey {
                id: parts.signed_id,
                key: PublicKey::decode(read(parts.signed_key)?)?,
                signature: signature(parts.signed_signature)?,
            },
            pre_key: match one_time {
                [] => None,
                key => Some(BundlePreKey { id: parts.one_time_id, key: PublicKey::decode(key)? }),
            },
            kem_pre_key: match kem {
                [] => None,
                key => Some(BundleKemPreKey {
                    id: parts.kem_id,
                    key: KemPublicKey::decode(key)?,
                    signature: signature(parts.kem_signature)?,
                }),
            },
        };
        out.set(SandiBuffer::give(encode(&bundle))?);
        Ok(())
    })
}

/// What `sandi_bundle_decode` gives: `parts` points into `memory`, and is valid until that is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiBundleRead {
    /// The parts.
    pub parts: SandiBundleParts,
    /// What they point into. Free it with `sandi_buffer_free`.
    pub memory: SandiBuffer,
}

const NO_BYTES: SandiBytes = SandiBytes { data: core::ptr::null(), len: 0 };

/// Takes a bundle apart, for a server that wants its fields.
///
/// Errors: `UnknownEncoding`, `InvalidLength`, `OutOfRange`; those of the keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_bundle_decode(
    data: *const u8,
    len: usize,
    out: *mut SandiBundleRead,
) -> SandiStatus {
    guard::run(|| {
        let mut read = SandiBundleRead {
            parts: SandiBundleParts {
                registration_id: 0,
                device_id: 0,
                identity_key: NO_BYTES,
                signed_id: 0,
                one_time_id: 0,
                signed_key: NO_BYTES,
                signed_signature: NO_BYTES,
                one_time_key: NO_BYTES,
                kem_id: 0,
                reserved: 0,
                kem_key: NO_BYTES,
                kem_signature: NO_BYTES,
            },
            memory: SandiBuffer::NONE,
        };
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, read) }?;
        // SAFETY: as before.
        let bytes = unsafe { input::bytes(data, len) }?;
        let bundle = decode(bytes)?;
        // The encoding is canonical: its copy is the memory that the parts point into.
        let mut gift = Gift::default();
        read.memory = gift.add(bytes.to_vec())?;
        let mut at = 0_usize;
        let mut part = |len: usize| {
            let data = read.memory.data.wrapping_add(at);
            at = at.saturating_add(len);
            SandiBytes { data, len }
        };
        let parts = &mut read.parts;
        parts.registration_id = bundle.registration_id;
        parts.device_id = bundle.device_id.get().into();
        part(6);
        parts.identity_key = part(PublicKey::LENGTH);
        parts.signed_id = bundle.signed_pre_key.id;
        part(4);
        parts.signed_key = part(PublicKey::LENGTH);
        parts.signed_signature = part(size_of::<Signature>());
        part(1);
        if let Some(key) = &bundle.pre_key {
            parts.one_time_id = key.id;
            part(4);
            parts.one_time_key = part(PublicKey::LENGTH);
        }
        if let Some(key) = &bundle.kem_pre_key {
            parts.kem_id = key.id;
            part(4);
            parts.kem_signature = part(size_of::<Signature>());
            parts.kem_key = part(KemPublicKey::LENGTH);
        }
        gift.done();
        out.set(read);
        Ok(())
    })
}
