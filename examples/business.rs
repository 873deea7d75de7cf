//! A small business and its customer: greeting, catalogue and cart; then the business lets Meta host its
//! endpoint, and the customer's app sends nothing more before the customer has agreed.
//!
//! `cargo run --example business`
//!
//! The server, which hands out bundles, device lists and business profiles, is this program. Greeting,
//! catalogue and cart are the app's bytes: sandi does not look at them.
#![allow(clippy::print_stdout)] // a program for people to read

use std::error::Error as StdError;

use sandi::business::{
    ActualActors, EncryptionStatus, HostStorage, IdentityInfo, Issuer, LocalizedName, Signal,
    StatusChange, VerifiedLevel, VerifiedName, VerifiedNameCertificate, VerifiedNameDetails,
};
use sandi::device::{NewDevice, random_registration_id};
use sandi::jid::HOSTED_DEVICE;
use sandi::keys::{IdentityKey, IdentityKeyPair};
use sandi::protocol::{HostedPolicy, IdentityScope, Options, ServerStock, Upload};
use sandi::session::CiphertextMessage;
use sandi::{
    Address, Device, DeviceId, Disposition, Error, Jid, MemoryStore, OsRng, Policy, Timestamp,
};

type Result<T> = core::result::Result<T, Box<dyn StdError>>;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const LATER: Timestamp = Timestamp(1_790_000_600_000);
const MUCH_LATER: Timestamp = Timestamp(1_790_086_400_000);

/// A device of the WhatsApp family, and what the server has of it.
struct Party {
    device: Device<MemoryStore>,
    upload: Upload,
    rng: OsRng,
}

impl Party {
    fn new(address: Address, hosted: HostedPolicy) -> Result<Self> {
        let mut rng = OsRng::default();
        let new = NewDevice {
            address,
            identity: IdentityKeyPair::generate(&mut rng),
            registration_id: random_registration_id(&mut rng),
            scope: IdentityScope::Device,
        };
        let options = Options { dialects: Policy::V3, hosted, ..Options::default() };
        let mut device = Device::create(MemoryStore::new(), new, options, &mut rng)?;
        let upload = device.replenish(ServerStock::default(), NOW, &mut rng)?;
        device.confirm_upload(&upload, NOW, &mut rng)?;
        Ok(Self { device, upload, rng })
    }

    fn address(&self) -> Address {
        self.device.address().clone()
    }

    fn start(&mut self, peer: &Self) -> Result<()> {
        let id = peer.device.address().device();
        let bundle = peer.upload.bundle(id, 0).ok_or("the server has no bundle")?;
        self.device.start_session(&peer.address(), &bundle, NOW, &mut self.rng)?;
        Ok(())
    }

    /// Sends the app's bytes; the error is the protocol's.
    fn send(
        &mut self,
        to: &Self,
        content: &[u8],
    ) -> core::result::Result<CiphertextMessage, Error> {
        let sent = self.device.encrypt(&to.address(), content, NOW, &mut self.rng);
        sent.map_err(|error| error.protocol().unwrap_or(Error::InvalidState))
    }

    fn read(&mut self, from: &Self, message: &CiphertextMessage) -> Result<Vec<u8>> {
        let (from, kind) = (from.address(), message.message_type);
        let received = self.device.decrypt(&from, kind, &message.bytes, NOW, &mut self.rng)?;
        Ok(received.commit()?.plaintext.to_vec())
    }

    /// Sends and reads, with a line about it.
    fn deliver(&mut self, who: &str, to: &mut Self, content: &[u8]) -> Result<()> {
        let message = self.send(to, content)?;
        assert_eq!(to.read(self, &message)?, content);
        println!("  {who}: {}", String::from_utf8_lossy(content).replace('\n', " | "));
        Ok(())
    }

