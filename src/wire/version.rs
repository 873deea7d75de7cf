//! The version byte: session version in the high nibble, the sender's own newest version in the low
//! one (spec 03 §5.1, spec 04 §2.1).

use crate::error::Error;

/// The oldest session version that is read.
const OLDEST: u8 = 3;
/// The newest session version that is read.
const NEWEST: u8 = 4;

/// The session version of a version byte, 3 or 4. The low nibble is not looked at.
///
/// # Errors
///
/// [`Error::LegacyCiphertextVersion`] below 3, [`Error::UnrecognizedCiphertextVersion`] above 4.
pub(crate) const fn session_version(version_byte: u8) -> Result<u8, Error> {
    match version_byte >> 4 {
        version @ ..OLDEST => Err(Error::LegacyCiphertextVersion(version)),
        version @ OLDEST..=NEWEST => Ok(version),
        version => Err(Error::UnrecognizedCiphertextVersion(version)),
    }
}

/// The version of sender-key messages, which has never changed (spec 05).
const SENDER_KEY: u8 = 3;

/// Checks the version byte of a sender-key or distribution message (spec 05 §3). The low nibble is not
/// looked at.
///
/// # Errors
///
/// [`Error::LegacyCiphertextVersion`] below 3, [`Error::UnrecognizedCiphertextVersion`] above 3.
pub(crate) const fn sender_key_version(version_byte: u8) -> Result<(), Error> {
    match version_byte >> 4 {
        version @ ..SENDER_KEY => Err(Error::LegacyCiphertextVersion(version)),
        SENDER_KEY => Ok(()),
        version => Err(Error::UnrecognizedCiphertextVersion(version)),
    }
}
