//! A large business: one account, thousands of conversations in one SQLite file, several workers.
//!
//! `cargo run --release --example business_api [CONVERSATIONS] [--workers N] [--directory PATH] [--fresh]`
//!
//! Killed at any moment, it is simply run again: the endpoint goes on from its file. What customers had
//! asked and nobody had answered is answered then, in the session that the customer starts anew (the
//! customers live in memory, so they come back with a new phone and a new identity key, which is
//! counted). `--fresh` begins with empty files.
//!
//! Then the business moves to a company that runs its endpoint: a hosted device, with a file, keys and workers
//! of its own. The customers' apps require their users' consent before they write to somebody else than the
//! business itself ([`HostedPolicy::RequireConsent`](sandi::protocol::HostedPolicy)), so each user is told
//! before the next message leaves.
//!
//! | file | what |
//! |---|---|
//! | `host` | the endpoint: one device, one file, its workers |
//! | `worker` | one thread: takes from the queue, decrypts, commits, encrypts, commits, lets out |
//! | `operations` | the library's operations and the business's records, in one commit |
//! | `chat` | what is kept of one customer |
//! | `customers` | the other side |
//! | `moving` | the move, as the customers' apps see it |
//! | `network` | the server between them |
#![allow(clippy::print_stdout, clippy::panic)] // a program for people to read, which checks what it claims
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // of counters and positions
#![allow(clippy::cast_possible_truncation)]

mod chat;
mod customers;
mod host;
mod moving;
mod network;
mod operations;
mod worker;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use customers::{Customers, Seen};
use host::{Host, Totals};
use moving::Announcement;
use sandi::jid::{HOSTED_DEVICE, Server};
use sandi::{DeviceId, Jid, Timestamp};
use worker::Done;

type Result<T> = core::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The business's number.
const BUSINESS: &str = "15550001000";
/// Questions of each customer at each endpoint, one after the other.
const ROUNDS: u32 = 2;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What the command line says.
struct Arguments {
    conversations: usize,
    workers: usize,
    directory: PathBuf,
    fresh: bool,
}

impl Arguments {
    fn parse() -> Result<Self> {
        let directory = std::env::temp_dir().join("sandi-business-api");
        let mut arguments = Self { conversations: 300, workers: 2, directory, fresh: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} what?"));
            match word.as_str() {
                "--workers" => arguments.workers = value()?.parse::<usize>()?.max(1),
                "--directory" => arguments.directory = value()?.into(),
                "--fresh" => arguments.fresh = true,
                count => arguments.conversations = count.parse()?,
            }
        }
        Ok(arguments)
    }

    fn file(&self, name: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        if self.fresh {
            for suffix in ["", "-wal", "-shm"] {
                let path = format!("{}{suffix}", path.display());
                if std::fs::exists(&path)? {
                    std::fs::remove_file(path)?;
                }
            }
        }
        Ok(path)
    }
}

/// Serves all customers at one endpoint, and checks that everything was answered.
fn serve(host: &Host, customers: &mut Customers, workers: usize) -> Result<(Seen, Done, f64)> {
    let start = Instant::now();
    let running = host.start(workers)?;
    let seen = customers.converse(host, &running, ROUNDS)?;
    let done = host.stop(running)?;
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(done.refused, 0, "a message was refused");
    assert_eq!(done.received, seen.asked, "every question was received once");
    assert_eq!(seen.read, seen.asked, "every question was answered, and every answer decrypted");
    assert_eq!(done.answered, seen.read + seen.earlier, "no answer was lost");
    Ok((seen, done, seconds))
}

fn report(seen: Seen, done: Done, totals: Totals, seconds: f64, workers: usize) {
    let Done { received, answered, sessions, identity_changes, commits, .. } = done;
    println!("  {received} questions received in {sessions} new sessions, {answered} answers sent");
    if seen.earlier > 0 || identity_changes > 0 {
        println!(
            "  {} of the answers were to questions of an earlier run; {identity_changes} customers \
             came back with a new identity key",
            seen.earlier
        );
    }
    println!("  every answer was decrypted by its customer and acknowledged");
    println!(
        "  {commits} commits of {workers} workers in {seconds:.1} s: {:.0} messages/s, each durable \
         before it was visible",
        (received + answered) as f64 / seconds
    );
    println!(
        "  in the file, over all runs: {} questions, {} answers read, {} message keys spent, none twice",
        totals.received, totals.delivered, totals.spent
    );
}

fn main() -> Result<()> {
    let arguments = Arguments::parse()?;
    let (count, workers) = (arguments.conversations, arguments.workers);
    std::fs::create_dir_all(&arguments.directory)?;
    let everyone = || (0..count).map_while(|number| customers::address(number).ok());

    println!("The business serves {count} conversations itself, with {workers} workers:");
    let address = Jid::new(BUSINESS, DeviceId::PRIMARY, Server::PhoneNumber)?.address()?;
    let mut own = Host::open(&arguments.file("own.sandi")?, &address)?;
    let mut customers = Customers::new(count)?;
    customers.meet(&mut own)?;
    let (seen, done, seconds) = serve(&own, &mut customers, workers)?;
    report(seen, done, own.check(everyone())?, seconds, workers);

    println!("\nIt moves to a solution provider, which runs its endpoint from now on:");
    let hosted = Jid::new(BUSINESS, HOSTED_DEVICE, Server::Hosted)?.address()?;
    let mut provider = Host::open(&arguments.file("hosted.sandi")?, &hosted)?;
    let news = Announcement::third_party(&address, &hosted);
    let told = customers.be_told(&mut provider, &news)?;
    println!("  {} attempts to write were refused: ConsentRequired", told.refused);
    println!(
        "  {} of {count} users were told that the business works with another company, {} of them by an \
         app that noticed it at the hosted address; {} agreed",
        told.told, told.late, told.agreed
    );
    assert_eq!((told.told, told.agreed), (count, count), "everyone is told, and agrees");
    assert_eq!(told.refused, 2 * count, "nobody could write before");
    let (seen, done, seconds) = serve(&provider, &mut customers, workers)?;
    report(seen, done, provider.check(everyone())?, seconds, workers);
    println!("\n{count} of {count} customers were told before their next message left.");
    Ok(())
}
