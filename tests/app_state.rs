//! App state (spec 26): sequences of patches against a model, tampering with every field, the pitfalls of §5,
//! keys from own devices only, and collections in a store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, missing_docs, unreachable_pub)]

#[path = "whatsapp/app_state_proto.rs"]
mod proto;

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::app_state::{
    AppStateKey, AppStateKeyId, Applied, Collection, CollectionChanges, CollectionName,
    CollectionSnapshot, ExternalBlob, IndexMac, KeyFingerprint, KeyRequest, KeyShare, Keyring,
    LtHash, MAX_INDEX_LENGTH, MAX_MUTATIONS, MAX_VALUE_LENGTH, Mutation, Operation, Patch,
    SealedMutation, StoredCollection, ValueMac, Warning, index_json, patch_mac, snapshot_mac,
};
use sandi::{
    Changes, CommitError, Disposition, Error, Jid, MemoryStore, RecordKey, Secret, Snapshot, Store,
};

const NAME: CollectionName = CollectionName::Regular;

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn key(device: u16, epoch: u32) -> AppStateKey {
    // no two keys of these tests have the same data
    let data = Secret::new([(device as u8) << 4 | epoch as u8 & 15; 32]);
    AppStateKey::new(AppStateKeyId::new(device, epoch), data, None, None)
}

/// Two keys; epoch 2 is active.
fn keyring() -> Keyring {
    let mut keyring = Keyring::new();
    keyring.insert(key(0, 1)).unwrap();
    keyring.insert(key(3, 2)).unwrap();
    keyring
}

fn mutation(operation: Operation, index: u8, value: u8) -> Mutation {
    let index = index_json(&["mute", &format!("{index}@s.whatsapp.net")]);
    Mutation { operation, index, value: vec![0x0A, 1, value], version: 3 }
}

fn set(index: u8, value: u8) -> Mutation {
    mutation(Operation::Set, index, value)
}

fn remove(index: u8) -> Mutation {
    mutation(Operation::Remove, index, 0)
}

/// One device's copy of a collection.
#[derive(Clone, PartialEq, Debug)]
struct Device {
    collection: Collection,
    value_macs: BTreeMap<IndexMac, ValueMac>,
    /// What the app made of the mutations.
    state: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Device {
    fn new() -> Self {
        let collection = Collection::new(NAME);
        Self { collection, value_macs: BTreeMap::new(), state: BTreeMap::new() }
    }

    fn store(&mut self, applied: &Applied, changes: CollectionChanges) {
        if changes.replaces_all {
            self.state.clear();
        }
        for mutation in &applied.mutations {
            match mutation.operation {
                Operation::Set => self.state.insert(mutation.index.clone(), mutation.value.clone()),
                Operation::Remove => self.state.remove(&mutation.index),
            };
        }
        changes.update(&mut self.value_macs);
        self.collection = changes.collection;
    }

    fn apply(&mut self, patch: &Patch) -> Result<Vec<Warning>, Error> {
        let before = self.clone();
        let result = self.collection.apply(patch, &keyring(), &self.value_macs);
        assert_eq!(*self, before);
        let (applied, changes) = result?;
        self.store(&applied, changes);
        Ok(applied.warnings)
    }

    fn patch(&self, mutations: &[Mutation], seed: u64) -> (Patch, Applied, CollectionChanges) {
        let (keyring, rng) = (keyring(), &mut rng(seed));
        let key = keyring.active().unwrap();
        let sealed = mutations.iter().map(|mutation| mutation.seal(key, rng).unwrap());
        self.collection.patch(sealed.collect(), &keyring, &self.value_macs).unwrap()
    }

    /// Makes a patch, stores it, and gives it as the server hands it on.
    fn send(&mut self, mutations: &[Mutation]) -> Patch {
        let seed = self.collection.version();
        let (patch, applied, changes) = self.patch(mutations, seed);
        self.store(&applied, changes);
        let bytes = patch.encode();
        assert_eq!(Patch::parse(&bytes).unwrap(), patch);
        patch
    }
}

fn of(patch: &Patch) -> proto::SyncdPatch {
    proto::SyncdPatch::decode(patch.encode().as_slice()).unwrap()
}

fn parse(patch: &proto::SyncdPatch) -> Patch {
    Patch::parse(&patch.encode_to_vec()).unwrap()
}

/// The patch's MAC anew, for what only a device of the account can make.
fn authentic(mut patch: proto::SyncdPatch) -> Patch {
    let parsed = parse(&patch);
    let keyring = keyring();
    let keys = keyring.get(parsed.key_id()).unwrap().keys();
    let macs = parsed.mutations().iter().map(SealedMutation::value_mac);
    let mac = patch_mac(keys, parsed.snapshot_mac(), macs, parsed.version(), NAME);
    patch.patch_mac = Some(mac.to_vec());
    parse(&patch)
}

/// A snapshot of what `patches` lead to.
fn snapshot_of(device: &Device, patches: &[Patch]) -> proto::SyncdSnapshot {
    let mut live = BTreeMap::new();
    for mutation in patches.iter().flat_map(|patch| of(patch).mutations) {
        let record = mutation.record.unwrap();
        let index = record.index.clone().unwrap().blob.unwrap();
        match mutation.operation.unwrap() {
            0 => live.insert(index, record),
            _ => live.remove(&index),
        };
    }
    let keyring = keyring();
    let key = keyring.active().unwrap();
    let (sum, version) = (device.collection.lt_hash(), device.collection.version());
    proto::SyncdSnapshot {
        version: Some(proto::Version { version: Some(version) }),
        records: live.into_values().collect(),
        mac: Some(snapshot_mac(key.keys(), sum, version, NAME).to_vec()),
        key_id: proto::blob(key.id().as_bytes()),
    }
}

fn restore(device: &mut Device, snapshot: &proto::SyncdSnapshot) -> Result<(), Error> {
    let snapshot = CollectionSnapshot::parse(&snapshot.encode_to_vec())?;
    assert_eq!(CollectionSnapshot::parse(&snapshot.encode()).as_ref(), Ok(&snapshot));
    let (applied, changes) = device.collection.restore(&snapshot, &keyring())?;
    device.store(&applied, changes);
    Ok(())
}

fn operations() -> impl Strategy<Value = Vec<Vec<(bool, u8, u8)>>> {
    let one = (prop::bool::weighted(0.7), 0u8..6, any::<u8>());
    prop::collection::vec(prop::collection::vec(one, 1..6), 1..8)
}

fn mutations(patch: &[(bool, u8, u8)]) -> Vec<Mutation> {
    let one = |&(is_set, index, value): &_| if is_set { set(index, value) } else { remove(index) };
    patch.iter().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_sequence_of_patches_leads_to_the_snapshots_sum(
        operations in operations(), shuffle in any::<u64>(),
    ) {
        let (mut sender, mut receiver, mut late) = (Device::new(), Device::new(), Device::new());
        let mut model = BTreeMap::new();
        let mut patches = Vec::new();
        for patch in &operations {
            let mut missing = 0;
            for &(is_set, index, value) in patch {
                if is_set {
                    model.insert(set(index, 0).index, set(index, value).value);
                } else if model.remove(&set(index, 0).index).is_none() {
                    missing += 1;
                }
            }
            let patch = sender.send(&mutations(patch));
            // a removal without a value is a warning, no more
            prop_assert_eq!(receiver.apply(&patch).unwrap().len(), missing);
            patches.push(patch);
        }
        prop_assert_eq!(&receiver, &sender);
        prop_assert_eq!(&receiver.state, &model);
        // the sum does not know in which order its values came
        let mut values: Vec<_> = receiver.value_macs.values().collect();
        let mut seed = shuffle;
        values.sort_by_cached_key(|_| { seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); seed >> 32 });
        let mut sum = LtHash::new();
        values.into_iter().for_each(|value| sum.add(value));
        prop_assert_eq!(&sum, receiver.collection.lt_hash());
        // a device that was away takes the snapshot, records in any order
        let mut snapshot = snapshot_of(&sender, &patches);
        let shift = shuffle as usize % snapshot.records.len().max(1);
        snapshot.records.rotate_left(shift);
        restore(&mut late, &snapshot).unwrap();
        prop_assert_eq!(&late, &sender);
        // and goes on from there
        let next = sender.send(&[set(1, 1)]);
        late.apply(&next).unwrap();
        prop_assert_eq!(&late, &sender);
    }

