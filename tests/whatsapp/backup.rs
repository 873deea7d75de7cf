//! Backups: `backup.json` both ways, every boundary, and every flipped bit.

use std::cell::RefCell;
use std::io::{Cursor, Read, Write};
use std::rc::Rc;

use base64ct::{Base64, Encoding};
use proptest::prelude::*;
use sandi::attachment::{Transform, TransformReader, TransformWriter};
use sandi::backup::{
    BackupInfo, BackupKey, BackupKeyWrap, CloudMetadata, Crypt15Decryptor, Crypt15Encryptor,
    Crypt15Form, Crypt15Header, Crypt15SinglePass, Crypt15Verifier, DecryptedBackup,
    EncryptedBackup, SinglePassError, TemporaryPlace, WrappedBackupKey, decrypt_crypt15,
};
use sandi::{Error, Secret};
use serde_json::Value;

use crate::data::{Fixed, array, hex, items, number, text, whatsapp};

const FORMS: [Crypt15Form; 2] = [Crypt15Form::SingleFile, Crypt15Form::MultiFile];
const CHUNK: usize = 65_536;

fn key() -> BackupKey {
    BackupKey::generate(&mut Fixed::new([3; 32]))
}

/// What came out, and the report or the error.
type Pushed<T> = Result<(Vec<u8>, T), (Vec<u8>, Error)>;

/// Pushes `input` in pieces of the given lengths, again and again.
fn push<T: Transform>(mut transform: T, input: &[u8], cuts: &[usize]) -> Pushed<T::Report> {
    let (mut output, mut rest, mut cuts) = (Vec::new(), input, cuts.iter().cycle());
    while !rest.is_empty() {
        let (piece, next) = rest.split_at((*cuts.next().unwrap()).clamp(1, rest.len()));
        if let Err(error) = transform.update(piece, &mut output) {
            assert_eq!(transform.update(piece, &mut output), Err(Error::Rejected), "refuses");
            return Err((output, error));
        }
        rest = next;
    }
    let before = output.clone();
    transform.finish(&mut output).map(|report| (output, report)).map_err(|e| (before, e))
}

fn encrypt(form: Crypt15Form, plain: &[u8], cuts: &[usize]) -> (Vec<u8>, EncryptedBackup) {
    let info = BackupInfo { app_version: Some("1.2".into()), ..BackupInfo::default() };
    let writer = Crypt15Encryptor::new(&key(), info, form, &mut Fixed::new([9; 16])).unwrap();
    push(writer, plain, cuts).unwrap()
}

/// Both passes.
fn decrypt(
    key: &BackupKey,
    file: &[u8],
    cuts: &[usize],
) -> Result<(Vec<u8>, DecryptedBackup), Error> {
    let (nothing, verified) = push(Crypt15Verifier::new(key), file, cuts).map_err(|(_, e)| e)?;
    assert!(nothing.is_empty());
    push(Crypt15Decryptor::verified(key, verified), file, cuts).map_err(|(_, e)| e)
}

fn single_pass(
    key: &BackupKey,
    file: &[u8],
    cut: usize,
) -> Result<(Vec<u8>, DecryptedBackup), Error> {
    let mut pass = Crypt15SinglePass::new(key, Vec::new());
    let error = |error| match error {
        SinglePassError::Backup(error) => error,
        SinglePassError::Place(never) => match never {},
    };
    for piece in file.chunks(cut) {
        pass.update(piece).map_err(error)?;
    }
    pass.finish().map_err(error)
}

