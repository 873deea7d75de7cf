//! Message content: `message_secret.json`, `phash.json`, the `icdc` part of `adv.json`, the padded plaintexts of
//! `session_v3.json` and `sender_key.json`, and what must be refused.

use proptest::prelude::*;
use sandi::content::{
    AddOn, Author, BotMessage, BotSecret, DeviceListMetadata, EncryptedAddOn, EventResponse,
    KeyListHash, MessageContext, MessageSecret, MessageSecretMessage, Padding, PollVote,
    REPORT_TOKEN_VERSION, Reaction, RetryReason, SealedAddOn, UseCase, bot_copy,
    group_participant_hash, open_add_on, participant_hash, poll_option_hash, report_token,
    unwrap_device_sent, wrap_device_sent,
};
use sandi::keys::{IdentityKey, PublicKey};
use sandi::{Disposition, Error, Jid, Timestamp};
use serde_json::Value;

use crate::data::{Fixed, array, hex, items, number, text, whatsapp};

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn secret(case: &Value) -> MessageSecret {
    MessageSecret::from_bytes(&hex(case, "messageSecret")).unwrap()
}

const USE_CASES: [UseCase; 8] = [
    UseCase::PollVote,
    UseCase::EncReaction,
    UseCase::EncComment,
    UseCase::EventResponse,
    UseCase::EventEdit,
    UseCase::MessageEdit,
    UseCase::PollEdit,
    UseCase::PollAddOption,
];

fn use_case(name: &str) -> UseCase {
    *USE_CASES.iter().find(|case| case.as_str() == name).unwrap()
}

/// The forms of an account that is known under one name.
fn known(jid: &Jid) -> Author<'_> {
    match jid.server() {
        sandi::jid::Server::Lid => Author { lid: Some(jid), phone_number: None },
        _ => Author { lid: None, phone_number: Some(jid) },
    }
}

// ---------------------------------------------------------------------------------------------------- padding

/// Every `paddedPlaintext` anywhere in a file.
fn padded(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value.as_str() {
                    Some(text) if name == "paddedPlaintext" => {
                        found.push(hex::decode(text).unwrap())
                    }
                    _ => padded(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| padded(value, found)),
        _ => {}
    }
}

#[test]
fn padded_plaintexts_of_the_transcripts_both_ways() {
    for name in ["session_v3", "sender_key"] {
        let mut found = Vec::new();
        padded(&whatsapp(name), &mut found);
        assert!(found.len() >= 5, "{name}");
        for text in found {
            let body = Padding::WhatsApp.unpad(&text).unwrap();
            let n = text.len() - body.len();
            assert!((1..=16).contains(&n));
            let mut rng = Fixed::new([u8::try_from(n - 1).unwrap()]);
            assert_eq!(*Padding::WhatsApp.pad(body, &mut rng).unwrap(), text);
        }
    }
}

#[test]
fn whatsapp_padding_is_checked_in_every_byte() {
    for n in 1..=16_u8 {
        let text = [vec![9; 20], vec![n; usize::from(n)]].concat();
        assert_eq!(Padding::WhatsApp.unpad(&text), Ok(&[9; 20][..]));
        for at in 20..text.len() {
            let mut text = text.clone();
            text[at] ^= 0x40;
            assert_eq!(Padding::WhatsApp.unpad(&text), Err(Error::Rejected), "{n} {at}");
        }
        // all padding, and one byte too few
        assert_eq!(Padding::WhatsApp.unpad(&vec![n; usize::from(n)]), Ok(&[][..]));
        assert_eq!(Padding::WhatsApp.unpad(&vec![n; usize::from(n) - 1]), Err(Error::Rejected));
    }
    for bad in [&[][..], &[0], &[17; 17], &[255; 255], &[1, 2, 0]] {
        assert_eq!(Padding::WhatsApp.unpad(bad), Err(Error::Rejected), "{bad:?}");
    }
    // all lengths occur
    let mut seen = [false; 16];
    let mut rng = Fixed::new([]);
    for _ in 0..1000 {
        seen[Padding::WhatsApp.pad(b"", &mut rng).unwrap().len() - 1] = true;
    }
    assert_eq!(seen, [true; 16]);
}