    fn sign_name(&mut self, serial: u64) -> Result<Vec<u8>> {
        let details = VerifiedNameDetails {
            serial,
            issuer: Issuer::SmallBusiness,
            name: "Warung Sandi".into(),
            localized: vec![LocalizedName {
                language: "en".into(),
                country: String::new(),
                name: "Sandi's Food Stall".into(),
            }],
            issue_time: NOW.as_secs(),
        };
        Ok(details.sign(self.device.identity(), &mut self.rng)?.encode())
    }
}

/// What the server says about the business, as bytes.
fn profile(
    certificate: &[u8],
    host_storage: HostStorage,
    actual_actors: ActualActors,
    since: Timestamp,
) -> Vec<u8> {
    let info = IdentityInfo {
        level: VerifiedLevel::Low,
        certificate: Some(certificate),
        signed: true,
        host_storage: Some(host_storage),
        actual_actors: Some(actual_actors),
        privacy_mode_time: since.as_secs(),
        ..IdentityInfo::default()
    };
    info.encode()
}

/// What the customer's app makes of a profile: the name, verified, and what it says about hosting.
fn read_profile(bytes: &[u8], business: &IdentityKey) -> Result<(VerifiedName, Option<Signal>)> {
    let info = IdentityInfo::decode(bytes)?;
    let certificate = info.certificate.filter(|_| !info.revoked).ok_or("no verified name")?;
    let name = VerifiedNameCertificate::decode(certificate)?.verify(business)?;
    Ok((name, Signal::profile(&info)))
}

fn show(change: &StatusChange) {
    let number = change.notice().map_or_else(|| "-".into(), |n| n.number().to_string());
    println!("  [system message {number}: {:?} -> {:?}]", change.from, change.to);
    let known = change.assessment;
    println!("  [proven: {:?}; the server says: {:?}]", known.bound, known.asserted);
}

