//! Calls: every value of `calls.json`, and of another implementation's answers in it.

use sandi::call::{
    BoundCallKey, CallKey, CallKeyLedger, FrameReplay, FrameTrailer, HopLabel, HopSeed, MasterKeys,
    RtpHeaderRule, RtpTag, SessionKeys, SrtpProfile, SrtpReceiver, SrtpSender, ssrc,
};
use sandi::{Error, Jid, Secret};
use serde_json::Value;

use crate::data::{array, hex, items, number, text, whatsapp};

/// The profile with which the test data was made.
const PROFILE: SrtpProfile = SrtpProfile { tag: RtpTag::Four, header: RtpHeaderRule::Fixed };

fn bound(case: &Value) -> BoundCallKey {
    let key = CallKey::from_secret(Secret::new(array(case, "callKey")));
    CallKeyLedger::new().admit("a call", key).unwrap()
}

fn jid(case: &Value, name: &str) -> Jid {
    let jid = Jid::parse(text(case, name)).unwrap();
    assert_eq!(jid.with_device_text(), text(case, name));
    jid
}

fn check_master(keys: &MasterKeys, case: &Value) {
    assert_eq!(keys.key().expose(), &array(case, "masterKey"));
    assert_eq!(keys.salt().expose(), &array(case, "masterSalt"));
    assert!(
        hex(case, "okm46").starts_with(&[&keys.key().expose()[..], keys.salt().expose()].concat())
    );
}

fn check_session(keys: &SessionKeys, case: &Value, names: [&str; 3]) {
    assert_eq!(keys.cipher_key().expose(), &array(case, names[0]));
    assert_eq!(keys.auth_key().expose(), &array(case, names[1]));
    assert_eq!(keys.salt().expose(), &array(case, names[2]));
}

/// The first counter block, from the salt, the stream and the index.
fn iv(keys: &SessionKeys, ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(keys.salt().expose());
    for (to, from) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
        *to ^= from;
    }
    for (to, from) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *to ^= from;
    }
    iv
}

/// `packet`, protected.
fn protect(sender: &mut SrtpSender, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut buffer = [packet, &[0; 10]].concat();
    let length = sender.protect_rtp(&mut buffer, packet.len())?;
    buffer.truncate(length);
    Ok(buffer)
}

fn protect_rtcp(sender: &mut SrtpSender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = [packet, &[0; 14]].concat();
    let length = sender.protect_rtcp(&mut buffer, packet.len()).unwrap();
    assert_eq!(length, buffer.len());
    buffer
}

/// The control packets before the one whose index is asked for.
fn skip_rtcp(sender: &mut SrtpSender, count: u64) {
    for _ in 0..count {
        protect_rtcp(sender, &[0x80; 8]);
    }
}

#[test]
fn media_keys_and_packets_of_calls_json() {
    for case in items(&whatsapp("calls"), "cases") {
        let (mut key, participant) = (bound(case), jid(case, "participantId"));
        let master = key.master_keys(&participant);
        check_master(&master, case);
        let session = SessionKeys::rtp(&master);
        check_session(&session, &case["rtp"], ["cipherKey", "authKey", "salt"]);
        let (ssrc, roc) = (number(case, "ssrc") as u32, number(case, "roc") as u32);
        let index = u64::from(roc) << 16 | number(case, "seq");
        assert_eq!(iv(&session, ssrc, index), array(case, "iv"));

        let header = hex(case, "rtpHeader");
        let packet = [&header[..], &hex(case, "payload")].concat();
        let expected =
            [&header[..], &hex(case, "encryptedPayload"), &hex(case, "messageIntegrityTag4")]
                .concat();
        let mut sender = key.sender(&participant, PROFILE).unwrap();
        sender.start_stream(ssrc, roc).unwrap();
        assert_eq!(protect(&mut sender, &packet).unwrap(), expected);
        let mut receiver = key.receiver(&participant, PROFILE);
        receiver.start_stream(ssrc, roc).unwrap();
        let mut opened = expected.clone();
        let length = receiver.unprotect_rtp(&mut opened).unwrap();
        assert_eq!(opened[..length], packet);
        let again = receiver.unprotect_rtp(&mut expected.clone());
        assert_eq!(again, Err(Error::ReplayedMediaPacket));
        // under another rollover counter it does not verify
        let mut other = key.receiver(&participant, PROFILE);
        other.start_stream(ssrc, roc + 5).unwrap();
        assert_eq!(other.unprotect_rtp(&mut expected.clone()), Err(Error::Rejected));
    }
}

