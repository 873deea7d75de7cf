//! Any bytes as a distribution message, in both forms: no panic, and a record that processed some of them is
//! sound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::GroupDialect;
use sandi::group::SenderKeyRecord;
use sandi::wire::{SenderKeyDistributionMessage, SenderKeyDistributionMessageFields};

fuzz_target!(|bytes: &[u8]| {
    for dialect in [GroupDialect::Distribution, GroupDialect::GroupId] {
        let mut record = SenderKeyRecord::new();
        // the input as one message, and in pieces of one length as several
        for message in bytes.chunks(95).chain([bytes]) {
            let Ok(view) = SenderKeyDistributionMessage::parse(dialect, message) else { continue };
            assert_eq!(view.version(), 3);
            assert_eq!(view.distribution_id().is_some(), dialect == GroupDialect::Distribution);
            let again = SenderKeyDistributionMessageFields {
                version_byte: message[0],
                distribution_id: view.distribution_id(),
                chain_id: view.chain_id(),
                iteration: view.iteration(),
                chain_key: &view.chain_key(),
                signing_key: view.signing_key(),
            }
            .encode();
            assert!(again.len() <= 101);
            let again = SenderKeyDistributionMessage::parse(dialect, &again).unwrap();
            assert_eq!(again.iteration(), view.iteration());
            record.process_distribution(&view);
            assert_eq!(record.chain_ids().next(), Some(view.chain_id()));
            assert!(record.chain_ids().len() <= 5);
            let known = record.encode();
            record.process_distribution(&again);
            assert!(record.encode() == known, "a known key is not touched");
            assert!(SenderKeyRecord::decode(&known).unwrap() == record);
        }
    }
});
