//! The WhatsApp family beside sessions: linking and files, both ways with Baileys.

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{node, start};
use sandi::attachment::{
    MediaDecryptor, MediaEncryptor, MediaHashes, MediaKey, MediaKeys, MediaKind, MediaVerifier,
    Transform,
};
use sandi::content::Padding;
use sandi::keys::IdentityKeyPair;
use sandi::linking::{
    AwaitingPrimary, EncryptionType, LinkingKind, LinkingRequest, Primary, SignedDeviceIdentity,
    VerifiedCompanion,
};
use sandi::{Error, Jid, OsRng, Secret, Timestamp};
use sandi_interop::pair::Side;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn b64(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

fn bytes(reply: &Value, name: &str) -> Vec<u8> {
    let text = reply[name].as_str().unwrap_or_else(|| panic!("{name} in {reply}"));
    STANDARD.decode(text).unwrap()
}

fn device() -> Jid {
    Jid::parse("15550001111:1@s.whatsapp.net").unwrap()
}

fn raw(identity: &IdentityKeyPair) -> &[u8; 32] {
    identity.identity_key().public_key().as_raw()
}

/// A party of the driver with an identity of ours, so that both sides know all keys.
fn party(side: &Side, handle: &str, identity: &IdentityKeyPair) {
    side.must(
        "party.create",
        json!({
            "party": handle,
            "name": handle,
            "deviceId": 0,
            "publicKey": b64(&identity.identity_key().encode()),
            "privateKey": b64(identity.private_key().secret().expose()),
        }),
    );
}

#[test]
fn sandi_links_a_baileys_companion() {
    let Some(side) = start(node()) else { return };
    let mut rng = OsRng::default();
    let mut primary = Primary::new(4711, EncryptionType::E2ee);
    let account = IdentityKeyPair::generate(&mut rng);
    for round in 1..=5 {
        let companion = IdentityKeyPair::generate(&mut rng);
        let handle = format!("companion-{round}");
        party(&side, &handle, &companion);
        let adv_secret = Secret::<32>::random(&mut rng);
        let as_sent = b64(adv_secret.expose());
        let key = *companion.identity_key().public_key();
        let request = LinkingRequest::from_parts(key, adv_secret);
        let made = primary.link(&account, &request, LinkingKind::default(), NOW, &mut rng).unwrap();
        let reply = side.must(
            "adv.companion",
            json!({ "companion": handle, "bytes": b64(&made.container), "advSecret": as_sent }),
        );
        assert_eq!(reply["keyIndex"], round);
        assert_eq!(bytes(&reply, "accountSignatureKey"), raw(&account));
        // Baileys' answer ends the linking, and both sides have the same object.
        let full = made.pending.finish(&bytes(&reply, "reply")).unwrap();
        assert_eq!(full, bytes(&reply, "withKey"));
        let signed = SignedDeviceIdentity::parse(&full).unwrap();
        let identity = companion.identity_key();
        let known = Some(account.identity_key());
        VerifiedCompanion::verify(&device(), identity, &signed, known).unwrap();
        let seen = side.must("adv.inspect", json!({ "bytes": b64(&full) }));
        assert_eq!(seen["keyIndex"], round);
        assert_eq!(seen["rawId"], 4711);
        // A MAC with another secret is refused there, too.
        let refused = side.call(
            "adv.companion",
            json!({ "companion": handle, "bytes": b64(&made.container), "advSecret": b64(&[1; 32]) }),
        );
        assert_eq!(refused.unwrap_err().kind, "AdvHmacMismatch");
        primary = made.next;
    }
    assert_eq!(primary.list().valid_indexes, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn sandi_is_linked_by_the_drivers_primary() {
    let Some(side) = start(node()) else { return };
    let mut rng = OsRng::default();
    let account = IdentityKeyPair::generate(&mut rng);
    party(&side, "primary", &account);
    for key_index in 1..=5 {
        let companion = IdentityKeyPair::generate(&mut rng);
        let pending = AwaitingPrimary::generate(&mut rng);
        let made = side.must(
            "adv.primary",
            json!({
                "primary": "primary",
                "companionIdentity": b64(raw(&companion)),
                "advSecret": b64(pending.adv_secret().expose()),
                "rawId": 99,
                "timestamp": 1_790_000_000,
                "keyIndex": key_index,
            }),
        );
        let container = bytes(&made, "bytes");
        let wrong = AwaitingPrimary::generate(&mut rng).accept(&companion, &container, &mut rng);
        assert_eq!(wrong, Err(Error::LinkingMacMismatch));
        let linked = pending.accept(&companion, &container, &mut rng).unwrap();
        assert_eq!(linked.account.primary(), Some(*account.identity_key()));
        assert_eq!(linked.details.key_index, key_index);
        assert_eq!(linked.details.encode(), bytes(&made, "details"));
        // The driver reads our object as we wrote it, and the libraries agree on our signature.
        let seen = side.must("adv.inspect", json!({ "bytes": b64(&linked.device_identity) }));
        assert_eq!(seen["keyIndex"], key_index);
        let signed = SignedDeviceIdentity::parse(&linked.device_identity).unwrap();
        let message = [&[6, 1], signed.details_bytes(), raw(&companion), raw(&account)].concat();
        let verified = side.must(
            "ec.verify",
            json!({
                "publicKey": b64(&companion.identity_key().encode()),
                "message": b64(&message),
                "signature": b64(signed.device_signature()),
            }),
        );
        assert_eq!(verified["valid"], true, "{verified}");
    }
}

fn run<T: Transform>(mut transform: T, input: &[u8]) -> Result<(Vec<u8>, T::Report), Error> {
    let mut output = Vec::new();
    transform.update(input, &mut output)?;
    while transform.drain(&mut output)? {}
    let report = transform.finish(&mut output)?;
    Ok((output, report))
}

/// Our kind for a type of Baileys.
fn kind<'a>(media_type: &str, info: &'a str) -> MediaKind<'a> {
    match media_type {
        "image" => MediaKind::Image,
        "sticker" => MediaKind::Sticker,
        "video" | "gif" | "ptv" => MediaKind::Video,
        "audio" => MediaKind::Audio,
        "ptt" => MediaKind::Voice,
        "document" => MediaKind::Document,
        "thumbnail-link" => MediaKind::LinkThumbnail,
        "thumbnail-image" => MediaKind::ImageThumbnail,
        "thumbnail-video" => MediaKind::VideoThumbnail,
        "thumbnail-document" => MediaKind::DocumentThumbnail,
        "md-msg-hist" => MediaKind::History,
        "md-app-state" => MediaKind::AppState,
        "payment-bg-image" => MediaKind::PaymentBackground,
        _ => MediaKind::Custom(info),
    }
}

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

#[test]
fn files_of_every_media_type_go_both_ways() {
    let Some(side) = start(node()) else { return };
    let mut rng = OsRng::default();
    let hello = side.must("hello", json!({}));
    let types = hello["mediaTypes"].as_array().unwrap();
    assert!(types.len() >= 12, "{types:?}");
    for media_type in types {
        let name = media_type.as_str().unwrap();
        let media_key = Secret::<32>::random(&mut rng);
        let as_sent = b64(media_key.expose());
        let theirs =
            side.must("media.keys", json!({ "mediaKey": as_sent, "mediaType": media_type }));
        let info = theirs["info"].as_str().unwrap();
        let kind = kind(name, info);
        assert_eq!(kind.info(), info, "{name}");
        let derive = |key: &[u8]| -> MediaKeys { MediaKey::from_bytes(key).unwrap().derive(kind) };
        let keys = derive(media_key.expose());
        assert_eq!(keys.iv().expose().as_slice(), bytes(&theirs, "iv"));
        assert_eq!(keys.cipher_key().expose().as_slice(), bytes(&theirs, "cipherKey"));
        assert_eq!(keys.mac_key().expose().as_slice(), bytes(&theirs, "macKey"));
        for length in [0, 1, 15, 16, 17, 65_535, 65_536, 65_537, 200_000] {
            let plaintext = file(length);
            // ours to theirs
            let (blob, made) = run(MediaEncryptor::new(&keys), &plaintext).unwrap();
            let read = side.must(
                "media.decrypt",
                json!({ "mediaKey": as_sent, "mediaType": media_type, "bytes": b64(&blob) }),
            );
            assert_eq!(bytes(&read, "plaintext"), plaintext, "{name} {length}");
            assert_eq!(read["macValid"], true);
            assert_eq!(bytes(&read, "fileSha256"), made.file_sha256);
            assert_eq!(bytes(&read, "fileEncSha256"), made.file_enc_sha256);
            // theirs to ours
            let sent = side.must(
                "media.encrypt",
                json!({ "mediaType": media_type, "plaintext": b64(&plaintext) }),
            );
            let keys = derive(&bytes(&sent, "mediaKey"));
            let hashes = MediaHashes::from_fields(
                Some(&bytes(&sent, "fileSha256")),
                Some(&bytes(&sent, "fileEncSha256")),
                sent["fileLength"].as_u64(),
            )
            .unwrap();
            let blob = bytes(&sent, "bytes");
            let (_, verified) = run(MediaVerifier::new(&keys, &hashes), &blob).unwrap();
            let (read, _) = run(MediaDecryptor::verified(&keys, verified, &hashes), &blob).unwrap();
            assert_eq!(read, plaintext, "{name} {length}");
        }
    }
}

#[test]
fn padding_goes_both_ways() {
    let Some(side) = start(node()) else { return };
    let mut rng = OsRng::default();
    for length in [0, 1, 15, 16, 17, 31, 32, 1000] {
        let body = file(length);
        for _ in 0..8 {
            let ours = Padding::WhatsApp.pad(&body, &mut rng).unwrap();
            let read = side.must("unpad", json!({ "bytes": b64(&ours) }));
            assert_eq!(bytes(&read, "plaintext"), body);
            let theirs = bytes(&side.must("pad", json!({ "plaintext": b64(&body) })), "bytes");
            assert_eq!(Padding::WhatsApp.unpad(&theirs).unwrap(), body);
        }
    }
}
