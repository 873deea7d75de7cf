//! What a receiver trusts: roots, and server certificates known by id (spec 06 §1.2, §1.3).

use super::ServerCertificate;
use crate::error::Error;
use crate::keys::PublicKey;

/// A server certificate that a sender certificate may name by its id instead of carrying it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownServerCertificate<'a> {
    /// Its id.
    pub id: u32,
    /// Its encoding.
    pub bytes: &'a [u8],
}

/// The trust roots of a service, and the certificates that may be named by id.
///
/// The table is a lookup only: what it names must still be signed by one of the roots.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// The roots; one that fits is enough.
    pub roots: &'a [PublicKey],
    /// The table; [`BUILT_IN`] knows the certificates of Signal's service.
    pub known: &'a [KnownServerCertificate<'a>],
}

impl<'a> Trust<'a> {
    /// Trusts `roots`, with the [`BUILT_IN`] table.
    #[must_use]
    pub const fn new(roots: &'a [PublicKey]) -> Self {
        Self { roots, known: BUILT_IN }
    }

    /// The certificate of that id.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSealedSenderServerCertificateId`] when the table has none; those of
    /// [`ServerCertificate::parse`].
    pub fn resolve(&self, id: u32) -> Result<ServerCertificate, Error> {
        let known = self.known.iter().find(|known| known.id == id);
        let known = known.ok_or(Error::UnknownSealedSenderServerCertificateId(id))?;
        ServerCertificate::parse(known.bytes)
    }
}

/// Trust root of Signal's production service.
pub const PRODUCTION_ROOT: PublicKey =
    PublicKey::from_raw(hex("4918d08fbdfa83e00c29f8f8073a22ef35df2bea903aff81af03ccbc45c6e93a"));

/// Trust root of Signal's staging service.
pub const STAGING_ROOT: PublicKey =
    PublicKey::from_raw(hex("8854ead3e3a8fe3a286644cd1b3538be14dfd5797653c9fd7d3d85ae2b12b926"));

/// The certificates of spec 06 §1.3: staging (2), production (3), and one for tests (0x7357C357) whose
/// private keys everyone knows.
pub const BUILT_IN: &[KnownServerCertificate<'static>] = &[
    KnownServerCertificate {
        id: 2,
        bytes: &hex::<105>(concat!(
            "0a25080212210539450d63ebd0752c0fd4038b9d07a916f5e174b756d409b5ca79f4c97400631e1240",
            "64c5a38b1e927497d3d4786b101a623ab34a7da3954fae126b04dba9d7a3604ed88cdc8550950f0d4a",
            "9134ceb7e19b94139151d2c3d6e1c81e9d1128aafca806",
        )),
    },
    KnownServerCertificate {
        id: 3,
        bytes: &hex::<105>(concat!(
            "0a250803122105bc9d1d290be964810dfa7e94856480a3f7060d004c9762c24c575a1522353a5a1240",
            "c11ec3c401eb0107ab38f8600e8720a63169e0e2eb8a3fae24f63099f85ea319c3c1c46d3454706ae2",
            "a679d1fee690a488adda98a2290b66c906bb60295ed781",
        )),
    },
    KnownServerCertificate {
        id: 0x7357_C357,
        bytes: &hex::<109>(concat!(
            "0a2908d786df9a07122105847c0d2c375234f365e660955187a3735a0f7613d1609d3a6a4d8c53aeaa",
            "5a221240e0b9ebacdfc3aa2827f7924b697784d1c25e44ca05dd433e1a38dc6382eb2730d419ca9a25",
            "0b1be9d5a9463e61efd6781777a91b83c97b844d014206e2829785",
        )),
    },
];

/// Reads hex digits at compile time.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // evaluated by the compiler only
const fn hex<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    assert!(text.len() == 2 * N, "two digits a byte");
    let mut out = [0; N];
    let mut at = 0;
    while at < N {
        out[at] = digit(text[2 * at]) << 4 | digit(text[2 * at + 1]);
        at += 1;
    }
    out
}

#[allow(clippy::arithmetic_side_effects, clippy::panic)] // evaluated by the compiler only
const fn digit(character: u8) -> u8 {
    match character {
        b'0'..=b'9' => character - b'0',
        b'a'..=b'f' => character - b'a' + 10,
        _ => panic!("a hex digit"),
    }
}