    #[test]
    fn two_devices_that_write_at_once_converge(
        first in operations(), second in operations(), turns in any::<u64>(),
    ) {
        let mut devices = [Device::new(), Device::new()];
        let (mut first, mut second) = (first.into_iter(), second.into_iter());
        for round in 0..16 {
            let [a, b] = [first.next(), second.next()].map(|patch| patch.map(|p| mutations(&p)));
            let (Some(a), Some(b)) = (a, b) else { break };
            // both make a patch of the same version; the server takes one
            let mut wanted = [a, b];
            let winner = (turns >> round & 1) as usize;
            let loser = 1 - winner;
            let refused = devices[loser].patch(&wanted[loser], 900 + round).0;
            let taken = devices[winner].send(&wanted[winner]);
            prop_assert_eq!(devices[winner].apply(&refused), Err(Error::Outdated));
            devices[loser].apply(&taken).unwrap();
            let again = devices[loser].send(&std::mem::take(&mut wanted[loser]));
            devices[winner].apply(&again).unwrap();
            prop_assert_eq!(&devices[0], &devices[1]);
        }
    }

    #[test]
    fn a_flipped_bit_never_changes_what_is_applied(
        at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let (mut sender, mut receiver) = (Device::new(), Device::new());
        receiver.apply(&sender.send(&[set(1, 1), set(2, 2)])).unwrap();
        let good = sender.send(&[set(1, 7), remove(2), set(3, 3)]);
        let expected = receiver.collection.apply(&good, &keyring(), &receiver.value_macs).unwrap();
        let mut bytes = good.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(patch) = Patch::parse(&bytes) {
            // what is not authenticated has no effect
            if let Ok(got) = receiver.collection.apply(&patch, &keyring(), &receiver.value_macs) {
                prop_assert_eq!(got, expected);
            }
        }
    }
}

