//! App state (spec 26): every value of `appstate.json`, both ways.

use std::collections::BTreeMap;

use prost::Message;
use sandi::Secret;
use sandi::app_state::{
    AppStateKey, AppStateKeyId, Collection, CollectionName, CollectionSnapshot, Keyring, LtHash,
    Mutation, Operation, Patch, SealedMutation, patch_mac, snapshot_mac,
};
use serde_json::Value;

use crate::app_state_proto as proto;
use crate::data::{Fixed, array, hex, items, number, text, whatsapp};

fn key(file: &Value) -> AppStateKey {
    let id = AppStateKeyId::from_bytes(&hex(file, "keyId")).unwrap();
    AppStateKey::new(id, Secret::new(array(file, "keyData")), None, None)
}

fn keyring(file: &Value) -> Keyring {
    let mut keyring = Keyring::new();
    assert!(keyring.insert(key(file)).unwrap());
    keyring
}

fn operation(case: &Value) -> Operation {
    match text(case, "operation") {
        "SET" => Operation::Set,
        "REMOVE" => Operation::Remove,
        other => panic!("{other}"),
    }
}

fn syncd_record(file: &Value, case: &Value) -> proto::SyncdRecord {
    proto::SyncdRecord {
        index: proto::blob(hex(case, "indexMac")),
        value: proto::blob(hex(case, "valueBlob")),
        key_id: proto::blob(hex(file, "keyId")),
    }
}

/// The patch as a server sends it, by prost.
fn syncd_patch(file: &Value, case: &Value) -> proto::SyncdPatch {
    let mutations = items(case, "mutations").iter().map(|mutation| proto::SyncdMutation {
        operation: Some(i32::from(operation(mutation) == Operation::Remove)),
        record: Some(syncd_record(file, mutation)),
    });
    proto::SyncdPatch {
        version: Some(proto::Version { version: Some(number(case, "version")) }),
        mutations: mutations.collect(),
        snapshot_mac: Some(hex(case, "snapshotMac")),
        patch_mac: Some(hex(case, "patchMac")),
        key_id: proto::blob(hex(file, "keyId")),
        ..Default::default()
    }
}

#[test]
fn a_key_expands_to_five() {
    let file = whatsapp("appstate");
    let (key, expected) = (key(&file), &file["expandedKeys"]);
    for (made, name) in [
        (key.keys().index(), "index"),
        (key.keys().value_encryption(), "valueEncryption"),
        (key.keys().value_mac(), "valueMac"),
        (key.keys().snapshot_mac(), "snapshotMac"),
        (key.keys().patch_mac(), "patchMac"),
    ] {
        assert_eq!(made.expose(), &array(expected, name), "{name}");
    }
    // six bytes: u16 BE device, u32 BE epoch
    assert_eq!(key.id().device_and_epoch(), Some((0, 0x4e8d)));
    assert_eq!(AppStateKeyId::new(0, 0x4e8d), *key.id());
}

#[test]
fn the_sums_add_and_subtract() {
    for case in items(&whatsapp("appstate"), "ltHash") {
        let macs = |name: &str| -> Vec<[u8; 32]> {
            let list = case[name].as_array().unwrap();
            list.iter()
                .map(|mac| hex::decode(mac.as_str().unwrap()).unwrap().try_into().unwrap())
                .collect()
        };
        let (subtract, add) = (macs("subtract"), macs("add"));
        let base = LtHash::from_bytes(&array(case, "base"));
        let mut sum = base.clone();
        subtract.iter().for_each(|mac| sum.subtract(mac));
        add.iter().for_each(|mac| sum.add(mac));
        assert_eq!(sum.to_bytes(), array(case, "result"));
        // the other order, and back
        let mut other = base.clone();
        add.iter().rev().for_each(|mac| other.add(mac));
        subtract.iter().rev().for_each(|mac| other.subtract(mac));
        assert_eq!(other, sum);
        add.iter().for_each(|mac| sum.subtract(mac));
        subtract.iter().for_each(|mac| sum.add(mac));
        assert_eq!(sum, base);
    }
}

