//! What a call's peer or relay can send: media and control packets, frames, the message with the call key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::call::{
    CallKey, CallKeyLedger, FrameReplay, FrameTrailer, RtpHeader, RtpHeaderRule, RtpTag,
    SrtpProfile,
};
use sandi::{Jid, Secret};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = CallKey::parse_message(bytes) {
        assert_eq!(CallKey::parse_message(key.message().expose()).as_ref(), Ok(&key));
    }
    if let Ok(header) = RtpHeader::parse(bytes) {
        assert!((12..=bytes.len()).contains(&header.length));
    }
    if let Ok(trailer) = FrameTrailer::parse(bytes) {
        assert!(trailer.length + 16 <= bytes.len());
    }
    let Some(([choice, at, change], rest)) = bytes.split_first_chunk::<3>() else { return };
    let profile = SrtpProfile {
        tag: if choice & 1 == 0 { RtpTag::Four } else { RtpTag::Ten },
        header: if choice & 2 == 0 { RtpHeaderRule::Whole } else { RtpHeaderRule::Fixed },
    };
    let own = Jid::parse("111111111111111:0@lid").unwrap();
    let key = CallKey::from_secret(Secret::new([7; 32]));
    let mut key = CallKeyLedger::new().admit("call", key).unwrap();
    let mut sender = key.sender(&own, profile).unwrap();
    let mut receiver = key.receiver(&own, profile);
    let mut sealer = key.frame_sealer(&own, u64::from(*choice)).unwrap();
    let mut opener = key.frame_opener(&own, u64::from(*choice), FrameReplay::Refuse);

    // any bytes: refused without a trace, but for a forgery of the short tag
    let mut packet = rest.to_vec();
    if receiver.unprotect_rtp(&mut packet).is_err() {
        assert_eq!(packet, rest);
    }
    assert!(receiver.unprotect_rtcp(&mut packet).is_err());
    assert!(opener.open_in_place(&mut packet).is_err());

    // the same bytes, protected: they come out once, and changed ones do not
    let mut room = [rest, &[0; 40]].concat();
    let flip = |packet: &mut [u8]| {
        let at = usize::from(*at) * packet.len() / 256;
        packet[at] ^= change;
    };
    if let Ok(length) = sender.protect_rtp(&mut room, rest.len()) {
        let mut receiver = key.receiver(&own, profile);
        let mut changed = room[..length].to_vec();
        flip(&mut changed);
        if *change != 0 && profile.tag == RtpTag::Ten {
            assert!(receiver.unprotect_rtp(&mut changed).is_err());
        }
        let mut packet = room[..length].to_vec();
        assert_eq!(receiver.unprotect_rtp(&mut packet), Ok(rest.len()));
        assert_eq!(&packet[..rest.len()], rest);
        assert!(receiver.unprotect_rtp(&mut room[..length]).is_err());
    }
    let mut room = [rest, &[0; 40]].concat();
    if let Ok(length) = sender.protect_rtcp(&mut room, rest.len()) {
        let mut changed = room[..length].to_vec();
        flip(&mut changed);
        if *change != 0 {
            assert!(receiver.unprotect_rtcp(&mut changed).is_err());
        }
        assert_eq!(receiver.unprotect_rtcp(&mut room[..length]), Ok(rest.len()));
        assert_eq!(&room[..rest.len()], rest);
    }
    let mut frame = Vec::new();
    sealer.seal(rest, &mut frame).unwrap();
    let mut changed = frame.clone();
    flip(&mut changed);
    if *change != 0 {
        assert!(opener.open_in_place(&mut changed).is_err());
    }
    let opened = opener.open_in_place(&mut frame).unwrap();
    assert_eq!(&frame[..opened.length], rest);
});
