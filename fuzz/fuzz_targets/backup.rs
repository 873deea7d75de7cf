//! Backups: any bytes as keys, headers, files and device backups; a file that was written reads back in any
//! pieces, and a changed byte of its ciphertext or tag does not.
#![no_main]

#[path = "../rng.rs"]
mod rng;

use libfuzzer_sys::fuzz_target;
use rng::Rng;
use sandi::Error;
use sandi::attachment::Transform;
use sandi::backup::{
    BackupInfo, BackupKey, CloudMetadata, Crypt15Decryptor, Crypt15Encryptor, Crypt15Form,
    Crypt15Header, Crypt15SinglePass, Crypt15Verifier,
};
use sandi::protocol::DeviceBackupReader;

/// Pushes `bytes` through, `step` at a time.
fn run<T: Transform>(
    mut transform: T,
    bytes: &[u8],
    step: usize,
) -> Result<(Vec<u8>, T::Report), Error> {
    let mut out = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        transform.update(piece, &mut out)?;
    }
    let report = transform.finish(&mut out)?;
    Ok((out, report))
}

fn two_passes(key: &BackupKey, file: &[u8], step: usize) -> Result<Vec<u8>, Error> {
    let (_, verified) = run(Crypt15Verifier::new(key), file, step)?;
    run(Crypt15Decryptor::verified(key, verified), file, step).map(|(plain, _)| plain)
}

fn single_pass(key: &BackupKey, file: &[u8], step: usize) -> Option<Vec<u8>> {
    let mut pass = Crypt15SinglePass::new(key, Vec::new());
    for piece in file.chunks(step.max(1)) {
        pass.update(piece).ok()?;
    }
    pass.finish().ok().map(|(plain, _)| plain)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([step, repeat, at, change], rest)) = bytes.split_first_chunk::<4>() else { return };
    let step = usize::from(*step) * 97 + 1;
    let key = BackupKey::generate(&mut Rng(5));
    // any bytes
    let _ = BackupKey::from_key_file(rest);
    if let Ok(key) =
        core::str::from_utf8(rest).map_err(drop).and_then(|t| BackupKey::parse(t).map_err(drop))
    {
        assert_eq!(BackupKey::parse(key.digits().expose()), Ok(key));
    }
    if let Ok(header) = Crypt15Header::decode(rest) {
        assert_eq!(Crypt15Header::decode(&header.encode()), Ok(header));
    }
    assert!(two_passes(&key, rest, step).is_err(), "nobody encrypted this");
    assert!(single_pass(&key, rest, step).is_none());
    assert!(CloudMetadata::new(&key).open(rest).is_err());
    let mut reader = DeviceBackupReader::new(&key);
    let read = reader.update(rest, |_| Ok(())).and_then(|()| reader.finish(|_| Ok(())));
    assert!(read.is_err());
    // a file
    let form = if *repeat & 0x80 == 0 { Crypt15Form::SingleFile } else { Crypt15Form::MultiFile };
    let plain = rest.repeat(1 + usize::from(*repeat % 8) * 40);
    let writer = Crypt15Encryptor::new(&key, BackupInfo::default(), form, &mut Rng(6)).unwrap();
    let (mut file, _) = run(writer, &plain, step).unwrap();
    assert_eq!(two_passes(&key, &file, step).unwrap(), plain);
    assert_eq!(single_pass(&key, &file, step).unwrap(), plain);
    // one byte of ciphertext or tag changed
    let end = file.len() - if form == Crypt15Form::SingleFile { 16 } else { 0 };
    let start = end - 16 - plain.len();
    if *change != 0 {
        file[start + usize::from(*at) * (end - start) / 256] ^= change;
        assert_eq!(two_passes(&key, &file, step), Err(Error::Rejected));
        assert!(single_pass(&key, &file, step).is_none());
    }
});
