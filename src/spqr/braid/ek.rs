//! The EK side: generates the key pair, sends it, receives the ciphertext, spec 10 §3, states 1 to 5.

use alloc::boxed::Box;
use core::mem;

use crate::crypto::kem;
use crate::crypto::kem::split768::{CT1, CT2, DK, EK, EK_AT, HEADER, HEADER_AT};
use crate::secret::Secret;

use super::super::authenticator::{self, Authenticator};
use super::super::erasure::{CT1_ROWS, CT2_ROWS, Decoder, HEADER_ROWS, Row};
use super::super::error::SpqrError;
use super::super::message::Payload;
use super::{
    EkEncoder, EncoderStep, HeaderEncoder, ReceiveStep, Received, SendStep, Sent, join_mac,
    split_mac,
};

/// The states of the EK side.
#[allow(clippy::large_enum_variant)] // as its parent
pub(in crate::spqr) enum EkSide {
    /// 1: the next send generates the key pair.
    KeysUnsampled(KeysUnsampled),
    /// 2: sends the header.
    KeysSampled(KeysSampled),
    /// 3: the peer has the header; sends `ek`, receives `ct1`.
    HeaderSent(HeaderSent),
    /// 4: sends `ek` and acknowledges `ct1`.
    Ct1Received(Ct1Received),
    /// 5: the peer has `ek`; receives `ct2`.
    EkSentCt1Received(EkSentCt1Received),
}

/// State 1.
pub(in crate::spqr) struct KeysUnsampled;

/// State 2.
pub(in crate::spqr) struct KeysSampled {
    pub(in crate::spqr) keys: Box<KeyPair>,
    /// `header || MAC`.
    pub(in crate::spqr) message: [Row; HEADER_ROWS],
    pub(in crate::spqr) encoder: HeaderEncoder,
}

impl KeysSampled {
    /// The state after an encoder over the key pair's header in epoch `E`.
    pub(in crate::spqr) fn new(
        keys: Box<KeyPair>,
        epoch: u64,
        authenticator: &Authenticator,
    ) -> Self {
        let header = keys.header();
        let message = join_mac(&header, &authenticator.header_mac(epoch, &header));
        Self { keys, message, encoder: HeaderEncoder::new() }
    }
}

/// State 3.
pub(in crate::spqr) struct HeaderSent {
    pub(in crate::spqr) keys: Box<KeyPair>,
    /// Over `ek`.
    pub(in crate::spqr) encoder: EkEncoder,
    /// Of `ct1`.
    pub(in crate::spqr) decoder: Decoder<CT1_ROWS>,
}

/// State 4.
pub(in crate::spqr) struct Ct1Received {
    pub(in crate::spqr) keys: Box<KeyPair>,
    /// Over `ek`.
    pub(in crate::spqr) encoder: EkEncoder,
    pub(in crate::spqr) ct1: Box<[u8; CT1]>,
}

/// State 5.
pub(in crate::spqr) struct EkSentCt1Received {
    pub(in crate::spqr) keys: Box<KeyPair>,
    pub(in crate::spqr) ct1: Box<[u8; CT1]>,
    /// Of `ct2 || MAC`.
    pub(in crate::spqr) decoder: Decoder<CT2_ROWS>,
}

/// An ML-KEM-768 key pair, with the seed if this library made it.
pub(in crate::spqr) struct KeyPair {
    /// `d || z`; absent in a state that was imported from another implementation.
    pub(in crate::spqr) seed: Option<Secret<64>>,
    /// The expanded key, which holds `ek` and `header`.
    pub(in crate::spqr) dk: Box<Secret<DK>>,
}

impl KeyPair {
    /// The key pair of a seed.
    pub(in crate::spqr) fn from_seed(seed: Secret<64>) -> Self {
        Self { dk: kem::split_generate(&seed), seed: Some(seed) }
    }

    /// `rho || H(ek)`.
    pub(in crate::spqr) fn header(&self) -> [u8; HEADER] {
        let (_, rest) = self.dk.expose().split_at(HEADER_AT);
        rest.first_chunk().copied().unwrap_or([0; HEADER])
    }

    /// `ek`, as rows.
    pub(in crate::spqr) fn ek_rows(&self) -> &[Row] {
        let (_, rest) = self.dk.expose().split_at(EK_AT);
        rest.first_chunk::<EK>().map_or(&[], |ek| ek.as_chunks().0)
    }
}

