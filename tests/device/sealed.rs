use sandi::keys::KeyPair;
use sandi::sealed_sender::{
    ContentHint, Sender, SenderCertificate, SentMessage, ServerCertificate, Trust,
    UnidentifiedSenderMessageContent,
};
use sandi::{Address, Error, Policy, ServiceId, Timestamp};

use super::support::*;

const DAVE: &str = "dd1c7a6f-3f5a-4a3c-9a42-1d7b7c0a8d11";

struct Server {
    root: KeyPair,
    certificate: ServerCertificate,
    key: KeyPair,
}

impl Server {
    fn new() -> Self {
        let mut rng = seeded("server", 1);
        let (root, key) = (KeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
        let certificate =
            ServerCertificate::issue(1, key.public_key(), root.private_key(), &mut rng);
        Self { root, certificate, key }
    }

    fn certify(&self, party: &Party) -> SenderCertificate {
        let address = party.address();
        let sender = Sender {
            uuid: address.name(),
            e164: None,
            device: address.device(),
            identity: party.device.identity_key(),
        };
        let expiration = Timestamp(NOW.0 + DAY);
        let key = self.key.private_key();
        SenderCertificate::issue(&sender, expiration, &self.certificate, key, &mut seeded("c", 1))
    }
}

fn content(
    from: &mut Party,
    to: &Address,
    text: &str,
    server: &Server,
) -> UnidentifiedSenderMessageContent {
    let message = from.write(to, text);
    let certificate = server.certify(from);
    let hint = ContentHint::Resendable;
    UnidentifiedSenderMessageContent::new(
        message.message_type,
        &message.bytes,
        &certificate,
        hint,
        None,
    )
}

/// Opens a sealed message, and decrypts and commits what is inside.
fn read(party: &mut Party, sealed: &[u8], server: &Server) -> Result<(Address, String), Error> {
    let roots = [*server.root.public_key()];
    let opened = party.device.open_sealed(sealed, &Trust::new(&roots), None, party.now)?;
    let from = opened.sender().address();
    let received = party
        .device
        .decrypt(&from, opened.message_type(), opened.contents(), party.now, &mut party.rng)
        .map_err(|error| error.protocol().unwrap())?;
    let text = String::from_utf8(received.plaintext().to_vec()).unwrap();
    received.commit().map_err(|error| error.protocol().unwrap())?;
    Ok((from, text))
}

#[test]
fn a_sealed_conversation_through_devices() {
    let server = Server::new();
    let (mut alice, mut bob) = (party(ALICE, 1, Policy::V4), party(BOB, 1, Policy::V4));
    alice.start(&mut bob);
    for round in 0..4 {
        let text = format!("{round}");
        let content = content(&mut alice, &bob.address(), &text, &server);
        let sealed = alice.device.seal(&bob.address(), &content, &mut alice.rng).unwrap();
        assert_eq!(read(&mut bob, &sealed, &server).unwrap(), (alice.address(), text));
        // The envelope is no protection against replay; the session inside is.
        let again = read(&mut bob, &sealed, &server).unwrap_err();
        assert!(matches!(again, Error::DuplicatedMessage { .. }));
        std::mem::swap(&mut alice, &mut bob);
    }
    // Another root, a certificate that has expired, our own message, and a stranger's identity key.
    let content = content(&mut alice, &bob.address(), "text", &server);
    let sealed = alice.device.seal(&bob.address(), &content, &mut alice.rng).unwrap();
    let invalid = Error::InvalidSealedSenderMessage;
    let other = [*KeyPair::generate(&mut seeded("other", 1)).public_key()];
    let opened = bob.device.open_sealed(&sealed, &Trust::new(&other), None, NOW);
    assert_eq!(opened.unwrap_err(), invalid);
    bob.now = Timestamp(NOW.0 + 2 * DAY);
    assert_eq!(read(&mut bob, &sealed, &server).unwrap_err(), invalid);
    bob.now = NOW;
    let nobody = alice.device.seal(&address(DAVE, 1), &content, &mut alice.rng);
    assert_eq!(nobody.unwrap_err().protocol(), Some(Error::SessionNotFound));
    let mut dave = party(DAVE, 1, Policy::V4);
    assert_eq!(read(&mut dave, &sealed, &server).unwrap_err(), invalid);
    assert_eq!(read(&mut bob, &sealed, &server).unwrap().1, "text");
}

#[test]
fn one_sealed_message_goes_to_many_and_the_server_splits_it() {
    let server = Server::new();
    let mut alice = party(ALICE, 1, Policy::V4);
    let mut peers = [party(BOB, 1, Policy::V4), party(CAROL, 1, Policy::V4)];
    for peer in &mut peers {
        alice.start(peer);
    }
    // A sender-key message would be the same for all; what is inside is not looked at here.
    let certificate = server.certify(&alice);
    let kind = sandi::wire::CiphertextMessageType::SenderKey;
    let hint = ContentHint::Implicit;
    let content =
        UnidentifiedSenderMessageContent::new(kind, b"group", &certificate, hint, Some(b"id"));
    let mut addresses = peers.each_ref().map(Party::address);
    addresses.sort();
    let dave = ServiceId::parse(DAVE).unwrap();
    let sent = alice.device.seal_for_many(&addresses, &[dave], &content, &mut alice.rng).unwrap();
    let parsed = SentMessage::parse(&sent).unwrap();
    assert_eq!(parsed.excluded().collect::<Vec<_>>(), [dave]);
    let roots = [*server.root.public_key()];
    for (recipient, address) in parsed.recipients().zip(&addresses) {
        assert_eq!(Some(*recipient.service_id()), address.service_id());
        let received = parsed.received(recipient).unwrap();
        for peer in &peers {
            let opened = peer.device.open_sealed(&received, &Trust::new(&roots), None, NOW);
            if peer.address() == *address {
                let opened = opened.unwrap();
                assert_eq!(
                    (opened.contents(), opened.group_id()),
                    (&b"group"[..], Some(&b"id"[..]))
                );
                assert_eq!(opened.sender().address(), alice.address());
            } else {
                assert!(opened.is_err());
            }
        }
    }
    let unknown = [address(DAVE, 1)];
    let refused = alice.device.seal_for_many(&unknown, &[], &content, &mut alice.rng);
    assert_eq!(refused.unwrap_err().protocol(), Some(Error::SessionNotFound));
}

#[test]
fn a_sealed_message_of_this_very_device_is_refused_and_of_another_one_of_the_account_it_is_not() {
    let server = Server::new();
    let identity = || sandi::keys::IdentityKeyPair::generate(&mut seeded("alice", 0));
    let mut first = party_of(ALICE, 1, Policy::V4, identity());
    let mut second = party_of(ALICE, 2, Policy::V4, identity());
    first.start(&mut second);
    let content = content(&mut first, &second.address(), "sync", &server);
    let sealed = first.device.seal(&second.address(), &content, &mut first.rng).unwrap();
    let roots = [*server.root.public_key()];
    let own = first.device.open_sealed(&sealed, &Trust::new(&roots), None, NOW);
    assert_eq!(own.unwrap_err(), Error::SealedSenderSelfSend);
    assert_eq!(read(&mut second, &sealed, &server).unwrap().1, "sync");
}
