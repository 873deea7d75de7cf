//! The worked X3DH example (spec 03 §8) and its continuation with address binding (spec 04 §2.3).
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{ALICE, BOB, Device, NOW};
use sandi::keys::{IdentityKeyPair, KeyPair, PrivateKey};
use sandi::prekey::{PreKey, SignedPreKey};
use sandi::{Address, DeviceId, Error, Policy};

const FIRST: &str = "33080712210523b571a07e5a4021be65001b8c3df6ef34f5e57bb3cba909cc4b80e3823e726a\
1a2105e95fb6670b10a0ab18bc3e2fc14f03d6c33431e19dd3badf2022cdf9d5da740c\
2242330a2105e1b1523ddfd3caf6d183af52cf154ffaba2af69a7ba00e7d4c558b0e271cd507\
100018002210b76e1aa6cdfc81b25ba3cbefcc89c6b0b8268da9be3c326728d2093016";
const SECOND: &str = "33080712210523b571a07e5a4021be65001b8c3df6ef34f5e57bb3cba909cc4b80e3823e726a\
1a2105e95fb6670b10a0ab18bc3e2fc14f03d6c33431e19dd3badf2022cdf9d5da740c\
2242330a2105e1b1523ddfd3caf6d183af52cf154ffaba2af69a7ba00e7d4c558b0e271cd507\
100118002210f0a0f9c928671638f15ec8709dd55a2a340431f6899a4a0028d2093016";
const BOUND: &str = "330a2105e1b1523ddfd3caf6d183af52cf154ffaba2af69a7ba00e7d4c558b0e271cd507100218002210e8501122a887\
78983f85a1ee680a72643224009d0652a3dcc34d11975f74d61598733f0100796abedbca4e4f1888031fde5b921f9f02\
7e299af2f8f119b3";

fn key(text: &str) -> PrivateKey {
    PrivateKey::decode(&hex::decode(text).unwrap()).unwrap()
}

/// Bob of spec 03 §8.
fn bob() -> Device {
    let identity = IdentityKeyPair::from_private(key(
        "6064d2eae1ebb7fb75b5445bebd65f230d2bd452a53861de8e3bd0b5590f8f46",
    ));
    let signature = hex::decode(
        "47c24f1f6636d2fbf006af0d9be7ad3c46abe79725826dde80657850acc0c6c7\
         08134c99e34a274bcdf000f7bb5a50a399e8b501a2285c9cec59594b8330a905",
    )
    .unwrap();
    let signed = SignedPreKey::from_parts(
        22,
        KeyPair::from_private(key(
            "a0c7cb0901e0f6936af0b242bc86e991dd5d15410f49f217f0d060f40e394a4e",
        )),
        signature.try_into().unwrap(),
        NOW,
    );
    let one_time = PreKey::from_parts(
        7,
        KeyPair::from_private(key(
            "98e0c32e98880c7f47830e122142d7f5b4f11a1bcaf4e682d32ab1820f55dc7c",
        )),
    );
    let mut bob = Device::with_identity(BOB, 2, Policy::V3, 2, identity);
    bob.signed.insert(22, signed);
    bob.one_time.insert(7, one_time);
    bob.bundle_of(22, Some(7)).verify().unwrap();
    bob
}

fn alice() -> Address {
    Address::new(ALICE, DeviceId::new(1).unwrap())
}

#[test]
fn spec_03_scenario_1_both_messages_decrypt_in_either_order_and_replays_are_duplicates() {
    let (first, second) = (hex::decode(FIRST).unwrap(), hex::decode(SECOND).unwrap());
    for swapped in [false, true] {
        let mut bob = bob();
        let mut order = [(&first, b"hello v3".as_slice()), (&second, b"second".as_slice())];
        if swapped {
            order.reverse();
        }
        for (bytes, text) in order {
            assert_eq!(bob.decrypt_pre_key(&alice(), bytes).unwrap(), text);
            assert!(!bob.one_time.contains_key(&7), "deleted after the first");
        }
        for (bytes, _) in order {
            assert!(matches!(
                bob.decrypt_pre_key(&alice(), bytes),
                Err(Error::DuplicatedMessage { chain_index: 2, .. })
            ));
        }
    }
}

#[test]
fn spec_04_section_2_3_the_bound_message_is_accepted_with_exactly_its_addresses() {
    let (first, bound) = (hex::decode(FIRST).unwrap(), hex::decode(BOUND).unwrap());
    let mut right = bob();
    right.decrypt_pre_key(&alice(), &first).unwrap();
    assert_eq!(right.decrypt_signal(&alice(), &bound).unwrap(), b"bound");

    let others =
        [(BOB, 1), (ALICE, 2), ("PNI:796abedb-ca4e-4f18-8803-1fde5b921f9f", 2), ("bob", 2)];
    for (name, device) in others {
        let mut wrong = bob();
        wrong.address = Address::new(name, DeviceId::new(device).unwrap());
        wrong.decrypt_pre_key(&alice(), &first).unwrap();
        assert_eq!(wrong.decrypt_signal(&alice(), &bound), Err(Error::Rejected));
    }
    for (name, device) in [(ALICE, 2), (BOB, 1), ("alice", 1)] {
        let mut wrong = bob();
        let sender = Address::new(name, DeviceId::new(device).unwrap());
        wrong.decrypt_pre_key(&sender, &first).unwrap();
        assert_eq!(wrong.decrypt_signal(&sender, &bound), Err(Error::Rejected));
    }
    let mut upper = bob();
    upper.address = Address::new(BOB.to_uppercase(), DeviceId::new(2).unwrap());
    upper.decrypt_pre_key(&alice(), &first).unwrap();
    assert_eq!(upper.decrypt_signal(&alice(), &bound).unwrap(), b"bound");
}
