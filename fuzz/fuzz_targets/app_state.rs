//! App state: any bytes as each of its messages; a schedule of mutations that two devices agree on; a patch
//! with one byte changed.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sandi::app_state::{
    AppStateKey, AppStateKeyId, Collection, CollectionName, CollectionSnapshot, ExternalBlob,
    KeyRequest, KeyShare, Keyring, Mutation, Operation, Patch,
};
use sandi::{Error, Jid, Secret};

#[path = "../rng.rs"]
mod rng;

const NAME: CollectionName = CollectionName::RegularHigh;

/// Any bytes: no panic, and what decodes encodes to something that decodes to the same.
fn parsers(bytes: &[u8], keyring: &Keyring) {
    if let Ok(patch) = Patch::parse(bytes) {
        assert_eq!(Patch::parse(&patch.encode()).unwrap(), patch);
        let applied = Collection::new(NAME).apply(&patch, keyring, &BTreeMap::new());
        assert!(applied.is_err(), "nobody made this patch");
        let _ = patch.with_external(bytes);
    }
    if let Ok(snapshot) = CollectionSnapshot::parse(bytes) {
        assert_eq!(CollectionSnapshot::parse(&snapshot.encode()).unwrap(), snapshot);
        assert!(Collection::new(NAME).restore(&snapshot, keyring).is_err());
    }
    if let Ok(blob) = ExternalBlob::parse(bytes) {
        assert_eq!(ExternalBlob::parse(&blob.encode()).unwrap(), blob);
    }
    let own = [Jid::parse("1@s.whatsapp.net").unwrap()];
    if let Ok(share) = KeyShare::from_own_device(&own[0], &own, bytes) {
        let mut keyring = Keyring::new();
        if keyring.accept(share).is_ok() {
            let bytes = keyring.encode();
            assert_eq!(Keyring::decode(&bytes).unwrap().encode(), bytes);
        }
    }
    if let Ok(request) = KeyRequest::from_own_device(&own[0], &own, bytes) {
        if !request.ids().is_empty() {
            assert_eq!(KeyRequest::from_own_device(&own[0], &own, &request.encode()), Ok(request));
        }
    }
    if let Ok(collection) = Collection::decode(NAME, bytes) {
        assert_eq!(collection.encode(), bytes);
    }
    let _ = Keyring::decode(bytes);
}

fuzz_target!(|bytes: &[u8]| {
    let mut keyring = Keyring::new();
    let id = AppStateKeyId::new(0, 1);
    keyring.insert(AppStateKey::new(id, Secret::new([7; 32]), None, None)).unwrap();
    parsers(bytes, &keyring);

    let Some(([at, change], schedule)) = bytes.split_first_chunk::<2>() else { return };
    let rng = &mut rng::Rng(u64::from(*at) + 1);
    let (mut sender, mut receiver) = (Collection::new(NAME), Collection::new(NAME));
    let mut macs = BTreeMap::new();
    for step in schedule.chunks(4).take(16) {
        let sealed = step.iter().map(|byte| {
            let operation = if byte & 0xC0 == 0 { Operation::Remove } else { Operation::Set };
            let (index, value) = (vec![byte & 7], vec![*byte]);
            let mutation = Mutation { operation, index, value, version: 1 };
            mutation.seal(keyring.active().unwrap(), rng).unwrap()
        });
        let (patch, sent, changes) = sender.patch(sealed.collect(), &keyring, &macs).unwrap();
        let mut damaged = patch.encode();
        let position = usize::from(*at) * damaged.len() / 256;
        damaged[position] ^= change;
        let got = receiver.apply(&patch, &keyring, &macs).unwrap();
        assert_eq!(got, (sent, changes));
        match Patch::parse(&damaged).and_then(|damaged| receiver.apply(&damaged, &keyring, &macs)) {
            Ok(same) => assert_eq!(same, got, "a change without effect"),
            Err(error) => assert_ne!(error, Error::AppStateOutOfStep, "nobody made this patch"),
        }
        got.1.update(&mut macs);
        sender = got.1.collection.clone();
        receiver = got.1.collection;
    }
});
