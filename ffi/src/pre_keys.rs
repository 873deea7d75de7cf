//! The device's own pre-keys: what to upload to the server.

use alloc::vec::Vec;

use sandi::protocol::{ServerStock, Upload};
use sandi::{DeviceId, Timestamp};

use crate::buffer::{Gift, SandiBuffer};
use crate::bundle;
use crate::device;
use crate::guard;
use crate::input::Output;
use crate::platform;
use crate::status::SandiStatus;
use crate::table::{self, Kind, Object, SandiDevice, SandiUpload};

/// The signed pre-key; one at most.
pub const SANDI_KEYS_SIGNED: u32 = 0;
/// The last-resort KEM pre-key; one at most.
pub const SANDI_KEYS_LAST_RESORT: u32 = 1;
/// One-time pre-keys.
pub const SANDI_KEYS_ONE_TIME: u32 = 2;
/// One-time KEM pre-keys.
pub const SANDI_KEYS_ONE_TIME_KEM: u32 = 3;

/// A public pre-key to upload. Free both buffers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiPublicPreKey {
    /// Its id.
    pub id: u32,
    /// Set to 0.
    pub reserved: u32,
    /// Its encoding: 33 bytes, or 1,569 of a KEM.
    pub key: SandiBuffer,
    /// The identity's signature over it, 64 bytes; no buffer for a one-time pre-key.
    pub signature: SandiBuffer,
}

struct UploadObject(Upload);

impl Object for UploadObject {
    const KIND: Kind = Kind::Upload;
}

/// Brings the pre-keys up to date and says what to upload: when the device is new, about once a day, and
/// whenever the server's stock runs low. `one_time` and `one_time_kem` are what the server still has. Durable
/// when it returns; an upload that fails or is lost comes up again.
///
/// Errors: `InvalidState`; those of the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_replenish(
    device: SandiDevice,
    one_time: u32,
    one_time_kem: u32,
    now_ms: u64,
    out: *mut SandiUpload,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiUpload::NONE) }?;
        let upload = device::with(device, |object| {
            let stock = ServerStock { one_time, one_time_kem };
            Ok(object.device.replenish(stock, Timestamp(now_ms), &mut platform::random())?)
        })?;
        out.set(SandiUpload { id: table::insert(UploadObject(upload))? });
        Ok(())
    })
}

/// Notes that the server has an upload.
///
/// Errors: as `sandi_device_replenish`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_confirm_upload(
    device: SandiDevice,
    upload: SandiUpload,
    now_ms: u64,
) -> SandiStatus {
    guard::run(|| {
        let upload = table::get::<UploadObject>(upload.id)?;
        let upload = upload.lock()?;
        device::with(device, |object| {
            let rng = &mut platform::random();
            Ok(object.device.confirm_upload(&upload.0, Timestamp(now_ms), rng)?)
        })
    })
}

/// Whether there is nothing to upload: 1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_upload_is_empty(upload: SandiUpload, out: *mut u32) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, 0) }?;
        out.set(table::get::<UploadObject>(upload.id)?.lock()?.0.is_empty().into());
        Ok(())
    })
}

/// A public key of the upload: of a kind (`SANDI_KEYS_…`), at an index from 0.
///
/// Errors: `NotFound` beyond the last; `OutOfRange` for the kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_upload_key(
    upload: SandiUpload,
    kind: u32,
    index: usize,
    out: *mut SandiPublicPreKey,
) -> SandiStatus {
    guard::run(|| {
        let none = SandiPublicPreKey {
            id: 0,
            reserved: 0,
            key: SandiBuffer::NONE,
            signature: SandiBuffer::NONE,
        };
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, none) }?;
        let object = table::get::<UploadObject>(upload.id)?;
        let upload = &object.lock()?.0;
        let first = index == 0;
        let found: Option<(u32, Vec<u8>, Option<[u8; 64]>)> = match kind {
            SANDI_KEYS_SIGNED => upload
                .signed
                .as_ref()
                .filter(|_| first)
                .map(|key| (key.id, key.key.encode().to_vec(), Some(key.signature))),
            SANDI_KEYS_LAST_RESORT => upload
                .last_resort
                .as_ref()
                .filter(|_| first)
                .map(|key| (key.id, key.key.encode(), Some(key.signature))),
            SANDI_KEYS_ONE_TIME => {
                upload.one_time.get(index).map(|key| (key.id, key.key.encode().to_vec(), None))
            }
            SANDI_KEYS_ONE_TIME_KEM => upload
                .one_time_kem
                .get(index)
                .map(|key| (key.id, key.key.encode(), Some(key.signature))),
            _ => return Err(SandiStatus::OutOfRange.into()),
        };
        let (id, key, signature) = found.ok_or(SandiStatus::NotFound)?;
        let mut gift = Gift::default();
        let key = gift.add(key)?;
        let signature = match signature {
            Some(signature) => gift.add(signature.to_vec())?,
            None => SandiBuffer::NONE,
        };
        gift.done();
        out.set(SandiPublicPreKey { id, reserved: 0, key, signature });
        Ok(())
    })
}

/// The bundle that a server makes of this upload for one peer, with the one-time pre-keys at `index` as long
/// as there are some: for tests, and for peers that meet without a server.
///
/// Errors: `NotFound` if the upload has no signed pre-key; `InvalidProtocolAddress` for the device id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_upload_bundle(
    upload: SandiUpload,
    device_id: u32,
    index: usize,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        let device_id = DeviceId::new_v3(device_id)?;
        let object = table::get::<UploadObject>(upload.id)?;
        let bundle = object.lock()?.0.bundle(device_id, index).ok_or(SandiStatus::NotFound)?;
        out.set(SandiBuffer::give(bundle::encode(&bundle))?);
        Ok(())
    })
}

/// Frees an upload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_upload_free(upload: SandiUpload) -> SandiStatus {
    guard::run(|| table::free(Kind::Upload, upload.id))
}
