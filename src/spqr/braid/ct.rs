//! The CT side: receives the key, encapsulates, sends the ciphertext, spec 10 §3, states 6 to 11.

use alloc::boxed::Box;
use core::mem;

use subtle::{Choice, ConstantTimeEq};

use crate::crypto::kem;
use crate::crypto::kem::split768::{CT1, EK, ES, HEADER};
use crate::secret::Secret;

use super::super::authenticator::{self, Authenticator};
use super::super::erasure::{CT2_ROWS, Decoder, EK_ROWS, HEADER_ROWS, Row};
use super::super::error::SpqrError;
use super::super::message::Payload;
use super::{
    Ct1Encoder, Ct2Encoder, EncoderStep, ReceiveStep, SendStep, Sent, join_mac, split_mac,
};

/// The states of the CT side.
pub(in crate::spqr) enum CtSide {
    /// 6: receives the header.
    NoHeaderReceived(NoHeaderReceived),
    /// 7: the next send encapsulates.
    HeaderReceived(HeaderReceived),
    /// 8: sends `ct1`, receives `ek`.
    Ct1Sampled(Ct1Sampled),
    /// 9: has `ek`; sends `ct1` until it is acknowledged.
    EkReceivedCt1Sampled(EkReceivedCt1Sampled),
    /// 10: the peer has `ct1`; receives `ek`.
    Ct1Acknowledged(Ct1Acknowledged),
    /// 11: sends `ct2`.
    Ct2Sampled(Ct2Sampled),
}

/// State 6.
pub(in crate::spqr) struct NoHeaderReceived {
    /// Of `header || MAC`.
    pub(in crate::spqr) decoder: Decoder<HEADER_ROWS>,
}

impl NoHeaderReceived {
    pub(super) const fn new() -> Self {
        Self { decoder: Decoder::new() }
    }
}

/// State 7.
pub(in crate::spqr) struct HeaderReceived {
    pub(in crate::spqr) header: [u8; HEADER],
    /// Of `ek`.
    pub(in crate::spqr) decoder: Decoder<EK_ROWS>,
}

/// State 8.
pub(in crate::spqr) struct Ct1Sampled {
    pub(in crate::spqr) header: [u8; HEADER],
    pub(in crate::spqr) encapsulation: Box<Encapsulation>,
    /// Over `ct1`.
    pub(in crate::spqr) encoder: Ct1Encoder,
    /// Of `ek`.
    pub(in crate::spqr) decoder: Decoder<EK_ROWS>,
}

/// State 9.
pub(in crate::spqr) struct EkReceivedCt1Sampled {
    /// Absent in an imported state: the official encoding does not keep it here.
    pub(in crate::spqr) header: Option<[u8; HEADER]>,
    pub(in crate::spqr) encapsulation: Box<Encapsulation>,
    /// Over `ct1`.
    pub(in crate::spqr) encoder: Ct1Encoder,
    pub(in crate::spqr) ek: Box<[u8; EK]>,
}

/// State 10.
pub(in crate::spqr) struct Ct1Acknowledged {
    pub(in crate::spqr) header: [u8; HEADER],
    pub(in crate::spqr) encapsulation: Box<Encapsulation>,
    /// Of `ek`.
    pub(in crate::spqr) decoder: Decoder<EK_ROWS>,
}

/// State 11.
pub(in crate::spqr) struct Ct2Sampled {
    /// `ct2 || MAC`.
    pub(in crate::spqr) message: Box<[Row; CT2_ROWS]>,
    pub(in crate::spqr) encoder: Ct2Encoder,
}

/// What encapsulation leaves behind until `ek` is there.
pub(in crate::spqr) struct Encapsulation {
    /// The encapsulation state; its last 32 bytes are `m`. Of either byte order if imported.
    pub(in crate::spqr) es: Box<Secret<ES>>,
    pub(in crate::spqr) ct1: Box<[u8; CT1]>,
    /// Whether `es` and `ct1` are what [`kem::split_encapsulate1`] makes of the header and `m`.
    pub(in crate::spqr) reproducible: bool,
}

impl Encapsulation {
    /// `encaps1(header, m)`, and the shared secret.
    ///
    /// # Errors
    ///
    /// [`SpqrError::ErroneousData`] if the library refuses the header.
    pub(in crate::spqr) fn new(
        header: &[u8; HEADER],
        m: &Secret<32>,
    ) -> Result<(Self, Secret<32>), SpqrError> {
        let (ct1, es, shared) =
            kem::split_encapsulate1(header, m).map_err(|_| SpqrError::ErroneousData)?;
        Ok((Self { es, ct1, reproducible: true }, shared))
    }

    /// `m`.
    pub(in crate::spqr) fn m(&self) -> Secret<32> {
        Secret::new(self.es.expose().last_chunk().copied().unwrap_or([0; 32]))
    }

    /// `ct1`, as rows.
    pub(in crate::spqr) fn ct1_rows(&self) -> &[Row] {
        self.ct1.as_chunks().0
    }

