//! The padding of a message's body, below which the cipher has a padding of its own (spec 20 §5, spec 09 §3).

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::error::Error;

/// The most bytes that the WhatsApp family appends.
const WHATSAPP_MAX: u8 = 16;
/// Signal's bodies are one byte short of a multiple of this.
const SIGNAL_BLOCK: usize = 80;
/// What ends the body in Signal's padding; zeros follow.
const SIGNAL_END: u8 = 0x80;

/// How a body is padded before it is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Padding {
    /// `n` bytes of value `n`, 1 to 16 of them (spec 20 §5): for `pkmsg`, `msg` and `skmsg` with `v="2"`.
    WhatsApp,
    /// `0x80`, then zeros up to one byte short of a multiple of 80 (spec 09 §3).
    Signal,
    /// None: `v="3"`, `msmsg` (spec 20 §5).
    None,
}

impl Padding {
    /// The body with its padding, in a buffer of exactly its size. Draws one byte for
    /// [`WhatsApp`](Self::WhatsApp), nothing otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when no buffer can be that long.
    pub fn pad(self, body: &[u8], rng: &mut impl CryptoRng) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (total, first, rest) = match self {
            // n uniform in 1..16; n bytes, each n
            Self::WhatsApp => {
                let mut byte = [0];
                rng.fill_bytes(&mut byte);
                let n = (byte[0] % WHATSAPP_MAX).saturating_add(1);
                (body.len().checked_add(usize::from(n)), n, n)
            }
            // 80 * ceil((len + 2) / 80) - 1
            Self::Signal => {
                let blocks = body.len().checked_add(2).map(|n| n.div_ceil(SIGNAL_BLOCK));
                let total =
                    blocks.and_then(|n| n.checked_mul(SIGNAL_BLOCK)).map(|n| n.saturating_sub(1));
                (total, SIGNAL_END, 0)
            }
            Self::None => (Some(body.len()), 0, 0),
        };
        let total = total.filter(|&n| isize::try_from(n).is_ok()).ok_or(Error::InvalidArgument)?;
        let mut out = Zeroizing::new(Vec::with_capacity(total));
        out.extend_from_slice(body);
        if total > body.len() {
            out.push(first);
        }
        out.resize(total, rest);
        Ok(out)
    }

    /// The body without its padding. Only for what has been authenticated: what it answers tells about the
    /// plaintext.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the padding is not one that [`pad`](Self::pad) makes. Of Signal's the length is
    /// not checked: other senders pad to other multiples.
    pub fn unpad(self, padded: &[u8]) -> Result<&[u8], Error> {
        match self {
            Self::WhatsApp => {
                let (&n, _) = padded.split_last().ok_or(Error::Rejected)?;
                if !(1..=WHATSAPP_MAX).contains(&n) {
                    return Err(Error::Rejected);
                }
                let at = padded.len().checked_sub(usize::from(n)).ok_or(Error::Rejected)?;
                let (body, padding) = padded.split_at_checked(at).ok_or(Error::Rejected)?;
                padding.iter().all(|&byte| byte == n).then_some(body).ok_or(Error::Rejected)
            }
            Self::Signal => {
                let last = padded.iter().rposition(|&byte| byte != 0).ok_or(Error::Rejected)?;
                match padded.get(..=last).and_then(<[u8]>::split_last) {
                    Some((&SIGNAL_END, body)) => Ok(body),
                    _ => Err(Error::Rejected),
                }
            }
            Self::None => Ok(padded),
        }
    }
}