fn main() -> Result<()> {
    let shop = Jid::parse("12025550111@s.whatsapp.net")?.address()?;
    let cloud = Jid::parse("12025550111:99@hosted")?.address()?;
    assert_eq!(cloud.device(), HOSTED_DEVICE);
    let name_of_shop = shop.name().to_owned();
    let mut shop = Party::new(shop, HostedPolicy::Inform)?;
    let customer = Address::new("12025550222", DeviceId::PRIMARY);
    let mut customer = Party::new(customer, HostedPolicy::RequireConsent)?;

    println!("The customer finds the shop.");
    customer.start(&shop)?;
    let certificate = shop.sign_name(1)?;
    let says = profile(&certificate, HostStorage::OnPremise, ActualActors::Itself, NOW);
    let identity = customer.device.identity_of(&shop.address())?.ok_or("no identity")?;
    let (mut name, signal) = read_profile(&says, identity.key())?;
    assert_eq!(name.details().name_in("en", "US"), "Sandi's Food Stall");
    println!("  {} ({}), its own signature", name.name(), name.details().issuer.as_str());
    // A name that somebody else has signed is not shown.
    let mut forger = Party::new(shop.address(), HostedPolicy::Inform)?;
    let forged = VerifiedNameCertificate::decode(&forger.sign_name(2)?)?;
    assert_eq!(forged.verify(identity.key()), Err(Error::SignatureValidationFailed));
    println!("  a forged certificate: refused");
    let signals = [signal.ok_or("no hosting")?, Signal::addresses([&shop.address()], NOW)];
    let names = [name_of_shop.as_str()];
    let changes = customer.device.learn_hosting(&names, &signals, NOW, &mut customer.rng)?;
    assert!(changes.is_empty(), "end-to-end encrypted, as everybody expects");

    println!("They do business, end-to-end encrypted.");
    customer.deliver("customer", &mut shop, b"Hello, what is there today?")?;
    shop.deliver("shop", &mut customer, b"Welcome! We answer within the hour.")?;
    let catalogue = b"catalogue\n1 nasi goreng 25000\n2 sate ayam 30000\n3 es teh 5000";
    shop.deliver("shop", &mut customer, catalogue)?;
    customer.deliver("customer", &mut shop, b"cart\n1 x 2\n3 x 2\ntotal 60000")?;
    shop.deliver("shop", &mut customer, b"order 17 accepted")?;

    println!("The shop lets Meta host its endpoint, beside the phone.");
    let mut cloud = Party::new(cloud, HostedPolicy::Inform)?;
    let certificate = cloud.sign_name(1)?;
    let says = profile(&certificate, HostStorage::Meta, ActualActors::Itself, LATER);
    customer.start(&cloud)?;
    // By its address alone, nothing is sent to it.
    let refused = customer.send(&cloud, b"one more es teh, please");
    assert_eq!(refused.map(|_| ()), Err(Error::ConsentRequired));
    let identity = customer.device.identity_of(&cloud.address())?.ok_or("no identity")?;
    let (hosted_name, signal) = read_profile(&says, identity.key())?;
    let change = name.succeed(hosted_name)?.ok_or("another key has signed")?;
    assert!(change.identity_changed && change.old == change.new);
    println!("  {} signs with another key now", change.new);
    let list = [shop.address(), cloud.address()];
    let signals = [signal.ok_or("no hosting")?, Signal::addresses(&list, LATER)];
    let changes = customer.device.learn_hosting(&names, &signals, LATER, &mut customer.rng)?;
    let [change] = changes.as_slice() else { return Err("one change".into()) };
    show(change);
    assert_eq!(change.to, EncryptionStatus::HostedByMeta);
    assert_eq!(change.notice().map(|notice| notice.number()), Some(128));

    println!("The customer writes on, and the app asks first.");
    for endpoint in [&shop, &cloud] {
        let refused = customer.send(endpoint, b"one more es teh, please").map(|_| ());
        assert_eq!(refused, Err(Error::ConsentRequired));
        assert_eq!(Error::ConsentRequired.disposition(), Disposition::AskUser);
    }
    println!("  nothing was sent: {}", Error::ConsentRequired);
    let other = EncryptionStatus::HostedByThirdParty;
    let wrong = customer.device.consent_to_hosting(&name_of_shop, other, LATER, &mut customer.rng);
    assert!(wrong.is_err(), "consent to what the customer has not seen counts for nothing");
    customer.device.consent_to_hosting(&name_of_shop, change.to, LATER, &mut customer.rng)?;
    println!("  the customer agrees to {:?}", change.to);
    customer.deliver("customer", &mut cloud, b"one more es teh, please")?;
    cloud.deliver("shop (hosted)", &mut customer, b"order 17 changed\ntotal 65000")?;

    println!("A day later the shop is back on its own phone.");
    let certificate = shop.sign_name(2)?;
    let says = profile(&certificate, HostStorage::OnPremise, ActualActors::Itself, MUCH_LATER);
    let identity = customer.device.identity_of(&shop.address())?.ok_or("no identity")?;
    let (_, signal) = read_profile(&says, identity.key())?;
    // The server's word alone does not do it: the hosted device is still in the list.
    let asserted = [signal.ok_or("no hosting")?];
    let changes =
        customer.device.learn_hosting(&names, &asserted, MUCH_LATER, &mut customer.rng)?;
    let [change] = changes.as_slice() else { return Err("one change".into()) };
    show(change);
    assert_eq!(change.to, EncryptionStatus::HostedUnknown);
    assert!(change.assessment.is_proven_hosted());
    assert_eq!(customer.send(&shop, b"hello").map(|_| ()), Err(Error::ConsentRequired));
    // The new list does.
    let list = [Signal::addresses([&shop.address()], MUCH_LATER)];
    let changes = customer.device.learn_hosting(&names, &list, MUCH_LATER, &mut customer.rng)?;
    let [change] = changes.as_slice() else { return Err("one change".into()) };
    show(change);
    assert_eq!(change.notice().map(|notice| notice.number()), Some(75));
    customer.deliver("customer", &mut shop, b"Glad to have you back.")?;
    Ok(())
}