#[test]
fn tampering_with_any_field_of_a_patch_has_its_error() {
    let (mut sender, mut receiver) = (Device::new(), Device::new());
    receiver.apply(&sender.send(&[set(1, 1), set(2, 2)])).unwrap();
    let good = of(&sender.send(&[set(1, 9), remove(2)]));
    let mut check = |what: &str, expected: Error, change: &dyn Fn(&mut proto::SyncdPatch)| {
        let mut patch = good.clone();
        change(&mut patch);
        // apply() of the device also checks that it is unchanged
        let result = Patch::parse(&patch.encode_to_vec()).and_then(|patch| receiver.apply(&patch));
        assert_eq!(result, Err(expected), "{what}");
    };
    fn flip(bytes: &mut Option<Vec<u8>>, at: usize) {
        bytes.as_mut().unwrap()[at] ^= 1;
    }
    fn record(patch: &mut proto::SyncdPatch, at: usize) -> &mut proto::SyncdRecord {
        patch.mutations[at].record.as_mut().unwrap()
    }
    let version = |version| Some(proto::Version { version: Some(version) });
    check("an old version", Error::Outdated, &|p| p.version = version(1));
    check("version 0", Error::Outdated, &|p| p.version = Some(proto::Version { version: None }));
    check("a version too far", Error::AppStatePatchMissing, &|p| p.version = version(3));
    check("the last version", Error::AppStatePatchMissing, &|p| p.version = version(u64::MAX));
    check("the snapshot MAC", Error::Rejected, &|p| flip(&mut p.snapshot_mac, 5));
    check("the patch MAC", Error::Rejected, &|p| flip(&mut p.patch_mac, 31));
    let other = AppStateKeyId::new(0, 1);
    check("another known key", Error::Rejected, &|p| p.key_id = proto::blob(other.as_bytes()));
    check("an unknown key", Error::AppStateKeyMissing, &|p| p.key_id = proto::blob([7; 6]));
    check("no version", Error::InvalidProtobuf, &|p| p.version = None);
    check("no snapshot MAC", Error::InvalidProtobuf, &|p| p.snapshot_mac = None);
    check("no patch MAC", Error::InvalidProtobuf, &|p| p.patch_mac = None);
    check("no key id", Error::InvalidProtobuf, &|p| p.key_id = None);
    check("an empty key id", Error::InvalidProtobuf, &|p| p.key_id = proto::blob([]));
    check("a short MAC", Error::InvalidProtobuf, &|p| p.patch_mac = Some(vec![0; 31]));
    check("a mutation dropped", Error::Rejected, &|p| drop(p.mutations.pop()));
    check("a mutation twice", Error::Rejected, &|p| p.mutations.push(p.mutations[0].clone()));
    check("mutations in another order", Error::Rejected, &|p| p.mutations.reverse());
    check("an operation", Error::Rejected, &|p| p.mutations[0].operation = Some(1));
    check("an operation left out", Error::Rejected, &|p| p.mutations[1].operation = None);
    check("an unknown operation", Error::InvalidProtobuf, &|p| p.mutations[0].operation = Some(2));
    check("an index", Error::Rejected, &|p| {
        flip(&mut record(p, 0).index.as_mut().unwrap().blob, 0);
    });
    check("another's index", Error::Rejected, &|p| {
        let index = record(p, 1).index.clone();
        record(p, 0).index = index;
    });
    check("a short index", Error::InvalidProtobuf, &|p| record(p, 0).index = proto::blob([0; 31]));
    let value_length = record(&mut good.clone(), 0).value.clone().unwrap().blob.unwrap().len();
    for at in [0, 16, value_length - 33, value_length - 32, value_length - 1] {
        check("a value", Error::Rejected, &|p| {
            flip(&mut record(p, 0).value.as_mut().unwrap().blob, at);
        });
    }
    check("a value cut short", Error::InvalidProtobuf, &|p| {
        record(p, 0).value.as_mut().unwrap().blob.as_mut().unwrap().pop();
    });
    check("no value", Error::InvalidProtobuf, &|p| record(p, 0).value = proto::blob([0; 48]));
    check("another key of a mutation", Error::Rejected, &|p| {
        record(p, 0).key_id = proto::blob(other.as_bytes());
    });
    check("an unknown key of a mutation", Error::AppStateKeyMissing, &|p| {
        record(p, 0).key_id = proto::blob([7; 6]);
    });
    check("no record", Error::InvalidProtobuf, &|p| p.mutations[0].record = None);
    // not covered, and without effect
    let mut free = good.clone();
    free.device_index = Some(77);
    free.exit_code = Some(proto::ExitCode { code: Some(1), text: Some("x".into()) });
    let free = parse(&free);
    assert_eq!(free.device_index(), Some(77));
    assert_eq!(receiver.apply(&free), Ok(vec![]));
    assert_eq!(receiver, sender);
}

#[test]
fn a_patch_of_another_collection_is_refused() {
    let patch = Device::new().send(&[set(1, 1)]);
    let elsewhere = Collection::new(CollectionName::RegularLow);
    let result = elsewhere.apply(&patch, &keyring(), &BTreeMap::new());
    assert_eq!(result, Err(Error::Rejected));
    // a renumbered one too
    let mut patch = of(&patch);
    patch.version = Some(proto::Version { version: Some(2) });
    let mut device = Device::new();
    device.send(&[set(5, 5)]);
    assert_eq!(device.apply(&parse(&patch)), Err(Error::Rejected));
}

#[test]
fn tampering_with_any_field_of_a_snapshot_has_its_error() {
    let mut sender = Device::new();
    let patches = [sender.send(&[set(1, 1), set(2, 2)]), sender.send(&[set(1, 3)])];
    let good = snapshot_of(&sender, &patches);
    let check = |expected: Error, change: &dyn Fn(&mut proto::SyncdSnapshot)| {
        let mut snapshot = good.clone();
        change(&mut snapshot);
        let mut device = Device::new();
        assert_eq!(restore(&mut device, &snapshot), Err(expected));
        assert_eq!(device, Device::new());
    };
    check(Error::Rejected, &|s| s.mac.as_mut().unwrap()[0] ^= 1);
    check(Error::Rejected, &|s| drop(s.records.pop()));
    check(Error::Rejected, &|s| s.version = Some(proto::Version { version: Some(3) }));
    check(Error::Rejected, &|s| {
        let (first, second) = (s.records[0].index.clone(), s.records[1].index.clone());
        (s.records[0].index, s.records[1].index) = (second, first);
    });
    check(Error::Rejected, &|s| {
        s.records[0].value.as_mut().unwrap().blob.as_mut().unwrap()[20] ^= 1;
    });
    check(Error::AppStateKeyMissing, &|s| s.key_id = proto::blob([7; 6]));
    check(Error::InvalidProtobuf, &|s| s.mac = None);
    check(Error::InvalidProtobuf, &|s| s.version = None);
    check(Error::InvalidProtobuf, &|s| s.key_id = None);
    // the server cannot turn a device back
    let mut ahead = sender.clone();
    let next = ahead.send(&[set(4, 4)]);
    assert_eq!(restore(&mut ahead, &good), Err(Error::Outdated));
    // but the version at hand can be had again
    let mut broken = sender.clone();
    broken.value_macs.clear();
    restore(&mut broken, &good).unwrap();
    assert_eq!(broken, sender);
    broken.apply(&next).unwrap();
    assert_eq!(broken, ahead);
}

