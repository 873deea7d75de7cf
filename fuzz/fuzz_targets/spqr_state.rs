//! Any bytes as a stored SPQR state, official or compact: a typed error, or a state that can be used and written
//! again.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::spqr::Spqr;

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, state)) = bytes.split_first() else { return };
    let imported =
        if which & 1 == 0 { Spqr::import_official(state) } else { Spqr::decode_compact(state) };
    let Ok(mut party) = imported else { return };
    let official = party.export_official();
    let again = Spqr::import_official(&official).expect("what was exported imports");
    assert!(again.export_official() == official);
    let compact = Spqr::decode_compact(&party.encode_compact()).expect("what was encoded decodes");
    assert!(compact.export_official() == official);
    let mut rng = Rng(3);
    if let Ok(sent) = party.send(&mut rng) {
        let _ = party.receive(sent.message());
    }
    let _ = party.receive(&[1, 1, 1, 0]);
});
