//! Any bytes in the place of any one of a device's stored records: every operation gives a typed answer, and
//! one that fails has changed nothing.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use std::cell::RefCell;
use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::device::NewDevice;
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, PreKeyPlan, ServerStock, Verification};
use sandi::sesame::ListedDevice;
use sandi::session::CiphertextMessage;
use sandi::store::{Expected, Write};
use sandi::wire::DecryptionErrorMessage;
use sandi::{Address, Changes, Device, DeviceId, MemoryStore, Policy, RecordKey, Store, Timestamp};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const LATER: Timestamp = Timestamp(1_790_000_000_000 + 40 * 24 * 60 * 60 * 1000);

type Shared = Rc<RefCell<MemoryStore>>;

/// A device in the middle of things, and what is on its way to it.
struct World {
    store: MemoryStore,
    keys: Vec<RecordKey>,
    peer: Address,
    stranger: Address,
    plain: CiphertextMessage,
    late: CiphertextMessage,
    first: CiphertextMessage,
    request: DecryptionErrorMessage,
}

fn options(dialects: Policy) -> Options {
    let pre_keys =
        PreKeyPlan { one_time: 2, one_time_kem: 1, refill_below: 1, ..PreKeyPlan::default() };
    Options { dialects, pre_keys, ..Options::default() }
}

fn create(name: &str, policy: Policy, rng: &mut Rng) -> Device<Shared> {
    let address = Address::new(name, DeviceId::new(1).unwrap());
    let identity = IdentityKeyPair::generate(rng);
    let new = NewDevice { address, identity, registration_id: 7, scope: IdentityScope::Account };
    Device::create(Shared::default(), new, options(policy), rng).unwrap()
}

fn world(policy: Policy) -> World {
    let rng = &mut Rng(99);
    let [mut ours, mut peer, mut stranger] =
        ["ours", "peer", "stranger"].map(|name| create(name, policy, rng));
    let upload = ours.replenish(ServerStock::default(), NOW, rng).unwrap();
    let id = DeviceId::new(1).unwrap();
    let (us, them) = (ours.address().clone(), peer.address().clone());
    // With one-time pre-keys, and without.
    peer.start_session(&us, &upload.bundle(id, 0).unwrap(), NOW, rng).unwrap();
    stranger.start_session(&us, &upload.bundle(id, 9).unwrap(), NOW, rng).unwrap();
    let first = stranger.encrypt(&us, b"first", NOW, rng).unwrap();
    let hello = peer.encrypt(&us, b"hello", NOW, rng).unwrap();
    ours.decrypt(&them, hello.message_type, &hello.bytes, NOW, rng).unwrap().commit().unwrap();
    // An archived session, and skipped keys in the current one.
    peer.start_session(&us, &upload.bundle(id, 1).unwrap(), NOW, rng).unwrap();
    let again = peer.encrypt(&us, b"again", NOW, rng).unwrap();
    ours.decrypt(&them, again.message_type, &again.bytes, NOW, rng).unwrap().commit().unwrap();
    let reply = ours.encrypt(&them, b"reply", NOW, rng).unwrap();
    peer.decrypt(&us, reply.message_type, &reply.bytes, NOW, rng).unwrap().commit().unwrap();
    let late = peer.encrypt(&us, b"late", NOW, rng).unwrap();
    let next = peer.encrypt(&us, b"next", NOW, rng).unwrap();
    ours.decrypt(&them, next.message_type, &next.bytes, NOW, rng).unwrap().commit().unwrap();
    let plain = peer.encrypt(&us, b"plain", NOW, rng).unwrap();
    let listed = [ListedDevice { id, registration_id: Some(7) }];
    ours.update_devices("peer", &listed, NOW, rng).unwrap();
    ours.update_devices("peer", &[], NOW, rng).unwrap();
    ours.ask_retry(&them, plain.message_type, &plain.bytes, NOW, NOW, rng).unwrap();
    let request =
        DecryptionErrorMessage::for_original(&reply.bytes, reply.message_type, NOW, 1).unwrap();
    let store = ours.store().borrow().snapshot();
    let keys = store.iter().map(|(key, _)| key.clone()).collect();
    World {
        store,
        keys,
        peer: them,
        stranger: stranger.address().clone(),
        plain,
        late,
        first,
        request,
    }
}

