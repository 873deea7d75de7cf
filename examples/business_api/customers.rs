//! The customers: each with an app of its own, whose device lives in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message as _;
use sandi::business::{EncryptionStatus, is_hosted};
use sandi::content::Padding;
use sandi::device::{NewDevice, random_registration_id};
use sandi::jid::Server;
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{HostedPolicy, IdentityScope, Options};
use sandi::session::CiphertextMessage;
use sandi::{Address, Device, DeviceId, Jid, MemoryStore, OsRng, Policy};

use crate::chat::Content;
use crate::host::{Host, Running};
use crate::network::{Envelope, Event};
use crate::operations::answer_to;
use crate::{Result, now};

/// Longer than an answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One customer's app.
pub(crate) struct Customer {
    pub(crate) device: Device<MemoryStore>,
    pub(crate) rng: OsRng,
    /// The status that the app has shown to its user, other than end-to-end encrypted.
    pub(crate) shown: Option<EncryptionStatus>,
    number: usize,
    /// Questions asked in this run.
    asked: u32,
    /// Answers that it waits for.
    expected: BTreeSet<String>,
}

/// All of them.
pub(crate) struct Customers {
    pub(crate) all: Vec<Customer>,
    numbers: BTreeMap<Address, usize>,
}

/// What the customers have seen.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) asked: u64,
    /// Answers that decrypted, and were to what was asked.
    pub(crate) read: u64,
    /// Answers to what was asked before this run.
    pub(crate) earlier: u64,
}

/// The address of a customer's phone.
pub(crate) fn address(number: usize) -> Result<Address> {
    let user = format!("44770{number:07}");
    Ok(Jid::new(&user, DeviceId::PRIMARY, Server::PhoneNumber)?.address()?)
}

impl Customer {
    fn new(number: usize) -> Result<Self> {
        let mut rng = OsRng::default();
        let new = NewDevice {
            address: address(number)?,
            identity: IdentityKeyPair::generate(&mut rng),
            registration_id: random_registration_id(&mut rng),
            scope: IdentityScope::Device,
        };
        let hosted = HostedPolicy::RequireConsent;
        let options = Options { dialects: Policy::V3, hosted, ..Options::default() };
        let device = Device::create(MemoryStore::new(), new, options, &mut rng)?.with_cache(2);
        let expected = BTreeSet::new();
        Ok(Self { device, rng, shown: None, number, asked: 0, expected })
    }

    /// The next question's text.
    fn next_question(&mut self) -> String {
        self.asked += 1;
        format!("customer {}, question {}: when do you open?", self.number, self.asked)
    }

    /// Asks the business's endpoint.
    fn ask(&mut self, host: &Host) -> Result<()> {
        let question = self.next_question();
        let content = Content { conversation: question.clone() }.encode_to_vec();
        let plaintext = Padding::WhatsApp.pad(&content, &mut self.rng)?;
        let message = self.device.encrypt(host.address(), &plaintext, now(), &mut self.rng)?;
        let must_be_told = is_hosted(host.address());
        assert!(!must_be_told || self.shown.is_some(), "a message left before its user was told");
        self.expected.insert(answer_to(&question));
        let from = self.device.address().clone();
        host.queue().push(Event::Message(Envelope { from, message }));
        Ok(())
    }

    /// Reads an answer; whether it is to a question of this run.
    fn read(&mut self, host: &Host, message: &CiphertextMessage) -> Result<bool> {
        let CiphertextMessage { message_type, bytes } = message;
        let (from, rng) = (host.address(), &mut self.rng);
        let received = self.device.decrypt(from, *message_type, bytes, now(), rng)?;
        let decrypted = received.commit()?;
        let content = Padding::WhatsApp.unpad(&decrypted.plaintext)?;
        let answer = Content::decode(content)?.conversation;
        assert!(answer.contains(&format!("customer {},", self.number)), "the answer of another");
        let from = self.device.address().clone();
        host.queue().push(Event::Read { from, ciphertext: bytes.clone() });
        Ok(self.expected.remove(&answer))
    }
}

impl Customers {
    pub(crate) fn new(count: usize) -> Result<Self> {
        let (mut all, mut numbers) = (Vec::with_capacity(count), BTreeMap::new());
        for number in 0..count {
            all.push(Customer::new(number)?);
            numbers.insert(address(number)?, number);
        }
        Ok(Self { all, numbers })
    }

    /// Every one takes a bundle of the endpoint, and starts a session.
    pub(crate) fn meet(&mut self, host: &mut Host) -> Result<()> {
        let peer = host.address().clone();
        for customer in &mut self.all {
            let bundle = host.shelf()?.bundle().ok_or("no bundle on the shelf")?;
            customer.device.start_session(&peer, &bundle, now(), &mut customer.rng)?;
        }
        Ok(())
    }

    /// Every one asks `rounds` times, the next question when all answers are there. Every seventh asks
    /// two questions at once, which may fall to different workers.
    pub(crate) fn converse(&mut self, host: &Host, running: &Running, rounds: u32) -> Result<Seen> {
        let mut seen = Seen::default();
        let mut left = vec![rounds; self.all.len()];
        for (number, left) in left.iter_mut().enumerate() {
            self.ask(number, host, &mut seen)?;
            *left -= 1;
        }
        while self.all.iter().any(|customer| !customer.expected.is_empty()) {
            // What is there is read before the next look at all of them.
            let mut answer = Some(running.answers.recv_timeout(PATIENCE)?);
            while let Some((to, message)) = answer {
                let number = *self.numbers.get(&to).ok_or("an answer to nobody")?;
                let customer = &mut self.all[number];
                if customer.read(host, &message)? {
                    seen.read += 1;
                } else {
                    seen.earlier += 1;
                }
                if customer.expected.is_empty() && left[number] > 0 {
                    left[number] -= 1;
                    self.ask(number, host, &mut seen)?;
                }
                answer = running.answers.try_recv().ok();
            }
        }
        Ok(seen)
    }

    fn ask(&mut self, number: usize, host: &Host, seen: &mut Seen) -> Result<()> {
        let at_once = if number.is_multiple_of(7) { 2 } else { 1 };
        for _ in 0..at_once {
            self.all[number].ask(host)?;
            seen.asked += 1;
        }
        Ok(())
    }
}
