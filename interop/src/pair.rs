//! Two peers that talk to each other, and the parties that live in them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::json::{b64, unb64};
use crate::peer::{CallError, Libsignal, Peer, Refusal};

/// A program that takes part in a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Implementation {
    /// The official libsignal.
    Libsignal(Libsignal),
    /// libsignal-node.
    LibsignalNode,
    /// sandi: where `sandi-peer` is, and its flags.
    Sandi(PathBuf, Vec<String>),
}

/// What two peers speak to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PairDialect {
    /// PQXDH, Double Ratchet and SPQR.
    V4,
    /// PQXDH and Double Ratchet.
    V4WithoutSpqr,
    /// X3DH and Double Ratchet.
    V3,
}

/// One running peer of a pair.
pub struct Side {
    implementation: Implementation,
    peer: Peer,
}

/// Two running peers. Scenarios are written for Alice and Bob and run both ways round.
pub struct Pair {
    /// The peer that Alice lives in.
    pub alice: Side,
    /// The peer that Bob lives in.
    pub bob: Side,
    /// What they speak.
    pub dialect: PairDialect,
}

/// How the names of a pair's parties look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// UUIDs: service ids, so that pre-key messages bind the addresses.
    ServiceIds,
    /// Names that are not service ids.
    Plain,
}

/// A message on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// `whisper` or `prekey`.
    pub kind: String,
    /// The serialized message.
    pub bytes: Vec<u8>,
}

/// One party within a peer.
pub struct Party<'p> {
    side: &'p Side,
    dialect: PairDialect,
    handle: String,
    name: String,
    device: u32,
}

impl Side {
    /// Starts the peer.
    ///
    /// # Errors
    ///
    /// When it is not installed, or does not start.
    pub fn start(implementation: Implementation) -> std::io::Result<Self> {
        let peer = match &implementation {
            Implementation::Libsignal(release) => Peer::libsignal(*release),
            Implementation::LibsignalNode => Peer::libsignal_node(),
            Implementation::Sandi(program, flags) => Peer::sandi(program, flags),
        }?;
        Ok(Self { implementation, peer })
    }

    /// Whether the peer is libsignal-node, which differs from the others in a few manners.
    #[must_use]
    pub fn is_node(&self) -> bool {
        self.implementation == Implementation::LibsignalNode
    }

    /// Whether the peer is sandi.
    #[must_use]
    pub const fn is_sandi(&self) -> bool {
        matches!(self.implementation, Implementation::Sandi(..))
    }

    /// Whether the peer binds the addresses of pre-key messages, when it sends and when it receives.
    #[must_use]
    pub fn binds_addresses(&self) -> bool {
        self.is_sandi() || self.implementation == Implementation::Libsignal(Libsignal::Current)
    }

    /// Kills the peer's process and starts another one (see [`Peer::kill_and_restart`]).
    ///
    /// # Panics
    ///
    /// When it does not start again.
    pub fn kill_and_restart(&self) {
        if let Err(error) = self.peer.kill_and_restart() {
            panic!("{}: {error}", self.peer.label());
        }
    }

    /// Calls `op`.
    ///
    /// # Errors
    ///
    /// The peer's refusal.
    ///
    /// # Panics
    ///
    /// When the peer does not answer.
    pub fn call(&self, op: &str, fields: Value) -> Result<Value, Refusal> {
        match self.peer.call(op, fields) {
            Ok(reply) => Ok(reply),
            Err(CallError::Refused(refusal)) => Err(refusal),
            Err(CallError::Broken(error)) => panic!("{}: {op}: {error}", self.peer.label()),
        }
    }

    /// Calls `op`, which must succeed.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn must(&self, op: &str, fields: Value) -> Value {
        match self.call(op, fields) {
            Ok(reply) => reply,
            Err(refusal) => panic!("{}: {op}: {refusal}", self.peer.label()),
        }
    }

    /// A party of that name, device id and further fields of `party.create`.
    ///
    /// # Panics
    ///
    /// When the peer refuses it.
    pub fn party(
        &self,
        dialect: PairDialect,
        name: &str,
        device: u32,
        more: &[(&str, Value)],
    ) -> Party<'_> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let handle = format!("party-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        // libsignal-node trusts every key unless told otherwise; give all of them one policy.
        let mut fields =
            json!({"party": handle, "name": name, "deviceId": device, "trust": "tofu"});
        for (field, value) in more {
            fields[*field] = value.clone();
        }
        self.must("party.create", fields);
        Party { side: self, dialect, handle, name: name.to_owned(), device }
    }
}