#[test]
fn signal_bodies_are_one_short_of_a_multiple_of_80() {
    let mut rng = Fixed::new([]);
    for (length, padded) in
        [(0, 79), (1, 79), (77, 79), (78, 79), (79, 159), (158, 159), (159, 239)]
    {
        let text = Padding::Signal.pad(&vec![7; length], &mut rng).unwrap();
        assert_eq!((text.len(), text[length]), (padded, 0x80));
        assert!(text[length + 1..].iter().all(|byte| *byte == 0));
        assert_eq!(Padding::Signal.unpad(&text), Ok(&vec![7; length][..]));
    }
    // other multiples, and none
    assert_eq!(Padding::Signal.unpad(b"text\x80"), Ok(&b"text"[..]));
    assert_eq!(Padding::Signal.unpad(b"\x80\x80\0\0\0"), Ok(&b"\x80"[..]));
    for bad in [&b""[..], b"\0\0", b"text", b"text\x81\0", b"\x01\0\0"] {
        assert_eq!(Padding::Signal.unpad(bad), Err(Error::Rejected), "{bad:?}");
    }
    assert_eq!(Padding::None.unpad(b"\0"), Ok(&b"\0"[..]));
}

// ------------------------------------------------------------------------------------------- message secrets

#[test]
fn add_ons_of_message_secret_json_both_ways() {
    let file = whatsapp("message_secret");
    let mut seen = std::collections::BTreeSet::new();
    for case in items(&file, "cases") {
        let (secret, use_case) = (secret(case), use_case(text(case, "useCase")));
        seen.insert(use_case.as_str());
        let (parent, sender) =
            (jid(text(case, "parentSender")), jid(text(case, "modificationSender")));
        let parent_id = text(case, "stanzaId");
        let info = format!("{parent_id}{parent}{sender}{use_case}");
        assert_eq!(info, text(case, "hkdfInfo"));
        let (iv, payload, plain) =
            (hex(case, "iv"), hex(case, "encPayload"), hex(case, "plaintext"));
        let add_on = AddOn { parent_id, parent_sender: &parent, sender: &sender, use_case };
        assert_eq!(*add_on.open(&secret, &iv, &payload).unwrap(), plain);
        // a device in an address does not matter
        let device = jid(&text(case, "parentSender").replace('@', ":7@"));
        let other = AddOn { parent_sender: &device, ..add_on };
        assert_eq!(*other.open(&secret, &iv, &payload).unwrap(), plain);
        let sealed = add_on.seal(&secret, &plain, &mut Fixed::new(iv.clone())).unwrap();
        assert_eq!(sealed, SealedAddOn { iv: array(case, "iv"), payload: payload.clone() });
        let found = open_add_on(
            &secret,
            parent_id,
            known(&parent),
            known(&sender),
            use_case,
            &iv,
            &payload,
        );
        if use_case.is_edit() && parent != sender {
            // The key is that of the file, but only the author edits.
            assert_eq!(found.unwrap_err(), Error::Rejected);
        } else {
            let found = found.unwrap();
            assert_eq!((&*found.plaintext, found.use_case), (&plain, use_case));
            assert_eq!(found.sender, sender);
        }
        // as a message carries it
        let carrier = EncryptedAddOn {
            sender_timestamp: (use_case == UseCase::PollVote).then_some(Timestamp(5)),
            ..EncryptedAddOn::new(use_case, b"\x0a\x01x", &sealed)
        };
        let message = carrier.to_message().unwrap();
        assert_eq!(EncryptedAddOn::find(&message).unwrap(), Some(carrier));
        refusals(&add_on, &secret, &iv, &payload);
    }
    assert_eq!(seen.len(), USE_CASES.len());
}

/// One thing changed at a time.
fn refusals(add_on: &AddOn<'_>, secret: &MessageSecret, iv: &[u8], payload: &[u8]) {
    let refused = |add_on: AddOn<'_>, iv: &[u8], payload: &[u8]| {
        assert_eq!(add_on.open(secret, iv, payload), Err(Error::Rejected));
    };
    let stranger = jid("1@lid");
    refused(AddOn { parent_id: "another", ..*add_on }, iv, payload);
    refused(AddOn { parent_sender: &stranger, ..*add_on }, iv, payload);
    refused(AddOn { sender: &stranger, ..*add_on }, iv, payload);
    for use_case in USE_CASES.into_iter().filter(|case| *case != add_on.use_case) {
        refused(AddOn { use_case, ..*add_on }, iv, payload);
    }
    for length in [0, 11] {
        refused(*add_on, &iv[..length], payload);
    }
    refused(*add_on, &[iv, &[0; 4]].concat(), payload);
    for at in 0..payload.len() {
        let mut payload = payload.to_vec();
        payload[at] ^= 1;
        refused(*add_on, iv, &payload);
    }
    for length in [0, 15, 16, payload.len() - 1] {
        refused(*add_on, iv, &payload[..length]);
    }
    let other = MessageSecret::from_bytes(&[1; 32]).unwrap();
    assert_eq!(add_on.open(&other, iv, payload), Err(Error::Rejected));
}