#[test]
fn every_value_of_backup_json_both_ways() {
    for case in items(&whatsapp("backup"), "cases") {
        let key = BackupKey::new(Secret::new(array(case, "rootKey")));
        // 24 §2, §3
        let digits = text(case, "sixtyFourDigits");
        assert_eq!(BackupKey::parse(digits).unwrap(), key);
        assert_eq!(key.digits().expose().replace(' ', ""), digits);
        assert_eq!(key.encryption_key().expose(), &array(case, "backupKey"));
        let metadata_key = array(case, "metadataEncryptionKey");
        assert_eq!(key.metadata_encryption_key().expose(), &metadata_key);
        let metadata_key = array(case, "metadataAuthenticationKey");
        assert_eq!(key.metadata_authentication_key().expose(), &metadata_key);
        // the header
        let protobuf = hex(case, "headerProtobuf");
        assert_eq!(protobuf.len() as u64, number(case, "headerLength"));
        let header = Crypt15Header::decode(&protobuf).unwrap();
        assert_eq!(header.iv(), &array(case, "iv"));
        assert_eq!(header.encode(), protobuf);
        let features: Vec<(u32, u64)> = header.info.features().collect();
        let expected = case["featureFields"].as_array().unwrap();
        let expected = expected.iter().map(|n| (u32::try_from(n.as_u64().unwrap()).unwrap(), 1));
        assert_eq!(features, expected.collect::<Vec<_>>());
        let mut info = BackupInfo { features: Vec::new(), ..header.info.clone() };
        for (number, _) in features {
            info.set_feature(number).unwrap();
        }
        assert_eq!(info, header.info);
        // both forms
        let zlib = hex(case, "zlib");
        for (form, name) in FORMS.into_iter().zip(["singleFile", "multiFile"]) {
            let file = hex(case, name);
            assert!(file.starts_with(&hex(case, "lengthPrefix")));
            let rng = &mut Fixed::new(hex(case, "iv"));
            let writer = Crypt15Encryptor::new(&key, info.clone(), form, rng).unwrap();
            let (written, report) = push(writer, &zlib, &[7]).unwrap();
            assert_eq!(written, file);
            assert_eq!(report.length, zlib.len() as u64);
            let (plain, report) = decrypt(&key, &file, &[5]).unwrap();
            let sqlite = miniz_oxide::inflate::decompress_to_vec_zlib(&plain).unwrap();
            assert_eq!(sqlite, hex(case, "plaintextSqlite"));
            let checksum_fits = (form == Crypt15Form::SingleFile).then_some(true);
            assert_eq!((report.form, report.checksum_fits), (form, checksum_fits));
            assert_eq!((&report.header, report.length), (&header, zlib.len() as u64));
            assert_eq!(single_pass(&key, &file, 11).unwrap(), (plain, report));
        }
        metadata(&key, &case["metadata"]);
    }
}