    /// `ct2 || MAC` of epoch `E`.
    fn finish(
        &self,
        ek: &[u8; EK],
        epoch: u64,
        authenticator: &Authenticator,
    ) -> Box<[Row; CT2_ROWS]> {
        let ct2 = match swapped(&self.es) {
            None => kem::split_encapsulate2(&self.es, ek),
            Some(es) => kem::split_encapsulate2(&es, ek),
        };
        Box::new(join_mac(&ct2, &authenticator.ciphertext_mac(epoch, &self.ct1, &ct2)))
    }
}

/// The byte-order repair of spec 10 §4: `es` in little-endian order if it was stored big-endian.
///
/// The order is read off `e2`, a secret: every word is looked at, and only the verdict, which tells
/// what machine wrote the state, decides what is done.
pub(in crate::spqr) fn swapped(es: &Secret<ES>) -> Option<Box<Secret<ES>>> {
    const E2: core::ops::Range<usize> = 1536..2048;
    let mut undecided = Choice::from(1);
    let mut big_endian = Choice::from(0);
    for word in es.expose().get(E2)?.as_chunks::<2>().0 {
        let word = u16::from_le_bytes(*word);
        let is = |value: u16| word.ct_eq(&value);
        // 0 and -1 read the same in both orders; of 1, 2 and -2 the first one decides.
        big_endian |= undecided & (is(0x0100) | is(0x0200) | is(0xfeff));
        undecided &= is(0x0000) | is(0xffff);
    }
    if !bool::from(big_endian) {
        return None;
    }
    let mut repaired = Box::new(es.duplicate());
    for word in repaired.expose_mut().get_mut(..E2.end)?.as_chunks_mut::<2>().0 {
        word.reverse();
    }
    Some(repaired)
}

impl CtSide {
    pub(super) fn prepare_send(
        &self,
        epoch: u64,
        authenticator: &Authenticator,
        rng: &mut impl rand_core::CryptoRng,
    ) -> Result<Sent, SpqrError> {
        let (payload, step) = match self {
            Self::NoHeaderReceived(_) | Self::Ct1Acknowledged(_) => (Payload::None, SendStep::Stay),
            Self::HeaderReceived(state) => return state.encapsulate(epoch, authenticator, rng),
            Self::Ct1Sampled(state) => {
                let (chunk, after) = state.encoder.next(state.encapsulation.ct1_rows());
                (Payload::Ct1(chunk), SendStep::Advance(EncoderStep::Ct1(after)))
            }
            Self::EkReceivedCt1Sampled(state) => {
                let (chunk, after) = state.encoder.next(state.encapsulation.ct1_rows());
                (Payload::Ct1(chunk), SendStep::Advance(EncoderStep::Ct1(after)))
            }
            Self::Ct2Sampled(state) => {
                let (chunk, after) = state.encoder.next(state.message.as_slice());
                (Payload::Ct2(chunk), SendStep::Advance(EncoderStep::Ct2(after)))
            }
        };
        Ok(Sent { payload, step, secret: None })
    }

    pub(super) fn advance(&mut self, step: EncoderStep) {
        match (self, step) {
            (Self::Ct1Sampled(state), EncoderStep::Ct1(after)) => state.encoder = after,
            (Self::EkReceivedCt1Sampled(state), EncoderStep::Ct1(after)) => state.encoder = after,
            (Self::Ct2Sampled(state), EncoderStep::Ct2(after)) => state.encoder = after,
            _ => {}
        }
    }

    /// HeaderReceived → Ct1Sampled; whether that was the state.
    pub(super) fn sampled(
        &mut self,
        encapsulation: Box<Encapsulation>,
        encoder: Ct1Encoder,
    ) -> bool {
        let Self::HeaderReceived(state) = self else { return false };
        let (header, decoder) = (state.header, state.decoder.clone());
        *self = Self::Ct1Sampled(Ct1Sampled { header, encapsulation, encoder, decoder });
        true
    }