#[test]
fn every_mixture_of_phone_number_and_lid_is_tried() {
    let secret = MessageSecret::from_bytes(&[3; 32]).unwrap();
    let [parent_lid, parent_pn, lid, pn] =
        ["11@lid", "5511@s.whatsapp.net", "22@lid", "5522@s.whatsapp.net"].map(jid);
    let parent = Author { lid: Some(&parent_lid), phone_number: Some(&parent_pn) };
    let author = Author { lid: Some(&lid), phone_number: Some(&pn) };
    let mut rng = Fixed::new([]);
    for use_case in [UseCase::PollVote, UseCase::EncReaction, UseCase::PollAddOption] {
        for parent_sender in [&parent_lid, &parent_pn] {
            for sender in [&lid, &pn] {
                let add_on = AddOn { parent_id: "ID", parent_sender, sender, use_case };
                let sealed = add_on.seal(&secret, b"text", &mut rng).unwrap();
                let open = |parent, author| {
                    open_add_on(
                        &secret,
                        "ID",
                        parent,
                        author,
                        use_case,
                        &sealed.iv,
                        &sealed.payload,
                    )
                };
                let opened = open(parent, author).unwrap();
                assert_eq!(*opened.plaintext, b"text");
                assert_eq!((&opened.parent_sender, &opened.sender), (parent_sender, sender));
                // without that form it does not open
                let forms = |jid: &Jid, all: &Author<'_>| match jid.server() {
                    sandi::jid::Server::Lid => all.lid == Some(jid),
                    _ => all.phone_number == Some(jid),
                };
                assert!(forms(sender, &author));
                let less = match sender.server() {
                    sandi::jid::Server::Lid => Author { lid: None, ..author },
                    _ => Author { phone_number: None, ..author },
                };
                assert_eq!(open(parent, less).unwrap_err(), Error::Rejected);
                assert_eq!(open(Author::default(), author).unwrap_err(), Error::InvalidArgument);
                assert_eq!(open(parent, Author::default()).unwrap_err(), Error::InvalidArgument);
            }
        }
    }
}

#[test]
fn an_added_option_is_tried_as_a_poll_edit_too_and_not_the_other_way_round() {
    let secret = MessageSecret::from_bytes(&[3; 32]).unwrap();
    let who = jid("22@lid");
    let seal = |use_case| {
        let add_on = AddOn { parent_id: "ID", parent_sender: &who, sender: &who, use_case };
        add_on.seal(&secret, b"option", &mut Fixed::new([])).unwrap()
    };
    let open = |use_case, sealed: &SealedAddOn| {
        open_add_on(&secret, "ID", known(&who), known(&who), use_case, &sealed.iv, &sealed.payload)
    };
    let edit = seal(UseCase::PollEdit);
    let opened = open(UseCase::PollAddOption, &edit).unwrap();
    assert_eq!((&**opened.plaintext, opened.use_case), (&b"option"[..], UseCase::PollEdit));
    let option = seal(UseCase::PollAddOption);
    assert_eq!(open(UseCase::PollAddOption, &option).unwrap().use_case, UseCase::PollAddOption);
    assert_eq!(open(UseCase::PollEdit, &option).unwrap_err(), Error::Rejected);
    assert_eq!(open(UseCase::ReportToken, &option).unwrap_err(), Error::Rejected);
}

