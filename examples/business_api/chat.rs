//! What the host keeps of one customer: a record beside the session, changed in the same commits.

use prost::Message as _;
use sandi::content::Padding;
use sandi::protocol::Loaded;
use sandi::rand_core::CryptoRng;
use sandi::session::CiphertextMessage;
use sandi::wire::{CiphertextMessageType, PreKeySignalMessage, SignalMessage};
use sandi::{Address, Changes, Error, Record, RecordKey};

/// The application's content: field 1 of the family's `Message`, a text.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Content {
    #[prost(string, tag = "1")]
    pub(crate) conversation: String,
}

/// A question that has arrived.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Question {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

/// An answer that is encrypted, and that the customer has not acknowledged yet.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Outgoing {
    #[prost(message, optional, tag = "1")]
    pub(crate) question: Option<Question>,
    #[prost(bool, tag = "2")]
    pub(crate) is_pre_key: bool,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) ciphertext: Vec<u8>,
}

/// One conversation. `received` is always `delivered`, and what waits, and what is in the outbox.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Chat {
    /// Questions that were ever committed.
    #[prost(uint64, tag = "1")]
    pub(crate) received: u64,
    /// Answers that were ever acknowledged.
    #[prost(uint64, tag = "2")]
    pub(crate) delivered: u64,
    /// Questions to be answered.
    #[prost(message, repeated, tag = "3")]
    pub(crate) waiting: Vec<Question>,
    /// Answers to be acknowledged.
    #[prost(message, repeated, tag = "4")]
    pub(crate) outbox: Vec<Outgoing>,
    /// Which message keys were ever spent: ratchet key and counter of every answer. No application needs
    /// this; it is the evidence that none was spent twice, in whichever run.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub(crate) spent: Vec<Vec<u8>>,
}

impl Chat {
    /// Where it is stored.
    pub(crate) fn key(customer: &Address) -> RecordKey {
        RecordKey::Application(format!("chat {customer}").into_bytes().into())
    }

    /// What is stored of it; an empty one for a customer who was never here.
    pub(crate) fn decode(record: Option<&Record>) -> Result<Self, Error> {
        let chat = record.map(|record| Self::decode_bytes(record.bytes())).transpose()?;
        Ok(chat.unwrap_or_default())
    }

    fn decode_bytes(bytes: &[u8]) -> Result<Self, Error> {
        <Self as prost::Message>::decode(bytes).map_err(|_| Error::InvalidState)
    }

    pub(crate) fn load(loaded: &Loaded, customer: &Address) -> Result<Self, Error> {
        Self::decode(loaded.snapshot().get(&Self::key(customer))?)
    }

    pub(crate) fn save(
        &self,
        loaded: &Loaded,
        customer: &Address,
        changes: &mut Changes,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let key = Self::key(customer);
        let revision = loaded.snapshot().revision(&key)?;
        changes.put(key, revision, self.encode_to_vec(), rng).map(drop)
    }

    /// Takes a question in. A customer with a new session cannot read what was encrypted in the old one:
    /// what was not acknowledged is to be answered once more.
    pub(crate) fn receive(&mut self, plaintext: &[u8], is_new_session: bool) {
        if is_new_session {
            let again = self.outbox.drain(..).filter_map(|answer| answer.question);
            let waiting = again.chain(self.waiting.drain(..)).collect();
            self.waiting = waiting;
        }
        // What is no text of ours is a question all the same.
        let content = Padding::WhatsApp.unpad(plaintext).unwrap_or_default();
        let content = Content::decode(content).unwrap_or_default();
        self.received += 1;
        self.waiting.push(Question { text: content.conversation });
    }

    /// Notes the answer to a question.
    pub(crate) fn answer(
        &mut self,
        question: Question,
        message: &CiphertextMessage,
    ) -> Result<(), Error> {
        self.spent.push(spent_key(message)?);
        self.outbox.push(Outgoing {
            question: Some(question),
            is_pre_key: message.message_type == CiphertextMessageType::PreKey,
            ciphertext: message.bytes.clone(),
        });
        Ok(())
    }

    /// The customer has read the answer with this ciphertext.
    pub(crate) fn acknowledge(&mut self, ciphertext: &[u8]) {
        let before = self.outbox.len();
        self.outbox.retain(|answer| answer.ciphertext != ciphertext);
        self.delivered += (before - self.outbox.len()) as u64;
    }
}

/// What names a message key: the sender's ratchet key, 33 bytes, and the counter, 4 bytes.
fn spent_key(message: &CiphertextMessage) -> Result<Vec<u8>, Error> {
    let name = |message: &SignalMessage<'_>| {
        let mut name = message.ratchet_key().encode().to_vec();
        name.extend(message.counter().to_be_bytes());
        name
    };
    match message.message_type {
        CiphertextMessageType::PreKey => {
            PreKeySignalMessage::parse(&message.bytes).map(|outer| name(outer.message()))
        }
        _ => SignalMessage::parse(&message.bytes).map(|message| name(&message)),
    }
}