fn metadata(key: &BackupKey, case: &Value) {
    let (metadata, json) = (CloudMetadata::new(key), text(case, "json").as_bytes());
    let blob = Base64::decode_vec(text(case, "blobBase64")).unwrap();
    assert_eq!(metadata.seal(json, &mut Fixed::new(hex(case, "iv"))).unwrap(), blob);
    assert_eq!(&metadata.open(&blob).unwrap()[..], json);
    for bit in 0..blob.len() * 8 {
        let mut blob = blob.clone();
        blob[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(metadata.open(&blob).err(), Some(Error::Rejected));
    }
    for length in 0..blob.len() {
        assert_eq!(metadata.open(&blob[..length]).err(), Some(Error::Rejected));
    }
}

#[test]
fn sixty_four_digits_are_read_as_users_write_them() {
    let key = BackupKey::new(Secret::new(core::array::from_fn(|i| (i * 9) as u8)));
    let digits = key.digits();
    assert_eq!(digits.expose().len(), 79);
    assert!(digits.expose().split(' ').all(|group| group.len() == 4));
    assert!(digits.expose().starts_with("0009 121b"));
    for text in [
        digits.expose().to_uppercase(),
        digits.expose().replace(' ', ""),
        format!("\t{}\n", digits.expose().replace(' ', "\u{a0}")),
    ] {
        assert_eq!(BackupKey::parse(&text).unwrap(), key);
    }
    // exactly 64, of hexadecimal digits only
    let bare = digits.expose().replace(' ', "");
    for wrong in ["", &bare[1..], &format!("{bare}0"), &bare.replace('b', "-")] {
        assert_eq!(BackupKey::parse(wrong), Err(Error::InvalidBackupKey));
    }
    for c in (0..=0x250).filter_map(char::from_u32) {
        let text = format!("{c}{}", &bare[1..]);
        let expected = match c.to_digit(16) {
            Some(digit) => {
                let mut bytes = *key.secret().expose();
                bytes[0] = bytes[0] & 0x0F | (digit as u8) << 4;
                Ok(BackupKey::new(Secret::new(bytes)))
            }
            None => Err(Error::InvalidBackupKey),
        };
        assert_eq!(BackupKey::parse(&text), expected, "{c:?}");
    }
    assert!(!format!("{digits:?} {key:?}").contains("121b"), "opaque");
}

#[test]
fn a_key_file_is_59_bytes_of_one_shape() {
    let mut file = hex::decode("aced0005757200025b42acf317f8060854e0020000787000000020").unwrap();
    file.extend([7; 32]);
    assert_eq!(BackupKey::from_key_file(&file).unwrap().secret().expose(), &[7; 32]);
    for at in 0..27 {
        let mut file = file.clone();
        file[at] ^= 1;
        assert_eq!(BackupKey::from_key_file(&file), Err(Error::InvalidBackupKey));
    }
    for length in 0..file.len() {
        assert_eq!(BackupKey::from_key_file(&file[..length]), Err(Error::InvalidBackupKey));
    }
    file.push(0);
    assert_eq!(BackupKey::from_key_file(&file), Err(Error::InvalidBackupKey));
}

#[test]
fn files_under_a_servers_key_are_refused_by_type() {
    let read = |file: &[u8]| single_pass(&key(), file, 3).unwrap_err();
    // crypt14: key_type 0, c14
    assert_eq!(read(&[4, 0x08, 0, 0x12, 0]), Error::UnsupportedBackup(0));
    assert_eq!(read(&[2, 0x12, 0]), Error::UnsupportedBackup(0));
    // crypt12 begins with a zero byte
    assert_eq!(read(&[0, 1, 1]), Error::UnsupportedBackup(0));
    // a type of the future, no c15, a short vector, a header that is too long
    assert_eq!(read(&[2, 0x08, 2]), Error::UnsupportedBackup(2));
    assert_eq!(read(&[2, 0x08, 1]), Error::InvalidProtobuf);
    assert_eq!(read(&[5, 0x1A, 3, 0x0A, 1, 7]), Error::InvalidProtobuf);
    assert_eq!(read(&[0x81, 0x20]), Error::InvalidProtobuf);
    assert_eq!(read(&[0xFF, 0xFF, 0x01]), Error::InvalidProtobuf);
    // nothing, or a header and no tag
    assert_eq!(read(&[]), Error::Rejected);
    let (file, _) = encrypt(Crypt15Form::MultiFile, b"", &[1]);
    assert_eq!(read(&file[..file.len() - 1]), Error::Rejected);
    // and what does not fit is not written
    let long = BackupInfo { app_version: Some("x".repeat(5000)), ..BackupInfo::default() };
    let none = BackupInfo { features: vec![0x08, 1], ..BackupInfo::default() };
    for info in [long, none] {
        let form = Crypt15Form::MultiFile;
        let writer = Crypt15Encryptor::new(&key(), info, form, &mut Fixed::new([]));
        assert_eq!(writer.err(), Some(Error::InvalidArgument));
    }
}

#[test]
fn every_boundary_in_both_forms_and_both_readers() {
    let lengths = [0, 1, 15, 16, 17, 31, 32, 33, 65_519, 65_520, 65_521, 65_535, 65_536, 65_537];
    let more = [131_071, 131_072, 131_073, 5 * 1024 * 1024 + 3];
    for length in lengths.into_iter().chain(more) {
        let plain: Vec<u8> = (0..length).map(|i| (i * 31 % 251) as u8).collect();
        for form in FORMS {
            let (file, report) = encrypt(form, &plain, &[65_536, 1, 4095]);
            assert_eq!(report.length, length as u64);
            for cuts in [&[1, 65_535][..], &[65_536], &[usize::MAX], &[31, 33, 16, 100_000]] {
                let (read, report) = decrypt(&key(), &file, cuts).unwrap();
                assert!(read == plain, "{length} {cuts:?}");
                assert_eq!((report.form, report.length), (form, length as u64));
            }
            let (read, _) = single_pass(&key(), &file, 65_537).unwrap();
            assert!(read == plain, "{length}");
        }
    }
}

#[test]
fn a_flipped_bit_in_ciphertext_or_tag_is_refused_and_one_in_the_header_is_not_authenticated() {
    let plain = [0x5A; 40];
    for form in FORMS {
        let (file, made) = encrypt(form, &plain, &[40]);
        let sum = if form == Crypt15Form::SingleFile { 16 } else { 0 };
        let header = file.len() - plain.len() - 16 - sum;
        assert_eq!(file[file.len() - sum - 16..file.len() - sum], made.tag);
        for bit in 0..file.len() * 8 {
            let mut altered = file.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let result = decrypt(&key(), &altered, &[13]);
            assert_eq!(result, single_pass(&key(), &altered, 13));
            match bit / 8 {
                // header: an error, or the plaintext with a header that nobody vouches for
                at if at < header => {
                    if let Ok((read, report)) = result {
                        assert_eq!(read, plain);
                        assert_ne!(report.checksum_fits, Some(true), "the checksum notices it");
                    }
                }
                // MD5: the plaintext, and it is said
                at if at >= file.len() - sum => {
                    let (read, report) = result.unwrap();
                    assert_eq!((&read[..], report.checksum_fits), (&plain[..], Some(false)));
                }
                at => assert_eq!(result, Err(Error::Rejected), "byte {at}"),
            }
        }
        for length in 0..file.len() {
            let result = decrypt(&key(), &file[..length], &[13]);
            match result {
                // without its MD5 a single file is a multi-file one: the ciphertext is complete
                Ok((read, report)) => {
                    assert_eq!((length, &read[..]), (file.len() - 16, &plain[..]));
                    assert_eq!((form, report.form), (FORMS[0], FORMS[1]));
                }
                Err(error) => assert!(matches!(error, Error::Rejected | Error::InvalidProtobuf)),
            }
        }
        let other = BackupKey::generate(&mut Fixed::new([4; 32]));
        assert_eq!(decrypt(&other, &file, &[13]), Err(Error::Rejected));
        let mut longer = file.clone();
        longer.push(0);
        assert_eq!(decrypt(&key(), &longer, &[13]), Err(Error::Rejected));
    }
}

#[test]
fn a_file_that_changes_between_the_passes_gives_no_altered_byte() {
    let plain: Vec<u8> = (0..4 * CHUNK + 100).map(|i| (i / 7) as u8).collect();
    for form in FORMS {
        let (file, _) = encrypt(form, &plain, &[CHUNK]);
        let start = file.len() - plain.len() - if form == FORMS[0] { 32 } else { 16 };
        for at in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 7, 4 * CHUNK - 1, 4 * CHUNK, plain.len() - 1]
        {
            let (_, verified) = push(Crypt15Verifier::new(&key()), &file, &[CHUNK]).unwrap();
            let mut altered = file.clone();
            altered[start + at] ^= 4;
            let reader = Crypt15Decryptor::verified(&key(), verified);
            let (written, error) = push(reader, &altered, &[1000]).unwrap_err();
            assert_eq!(error, Error::Rejected);
            // the chunks before it, and nothing of its own
            assert!(written == plain[..at / CHUNK * CHUNK]);
        }
        // another information in the header, and a file that has become longer or shorter
        for change in [start - 1, usize::MAX, 0] {
            let (_, verified) = push(Crypt15Verifier::new(&key()), &file, &[CHUNK]).unwrap();
            let mut altered = file.clone();
            match change {
                usize::MAX => altered.extend([0; CHUNK]),
                0 => altered.truncate(start + 3 * CHUNK),
                at => altered[at] ^= 1,
            }
            let reader = Crypt15Decryptor::verified(&key(), verified);
            assert_eq!(push(reader, &altered, &[1000]).unwrap_err().1, Error::Rejected);
        }
    }
}