#[test]
fn own_state_out_of_step_is_told_apart_from_tampering() {
    let (mut sender, mut receiver) = (Device::new(), Device::new());
    let first = sender.send(&[set(1, 1)]);
    receiver.apply(&first).unwrap();
    let second = sender.send(&[set(1, 2)]);
    // the receiver has lost a value MAC: the patch is authentic, the sum is not
    receiver.value_macs.clear();
    assert_eq!(receiver.apply(&second), Err(Error::AppStateOutOfStep));
    assert_eq!(Error::AppStateOutOfStep.disposition(), Disposition::Resynchronize);
    restore(&mut receiver, &snapshot_of(&sender, &[first, second])).unwrap();
    assert_eq!(receiver, sender);
    // a device of the account that computes another sum, likewise
    let mut wrong = of(&sender.send(&[set(2, 2)]));
    wrong.snapshot_mac = Some(vec![1; 32]);
    assert_eq!(receiver.apply(&authentic(wrong)), Err(Error::AppStateOutOfStep));
}

#[test]
fn duplicates_within_a_patch_use_the_earlier_one_as_previous() {
    let (mut sender, mut receiver) = (Device::new(), Device::new());
    let patch = sender.send(&[set(1, 1), set(1, 2), set(2, 5), remove(2), remove(2), set(1, 3)]);
    let warnings = receiver.apply(&patch).unwrap();
    let index_mac = *patch.mutations()[4].index_mac();
    assert_eq!(warnings, [Warning::NothingToRemove { index_mac }]);
    assert_eq!(receiver.state, BTreeMap::from([(set(1, 0).index, set(1, 3).value)]));
    let mut sum = LtHash::new();
    sum.add(patch.mutations()[5].value_mac());
    assert_eq!(receiver.collection.lt_hash(), &sum);
    assert_eq!(receiver, sender);
}

#[test]
fn mutations_may_be_under_other_keys_than_the_patch() {
    let (old, active) = (AppStateKeyId::new(0, 1), AppStateKeyId::new(3, 2));
    let (keyring, mut device) = (keyring(), Device::new());
    let seal = |mutation: Mutation, id: &AppStateKeyId| {
        mutation.seal(keyring.get(id).unwrap(), &mut rng(1)).unwrap()
    };
    let sealed = vec![seal(set(1, 1), &old), seal(set(2, 2), &active)];
    let (patch, ..) = device.collection.patch(sealed, &keyring, &BTreeMap::new()).unwrap();
    assert_eq!(patch.key_id(), &active);
    assert_eq!(patch.key_ids().collect::<Vec<_>>(), [&active, &old, &active]);
    assert_eq!(device.apply(&patch), Ok(vec![]));
    assert_eq!(device.state.len(), 2);
    // the index depends on the key: a removal finds the value under the key that set it
    let sealed = vec![seal(remove(1), &old)];
    let (patch, ..) = device.collection.patch(sealed, &keyring, &device.value_macs).unwrap();
    assert_eq!(device.apply(&patch), Ok(vec![]));
    assert_eq!(device.value_macs.len(), 1);
    // a key that the sender has not got
    let stranger = set(3, 3).seal(&key(9, 9), &mut rng(1)).unwrap();
    let result = device.collection.patch(vec![stranger], &keyring, &device.value_macs);
    assert_eq!(result.unwrap_err(), Error::AppStateKeyMissing);
    let opened = seal(set(1, 1), &old).open(keyring.get(&active).unwrap());
    assert_eq!(opened, Err(Error::AppStateKeyMissing));
}

#[test]
fn external_mutations_go_through_a_media_blob() {
    use sandi::attachment::{
        MediaDecryptor, MediaEncryptor, MediaHashes, MediaKey, MediaVerifier, Transform,
    };

    fn run<T: Transform>(mut transform: T, input: &[u8]) -> (Vec<u8>, T::Report) {
        let mut output = Vec::new();
        transform.update(input, &mut output).unwrap();
        let report = transform.finish(&mut output).unwrap();
        (output, report)
    }
    let (mut sender, mut receiver) = (Device::new(), Device::new());
    let mutations: Vec<_> = (0..200).map(|index| set(index, index)).collect();
    let patch = sender.send(&mutations);
    let upload = patch.mutations_blob();
    assert_eq!(proto::SyncdMutations::decode(upload.as_slice()).unwrap().mutations.len(), 200);
    let media_key = MediaKey::generate(&mut rng(4));
    let (blob, made) = run(MediaEncryptor::new(&media_key.derive(ExternalBlob::KIND)), &upload);
    let hashes = MediaHashes {
        file_sha256: Some(made.file_sha256),
        file_enc_sha256: Some(made.file_enc_sha256),
        file_length: Some(made.file_length),
    };
    let (direct_path, handle) = ("/v/t62".to_owned(), Some("h".to_owned()));
    let reference = ExternalBlob { media_key, direct_path, handle, hashes };
    assert_eq!(ExternalBlob::parse(&reference.encode()).as_ref(), Ok(&reference));
    let sent = patch.make_external(reference).encode();

    // the receiver
    let patch = Patch::parse(&sent).unwrap();
    assert!(patch.mutations().is_empty());
    assert_eq!(receiver.apply(&patch), Err(Error::NotLoaded));
    let reference = patch.external().unwrap();
    let keys = reference.media_key.derive(ExternalBlob::KIND);
    let (_, verified) = run(MediaVerifier::new(&keys, &reference.hashes), &blob);
    let (list, _) = run(MediaDecryptor::verified(&keys, verified, &reference.hashes), &blob);
    // mutations that are not those of the patch
    let fewer = {
        let mut list = proto::SyncdMutations::decode(list.as_slice()).unwrap();
        list.mutations.pop();
        list.encode_to_vec()
    };
    let wrong = Patch::parse(&sent).unwrap().with_external(&fewer).unwrap();
    assert_eq!(receiver.apply(&wrong), Err(Error::Rejected));
    let patch = patch.with_external(&list).unwrap();
    assert_eq!(receiver.apply(&patch), Ok(vec![]));
    assert_eq!(receiver, sender);
    assert_eq!(patch.with_external(&list).unwrap_err(), Error::InvalidArgument);
    // inline and external at once is nothing that a sender makes
    let mut both = proto::SyncdPatch::decode(sent.as_slice()).unwrap();
    both.mutations = proto::SyncdMutations::decode(list.as_slice()).unwrap().mutations;
    assert_eq!(Patch::parse(&both.encode_to_vec()).unwrap_err(), Error::InvalidProtobuf);
}

