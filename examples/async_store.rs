//! The protocol without `Device`: an asynchronous store, and tasks that race on one device.
//!
//! `cargo run --example async_store`
//!
//! [`perform`] is all that it takes: load what the operation needs, run it, commit what it changed, and
//! begin again if somebody else was faster.
#![allow(clippy::print_stdout, clippy::expect_used)] // a program for people to read

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sandi::keys::IdentityKeyPair;
use sandi::protocol::{
    Decrypt, Encrypt, IdentityScope, Loaded, Local, Operation, Options, Own, PendingUpload,
    Recipient, Replenish, ServerStock, StartSession,
};
use sandi::session::CiphertextMessage;
use sandi::{
    Address, Changes, CommitError, DeviceId, MemoryStore, OsRng, Record, RecordKey, Store,
    Timestamp,
};
use tokio::sync::Mutex;

type Result<T> = core::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A toy: records behind an asynchronous lock and a delay, as a database across a network would be.
#[derive(Clone, Default)]
struct AsyncStore(Arc<Mutex<MemoryStore>>);

impl AsyncStore {
    async fn load(&self, key: &RecordKey) -> Option<Record> {
        tokio::time::sleep(Duration::from_micros(100)).await;
        self.0.lock().await.load(key).unwrap_or_else(|never| match never {})
    }

    /// Whether it was committed; if not, a record has changed since it was loaded.
    async fn commit(&self, changes: &Changes) -> bool {
        tokio::time::sleep(Duration::from_micros(300)).await;
        match self.0.lock().await.commit(changes) {
            Ok(()) => true,
            Err(CommitError::Conflict) => false,
            Err(CommitError::Store(never)) => match never {},
        }
    }
}

/// Carries out an operation: what comes back is durable.
async fn perform<O: Operation>(own: &Own, store: &AsyncStore, operation: &O) -> Result<O::Output> {
    let now = Timestamp(1_790_000_000_000);
    loop {
        // 1. load
        let mut loaded = Loaded::new();
        let mut needs = operation.needs(own, &loaded);
        while let Ok(keys) = &needs {
            if keys.is_empty() {
                break;
            }
            for key in keys {
                loaded.insert(key.clone(), store.load(key).await);
            }
            needs = operation.needs(own, &loaded);
        }
        // 2. run
        let done = needs.and_then(|_| operation.run(own, &mut loaded, now, &mut OsRng::default()));
        match done {
            // 3. commit
            Ok((output, changes)) => {
                if store.commit(&changes).await {
                    return Ok(output);
                }
            }
            // An error counts only if it came of records that are still the stored ones.
            Err(error) => {
                let mut current = true;
                for (key, revision) in loaded.snapshot().iter() {
                    current &= store.load(key).await.map(|record| record.revision()) == revision;
                }
                if current {
                    return Err(error.into());
                }
            }
        }
    }
}

async fn create(store: &AsyncStore, name: &str) -> Result<Own> {
    let rng = &mut OsRng::default();
    let address = Address::new(name, DeviceId::new(1)?);
    let identity = IdentityKeyPair::generate(rng);
    let local = Local::new(address, identity, 1001, IdentityScope::Account);
    if !store.commit(&local.create(rng)?).await {
        return Err("the device exists already".into());
    }
    let own = Own { local, options: Options::default() };
    perform(&own, store, &Replenish { stock: ServerStock::default() }).await?;
    Ok(own)
}

async fn encrypt(
    own: &Own,
    store: &AsyncStore,
    to: &Address,
    text: &str,
) -> Result<CiphertextMessage> {
    let recipients = [Recipient { address: to, plaintext: text.as_bytes() }];
    let sent = perform(own, store, &Encrypt { recipients: &recipients }).await?;
    Ok(sent.into_iter().next().ok_or("no recipient")?.message?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (alices, bobs) = (AsyncStore::default(), AsyncStore::default());
    let alice = Arc::new(create(&alices, "alice").await?);
    let bob = create(&bobs, "bob").await?;
    let to_bob = bob.local.address().clone();

    // What Bob would upload is what Alice would fetch.
    let upload = perform(&bob, &bobs, &PendingUpload).await?;
    let bundle = upload.bundle(to_bob.device(), 0).ok_or("no bundle")?;
    perform(&alice, &alices, &StartSession { peer: &to_bob, bundle: &bundle }).await?;

    // Ten tasks write in one session at once. No key is used twice: whose commit comes too late, begins
    // again.
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let (alice, alices, to_bob) = (alice.clone(), alices.clone(), to_bob.clone());
            tokio::spawn(
                async move { encrypt(&alice, &alices, &to_bob, &format!("note {n}")).await },
            )
        })
        .collect();
    let mut read = BTreeSet::new();
    for task in tasks {
        let message = task.await??;
        let decrypt = Decrypt {
            from: alice.local.address(),
            message_type: message.message_type,
            bytes: &message.bytes,
        };
        let decrypted = perform(&bob, &bobs, &decrypt).await?;
        read.insert(String::from_utf8(decrypted.plaintext.to_vec())?);
    }
    println!("Bob has read {} messages: {read:?}", read.len());
    Ok(())
}
