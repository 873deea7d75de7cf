//! A bundle with any keys and signatures: processed or refused, and a refusal leaves no session.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::keys::{IdentityKeyPair, PublicKey};
use sandi::prekey::{BundlePreKey, KemPreKey, PreKeyBundle, SignedPreKey};
use sandi::session::{Addresses, LocalDevice, Session};
use sandi::{Address, DeviceId, Policy, Timestamp};

fuzz_target!(|bytes: &[u8]| {
    let Some((choices, rest)) = bytes.split_first_chunk::<8>() else { return };
    let mut rng = Rng(u64::from_le_bytes(*choices) | 1);
    let identity = IdentityKeyPair::generate(&mut rng);
    let peer = IdentityKeyPair::generate(&mut rng);
    let signed = SignedPreKey::generate(1, &peer, Timestamp(1), &mut rng);
    let kem = (choices[0] & 1 != 0).then(|| KemPreKey::generate(2, &peer, Timestamp(1), &mut rng));
    let device = DeviceId::new(1).unwrap();
    let mut bundle =
        PreKeyBundle::of(7, device, *peer.identity_key(), &signed, None, kem.as_ref());
    // replace parts of a sound bundle by what the input says
    let raw = |at: usize| {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(rest.iter().skip(at)) {
            *to = *from;
        }
        PublicKey::from_raw(key)
    };
    if choices[1] & 1 != 0 {
        bundle.pre_key = Some(BundlePreKey { id: 3, key: raw(0) });
    }
    if choices[1] & 2 != 0 {
        bundle.signed_pre_key.key = raw(32);
        // signed for real, so that low-order keys reach the handshake
        bundle.signed_pre_key.signature =
            peer.private_key().sign(&bundle.signed_pre_key.key.encode(), &mut rng);
    }
    if choices[1] & 4 != 0 {
        for (to, from) in bundle.signed_pre_key.signature.iter_mut().zip(rest.iter().skip(64)) {
            *to ^= *from;
        }
    }
    let policy = [Policy::V3, Policy::V4, Policy::V4_WITHOUT_SPQR, Policy::V3_OR_V4]
        [usize::from(choices[2] % 4)];
    let (alice, bob) = (Address::new("a", device), Address::new("b", device));
    let mut session = Session::new();
    let outcome = session.initiate(
        Addresses { local: &alice, remote: &bob },
        LocalDevice { identity: &identity, registration_id: 9 },
        &bundle,
        policy,
        |_| choices[3] & 7 != 0,
        Timestamp(5),
        &mut rng,
    );
    assert_eq!(outcome.is_ok(), session.has_current());
});
