//! Both passes over a file with `std::io`.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{BackupKey, Crypt15Decryptor, Crypt15Verifier, DecryptedBackup};
use crate::attachment::transform;

/// Decrypts the crypt15 file that `from` holds from its start to its end, in two passes: nothing is written
/// to `to` that is not verified. For other shapes, put the two [`Transform`](crate::attachment::Transform)s
/// into [`TransformReader`](crate::attachment::TransformReader) or
/// [`TransformWriter`](crate::attachment::TransformWriter).
///
/// # Errors
///
/// An error of `from` or `to`, or one of this crate as `InvalidData`.
pub fn decrypt_crypt15(
    key: &BackupKey,
    from: &mut (impl Read + Seek),
    to: &mut impl Write,
) -> io::Result<DecryptedBackup> {
    from.seek(SeekFrom::Start(0))?;
    let verified = transform(Crypt15Verifier::new(key), from, &mut io::sink(), |_| {})?;
    from.seek(SeekFrom::Start(0))?;
    transform(Crypt15Decryptor::verified(key, verified), from, to, |_| {})
}
