//! A personal messenger in the WhatsApp family's dialect: texts, a photo, a voice message, a location, a poll, a
//! reaction and a call, between Alice's phone and Bob's two devices.
//!
//! `cargo run --example personal`
//!
//! The server that hands out bundles and carries messages is this program; what it could see is only what
//! the functions of [`Person`] return. Every claim that is printed is checked.
#![allow(clippy::print_stdout, clippy::indexing_slicing, clippy::arithmetic_side_effects)] // for people to read

use std::convert::Infallible;
use std::error::Error as StdError;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message as _;
use sandi::attachment::{
    EncryptedMedia, MediaDecryptor, MediaEncryptor, MediaHashes, MediaKey, MediaKeys, MediaKind,
    MediaRange, MediaVerifier, Sidecar, Transform, transform,
};
use sandi::call::{CallKey, CallKeyLedger, SrtpProfile, SrtpReceiver, SrtpSender};
use sandi::content::{
    AddOn, Author, EncryptedAddOn, MessageSecret, Padding, PollVote, UseCase, open_add_on,
    unwrap_device_sent, wrap_device_sent,
};
use sandi::device::{DeviceError, NewDevice, random_registration_id};
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, Recipient, ServerStock, Upload};
use sandi::session::CiphertextMessage;
use sandi::{Address, Device, Error, Jid, MemoryStore, OsRng, Policy, Timestamp};

type Result<T> = core::result::Result<T, Box<dyn StdError>>;