#[test]
fn only_the_author_edits() {
    let secret = MessageSecret::from_bytes(&[3; 32]).unwrap();
    let (author, other) = (jid("11@lid"), jid("22@lid"));
    for use_case in [UseCase::MessageEdit, UseCase::EventEdit, UseCase::PollEdit] {
        let theirs = AddOn { parent_id: "ID", parent_sender: &author, sender: &other, use_case };
        let forged = theirs.seal(&secret, b"text", &mut Fixed::new([])).unwrap();
        let (parent, sender) = (known(&author), known(&other));
        let opened =
            open_add_on(&secret, "ID", parent, sender, use_case, &forged.iv, &forged.payload);
        assert_eq!(opened.unwrap_err(), Error::Rejected);
        let own = AddOn { sender: &author, ..theirs };
        let sealed = own.seal(&secret, b"text", &mut Fixed::new([])).unwrap();
        // Another member, who knows the secret, sends it under the author's name.
        let open = |sender| {
            open_add_on(
                &secret,
                "ID",
                known(&author),
                sender,
                use_case,
                &sealed.iv,
                &sealed.payload,
            )
        };
        assert_eq!(open(known(&other)).unwrap_err(), Error::Rejected);
        assert_eq!(*open(known(&author)).unwrap().plaintext, b"text");
    }
    let token = AddOn {
        parent_id: "ID",
        parent_sender: &author,
        sender: &other,
        use_case: UseCase::ReportToken,
    };
    assert_eq!(token.seal(&secret, b"", &mut Fixed::new([])), Err(Error::InvalidArgument));
}

#[test]
fn poll_votes_reactions_and_event_responses_are_read_and_written() {
    let file = whatsapp("message_secret");
    let cases = || items(&file, "cases").iter();
    let plain = |name| move |case: &&Value| text(case, "useCase") == name;
    let vote = hex(cases().find(plain("Poll Vote")).unwrap(), "plaintext");
    let expected = PollVote::new(["Yes", "No 👎"]);
    assert_eq!(expected.selected[0], poll_option_hash("Yes"));
    assert_eq!(PollVote::parse(&vote).unwrap(), expected);
    assert_eq!(*expected.encode(), vote);
    assert_eq!(PollVote::parse(b"").unwrap(), PollVote::default(), "a retraction");
    assert_eq!(PollVote::parse(&[0x0A, 1, 7]), Err(Error::InvalidProtobuf));
    assert_eq!(
        PollVote::parse(&[&[0x0A, 32][..], &[7; 32]].concat().repeat(1025)),
        Err(Error::InvalidProtobuf)
    );
    for case in cases().filter(plain("Enc Reaction")) {
        let bytes = hex(case, "plaintext");
        let reaction = Reaction::parse(&bytes).unwrap();
        assert_eq!(reaction.text, "👍".repeat(0) + "\u{1f44d}");
        assert!(reaction.sender_timestamp.is_some());
        assert_eq!(*reaction.encode(), bytes);
    }
    for case in cases().filter(plain("Event Response")) {
        let bytes = hex(case, "plaintext");
        let response = EventResponse::parse(&bytes).unwrap();
        assert!(response.response.is_some(), "{response:?}");
        assert_eq!(*response.encode(), bytes);
    }
    assert_eq!(Reaction::parse(&[0x12, 1, 0xFF]), Err(Error::InvalidProtobuf));
    assert_eq!(EventResponse::parse(&[0x0A, 0]), Err(Error::InvalidProtobuf));
}

#[test]
fn a_carrier_lacks_nothing_and_is_of_a_known_kind() {
    let sealed = SealedAddOn { iv: [1; 12], payload: vec![2; 20] };
    let message = |use_case| EncryptedAddOn::new(use_case, b"\x0a\x01k", &sealed).to_message();
    assert_eq!(message(UseCase::ReportToken), Err(Error::InvalidArgument));
    assert_eq!(EncryptedAddOn::find(b"").unwrap(), None);
    assert_eq!(EncryptedAddOn::find(b"\x0a\x02hi").unwrap(), None);
    assert_eq!(EncryptedAddOn::find(b"\x0a"), Err(Error::InvalidProtobuf));
    for kind in 0..8_u8 {
        // secretEncryptedMessage#82 {targetMessageKey#1, encPayload#2, encIv#3, secretEncType#4}
        let bytes = [0x92, 0x05, 9, 0x0A, 0, 0x12, 0, 0x1A, 0, 0x20, kind, 0x28];
        let found = EncryptedAddOn::find(&bytes[..11]);
        assert_eq!(found, Err(Error::InvalidProtobuf), "cut short");
        let bytes = [0x92, 0x05, 8, 0x0A, 0, 0x12, 0, 0x1A, 0, 0x20, kind];
        let found = EncryptedAddOn::find(&bytes).map(|found| found.unwrap().use_case);
        let expected = match kind {
            1 => Ok(UseCase::EventEdit),
            2 => Ok(UseCase::MessageEdit),
            4 => Ok(UseCase::PollEdit),
            5 => Ok(UseCase::PollAddOption),
            _ => Err(Error::InvalidProtobuf),
        };
        assert_eq!(found, expected, "{kind}");
    }
    for (field, lacking) in [(0x92, 0x03), (0xC2, 0x03), (0xBA, 0x04), (0xE2, 0x04)]
        .into_iter()
        .flat_map(|field| (0..3).map(move |lacking| (field, lacking)))
    {
        let mut parts: Vec<&[u8]> = vec![b"\x0a\0", b"\x12\0", b"\x1a\0"];
        parts.remove(lacking);
        let bytes = [&[field.0, field.1, 4][..], &parts.concat()].concat();
        assert_eq!(EncryptedAddOn::find(&bytes), Err(Error::InvalidProtobuf));
    }
}