thread_local! {
    static WORLDS: [World; 2] = [world(Policy::V3), world(Policy::V4)];
}

fn contents(store: &Shared) -> Vec<(RecordKey, u64, Vec<u8>)> {
    let store = store.borrow();
    store
        .iter()
        .map(|(key, record)| (key.clone(), record.revision(), record.bytes().to_vec()))
        .collect()
}

/// An operation of the device; its answer is success or not.
type Operation<'a> = Box<dyn FnOnce(&mut Device<Shared>, &mut Rng) -> bool + 'a>;

fn run(world: &World, which: u8, flip: Option<u16>, bytes: &[u8], policy: Policy) {
    let store = Shared::new(RefCell::new(world.store.snapshot()));
    let key = &world.keys[usize::from(which) % world.keys.len()];
    let record = store.load(key).unwrap().unwrap();
    let mut changed = record.bytes().to_vec();
    match flip {
        Some(at) => {
            let at = usize::from(at) % (8 * changed.len().max(1));
            if let Some(byte) = changed.get_mut(at / 8) {
                *byte ^= 1 << (at % 8);
            }
        }
        None => changed = bytes.to_vec(),
    }
    let mut changes = Changes::new();
    let revision = record.revision() + 1;
    changes
        .insert(
            key.clone(),
            Expected::Revision(record.revision()),
            Write::Put { revision, bytes: changed.into() },
        )
        .unwrap();
    store.clone().commit(&changes).unwrap();

    let id = DeviceId::new(1).unwrap();
    let operations: Vec<Operation<'_>> = vec![
        Box::new(|d, rng| {
            d.decrypt(&world.peer, world.plain.message_type, &world.plain.bytes, NOW, rng)
                .and_then(|r| r.commit())
                .is_ok()
        }),
        Box::new(|d, rng| {
            d.decrypt(&world.peer, world.late.message_type, &world.late.bytes, NOW, rng)
                .and_then(|r| r.commit())
                .is_ok()
        }),
        Box::new(|d, rng| {
            d.decrypt(&world.stranger, world.first.message_type, &world.first.bytes, NOW, rng)
                .and_then(|r| r.commit())
                .is_ok()
        }),
        Box::new(|d, rng| d.encrypt(&world.peer, b"text", NOW, rng).is_ok()),
        Box::new(|d, rng| d.answer_retry(&world.peer, &world.request, NOW, rng).is_ok()),
        Box::new(|d, rng| {
            d.ask_retry(&world.peer, world.plain.message_type, &world.plain.bytes, NOW, NOW, rng)
                .is_ok()
        }),
        Box::new(|d, rng| d.encrypt_to_users(&["peer"], b"text", None, NOW, rng).is_ok()),
        Box::new(move |d, rng| {
            d.update_devices("peer", &[ListedDevice { id, registration_id: None }], LATER, rng)
                .is_ok()
        }),
        Box::new(|d, rng| d.replenish(ServerStock::default(), LATER, rng).is_ok()),
        Box::new(|d, rng| {
            let known = d.identity_of(&world.peer);
            let Ok(Some(known)) = known else { return known.is_ok() };
            d.set_verification(&world.peer, known.key(), Verification::Verified, NOW, rng).is_ok()
        }),
    ];
    let rng = &mut Rng(7);
    for operation in operations {
        let Ok(mut device) = Device::open(store.clone(), options(policy)) else { return };
        let before = contents(&store);
        if !operation(&mut device, rng) {
            // `replenish` is two operations: the first may have succeeded.
            let after = contents(&store);
            assert!(
                before == after
                    || matches!(
                        key,
                        RecordKey::PreKey(_) | RecordKey::SignedPreKey(_) | RecordKey::KemPreKey(_)
                    ),
                "a failure has changed {key:?}"
            );
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [dialect, which, mode, low, rest @ ..] = bytes else { return };
    let policy = if dialect % 2 == 0 { Policy::V3 } else { Policy::V4 };
    let flip = (mode % 2 == 0)
        .then(|| u16::from_le_bytes([*low, rest.first().copied().unwrap_or_default()]));
    WORLDS.with(|worlds| run(&worlds[usize::from(dialect % 2)], *which, flip, rest, policy));
});
