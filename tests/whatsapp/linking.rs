//! Spec 22 §2 to §6: the ADV objects, the four decisions, linking by QR code, device lists. `adv.json`.

use proptest::prelude::*;
use sandi::keys::{IdentityKey, IdentityKeyPair, PrivateKey, PublicKey};
use sandi::linking::*;
use sandi::{Error, Jid, Secret, Timestamp};
use serde_json::Value;

use crate::data::{self, Fixed, array, hex, items, text};

pub const NOW: Timestamp = Timestamp(1_790_000_000_000);
const NOW_S: u64 = 1_790_000_000;
const DAY_S: u64 = 24 * 60 * 60;

pub fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

pub fn pair(seed: u8) -> IdentityKeyPair {
    IdentityKeyPair::from_private(PrivateKey::decode(&[seed; 32]).unwrap())
}

fn private(case: &Value, name: &str) -> IdentityKeyPair {
    IdentityKeyPair::from_private(PrivateKey::decode(&hex(case, name)).unwrap())
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut left = bytes.len();
    while left >= 0x80 {
        out.push((left & 0x7F) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
    out.extend_from_slice(bytes);
    out
}

/// The encoded `ADVSignedKeyIndexList` of `account`, under any prefix.
pub fn signed_list(account: &IdentityKeyPair, list: &KeyIndexList, prefix: [u8; 2]) -> Vec<u8> {
    let details = list.encode();
    let signature =
        account.private_key().sign_parts(&[&prefix, &details], &mut Fixed::new([3; 64]));
    [field(1, &details), field(2, &signature)].concat()
}

/// An `ADVSignedDeviceIdentity`, by its parts.
pub struct Made {
    pub details: Vec<u8>,
    pub account_key: Vec<u8>,
    pub account_signature: Vec<u8>,
    pub device_signature: Vec<u8>,
}

impl Made {
    pub fn new(
        account: &IdentityKeyPair,
        device: &IdentityKeyPair,
        details: &DeviceIdentity,
        prefixes: [[u8; 2]; 2],
    ) -> Self {
        let details = details.encode();
        let raw = |pair: &IdentityKeyPair| *pair.identity_key().public_key().as_raw();
        let mut rng = Fixed::new([5; 64]);
        let account_signature = account
            .private_key()
            .sign_parts(&[&prefixes[0], &details, &raw(device)], &mut rng)
            .to_vec();
        let device_signature = device
            .private_key()
            .sign_parts(&[&prefixes[1], &details, &raw(device), &raw(account)], &mut rng)
            .to_vec();
        Self { details, account_key: raw(account).to_vec(), account_signature, device_signature }
    }

    pub fn without_key(mut self) -> Self {
        self.account_key.clear();
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        [
            field(1, &self.details),
            field(2, &self.account_key),
            field(3, &self.account_signature),
            field(4, &self.device_signature),
        ]
        .concat()
    }
}

pub fn details(key_index: u32) -> DeviceIdentity {
    DeviceIdentity { raw_id: 7, timestamp: NOW_S, key_index, ..Default::default() }
}

fn verify(
    address: &str,
    device: &IdentityKeyPair,
    bytes: &[u8],
    known: Option<&IdentityKeyPair>,
) -> Result<VerifiedCompanion, Error> {
    let signed = SignedDeviceIdentity::parse(bytes)?;
    let known = known.map(IdentityKeyPair::identity_key);
    VerifiedCompanion::verify(&jid(address), device.identity_key(), &signed, known)
}

fn type_of(name: &str) -> EncryptionType {
    match name {
        "E2EE" => EncryptionType::E2ee,
        "HOSTED" => EncryptionType::Hosted,
        other => panic!("{other}"),
    }
}

#[test]
fn adv_vectors_link_a_companion() {
    for case in items(&data::whatsapp("adv"), "cases") {
        let name = text(case, "name");
        let (account, device) = (private(case, "accountPriv"), private(case, "devicePriv"));
        assert_eq!(account.identity_key().public_key().as_raw(), &array(case, "accountPub"));
        let container = hex(case, "pairSuccessContainer");
        let secret = || Secret::new(array(case, "advSecretKey"));

        // The objects read as what they are, and are written as the same bytes.
        let outer = SignedDeviceIdentityHmac::parse(&container).unwrap();
        assert_eq!(outer.account_type(), type_of(text(case, "outerAccountType")), "{name}");
        assert_eq!(outer.encode(), container, "{name}");
        let inner = outer.verify(&secret()).unwrap();
        let signed = SignedDeviceIdentity::parse(inner).unwrap();
        assert_eq!(signed.encode(), inner, "{name}");
        assert_eq!(signed.details_bytes(), hex(case, "details"), "{name}");
        let details = signed.details().unwrap();
        assert_eq!(details.encode(), hex(case, "details"), "{name}");
        assert_eq!(details.device_type, type_of(text(case, "detailsDeviceType")), "{name}");

        // The companion's side.
        let mut rng = Fixed::new([1; 64]);
        let linked =
            AwaitingPrimary::from_secret(secret()).accept(&device, &container, &mut rng).unwrap();
        assert_eq!(linked.details, details);
        assert_eq!(linked.account.key(), account.identity_key().public_key());
        let full = SignedDeviceIdentity::parse(&linked.device_identity).unwrap();
        let message = hex(case, "deviceSignedMessageAtPairing");
        let device_key = device.identity_key().public_key();
        assert!(device_key.verify(&message, full.device_signature()), "{name}");
        assert_eq!(full.without_account_key().encode(), linked.reply);
        assert_eq!(SignedDeviceIdentity::parse(&linked.reply).unwrap().account_key(), None);

        // The primary's side, from the state just before.
        let before = KeyIndexList {
            raw_id: details.raw_id,
            timestamp: details.timestamp,
            current_index: details.key_index - 1,
            valid_indexes: vec![0],
            ..Default::default()
        };
        let primary = Primary::decode(&[&[1][..], &before.encode()].concat()).unwrap();
        let kind =
            LinkingKind { account_type: outer.account_type(), device_type: details.device_type };
        let request =
            LinkingRequest::from_parts(PublicKey::from_raw(array(case, "devicePub")), secret());
        let mut now = Timestamp(0);
        if details.account_type != outer.account_type() {
            now = NOW; // a case whose two account types differ is not one that we make
        }
        let made = primary.link(&account, &request, kind, now, &mut rng).unwrap();
        let outer_made = SignedDeviceIdentityHmac::parse(&made.container).unwrap();
        let inner_made =
            SignedDeviceIdentity::parse(outer_made.verify(&secret()).unwrap()).unwrap();
        if now == Timestamp(0) {
            assert_eq!(inner_made.details_bytes(), hex(case, "details"), "{name}");
            let message = hex(case, "accountSignedMessage");
            let account_key = account.identity_key().public_key();
            assert!(account_key.verify(&message, inner_made.account_signature()), "{name}");
        }
        assert_eq!(outer_made.account_type(), outer.account_type());
        let linked =
            AwaitingPrimary::from_secret(secret()).accept(&device, &made.container, &mut rng);
        let finished = made.pending.finish(&linked.as_ref().unwrap().reply).unwrap();
        assert_eq!(finished, linked.unwrap().device_identity);
    }
}

#[test]
fn adv_vectors_verify_fetched_identities() {
    for case in items(&data::whatsapp("adv"), "cases") {
        let name = text(case, "name");
        let (account, device) = (private(case, "accountPriv"), private(case, "devicePriv"));
        let fetched = &case["fetchedIdentity"];
        let hosted = fetched["jidIsHosted"].as_bool().unwrap();
        let addresses: &[&str] = if hosted {
            &["1:99@hosted", "1:99@hosted.lid", "1:99@s.whatsapp.net"]
        } else {
            &["1:5@s.whatsapp.net", "1:6@lid"]
        };
        let (with, without) = (hex(fetched, "withAccountKey"), hex(fetched, "withoutAccountKey"));
        for address in addresses {
            assert_eq!(fetched["expectValid"], true);
            let verified = verify(address, &device, &with, None).unwrap();
            assert_eq!(verified.account().primary().is_none(), hosted, "{name}");
            assert_eq!(verified.identity(), device.identity_key());
            let verified = verify(address, &device, &with, Some(&account)).unwrap();
            assert_eq!(verified.account().key(), account.identity_key().public_key());
            let verified = verify(address, &device, &without, Some(&account)).unwrap();
            let e2ee = text(case, "outerAccountType") == "E2EE" && !hosted;
            assert_eq!(verified.is_end_to_end_encrypted(), e2ee, "{name}");
            // nobody who vouches
            let unknown = verify(address, &device, &without, None);
            assert_eq!(unknown, Err(Error::NoAccountKey));
        }
        // The same bytes under an address of the other kind: decision 4 alone refuses them.
        let other = if hosted { "1:5@s.whatsapp.net" } else { "1:99@hosted" };
        for bytes in [&with, &without] {
            let refused = verify(other, &device, bytes, Some(&account));
            assert_eq!(refused, Err(Error::SignatureValidationFailed), "{name}");
        }
        let parsed = SignedDeviceIdentity::parse(&without).unwrap();
        assert_eq!(parsed.encode(), without, "{name}");
        let key = *account.identity_key().public_key();
        assert_eq!(parsed.with_account_key(&key).encode(), with, "{name}");
        for signature in ["deviceSignatureAtPairing", "deviceSignatureHostedJid"] {
            let message = hex(case, &signature.replace("Signature", "SignedMessage"));
            assert!(device.identity_key().public_key().verify(&message, &hex(case, signature)));
        }
    }
}

#[test]
fn adv_vectors_verify_key_index_lists() {
    for case in items(&data::whatsapp("adv"), "keyIndexLists") {
        let key = PublicKey::from_raw(array(case, "accountPub"));
        let (primary, hosting) = (AccountKey::Primary(key), AccountKey::Hosting(key));
        for name in ["signedKeyIndexList", "signedKeyIndexListWithKey"] {
            let bytes = hex(case, name);
            let signed = SignedKeyIndexList::parse(&bytes).unwrap();
            assert_eq!(signed.encode(), bytes);
            assert_eq!(signed.account_key().is_some(), name.ends_with("WithKey"));
            let list = signed.verify(&primary).unwrap();
            assert_eq!(list.encode(), hex(case, "details"));
            assert_eq!(list.account_type, type_of(text(case, "accountType")));
            assert_eq!(list.valid_indexes.first(), Some(&0));
            assert_eq!(signed.verify(&hosting), Err(Error::SignatureValidationFailed));
        }
        let details = hex(case, "details");
        let hosted = [field(1, &details), field(2, &hex(case, "signature0607"))].concat();
        let hosted = SignedKeyIndexList::parse(&hosted).unwrap();
        assert_eq!(hosted.verify(&hosting).unwrap().encode(), details);
        assert_eq!(hosted.verify(&primary), Err(Error::SignatureValidationFailed));
    }
}

#[test]
fn the_wrong_prefix_for_each_of_the_four_decisions_is_refused() {
    let (account, device) = (pair(1), pair(2));
    let hosted = DeviceIdentity { device_type: EncryptionType::Hosted, ..details(1) };
    let secret = || Secret::new([9; 32]);
    // 1. the MAC's prefix goes by the outer type: a type that is changed on the way is a wrong MAC
    let kind = LinkingKind::default();
    let request = LinkingRequest::from_parts(*device.identity_key().public_key(), secret());
    let made = Primary::new(7, EncryptionType::E2ee)
        .link(&account, &request, kind, NOW, &mut Fixed::new([]))
        .unwrap();
    for outer in [1, 2, 9] {
        let changed = [&made.container[..], &[0x18, outer]].concat();
        let refused =
            AwaitingPrimary::from_secret(secret()).accept(&device, &changed, &mut Fixed::new([]));
        assert_eq!(refused, Err(Error::LinkingMacMismatch));
    }
    // 2. the account's prefix goes by the inner device type
    for (details, right, wrong) in [(details(1), [6, 0], [6, 5]), (hosted, [6, 5], [6, 0])] {
        for (address, own) in [("1:5@lid", [6, 1]), ("1:99@hosted", [6, 6])] {
            let good = Made::new(&account, &device, &details, [right, own]).encode();
            verify(address, &device, &good, Some(&account)).unwrap();
            let bad = Made::new(&account, &device, &details, [wrong, own]).encode();
            let refused = verify(address, &device, &bad, Some(&account));
            assert_eq!(refused, Err(Error::SignatureValidationFailed));
        }
    }
    // 3. a companion signs with 0601, and nothing else ends a linking
    let linked = AwaitingPrimary::from_secret(secret())
        .accept(&device, &made.container, &mut Fixed::new([]))
        .unwrap();
    let reply = SignedDeviceIdentity::parse(&linked.reply).unwrap();
    let raw = |pair: &IdentityKeyPair| *pair.identity_key().public_key().as_raw();
    let under = |prefix: [u8; 2]| {
        let parts: [&[u8]; 4] = [&prefix, reply.details_bytes(), &raw(&device), &raw(&account)];
        device.private_key().sign_parts(&parts, &mut Fixed::new([]))
    };
    assert!(device.identity_key().public_key().verify_parts(
        &[&[6, 1], reply.details_bytes(), &raw(&device), &raw(&account)],
        reply.device_signature()
    ));
    let with = |signature: &[u8]| {
        [field(1, reply.details_bytes()), field(3, reply.account_signature()), field(4, signature)]
            .concat()
    };
    let finish = |answer: &[u8]| {
        let made = Primary::new(7, EncryptionType::E2ee)
            .link(&account, &request, kind, NOW, &mut Fixed::new([]))
            .unwrap();
        made.pending.finish(answer)
    };
    assert_eq!(finish(&with(&under([6, 1]))).map(|_| ()), Ok(()));
    for wrong in [[6, 0], [6, 6], [6, 2]] {
        assert_eq!(finish(&with(&under(wrong))), Err(Error::SignatureValidationFailed));
    }
    // 4. a fetched signature goes by the address
    for (address, right, wrong) in
        [("1:5@lid", [6, 1], [6, 6]), ("1:99@lid", [6, 6], [6, 1]), ("1:99@hosted", [6, 6], [6, 1])]
    {
        for (details, account_prefix) in [(details(1), [6, 0]), (hosted, [6, 5])] {
            let good = Made::new(&account, &device, &details, [account_prefix, right]).encode();
            verify(address, &device, &good, Some(&account)).unwrap();
            let bad = Made::new(&account, &device, &details, [account_prefix, wrong]).encode();
            let refused = verify(address, &device, &bad, Some(&account));
            assert_eq!(refused, Err(Error::SignatureValidationFailed));
        }
    }
}

#[test]
fn keys_of_31_and_33_bytes_are_refused_and_an_empty_one_counts_as_absent() {
    let (account, device) = (pair(1), pair(2));
    let made = |key: &[u8]| {
        let mut made = Made::new(&account, &device, &details(1), [[6, 0], [6, 1]]);
        made.account_key = key.to_vec();
        made.encode()
    };
    for length in [1, 31, 33, 64] {
        let bytes = made(&vec![5; length]);
        let refused = verify("1:5@lid", &device, &bytes, Some(&account));
        assert_eq!(refused, Err(Error::BadKeyLength(length)));
        let list = [field(1, &[]), field(3, &vec![5; length])].concat();
        assert_eq!(SignedKeyIndexList::parse(&list), Err(Error::BadKeyLength(length)));
    }
    let empty = made(&[]);
    assert_eq!(SignedDeviceIdentity::parse(&empty).unwrap().account_key(), None);
    verify("1:5@lid", &device, &empty, Some(&account)).unwrap();
    assert_eq!(verify("1:5@lid", &device, &empty, None), Err(Error::NoAccountKey));
    // The companion at pairing has no other key to go by.
    let container = field(1, &empty);
    let hmac = mac(&[4; 32], &empty);
    let container = [container, field(2, &hmac)].concat();
    let refused = AwaitingPrimary::from_secret(Secret::new([4; 32])).accept(
        &device,
        &container,
        &mut Fixed::new([]),
    );
    assert_eq!(refused, Err(Error::NoAccountKey));
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn any_flipped_bit_is_refused() {
    let (account, device) = (pair(1), pair(2));
    let good = || Made::new(&account, &device, &details(1), [[6, 0], [6, 1]]);
    verify("1:5@lid", &device, &good().encode(), None).unwrap();
    let mut kinds = 0;
    for bit in 0..8 * 64 {
        let (at, flip) = (bit / 8, 1_u8 << (bit % 8));
        for change in 0..4 {
            let mut made = good();
            let bytes = match change {
                0 => &mut made.details,
                1 => &mut made.account_key,
                2 => &mut made.account_signature,
                _ => &mut made.device_signature,
            };
            if at >= bytes.len() || (bit % 3 != 0 && at != bytes.len() - 1) {
                continue;
            }
            bytes[at] ^= flip;
            kinds |= 1 << change;
            let error = verify("1:5@lid", &device, &made.encode(), None).unwrap_err();
            let expected = [Error::SignatureValidationFailed, Error::InvalidProtobuf];
            assert!(expected.contains(&error), "{change} {bit} {error:?}");
            if change == 1 {
                // another key than the known one
                let error = verify("1:5@lid", &device, &made.encode(), Some(&account)).unwrap_err();
                assert_eq!(error, Error::IdentityMismatch);
            }
        }
    }
    assert_eq!(kinds, 15);
    // another device's key
    let refused = verify("1:5@lid", &pair(3), &good().encode(), None);
    assert_eq!(refused, Err(Error::SignatureValidationFailed));
}

#[test]
fn signatures_with_the_bits_of_0x60_set_are_refused() {
    let (account, device) = (pair(1), pair(2));
    for bits in [0x20, 0x40, 0x60] {
        for which in 0..2 {
            let mut made = Made::new(&account, &device, &details(1), [[6, 0], [6, 1]]);
            let signature =
                if which == 0 { &mut made.account_signature } else { &mut made.device_signature };
            signature[63] |= bits;
            let refused = verify("1:5@lid", &device, &made.encode(), Some(&account));
            assert_eq!(refused, Err(Error::SignatureValidationFailed));
        }
        let list = KeyIndexList { raw_id: 1, ..Default::default() };
        let mut signed = signed_list(&account, &list, [6, 2]);
        *signed.last_mut().unwrap() |= bits;
        let key = AccountKey::Primary(*account.identity_key().public_key());
        let refused = SignedKeyIndexList::parse(&signed).unwrap().verify(&key);
        assert_eq!(refused, Err(Error::SignatureValidationFailed));
    }
}

#[test]
fn the_account_key_is_chosen_as_the_specification_says() {
    let (known, other) = (pair(1), pair(2));
    let (known, other) = (known.identity_key(), other.identity_key());
    let choose = |address: &str, embedded: Option<&IdentityKey>, known: Option<&IdentityKey>| {
        AccountKey::choose(&jid(address), embedded.map(|key| *key.public_key()), known)
    };
    for address in ["1:5@s.whatsapp.net", "1:5@lid"] {
        let key = Ok(AccountKey::Primary(*known.public_key()));
        assert_eq!(choose(address, Some(known), Some(known)), key);
        assert_eq!(choose(address, Some(known), None), key);
        assert_eq!(choose(address, None, Some(known)), key);
        assert_eq!(choose(address, Some(other), Some(known)), Err(Error::IdentityMismatch));
        assert_eq!(choose(address, None, None), Err(Error::NoAccountKey));
    }
    for address in ["1:99@s.whatsapp.net", "1:99@hosted", "1:99@hosted.lid"] {
        let hosting = AccountKey::Hosting(*other.public_key());
        assert_eq!(choose(address, Some(other), Some(known)), Ok(hosting));
        // never the user's identity
        assert_eq!(hosting.primary(), None);
        let fallback = choose(address, None, Some(known));
        assert_eq!(fallback, Ok(AccountKey::Primary(*known.public_key())));
        assert_eq!(choose(address, None, None), Err(Error::NoAccountKey));
    }
}

#[test]
fn an_unknown_encryption_type_is_never_end_to_end_encrypted() {
    let (account, device) = (pair(1), pair(2));
    for value in [1, 2, 3, 0x7FFF_FFFF, u32::MAX] {
        let device_type = EncryptionType::from_value(value);
        assert!(!device_type.is_e2ee());
        let details = DeviceIdentity { device_type, ..details(1) };
        assert_eq!(DeviceIdentity::decode(&details.encode()).unwrap(), details);
        let as_e2ee = Made::new(&account, &device, &details, [[6, 0], [6, 1]]).encode();
        let refused = verify("1:5@lid", &device, &as_e2ee, None);
        assert_eq!(refused, Err(Error::SignatureValidationFailed));
        let hosted_like = Made::new(&account, &device, &details, [[6, 5], [6, 1]]).encode();
        let verified = verify("1:5@lid", &device, &hosted_like, None).unwrap();
        assert!(!verified.is_end_to_end_encrypted());
    }
}

#[test]
fn linking_by_qr_code_from_the_screen_to_the_key_index_list() {
    let (account, device) = (pair(1), pair(2));
    let mut rng = Fixed::new([]);
    let pending = AwaitingPrimary::generate(&mut rng);
    let secret = || Secret::new(*pending.adv_secret().expose());
    for (reference, client_type) in
        [("2@plain", None), ("2@a,b,,c", None), ("2@a,b", Some("3")), ("", Some("web"))]
    {
        let qr = LinkingQr {
            reference: reference.into(),
            noise_key: PublicKey::from_raw([3; 32]),
            identity: *device.identity_key(),
            adv_secret: secret(),
            client_type: client_type.map(String::from),
        };
        let text = qr.encode();
        for text in [text.to_string(), format!("{QR_URL}{}", *text)] {
            let read = LinkingQr::parse(&text).unwrap();
            assert_eq!(read.reference, reference);
            assert_eq!(read.noise_key, qr.noise_key);
            assert_eq!(read.identity, qr.identity);
            assert_eq!(read.adv_secret, qr.adv_secret);
            assert_eq!(read.client_type, qr.client_type);
            assert!(
                !format!("{read:?}")
                    .contains(text.rsplit(',').find(|field| field.len() == 44).unwrap())
            );
        }
    }
    for bad in ["", "a", "a,b,c", "a,b,c,d", "a,b,c,d,e"] {
        assert_eq!(LinkingQr::parse(bad).unwrap_err(), Error::InvalidArgument);
    }
    let request = LinkingRequest::from_parts(*device.identity_key().public_key(), secret());
    let primary = Primary::new(77, EncryptionType::E2ee);
    let made = primary.link(&account, &request, LinkingKind::default(), NOW, &mut rng).unwrap();
    assert_eq!(made.next.list().current_index, 1);
    assert_eq!(made.next.list().valid_indexes, [0, 1]);
    assert_eq!(Primary::decode(&made.next.encode()), Ok(made.next.clone()));
    // A reply by another device, or about another linking, does not end this one.
    let other = primary.link(&account, &request, LinkingKind::default(), NOW, &mut rng).unwrap();
    let linked = AwaitingPrimary::from_secret(secret());
    let linked = linked.accept(&device, &made.container, &mut rng).unwrap();
    assert_eq!(linked.account.primary(), Some(*account.identity_key()));
    assert_eq!(other.pending.finish(&linked.reply), Err(Error::IdentityMismatch));
    assert_eq!(made.pending.finish(&linked.reply).unwrap(), linked.device_identity);
    let refused =
        AwaitingPrimary::from_secret(secret()).accept(&pair(8), &made.container, &mut rng);
    assert_eq!(refused, Err(Error::SignatureValidationFailed));
    let refused = AwaitingPrimary::generate(&mut rng).accept(&device, &made.container, &mut rng);
    assert_eq!(refused, Err(Error::LinkingMacMismatch));

    // Indexes go up, and a removed one is not used again.
    let key = AccountKey::Primary(*account.identity_key().public_key());
    let read = |bytes: &[u8]| SignedKeyIndexList::parse(bytes).unwrap().verify(&key).unwrap();
    assert_eq!(read(&made.key_index_list), *made.next.list());
    let second =
        made.next.link(&account, &request, LinkingKind::default(), NOW, &mut rng).unwrap().next;
    let (third, list) = second.remove(1, &account, NOW, &mut rng).unwrap();
    assert_eq!(read(&list).valid_indexes, [0, 2]);
    assert_eq!(read(&list).current_index, 2);
    assert_eq!(third.remove(1, &account, NOW, &mut rng).unwrap_err(), Error::InvalidArgument);
    assert_eq!(third.remove(0, &account, NOW, &mut rng).unwrap_err(), Error::InvalidArgument);
    let fourth =
        third.link(&account, &request, LinkingKind::default(), NOW, &mut rng).unwrap().next;
    assert_eq!(fourth.list().valid_indexes, [0, 2, 3]);
    // A clock that went back does not make a list that peers would refuse.
    let (renewed, list) = fourth.renew(&account, Timestamp(5), &mut rng);
    assert_eq!(read(&list).timestamp, NOW_S);
    assert_eq!(renewed, fourth);
}

fn id(id: u32) -> sandi::DeviceId {
    sandi::DeviceId::new_v3(id).unwrap()
}

pub fn listed(device: u32, key_index: u32) -> ListedCompanion {
    ListedCompanion { id: id(device), key_index: Some(key_index), hosted: false }
}

pub fn list(timestamp: u64, current_index: u32, valid_indexes: &[u32]) -> KeyIndexList {
    KeyIndexList {
        raw_id: 7,
        timestamp,
        current_index,
        valid_indexes: valid_indexes.to_vec(),
        ..Default::default()
    }
}

fn ids<'a>(companions: impl Iterator<Item = &'a Companion>) -> Vec<u8> {
    companions.map(|companion| companion.id().get()).collect()
}

/// Verifies device `number` of key index `index`, and notes it.
fn note(
    devices: &mut DeviceList,
    account: &IdentityKeyPair,
    number: u8,
    index: u32,
) -> Result<(), Error> {
    let device = pair(100 + number);
    let bytes = Made::new(account, &device, &details(index), [[6, 0], [6, 1]]).without_key();
    let address = format!("1:{number}@lid");
    let verified = verify(&address, &device, &bytes.encode(), Some(account)).unwrap();
    devices.note_verified(&jid(&address), &verified)
}

#[test]
fn a_device_list_keeps_what_the_primary_signed_and_what_was_verified() {
    let account = pair(1);
    let primary = account.identity_key();
    let mut devices = DeviceList::new();
    let first = signed_list(&account, &list(NOW_S, 5, &[0, 1, 3]), [6, 2]);
    let hosted = ListedCompanion { id: id(99), key_index: None, hosted: true };
    // 1 and 3 are valid, 9 was added after the list was signed, 2 and 4 were removed; 0 is the primary
    let server: Vec<_> = [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (9, 6)]
        .map(|(d, i)| listed(d, i))
        .into_iter()
        .chain([hosted])
        .collect();
    let changes = devices.update(&first, &server, primary).unwrap();
    assert_eq!(ids(devices.companions().iter()), [1, 3, 9, 99]);
    assert!(changes.iter().all(|change| matches!(change, DeviceListChange::Added(_))));
    assert!(ids(devices.sendable(NOW)).is_empty());
    assert_eq!(ids(devices.unverified()), [1, 3, 9, 99]);

    for (device, index) in [(1, 1), (3, 3), (9, 6)] {
        note(&mut devices, &account, device, index).unwrap();
    }
    assert_eq!(ids(devices.sendable(NOW)), [1, 3, 9]);
    // removed indexes, and another companion of a listed id
    assert_eq!(note(&mut devices, &account, 2, 2), Err(Error::UnverifiedCompanion));
    assert_eq!(note(&mut devices, &account, 4, 4), Err(Error::UnverifiedCompanion));
    assert_eq!(note(&mut devices, &account, 1, 3), Err(Error::UnverifiedCompanion));
    let permits = |devices: &DeviceList, device: u8, key: u8| {
        let address = jid(&format!("1:{device}@lid"));
        devices.permits(&address, pair(key).identity_key(), Some(primary), NOW)
    };
    assert_eq!(permits(&devices, 1, 101), Ok(()));
    assert_eq!(permits(&devices, 1, 103), Err(Error::UnverifiedCompanion));
    assert_eq!(permits(&devices, 2, 102), Err(Error::UnverifiedCompanion));
    assert_eq!(permits(&devices, 0, 77), Ok(()));
    let another = devices.permits(&jid("1:1@lid"), pair(101).identity_key(), None, NOW);
    assert_eq!(another, Err(Error::UnverifiedCompanion));

    // a list that is older, of another signer or under another prefix changes nothing
    let before = devices.clone();
    let older = signed_list(&account, &list(NOW_S - 1, 6, &[0]), [6, 2]);
    assert_eq!(devices.update(&older, &server, primary), Err(Error::OlderDeviceList));
    for forged in [
        signed_list(&pair(9), &list(NOW_S + 1, 6, &[0]), [6, 2]),
        signed_list(&account, &list(NOW_S + 1, 6, &[0]), [6, 7]),
        signed_list(&account, &list(NOW_S + 1, 6, &[0]), [6, 0]),
    ] {
        let refused = devices.update(&forged, &server, primary);
        assert_eq!(refused, Err(Error::SignatureValidationFailed));
    }
    assert_eq!(devices, before);

    // device 3 is removed, device 1 is another companion now, device 9 stays what it was
    let second = signed_list(&account, &list(NOW_S + 1, 7, &[0, 6, 7]), [6, 2]);
    let server = [listed(1, 7), listed(3, 3), listed(9, 6)];
    let changes = devices.update(&second, &server, primary).unwrap();
    let of = |wanted: bool| -> Vec<u8> {
        let pick = |change: &DeviceListChange| match change {
            DeviceListChange::Added(companion) if wanted => Some(companion.id().get()),
            DeviceListChange::Removed(companion) if !wanted => Some(companion.id().get()),
            _ => None,
        };
        changes.iter().filter_map(pick).collect()
    };
    assert_eq!(of(true), [1]);
    assert_eq!(of(false), [1, 3, 99]);
    assert_eq!(ids(devices.sendable(NOW)), [9]);

    // another registration: everything begins anew
    let third = KeyIndexList { raw_id: 8, ..list(NOW_S + 2, 7, &[0, 6, 7]) };
    let third = signed_list(&account, &third, [6, 2]);
    let changes = devices.update(&third, &server, primary).unwrap();
    assert_eq!(changes[0], DeviceListChange::AccountReset);
    assert!(ids(devices.sendable(NOW)).is_empty());
    assert_eq!(note(&mut devices, &account, 9, 6), Err(Error::DeviceListExpired));
    // even a replayed list of the first registration does not bring it back
    assert_eq!(devices.update(&second, &server, primary), Err(Error::OlderDeviceList));
    // another primary, which the user has accepted: the old list is void, whatever its time
    let new = pair(50);
    let fourth = signed_list(&new, &list(NOW_S, 1, &[0]), [6, 2]);
    let changes = devices.update(&fourth, &[], new.identity_key()).unwrap();
    assert_eq!(changes[0], DeviceListChange::AccountReset);
}

#[test]
fn a_device_list_expires_after_35_days_or_48_hours() {
    let account = pair(1);
    let mut devices = DeviceList::new();
    let update = |devices: &mut DeviceList, timestamp: u64| {
        let signed = signed_list(&account, &list(timestamp, 1, &[0, 1]), [6, 2]);
        devices.update(&signed, &[listed(1, 1)], account.identity_key()).unwrap();
    };
    let at = |seconds: u64| Timestamp(seconds * 1000);
    assert!(!devices.is_fresh(NOW));
    update(&mut devices, NOW_S);
    note(&mut devices, &account, 1, 1).unwrap();
    let permits = |devices: &DeviceList, now: Timestamp| {
        let key = *account.identity_key();
        devices.permits(&jid("1:1@lid"), pair(101).identity_key(), Some(&key), now)
    };
    let last = NOW_S + 35 * DAY_S;
    for (now, fresh) in [(NOW_S - 1, true), (NOW_S, true), (last, true), (last + 1, false)] {
        assert_eq!(devices.is_fresh(at(now)), fresh);
        assert_eq!(ids(devices.sendable(at(now))).len(), usize::from(fresh));
        let expected = if fresh { Ok(()) } else { Err(Error::DeviceListExpired) };
        assert_eq!(permits(&devices, at(now)), expected);
    }
    devices.note_newer(NOW_S);
    assert!(devices.is_fresh(at(last)));
    devices.note_newer(NOW_S + 1);
    let last = NOW_S + 2 * DAY_S;
    assert!(devices.is_fresh(at(last)) && !devices.is_fresh(at(last + 1)));
    // renewed
    update(&mut devices, NOW_S + 1);
    assert_eq!(permits(&devices, at(last + 1)), Ok(()));
}

#[test]
fn history_comes_from_the_own_primary_alone() {
    let own = [jid("1:5@s.whatsapp.net"), jid("7:5@lid")];
    for (sender, primary, device) in [
        ("1@s.whatsapp.net", true, true),
        ("7@lid", true, true),
        ("1:3@s.whatsapp.net", false, true),
        ("2@s.whatsapp.net", false, false),
        ("7@s.whatsapp.net", false, false),
        ("1@lid", false, false),
        ("1@hosted", false, false),
        ("1:99@s.whatsapp.net", false, false),
        ("1@g.us", false, false),
    ] {
        assert_eq!(is_own_primary(&jid(sender), &own), primary, "{sender}");
        assert_eq!(is_own_device(&jid(sender), &own), device, "{sender}");
    }
}

#[test]
fn a_key_index_list_reads_unpacked_indexes_and_is_bounded() {
    let unpacked = [0x08, 7, 0x18, 2, 0x20, 0, 0x20, 2, 0x22, 2, 5, 6];
    let list = KeyIndexList::decode(&unpacked).unwrap();
    assert_eq!(list.valid_indexes, [0, 2, 5, 6]);
    let packed = field(4, &[1; KEY_INDEXES_MAX]);
    assert_eq!(KeyIndexList::decode(&packed).unwrap().valid_indexes.len(), KEY_INDEXES_MAX);
    let packed = field(4, &[1; KEY_INDEXES_MAX + 1]);
    assert_eq!(KeyIndexList::decode(&packed), Err(Error::InvalidProtobuf));
    assert_eq!(KeyIndexList::decode(&[0x22, 1, 0x80]), Err(Error::InvalidProtobuf));
}

#[derive(Clone, Debug)]
enum Step {
    Update { raw_id: u32, timestamp: u64, current: u32, valid: Vec<u32>, server: Vec<(u8, u32)> },
    Note { device: u8, index: u32 },
    Newer(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let server = prop::collection::vec((0_u8..5, 0_u32..6), 0..6);
    let valid = prop::collection::vec(0_u32..6, 0..5);
    prop_oneof![
        (6_u32..9, 0_u64..8, 0_u32..6, valid, server).prop_map(
            |(raw_id, timestamp, current, valid, server)| Step::Update {
                raw_id: raw_id.min(7),
                timestamp,
                current,
                valid,
                server
            }
        ),
        (1_u8..5, 0_u32..7).prop_map(|(device, index)| Step::Note { device, index }),
        (0_u64..9).prop_map(Step::Newer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever a server sends: the list never goes back, only devices that it and the primary name are
    /// there, only verified ones are sent to, and a refusal changes nothing.
    #[test]
    fn device_list_updates_hold_their_promises(steps in prop::collection::vec(step(), 1..24)) {
        let account = pair(1);
        let primary = account.identity_key();
        let mut devices = DeviceList::new();
        let mut verified: Vec<(u8, u32)> = Vec::new();
        for step in steps {
            let before = devices.clone();
            match step {
                Step::Update { raw_id, timestamp, current, valid, server } => {
                    let list = KeyIndexList { raw_id, ..list(timestamp, current, &valid) };
                    let signed = signed_list(&account, &list, [6, 2]);
                    let server: Vec<_> =
                        server.into_iter().map(|(d, i)| listed(d.into(), i)).collect();
                    let old = before.signed().map(|list| (list.timestamp, list.raw_id));
                    match devices.update(&signed, &server, primary) {
                        Ok(changes) => {
                            prop_assert!(old.is_none_or(|(old, _)| old <= timestamp));
                            let reset = changes.contains(&DeviceListChange::AccountReset);
                            prop_assert_eq!(reset, old.is_some_and(|(_, raw)| raw != raw_id));
                            if reset {
                                verified.clear();
                            }
                            for companion in devices.companions() {
                                let index = companion.key_index().unwrap();
                                prop_assert!(server.iter().any(|listed| listed.id == companion.id()
                                    && listed.key_index == Some(index)));
                                prop_assert!(valid.contains(&index) || index > current);
                                prop_assert!(companion.id().get() != 0);
                            }
                            for known in before.companions() {
                                let stays = devices.companions().iter().any(|companion| {
                                    (companion.id(), companion.key_index())
                                        == (known.id(), known.key_index())
                                });
                                let removed = changes.iter().any(|change| matches!(
                                    change, DeviceListChange::Removed(gone) if gone == known));
                                prop_assert!(reset || stays != removed);
                            }
                            // the same list again changes nothing
                            let again = devices.clone();
                            let changes = devices.update(&signed, &server, primary).unwrap();
                            prop_assert!(changes.is_empty(), "{:?}", changes);
                            prop_assert_eq!(&again, &devices);
                        }
                        Err(error) => {
                            prop_assert_eq!(error, Error::OlderDeviceList);
                            prop_assert!(old.is_some_and(|(old, _)| old > timestamp));
                            prop_assert_eq!(&before, &devices);
                        }
                    }
                }
                Step::Note { device, index } => match note(&mut devices, &account, device, index) {
                    Ok(()) => {
                        let signed = devices.signed();
                        prop_assert!(signed.is_none_or(|list| list.raw_id == 7 && list.admits(index)));
                        verified.push((device, index));
                    }
                    Err(_) => prop_assert_eq!(&before, &devices),
                },
                Step::Newer(timestamp) => devices.note_newer(timestamp),
            }
            for companion in devices.sendable(Timestamp(8_000)) {
                let of = (companion.id().get(), companion.key_index().unwrap());
                prop_assert!(verified.contains(&of));
                let key = pair(100 + of.0);
                prop_assert_eq!(companion.verified(), Some(key.identity_key()));
                let address = jid(&format!("1:{}@lid", of.0));
                let permitted =
                    devices.permits(&address, key.identity_key(), Some(primary), Timestamp(8_000));
                prop_assert_eq!(permitted, Ok(()));
            }
            let late = devices.sendable(Timestamp((9 + 36 * DAY_S) * 1000)).count();
            prop_assert_eq!(late, 0);
        }
    }

    /// Parsers answer any bytes with a typed error, and what they read they write.
    #[test]
    fn adv_parsers_take_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(read) = SignedDeviceIdentity::parse(&bytes) {
            let again = read.encode();
            prop_assert_eq!(SignedDeviceIdentity::parse(&again).unwrap(), read);
        }
        if let Ok(read) = DeviceIdentity::decode(&bytes) {
            prop_assert_eq!(DeviceIdentity::decode(&read.encode()).unwrap(), read);
        }
        if let Ok(read) = KeyIndexList::decode(&bytes) {
            prop_assert_eq!(KeyIndexList::decode(&read.encode()).unwrap(), read);
        }
        let _ = SignedKeyIndexList::parse(&bytes);
        let _ = SignedDeviceIdentityHmac::parse(&bytes);
        let _ = ProvisionMessage::decode(&bytes);
        let _ = Primary::decode(&bytes);
    }
}