#[test]
fn uploads_carry_no_version_and_everything_else() {
    let patch = Device::new().send(&[set(1, 1)]);
    let upload = proto::SyncdPatch::decode(patch.encode_for_upload().as_slice()).unwrap();
    assert_eq!(upload, proto::SyncdPatch { version: None, ..of(&patch) });
}

#[test]
fn indexes_are_json_without_blanks() {
    assert_eq!(index_json(&["mute", "1@g.us"]), br#"["mute","1@g.us"]"#);
    assert_eq!(index_json(&[]), b"[]");
    for text in ["a\"b\\c", "\n\r\t\u{8}\u{c}\0\u{1f}", "é \u{1F44B} /"] {
        let json = index_json(&[text, ""]);
        assert_eq!(json, serde_json::to_vec(&[text, ""]).unwrap());
    }
}

#[test]
fn everything_is_bounded() {
    let key = key(3, 2);
    let long = Mutation { index: vec![b'x'; MAX_INDEX_LENGTH + 1], ..set(1, 1) };
    assert_eq!(long.seal(&key, &mut rng(1)).unwrap_err(), Error::InvalidArgument);
    let long = Mutation { value: vec![0; MAX_VALUE_LENGTH], ..set(1, 1) };
    assert_eq!(long.seal(&key, &mut rng(1)).unwrap_err(), Error::InvalidArgument);
    let large = Mutation { value: vec![0; MAX_VALUE_LENGTH - 500], ..set(1, 1) };
    let sealed = large.seal(&key, &mut rng(1)).unwrap();
    assert_eq!(sealed.open(&key).unwrap(), large);
    let device = Device::new();
    let empty = device.collection.patch(vec![], &keyring(), &BTreeMap::new());
    assert_eq!(empty.unwrap_err(), Error::InvalidArgument);

    let mut patch = of(&Device::new().send(&[set(1, 1)]));
    let one = patch.mutations[0].clone();
    patch.mutations = vec![one; MAX_MUTATIONS];
    assert!(Patch::parse(&patch.encode_to_vec()).is_ok());
    patch.mutations.push(patch.mutations[0].clone());
    assert_eq!(Patch::parse(&patch.encode_to_vec()).unwrap_err(), Error::InvalidProtobuf);
}

mod pitfalls {
    //! Spec 26 §5, one test each.

    use hkdf::Hkdf;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Sha256, Sha512};

    use super::*;

    #[test]
    fn values_are_under_sha_512_cut_to_32_bytes_and_everything_else_under_sha_256() {
        let key = key(3, 2);
        let sealed = set(1, 1).seal(&key, &mut rng(1)).unwrap();
        let blob = sealed.value_blob();
        let (ciphertext, mac) = blob.split_at(blob.len() - 32);
        let id = key.id().as_bytes();
        let mut value = Hmac::<Sha512>::new_from_slice(key.keys().value_mac().expose()).unwrap();
        value.update(&[1]);
        value.update(id);
        value.update(ciphertext);
        value.update(&7_u64.to_be_bytes());
        assert_eq!(mac, &value.finalize().into_bytes()[..32]);
        let mut index = Hmac::<Sha256>::new_from_slice(key.keys().index().expose()).unwrap();
        index.update(br#"["mute","1@s.whatsapp.net"]"#);
        assert_eq!(sealed.index_mac()[..], index.finalize().into_bytes()[..]);
    }

    #[test]
    fn the_operation_byte_is_the_enum_plus_one_and_the_length_is_that_of_aad() {
        let key = key(3, 2);
        let sealed = remove(1).seal(&key, &mut rng(1)).unwrap();
        let blob = sealed.value_blob();
        let (ciphertext, mac) = blob.split_at(blob.len() - 32);
        let compute = |op: u8, length: &[u8]| {
            let mut value =
                Hmac::<Sha512>::new_from_slice(key.keys().value_mac().expose()).unwrap();
            value.update(&[op]);
            value.update(key.id().as_bytes());
            value.update(ciphertext);
            value.update(length);
            value.finalize().into_bytes()[..32].to_vec()
        };
        assert_eq!(mac, compute(2, &7_u64.to_be_bytes()));
        assert_ne!(mac, compute(1, &7_u64.to_be_bytes()));
        assert_ne!(mac, compute(2, &7_u64.to_le_bytes()));
        assert_ne!(mac, compute(2, &(ciphertext.len() as u64).to_be_bytes()));
    }

    #[test]
    fn sums_are_little_endian_and_versions_big_endian() {
        let mut expanded = [0; 128];
        Hkdf::<Sha256>::new(None, &[0xAB; 32])
            .expand(b"WhatsApp Patch Integrity", &mut expanded)
            .unwrap();
        let mut sum = LtHash::new();
        (0..300).for_each(|_| sum.add(&[0xAB; 32]));
        for (pair, e) in sum.to_bytes().chunks(2).zip(expanded.chunks(2)) {
            let e = u32::from(u16::from_le_bytes([e[0], e[1]]));
            assert_eq!(u32::from(u16::from_le_bytes([pair[0], pair[1]])), e * 300 % 65_536);
        }
        let key = key(3, 2);
        let mut mac = Hmac::<Sha256>::new_from_slice(key.keys().snapshot_mac().expose()).unwrap();
        mac.update(&sum.to_bytes());
        mac.update(&0x0102_u64.to_be_bytes());
        mac.update(b"regular");
        let expected: [u8; 32] = mac.finalize().into_bytes().into();
        assert_eq!(snapshot_mac(key.keys(), &sum, 0x0102, NAME), expected);
    }

    fn load(store: &MemoryStore, keys: Vec<RecordKey>) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for key in keys {
            let record = store.load(&key).unwrap();
            snapshot.insert(key, record);
        }
        snapshot
    }

    fn stored(store: &MemoryStore, patch: &Patch) -> StoredCollection {
        let needs = StoredCollection::needs(NAME, patch.index_macs());
        StoredCollection::load(NAME, &load(store, needs)).unwrap()
    }

    fn apply(stored: StoredCollection, patch: &Patch, seed: u64) -> Result<Changes, Error> {
        let (_, changes) = stored.collection().apply(patch, &keyring(), &stored)?;
        let mut out = Changes::new();
        // the app's rows, in the same commit
        out.create(
            RecordKey::Application([b'a', patch.version() as u8].into()),
            vec![],
            &mut rng(seed),
        )
        .unwrap();
        stored.save(&changes, &mut out, &mut rng(seed))?;
        Ok(out)
    }

    #[test]
    fn patches_applied_at_once_to_one_stored_collection_are_a_conflict() {
        let (mut store, mut sender) = (MemoryStore::new(), Device::new());
        let first = sender.send(&[set(1, 1), set(2, 2), set(3, 3)]);
        let second = sender.send(&[set(1, 4), remove(2)]);
        // two workers load the same version; only one commits
        let (one, other) = (stored(&store, &first), stored(&store, &first));
        let (one, other) = (apply(one, &first, 1).unwrap(), apply(other, &first, 2).unwrap());
        store.commit(&one).unwrap();
        assert_eq!(store.commit(&other), Err(CommitError::Conflict));
        // who lost loads again and sees that it is done
        assert_eq!(apply(stored(&store, &first), &first, 3).unwrap_err(), Error::Outdated);
        store.commit(&apply(stored(&store, &second), &second, 4).unwrap()).unwrap();
        let last = stored(&store, &second);
        assert_eq!(last.collection(), &sender.collection);
    }

    #[test]
    fn state_and_mutations_are_one_commit_and_a_crash_before_it_changes_nothing() {
        let (mut store, mut sender) = (MemoryStore::new(), Device::new());
        let patch = sender.send(&[set(1, 1)]);
        drop(apply(stored(&store, &patch), &patch, 1).unwrap());
        assert!(store.is_empty());
        let again = apply(stored(&store, &patch), &patch, 2).unwrap();
        // head, one bucket, the app's row
        assert_eq!(again.len(), 3);
        store.commit(&again).unwrap();
        assert_eq!(store.len(), 3);
    }

    #[test]
    fn a_missing_key_is_asked_for_and_the_patch_tried_again() {
        let mut sender = Device::new();
        let patch = sender.send(&[set(1, 1)]);
        let mut receiver = Keyring::new();
        let collection = Collection::new(NAME);
        let result = collection.apply(&patch, &receiver, &BTreeMap::new());
        assert_eq!(result, Err(Error::AppStateKeyMissing));
        assert_eq!(Error::AppStateKeyMissing.disposition(), Disposition::AskOwnDevices);
        // asks
        let request = KeyRequest::new(receiver.missing(patch.key_ids())).unwrap();
        assert_eq!(request.ids(), [AppStateKeyId::new(3, 2)]);
        // the other device answers
        let (jid, own) = (jid("1:2@s.whatsapp.net"), [jid("1@s.whatsapp.net"), jid("7@lid")]);
        let asked = KeyRequest::from_own_device(&jid, &own, &request.encode()).unwrap();
        let holder = keyring();
        let keys: Vec<_> = asked.ids().iter().filter_map(|id| holder.get(id)).collect();
        let share = KeyShare::encode(&keys).unwrap();
        // and the patch goes through
        let share = KeyShare::from_own_device(&jid, &own, &share).unwrap();
        assert_eq!(receiver.accept(share), Ok(1));
        assert!(collection.apply(&patch, &receiver, &BTreeMap::new()).is_ok());
    }

    #[test]
    fn a_stored_collection_is_replaced_by_a_snapshot_as_a_whole() {
        let (mut store, mut sender) = (MemoryStore::new(), Device::new());
        let old = Device::new().send(&(0..40).map(|i| set(i, 200)).collect::<Vec<_>>());
        store.commit(&apply(stored(&store, &old), &old, 1).unwrap()).unwrap();
        let patches = [sender.send(&[set(1, 1), set(2, 2)]), sender.send(&[set(3, 3)])];
        let snapshot = snapshot_of(&sender, &patches).encode_to_vec();
        let snapshot = CollectionSnapshot::parse(&snapshot).unwrap();
        // without all buckets nothing is saved
        let part = stored(&store, &old);
        let (_, changes) = part.collection().restore(&snapshot, &keyring()).unwrap();
        let mut out = Changes::new();
        assert_eq!(part.save(&changes, &mut out, &mut rng(2)), Err(Error::NotLoaded));
        assert!(out.is_empty());
        let whole = load(&store, StoredCollection::needs_all(NAME));
        StoredCollection::load(NAME, &whole)
            .unwrap()
            .save(&changes, &mut out, &mut rng(3))
            .unwrap();
        store.commit(&out).unwrap();
        // a head, three values at most in as many buckets, the app's row
        assert!(store.len() <= 5);
        let next = sender.send(&[remove(1), set(2, 9)]);
        let applied = apply(stored(&store, &next), &next, 4).unwrap();
        store.commit(&applied).unwrap();
        assert_eq!(stored(&store, &next).collection(), &sender.collection);
        // an index whose bucket was not loaded
        let head = StoredCollection::needs(NAME, []);
        let head = StoredCollection::load(NAME, &load(&store, head)).unwrap();
        let more = sender.send(&[set(2, 10)]);
        let result = head.collection().apply(&more, &keyring(), &head);
        assert_eq!(result, Err(Error::NotLoaded));
    }

    #[test]
    fn stored_records_have_one_encoding() {
        let (mut store, mut sender) = (MemoryStore::new(), Device::new());
        let patch = sender.send(&[set(1, 1)]);
        store.commit(&apply(stored(&store, &patch), &patch, 1).unwrap()).unwrap();
        let needs = StoredCollection::needs(NAME, patch.index_macs());
        for key in &needs {
            let good = store.load(key).unwrap().unwrap();
            let mut bad = good.bytes().to_vec();
            let check = |bytes: &[u8], expected: Error| {
                let mut snapshot = load(&store, needs.clone());
                let record = sandi::Record::new(good.revision(), bytes.to_vec());
                snapshot.insert(key.clone(), Some(record));
                assert_eq!(StoredCollection::load(NAME, &snapshot).unwrap_err(), expected);
            };
            check(&[], Error::InvalidState);
            check(&bad[..bad.len() - 1], Error::InvalidState);
            check(&bad[..1], Error::InvalidState);
            bad.push(0);
            check(&bad, Error::InvalidState);
            bad.pop();
            bad[0] = 2;
            check(&bad, Error::FutureRecord(2));
        }
        let encoded = sender.collection.encode();
        assert_eq!(Collection::decode(NAME, &encoded), Ok(sender.collection));
    }
}

