//! A two-party session driven by bytes: send, deliver in any order, forge, lose, archive, start again. What
//! decrypts is what was sent, and only once; a refused message changes nothing.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::keys::IdentityKeyPair;
use sandi::migrate::official::encode_session;
use sandi::prekey::{KemPreKey, PreKeyBundle, SignedPreKey};
use sandi::session::{Addresses, CiphertextMessage, LocalDevice, PreKeys, Session};
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Address, DeviceId, Error, Policy, Timestamp};

const NOW: Timestamp = Timestamp(1_000_000);

struct Party {
    address: Address,
    identity: IdentityKeyPair,
    signed: SignedPreKey,
    kem: KemPreKey,
    session: Session,
    inbox: Vec<(CiphertextMessage, u32, bool)>,
    /// The archive has been full: sessions may be forgotten, and with them what they have decrypted. The
    /// pre-keys stay, so an old pre-key message may then start its session anew.
    forgetful: bool,
}

impl Party {
    fn new(name: &str, rng: &mut Rng) -> Self {
        let identity = IdentityKeyPair::generate(rng);
        Self {
            address: Address::new(name, DeviceId::new(1).unwrap()),
            signed: SignedPreKey::generate(1, &identity, NOW, rng),
            kem: KemPreKey::generate(1, &identity, NOW, rng),
            identity,
            session: Session::new(),
            inbox: Vec::new(),
            forgetful: false,
        }
    }

    fn decrypt(
        &mut self,
        peer: &Address,
        message: &CiphertextMessage,
        policy: Policy,
        rng: &mut Rng,
    ) -> Result<Vec<u8>, Error> {
        let addresses = Addresses { local: &self.address, remote: peer };
        if message.message_type == CiphertextMessageType::PreKey {
            let view = PreKeySignalMessage::parse(&message.bytes)?;
            let local = LocalDevice { identity: &self.identity, registration_id: 1 };
            let keys = PreKeys {
                signed: Some(&self.signed),
                kem: Some(&self.kem),
                ..PreKeys::default()
            };
            let accepted =
                self.session.accept(addresses, local, &view, keys, policy, |_| true, rng)?;
            Ok(accepted.plaintext.to_vec())
        } else {
            let view = SignalMessage::parse(&message.bytes)?;
            Ok(self.session.decrypt(addresses, &view, |_| true, rng)?.to_vec())
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, steps)) = bytes.split_first() else { return };
    let mut rng = Rng(u64::from(first) + 1);
    let policy = [Policy::V4, Policy::V3, Policy::V4_WITHOUT_SPQR][usize::from(first % 3)];
    let mut parties = [Party::new("a", &mut rng), Party::new("b", &mut rng)];
    let mut count = 0_u32;
    for step in steps.chunks(3).take(400) {
        let [op, x, y] = [step[0], *step.get(1).unwrap_or(&0), *step.get(2).unwrap_or(&0)];
        for party in &mut parties {
            party.forgetful |= party.session.archived_count() >= 40;
        }
        let who = usize::from(op & 1);
        let [a, b] = &mut parties;
        let (party, peer) = if who == 0 { (a, b) } else { (b, a) };
        match (op >> 1) % 8 {
            0..3 => {
                count += 1;
                let addresses = Addresses { local: &party.address, remote: &peer.address };
                let text = [&count.to_be_bytes()[..], &vec![x; usize::from(y)]].concat();
                match party.session.encrypt(addresses, &text, |_| true, NOW, &mut rng) {
                    Ok(message) => peer.inbox.push((message, count, false)),
                    Err(error) => assert_eq!(error, Error::SessionNotFound),
                }
            }
            3 | 4 if !party.inbox.is_empty() => {
                let at = usize::from(x) % party.inbox.len();
                let (message, number, done) = party.inbox[at].clone();
                let before = encode_session(&party.session);
                match party.decrypt(&peer.address, &message, policy, &mut rng) {
                    Ok(text) => {
                        assert!(!done || party.forgetful, "decrypted twice");
                        assert_eq!(text[..4], number.to_be_bytes());
                        party.inbox[at].2 = true;
                    }
                    Err(_) => assert!(encode_session(&party.session) == before),
                }
            }
            5 if !party.inbox.is_empty() => {
                let at = usize::from(x) % party.inbox.len();
                let (mut message, number, done) = party.inbox[at].clone();
                let place = usize::from(y) * 7 % message.bytes.len();
                message.bytes[place] ^= 1 << (x & 7);
                let before = encode_session(&party.session);
                match party.decrypt(&peer.address, &message, policy, &mut rng) {
                    // outside the MAC: then it is the true message
                    Ok(text) => {
                        assert!(!done || party.forgetful);
                        assert_eq!(message.message_type, CiphertextMessageType::PreKey);
                        assert_eq!(text[..4], number.to_be_bytes());
                        party.inbox[at].2 = true;
                    }
                    Err(_) => assert!(encode_session(&party.session) == before),
                }
            }
            6 => party.session.archive_current(),
            7 => {
                let kem = (policy != Policy::V3).then_some(&peer.kem);
                let bundle = PreKeyBundle::of(
                    1,
                    peer.address.device(),
                    *peer.identity.identity_key(),
                    &peer.signed,
                    None,
                    kem,
                );
                let addresses = Addresses { local: &party.address, remote: &peer.address };
                let local = LocalDevice { identity: &party.identity, registration_id: 1 };
                party
                    .session
                    .initiate(addresses, local, &bundle, policy, |_| true, NOW, &mut rng)
                    .expect("a sound bundle");
            }
            _ => {}
        }
    }
});
