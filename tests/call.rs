//! Calls: what packets may do on their way, what a forger may try, and how keys change (spec 23).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, missing_docs)]

use std::collections::HashSet;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::call::{
    BoundCallKey, CallEpochs, CallKey, CallKeyLedger, FRAME_OVERHEAD_MAX, FrameOpener, FrameReplay,
    FrameSealer, HopSeed, MAX_EPOCHS, MAX_PARTICIPANTS, MAX_STREAMS, MasterKeys, RtpHeader, RtpTag,
    SRTCP_OVERHEAD, SessionKeys, SrtpProfile, SrtpReceiver, SrtpSender,
};
use sandi::{Error, Jid, Secret};

const TEN: SrtpProfile =
    SrtpProfile { tag: RtpTag::Ten, header: sandi::call::RtpHeaderRule::Whole };
const WHATSAPP: SrtpProfile =
    SrtpProfile { tag: RtpTag::Four, header: sandi::call::RtpHeaderRule::Whole };

fn jid(user: usize) -> Jid {
    Jid::parse(&format!("{}:0@lid", 111_111_111_111_111 * (user + 1))).unwrap()
}

fn bound(byte: u8) -> BoundCallKey {
    CallKeyLedger::new().admit("call", CallKey::from_secret(Secret::new([byte; 32]))).unwrap()
}

fn pair(profile: SrtpProfile) -> (SrtpSender, SrtpReceiver) {
    let mut key = bound(7);
    (key.sender(&jid(0), profile).unwrap(), key.receiver(&jid(0), profile))
}

/// An RTP packet whose payload says which one it is.
fn packet(ssrc: u32, sequence: u16, content: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0x78];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(content.to_be_bytes());
    packet.extend([0xAB; 20]);
    packet
}

fn protect(sender: &mut SrtpSender, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut buffer = [packet, &[0; 10]].concat();
    let length = sender.protect_rtp(&mut buffer, packet.len())?;
    buffer.truncate(length);
    Ok(buffer)
}

fn protect_rtcp(sender: &mut SrtpSender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = [packet, &[0; SRTCP_OVERHEAD]].concat();
    assert_eq!(sender.protect_rtcp(&mut buffer, packet.len()), Ok(buffer.len()));
    buffer
}

/// What comes out; a refusal leaves the bytes as they were.
fn open(receiver: &mut SrtpReceiver, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = packet.to_vec();
    match receiver.unprotect_rtp(&mut bytes) {
        Ok(length) => Ok(bytes[..length].to_vec()),
        Err(error) => {
            assert_eq!(bytes, packet);
            Err(error)
        }
    }
}

fn open_rtcp(receiver: &mut SrtpReceiver, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = packet.to_vec();
    match receiver.unprotect_rtcp(&mut bytes) {
        Ok(length) => Ok(bytes[..length].to_vec()),
        Err(error) => {
            assert_eq!(bytes, packet);
            Err(error)
        }
    }
}

