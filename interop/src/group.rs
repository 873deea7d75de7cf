//! Sender keys between the parties of a pair.

use serde_json::{Value, json};

use crate::json::{b64, unb64};
use crate::pair::{Pair, Party, random_uuid};
use crate::peer::Refusal;

/// What names a sender key beside its sender: a fresh distribution id, or where libsignal-node takes part a
/// group id, since it speaks the older form only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    field: &'static str,
    name: String,
}

impl Group {
    /// A new group that both peers of `pair` can name.
    #[must_use]
    pub fn new(pair: &Pair) -> Self {
        if pair.has_node() {
            return Self { field: "groupId", name: format!("{}@g.us", random_uuid()) };
        }
        // older releases of the official library look at a UUID's version and variant
        let mut name = random_uuid();
        name.replace_range(14..15, "4");
        name.replace_range(19..20, "8");
        Self { field: "distributionId", name }
    }

    fn fields(&self) -> Value {
        json!({ self.field: self.name })
    }

    fn from(&self, sender: &Party<'_>, bytes: &[u8]) -> Value {
        let mut fields = self.fields();
        fields["sender"] = sender.address();
        fields["bytes"] = b64(bytes);
        fields
    }

    /// The distribution message of `sender`'s key, which is made if it has none.
    ///
    /// # Panics
    ///
    /// When the peer refuses.
    #[must_use]
    pub fn distribution(&self, sender: &Party<'_>) -> Vec<u8> {
        let reply = sender.must("group.createDistribution", self.fields());
        unb64(&reply["bytes"]).expect("a distribution message")
    }

    /// `receiver` learns the key in a distribution message of `sender`'s.
    ///
    /// # Errors
    ///
    /// The peer's refusal.
    pub fn try_learn(
        &self,
        receiver: &Party<'_>,
        sender: &Party<'_>,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        receiver.call("group.processDistribution", self.from(sender, bytes)).map(drop)
    }

    /// `receiver` learns the current key of `sender`.
    ///
    /// # Panics
    ///
    /// When a peer refuses.
    pub fn introduce(&self, sender: &Party<'_>, receiver: &Party<'_>) {
        let bytes = self.distribution(sender);
        self.try_learn(receiver, sender, &bytes).expect("the key is learnt");
    }

    /// Encrypts.
    ///
    /// # Errors
    ///
    /// The peer's refusal.
    ///
    /// # Panics
    ///
    /// When the reply is malformed.
    pub fn try_send(&self, sender: &Party<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut fields = self.fields();
        fields["plaintext"] = b64(plaintext);
        let reply = sender.call("group.encrypt", fields)?;
        assert_eq!(reply["type"], "senderkey");
        Ok(unb64(&reply["bytes"]).expect("message bytes"))
    }

    /// Encrypts, which must succeed.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[must_use]
    pub fn send(&self, sender: &Party<'_>, plaintext: &[u8]) -> Vec<u8> {
        self.try_send(sender, plaintext).expect("the message is encrypted")
    }

    /// Encrypts many messages, in requests of five hundred.
    ///
    /// # Panics
    ///
    /// When one of them fails.
    #[must_use]
    pub fn send_all(&self, sender: &Party<'_>, plaintexts: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let request = |text: &Vec<u8>| {
            let mut request = self.fields();
            request["op"] = "group.encrypt".into();
            request["plaintext"] = b64(text);
            request
        };
        let requests: Vec<_> = plaintexts.iter().map(request).collect();
        let replies = sender.batch(requests);
        replies.iter().map(|reply| unb64(&reply["bytes"]).expect("message bytes")).collect()
    }

    /// Decrypts.
    ///
    /// # Errors
    ///
    /// The peer's refusal.
    ///
    /// # Panics
    ///
    /// When the reply is malformed.
    pub fn try_receive(
        &self,
        receiver: &Party<'_>,
        sender: &Party<'_>,
        bytes: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let reply = receiver.call("group.decrypt", self.from(sender, bytes))?;
        Ok(unb64(&reply["plaintext"]).expect("plaintext"))
    }

    /// Many decryptions, each of which may fail.
    ///
    /// # Panics
    ///
    /// When a reply is malformed.
    #[must_use]
    pub fn try_receive_all(
        &self,
        receiver: &Party<'_>,
        sender: &Party<'_>,
        messages: &[Vec<u8>],
    ) -> Vec<Result<Vec<u8>, Refusal>> {
        let request = |bytes: &Vec<u8>| {
            let mut request = self.from(sender, bytes);
            request["op"] = "group.decrypt".into();
            request
        };
        let replies = receiver.batch(messages.iter().map(request).collect());
        let outcome = |reply: &Value| {
            Refusal::of(reply)
                .map_or_else(|| Ok(unb64(&reply["plaintext"]).expect("plaintext")), Err)
        };
        replies.iter().map(outcome).collect()
    }

    /// Decrypts, which must give `plaintext`.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn receive(
        &self,
        receiver: &Party<'_>,
        sender: &Party<'_>,
        bytes: &[u8],
        plaintext: &[u8],
    ) {
        let got = self.try_receive(receiver, sender, bytes);
        assert!(got.expect("the message decrypts") == plaintext, "another plaintext");
    }

    /// Decrypts, which must fail with one of `kinds`.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn refuse(&self, receiver: &Party<'_>, sender: &Party<'_>, bytes: &[u8], kinds: &[&str]) {
        let refusal = self.try_receive(receiver, sender, bytes).expect_err("must be refused");
        assert!(kinds.contains(&refusal.kind.as_str()), "{refusal}, not one of {kinds:?}");
    }

    /// Encrypts and has `receiver` decrypt it at once.
    pub fn tell(&self, sender: &Party<'_>, receiver: &Party<'_>, plaintext: &[u8]) {
        let message = self.send(sender, plaintext);
        self.receive(receiver, sender, &message, plaintext);
    }

    /// The record that `party` has of `sender`'s key, in the official form.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn record(&self, party: &Party<'_>, sender: &Party<'_>) -> Vec<u8> {
        let reply = party.must("record.get", self.record_fields(sender));
        unb64(&reply["bytes"]).expect("a record")
    }

    /// Gives `party` a record of `sender`'s key.
    ///
    /// # Panics
    ///
    /// When the peer refuses it.
    pub fn put_record(&self, party: &Party<'_>, sender: &Party<'_>, bytes: &[u8]) {
        let mut fields = self.record_fields(sender);
        fields["bytes"] = b64(bytes);
        party.must("record.put", fields);
    }

    /// `party` forgets its own key, so that the next distribution message makes another.
    ///
    /// # Panics
    ///
    /// When the peer refuses.
    pub fn rotate(&self, party: &Party<'_>) {
        let reply = party.must("record.delete", self.record_fields(party));
        assert_eq!(reply["deleted"], true);
    }

    fn record_fields(&self, sender: &Party<'_>) -> Value {
        let mut fields = self.fields();
        fields["kind"] = "senderKey".into();
        fields["sender"] = sender.address();
        fields
    }
}
