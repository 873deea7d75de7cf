//! One of the host's threads: its own handle of the file that all of them share.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;

use sandi::session::CiphertextMessage;
use sandi::{Address, Device, Error, OsRng};
use sandi_sqlite::SqliteStore;

use crate::network::{Envelope, Event, Queue};
use crate::operations::{Acknowledge, Answer, Noticed, Receive};
use crate::{Result, now};

/// Events that a worker takes at a time, and so at most serves in one commit.
const BATCH: usize = 64;

/// What a worker has done.
#[derive(Clone, Copy, Default)]
pub(crate) struct Done {
    pub(crate) received: u64,
    pub(crate) answered: u64,
    pub(crate) sessions: u64,
    pub(crate) identity_changes: u64,
    /// Messages that were refused, with a typed error.
    pub(crate) refused: u64,
    pub(crate) commits: u64,
}

impl Done {
    pub(crate) fn add(&mut self, other: Self) {
        self.received += other.received;
        self.answered += other.answered;
        self.sessions += other.sessions;
        self.identity_changes += other.identity_changes;
        self.refused += other.refused;
        self.commits += other.commits;
    }
}

pub(crate) struct Worker<'a> {
    pub(crate) device: Device<SqliteStore>,
    pub(crate) queue: &'a Queue,
    /// To the customers.
    pub(crate) outgoing: Sender<(Address, CiphertextMessage)>,
    pub(crate) done: Done,
}

impl Worker<'_> {
    /// Serves until the queue is closed.
    pub(crate) fn run(mut self) -> Result<Done> {
        loop {
            let events = self.queue.take(BATCH);
            if events.is_empty() {
                return Ok(self.done);
            }
            let (mut messages, mut read) = (Vec::new(), Vec::new());
            for event in events {
                match event {
                    Event::Message(envelope) => messages.push(envelope),
                    Event::Read { from, ciphertext } => read.push((from, ciphertext)),
                }
            }
            self.acknowledge(&read)?;
            let customers: BTreeSet<Address> =
                messages.iter().map(|message| message.from.clone()).collect();
            self.receive(messages)?;
            self.answer(&customers.into_iter().collect::<Vec<_>>())?;
        }
    }

    /// Once this returns, the questions are on disk, and so is that their keys are spent.
    fn receive(&mut self, messages: Vec<Envelope>) -> Result<()> {
        for batch in by_turns(messages) {
            match self.device.perform(&Receive { messages: &batch }, now(), &mut OsRng::default()) {
                Ok(noticed) => self.note(batch.len(), noticed),
                Err(error) if error.protocol().is_none() => return Err(error.into()),
                // One that is refused holds up the others: each on its own.
                Err(_) => {
                    for message in &batch {
                        self.receive_one(message)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn receive_one(&mut self, message: &Envelope) -> Result<()> {
        let messages = std::slice::from_ref(message);
        match self.device.perform(&Receive { messages }, now(), &mut OsRng::default()) {
            Ok(noticed) => self.note(1, noticed),
            Err(error) => match error.protocol() {
                // Delivered again: it is in the chat already.
                Some(Error::DuplicatedMessage { .. }) => {}
                Some(_) => self.done.refused += 1,
                None => return Err(error.into()),
            },
        }
        Ok(())
    }

    fn note(&mut self, messages: usize, noticed: Noticed) {
        self.done.received += messages as u64;
        self.done.sessions += noticed.sessions;
        self.done.identity_changes += noticed.identity_changes;
        self.done.commits += 1;
    }

    /// Encrypts, commits, and only then lets the answers out.
    fn answer(&mut self, customers: &[Address]) -> Result<()> {
        if customers.is_empty() {
            return Ok(());
        }
        let sent = self.device.perform(&Answer { customers }, now(), &mut OsRng::default())?;
        self.done.answered += sent.len() as u64;
        self.done.commits += 1;
        for answer in sent {
            self.outgoing.send(answer)?;
        }
        Ok(())
    }

    fn acknowledge(&mut self, read: &[(Address, Vec<u8>)]) -> Result<()> {
        if !read.is_empty() {
            self.device.perform(&Acknowledge { read }, now(), &mut OsRng::default())?;
            self.done.commits += 1;
        }
        Ok(())
    }
}

/// Parts messages so that no part has two of one customer, in the order in which they came.
fn by_turns(messages: Vec<Envelope>) -> Vec<Vec<Envelope>> {
    let mut turns: Vec<(BTreeSet<Address>, Vec<Envelope>)> = Vec::new();
    for message in messages {
        let at = turns.iter().position(|(customers, _)| !customers.contains(&message.from));
        let at = at.unwrap_or_else(|| {
            turns.push(Default::default());
            turns.len() - 1
        });
        turns[at].0.insert(message.from.clone());
        turns[at].1.push(message);
    }
    turns.into_iter().map(|(_, messages)| messages).collect()
}
