//! Any bytes in the place of one record of a stored session: a typed error, or a session that can be used, saved
//! and loaded again. A corrupt archived state leaves the current one alone.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::keys::IdentityKeyPair;
use sandi::migrate::official::{decode_session, encode_session};
use sandi::prekey::{KemPreKey, PreKeyBundle, SignedPreKey};
use sandi::session::{Addresses, LocalDevice, PreKeys, Session};
use sandi::store::{Changes, MemoryStore, Record, Store};
use sandi::wire::{PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Error, Policy, RecordKey, Snapshot, Timestamp};

const NOW: Timestamp = Timestamp(1_000_000);

fn address(name: &str) -> Address {
    Address::new(name, DeviceId::new(1).unwrap())
}

/// A session of two receiving chains with skipped keys in pages 0 and 1, and an archived one with some too.
fn stored(policy: Policy) -> MemoryStore {
    let mut rng = Rng(4);
    let (ours, theirs) = (address("ours"), address("theirs"));
    let [us, them] = [(); 2].map(|()| IdentityKeyPair::generate(&mut rng));
    let signed = SignedPreKey::generate(1, &us, NOW, &mut rng);
    let kem = KemPreKey::generate(1, &us, NOW, &mut rng);
    let with_kem = (policy != Policy::V3).then_some(&kem);
    let bundle = PreKeyBundle::of(1, ours.device(), *us.identity_key(), &signed, None, with_kem);
    let (our_ends, their_ends) =
        (Addresses { local: &ours, remote: &theirs }, Addresses { local: &theirs, remote: &ours });
    let (mut session, mut peer) = (Session::new(), Session::new());
    for _ in 0..2 {
        let local = LocalDevice { identity: &them, registration_id: 2 };
        peer.initiate(their_ends, local, &bundle, policy, |_| true, NOW, &mut rng).unwrap();
        let mut last = Vec::new();
        for _ in 0..40 {
            last = peer.encrypt(their_ends, b"text", |_| true, NOW, &mut rng).unwrap().bytes;
        }
        let local = LocalDevice { identity: &us, registration_id: 1 };
        let keys = PreKeys { signed: Some(&signed), kem: Some(&kem), ..PreKeys::default() };
        let view = PreKeySignalMessage::parse(&last).unwrap();
        session.accept(our_ends, local, &view, keys, policy, |_| true, &mut rng).unwrap();
        let answer = session.encrypt(our_ends, b"text", |_| true, NOW, &mut rng).unwrap().bytes;
        let view = SignalMessage::parse(&answer).unwrap();
        peer.decrypt(their_ends, &view, |_| true, &mut rng).unwrap();
        for _ in 0..3 {
            last = peer.encrypt(their_ends, b"text", |_| true, NOW, &mut rng).unwrap().bytes;
        }
        let view = SignalMessage::parse(&last).unwrap();
        session.decrypt(our_ends, &view, |_| true, &mut rng).unwrap();
    }
    let mut store = MemoryStore::new();
    save(&mut session, &mut store);
    store
}

fn save(session: &mut Session, store: &mut MemoryStore) {
    let mut changes = Changes::new();
    session.save(&address("theirs"), &mut changes, &mut Rng(8)).unwrap();
    store.commit(&changes).unwrap();
}

fn load(store: &MemoryStore, other: Option<(&RecordKey, &[u8])>) -> Result<Session, Error> {
    let address = address("theirs");
    let mut snapshot = Snapshot::new();
    loop {
        let needs = Session::needs(&address, &snapshot)?;
        if needs.is_empty() {
            return Session::load(&address, &snapshot);
        }
        for key in needs {
            let record = match other {
                Some((instead, bytes)) if *instead == key => Some(Record::new(1, bytes.to_vec())),
                _ => store.load(&key).unwrap(),
            };
            snapshot.insert(key, record);
        }
    }
}

static STORES: LazyLock<[MemoryStore; 2]> = LazyLock::new(|| [Policy::V3, Policy::V4].map(stored));

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, record)) = bytes.split_first() else { return };
    let store = &STORES[usize::from(which & 1)];
    let address = address("theirs");
    let key = match (which >> 1) & 3 {
        0 => RecordKey::Session(address.clone()),
        1 => RecordKey::SessionArchive { address: address.clone(), slot: 0 },
        page => RecordKey::SkippedKeys { address: address.clone(), page: u32::from(page) - 2 },
    };
    let is_archive = matches!(key, RecordKey::SessionArchive { .. });
    let mut session = match load(store, Some((&key, record))) {
        Ok(session) => session,
        Err(Error::FutureRecord(version)) => return assert!(version > 1 && record[0] == version),
        Err(Error::InvalidSession) => return assert!(!is_archive),
        Err(error) => panic!("{error}"),
    };
    if is_archive {
        let whole = load(store, None).unwrap();
        assert!(session.base_key() == whole.base_key() && session.archived_count() == 1);
    }
    // it can be used
    let mut rng = Rng(1);
    let ours = self::address("ours");
    let ends = Addresses { local: &ours, remote: &address };
    if let Ok(message) = session.encrypt(ends, b"text", |_| true, NOW, &mut rng)
        && let Ok(view) = SignalMessage::parse(&message.bytes)
    {
        let _ = session.decrypt(ends, &view, |_| true, &mut rng);
    }
    session.archive_current();
    // and saved, whole
    let official = encode_session(&session);
    let mut fresh = decode_session(&official).unwrap();
    let mut copy = MemoryStore::new();
    save(&mut fresh, &mut copy);
    let again = load(&copy, None).unwrap();
    assert!(again == fresh && encode_session(&again) == official);
});