/// A place that tells what became of it.
#[derive(Clone, Default)]
struct Watched(Rc<RefCell<(usize, bool)>>, usize);

impl TemporaryPlace for Watched {
    type Error = &'static str;

    fn write_unverified(&mut self, plaintext: &[u8]) -> Result<(), Self::Error> {
        self.0.borrow_mut().0 += plaintext.len();
        if self.1 > 0 && self.0.borrow().0 > self.1 { Err("full") } else { Ok(()) }
    }

    fn discard(self) {
        self.0.borrow_mut().1 = true;
    }
}

#[test]
fn the_single_pass_gives_its_place_back_only_when_the_tag_holds() {
    let plain = vec![1; 3 * CHUNK];
    let (file, _) = encrypt(Crypt15Form::SingleFile, &plain, &[CHUNK]);
    let start = |limit| {
        let place = Watched(Rc::default(), limit);
        (place.clone(), Crypt15SinglePass::new(&key(), place))
    };
    let (place, mut pass) = start(0);
    pass.update(&file).unwrap();
    pass.finish().unwrap();
    assert_eq!(*place.0.borrow(), (plain.len(), false));
    // altered at the very end
    let (place, mut pass) = start(0);
    let mut altered = file.clone();
    altered[file.len() - 17] ^= 1;
    pass.update(&altered).unwrap();
    assert_eq!(pass.finish().err(), Some(SinglePassError::Backup(Error::Rejected)));
    assert!(place.0.borrow().1);
    // given up
    let (place, mut pass) = start(0);
    pass.update(&file[..CHUNK]).unwrap();
    drop(pass);
    assert!(place.0.borrow().0 > 0 && place.0.borrow().1);
    // full
    let (place, mut pass) = start(10);
    assert_eq!(pass.update(&file), Err(SinglePassError::Place("full")));
    assert!(place.0.borrow().1);
    assert_eq!(pass.update(&file), Err(SinglePassError::Backup(Error::Rejected)));
}

