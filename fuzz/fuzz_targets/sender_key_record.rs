//! Any bytes as a stored sender key, sandi's or the official library's, and as the record of who holds one:
//! no panic, one encoding, and every operation gives a typed answer.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::group::{Distribution, GroupSession, Member, SenderKeyRecord};
use sandi::migrate::official::{decode_sender_key, encode_sender_key};
use sandi::wire::SenderKeyMessage;
use sandi::{Address, DeviceId, Record, Snapshot};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = SenderKeyRecord::decode(bytes) {
        assert!(*record.encode() == *bytes, "there is one encoding");
        operate(record);
    }
    if let Ok(record) = decode_sender_key(bytes) {
        let encoded = encode_sender_key(&record);
        let again = decode_sender_key(&encoded).expect("what was encoded decodes");
        assert!(encode_sender_key(&again) == encoded, "encoding is stable");
        assert!(SenderKeyRecord::decode(&record.encode()).expect("as ours") == record);
        operate(record);
    }
    let by = Distribution::Id([1; 16]);
    let address = |name| Address::new(name, DeviceId::new(1).unwrap());
    let (local, other) = (address("local"), address("other"));
    let mut own = SenderKeyRecord::new();
    own.rotate(&mut Rng(2));
    let mut snapshot = Snapshot::new();
    snapshot.insert(by.sender_key(&local), Some(Record::new(1, own.encode())));
    snapshot.insert(by.group(), Some(Record::new(1, bytes.to_vec())));
    if let Ok(mut group) = GroupSession::load(by, local, &snapshot) {
        let member = Member { address: &other, identity: None };
        let mut sending = group.prepare([member], &mut Rng(3)).expect("a sound key");
        sending.encrypt(b"text", &mut Rng(3)).expect("a sound key");
    }
});

fn operate(mut record: SenderKeyRecord) {
    let by = Distribution::Group("g".into());
    let _ = record.create_distribution(&by, &mut Rng(1));
    let (iteration, before) = (record.iteration(), record.encode());
    match record.encrypt(&by, b"text", &mut Rng(1)) {
        Ok(message) => {
            let message = SenderKeyMessage::parse(by.dialect(), &message).expect("a message");
            assert_eq!(Some(message.iteration()), iteration);
            // our own message, behind the chain
            let _ = record.decrypt(&message);
        }
        Err(_) => assert!(record.encode() == before, "a refusal changes nothing"),
    }
}