impl EkSide {
    pub(super) fn prepare_send(
        &self,
        epoch: u64,
        authenticator: &Authenticator,
        rng: &mut impl rand_core::CryptoRng,
    ) -> Sent {
        let (payload, step) = match self {
            Self::KeysUnsampled(_) => {
                // 64 random bytes d || z in one request
                let keys = Box::new(KeyPair::from_seed(Secret::random(rng)));
                let mut state = Box::new(KeysSampled::new(keys, epoch, authenticator));
                let (chunk, after) = state.encoder.next(&state.message);
                state.encoder = after;
                (Payload::Hdr(chunk), SendStep::KeysSampled(state))
            }
            Self::KeysSampled(state) => {
                let (chunk, after) = state.encoder.next(&state.message);
                (Payload::Hdr(chunk), SendStep::Advance(EncoderStep::Header(after)))
            }
            Self::HeaderSent(state) => {
                let (chunk, after) = state.encoder.next(state.keys.ek_rows());
                (Payload::Ek(chunk), SendStep::Advance(EncoderStep::Ek(after)))
            }
            Self::Ct1Received(state) => {
                let (chunk, after) = state.encoder.next(state.keys.ek_rows());
                (Payload::EkCt1Ack(chunk), SendStep::Advance(EncoderStep::Ek(after)))
            }
            Self::EkSentCt1Received(_) => (Payload::Ct1Ack, SendStep::Stay),
        };
        Sent { payload, step, secret: None }
    }

    pub(super) fn advance(&mut self, step: EncoderStep) {
        match (self, step) {
            (Self::KeysSampled(state), EncoderStep::Header(after)) => state.encoder = after,
            (Self::HeaderSent(state), EncoderStep::Ek(after)) => state.encoder = after,
            (Self::Ct1Received(state), EncoderStep::Ek(after)) => state.encoder = after,
            _ => {}
        }
    }

    pub(super) fn prepare_receive(
        &self,
        epoch: u64,
        authenticator: &Authenticator,
        payload: &Payload,
    ) -> Result<Received, SpqrError> {
        let step = match (self, payload) {
            (Self::KeysSampled(_), Payload::Ct1(chunk)) => ReceiveStep::HeaderSent(*chunk),
            (Self::HeaderSent(state), Payload::Ct1(chunk)) => match state.decoder.complete(chunk) {
                None => ReceiveStep::Absorb(*chunk),
                Some(rows) => {
                    let ct1 = rows.as_flattened().first_chunk().ok_or(SpqrError::StateDecode)?;
                    ReceiveStep::Ct1Received(Box::new(*ct1))
                }
            },
            (Self::Ct1Received(_), Payload::Ct2(chunk)) => ReceiveStep::EkSentCt1Received(*chunk),
            (Self::EkSentCt1Received(state), Payload::Ct2(chunk)) => {
                match state.decoder.complete(chunk) {
                    None => ReceiveStep::Absorb(*chunk),
                    Some(rows) => return state.decapsulate(epoch, authenticator, &rows),
                }
            }
            _ => ReceiveStep::Stay,
        };
        Ok((step, None))
    }

    pub(super) fn apply_receive(&mut self, step: ReceiveStep) {
        match (&mut *self, &step) {
            (Self::HeaderSent(state), ReceiveStep::Absorb(chunk)) => state.decoder.absorb(chunk),
            (Self::EkSentCt1Received(state), ReceiveStep::Absorb(chunk)) => {
                state.decoder.absorb(chunk);
            }
            _ => {
                let before = mem::replace(self, Self::KeysUnsampled(KeysUnsampled));
                *self = before.moved(step);
            }
        }
    }

    /// The state after a step that moves to another state of this side.
    fn moved(self, step: ReceiveStep) -> Self {
        match (self, step) {
            (Self::KeysSampled(state), ReceiveStep::HeaderSent(chunk)) => {
                Self::HeaderSent(HeaderSent {
                    keys: state.keys,
                    encoder: EkEncoder::new(),
                    decoder: Decoder::with(&chunk),
                })
            }
            (Self::HeaderSent(state), ReceiveStep::Ct1Received(ct1)) => {
                Self::Ct1Received(Ct1Received { keys: state.keys, encoder: state.encoder, ct1 })
            }
            (Self::Ct1Received(state), ReceiveStep::EkSentCt1Received(chunk)) => {
                Self::EkSentCt1Received(EkSentCt1Received {
                    keys: state.keys,
                    ct1: state.ct1,
                    decoder: Decoder::with(&chunk),
                })
            }
            (before, _) => before,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::KeysUnsampled(_) => "KeysUnsampled",
            Self::KeysSampled(_) => "KeysSampled",
            Self::HeaderSent(_) => "HeaderSent",
            Self::Ct1Received(_) => "Ct1Received",
            Self::EkSentCt1Received(_) => "EkSentCt1Received",
        }
    }
}

impl EkSentCt1Received {
    /// `ct2 || MAC` is complete: the epoch secret, and the next epoch as CT side.
    fn decapsulate(
        &self,
        epoch: u64,
        authenticator: &Authenticator,
        rows: &[Row; CT2_ROWS],
    ) -> Result<Received, SpqrError> {
        let (ct2, mac) = split_mac::<CT2>(rows)?;
        let next = epoch.checked_add(1).ok_or(SpqrError::Exhausted)?;
        let shared = kem::split_decapsulate(&self.keys.dk, &self.ct1, &ct2);
        let secret = authenticator::epoch_secret(epoch, &shared);
        let updated = authenticator.updated(epoch, &secret);
        authenticator::verify(&updated.ciphertext_mac(epoch, &self.ct1, &ct2), &mac)?;
        Ok((ReceiveStep::NoHeaderReceived(next, Box::new(updated)), Some(secret)))
    }
}