#[test]
fn readers_and_writers_of_std() {
    let plain: Vec<u8> = (0..300_000).map(|i| (i % 241) as u8).collect();
    let info = BackupInfo::default();
    let rng = &mut Fixed::new([]);
    let writer = Crypt15Encryptor::new(&key(), info, Crypt15Form::SingleFile, rng).unwrap();
    let mut writer = TransformWriter::new(Vec::new(), writer);
    writer.write_all(&plain).unwrap();
    let (file, _) = writer.finish().unwrap();
    let mut read = Vec::new();
    let report = decrypt_crypt15(&key(), &mut Cursor::new(&file), &mut read).unwrap();
    assert!(read == plain && report.checksum_fits == Some(true));
    let (_, verified) = push(Crypt15Verifier::new(&key()), &file, &[9999]).unwrap();
    let decryptor = Crypt15Decryptor::verified(&key(), verified);
    let (mut reader, mut read) = (TransformReader::new(&file[..], decryptor), Vec::new());
    reader.read_to_end(&mut read).unwrap();
    assert!(read == plain);
    let mut altered = file;
    altered[1000] ^= 1;
    let mut nothing = Vec::new();
    let error = decrypt_crypt15(&key(), &mut Cursor::new(&altered), &mut nothing).unwrap_err();
    assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&Error::Rejected));
    assert!(nothing.is_empty());
}

#[test]
fn a_wrapped_key_unwraps_with_its_secret_for_its_account_only() {
    let wrap = BackupKeyWrap::from_opaque_export_key(&[5; 64]).unwrap();
    let passkey = BackupKeyWrap::from_passkey_prf(&Secret::new([5; 32]));
    let wrapped = wrap.wrap(&key(), b"account", &mut Fixed::new([])).unwrap();
    assert_eq!(wrap.unwrap(&wrapped, b"account").unwrap(), key());
    assert_eq!(wrap.unwrap(&wrapped, b"another").err(), Some(Error::Rejected));
    assert_eq!(passkey.unwrap(&wrapped, b"account").err(), Some(Error::Rejected));
    let for_passkey = passkey.wrap(&key(), b"account", &mut Fixed::new([])).unwrap();
    assert_eq!(passkey.unwrap(&for_passkey, b"account").unwrap(), key());
    for bit in 0..WrappedBackupKey::LENGTH * 8 {
        let mut bytes = *wrapped.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let altered = WrappedBackupKey::from_bytes(&bytes).unwrap();
        assert!(wrap.unwrap(&altered, b"account").is_err());
    }
    assert_eq!(WrappedBackupKey::from_bytes(&[1; 60]), Err(Error::InvalidState));
    let short = BackupKeyWrap::from_opaque_export_key(&[5; 31]);
    assert_eq!(short.err(), Some(Error::InvalidArgument));
}

#[test]
fn the_name_of_a_file_in_the_cloud_depends_on_key_name_and_contents() {
    let name = |key: &BackupKey, name, md5| key.cloud_file_name(name, &[md5; 16]);
    let one = name(&key(), "msgstore.db.crypt15", 1);
    assert_eq!(one, name(&key(), "msgstore.db.crypt15", 1));
    let other = BackupKey::generate(&mut Fixed::new([4; 32]));
    for changed in [
        name(&other, "msgstore.db.crypt15", 1),
        name(&key(), "wa.db.crypt15", 1),
        name(&key(), "msgstore.db.crypt15", 2),
    ] {
        assert_ne!(one, changed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_cuts_give_the_same_file_and_the_same_plaintext(
        length in prop_oneof![0_usize..100, 65_400_usize..65_700, 130_900_usize..131_300],
        write in proptest::collection::vec(1_usize..70_000, 1..6),
        read in proptest::collection::vec(1_usize..70_000, 1..6),
        single in any::<bool>(),
    ) {
        let form = FORMS[usize::from(!single)];
        let plain: Vec<u8> = (0..length).map(|i| (i * 7 % 253) as u8).collect();
        let (file, _) = encrypt(form, &plain, &write);
        prop_assert!(file == encrypt(form, &plain, &[usize::MAX]).0);
        let (back, report) = decrypt(&key(), &file, &read).unwrap();
        prop_assert!(back == plain);
        prop_assert_eq!(report.form, form);
        prop_assert!(single_pass(&key(), &file, read[0]).unwrap().0 == plain);
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decrypt(&key(), &bytes, &[17]).is_err());
        let _ = Crypt15Header::decode(&bytes);
        let _ = CloudMetadata::new(&key()).open(&bytes);
        let _ = BackupKey::from_key_file(&bytes);
    }
}
