//! Encrypts a file as it would be uploaded, decrypts it again, and shows how far it is.
//!
//! `cargo run --release --example attachment -- [FILE]`
//!
//! Without a file it makes one of 32 MiB. Both directions take constant memory, and no byte is written
//! that is not verified.
#![allow(clippy::print_stdout)] // a program for people to read

use std::env;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use sandi::OsRng;
use sandi::attachment::{
    AttachmentDecryptor, AttachmentEncryptor, AttachmentKey, IncrementalCoverage, transform,
};

fn main() -> io::Result<()> {
    let folder = env::temp_dir().join(format!("sandi-attachment-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = round_trip(&folder);
    fs::remove_dir_all(&folder)?;
    result
}

fn round_trip(folder: &Path) -> io::Result<()> {
    let original = match env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => made_up(&folder.join("original"))?,
    };
    let (blob, decrypted) = (folder.join("blob"), folder.join("decrypted"));
    let size = fs::metadata(&original)?.len();

    // The sender: the key and what is reported at the end go into the message, the blob to the server.
    let rng = &mut OsRng::default();
    let key = AttachmentKey::generate(rng);
    let coverage = IncrementalCoverage::WholeBlob;
    let encryptor = AttachmentEncryptor::with_incremental_mac(&key, size, coverage, rng)
        .map_err(io::Error::other)?;
    let mut to = BufWriter::new(File::create(&blob)?);
    let bar = Bar::new("encrypt", size);
    let sent = transform(encryptor, &mut File::open(&original)?, &mut to, |n| bar.show(n))?;
    to.flush()?;
    bar.done();
    let blob_size = fs::metadata(&blob)?.len();
    println!("{size} bytes are {blob_size} as uploaded");

    // The receiver: every chunk is verified before it is decrypted.
    let incremental = sent.incremental.ok_or_else(|| io::Error::other("no incremental MAC"))?;
    let decryptor =
        AttachmentDecryptor::streaming(&key, &sent.digest, incremental, coverage, sent.size)
            .map_err(io::Error::other)?;
    let mut to = BufWriter::new(File::create(&decrypted)?);
    let bar = Bar::new("decrypt", blob_size);
    let report = transform(decryptor, &mut File::open(&blob)?, &mut to, |n| bar.show(n))?;
    to.flush()?;
    bar.done();

    if report.size != size || !same(&original, &decrypted)? {
        return Err(io::Error::other("the decrypted file differs"));
    }
    println!("the decrypted file is the original");
    Ok(())
}

/// A progress bar on one line.
struct Bar {
    what: &'static str,
    total: u64,
    start: Instant,
}

impl Bar {
    fn new(what: &'static str, total: u64) -> Self {
        Self { what, total, start: Instant::now() }
    }

    fn show(&self, done: u64) {
        let percent = done.saturating_mul(100).checked_div(self.total).unwrap_or(100).min(100);
        let filled = usize::try_from(percent / 4).unwrap_or(0);
        print!("\r{} [{:<25}] {percent:>3} %", self.what, "#".repeat(filled));
        // a bar that is not shown at once is no harm
        let _ = io::stdout().flush();
    }

    fn done(&self) {
        self.show(self.total);
        println!("  {:.2} s", self.start.elapsed().as_secs_f64());
    }
}

/// A file of 32 MiB and a few bytes.
fn made_up(path: &Path) -> io::Result<PathBuf> {
    let mut file = BufWriter::new(File::create(path)?);
    for block in 0..32_u8 {
        for line in 0..=u8::MAX {
            file.write_all(&[block ^ line; 4096])?;
        }
    }
    file.write_all(b"the end")?;
    file.flush()?;
    Ok(path.to_path_buf())
}

fn same(a: &Path, b: &Path) -> io::Result<bool> {
    let mut a = BufReader::new(File::open(a)?).bytes();
    let mut b = BufReader::new(File::open(b)?).bytes();
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (None, None) => return Ok(true),
            (left, right) if left == right => {}
            _ => return Ok(false),
        }
    }
}