#[test]
fn the_default_transform_gives_the_published_packets_of_libsrtp() {
    let bytes = |text: &str| hex::decode(text).unwrap();
    let master = MasterKeys::new(
        Secret::from_slice(&bytes("e1f97a0d3e018be0d64fa32c06de4139")).unwrap(),
        Secret::from_slice(&bytes("0ec675ad498afeebb6960b3aabe6")).unwrap(),
    );
    let mut sender = SrtpSender::new(&master, TEN);
    let plain = bytes("800f1234decafbadcafebabeabababababababababababababababab");
    let expected =
        bytes("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    assert_eq!(protect(&mut sender, &plain).unwrap(), expected);
    let control = bytes("81c8000bcafebabeabababababababababababababababab");
    let expected =
        bytes("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
    protect_rtcp(&mut sender, &control);
    assert_eq!(protect_rtcp(&mut sender, &control), expected);
}

#[test]
fn the_call_key_message_is_36_bytes_and_other_fields_are_ignored() {
    let key = CallKey::generate(&mut StdRng::seed_from_u64(1));
    let message = key.message();
    let expected = [&[0x52, 34, 0x0A, 32][..], key.secret().expose()].concat();
    assert_eq!(message.expose()[..], expected);
    assert_eq!(CallKey::parse_message(message.expose()).unwrap(), key);
    // fields before, between and after
    let call = [&[0x12, 1, 9, 0x0A, 32][..], key.secret().expose(), &[0x18, 1]].concat();
    let more = [&[0x0A, 1, b'x', 0x52, 39][..], &call, &[0x9A, 0x02, 0]].concat();
    assert_eq!(CallKey::parse_message(&more).unwrap(), key);
    // the last one counts, as in every protobuf
    let other = CallKey::generate(&mut StdRng::seed_from_u64(2));
    let both = [other.message().expose().as_slice(), message.expose()].concat();
    assert_eq!(CallKey::parse_message(&both).unwrap(), key);
    let missing: [&[u8]; 5] =
        [&[], &[0x52, 0], &[0x52, 3, 0x0A, 1, 7], &message.expose()[..35], &[0x50, 1]];
    for bad in missing {
        assert_eq!(CallKey::parse_message(bad), Err(Error::InvalidProtobuf));
    }
}

#[test]
fn a_call_key_serves_one_call_and_has_one_sender() {
    let mut ledger = CallKeyLedger::new();
    let key = || CallKey::from_secret(Secret::new([3; 32]));
    let mut bound = ledger.admit("first", key()).unwrap();
    assert_eq!(bound.call_id(), "first");
    for again in ["second", "first"] {
        assert_eq!(ledger.admit(again, key()).unwrap_err(), Error::ReusedCallKey);
    }
    let long = "x".repeat(257);
    for id in ["", &long] {
        let other = CallKey::from_secret(Secret::new([4; 32]));
        assert_eq!(ledger.admit(id, other).unwrap_err(), Error::InvalidArgument);
    }
    bound.sender(&jid(0), WHATSAPP).unwrap();
    assert_eq!(bound.sender(&jid(0), WHATSAPP).unwrap_err(), Error::ReusedCallKey);
    assert_eq!(bound.sender(&jid(1), WHATSAPP).unwrap_err(), Error::ReusedCallKey);
    bound.frame_sealer(&jid(0), 0).unwrap();
    assert_eq!(bound.frame_sealer(&jid(0), 1).unwrap_err(), Error::ReusedCallKey);
    // the ledger is bounded: it forgets the oldest of 256
    let rng = &mut StdRng::seed_from_u64(1);
    for _ in 0..255 {
        ledger.admit("more", CallKey::generate(rng)).unwrap();
    }
    assert_eq!(ledger.admit("again", key()).unwrap_err(), Error::ReusedCallKey);
    ledger.admit("one more", CallKey::generate(rng)).unwrap();
    ledger.admit("again", key()).unwrap();
}

#[test]
fn the_two_directions_have_other_keys() {
    let mut caller = bound(9);
    let mut callee = bound(9);
    let mut there = caller.sender(&jid(0), WHATSAPP).unwrap();
    let mut back = callee.sender(&jid(1), WHATSAPP).unwrap();
    let plain = packet(5, 100, 1);
    let (a, b) = (protect(&mut there, &plain).unwrap(), protect(&mut back, &plain).unwrap());
    assert_ne!(a[12..], b[12..]);
    assert_eq!(open(&mut callee.receiver(&jid(0), WHATSAPP), &a).unwrap(), plain);
    assert_eq!(open(&mut caller.receiver(&jid(1), WHATSAPP), &b).unwrap(), plain);
    // reflected
    assert_eq!(open(&mut caller.receiver(&jid(1), WHATSAPP), &a), Err(Error::Rejected));
    // another device of the same user
    let second = Jid::parse("222222222222222:1@lid").unwrap();
    assert_eq!(open(&mut caller.receiver(&second, WHATSAPP), &b), Err(Error::Rejected));
    // control packets have keys of their own as well
    let control = protect_rtcp(&mut there, &[0x80; 28]);
    assert_eq!(open_rtcp(&mut callee.receiver(&jid(0), WHATSAPP), &control).unwrap(), [0x80; 28]);
    assert_eq!(open_rtcp(&mut caller.receiver(&jid(1), WHATSAPP), &control), Err(Error::Rejected));
}

#[test]
fn header_extension_and_sources_stay_readable_and_are_authenticated() {
    let (mut sender, mut receiver) = pair(TEN);
    let mut plain = vec![0x91, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5];
    plain.extend([1, 1, 1, 1, 0xBE, 0xDE, 0, 1, 0x10, 0x20, 0, 0]);
    assert_eq!(RtpHeader::parse(&plain).unwrap().length, 24);
    plain.extend([0xAB; 30]);
    let protected = protect(&mut sender, &plain).unwrap();
    assert_eq!(protected[..24], plain[..24]);
    assert_ne!(protected[24..54], plain[24..]);
    let mut changed = protected.clone();
    changed[20] ^= 1;
    assert_eq!(open(&mut receiver, &changed), Err(Error::Rejected));
    assert_eq!(open(&mut receiver, &protected).unwrap(), plain);
    // an empty payload is a packet, too
    let mut bare = plain[..24].to_vec();
    bare[3] = 2;
    let protected = protect(&mut sender, &bare).unwrap();
    assert_eq!(open(&mut receiver, &protected).unwrap(), bare);
}

#[test]
fn malformed_packets_and_short_buffers_are_refused() {
    let (mut sender, mut receiver) = pair(WHATSAPP);
    for length in 0..16 {
        let short = vec![0x80; length];
        assert!(matches!(open(&mut receiver, &short), Err(Error::CiphertextTooShort(_))));
    }
    for length in 0..22 {
        let short = vec![0x80; length];
        assert!(matches!(open_rtcp(&mut receiver, &short), Err(Error::CiphertextTooShort(_))));
    }
    let wrong_version = [0x40; 40];
    assert_eq!(open(&mut receiver, &wrong_version), Err(Error::InvalidMediaPacket));
    assert_eq!(open_rtcp(&mut receiver, &wrong_version), Err(Error::InvalidMediaPacket));
    // a control packet that says it is not encrypted
    let mut control = protect_rtcp(&mut sender, &[0x80; 28]);
    control[28] &= 0x7F;
    assert_eq!(open_rtcp(&mut receiver, &control), Err(Error::InvalidMediaPacket));
    // no room for the tag, a length beyond the buffer: nothing is written, no number used
    let mut buffer = packet(1, 1, 1);
    let before = buffer.clone();
    for length in [buffer.len() - 3, buffer.len(), buffer.len() + 1, usize::MAX] {
        assert_eq!(sender.protect_rtp(&mut buffer, length), Err(Error::InvalidArgument));
        assert_eq!(sender.protect_rtcp(&mut buffer, length), Err(Error::InvalidArgument));
    }
    let mut huge = vec![0x80; (1 << 20) + 100];
    let length = huge.len() - 20;
    assert_eq!(sender.protect_rtp(&mut huge, length), Err(Error::InvalidArgument));
    assert_eq!(sender.protect_rtcp(&mut huge, length), Err(Error::InvalidArgument));
    assert_eq!(buffer, before);
    assert!(protect(&mut sender, &before).is_ok());
    let next = protect_rtcp(&mut sender, &[0x80; 8]);
    assert_eq!(next[8..12], [0x80, 0, 0, 1]);
}

#[test]
fn a_sender_uses_no_sequence_number_twice() {
    let (mut sender, _) = pair(WHATSAPP);
    protect(&mut sender, &packet(1, 500, 1)).unwrap();
    protect(&mut sender, &packet(1, 510, 2)).unwrap();
    protect(&mut sender, &packet(1, 505, 3)).unwrap();
    for used in [500, 505, 510] {
        let again = protect(&mut sender, &packet(1, used, 4));
        assert_eq!(again, Err(Error::ReplayedMediaPacket));
    }
    assert_eq!(protect(&mut sender, &packet(1, 382, 5)), Err(Error::ReplayedMediaPacket));
    // another stream has its own numbers
    protect(&mut sender, &packet(2, 500, 6)).unwrap();
    assert_eq!(sender.start_stream(2, 1), Err(Error::InvalidArgument));
    sender.start_stream(3, 1).unwrap();
}

#[test]
fn a_context_takes_a_bounded_number_of_streams_and_forgers_take_none() {
    let (mut sender, mut receiver) = pair(WHATSAPP);
    for ssrc in 1000..2000 {
        let mut forged = packet(ssrc, 1, 1);
        forged.extend([0; 4]);
        assert_eq!(open(&mut receiver, &forged), Err(Error::Rejected));
    }
    for ssrc in 0..MAX_STREAMS as u32 {
        let protected = protect(&mut sender, &packet(ssrc, 1, 1)).unwrap();
        open(&mut receiver, &protected).unwrap();
    }
    let more = packet(99, 1, 1);
    assert_eq!(protect(&mut sender, &more), Err(Error::InvalidMediaPacket));
    let mut forged = more;
    forged.extend([0; 4]);
    assert_eq!(open(&mut receiver, &forged), Err(Error::InvalidMediaPacket));
}

#[test]
fn a_stream_that_begins_before_its_number_goes_round_is_found_when_the_first_packets_are_lost() {
    let (mut sender, mut receiver) = pair(WHATSAPP);
    let first = protect(&mut sender, &packet(1, 65_535, 0)).unwrap();
    let second = protect(&mut sender, &packet(1, 0, 1)).unwrap();
    let third = protect(&mut sender, &packet(1, 1, 2)).unwrap();
    assert_eq!(open(&mut receiver, &third).unwrap(), packet(1, 1, 2));
    assert_eq!(open(&mut receiver, &first).unwrap(), packet(1, 65_535, 0));
    assert_eq!(open(&mut receiver, &second).unwrap(), packet(1, 0, 1));
    assert_eq!(open(&mut receiver, &second), Err(Error::ReplayedMediaPacket));
}

#[test]
fn two_rounds_of_sequence_numbers_are_counted_with_loss() {
    let (mut sender, mut receiver) = pair(WHATSAPP);
    let mut last = Vec::new();
    for n in 0..200_000_u32 {
        let plain = packet(1, n as u16, n);
        // as many are lost as the RFC's guess can bear, and all but a few
        if n % 31_000 == 7 {
            last = protect(&mut sender, &plain).unwrap();
            assert_eq!(open(&mut receiver, &last).unwrap(), plain, "{n}");
        } else if n % 1000 == 0 {
            protect(&mut sender, &plain).unwrap();
        }
    }
    assert_eq!(open(&mut receiver, &last), Err(Error::ReplayedMediaPacket));
}

/// Which of `count` packets arrive, in which order, some of them twice.
fn schedule(count: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec((0..count, 0..20_usize), 1..2 * count).prop_map(|picks| {
        let mut order: Vec<_> =
            picks.into_iter().map(|(packet, delay)| (packet + delay, packet)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, packet)| packet).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Reordered, lost and doubled packets around the wrap of the sequence number: each opens once, to
    /// what was sent, and never again.
    #[test]
    fn every_packet_opens_once_in_any_order(
        start in 65_400_u16..=65_535,
        order in schedule(300),
        ten in any::<bool>(),
    ) {
        let (mut sender, mut receiver) = pair(if ten { TEN } else { WHATSAPP });
        let plain: Vec<_> =
            (0..300).map(|n| packet(1, start.wrapping_add(n), u32::from(n))).collect();
        let sent: Vec<_> = plain.iter().map(|one| protect(&mut sender, one).unwrap()).collect();
        let (mut seen, mut highest) = (HashSet::new(), None);
        for at in order {
            let result = open(&mut receiver, &sent[at]);
            let too_old = highest.is_some_and(|highest| at + 128 <= highest);
            if seen.contains(&at) || too_old {
                prop_assert_eq!(result, Err(Error::ReplayedMediaPacket));
            } else {
                prop_assert_eq!(result.as_ref(), Ok(&plain[at]));
                seen.insert(at);
                highest = highest.max(Some(at));
            }
        }
    }

    /// Control packets likewise.
    #[test]
    fn every_control_packet_opens_once_in_any_order(order in schedule(200)) {
        let (mut sender, mut receiver) = pair(WHATSAPP);
        let plain: Vec<_> = (0..200_u8).map(|n| vec![0x80 | n & 1, n, 0, 0, 1, 2, 3, 4, n, n]).collect();
        let sent: Vec<_> = plain.iter().map(|one| protect_rtcp(&mut sender, one)).collect();
        let (mut seen, mut highest) = (HashSet::new(), 0);
        for at in order {
            let result = open_rtcp(&mut receiver, &sent[at]);
            if seen.contains(&at) || at + 128 <= highest {
                prop_assert_eq!(result, Err(Error::ReplayedMediaPacket));
            } else {
                prop_assert_eq!(result.as_ref(), Ok(&plain[at]));
                seen.insert(at);
                highest = highest.max(at);
            }
        }
    }

    /// A changed bit anywhere, in a packet that is early, late or first: it is refused, and what follows
    /// is as if it had never come.
    #[test]
    fn a_forgery_changes_nothing(
        received in proptest::collection::vec(0_u16..40, 0..20),
        forged in 0_u16..40,
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        control in any::<bool>(),
    ) {
        let (mut sender, mut receiver) = pair(WHATSAPP);
        let (_, mut untouched) = pair(WHATSAPP);
        let open = if control { open_rtcp } else { open };
        let sent: Vec<_> = (0..40_u16)
            .map(|n| match control {
                true => protect_rtcp(&mut sender, &packet(1, n, 7)),
                false => protect(&mut sender, &packet(1, n.wrapping_sub(20), 7)).unwrap(),
            })
            .collect();
        for n in received {
            let result = open(&mut receiver, &sent[usize::from(n)]);
            prop_assert_eq!(open(&mut untouched, &sent[usize::from(n)]), result);
        }
        let mut bad = sent[usize::from(forged)].clone();
        let at = at.index(bad.len());
        bad[at] ^= 1 << bit;
        prop_assert!(open(&mut receiver, &bad).is_err());
        for one in &sent {
            prop_assert_eq!(open(&mut receiver, one), open(&mut untouched, one));
        }
    }

    /// Frames: each opens once; a changed byte is refused, and nothing has changed then.
    #[test]
    fn frames_open_once_and_forgeries_do_not(
        payload in proptest::collection::vec(any::<u8>(), 0..100),
        count in 1_usize..200,
        key_id in any::<u64>(),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut key = bound(8);
        let mut sealer = key.frame_sealer(&jid(0), key_id).unwrap();
        let mut opener = key.frame_opener(&jid(0), key_id, FrameReplay::Refuse);
        let mut lenient = key.frame_opener(&jid(0), key_id, FrameReplay::Allow);
        let mut frame = Vec::new();
        for _ in 0..count {
            frame.clear();
            sealer.seal(&payload, &mut frame).unwrap();
        }
        prop_assert!(frame.len() <= payload.len() + FRAME_OVERHEAD_MAX);
        let mut bad = frame.clone();
        let at = at.index(bad.len());
        bad[at] ^= 1 << bit;
        let before = bad.clone();
        prop_assert!(opener.open_in_place(&mut bad).is_err());
        prop_assert_eq!(bad, before);
        let mut opened = frame.clone();
        let result = opener.open_in_place(&mut opened).unwrap();
        prop_assert_eq!(&opened[..result.length], &payload[..]);
        prop_assert_eq!(result.counter, count as u64 - 1);
        prop_assert_eq!(opener.open_in_place(&mut frame.clone()), Err(Error::ReplayedMediaPacket));
        for _ in 0..2 {
            prop_assert!(lenient.open_in_place(&mut frame.clone()).is_ok());
        }
        let mut other = key.frame_opener(&jid(1), key_id, FrameReplay::Allow);
        prop_assert_eq!(other.open_in_place(&mut frame.clone()), Err(Error::Rejected));
        let mut other = key.frame_opener(&jid(0), !key_id, FrameReplay::Allow);
        prop_assert_eq!(other.open_in_place(&mut frame), Err(Error::Rejected));
    }

    /// No bytes make a parser panic, and none verify.
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let (_, mut receiver) = pair(TEN);
        prop_assert!(open(&mut receiver, &bytes).is_err());
        prop_assert!(open_rtcp(&mut receiver, &bytes).is_err());
        let mut opener = bound(7).frame_opener(&jid(0), 0, FrameReplay::Refuse);
        prop_assert!(opener.open_in_place(&mut bytes.clone()).is_err());
        let _ = CallKey::parse_message(&bytes);
    }
}

/// The participants of a group call, each with its view of it and its ledger.
struct Group {
    members: Vec<(Jid, CallEpochs, CallKeyLedger)>,
    sequence: u16,
}

impl Group {
    fn new(count: usize) -> Self {
        let everybody: Vec<_> = (0..count).map(jid).collect();
        let members = everybody.iter().map(|own| {
            let mut ledger = CallKeyLedger::new();
            let key = ledger.admit("call", CallKey::from_secret(Secret::new([1; 32]))).unwrap();
            let epochs = CallEpochs::new(own.clone(), WHATSAPP, 1, key, &everybody).unwrap();
            (own.clone(), epochs, ledger)
        });
        Self { members: members.collect(), sequence: 65_530 }
    }

    fn send(&mut self, from: usize) -> (Vec<u8>, Vec<u8>) {
        self.sequence = self.sequence.wrapping_add(1);
        let plain = packet(from as u32, self.sequence, 7);
        let mut buffer = [&plain[..], &[0; 4]].concat();
        let length = self.members[from].1.protect_rtp(&mut buffer, plain.len()).unwrap();
        assert_eq!(length, buffer.len());
        (plain, buffer)
    }

    /// The epoch under which it opened, and whether it is the first there.
    fn open(
        &mut self,
        at: usize,
        from: usize,
        sent: &(Vec<u8>, Vec<u8>),
    ) -> Result<(u64, bool), Error> {
        let mut bytes = sent.1.clone();
        match self.members[at].1.unprotect_rtp(&jid(from), &mut bytes) {
            Ok(opened) => {
                assert_eq!(bytes[..opened.length], sent.0);
                Ok((opened.transaction_id, opened.switched))
            }
            Err(error) => {
                assert_eq!(bytes, sent.1);
                Err(error)
            }
        }
    }

    /// Member `at` takes the key of a message.
    fn learn(
        &mut self,
        at: usize,
        transaction: u64,
        message: &[u8],
        members: &[Jid],
    ) -> Result<(), Error> {
        let key = CallKey::parse_message(message).unwrap();
        let (_, epochs, ledger) = &mut self.members[at];
        let key = ledger.admit("call", key)?;
        epochs.add_epoch(transaction, key, members)
    }

    fn rotate(&mut self, at: usize, transaction: u64, members: &[Jid]) -> Vec<u8> {
        let rng = &mut StdRng::seed_from_u64(transaction);
        let (_, epochs, ledger) = &mut self.members[at];
        epochs.rotate(transaction, members, ledger, rng).unwrap().expose().to_vec()
    }
}

#[test]
fn one_who_left_cannot_open_what_is_sent_afterwards() {
    let mut group = Group::new(3);
    let first = group.send(0);
    for at in [1, 2] {
        assert_eq!(group.open(at, 0, &first), Ok((1, true)));
    }
    let rest = [jid(0), jid(1)];
    let message = group.rotate(0, 2, &rest);
    assert_eq!(group.members[0].1.transaction_id(), 2);
    group.learn(1, 2, &message, &rest).unwrap();
    for from in [0, 1] {
        let sent = group.send(from);
        assert_eq!(group.open(1 - from, from, &sent), Ok((2, true)));
        assert_eq!(group.open(2, from, &sent), Err(Error::Rejected));
    }
    // until the old epoch is retired the leaver is heard, then no more
    let late = group.send(2);
    assert_eq!(group.open(0, 2, &late), Ok((1, true)));
    assert!(group.members[0].1.all_have_switched());
    group.members[0].1.retire();
    let late = group.send(2);
    assert_eq!(group.open(0, 2, &late), Err(Error::InvalidArgument));
    assert_eq!(group.open(1, 2, &late), Ok((1, true)));
}

#[test]
fn the_first_packet_that_verifies_switches_and_late_ones_still_open() {
    let mut group = Group::new(3);
    let everybody = [jid(0), jid(1), jid(2)];
    let (old, older) = (group.send(0), group.send(0));
    assert_eq!(group.open(1, 0, &old), Ok((1, true)));
    let message = group.rotate(0, 5, &everybody);
    group.learn(1, 5, &message, &everybody).unwrap();
    assert!(!group.members[1].1.all_have_switched());
    // still under the old epoch
    assert_eq!(group.open(1, 0, &older), Ok((1, false)));
    let late = group.send(2);
    let new = group.send(0);
    assert_eq!(group.open(1, 0, &new), Ok((5, true)));
    assert_eq!(group.open(1, 2, &late), Ok((1, true)));
    for _ in 0..2 {
        assert!(group.open(1, 0, &older).is_err());
        assert!(group.open(1, 0, &new).is_err());
    }
    // member 2 has not learnt the key yet: it cannot open, then it can
    assert_eq!(group.open(2, 0, &new), Err(Error::Rejected));
    group.learn(2, 5, &message, &everybody).unwrap();
    assert_eq!(group.open(2, 0, &new), Ok((5, true)));
    let from_2 = group.send(2);
    assert_eq!(group.open(1, 2, &from_2), Ok((5, true)));
    assert!(group.members[1].1.all_have_switched());
    group.members[1].1.retire();
    // what belongs to an epoch that is over opens no more
    let refused = group.open(1, 2, &late);
    assert_eq!(refused, Err(Error::Rejected));
    assert_eq!(group.learn(1, 5, &message, &everybody), Err(Error::ReusedCallKey));
}

#[test]
fn epochs_are_ordered_by_transaction_and_bounded() {
    let mut group = Group::new(2);
    let both = [jid(0), jid(1)];
    let messages = [10, 20, 30].map(|id| (id, group.rotate(0, id, &both)));
    // out of order
    for (id, message) in [&messages[1], &messages[0]] {
        group.learn(1, *id, message, &both).unwrap();
        assert_eq!(group.members[1].1.transaction_id(), 20);
    }
    assert_eq!(MAX_EPOCHS, 3);
    let (_, epochs, ledger) = &mut group.members[1];
    let rng = &mut StdRng::seed_from_u64(9);
    let mut key = |id: &str| ledger.admit(id, CallKey::generate(rng)).unwrap();
    // known, older than all that are kept, of another call, with a sender taken
    assert_eq!(epochs.add_epoch(10, key("call"), &both), Err(Error::ReusedCallKey));
    assert_eq!(epochs.add_epoch(0, key("call"), &both), Err(Error::ReusedCallKey));
    assert_eq!(epochs.add_epoch(40, key("other"), &both), Err(Error::InvalidArgument));
    let mut taken = key("call");
    taken.sender(&jid(1), WHATSAPP).unwrap();
    assert_eq!(epochs.add_epoch(40, taken, &both), Err(Error::ReusedCallKey));
    let twice = [jid(0), jid(0)];
    assert_eq!(epochs.add_epoch(40, key("call"), &twice), Err(Error::InvalidArgument));
    let many: Vec<_> = (0..=MAX_PARTICIPANTS).map(jid).collect();
    assert_eq!(epochs.add_epoch(40, key("call"), &many), Err(Error::InvalidArgument));
    assert_eq!(epochs.transaction_id(), 20);
    // a full call; then the first epoch is over
    epochs.add_epoch(40, key("call"), &many[..MAX_PARTICIPANTS]).unwrap();
    assert_eq!(epochs.add_epoch(1, key("call"), &both), Err(Error::ReusedCallKey));
    assert!(epochs.frame_opener(1, &jid(0), 0, FrameReplay::Allow).is_err());
    assert!(epochs.frame_opener(40, &jid(40), 0, FrameReplay::Allow).is_err());
    epochs.frame_opener(40, &jid(9), 0, FrameReplay::Allow).unwrap();
    epochs.frame_sealer(0).unwrap();
    assert_eq!(epochs.frame_sealer(0).unwrap_err(), Error::ReusedCallKey);
    let (_, epochs, ledger) = &mut group.members[0];
    let refused = epochs.rotate(30, &both, ledger, &mut StdRng::seed_from_u64(1));
    assert_eq!(refused, Err(Error::InvalidArgument));
}

#[test]
fn control_packets_follow_the_epochs_too() {
    let mut group = Group::new(2);
    let both = [jid(0), jid(1)];
    let message = group.rotate(0, 2, &both);
    let mut buffer = [0x80; 8 + SRTCP_OVERHEAD];
    group.members[0].1.protect_rtcp(&mut buffer, 8).unwrap();
    let refused = group.members[1].1.unprotect_rtcp(&jid(0), &mut buffer.clone());
    assert_eq!(refused, Err(Error::Rejected));
    group.learn(1, 2, &message, &both).unwrap();
    let opened = group.members[1].1.unprotect_rtcp(&jid(0), &mut buffer).unwrap();
    assert_eq!((opened.length, opened.transaction_id, opened.switched), (8, 2, true));
    assert_eq!(buffer[..8], [0x80; 8]);
}

/// All that holds keys of a call wipes them when the call ends; what the primitives' crates hold is checked
/// where it is wrapped.
#[test]
fn the_end_of_a_call_wipes_its_keys() {
    const fn wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {
        assert!(core::mem::needs_drop::<T>());
    }
    wiped_on_drop::<CallKey>();
    wiped_on_drop::<BoundCallKey>();
    wiped_on_drop::<MasterKeys>();
    wiped_on_drop::<SessionKeys>();
    wiped_on_drop::<SrtpSender>();
    wiped_on_drop::<SrtpReceiver>();
    wiped_on_drop::<FrameSealer>();
    wiped_on_drop::<FrameOpener>();
    wiped_on_drop::<CallEpochs>();
    wiped_on_drop::<HopSeed>();
}

#[test]
fn nothing_that_holds_keys_shows_them() {
    let mut key = bound(0xA7);
    let mut shown = format!("{:?}", key);
    shown += &format!("{:?}", CallKey::from_secret(Secret::new([0xA7; 32])));
    shown += &format!("{:?}", key.master_keys(&jid(0)));
    shown += &format!("{:?}", key.sender(&jid(0), TEN).unwrap());
    shown += &format!("{:?}", key.receiver(&jid(0), TEN));
    shown += &format!("{:?}", key.frame_sealer(&jid(0), 0).unwrap());
    let epochs = CallEpochs::new(jid(0), TEN, 1, bound(0xA7), &[jid(1)]).unwrap();
    shown += &format!("{epochs:?}");
    assert!(!shown.contains("167") && !shown.to_lowercase().contains("a7a7"), "{shown}");
}
