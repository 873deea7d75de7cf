//! Message content: any bytes are read or refused; what was padded, wrapped and sealed comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandi::content::{
    AddOn, Author, BotMessage, BotSecret, DeviceListMetadata, EncryptedAddOn, EventResponse,
    MessageContext, MessageSecret, MessageSecretMessage, Padding, PollVote, Reaction, UseCase,
    bot_copy, open_add_on, unwrap_device_sent, wrap_device_sent,
};
use sandi::{Error, Jid};

#[path = "../rng.rs"]
mod rng;

fuzz_target!(|bytes: &[u8]| {
    let mut rng = rng::Rng(bytes.len() as u64 | 1);
    let [own, chat, other] = ["22@lid", "1@g.us", "5511@s.whatsapp.net"].map(|text| Jid::parse(text).unwrap());
    // padding
    for padding in [Padding::WhatsApp, Padding::Signal] {
        match padding.unpad(bytes) {
            Ok(body) => assert!(bytes.starts_with(body) && body.len() < bytes.len()),
            Err(error) => assert_eq!(error, Error::Rejected),
        }
        let padded = padding.pad(bytes, &mut rng).unwrap();
        assert_eq!(padding.unpad(&padded), Ok(bytes));
    }
    // wrappers
    match unwrap_device_sent(bytes, &own, std::slice::from_ref(&own)) {
        Ok(Some(sent)) => {
            assert_eq!(unwrap_device_sent(bytes, &other, &[own.clone()]), Err(Error::NotOwnDevice));
            if let Some(context) = sent.context {
                let _ = MessageContext::parse(context);
            }
        }
        Ok(None) => {
            // A message: what is wrapped keeps every byte that stays inside, in order.
            let wrapped = wrap_device_sent(&chat, bytes, None).unwrap();
            let sent = unwrap_device_sent(&wrapped, &own, &[own.clone()]).unwrap().unwrap();
            assert_eq!(sent.destination, chat);
            assert!(sent.message.len() <= bytes.len());
        }
        Err(error) => assert_eq!(error, Error::InvalidProtobuf),
    }
    // what messages carry
    if let Ok(Some(carrier)) = EncryptedAddOn::find(bytes) {
        let again = carrier.to_message().unwrap();
        assert_eq!(EncryptedAddOn::find(&again), Ok(Some(carrier)));
    }
    if let Ok(metadata) = DeviceListMetadata::parse(bytes) {
        assert_eq!(DeviceListMetadata::parse(&metadata.encode()), Ok(metadata));
    }
    if let Ok(vote) = PollVote::parse(bytes) {
        assert_eq!(PollVote::parse(&vote.encode()), Ok(vote));
    }
    if let Ok(reaction) = Reaction::parse(bytes) {
        assert_eq!(Reaction::parse(&reaction.encode()), Ok(reaction));
    }
    if let Ok(response) = EventResponse::parse(bytes) {
        assert_eq!(EventResponse::parse(&response.encode()), Ok(response));
    }
    if let Ok(context) = MessageContext::of(bytes) {
        let _ = (context.message_secret(), context.bot_secret(), context.device_list_metadata());
    }
    if let Ok(copy) = bot_copy(bytes) {
        let context = MessageContext::of(&copy).unwrap();
        assert_eq!(context.message_secret(), Ok(None));
        assert!(context.bot_secret().unwrap().is_some());
    }
    // nobody sealed these
    let secret = MessageSecret::from_bytes(&[7; 32]).unwrap();
    let author = Author { lid: Some(&own), phone_number: Some(&other) };
    let iv = bytes.get(..12).unwrap_or(bytes);
    let opened = open_add_on(&secret, "ID", author, author, UseCase::PollVote, iv, bytes);
    assert_eq!(opened.err(), Some(Error::Rejected));
    let bot = BotMessage { message_id: "ID", target_sender: &own, bot: &other };
    let bot_secret = BotSecret::new(&secret);
    if let Ok(message) = MessageSecretMessage::parse(bytes) {
        assert_eq!(bot.open(&bot_secret, &message), Err(Error::Rejected));
        assert_eq!(MessageSecretMessage::parse(&message.encode()), Ok(message));
    }
    // and this somebody did
    let add_on = AddOn { parent_id: "ID", parent_sender: &own, sender: &other, use_case: UseCase::PollVote };
    let sealed = add_on.seal(&secret, bytes, &mut rng).unwrap();
    let opened = open_add_on(&secret, "ID", author, author, UseCase::PollVote, &sealed.iv, &sealed.payload);
    assert_eq!(&**opened.unwrap().plaintext, bytes);
});