#[test]
fn bot_replies_of_message_secret_json_both_ways() {
    for case in items(&whatsapp("message_secret"), "bot") {
        let secret = secret(case);
        let bot_secret = BotSecret::new(&secret);
        assert_eq!(bot_secret.secret().expose(), &array(case, "baseKey"));
        let (target, bot) = (jid(text(case, "targetSender")), jid(text(case, "botJid")));
        let message =
            BotMessage { message_id: text(case, "messageId"), target_sender: &target, bot: &bot };
        let (iv, plain) = (hex(case, "iv"), hex(case, "plaintext"));
        let sealed = message.seal(&bot_secret, &plain, &mut Fixed::new(iv)).unwrap();
        assert_eq!(sealed, SealedAddOn { iv: array(case, "iv"), payload: hex(case, "encPayload") });
        let bytes = MessageSecretMessage::new(Some(1), &sealed).encode();
        assert_eq!(bytes[..5], [0x0D, 1, 0, 0, 0]);
        let carrier = MessageSecretMessage::parse(&bytes).unwrap();
        assert_eq!(carrier.version, Some(1));
        assert_eq!(*message.open(&bot_secret, &carrier).unwrap(), plain);
        let refused = |message: BotMessage<'_>, carrier| {
            assert_eq!(message.open(&bot_secret, &carrier), Err(Error::Rejected));
        };
        refused(BotMessage { message_id: "other", ..message }, carrier);
        refused(BotMessage { target_sender: &bot, ..message }, carrier);
        refused(BotMessage { bot: &target, ..message }, carrier);
        refused(message, MessageSecretMessage { iv: &[0; 12], ..carrier });
        refused(message, MessageSecretMessage { iv: &[0; 16], ..carrier });
        refused(message, MessageSecretMessage { payload: &[0; 3], ..carrier });
        for lacking in [&bytes[..5], &bytes[..19], &bytes[19..], &bytes[..3]] {
            assert_eq!(MessageSecretMessage::parse(lacking), Err(Error::InvalidProtobuf));
        }
        // The bot's copy: its secret in place of the message's.
        let context = [&[0x1A, 32][..], secret.secret().expose(), &[0x50, 1]].concat();
        let head = b"\x0a\x04text";
        let text = [head, &[0x9A, 0x02, 36][..], &context].concat();
        let copy = bot_copy(&text).unwrap();
        assert!(copy.starts_with(head));
        assert!(!copy.windows(32).any(|window| window == secret.secret().expose()));
        let read = MessageContext::of(&copy).unwrap();
        assert_eq!(read.message_secret().unwrap(), None);
        assert_eq!(read.bot_secret().unwrap(), Some(BotSecret::new(&secret)));
        assert!(copy.windows(2).any(|window| window == [0x50, 1]), "unknown fields stay");
        assert_eq!(MessageContext::of(&text).unwrap().message_secret().unwrap(), Some(secret));
        assert_eq!(bot_copy(head), Err(Error::InvalidArgument));
        assert_eq!(bot_copy(&copy), Err(Error::InvalidArgument));
    }
    assert_eq!(BotSecret::from_bytes(&[0; 31]), Err(Error::InvalidArgument));
    assert_eq!(MessageSecret::from_bytes(&[0; 33]), Err(Error::InvalidArgument));
    let short = MessageContext::parse(&[0x1A, 1, 0]).unwrap();
    assert_eq!(short.message_secret(), Err(Error::InvalidProtobuf));
}

#[test]
fn report_tokens_of_message_secret_json() {
    for case in items(&whatsapp("message_secret"), "reportingToken") {
        assert_eq!(number(case, "tokenVersion"), u64::from(REPORT_TOKEN_VERSION));
        let (own, remote) = (jid(text(case, "sender")), jid(text(case, "remote")));
        let content = hex(case, "content");
        let token = report_token(&secret(case), text(case, "stanzaId"), &own, &remote, &content);
        assert_eq!(token, array(case, "token"));
        let swapped = report_token(&secret(case), text(case, "stanzaId"), &remote, &own, &content);
        assert_ne!(swapped, token);
        // the message carries its own secret
        let message = hex(case, "messageProto");
        let context = MessageContext::of(&message).unwrap();
        assert_eq!(context.message_secret().unwrap(), Some(secret(case)));
    }
}