mod keys {
    //! Spec 26 §1.

    use super::*;

    #[test]
    fn the_active_key_has_the_highest_epoch_then_the_lowest_device() {
        let mut keyring = Keyring::new();
        assert!(keyring.active().is_none() && keyring.is_empty());
        // an id of another form is never active
        let odd = AppStateKeyId::from_bytes(&[0xFF; 7]).unwrap();
        keyring.insert(AppStateKey::new(odd, Secret::new([1; 32]), None, None)).unwrap();
        assert!(keyring.active().is_none());
        for (insert, active) in [
            ((5, 7), (5, 7)),
            ((2, 6), (5, 7)),
            ((9, 7), (5, 7)),
            ((3, 7), (3, 7)),
            ((u16::MAX, 8), (u16::MAX, 8)),
            ((0, 8), (0, 8)),
        ] {
            keyring.insert(key(insert.0, insert.1)).unwrap();
            assert_eq!(keyring.active().unwrap().id().device_and_epoch(), Some(active));
        }
    }

    #[test]
    fn a_device_that_leaves_is_followed_by_a_new_key() {
        let mut keyring = Keyring::new();
        let rng = &mut rng(1);
        let fingerprint =
            KeyFingerprint { raw_id: 9, current_index: 3, device_indexes: vec![0, 2, 3] };
        // the first epoch is random in 1..65536
        let epochs: Vec<u32> = (0..50)
            .map(|_| keyring.next(0, fingerprint.clone(), 5, rng).unwrap())
            .map(|key| key.id().device_and_epoch().unwrap().1)
            .collect();
        assert!(epochs.iter().all(|epoch| (1..=65_536).contains(epoch)));
        assert!(epochs.iter().max() != epochs.iter().min());
        let first = keyring.next(0, fingerprint.clone(), 5, rng).unwrap();
        let (_, epoch) = first.id().device_and_epoch().unwrap();
        keyring.insert(first).unwrap();
        // device 2 is removed: device 3 makes the next key, for the others
        let left = KeyFingerprint { device_indexes: vec![0, 3], ..fingerprint };
        let second = keyring.next(3, left.clone(), 6, rng).unwrap();
        assert_eq!(second.id(), &AppStateKeyId::new(3, epoch + 1));
        assert_ne!(second.data(), keyring.active().unwrap().data());
        assert_eq!((second.fingerprint(), second.timestamp()), (Some(&left), Some(6)));
        keyring.insert(second).unwrap();
        assert_eq!(keyring.active().unwrap().id(), &AppStateKeyId::new(3, epoch + 1));
        assert_eq!(keyring.len(), 2, "the old key still opens what was written under it");
        keyring.insert(key(1, u32::MAX)).unwrap();
        assert_eq!(keyring.next(0, left, 7, rng).unwrap_err(), Error::ChainExhausted);
    }