impl Pair {
    /// Alice and Bob, without a session.
    #[must_use]
    pub fn parties(&self, names: Names) -> (Party<'_>, Party<'_>) {
        let (a, b) = match names {
            Names::ServiceIds => (random_uuid(), random_uuid()),
            Names::Plain => ("alice".to_owned(), "bob".to_owned()),
        };
        (self.alice.party(self.dialect, &a, 1, &[]), self.bob.party(self.dialect, &b, 2, &[]))
    }

    /// Alice and Bob, with service ids for names.
    #[must_use]
    pub fn strangers(&self) -> (Party<'_>, Party<'_>) {
        self.parties(Names::ServiceIds)
    }

    /// Alice and Bob after Alice processed a bundle of Bob's, sent a message and got a reply.
    #[must_use]
    pub fn acquaintances(&self) -> (Party<'_>, Party<'_>) {
        let (alice, bob) = self.strangers();
        alice.start(&bob);
        alice.tell(&bob, b"hello");
        bob.tell(&alice, b"hello yourself");
        (alice, bob)
    }

    /// The same peers with their roles exchanged.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { alice: self.bob, bob: self.alice, dialect: self.dialect }
    }

    /// Whether libsignal-node takes part.
    #[must_use]
    pub fn has_node(&self) -> bool {
        self.alice.is_node() || self.bob.is_node()
    }
}