#[test]
fn control_packets_of_calls_json() {
    for case in items(&whatsapp("calls"), "cases") {
        let (mut key, participant) = (bound(case), jid(case, "participantId"));
        let control = &case["srtcp"];
        let session = SessionKeys::rtcp(&key.master_keys(&participant));
        check_session(&session, control, ["cipherKey", "authKey", "salt"]);
        let mut sender = key.sender(&participant, PROFILE).unwrap();
        skip_rtcp(&mut sender, number(control, "index"));
        let (packet, expected) = (hex(control, "rtcp"), hex(control, "protected"));
        assert_eq!(protect_rtcp(&mut sender, &packet), expected);
        let mut receiver = key.receiver(&participant, PROFILE);
        let mut opened = expected.clone();
        let length = receiver.unprotect_rtcp(&mut opened).unwrap();
        assert_eq!(opened[..length], packet);
        let again = receiver.unprotect_rtcp(&mut expected.clone());
        assert_eq!(again, Err(Error::ReplayedMediaPacket));
    }
}

#[test]
fn frames_of_calls_json() {
    for case in items(&whatsapp("calls"), "cases") {
        let (mut key, participant) = (bound(case), jid(case, "participantId"));
        let frame = &case["sframe"];
        assert!(text(frame, "key32").starts_with(text(frame, "aesKey")));
        let (counter, key_id) = (number(frame, "counter"), number(frame, "keyId"));
        let (payload, expected) = (hex(frame, "plaintext"), hex(frame, "frame"));
        check_frame(&mut key, &participant, counter, key_id, &payload, &expected);
    }
}

fn check_frame(
    key: &mut BoundCallKey,
    participant: &Jid,
    counter: u64,
    key_id: u64,
    payload: &[u8],
    expected: &[u8],
) {
    let mut sealer = key.frame_sealer(participant, key_id).unwrap();
    for _ in 0..counter {
        sealer.seal(b"before", &mut Vec::new()).unwrap();
    }
    let mut made = Vec::new();
    sealer.seal(payload, &mut made).unwrap();
    assert_eq!(made, expected);
    let trailer = FrameTrailer::parse(expected).unwrap();
    assert_eq!((trailer.counter, trailer.key_id), (counter, key_id));
    let mut opener = key.frame_opener(participant, key_id, FrameReplay::Refuse);
    let opened = opener.open_in_place(&mut made).unwrap();
    assert_eq!(opened.counter, counter);
    assert_eq!(&made[..opened.length], payload);
    let again = opener.open_in_place(&mut expected.to_vec());
    assert_eq!(again, Err(Error::ReplayedMediaPacket));
}

fn thirty(keys: &MasterKeys) -> Vec<u8> {
    [&keys.key().expose()[..], keys.salt().expose()].concat()
}

#[test]
fn hop_by_hop_keys_and_streams_of_calls_json() {
    for case in items(&whatsapp("calls"), "cases") {
        let hop = &case["hopByHop"];
        let seed = HopSeed::new(Secret::new(array(hop, "seed30")));
        for (label, name) in [
            (HopLabel::UplinkSrtcp, "uplinkSrtcp30"),
            (HopLabel::DownlinkSrtcp, "downlinkSrtcp30"),
            (HopLabel::SharedSrtcp, "sharedSrtcp30"),
            (HopLabel::SharedSrtp, "sharedSrtp30"),
        ] {
            assert_eq!(thirty(&seed.expand(label)), hex(hop, name), "{name}");
        }
        assert_eq!(thirty(&seed.direct()), hex(hop, "seed30"));
        let streams = &case["ssrcDerivation"];
        let (call_id, slot) = (text(streams, "callId"), number(streams, "slot") as u32);
        let value = ssrc(call_id, slot, &jid(case, "participantId"));
        assert_eq!(u64::from(value), number(streams, "value"));
    }
}