    fn share() -> proto::KeyShare {
        let key = |id: AppStateKeyId, data: Option<u8>| proto::SyncKey {
            key_id: proto::blob(id.as_bytes()),
            key_data: data.map(|data| proto::KeyData {
                key_data: Some(vec![data; 32]),
                fingerprint: Some(proto::Fingerprint {
                    raw_id: Some(300),
                    current_index: Some(2),
                    device_indexes: vec![0, 1, 200],
                }),
                timestamp: Some(1_700_000_000),
            }),
        };
        let keys =
            vec![key(AppStateKeyId::new(0, 1), Some(1)), key(AppStateKeyId::new(0, 2), None)];
        proto::KeyShare { keys }
    }

    #[test]
    fn key_shares_are_read_and_written() {
        let (own, bytes) = ([jid("1@s.whatsapp.net")], share().encode_to_vec());
        let read = KeyShare::from_own_device(&own[0], &own, &bytes).unwrap();
        assert_eq!(read.unavailable, [AppStateKeyId::new(0, 2)]);
        let [key] = &read.keys[..] else { panic!("one key") };
        assert_eq!(key.data().expose(), &[1; 32]);
        assert_eq!(key.timestamp(), Some(1_700_000_000));
        assert_eq!(key.fingerprint().unwrap().device_indexes, [0, 1, 200]);
        let mut written = share();
        written.keys.pop();
        assert_eq!(*KeyShare::encode(&[key]).unwrap(), written.encode_to_vec());
        // indexes one by one
        let unpacked = [0x08, 1, 0x18, 5, 0x18, 6];
        let mut other = share();
        other.keys.truncate(1);
        other.keys[0].key_data.as_mut().unwrap().fingerprint = None;
        let mut data = other.keys[0].key_data.as_ref().unwrap().encode_to_vec();
        data.extend([0x12, 6]);
        data.extend(unpacked);
        let mut entry = vec![0x0A, 8, 0x0A, 6];
        entry.extend(AppStateKeyId::new(0, 1).as_bytes());
        entry.extend([0x12, u8::try_from(data.len()).unwrap()]);
        entry.extend(data);
        let mut bytes = vec![0x0A, u8::try_from(entry.len()).unwrap()];
        bytes.extend(entry);
        let read = KeyShare::from_own_device(&own[0], &own, &bytes).unwrap();
        assert_eq!(read.keys[0].fingerprint().unwrap().device_indexes, [5, 6]);
        // malformed ones
        for change in [
            |key: &mut proto::SyncKey| key.key_id = None,
            |key: &mut proto::SyncKey| key.key_id = proto::blob([]),
            |key: &mut proto::SyncKey| key.key_id = proto::blob([0; 33]),
            |key: &mut proto::SyncKey| {
                key.key_data.as_mut().unwrap().key_data = Some(vec![0; 31]);
            },
        ] {
            let mut bad = share();
            change(&mut bad.keys[0]);
            let result = KeyShare::from_own_device(&own[0], &own, &bad.encode_to_vec());
            assert_eq!(result.unwrap_err(), Error::InvalidProtobuf);
        }
    }

