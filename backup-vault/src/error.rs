//! What can go wrong.

use std::fmt;

/// Why a client's step failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The password is wrong, or there is no such account: the vault does not tell which.
    WrongPassword,
    /// The vault's answer is malformed.
    Malformed,
    /// The wrapped root key does not open: it was made for another account, or altered.
    Rejected,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongPassword => "wrong password",
            Self::Malformed => "answer of the vault is malformed",
            Self::Rejected => "wrapped backup key does not open",
        })
    }
}

impl std::error::Error for ClientError {}

/// Why a vault refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum VaultError<E> {
    /// The request is malformed. It has cost no attempt: nothing was evaluated.
    Malformed,
    /// The client has not proved the password. The attempt was counted when it began.
    WrongPassword,
    /// No attempts are left: the record is gone for good.
    Exhausted,
    /// No registration or login of this account has begun, or it was given up.
    NotBegun,
    /// The account was reopened as often as the limits allow.
    ReopenedTooOften,
    /// What is stored is corrupt.
    Corrupt,
    /// The store failed. An attempt may have been counted.
    Store(E),
}

impl<E: fmt::Display> fmt::Display for VaultError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "request is malformed",
            Self::WrongPassword => "wrong password",
            Self::Exhausted => "no attempts are left",
            Self::NotBegun => "nothing has begun",
            Self::ReopenedTooOften => "account was reopened too often",
            Self::Corrupt => "stored record is corrupt",
            Self::Store(error) => return write!(f, "store: {error}"),
        })
    }
}

impl<E: std::error::Error + 'static> std::error::Error for VaultError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}
