//! The business's endpoint: one device in one file, served by several workers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use sandi::device::{DeviceError, NewDevice, random_registration_id};
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, PreKeyPlan, ServerStock};
use sandi::session::CiphertextMessage;
use sandi::{Address, Device, OsRng, Policy, Store};
use sandi_sqlite::SqliteStore;

use crate::chat::Chat;
use crate::network::{Queue, Shelf};
use crate::worker::{Done, Worker};
use crate::{Result, now};

/// One-time pre-keys that are made at a time.
const PRE_KEYS: u32 = 1000;

/// An endpoint: its file, its shelf on the server, its queue.
pub(crate) struct Host {
    path: PathBuf,
    /// Makes pre-keys; the workers have handles of their own.
    reception: Device<SqliteStore>,
    shelf: Shelf,
    queue: Arc<Queue>,
}

/// The workers of a host, and where their answers come out.
pub(crate) struct Running {
    threads: Vec<JoinHandle<Result<Done>>>,
    pub(crate) answers: Receiver<(Address, CiphertextMessage)>,
}

/// What stands in the file, over all runs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) received: u64,
    pub(crate) delivered: u64,
    /// Message keys that were spent, each once.
    pub(crate) spent: usize,
}

fn options() -> Options {
    let pre_keys = PreKeyPlan { one_time: PRE_KEYS, ..PreKeyPlan::default() };
    Options { dialects: Policy::V3, pre_keys, ..Options::default() }
}

impl Host {
    /// Opens the endpoint of a file, or creates it there.
    pub(crate) fn open(path: &Path, address: &Address) -> Result<Self> {
        let rng = &mut OsRng::default();
        let mut reception = match Device::open(SqliteStore::open(path)?, options()) {
            Ok(device) => {
                println!("  {} is opened: {address} goes on", path.display());
                device
            }
            Err(DeviceError::NotCreated) => {
                println!("  {} is created: {address} is a new endpoint", path.display());
                let new = NewDevice {
                    address: address.clone(),
                    identity: IdentityKeyPair::generate(rng),
                    registration_id: random_registration_id(rng),
                    scope: IdentityScope::Device,
                };
                Device::create(SqliteStore::open(path)?, new, options(), rng)?
            }
            Err(error) => return Err(error.into()),
        };
        // The server of this example forgets everything when the program ends: a fresh signed pre-key, too.
        let mut at_start = options();
        at_start.pre_keys.rotate_after = 0;
        reception.set_options(at_start);
        let upload = reception.replenish(ServerStock::default(), now(), rng)?;
        reception.set_options(options());
        let shelf = Shelf::new(address.device(), &upload);
        reception.confirm_upload(&upload, now(), rng)?;
        Ok(Self { path: path.to_path_buf(), reception, shelf, queue: Arc::default() })
    }

    pub(crate) fn address(&self) -> &Address {
        self.reception.address()
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The shelf, filled up if it runs low.
    pub(crate) fn shelf(&mut self) -> Result<&mut Shelf> {
        if self.shelf.one_time_left() < 20 {
            let rng = &mut OsRng::default();
            let one_time = u32::try_from(self.shelf.one_time_left())?;
            let stock = ServerStock { one_time, one_time_kem: 0 };
            let upload = self.reception.replenish(stock, now(), rng)?;
            self.shelf.take_in(&upload);
            self.reception.confirm_upload(&upload, now(), rng)?;
        }
        Ok(&mut self.shelf)
    }

    /// Starts the workers. Each has a connection of its own to the same file: when two of them serve one
    /// customer at the same time, one finds that the record has changed and begins again.
    pub(crate) fn start(&self, workers: usize) -> Result<Running> {
        let (outgoing, answers) = mpsc::channel();
        let mut threads = Vec::new();
        for _ in 0..workers {
            let device = Device::open(SqliteStore::open(&self.path)?, options())?;
            let (queue, outgoing) = (Arc::clone(&self.queue), outgoing.clone());
            threads.push(thread::spawn(move || {
                Worker { device, queue: &queue, outgoing, done: Done::default() }.run()
            }));
        }
        Ok(Running { threads, answers })
    }

    /// Lets the workers finish what is in the queue.
    pub(crate) fn stop(&self, running: Running) -> Result<Done> {
        self.queue.close();
        let mut done = Done::default();
        for thread in running.threads {
            done.add(thread.join().map_err(|_| "a worker panicked")??);
        }
        Ok(done)
    }

    /// Reads what the file has of these customers, and checks it: nothing waits, nothing is unread, and no
    /// message key was spent twice.
    pub(crate) fn check(&self, customers: impl Iterator<Item = Address>) -> Result<Totals> {
        let (mut totals, mut spent) = (Totals::default(), BTreeSet::new());
        for customer in customers {
            let record = self.reception.store().load(&Chat::key(&customer))?;
            let chat = Chat::decode(record.as_ref())?;
            assert!(chat.waiting.is_empty(), "{customer} waits for an answer");
            assert!(chat.outbox.is_empty(), "{customer} has not read an answer");
            assert_eq!(chat.received, chat.delivered, "{customer}: asked, and answered");
            totals.received += chat.received;
            totals.delivered += chat.delivered;
            for key in chat.spent {
                assert!(spent.insert(key), "a message key was spent twice for {customer}");
            }
        }
        totals.spent = spent.len();
        Ok(totals)
    }
}