    #[test]
    fn keys_are_taken_from_own_devices_and_nobody_else() {
        let own = [jid("1@s.whatsapp.net"), jid("77:4@lid")];
        let request = KeyRequest::new([AppStateKeyId::new(0, 1)]).unwrap().encode();
        for (sender, accepted) in [
            ("1@s.whatsapp.net", true),
            ("1:9@s.whatsapp.net", true),
            ("77@lid", true),
            ("77:12@lid", true),
            ("2@s.whatsapp.net", false),
            ("1@lid", false),
            ("77@s.whatsapp.net", false),
            ("1:99@hosted", false),
            ("1@g.us", false),
            ("s.whatsapp.net", false),
        ] {
            let share = KeyShare::from_own_device(&jid(sender), &own, &share().encode_to_vec());
            let asked = KeyRequest::from_own_device(&jid(sender), &own, &request);
            if accepted {
                assert!(share.is_ok() && asked.is_ok(), "{sender}");
            } else {
                assert_eq!(share.unwrap_err(), Error::NotOwnDevice, "{sender}");
                assert_eq!(asked.unwrap_err(), Error::NotOwnDevice, "{sender}");
            }
        }
        // an account without an address, or a group among one's own, accepts nothing
        let result = KeyShare::from_own_device(&own[0], &[], &share().encode_to_vec());
        assert_eq!(result.unwrap_err(), Error::NotOwnDevice);
        let group = [jid("1@g.us")];
        let result = KeyShare::from_own_device(&group[0], &group, &share().encode_to_vec());
        assert_eq!(result.unwrap_err(), Error::NotOwnDevice);
        assert!(KeyRequest::new([]).is_err());
    }

    #[test]
    fn an_id_never_changes_its_key() {
        let mut keyring = keyring();
        assert_eq!(keyring.insert(key(3, 2)), Ok(false));
        let other = |device, epoch| {
            AppStateKey::new(AppStateKeyId::new(device, epoch), Secret::new([0xEE; 32]), None, None)
        };
        assert_eq!(keyring.insert(other(3, 2)), Err(Error::Rejected));
        // of a share all keys are taken, or none
        let share = |keys| KeyShare { keys, unavailable: vec![] };
        let result = keyring.accept(share(vec![key(4, 4), other(3, 2)]));
        assert_eq!((result, keyring.len()), (Err(Error::Rejected), 2));
        let result = keyring.accept(share(vec![key(4, 4), other(4, 4)]));
        assert_eq!((result, keyring.len()), (Err(Error::Rejected), 2));
        let result = keyring.accept(share(vec![key(4, 4), key(4, 4), key(3, 2), key(5, 5)]));
        assert_eq!((result, keyring.len()), (Ok(2), 4));
    }

    #[test]
    fn a_keyring_is_stored_and_loaded() {
        let mut keyring = keyring();
        let rng = &mut rng(8);
        keyring.insert(keyring.next(1, KeyFingerprint::default(), 9, rng).unwrap()).unwrap();
        let bytes = keyring.encode();
        let loaded = Keyring::decode(&bytes).unwrap();
        assert_eq!(loaded.encode(), bytes);
        for (a, b) in keyring.iter().zip(loaded.iter()) {
            assert_eq!((a.id(), a.data(), a.fingerprint()), (b.id(), b.data(), b.fingerprint()));
        }
        assert_eq!(loaded.len(), 3);
        assert_eq!(Keyring::decode(&[]).unwrap_err(), Error::InvalidState);
        assert_eq!(Keyring::decode(&bytes[..bytes.len() - 1]).unwrap_err(), Error::InvalidState);
        let mut future = bytes.to_vec();
        future[0] = 2;
        assert_eq!(Keyring::decode(&future).unwrap_err(), Error::FutureRecord(2));
        assert!(matches!(Keyring::record_key(), RecordKey::Application(_)));
        assert!(format!("{keyring:?}").contains("data: Secret<32>(..)"), "no key data in Debug");
    }
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}
