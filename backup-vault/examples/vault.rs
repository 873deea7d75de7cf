//! A key vault on a local socket, and a user who loses a phone.
//!
//! `cargo run -p sandi-vault --example vault`
//!
//! The vault keeps its counts in an SQLite file and is restarted in between. The user registers, backs up,
//! gets the root key back by the password on a new phone, and restores the backup. Somebody who guesses uses
//! the attempts up, and then not even the right password opens the vault.
#![allow(clippy::print_stdout)] // a program for people to read

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};

use sandi::OsRng;
use sandi::attachment::Transform;
use sandi::backup::{BackupInfo, BackupKey, Crypt15Encryptor, Crypt15Form, Crypt15SinglePass};
use sandi_vault::{
    BackupVaultServer, Limits, SqliteVaultStore, Vault, VaultLogin, VaultRegistration,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const BEGIN_REGISTRATION: u8 = 1;
const FINISH_REGISTRATION: u8 = 2;
const BEGIN_LOGIN: u8 = 3;
const FINISH_LOGIN: u8 = 4;
const STOP: u8 = 5;
const OK: u8 = 0;
const REFUSED: u8 = 1;
/// The longest message here.
const LONGEST: usize = 4096;

fn main() -> Outcome<()> {
    let folder = std::env::temp_dir().join(format!("sandi-vault-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = story(&folder.join("vault.db"));
    std::fs::remove_dir_all(&folder)?;
    result
}

fn story(database: &Path) -> Outcome<()> {
    let (account, password) = ("+15550100", "a password that is long enough");
    let rng = &mut OsRng::default();
    let (address, vault) = serve(database)?;

    // The old phone: a root key, kept by a password, and a backup under it.
    let key = BackupKey::generate(rng);
    let (registration, request) = VaultRegistration::start(account, password, rng)?;
    let response = call(address, BEGIN_REGISTRATION, account, 0, &request)?;
    let upload = registration.finish(&response, &key, rng)?;
    call(address, FINISH_REGISTRATION, account, 0, &upload)?;
    println!("registered");
    let messages = b"SQLite format 3\0, so to speak".repeat(1000);
    let mut writer =
        Crypt15Encryptor::new(&key, BackupInfo::default(), Crypt15Form::SingleFile, rng)?;
    let mut backup = Vec::new();
    writer.update(&miniz_oxide::deflate::compress_to_vec_zlib(&messages, 6), &mut backup)?;
    writer.finish(&mut backup)?;
    println!("backed up {} bytes as {}", messages.len(), backup.len());
    drop(key);

    // The phone is lost. Somebody guesses, and the vault is restarted to give the attempts back: in vain.
    println!(
        "a guess: {}",
        recover(address, account, "password").map_or_else(say, |_| "right".into())
    );
    stop(address, vault)?;
    let (address, vault) = serve(database)?;

    // The new phone.
    let key = recover(address, account, password)?;
    let mut reader = Crypt15SinglePass::new(&key, Vec::new());
    reader.update(&backup)?;
    let (compressed, _) = reader.finish()?;
    let restored = miniz_oxide::inflate::decompress_to_vec_zlib(&compressed)
        .map_err(|error| error.to_string())?;
    if restored != messages {
        return Err("the restored backup differs".into());
    }
    println!("restored {} bytes", restored.len());

    // Guessing goes on, over restarts, until the record is gone.
    let (mut address, mut vault) = (address, vault);
    for number in 0..12 {
        let guess = format!("password{number}");
        let answer = recover(address, account, &guess).map_or_else(say, |_| "right".into());
        println!("guess {number}: {answer}");
        if number == 4 {
            stop(address, vault)?;
            (address, vault) = serve(database)?;
            println!("the vault is restarted");
        }
    }
    match recover(address, account, password) {
        Err(error) => println!("the right password, too late: {error}"),
        Ok(_) => return Err("the limit was not enforced".into()),
    }
    stop(address, vault)
}

fn say(error: Box<dyn Error + Send + Sync>) -> String {
    error.to_string()
}

fn recover(address: SocketAddr, account: &str, password: &str) -> Outcome<BackupKey> {
    let rng = &mut OsRng::default();
    let (login, request) = VaultLogin::start(account, password, rng)?;
    let answer = call(address, BEGIN_LOGIN, account, 0, &request)?;
    let (number, response) = answer.split_first_chunk().ok_or("answer is too short")?;
    let (unlock, finalization) = login.finish(response, rng)?;
    let number = u64::from_be_bytes(*number);
    Ok(unlock.open(&call(address, FINISH_LOGIN, account, number, &finalization)?)?)
}

/// One request on a connection of its own: kind, account, login, body.
fn call(address: SocketAddr, kind: u8, account: &str, login: u64, body: &[u8]) -> Outcome<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    send(&mut stream, &[kind])?;
    send(&mut stream, account.as_bytes())?;
    send(&mut stream, &login.to_be_bytes())?;
    send(&mut stream, body)?;
    let (status, answer) = (receive(&mut stream)?, receive(&mut stream)?);
    if status == [OK] { Ok(answer) } else { Err(String::from_utf8(answer)?.into()) }
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> Outcome<()> {
    stream.write_all(&u16::try_from(bytes.len())?.to_be_bytes())?;
    Ok(stream.write_all(bytes)?)
}

fn receive(stream: &mut TcpStream) -> Outcome<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > LONGEST {
        return Err("message is too long".into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

type Server = JoinHandle<Outcome<()>>;

/// A vault in a thread of its own, as if it were another machine.
fn serve(database: &Path) -> Outcome<(SocketAddr, Server)> {
    let store = SqliteVaultStore::open(database)?;
    let mut vault = Vault::open(store, Limits::default(), &mut OsRng::default())?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream?;
            let kind = receive(&mut stream)?;
            let account = String::from_utf8(receive(&mut stream)?)?;
            let login = receive(&mut stream)?.try_into().map_or(0, u64::from_be_bytes);
            let body = receive(&mut stream)?;
            if kind == [STOP] {
                send(&mut stream, &[OK])?;
                return send(&mut stream, &[]);
            }
            match answer(&mut vault, &kind, &account, login, &body) {
                Ok(answer) => {
                    send(&mut stream, &[OK])?;
                    send(&mut stream, &answer)?;
                }
                Err(error) => {
                    send(&mut stream, &[REFUSED])?;
                    send(&mut stream, error.to_string().as_bytes())?;
                }
            }
        }
        Ok(())
    });
    Ok((address, server))
}

/// Here, the front end would first authenticate whose account it is.
fn answer(
    vault: &mut Vault<SqliteVaultStore>,
    kind: &[u8],
    account: &str,
    login: u64,
    body: &[u8],
) -> Outcome<Vec<u8>> {
    let rng = &mut OsRng::default();
    match kind {
        [BEGIN_REGISTRATION] => Ok(vault.begin_registration(account, body, rng)?),
        [FINISH_REGISTRATION] => {
            vault.finish_registration(account, body, rng)?;
            Ok(Vec::new())
        }
        [BEGIN_LOGIN] => {
            let answer = vault.begin_login(account, body, rng)?;
            Ok([answer.login.to_be_bytes().as_slice(), &answer.response].concat())
        }
        [FINISH_LOGIN] => Ok(vault.finish_login(account, login, body)?),
        _ => Err("unknown request".into()),
    }
}

fn stop(address: SocketAddr, server: Server) -> Outcome<()> {
    call(address, STOP, "", 0, &[])?;
    server.join().map_err(|_| "the vault's thread panicked")?
}
