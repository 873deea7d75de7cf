//! What a worker does, each as one operation over many customers: load, compute, one commit.
//!
//! [`Receive`] and [`Answer`] are made of the library's own [`Decrypt`] and [`Encrypt`], and of the chats'
//! records, which are loaded, compared and committed with them. One commit costs one sync to disk, however
//! many customers it serves. `Device::perform` repeats an operation when another worker was faster.

use std::collections::BTreeMap;

use prost::Message as _;
use sandi::content::Padding;
use sandi::protocol::{Decrypt, Encrypt, Loaded, Operation, Own, Recipient};
use sandi::rand_core::CryptoRng;
use sandi::session::CiphertextMessage;
use sandi::{Address, Changes, Error, RecordKey, Timestamp};

use crate::chat::{Chat, Content};
use crate::network::Envelope;

type Needs = Result<Vec<RecordKey>, Error>;

/// The answer to a question. What a business has to say is not this example's subject.
pub(crate) fn answer_to(question: &str) -> String {
    format!("You asked: {question}. We open at nine.")
}

/// Decrypts messages of different customers, and puts them into their chats.
pub(crate) struct Receive<'a> {
    /// At most one of each customer.
    pub(crate) messages: &'a [Envelope],
}

/// What was noticed of a message.
#[derive(Clone, Copy, Default)]
pub(crate) struct Noticed {
    /// Sessions that customers have started.
    pub(crate) sessions: u64,
    /// Customers whose identity key is another one than before.
    pub(crate) identity_changes: u64,
}

fn decrypt(message: &Envelope) -> Decrypt<'_> {
    let CiphertextMessage { message_type, bytes } = &message.message;
    Decrypt { from: &message.from, message_type: *message_type, bytes }
}

impl Operation for Receive<'_> {
    type Output = Noticed;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Needs {
        let mut keys = Vec::new();
        for message in self.messages {
            keys.extend(decrypt(message).needs(own, loaded)?);
            keys.extend(loaded.snapshot().missing([Chat::key(&message.from)]));
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Noticed, Changes), Error> {
        let (mut noticed, mut changes) = (Noticed::default(), Changes::new());
        for message in self.messages {
            let (decrypted, changed) = decrypt(message).run(own, loaded, now, rng)?;
            changes.merge(changed)?;
            let is_new_session = decrypted.used_pre_keys.is_some();
            noticed.sessions += u64::from(is_new_session);
            noticed.identity_changes += u64::from(decrypted.identity_change.is_some());
            let mut chat = Chat::load(loaded, &message.from)?;
            chat.receive(&decrypted.plaintext, is_new_session);
            chat.save(loaded, &message.from, &mut changes, rng)?;
        }
        Ok((noticed, changes))
    }
}

/// Answers whatever waits in the chats of these customers.
pub(crate) struct Answer<'a> {
    /// Each customer once.
    pub(crate) customers: &'a [Address],
}

impl Operation for Answer<'_> {
    /// May be let out, once committed.
    type Output = Vec<(Address, CiphertextMessage)>;

    fn needs(&self, own: &Own, loaded: &Loaded) -> Needs {
        let recipients: Vec<_> =
            self.customers.iter().map(|address| Recipient { address, plaintext: &[] }).collect();
        let mut keys = Encrypt { recipients: &recipients }.needs(own, loaded)?;
        keys.extend(loaded.snapshot().missing(self.customers.iter().map(Chat::key)));
        Ok(keys)
    }

    fn run(
        &self,
        own: &Own,
        loaded: &mut Loaded,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self::Output, Changes), Error> {
        let mut chats = BTreeMap::new();
        let mut answers = Vec::new();
        for customer in self.customers {
            let mut chat = Chat::load(loaded, customer)?;
            for question in std::mem::take(&mut chat.waiting) {
                let content = Content { conversation: answer_to(&question.text) };
                let padded = Padding::WhatsApp.pad(&content.encode_to_vec(), rng)?;
                answers.push((customer, question, padded));
            }
            chats.insert(customer, chat);
        }
        let recipients: Vec<_> = answers
            .iter()
            .map(|(address, _, plaintext)| Recipient { address, plaintext })
            .collect();
        let (encrypted, mut changes) =
            Encrypt { recipients: &recipients }.run(own, loaded, now, rng)?;
        let mut sent = Vec::new();
        for (encrypted, (customer, question, _)) in encrypted.into_iter().zip(answers) {
            let chat = chats.get_mut(customer).ok_or(Error::NotLoaded)?;
            match encrypted.message {
                Ok(message) => {
                    chat.answer(question, &message)?;
                    sent.push((customer.clone(), message));
                }
                // It waits until the customer has a session again.
                Err(_) => chat.waiting.push(question),
            }
        }
        for (customer, chat) in chats {
            chat.save(loaded, customer, &mut changes, rng)?;
        }
        Ok((sent, changes))
    }
}

/// Removes answers from the outboxes that their customers have read.
pub(crate) struct Acknowledge<'a> {
    pub(crate) read: &'a [(Address, Vec<u8>)],
}

impl Operation for Acknowledge<'_> {
    type Output = ();

    fn needs(&self, _: &Own, loaded: &Loaded) -> Needs {
        let mut keys = loaded.snapshot().missing(self.read.iter().map(|(from, _)| Chat::key(from)));
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    fn run(
        &self,
        _: &Own,
        loaded: &mut Loaded,
        _: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<((), Changes), Error> {
        let mut chats = BTreeMap::new();
        for (customer, ciphertext) in self.read {
            if !chats.contains_key(customer) {
                chats.insert(customer, Chat::load(loaded, customer)?);
            }
            if let Some(chat) = chats.get_mut(customer) {
                chat.acknowledge(ciphertext);
            }
        }
        let mut changes = Changes::new();
        for (customer, chat) in chats {
            chat.save(loaded, customer, &mut changes, rng)?;
        }
        Ok(((), changes))
    }
}