#[test]
fn another_implementations_end_to_end_answers() {
    let answers = &whatsapp("calls")["wacoreKnownAnswers"];
    let inputs = &answers["inputs"];
    let (own, peer) = (jid(inputs, "selfLid"), jid(inputs, "peerLid"));
    let mut key = bound(inputs);
    let srtp = &answers["e2e_srtp"];
    let names = |who: &str| ["cipherKey", "authKey", "salt"].map(|name| format!("{who}_{name}"));
    for (participant, who) in [(&own, "self"), (&peer, "peer")] {
        let session = SessionKeys::rtp(&key.master_keys(participant));
        check_session(&session, srtp, names(who).each_ref().map(String::as_str));
    }
    // the keys of `wahkdf` are the one's or the other's
    let hkdf = &answers["wahkdf"];
    let of_own = key.master_keys(&own).key().expose() == &array(hkdf, "masterKey");
    check_master(&key.master_keys(if of_own { &own } else { &peer }), hkdf);

    let (ssrc_of, seq, roc) =
        (number(inputs, "ssrc"), number(inputs, "seq"), number(inputs, "roc"));
    let session = SessionKeys::rtp(&key.master_keys(&peer));
    assert_eq!(iv(&session, ssrc_of as u32, roc << 16 | seq), array(srtp, "rtpIv"));
    // a packet of that stream and index around the payload
    let sample = hex(inputs, "samplePacket");
    let packet = [&sample[..12], &hex(inputs, "payload")].concat();
    let mut sender = SrtpSender::new(&key.master_keys(&peer), PROFILE);
    let protected = protect(&mut sender, &packet).unwrap();
    assert_eq!(protected[12..protected.len() - 4], hex(srtp, "cipher_out"));
    // the tag is that of the sample packet, as it stands
    let mut tagged = [&sample[..], &hex(srtp, "warp_mi_tag4")].concat();
    let verified = [&own, &peer].into_iter().filter(|participant| {
        let mut receiver = SrtpReceiver::new(&key.master_keys(participant), PROFILE);
        receiver.unprotect_rtp(&mut tagged.clone()).is_ok()
    });
    assert_eq!(verified.count(), 1);
    tagged[13] ^= 1;
    for participant in [&own, &peer] {
        let mut receiver = SrtpReceiver::new(&key.master_keys(participant), PROFILE);
        assert_eq!(receiver.unprotect_rtp(&mut tagged), Err(Error::Rejected));
    }

    let frames = &answers["sframe"];
    assert_eq!(text(frames, "participantPeerId"), peer.with_device_text());
    assert_eq!(text(frames, "infoLabelPeer"), format!("e2e sframe key{}", peer.with_device_text()));
    let expected = hex(frames, "encrypt_out");
    assert!(expected.ends_with(&hex(frames, "header_5_0")));
    let (counter, payload) = (number(inputs, "sframeCounter"), hex(inputs, "payload"));
    check_frame(&mut key, &peer, counter, 0, &payload, &expected);

    let voip = &answers["voip_crypto"];
    let call_id = text(inputs, "callId");
    for (slot, name) in [(0, "ssrc_slot0"), (1, "ssrc_slot1")] {
        let of = [&own, &peer].map(|participant| u64::from(ssrc(call_id, slot, participant)));
        assert!(of.contains(&number(voip, name)), "{name}");
    }
}

#[test]
fn another_implementations_hop_by_hop_answers() {
    let answers = &whatsapp("calls")["wacoreKnownAnswers"];
    let (inputs, hop) = (&answers["inputs"], &answers["hbh_srtp"]);
    let seed = HopSeed::new(Secret::new(array(inputs, "hbhKey")));
    for (label, name) in [
        (HopLabel::UplinkSrtcp, "uplinkKey30"),
        (HopLabel::DownlinkSrtcp, "downlinkKey30"),
        (HopLabel::SharedSrtcp, "sharedSrtcpKey30"),
        (HopLabel::SharedSrtp, "sharedSrtpKey30"),
    ] {
        assert_eq!(thirty(&seed.expand(label)), hex(hop, name), "{name}");
    }
    let master = seed.expand(HopLabel::UplinkSrtcp);
    assert_eq!(master.key().expose(), &array(hop, "masterKey"));
    assert_eq!(master.salt().expose(), &array(hop, "masterSalt"));
    let session = SessionKeys::rtp(&master);
    check_session(&session, hop, ["sessionKey", "authKey", "sessionSalt"]);
    let control = SessionKeys::rtcp(&master);
    check_session(&control, hop, ["srtcpSessionKey", "srtcpAuthKey", "srtcpSessionSalt"]);
    let icm = [&session.cipher_key().expose()[..], session.salt().expose()].concat();
    assert_eq!(icm, hex(hop, "icmKey30"));
    // the nonce without the salt is the stream and the index
    let index = number(inputs, "roc") << 16 | number(inputs, "seq");
    let mut nonce = iv(&session, number(inputs, "ssrc") as u32, index);
    for (to, from) in nonce.iter_mut().zip(session.salt().expose()) {
        *to ^= from;
    }
    assert_eq!(nonce, array(hop, "rtpIcmNonce"));
    let sample = hex(inputs, "samplePacket");
    let packet = [&sample[..12], &hex(inputs, "payload")].concat();
    let protected = protect(&mut SrtpSender::new(&master, PROFILE), &packet).unwrap();
    assert_eq!(protected[12..protected.len() - 4], hex(hop, "cipher_out"));
    // its sender report verifies, and comes out of the same sender again
    let expected = hex(hop, "srtcpProtectedSrIndex1");
    let mut opened = expected.clone();
    let length = SrtpReceiver::new(&master, PROFILE).unprotect_rtcp(&mut opened).unwrap();
    let mut sender = SrtpSender::new(&master, PROFILE);
    skip_rtcp(&mut sender, 1);
    assert_eq!(protect_rtcp(&mut sender, &opened[..length]), expected);
}
