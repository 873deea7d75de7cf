use sandi::device::DeviceError;
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{TrustPolicy, Verification};
use sandi::{Error, Policy, Timestamp};

use super::support::*;

/// Bob as he comes back after having lost his device: same address, another identity.
fn reinstalled(policy: Policy) -> Party {
    party_of(BOB, 1, policy, IdentityKeyPair::generate(&mut seeded("new bob", 9)))
}

fn with_policy(mut party: Party, trust: TrustPolicy) -> Party {
    let options = *party.device.options();
    party.device.set_options(sandi::protocol::Options { trust, ..options });
    party
}

#[test]
fn first_use_is_trusted_and_remembered_with_its_time() {
    let (alice, bob) = conversing(Policy::V4);
    let known = alice.device.identity_of(&bob.address()).unwrap().unwrap();
    assert_eq!(known.key(), bob.device.identity_key());
    assert_eq!(known.first_seen(), NOW);
    assert_eq!(known.verification(), Verification::Unverified);
    assert!(alice.device.identity_of(&address(CAROL, 1)).unwrap().is_none());
}

#[test]
fn a_changed_identity_is_an_event_with_the_old_and_the_new_key() {
    for policy in POLICIES {
        let (mut alice, bob) = conversing(policy);
        let old = *bob.device.identity_key();
        alice
            .device
            .set_verification(&bob.address(), &old, Verification::Verified, NOW, &mut alice.rng)
            .unwrap();
        let mut bob = reinstalled(policy);
        bob.start(&mut alice);
        let message = bob.write(&alice.address(), "new phone");
        alice.now = Timestamp(NOW.0 + DAY);
        let from = bob.address();
        let received = alice.open(&from, &message).unwrap();
        let change = received.identity_change().unwrap();
        assert_eq!((&change.old, &change.new), (&old, bob.device.identity_key()));
        assert_eq!((&change.address, change.was_verified), (&bob.address(), true));
        // Dropped, it has not happened yet.
        drop(received);
        assert_eq!(alice.device.identity_of(&from).unwrap().unwrap().key(), &old);
        let committed = alice.open(&from, &message).unwrap().commit().unwrap();
        assert!(committed.identity_change.is_some());
        let known = alice.device.identity_of(&from).unwrap().unwrap();
        assert_eq!(known.key(), bob.device.identity_key());
        assert_eq!(known.first_seen(), Timestamp(NOW.0 + DAY));
        assert_eq!(known.verification(), Verification::Unverified);
        let reply = alice.write(&from, "who is there?");
        assert_eq!(bob.read(&alice.address(), &reply), "who is there?");
    }
}

#[test]
fn a_changed_identity_in_a_bundle_is_an_event_too() {
    let (mut alice, _) = conversing(Policy::V4);
    let mut bob = reinstalled(Policy::V4);
    let bundle = bob.bundle();
    let started = alice.device.start_session(&bob.address(), &bundle, NOW, &mut alice.rng).unwrap();
    assert_eq!(started.identity_change.unwrap().new, *bob.device.identity_key());
    let again = bob.bundle();
    let started = alice.device.start_session(&bob.address(), &again, NOW, &mut alice.rng).unwrap();
    assert_eq!(started.identity_change, None);
}

#[test]
fn a_strict_device_blocks_until_exactly_that_key_is_accepted_and_then_the_same_message_reads() {
    for policy in POLICIES {
        let (alice, bob) = conversing(policy);
        let mut alice = with_policy(alice, TrustPolicy::BlockUntilAccepted);
        let old = *bob.device.identity_key();
        let mut bob = reinstalled(policy);
        let from = bob.address();
        bob.start(&mut alice);
        let message = bob.write(&alice.address(), "new phone");
        let error = alice.open(&from, &message).unwrap_err();
        let DeviceError::UntrustedIdentity(change) = error else { panic!("{error}") };
        assert_eq!((change.old, change.new), (old, *bob.device.identity_key()));
        // Accepting another key does not help.
        let third = IdentityKeyPair::generate(&mut seeded("third", 3));
        alice.device.accept_identity(&from, third.identity_key(), NOW, &mut alice.rng).unwrap();
        assert_eq!(alice.refused(&from, &message), Error::UntrustedIdentity);
        alice.device.accept_identity(&from, &change.new, NOW, &mut alice.rng).unwrap();
        assert_eq!(alice.read(&from, &message), "new phone");
    }
}

