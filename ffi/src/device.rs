//! A device: created once in its store, opened whenever the program starts.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use sandi::device::{Device, DeviceError, NewDevice, random_registration_id};
use sandi::keys::{IdentityKeyPair, PrivateKey};
use sandi::protocol::{IdentityChange, IdentityScope};

use crate::buffer::SandiBuffer;
use crate::guard::{self, Failure};
use crate::identity::Event;
use crate::input::{self, Output, SandiAddress};
use crate::options::{self, SandiOptions};
use crate::platform;
use crate::status::SandiStatus;
use crate::store::{SharedStore, StoreFailure};
use crate::sync::Lock;
use crate::table::{self, Kind, Object, SandiDevice, SandiStore};

/// All devices of an account share one identity key, as Signal has it.
pub const SANDI_SCOPE_ACCOUNT: u32 = 0;
/// Every device has its own, as the WhatsApp family has it.
pub const SANDI_SCOPE_DEVICE: u32 = 1;

/// What a new device is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiNewDevice {
    /// Its own address.
    pub address: SandiAddress,
    /// The account's private identity key, 32 bytes, for a linked device; null for a new identity.
    pub identity: *const u8,
    /// 32, or 0 with a null pointer.
    pub identity_len: usize,
    /// The registration id, below 2^32; 0 for a random one, 1 to 16,383.
    pub registration_id: u32,
    /// `SANDI_SCOPE_ACCOUNT` or `SANDI_SCOPE_DEVICE`.
    pub scope: u32,
}

/// Events that wait to be fetched. Beyond that, the oldest is dropped, and the loss is reported.
const EVENTS_MAX: usize = 1024;

/// A device, and what it has noticed.
pub(crate) struct DeviceObject {
    pub(crate) device: Device<SharedStore>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) events_lost: u64,
}

impl Object for DeviceObject {
    const KIND: Kind = Kind::Device;
}

impl DeviceObject {
    /// Notes an identity key that is another one than before.
    pub(crate) fn changed(&mut self, change: Option<IdentityChange>) {
        if let Some(change) = change {
            self.note(Event::IdentityChanged(change));
        }
    }

    /// Notes an identity key that waits for an answer, if that is why an operation failed.
    pub(crate) fn failed(&mut self, error: DeviceError<StoreFailure>) -> Failure {
        if let DeviceError::UntrustedIdentity(change) = &error {
            self.note(Event::IdentityBlocked((**change).clone()));
        }
        error.into()
    }

    /// Notes what the program has to know.
    pub(crate) fn note(&mut self, event: Event) {
        // A message that is delivered again and again is news only once.
        if self.events.contains(&event) {
            return;
        }
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
            self.events_lost = self.events_lost.saturating_add(1);
        }
        self.events.push_back(event);
    }
}

/// The device of a handle.
pub(crate) fn get(device: SandiDevice) -> Result<Arc<Lock<DeviceObject>>, Failure> {
    table::get(device.id)
}

/// Runs a function on the device of a handle.
pub(crate) fn with<T>(
    device: SandiDevice,
    run: impl FnOnce(&mut DeviceObject) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let device = get(device)?;
    let mut device = device.lock()?;
    run(&mut device)
}

fn insert(device: Device<SharedStore>, cached: usize) -> Result<SandiDevice, Failure> {
    let device = device.with_cache(cached);
    let object = DeviceObject { device, events: VecDeque::new(), events_lost: 0 };
    Ok(SandiDevice { id: table::insert(object)? })
}

fn store(handle: SandiStore) -> Result<SharedStore, Failure> {
    Ok(table::get::<SharedStore>(handle.id)?.lock()?.clone())
}

/// Creates the device in a store that has none. The store's handle stays the program's. Durable when it
/// returns. Its pre-keys are made by the first `sandi_device_replenish`.
///
/// `options` may be null: the defaults.
///
/// Errors: `AlreadyCreated`; `InvalidLength`, `BadKeyLength` for the identity; `OutOfRange`; `StoreFailed`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_create(
    store_handle: SandiStore,
    new_device: *const SandiNewDevice,
    options: *const SandiOptions,
    out: *mut SandiDevice,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiDevice::NONE) }?;
        // SAFETY: as before.
        let new = unsafe { input::value(new_device) }?;
        // SAFETY: as before.
        let (options, cached) = unsafe { options::read(options) }?;
        // SAFETY: as before.
        let address = unsafe { input::address(&raw const new.address) }?;
        // SAFETY: as before.
        let identity = unsafe { input::bytes(new.identity, new.identity_len) }?;
        let scope = match new.scope {
            SANDI_SCOPE_ACCOUNT => IdentityScope::Account,
            SANDI_SCOPE_DEVICE => IdentityScope::Device,
            _ => return Err(SandiStatus::OutOfRange.into()),
        };
        let store = store(store_handle)?;
        let rng = &mut platform::random();
        let identity = if identity.is_empty() {
            IdentityKeyPair::generate(rng)
        } else {
            IdentityKeyPair::from_private(PrivateKey::decode(identity)?)
        };
        let registration_id = match new.registration_id {
            0 => random_registration_id(rng),
            id => id,
        };
        let new = NewDevice { address, identity, registration_id, scope };
        out.set(insert(Device::create(store, new, options, rng)?, cached)?);
        Ok(())
    })
}

/// Opens the device of a store. `options` may be null: the defaults.
///
/// Errors: `NotCreated`; `FutureRecord`, `InvalidState`; `OutOfRange`; `StoreFailed`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_open(
    store_handle: SandiStore,
    options: *const SandiOptions,
    out: *mut SandiDevice,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiDevice::NONE) }?;
        // SAFETY: as before.
        let (options, cached) = unsafe { options::read(options) }?;
        out.set(insert(Device::open(store(store_handle)?, options)?, cached)?);
        Ok(())
    })
}

/// Frees a device. What it has committed stays in its store. A message that is not committed yet keeps the
/// device until it is freed, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_free(device: SandiDevice) -> SandiStatus {
    guard::run(|| table::free(Kind::Device, device.id))
}

/// The device's own address. `device_id` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_address(
    device: SandiDevice,
    name: *mut SandiBuffer,
    device_id: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let name = unsafe { Output::new(name, SandiBuffer::NONE) }?;
        // SAFETY: as before.
        let id = unsafe { Output::optional(device_id, 0) }?;
        let address = with(device, |object| Ok(object.device.address().clone()))?;
        name.set(SandiBuffer::copy(address.name().as_bytes())?);
        if let Some(id) = id {
            id.set(address.device().get().into());
        }
        Ok(())
    })
}

/// The account's identity key: 33 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_identity_key(
    device: SandiDevice,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        let key = with(device, |object| Ok(object.device.identity_key().encode()))?;
        out.set(SandiBuffer::copy(&key)?);
        Ok(())
    })
}

/// The account's private identity key, 32 bytes: to link another device, or to back it up. A secret.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_private_identity_key(
    device: SandiDevice,
    out: *mut SandiBuffer,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, SandiBuffer::NONE) }?;
        out.set(with(device, |object| {
            SandiBuffer::copy(object.device.identity().private_key().secret().expose())
        })?);
        Ok(())
    })
}

/// The device's registration id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_device_registration_id(
    device: SandiDevice,
    out: *mut u32,
) -> SandiStatus {
    guard::run(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let out = unsafe { Output::new(out, 0) }?;
        out.set(with(device, |object| Ok(object.device.registration_id()))?);
        Ok(())
    })
}