impl<'p> Party<'p> {
    /// The peer that the party lives in.
    #[must_use]
    pub const fn side(&self) -> &'p Side {
        self.side
    }

    /// The party's handle within its peer.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// The party's address.
    #[must_use]
    pub fn address(&self) -> Value {
        json!({"name": self.name, "deviceId": self.device})
    }

    fn fields(&self, peer: &Party<'_>) -> Value {
        json!({"party": self.handle, "peer": peer.address()})
    }

    /// Calls `op` with this party and `fields`.
    ///
    /// # Errors
    ///
    /// The peer's refusal.
    pub fn call(&self, op: &str, mut fields: Value) -> Result<Value, Refusal> {
        fields["party"] = self.handle.clone().into();
        self.side.call(op, fields)
    }

    /// Calls `op`, which must succeed.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn must(&self, op: &str, mut fields: Value) -> Value {
        fields["party"] = self.handle.clone().into();
        self.side.must(op, fields)
    }

    /// A bundle of fresh pre-keys; `options` as `bundle.generate` takes them.
    #[must_use]
    pub fn bundle(&self, mut options: Value) -> Value {
        if self.dialect == PairDialect::V3 {
            options["kyber"] = false.into();
        }
        self.must("bundle.generate", options)["bundle"].clone()
    }

    /// Processes a bundle of `peer`'s.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn try_process(&self, peer: &Party<'_>, bundle: &Value) -> Result<(), Refusal> {
        let mut fields = self.fields(peer);
        fields["bundle"] = bundle.clone();
        self.side.call("bundle.process", fields).map(drop)
    }

    /// Processes a bundle of `peer`'s, which must succeed.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn process(&self, peer: &Party<'_>, bundle: &Value) {
        if let Err(refusal) = self.try_process(peer, bundle) {
            panic!("{}: bundle.process: {refusal}", self.side.peer.label());
        }
    }

    /// Starts a session: processes a fresh bundle of `peer`'s with a one-time pre-key.
    pub fn start(&self, peer: &Party<'_>) {
        self.process(peer, &peer.bundle(json!({})));
    }

    /// Encrypts.
    ///
    /// # Errors
    ///
    /// The refusal.
    ///
    /// # Panics
    ///
    /// When the reply is malformed.
    pub fn try_send(&self, to: &Party<'_>, plaintext: &[u8]) -> Result<Message, Refusal> {
        let mut fields = self.fields(to);
        fields["plaintext"] = b64(plaintext);
        let reply = self.side.call("encrypt", fields)?;
        let kind = reply["type"].as_str().expect("a message type").to_owned();
        Ok(Message { kind, bytes: unb64(&reply["bytes"]).expect("message bytes") })
    }

    /// Encrypts many messages, in requests of five hundred.
    ///
    /// # Panics
    ///
    /// When one of them fails.
    #[must_use]
    pub fn send_all(&self, to: &Party<'_>, plaintexts: &[Vec<u8>]) -> Vec<Message> {
        let mut messages = Vec::new();
        for chunk in plaintexts.chunks(500) {
            let request = |text: &Vec<u8>| {
                let mut request = self.fields(to);
                request["op"] = "encrypt".into();
                request["plaintext"] = b64(text);
                request
            };
            let requests: Vec<_> = chunk.iter().map(request).collect();
            let reply = self.side.must("batch", json!({"requests": requests}));
            for reply in reply["replies"].as_array().expect("replies") {
                assert!(Refusal::of(reply).is_none(), "{}: encrypt failed", self.side.peer.label());
                let kind = reply["type"].as_str().expect("a message type").to_owned();
                messages.push(Message { kind, bytes: unb64(&reply["bytes"]).expect("bytes") });
            }
        }
        messages
    }

    /// Encrypts, which must succeed.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[must_use]
    pub fn send(&self, to: &Party<'_>, plaintext: &[u8]) -> Message {
        self.try_send(to, plaintext)
            .unwrap_or_else(|refusal| panic!("{}: encrypt: {refusal}", self.side.peer.label()))
    }

    /// Decrypts.
    ///
    /// # Errors
    ///
    /// The refusal.
    ///
    /// # Panics
    ///
    /// When the reply is malformed.
    pub fn try_receive(&self, from: &Party<'_>, message: &Message) -> Result<Vec<u8>, Refusal> {
        let reply = self.side.call("decrypt", self.decrypt_request(from, message))?;
        Ok(unb64(&reply["plaintext"]).expect("plaintext"))
    }

    fn decrypt_request(&self, from: &Party<'_>, message: &Message) -> Value {
        let mut fields = self.fields(from);
        fields["type"] = message.kind.clone().into();
        fields["bytes"] = b64(&message.bytes);
        fields
    }

    /// Decrypts, which must give `plaintext`.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn receive(&self, from: &Party<'_>, message: &Message, plaintext: &[u8]) {
        match self.try_receive(from, message) {
            Ok(got) => assert!(got == plaintext, "{}: wrong plaintext", self.side.peer.label()),
            Err(refusal) => {
                panic!("{}: decrypt ({}): {refusal}", self.side.peer.label(), message.kind)
            }
        }
    }

    /// Decrypts, which must fail with one of `kinds`.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn refuse(&self, from: &Party<'_>, message: &Message, kinds: &[&str]) {
        match self.try_receive(from, message) {
            Ok(_) => panic!("{}: accepted what must be refused", self.side.peer.label()),
            Err(refusal) => assert!(
                kinds.contains(&refusal.kind.as_str()),
                "{}: refused as {refusal}, not as one of {kinds:?}",
                self.side.peer.label()
            ),
        }
    }

    /// Decrypts a message that was delivered before, which must fail as such.
    pub fn refuse_duplicate(&self, from: &Party<'_>, message: &Message) {
        // libsignal-node tries its sessions one by one and reports only that none of them fits.
        self.refuse(from, message, &["DuplicatedMessage", "NoMatchingSession"]);
    }

    /// Many decryptions in one request, each of which may fail.
    ///
    /// # Panics
    ///
    /// When the reply is malformed.
    #[must_use]
    pub fn try_receive_all(
        &self,
        from: &Party<'_>,
        messages: &[Message],
    ) -> Vec<Result<Vec<u8>, Refusal>> {
        let requests = messages.iter().map(|message| {
            let mut request = self.decrypt_request(from, message);
            request["op"] = "decrypt".into();
            request
        });
        let reply = self.side.must("batch", json!({"requests": requests.collect::<Vec<_>>()}));
        let replies = reply["replies"].as_array().expect("replies");
        assert_eq!(replies.len(), messages.len());
        let outcome = |reply: &Value| {
            Refusal::of(reply)
                .map_or_else(|| Ok(unb64(&reply["plaintext"]).expect("plaintext")), Err)
        };
        replies.iter().map(outcome).collect()
    }

    /// Many requests of this party, five hundred at a time; the replies in their order.
    ///
    /// # Panics
    ///
    /// When the peer refuses the whole.
    #[must_use]
    pub fn batch(&self, requests: Vec<Value>) -> Vec<Value> {
        let mut replies = Vec::with_capacity(requests.len());
        for chunk in requests.chunks(500) {
            let mut requests = chunk.to_vec();
            for request in &mut requests {
                request["party"] = self.handle.clone().into();
            }
            let reply = self.side.must("batch", json!({"requests": requests}));
            replies.extend(reply["replies"].as_array().expect("replies").iter().cloned());
        }
        replies
    }

    /// Encrypts and has `to` decrypt it at once.
    pub fn tell(&self, to: &Party<'_>, plaintext: &[u8]) {
        let message = self.send(to, plaintext);
        to.receive(self, &message, plaintext);
    }

    /// Archives the current session with `peer`.
    pub fn archive(&self, peer: &Party<'_>) {
        let op = if self.side.is_node() { "session.close" } else { "session.archive" };
        self.side.must(op, self.fields(peer));
    }

    /// Deletes all sessions with `peer`.
    pub fn forget(&self, peer: &Party<'_>) {
        self.side.must("session.delete", self.fields(peer));
    }

    /// What the peer says about the session with `peer`.
    #[must_use]
    pub fn session_info(&self, peer: &Party<'_>) -> Value {
        self.side.must("session.info", self.fields(peer))
    }

    /// Whether the one-time pre-key `id` is in the party's store.
    #[must_use]
    pub fn has_pre_key(&self, id: u32) -> bool {
        let info = self.must("party.info", json!({}));
        info["preKeys"].as_array().is_some_and(|ids| ids.contains(&id.into()))
    }

    /// The party's identity, as further fields for [`Side::party`].
    #[must_use]
    pub fn identity(&self) -> Vec<(&'static str, Value)> {
        let identity = self.must("identity.export", json!({}));
        ["identityKeyPair", "privateKey", "publicKey"]
            .into_iter()
            .filter(|field| identity[field].is_string())
            .map(|field| (field, identity[field].clone()))
            .collect()
    }

    /// An independent copy of the party's whole state, in the same peer.
    #[must_use]
    pub fn copy(&self, handle: &str) -> Self {
        let handle = format!("{}-{handle}", self.handle);
        self.must("party.clone", json!({"to": handle}));
        Self {
            side: self.side,
            dialect: self.dialect,
            handle,
            name: self.name.clone(),
            device: self.device,
        }
    }

    /// The same device, moved into another peer with its identity and its stored session with `peer`
    /// (spec 08): the old copy must not be used again.
    ///
    /// # Panics
    ///
    /// When either side refuses.
    #[must_use]
    pub fn moved_to<'q>(&self, side: &'q Side, peer: &Party<'_>) -> Party<'q> {
        let moved = self.emigrated_to(side);
        let exported = self.side.must("session.export", self.fields(peer));
        let mut fields = moved.fields(peer);
        // bytes, or libsignal-node's JSON
        let form = if self.side.is_node() { "record" } else { "bytes" };
        assert!(!exported[form].is_null(), "a session to move");
        fields[form] = exported[form].clone();
        side.must("session.import", fields);
        moved
    }

    /// The same device in another peer, with its identity and nothing else.
    ///
    /// # Panics
    ///
    /// When either side refuses.
    #[must_use]
    pub fn emigrated_to<'q>(&self, side: &'q Side) -> Party<'q> {
        let mut more = self.identity();
        more.push(("registrationId", self.must("party.info", json!({}))["registrationId"].clone()));
        side.party(self.dialect, &self.name, self.device, &more)
    }

    /// Removes the party from its peer.
    pub fn delete(self) {
        self.must("party.delete", json!({}));
    }

    /// The same party seen under another address: what a receiver that was lied to would use.
    #[must_use]
    pub fn disguised(&self, name: &str, device: u32) -> Self {
        Self {
            side: self.side,
            dialect: self.dialect,
            handle: self.handle.clone(),
            name: name.to_owned(),
            device,
        }
    }

    /// The party's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The party's device id.
    #[must_use]
    pub const fn device(&self) -> u32 {
        self.device
    }
}

/// A random UUID in its text form.
///
/// # Panics
///
/// When the operating system has no random bytes.
#[must_use]
pub fn random_uuid() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("random bytes");
    sandi::ServiceId::aci(bytes).to_string()
}