#[test]
fn a_strict_device_blocks_a_changed_bundle_and_sending_to_an_old_key() {
    let (alice, old_bob) = conversing(Policy::V4);
    let mut alice = with_policy(alice, TrustPolicy::BlockUntilAccepted);
    let mut bob = reinstalled(Policy::V4);
    let to = bob.address();
    let bundle = bob.bundle();
    let error = alice.device.start_session(&to, &bundle, NOW, &mut alice.rng).unwrap_err();
    let DeviceError::UntrustedIdentity(change) = error else { panic!("{error}") };
    assert_eq!(change.old, *old_bob.device.identity_key());
    // The session that exists goes on as long as its key is the accepted one.
    alice.write(&to, "to the old phone");
    alice.device.accept_identity(&to, &change.new, NOW, &mut alice.rng).unwrap();
    let error = alice.try_write(&to, "to the old phone").unwrap_err();
    assert_eq!(error.protocol(), Some(Error::UntrustedIdentity));
    alice.device.start_session(&to, &bundle, NOW, &mut alice.rng).unwrap();
    let message = alice.write(&to, "to the new phone");
    assert_eq!(bob.read(&alice.address(), &message), "to the new phone");
}

#[test]
fn late_messages_of_an_old_identity_read_and_do_not_bring_it_back() {
    let (mut alice, mut old_bob) = conversing(Policy::V4);
    let late = old_bob.write(&alice.address(), "written before the phone was lost");
    let mut bob = reinstalled(Policy::V4);
    bob.start(&mut alice);
    let message = bob.write(&alice.address(), "new phone");
    assert_eq!(alice.read(&bob.address(), &message), "new phone");
    let from = bob.address();
    let received = alice.open(&from, &late).unwrap();
    assert!(received.identity_change().is_none());
    received.commit().unwrap();
    let known = alice.device.identity_of(&from).unwrap().unwrap();
    assert_eq!(known.key(), bob.device.identity_key());
    // The late message has made the old session current: that is not sent in.
    let error = alice.try_write(&from, "to whom?").unwrap_err();
    assert_eq!(error.protocol(), Some(Error::SessionNotFound));
    let from = bob.address();
    let next = bob.write(&alice.address(), "still here");
    assert_eq!(alice.read(&from, &next), "still here");
    let reply = alice.write(&from, "to the new one");
    assert_eq!(bob.read(&alice.address(), &reply), "to the new one");
}

#[test]
fn a_device_that_always_trusts_sends_in_whatever_session_the_peer_uses() {
    let (alice, mut old_bob) = conversing(Policy::V4);
    let mut alice = with_policy(alice, TrustPolicy::Always);
    let late = old_bob.write(&alice.address(), "late");
    let mut bob = reinstalled(Policy::V4);
    bob.start(&mut alice);
    let message = bob.write(&alice.address(), "new phone");
    let received = alice.open(&bob.address(), &message).unwrap().commit().unwrap();
    assert!(received.identity_change.is_some());
    assert_eq!(alice.read(&bob.address(), &late), "late");
    let reply = alice.write(&bob.address(), "answer");
    assert_eq!(old_bob.read(&alice.address(), &reply), "answer");
}

#[test]
fn only_the_known_key_can_be_verified() {
    let (mut alice, bob) = conversing(Policy::V4);
    let other = IdentityKeyPair::generate(&mut seeded("other", 3));
    let (to, verified) = (bob.address(), Verification::Verified);
    let refused =
        alice.device.set_verification(&to, other.identity_key(), verified, NOW, &mut alice.rng);
    assert_eq!(refused.unwrap_err().protocol(), Some(Error::UntrustedIdentity));
    let key = *bob.device.identity_key();
    alice.device.set_verification(&to, &key, verified, NOW, &mut alice.rng).unwrap();
    alice.restart();
    assert_eq!(alice.device.identity_of(&to).unwrap().unwrap().verification(), verified);
    // Whatever the session, the note stays.
    alice.write(&to, "text");
    assert_eq!(alice.device.identity_of(&to).unwrap().unwrap().verification(), verified);
}