/// The application's content: the fields of the family's `Message` that this story needs.
#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(string, optional, tag = "1")]
    conversation: Option<String>,
    #[prost(message, optional, tag = "3")]
    image: Option<Image>,
    #[prost(message, optional, tag = "5")]
    location: Option<Location>,
    #[prost(message, optional, tag = "8")]
    audio: Option<Audio>,
    #[prost(message, optional, tag = "35")]
    context: Option<Context>,
    #[prost(message, optional, tag = "46")]
    reaction: Option<Reaction>,
    #[prost(message, optional, tag = "64")]
    poll: Option<Poll>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Image {
    #[prost(string, tag = "2")]
    mimetype: String,
    #[prost(bytes = "vec", tag = "4")]
    file_sha256: Vec<u8>,
    #[prost(uint64, tag = "5")]
    file_length: u64,
    #[prost(bytes = "vec", tag = "8")]
    media_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "9")]
    file_enc_sha256: Vec<u8>,
    #[prost(string, tag = "11")]
    direct_path: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Audio {
    #[prost(string, tag = "2")]
    mimetype: String,
    #[prost(bytes = "vec", tag = "3")]
    file_sha256: Vec<u8>,
    #[prost(uint64, tag = "4")]
    file_length: u64,
    #[prost(uint32, tag = "5")]
    seconds: u32,
    #[prost(bool, tag = "6")]
    is_voice: bool,
    #[prost(bytes = "vec", tag = "7")]
    media_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    file_enc_sha256: Vec<u8>,
    #[prost(string, tag = "9")]
    direct_path: String,
    #[prost(bytes = "vec", tag = "18")]
    sidecar: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Location {
    #[prost(double, tag = "1")]
    latitude: f64,
    #[prost(double, tag = "2")]
    longitude: f64,
    #[prost(string, tag = "3")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Context {
    #[prost(bytes = "vec", tag = "3")]
    message_secret: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Key {
    #[prost(string, tag = "1")]
    chat: String,
    #[prost(string, tag = "3")]
    id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Reaction {
    #[prost(message, optional, tag = "1")]
    key: Option<Key>,
    #[prost(string, tag = "2")]
    text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Poll {
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    options: Vec<PollOption>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PollOption {
    #[prost(string, tag = "1")]
    name: String,
}

/// One device of a person.
struct Person {
    name: &'static str,
    jid: Jid,
    device: Device<MemoryStore>,
    rng: OsRng,
    /// What the server has of its pre-keys, and how many of them it has given out.
    shelf: Upload,
    given: usize,
}

/// A message as the server sees it: to which device, and ciphertext.
type Sealed = (Address, CiphertextMessage);

impl Person {
    fn new(name: &'static str, jid: &str) -> Result<Self> {
        let (jid, mut rng) = (Jid::parse(jid)?, OsRng::default());
        let new = NewDevice {
            address: jid.address()?,
            identity: IdentityKeyPair::generate(&mut rng),
            registration_id: random_registration_id(&mut rng),
            scope: IdentityScope::Device,
        };
        let options = Options { dialects: Policy::V3, ..Options::default() };
        let mut device = Device::create(MemoryStore::new(), new, options, &mut rng)?;
        let shelf = device.replenish(ServerStock::default(), now(), &mut rng)?;
        device.confirm_upload(&shelf, now(), &mut rng)?;
        Ok(Self { name, jid, device, rng, shelf, given: 0 })
    }

    /// Takes a bundle of each peer and starts a session.
    fn meet(&mut self, peers: &mut [&mut Self]) -> Result<()> {
        for peer in peers {
            let address = peer.device.address().clone();
            let bundle = peer.shelf.bundle(address.device(), peer.given);
            let bundle = bundle.ok_or("the server has no bundle")?;
            peer.given += 1;
            self.device.start_session(&address, &bundle, now(), &mut self.rng)?;
        }
        Ok(())
    }

    /// Pads a content and encrypts it to every device of the chat. The sender's own other devices get it
    /// wrapped: to whom it was sent stands in the wrapper.
    fn send(&mut self, chat: &Jid, content: &[u8], to: &[&Self]) -> Result<Vec<Sealed>> {
        let mut padded = Vec::new();
        for person in to {
            padded.push(if person.jid.is_same_account(&self.jid) {
                let wrapped = wrap_device_sent(chat, content, None)?;
                Padding::WhatsApp.pad(&wrapped, &mut self.rng)?
            } else {
                Padding::WhatsApp.pad(content, &mut self.rng)?
            });
        }
        let recipients: Vec<_> = to
            .iter()
            .zip(&padded)
            .map(|(to, plaintext)| Recipient { address: to.device.address(), plaintext })
            .collect();
        let sent = self.device.encrypt_many(&recipients, now(), &mut self.rng)?;
        let sealed = sent.into_iter().map(|sent| Ok((sent.address, sent.message?)));
        sealed.collect()
    }

    /// Decrypts what is for this device, durably, and takes padding and wrapper off. Returns the chat and
    /// the content.
    fn read(&mut self, from: &Self, sealed: &[Sealed]) -> Result<(Jid, Vec<u8>)> {
        let is_mine = |(to, _): &&Sealed| to == self.device.address();
        let (_, message) = sealed.iter().find(is_mine).ok_or("nothing for this device")?;
        let (kind, bytes) = (message.message_type, &message.bytes);
        let from_address = from.device.address();
        let received = self.device.decrypt(from_address, kind, bytes, now(), &mut self.rng)?;
        let decrypted = received.commit()?;
        let content = Padding::WhatsApp.unpad(&decrypted.plaintext)?;
        // Only a device of one's own account may say what one has sent.
        Ok(match unwrap_device_sent(content, &from.jid, std::slice::from_ref(&self.jid))? {
            Some(sent) => (sent.destination, sent.message.to_vec()),
            None => (from.jid.without_device(), content.to_vec()),
        })
    }

    fn says(&self, what: &str) {
        println!("  {:<14} {what}", self.name);
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn text(text: &str) -> Vec<u8> {
    Message { conversation: Some(text.into()), ..Message::default() }.encode_to_vec()
}

/// Whether `needle` is to be seen in a ciphertext.
fn is_visible(sealed: &[Sealed], needle: &[u8]) -> bool {
    sealed.iter().any(|(_, m)| m.bytes.windows(needle.len()).any(|window| window == needle))
}

fn main() -> Result<()> {
    let alice = &mut Person::new("Alice", "447700900101@s.whatsapp.net")?;
    let phone = &mut Person::new("Bob's phone", "447700900102@s.whatsapp.net")?;
    let laptop = &mut Person::new("Bob's laptop", "447700900102:1@s.whatsapp.net")?;
    println!("Everybody takes bundles, and starts sessions of version 3:");
    alice.meet(&mut [phone, laptop])?;
    phone.meet(&mut [laptop])?;
    println!("  {}, {} and {}", alice.jid, phone.jid, laptop.jid);

    texts(alice, phone, laptop)?;
    photo(alice, phone, laptop)?;
    voice_message(alice, phone)?;
    location(alice, phone, laptop)?;
    poll(alice, phone)?;
    call(alice, phone, laptop)
}

fn texts(alice: &mut Person, phone: &mut Person, laptop: &mut Person) -> Result<()> {
    println!("\nA text, to both of Bob's devices:");
    let (bob, hello) = (phone.jid.clone(), "Hello Bob! Are you in town?");
    let sealed = alice.send(&bob, &text(hello), &[phone, laptop])?;
    assert!(!is_visible(&sealed, hello.as_bytes()), "the server sees no text");
    alice.says(&format!("writes {hello:?}: {} ciphertexts", sealed.len()));
    for device in [&mut *phone, &mut *laptop] {
        let (chat, content) = device.read(alice, &sealed)?;
        assert_eq!(chat, alice.jid);
        assert_eq!(Message::decode(&content[..])?.conversation.as_deref(), Some(hello));
        device.says("reads it");
        let again = device.read(alice, &sealed).err().ok_or("took a message twice")?;
        let again = again.downcast_ref::<DeviceError<Infallible>>();
        assert!(matches!(again, Some(DeviceError::Protocol(Error::DuplicatedMessage { .. }))));
    }

    println!("\nBob answers from his phone; his laptop is told what he sent, and to whom:");
    let answer = "Until Sunday. ";
    let sealed = phone.send(&alice.jid.clone(), &text(answer), &[alice, laptop])?;
    let (chat, content) = alice.read(phone, &sealed)?;
    assert_eq!((chat, content), (bob, text(answer)));
    alice.says(&format!("reads {answer:?}"));
    let (chat, content) = laptop.read(phone, &sealed)?;
    assert_eq!((&chat, content), (&alice.jid, text(answer)));
    laptop.says(&format!("shows it in the chat with {chat}"));

    // Alice cannot put words into Bob's mouth.
    let forged = wrap_device_sent(&alice.jid, &text("I owe Alice a hundred pounds"), None)?;
    let sealed = alice.send(&phone.jid, &forged, &[laptop])?;
    let refused = laptop.read(alice, &sealed).err().ok_or("took somebody else's wrapper")?;
    assert_eq!(refused.downcast_ref::<Error>(), Some(&Error::NotOwnDevice));
    laptop.says(&format!("refuses such a wrapper from Alice: {refused}"));
    Ok(())
}

/// A file of so many bytes, which stands for a photo or a recording.
fn made_up(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8)) as u8).collect()
}

fn hashes(sha256: &[u8], enc_sha256: &[u8], length: u64) -> Result<MediaHashes> {
    Ok(MediaHashes::from_fields(Some(sha256), Some(enc_sha256), Some(length))?)
}

/// Encrypts a file for upload.
fn upload(encryptor: MediaEncryptor, file: &[u8]) -> Result<(Vec<u8>, EncryptedMedia)> {
    let mut blob = Vec::new();
    let report = transform(encryptor, &mut &file[..], &mut blob, |_| ())?;
    Ok((blob, report))
}

fn photo(alice: &mut Person, phone: &mut Person, laptop: &mut Person) -> Result<()> {
    println!("\nA photo: the blob goes to the server, its key into the message:");
    let file = made_up(300_000);
    let key = MediaKey::generate(&mut alice.rng);
    let keys = key.derive(MediaKind::Image);
    let (blob, sent) = upload(MediaEncryptor::new(&keys), &file)?;
    let image = Image {
        mimetype: "image/jpeg".into(),
        file_sha256: sent.file_sha256.to_vec(),
        file_length: sent.file_length,
        media_key: key.secret().expose().to_vec(),
        file_enc_sha256: sent.file_enc_sha256.to_vec(),
        direct_path: "/photos/1".into(),
    };
    let content = Message { image: Some(image), ..Message::default() }.encode_to_vec();
    let sealed = alice.send(&phone.jid.clone(), &content, &[phone, laptop])?;
    alice.says(&format!("sends {} bytes, uploaded as {}", file.len(), blob.len()));
    assert!(!is_visible(&sealed, key.secret().expose()), "the server has no key");

    let mut changed = blob.clone();
    changed[1000] ^= 1;
    for device in [&mut *phone, &mut *laptop] {
        let (_, content) = device.read(alice, &sealed)?;
        let image = Message::decode(&content[..])?.image.ok_or("no image")?;
        let keys = MediaKey::from_bytes(&image.media_key)?.derive(MediaKind::Image);
        let expected = hashes(&image.file_sha256, &image.file_enc_sha256, image.file_length)?;
        // Without a side-car the blob is read twice: verified, then decrypted.
        assert_eq!(download(&keys, &expected, &blob)?, file);
        device.says("has the photo, bit by bit");
        let refused = download(&keys, &expected, &changed).err().ok_or("took a changed blob")?;
        assert_eq!(refused.downcast_ref::<Error>(), Some(&Error::Rejected));
    }
    laptop.says("refuses a blob with one bit changed, before any of it is decrypted");
    Ok(())
}

/// Verifies a whole blob, then decrypts it.
fn download(keys: &MediaKeys, hashes: &MediaHashes, blob: &[u8]) -> Result<Vec<u8>> {
    let mut verifier = MediaVerifier::new(keys, hashes);
    let mut file = Vec::new();
    verifier.update(blob, &mut file)?;
    let verified = verifier.finish(&mut file)?;
    transform(MediaDecryptor::verified(keys, verified, hashes), &mut &blob[..], &mut file, |_| ())?;
    Ok(file)
}

fn voice_message(alice: &mut Person, phone: &mut Person) -> Result<()> {
    println!("\nA voice message, which plays before it is there:");
    let recording = made_up(400_000);
    let key = MediaKey::generate(&mut phone.rng);
    let keys = key.derive(MediaKind::Audio);
    let (blob, sent) = upload(MediaEncryptor::with_sidecar(&keys), &recording)?;
    let sidecar = sent.sidecar.ok_or("no side-car")?;
    let audio = Audio {
        mimetype: "audio/ogg; codecs=opus".into(),
        file_sha256: sent.file_sha256.to_vec(),
        file_length: sent.file_length,
        seconds: 42,
        is_voice: true,
        media_key: key.secret().expose().to_vec(),
        file_enc_sha256: sent.file_enc_sha256.to_vec(),
        direct_path: "/sounds/1".into(),
        sidecar: sidecar.as_bytes().to_vec(),
    };
    let content = Message { audio: Some(audio), ..Message::default() }.encode_to_vec();
    let sealed = phone.send(&alice.jid.clone(), &content, &[alice])?;
    phone.says(&format!("sends {} bytes, {} windows", recording.len(), sidecar.windows()));

    let (_, content) = alice.read(phone, &sealed)?;
    let audio = Message::decode(&content[..])?.audio.ok_or("no voice message")?;
    let keys = MediaKey::from_bytes(&audio.media_key)?.derive(MediaKind::Audio);
    let sidecar = Sidecar::from_bytes(&audio.sidecar)?;
    let expected = hashes(&audio.file_sha256, &audio.file_enc_sha256, audio.file_length)?;
    let mut decryptor = MediaDecryptor::streaming(&keys, sidecar.clone(), &expected);
    let (mut heard, mut arrived) = (Vec::new(), 0);
    for packet in blob.chunks(10_000) {
        let before = heard.len();
        decryptor.update(packet, &mut heard)?;
        arrived += packet.len();
        // Whatever plays is verified, and is the recording.
        assert_eq!(heard, recording[..heard.len()]);
        if before == 0 && !heard.is_empty() {
            assert!(arrived < blob.len() / 2, "playback begins before half of it is there");
            alice.says(&format!("plays {} bytes when {arrived} have arrived", heard.len()));
        }
    }
    decryptor.finish(&mut heard)?;
    assert_eq!(heard, recording);
    alice.says("has heard all of it");

    // She listens to a second in the middle again: only what holds it is fetched.
    let range = MediaRange::new(200_000..210_000, blob.len() as u64)?;
    let fetch = range.fetch();
    let fetched = &blob[usize::try_from(fetch.start)?..usize::try_from(fetch.end)?];
    let mut again = Vec::new();
    range.open(&keys, &sidecar, fetched, &mut again)?;
    assert_eq!(again, recording[200_000..210_000]);
    alice.says(&format!("hears bytes 200,000 to 210,000 again, from {} bytes", fetched.len()));
    Ok(())
}

fn location(alice: &mut Person, phone: &mut Person, laptop: &mut Person) -> Result<()> {
    println!("\nA location:");
    let place = Location { latitude: 51.5007, longitude: -0.1246, name: "Big Ben".into() };
    let content = Message { location: Some(place.clone()), ..Message::default() }.encode_to_vec();
    let sealed = alice.send(&phone.jid.clone(), &content, &[phone, laptop])?;
    assert!(!is_visible(&sealed, b"Big Ben") && !is_visible(&sealed, &51.5007_f64.to_le_bytes()));
    for device in [phone, laptop] {
        let (_, content) = device.read(alice, &sealed)?;
        assert_eq!(Message::decode(&content[..])?.location.as_ref(), Some(&place));
        device.says(&format!("shows {} at {}, {}", place.name, place.latitude, place.longitude));
    }
    Ok(())
}

fn poll(alice: &mut Person, phone: &mut Person) -> Result<()> {
    println!("\nA poll, a vote, and a reaction:");
    let (id, options) = ("3EB0A1B2C3", ["Friday", "Saturday"]);
    let secret = MessageSecret::generate(&mut alice.rng);
    let poll = Poll {
        name: "When?".into(),
        options: options.iter().map(|name| PollOption { name: (*name).into() }).collect(),
    };
    let context = Context { message_secret: secret.secret().expose().to_vec() };
    let content = Message { poll: Some(poll), context: Some(context), ..Message::default() };
    let sealed = alice.send(&phone.jid.clone(), &content.encode_to_vec(), &[phone])?;
    alice.says("asks: When?");

    // Bob votes: bound to the poll, its author, and himself.
    let (_, content) = phone.read(alice, &sealed)?;
    let secret_of_poll = Message::decode(&content[..])?.context.ok_or("no context")?.message_secret;
    let secret_of_poll = MessageSecret::from_bytes(&secret_of_poll)?;
    let vote = AddOn {
        parent_id: id,
        parent_sender: &alice.jid,
        sender: &phone.jid,
        use_case: UseCase::PollVote,
    };
    let plaintext = PollVote::new(["Saturday"]).encode();
    let vote = vote.seal(&secret_of_poll, &plaintext, &mut phone.rng)?;
    let key = Key { chat: alice.jid.to_string(), id: id.into() }.encode_to_vec();
    let mut carrier = EncryptedAddOn::new(UseCase::PollVote, &key, &vote);
    carrier.sender_timestamp = Some(now());
    let sealed = phone.send(&alice.jid.clone(), &carrier.to_message()?, &[alice])?;

    let (voter, content) = alice.read(phone, &sealed)?;
    let found = EncryptedAddOn::find(&content)?.ok_or("no add-on")?;
    let own = alice.jid.clone();
    let author = |jid| Author { phone_number: Some(jid), lid: None };
    let open = |id, parent, voter| {
        let (iv, payload) = (found.iv, found.payload);
        open_add_on(&secret, id, author(parent), author(voter), found.use_case, iv, payload)
    };
    let opened = open(id, &own, &voter)?;
    assert_eq!(PollVote::parse(&opened.plaintext)?, PollVote::new(["Saturday"]));
    alice.says("counts one vote for Saturday");
    // The same vote counts in no other poll, and for nobody else.
    assert_eq!(open("3EB0FFFFFF", &own, &voter).err(), Some(Error::Rejected));
    assert_eq!(open(id, &own, &own).err(), Some(Error::Rejected));

    let reaction = Reaction {
        key: Some(Key { chat: own.to_string(), id: id.into() }),
        text: "\u{1f44d}".into(),
    };
    let content = Message { reaction: Some(reaction.clone()), ..Message::default() };
    let sealed = phone.send(&own, &content.encode_to_vec(), &[alice])?;
    let (_, content) = alice.read(phone, &sealed)?;
    assert_eq!(Message::decode(&content[..])?.reaction, Some(reaction));
    alice.says("sees a thumb up at her poll");
    Ok(())
}

/// A media packet of 160 bytes, before it is protected.
fn rtp_packet(sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0x78];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 960).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(std::iter::repeat_n(sequence as u8, 160));
    packet
}

/// Sends packets one way; how many.
fn talk(sender: &mut SrtpSender, receiver: &mut SrtpReceiver, ssrc: u32) -> Result<u16> {
    let packets = 50;
    for sequence in 0..packets {
        let plain = rtp_packet(sequence, ssrc);
        let mut packet = plain.clone();
        packet.resize(plain.len() + 16, 0);
        let length = sender.protect_rtp(&mut packet, plain.len())?;
        packet.truncate(length);
        assert_ne!(packet[12..plain.len()], plain[12..], "the relay sees no sound");

        let mut changed = packet.clone();
        changed[20] ^= 1;
        assert_eq!(receiver.unprotect_rtp(&mut changed), Err(Error::Rejected));
        let mut replayed = packet.clone();
        let opened = receiver.unprotect_rtp(&mut packet)?;
        assert_eq!(packet[..opened], plain);
        assert_eq!(receiver.unprotect_rtp(&mut replayed), Err(Error::ReplayedMediaPacket));
    }
    Ok(packets)
}

fn call(alice: &mut Person, phone: &mut Person, laptop: &mut Person) -> Result<()> {
    println!("\nA call, which rings on both of Bob's devices:");
    let (call_id, profile) = ("A1B2C3D4E5F60718", SrtpProfile::default());
    let key = CallKey::generate(&mut alice.rng);
    let offer = key.message();
    let sealed = alice.send(&phone.jid.clone(), offer.expose(), &[phone, laptop])?;
    assert!(!is_visible(&sealed, key.secret().expose()), "the server has no call key");
    let mut ledger = CallKeyLedger::new();
    let mut alices = ledger.admit(call_id, key)?;
    alice.says("offers a call: one key, encrypted for each device");

    let mut keys = Vec::new();
    for device in [&mut *phone, &mut *laptop] {
        let (_, content) = device.read(alice, &sealed)?;
        keys.push(CallKey::parse_message(&content)?);
        device.says("rings");
    }
    let (laptops, phones) = (keys.pop().ok_or("no key")?, keys.pop().ok_or("no key")?);
    let mut ledger = CallKeyLedger::new();
    let mut bobs = ledger.admit(call_id, phones)?;
    // Wiped: the laptop cannot listen.
    drop(laptops);
    phone.says("answers");
    laptop.says("stops ringing, and has discarded the key");

    // Each direction has keys of its own, by the address of who speaks.
    let mut sound_of_alice = alices.sender(&alice.jid, profile)?;
    let mut sound_of_bob = bobs.sender(&phone.jid, profile)?;
    let heard = talk(&mut sound_of_alice, &mut bobs.receiver(&alice.jid, profile), 0x0A11_CE00)?;
    phone.says(&format!("hears {heard} packets of Alice's"));
    let heard = talk(&mut sound_of_bob, &mut alices.receiver(&phone.jid, profile), 0x0B0B_0000)?;
    alice.says(&format!("hears {heard} packets of Bob's; changed and repeated ones are refused"));
    assert_eq!(alices.sender(&alice.jid, profile).err(), Some(Error::ReusedCallKey));
    drop((alices, bobs, sound_of_alice, sound_of_bob));
    alice.says("hangs up: all keys are wiped");
    Ok(())
}