// ------------------------------------------------------------------------------------------- device-sent

const MESSAGE: &[u8] = b"\x0a\x04text\x9a\x02\x02\x50\x01";

#[test]
fn a_wrapper_of_ones_own_device_is_read_and_any_other_refused() {
    let (chat, own) = (jid("120363@g.us"), [jid("5511@s.whatsapp.net"), jid("22@lid")]);
    let wrapped = wrap_device_sent(&chat, MESSAGE, Some("2:kp2wyRVn")).unwrap();
    for sender in
        ["5511:3@s.whatsapp.net", "5511@c.us", "22:9@lid", "5511:99@hosted", "22:99@hosted.lid"]
    {
        let sent = unwrap_device_sent(&wrapped, &jid(sender), &own).unwrap().unwrap();
        assert_eq!((&sent.destination, sent.message), (&chat, &b"\x0a\x04text"[..]), "{sender}");
        assert_eq!((sent.context, sent.phash), (Some(&b"\x50\x01"[..]), Some("2:kp2wyRVn")));
    }
    for sender in
        ["5512@s.whatsapp.net", "5511@lid", "22@s.whatsapp.net", "5511@g.us", "5511@bot", "lid"]
    {
        let refused = unwrap_device_sent(&wrapped, &jid(sender), &own).unwrap_err();
        assert_eq!(
            (refused, refused.disposition()),
            (Error::NotOwnDevice, Disposition::Drop),
            "{sender}"
        );
        // what is not wrapped is nobody's secret
        assert_eq!(unwrap_device_sent(MESSAGE, &jid(sender), &own), Ok(None));
    }
    assert_eq!(unwrap_device_sent(&wrapped, &own[0], &[]), Err(Error::NotOwnDevice));
    assert_eq!(wrap_device_sent(&chat, &wrapped, None), Err(Error::InvalidArgument));
    assert_eq!(wrap_device_sent(&chat, b"\x0a\x05text", None), Err(Error::InvalidProtobuf));
}

#[test]
fn the_context_is_the_outer_one_or_else_the_inner_one() {
    let own = [jid("22@lid")];
    let wrapper = |inner: &[u8]| {
        let content =
            [b"\x0a\x06\x31\x40g.us\x12", &[u8::try_from(inner.len()).unwrap()][..], inner]
                .concat();
        [&[0xFA, 0x01, u8::try_from(content.len()).unwrap()][..], &content].concat()
    };
    let context = |bytes: &[u8]| {
        let sent = unwrap_device_sent(bytes, &own[0], &own).unwrap().unwrap();
        sent.context.map(<[u8]>::to_vec)
    };
    assert_eq!(context(&wrapper(b"\x0a\x01x")), None);
    assert_eq!(context(&wrapper(MESSAGE)), Some(vec![0x50, 1]));
    let both = [wrapper(MESSAGE), b"\x9a\x02\x02\x50\x02".to_vec()].concat();
    assert_eq!(context(&both), Some(vec![0x50, 2]));
    // a wrapper in a wrapper; without destination, without message; a destination that is no address
    let refused = |bytes: &[u8]| unwrap_device_sent(bytes, &own[0], &own).unwrap_err();
    assert_eq!(refused(&wrapper(&wrapper(b""))), Error::InvalidProtobuf);
    assert_eq!(refused(b"\xfa\x01\x02\x12\x00"), Error::InvalidProtobuf);
    assert_eq!(refused(b"\xfa\x01\x08\x0a\x061@g.us"), Error::InvalidProtobuf);
    assert_eq!(refused(b"\xfa\x01\x05\x0a\x01@\x12\x00"), Error::InvalidProtobuf);
    assert_eq!(refused(b"\xfa\x01\x05\x0a"), Error::InvalidProtobuf);
}

// ------------------------------------------------------------------------------------------- device lists