#[test]
fn every_mutation_opens_and_is_sealed_to_the_same_bytes() {
    let file = whatsapp("appstate");
    let key = key(&file);
    let mut seen = 0;
    for case in items(&file, "patches") {
        let patch = Patch::parse(&syncd_patch(&file, case).encode_to_vec()).unwrap();
        for (sealed, case) in patch.mutations().iter().zip(items(case, "mutations")) {
            let mutation = sealed.open(&key).unwrap();
            assert_eq!(mutation.operation, operation(case));
            assert_eq!(mutation.index, text(case, "index").as_bytes());
            // SyncActionData{index#1, value#2, padding#3 = empty, version#4}
            let plain = proto::SyncActionData {
                index: Some(mutation.index.clone()),
                value: Some(mutation.value.clone()),
                padding: Some(Vec::new()),
                version: Some(mutation.version as i32),
            };
            assert_eq!(plain.encode_to_vec(), hex(case, "plaintextSyncActionData"));
            let again = mutation.seal(&key, &mut Fixed::new(hex(case, "iv"))).unwrap();
            assert_eq!(&again, sealed);
            assert_eq!(again.index_mac(), &array(case, "indexMac"));
            assert_eq!(again.value_mac(), &array(case, "valueMac"));
            assert_eq!(again.value_blob(), hex(case, "valueBlob"));
            seen += 1;
        }
    }
    assert_eq!(seen, 5);
}

#[test]
fn the_chain_of_patches_applies_and_is_made_again() {
    let file = whatsapp("appstate");
    let keyring = keyring(&file);
    let name = CollectionName::parse(text(&file, "collection")).unwrap();
    let mut collection = Collection::new(name);
    let mut value_macs = BTreeMap::new();
    let mut live: BTreeMap<[u8; 32], proto::SyncdRecord> = BTreeMap::new();
    for case in items(&file, "patches") {
        let bytes = syncd_patch(&file, case).encode_to_vec();
        let patch = Patch::parse(&bytes).unwrap();
        assert_eq!(patch.encode(), bytes);
        for mutation in items(case, "mutations") {
            let previous = value_macs.get(&array::<32>(mutation, "indexMac")).copied();
            let expected = mutation["removedPreviousValueMac"].as_str();
            assert_eq!(previous.map(hex::encode).as_deref(), expected);
            match operation(mutation) {
                Operation::Set => {
                    live.insert(array(mutation, "indexMac"), syncd_record(&file, mutation))
                }
                Operation::Remove => live.remove(&array(mutation, "indexMac")),
            };
        }
        // as a receiver
        let (applied, changes) = collection.apply(&patch, &keyring, &value_macs).unwrap();
        assert!(applied.warnings.is_empty());
        // as a sender: the same patch
        let sealed: Vec<SealedMutation> = applied
            .mutations
            .iter()
            .zip(items(case, "mutations"))
            .map(|(mutation, case): (&Mutation, _)| {
                let key = keyring.active().unwrap();
                mutation.seal(key, &mut Fixed::new(hex(case, "iv"))).unwrap()
            })
            .collect();
        let (made, same, same_changes) = collection.patch(sealed, &keyring, &value_macs).unwrap();
        assert_eq!((&made, &same, &same_changes), (&patch, &applied, &changes));
        assert_eq!(made.encode(), bytes);
        // both MACs on their own
        let (keys, version) = (keyring.active().unwrap().keys(), number(case, "version"));
        let mac = snapshot_mac(keys, changes.collection.lt_hash(), version, name);
        assert_eq!(mac, array(case, "snapshotMac"));
        let values = patch.mutations().iter().map(SealedMutation::value_mac);
        assert_eq!(patch_mac(keys, &mac, values, version, name), array(case, "patchMac"));

        changes.update(&mut value_macs);
        collection = changes.collection;
        assert_eq!(collection.lt_hash().to_bytes(), array(case, "ltHashAfter"));
        assert_eq!(collection.version(), version);

        // a snapshot of this version leads to the same state
        let snapshot = proto::SyncdSnapshot {
            version: Some(proto::Version { version: Some(version) }),
            records: live.values().cloned().collect(),
            mac: Some(hex(case, "snapshotMac")),
            key_id: proto::blob(hex(&file, "keyId")),
        };
        let snapshot = CollectionSnapshot::parse(&snapshot.encode_to_vec()).unwrap();
        let (restored, whole) = Collection::new(name).restore(&snapshot, &keyring).unwrap();
        assert_eq!(restored.mutations.len(), live.len());
        assert_eq!(whole.collection, collection);
        let mut macs = BTreeMap::from([([9; 32], [9; 32])]);
        whole.update(&mut macs);
        assert_eq!(macs, value_macs);
    }
    assert_eq!(collection.version(), 4);
}