    pub(super) fn prepare_receive(
        &self,
        epoch: u64,
        authenticator: &Authenticator,
        payload: &Payload,
    ) -> Result<ReceiveStep, SpqrError> {
        match (self, payload) {
            (Self::NoHeaderReceived(state), Payload::Hdr(chunk)) => {
                let Some(rows) = state.decoder.complete(chunk) else {
                    return Ok(ReceiveStep::Absorb(*chunk));
                };
                let (header, mac) = split_mac::<HEADER>(&rows)?;
                authenticator::verify(&authenticator.header_mac(epoch, &header), &mac)?;
                Ok(ReceiveStep::HeaderReceived(header))
            }
            (Self::Ct1Sampled(state), Payload::Ek(chunk)) => {
                let Some(rows) = state.decoder.complete(chunk) else {
                    return Ok(ReceiveStep::Absorb(*chunk));
                };
                Ok(ReceiveStep::EkReceivedCt1Sampled(checked_ek(&state.header, &rows)?))
            }
            (Self::Ct1Sampled(state), Payload::EkCt1Ack(chunk)) => {
                let Some(rows) = state.decoder.complete(chunk) else {
                    return Ok(ReceiveStep::Ct1Acknowledged(*chunk));
                };
                let ek = checked_ek(&state.header, &rows)?;
                Ok(ReceiveStep::Ct2Sampled(state.encapsulation.finish(&ek, epoch, authenticator)))
            }
            (Self::EkReceivedCt1Sampled(state), Payload::Ct1Ack | Payload::EkCt1Ack(_)) => {
                let message = state.encapsulation.finish(&state.ek, epoch, authenticator);
                Ok(ReceiveStep::Ct2Sampled(message))
            }
            (Self::Ct1Acknowledged(state), Payload::Ek(chunk) | Payload::EkCt1Ack(chunk)) => {
                let Some(rows) = state.decoder.complete(chunk) else {
                    return Ok(ReceiveStep::Absorb(*chunk));
                };
                let ek = checked_ek(&state.header, &rows)?;
                Ok(ReceiveStep::Ct2Sampled(state.encapsulation.finish(&ek, epoch, authenticator)))
            }
            _ => Ok(ReceiveStep::Stay),
        }
    }

    pub(super) fn apply_receive(&mut self, step: ReceiveStep) {
        match (&mut *self, &step) {
            (Self::NoHeaderReceived(state), ReceiveStep::Absorb(chunk)) => {
                state.decoder.absorb(chunk);
            }
            (Self::Ct1Sampled(state), ReceiveStep::Absorb(chunk)) => state.decoder.absorb(chunk),
            (Self::Ct1Acknowledged(state), ReceiveStep::Absorb(chunk)) => {
                state.decoder.absorb(chunk);
            }
            _ => {
                let before = mem::replace(self, Self::NoHeaderReceived(NoHeaderReceived::new()));
                *self = before.moved(step);
            }
        }
    }

    /// The state after a step that moves to another state of this side.
    fn moved(self, step: ReceiveStep) -> Self {
        match (self, step) {
            (Self::NoHeaderReceived(_), ReceiveStep::HeaderReceived(header)) => {
                Self::HeaderReceived(HeaderReceived { header, decoder: Decoder::new() })
            }
            (Self::Ct1Sampled(state), ReceiveStep::EkReceivedCt1Sampled(ek)) => {
                Self::EkReceivedCt1Sampled(EkReceivedCt1Sampled {
                    header: Some(state.header),
                    encapsulation: state.encapsulation,
                    encoder: state.encoder,
                    ek,
                })
            }
            (Self::Ct1Sampled(state), ReceiveStep::Ct1Acknowledged(chunk)) => {
                let mut decoder = state.decoder;
                decoder.absorb(&chunk);
                let (header, encapsulation) = (state.header, state.encapsulation);
                Self::Ct1Acknowledged(Ct1Acknowledged { header, encapsulation, decoder })
            }
            (
                Self::Ct1Sampled(_) | Self::EkReceivedCt1Sampled(_) | Self::Ct1Acknowledged(_),
                ReceiveStep::Ct2Sampled(message),
            ) => Self::Ct2Sampled(Ct2Sampled { message, encoder: Ct2Encoder::new() }),
            (before, _) => before,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::NoHeaderReceived(_) => "NoHeaderReceived",
            Self::HeaderReceived(_) => "HeaderReceived",
            Self::Ct1Sampled(_) => "Ct1Sampled",
            Self::EkReceivedCt1Sampled(_) => "EkReceivedCt1Sampled",
            Self::Ct1Acknowledged(_) => "Ct1Acknowledged",
            Self::Ct2Sampled(_) => "Ct2Sampled",
        }
    }
}

impl HeaderReceived {
    /// Encapsulates: `ct1`'s first chunk and the epoch secret.
    fn encapsulate(
        &self,
        epoch: u64,
        authenticator: &Authenticator,
        rng: &mut impl rand_core::CryptoRng,
    ) -> Result<Sent, SpqrError> {
        // 32 random bytes m in one request
        let m = Secret::random(rng);
        let (encapsulation, shared) = Encapsulation::new(&self.header, &m)?;
        let secret = authenticator::epoch_secret(epoch, &shared);
        let updated = Box::new(authenticator.updated(epoch, &secret));
        let (chunk, encoder) = Ct1Encoder::new().next(encapsulation.ct1_rows());
        let step = SendStep::Ct1Sampled(Box::new(encapsulation), encoder, updated);
        Ok(Sent { payload: Payload::Ct1(chunk), step, secret: Some(secret) })
    }
}

/// `ek`, checked against the header: its hash fits and every coefficient is reduced.
fn checked_ek(header: &[u8; HEADER], rows: &[Row; EK_ROWS]) -> Result<Box<[u8; EK]>, SpqrError> {
    let ek = rows.as_flattened().first_chunk().ok_or(SpqrError::StateDecode)?;
    if kem::split_validate(header, ek) { Ok(Box::new(*ek)) } else { Err(SpqrError::ErroneousData) }
}