#[test]
fn participant_hashes_of_phash_json() {
    let known =
        [("5511999999999:3@s.whatsapp.net", "2:5s+YxCff"), ("5511999999999@c.us", "2:RJWVxcMQ")];
    for (participant, hash) in known {
        assert_eq!(participant_hash(&[jid(participant)]), hash);
    }
    for case in items(&whatsapp("phash"), "cases") {
        let names = case["participants"].as_array().unwrap();
        let mut devices: Vec<_> = names.iter().map(|name| jid(name.as_str().unwrap())).collect();
        let expected = text(case, "phash");
        assert_eq!(participant_hash(&devices), expected);
        // a set: neither order nor repetition matters
        devices.reverse();
        devices.extend(devices.first().cloned());
        assert_eq!(participant_hash(&devices), expected);
        // hosted devices are left out for groups
        let plain: Vec<_> = devices.iter().filter(|device| !device.is_hosted()).cloned().collect();
        let expected = participant_hash(&plain);
        assert_eq!(group_participant_hash(&devices), expected);
        for hosted in
            ["77:99@s.whatsapp.net", "77:99@lid", "77:99@hosted", "77@hosted.lid"].map(jid)
        {
            devices.push(hosted);
            assert_eq!(group_participant_hash(&devices), expected);
            assert_ne!(participant_hash(&devices), expected);
        }
    }
    assert_eq!(participant_hash(&[]), "2:");
    assert_eq!(group_participant_hash(&[jid("77:99@hosted")]), "2:");
    assert_ne!(participant_hash(&[jid("s.whatsapp.net")]), "2:");
}

#[test]
fn key_list_hashes_of_adv_json() {
    for case in items(&whatsapp("adv"), "icdc") {
        let keys = case["rawIdentityKeysUnsorted"].as_array().unwrap();
        let keys: Vec<_> = keys
            .iter()
            .map(|key| {
                let raw = hex::decode(key.as_str().unwrap()).unwrap().try_into().unwrap();
                IdentityKey::new(PublicKey::from_raw(raw))
            })
            .collect();
        let hash = KeyListHash::new(&keys);
        let (ten, eight) = (hex(case, "keyHash10"), hex(case, "keyHash8"));
        assert_eq!(hash.truncated(KeyListHash::LENGTH), Ok(&*ten));
        assert_eq!(hash.truncated(KeyListHash::LENGTH_MIN), Ok(&*eight));
        for length in [0, 7, 33] {
            assert_eq!(hash.truncated(length), Err(Error::InvalidArgument));
        }
        assert!(hash.matches(&ten) && hash.matches(&eight));
        assert!(!hash.matches(&ten[..7]) && !hash.matches(&[]) && !hash.matches(&[0; 10]));
        assert!(!KeyListHash::new(&keys[1..]).matches(&ten), "a device less");
    }
}

#[test]
fn device_list_metadata_is_read_and_written() {
    let metadata = DeviceListMetadata {
        sender_key_hash: Some(vec![1; 10]),
        sender_timestamp: Some(1_700_000_000),
        sender_key_indexes: vec![0, 1, 300],
        sender_account_type: Some(0),
        receiver_account_type: Some(1),
        recipient_key_hash: Some(vec![2; 8]),
        recipient_timestamp: Some(1_700_000_001),
        recipient_key_indexes: vec![7],
    };
    let bytes = metadata.encode();
    assert!(bytes.windows(6).any(|window| window == [0x1A, 4, 0, 1, 0xAC, 0x02]), "packed");
    assert_eq!(DeviceListMetadata::parse(&bytes).unwrap(), metadata);
    assert_eq!(DeviceListMetadata::parse(b"").unwrap(), DeviceListMetadata::default());
    assert!(DeviceListMetadata::default().encode().is_empty());
    // not packed, which readers take as well
    let unpacked = DeviceListMetadata::parse(&[0x18, 5, 0x18, 6, 0x50, 7]).unwrap();
    assert_eq!(
        (unpacked.sender_key_indexes, unpacked.recipient_key_indexes),
        (vec![5, 6], vec![7])
    );
    let many = [&[0x1A, 0x81, 0x08][..], &[1; 1025]].concat();
    for bad in [&many[..], &[0x1A, 1, 0x80], &[0x0A], &[0x08, 1], &[0x1D, 0, 0, 0, 0]] {
        assert_eq!(DeviceListMetadata::parse(bad), Err(Error::InvalidProtobuf));
    }
    assert!(metadata.is_newer_than(None) && metadata.is_newer_than(Some(1_700_000_000)));
    assert!(!metadata.is_newer_than(Some(1_700_000_001)));
    assert!(!DeviceListMetadata::default().is_newer_than(None));
    // beside a version
    let context = |version: u8| {
        let head = [0x0A, u8::try_from(bytes.len()).unwrap()];
        [&head[..], &bytes, &[0x10, version]].concat()
    };
    let read =
        |context: &[u8]| MessageContext::parse(context).unwrap().device_list_metadata().unwrap();
    assert_eq!(read(&context(2)), Some(metadata));
    assert_eq!(read(&context(3)), None);
}

