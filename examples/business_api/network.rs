//! The server between the customers and the business, in memory: bundles, and queues of messages.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sandi::keys::IdentityKey;
use sandi::prekey::{BundlePreKey, BundleSignedPreKey, PreKeyBundle};
use sandi::protocol::Upload;
use sandi::session::CiphertextMessage;
use sandi::{Address, DeviceId};

/// A message on its way to the business.
#[derive(Clone)]
pub(crate) struct Envelope {
    pub(crate) from: Address,
    pub(crate) message: CiphertextMessage,
}

/// What arrives at the business.
pub(crate) enum Event {
    Message(Envelope),
    /// A customer has read the answer with this ciphertext.
    Read {
        from: Address,
        ciphertext: Vec<u8>,
    },
}

/// The business's queue, from which its workers take.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    is_closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: Event) {
        self.lock().events.push_back(event);
        self.changed.notify_one();
    }

    /// Waits for events and takes up to `count` of them; none once the queue is closed and empty.
    pub(crate) fn take(&self, count: usize) -> Vec<Event> {
        let mut state = self.lock();
        while state.events.is_empty() && !state.is_closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = count.min(state.events.len());
        state.events.drain(..count).collect()
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }
}

/// What the server has of the business's pre-keys.
pub(crate) struct Shelf {
    device: DeviceId,
    registration_id: u32,
    identity_key: IdentityKey,
    signed: Option<BundleSignedPreKey>,
    one_time: VecDeque<BundlePreKey>,
}

impl Shelf {
    pub(crate) fn new(device: DeviceId, upload: &Upload) -> Self {
        let Upload { registration_id, identity_key, .. } = *upload;
        let (signed, one_time) = (None, VecDeque::new());
        let mut shelf = Self { device, registration_id, identity_key, signed, one_time };
        shelf.take_in(upload);
        shelf
    }

    pub(crate) fn take_in(&mut self, upload: &Upload) {
        if let Some(signed) = &upload.signed {
            self.signed = Some(signed.clone());
        }
        self.one_time.extend(upload.one_time.iter().cloned());
    }

    pub(crate) fn one_time_left(&self) -> usize {
        self.one_time.len()
    }

    /// A bundle for one customer, with a one-time pre-key while there are any.
    pub(crate) fn bundle(&mut self) -> Option<PreKeyBundle> {
        Some(PreKeyBundle {
            registration_id: self.registration_id,
            device_id: self.device,
            identity_key: self.identity_key,
            signed_pre_key: self.signed.clone()?,
            pre_key: self.one_time.pop_front(),
            kem_pre_key: None,
        })
    }
}