// ------------------------------------------------------------------------------------------- retry reasons

#[test]
fn errors_have_the_codes_of_retry_receipts() {
    let cases = [
        (Error::ReusedBaseKey, 0),
        (Error::SessionNotFound, 1),
        (Error::NoSenderKeyState, 1),
        (Error::BadKeyType(6), 2),
        (Error::InvalidPreKeyId(3), 3),
        (Error::InvalidSignedPreKeyId(3), 3),
        (Error::InvalidProtobuf, 4),
        (Error::UnrecognizedCiphertextVersion(4), 4),
        (Error::SignatureValidationFailed, 5),
        (Error::TooFarInFuture, 6),
        (Error::Rejected, 7),
        (Error::InvalidSession, 8),
        (Error::DuplicatedMessage { chain_index: 0, counter: 0 }, 9),
    ];
    for (error, code) in cases {
        let reason = RetryReason::from(error);
        assert_eq!(reason.code(), code, "{error}");
        assert_eq!(RetryReason::from_code(code.into()), reason);
        assert_eq!(reason.to_string(), code.to_string());
    }
    for code in 0..=13_u8 {
        assert_eq!(RetryReason::from_code(code.into()).code(), code);
    }
    for code in [14, 255, 256, u32::MAX] {
        assert_eq!(RetryReason::from_code(code), RetryReason::Unknown);
    }
    assert!(RetryReason::NoSession.needs_keys(1) && !RetryReason::BadMac.needs_keys(1));
    assert!(RetryReason::BadMac.needs_keys(2));
}

proptest! {
    #[test]
    fn what_is_padded_unpads(body in prop::collection::vec(any::<u8>(), 0..400), seed: [u8; 4]) {
        let mut rng = Fixed::new(seed);
        for padding in [Padding::WhatsApp, Padding::Signal, Padding::None] {
            let padded = padding.pad(&body, &mut rng).unwrap();
            prop_assert_eq!(padded.len(), padded.capacity());
            prop_assert_eq!(padding.unpad(&padded), Ok(&*body));
        }
    }

    #[test]
    fn any_bytes_unpad_to_a_prefix_or_not_at_all(bytes in prop::collection::vec(prop_oneof![0..18_u8, Just(0x80)], 0..40)) {
        for padding in [Padding::WhatsApp, Padding::Signal] {
            match padding.unpad(&bytes) {
                Ok(body) => prop_assert!(bytes.starts_with(body) && body.len() < bytes.len()),
                Err(error) => prop_assert_eq!(error, Error::Rejected),
            }
        }
    }

    /// Fields of any numbers: those that are not moved keep their bytes and order.
    #[test]
    fn what_is_wrapped_unwraps(
        fields in prop::collection::vec((prop_oneof![Just(1_u8), Just(35), Just(2), Just(12)], prop::collection::vec(any::<u8>(), 0..20)), 0..6),
    ) {
        let field = |(number, content): &(u8, Vec<u8>)| {
            // key of wire type 2 in one or two bytes
            let key = u32::from(*number) << 3 | 2;
            let key = if key < 0x80 { vec![key as u8] } else { vec![key as u8 | 0x80, (key >> 7) as u8] };
            [key, vec![content.len() as u8], content.clone()].concat()
        };
        let message: Vec<u8> = fields.iter().flat_map(field).collect();
        let inner: Vec<u8> = fields.iter().filter(|(number, _)| *number != 35).flat_map(field).collect();
        let context = fields.iter().rfind(|(number, _)| *number == 35).map(|(_, content)| &**content);
        let (chat, own) = (jid("5522@s.whatsapp.net"), [jid("22@lid")]);
        let wrapped = wrap_device_sent(&chat, &message, None).unwrap();
        let sent = unwrap_device_sent(&wrapped, &jid("22:4@lid"), &own).unwrap().unwrap();
        prop_assert_eq!(&sent.destination, &chat);
        prop_assert_eq!(sent.message, &*inner);
        prop_assert_eq!(sent.context, context);
        prop_assert_eq!(sent.phash, None);
    }
}
