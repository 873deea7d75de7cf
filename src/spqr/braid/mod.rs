//! The ML-KEM Braid: ML-KEM-768 in 32-byte chunks on ordinary messages, one secret per epoch, spec 10 §3.
//!
//! | file | states | who |
//! |---|---|---|
//! | [`ek`] | KeysUnsampled, KeysSampled, HeaderSent, Ct1Received, EkSentCt1Received | generated the key pair |
//! | [`ct`] | NoHeaderReceived, HeaderReceived, Ct1Sampled, EkReceivedCt1Sampled, Ct1Acknowledged, Ct2Sampled | encapsulates |
//!
//! A state is a type that holds exactly what the state has. A call is prepared against the shared
//! state and gives a step, which holds only what is new; applying the step moves the rest.

pub(super) mod ct;
pub(super) mod ek;

use alloc::boxed::Box;

use crate::crypto::kem::split768::{CT1, EK, HEADER};
use crate::secret::Secret;

use super::authenticator::{self, Authenticator};
use super::erasure::{CT2_ROWS, Chunk, Encoder, Row};
use super::error::SpqrError;
use super::limits::Direction;
use super::message::Payload;
use ct::{CtSide, Encapsulation, NoHeaderReceived};
use ek::{EkSide, KeysSampled, KeysUnsampled};

/// The Braid of one party.
pub(super) struct Braid {
    /// The current epoch `E`, from 1.
    pub(super) epoch: u64,
    pub(super) authenticator: Authenticator,
    pub(super) role: Role,
}

/// The role in the current epoch; roles swap every epoch.
#[allow(clippy::large_enum_variant)] // one allocation a session; the states change places in it
pub(super) enum Role {
    /// Generated, or will generate, this epoch's key pair.
    Ek(EkSide),
    /// Encapsulates to it.
    Ct(CtSide),
}

/// What a send changes.
pub(super) enum SendStep {
    /// Nothing.
    Stay,
    /// The stream of this state's encoder goes on.
    Advance(EncoderStep),
    /// → KeysSampled.
    KeysSampled(Box<KeysSampled>),
    /// → Ct1Sampled, with the encapsulation and the updated authenticator.
    Ct1Sampled(Box<Encapsulation>, Ct1Encoder, Box<Authenticator>),
}

/// Encoder over `header || MAC`.
pub(super) type HeaderEncoder = Encoder<{ super::erasure::HEADER_ROWS }>;
/// Encoder over `ek`.
pub(super) type EkEncoder = Encoder<{ super::erasure::EK_ROWS }>;
/// Encoder over `ct1`.
pub(super) type Ct1Encoder = Encoder<{ super::erasure::CT1_ROWS }>;
/// Encoder over `ct2 || MAC`.
pub(super) type Ct2Encoder = Encoder<CT2_ROWS>;

/// The encoder of the current state, one chunk further.
#[derive(Clone, Copy)]
pub(super) enum EncoderStep {
    Header(HeaderEncoder),
    Ek(EkEncoder),
    Ct1(Ct1Encoder),
    Ct2(Ct2Encoder),
}

/// What a send gives besides its step.
pub(super) struct Sent {
    pub(super) payload: Payload,
    pub(super) step: SendStep,
    /// The epoch secret of the current epoch, when this send made it.
    pub(super) secret: Option<Secret<32>>,
}

/// What a receive changes.
pub(super) enum ReceiveStep {
    /// Nothing.
    Stay,
    /// A chunk for this state's decoder.
    Absorb(Chunk),
    /// KeysSampled → HeaderSent, with the first chunk of `ct1`.
    HeaderSent(Chunk),
    /// HeaderSent → Ct1Received.
    Ct1Received(Box<[u8; CT1]>),
    /// Ct1Received → EkSentCt1Received, with the first chunk of `ct2`.
    EkSentCt1Received(Chunk),
    /// EkSentCt1Received → NoHeaderReceived of the next epoch.
    NoHeaderReceived(u64, Box<Authenticator>),
    /// NoHeaderReceived → HeaderReceived.
    HeaderReceived([u8; HEADER]),
    /// Ct1Sampled → EkReceivedCt1Sampled.
    EkReceivedCt1Sampled(Box<[u8; EK]>),
    /// Ct1Sampled → Ct1Acknowledged, with a chunk of `ek`.
    Ct1Acknowledged(Chunk),
    /// Any state that has `ek` and the acknowledgement → Ct2Sampled, with `ct2 || MAC`.
    Ct2Sampled(Box<[Row; CT2_ROWS]>),
    /// Ct2Sampled → KeysUnsampled of the next epoch.
    KeysUnsampled(u64),
}

/// What a receive gives besides its step: the epoch secret of the current epoch, when complete.
pub(super) type Received = (ReceiveStep, Option<Secret<32>>);

impl Braid {
    /// The start of epoch 1: the initiator is the EK side.
    pub(super) fn new(direction: Direction, auth_key: &Secret<32>) -> Self {
        let role = match direction {
            Direction::A2B => Role::Ek(EkSide::KeysUnsampled(KeysUnsampled)),
            Direction::B2A => Role::Ct(CtSide::NoHeaderReceived(NoHeaderReceived::new())),
        };
        Self { epoch: 1, authenticator: Authenticator::new(auth_key), role }
    }

    /// Prepares a send (§3.1).
    ///
    /// # Errors
    ///
    /// [`SpqrError::ErroneousData`] if the library refuses a stored header.
    pub(super) fn prepare_send(
        &self,
        rng: &mut impl rand_core::CryptoRng,
    ) -> Result<Sent, SpqrError> {
        match &self.role {
            Role::Ek(side) => Ok(side.prepare_send(self.epoch, &self.authenticator, rng)),
            Role::Ct(side) => side.prepare_send(self.epoch, &self.authenticator, rng),
        }
    }

    /// Applies a prepared send. A step that is not of the current state changes nothing.
    pub(super) fn apply_send(&mut self, step: SendStep) {
        match step {
            SendStep::Stay => {}
            SendStep::Advance(step) => match &mut self.role {
                Role::Ek(side) => side.advance(step),
                Role::Ct(side) => side.advance(step),
            },
            SendStep::KeysSampled(state) => {
                if let Role::Ek(side @ EkSide::KeysUnsampled(_)) = &mut self.role {
                    *side = EkSide::KeysSampled(*state);
                }
            }
            SendStep::Ct1Sampled(encapsulation, encoder, authenticator) => {
                if let Role::Ct(side) = &mut self.role
                    && side.sampled(encapsulation, encoder)
                {
                    self.authenticator = *authenticator;
                }
            }
        }
    }

    /// Prepares a receive (§3.2).
    ///
    /// # Errors
    ///
    /// [`SpqrError::EpochOutOfRange`], [`SpqrError::MacVerifyFailed`], [`SpqrError::ErroneousData`],
    /// [`SpqrError::Exhausted`].
    pub(super) fn prepare_receive(
        &self,
        epoch: u64,
        payload: &Payload,
    ) -> Result<Received, SpqrError> {
        // e < E: nothing
        if epoch < self.epoch {
            return Ok((ReceiveStep::Stay, None));
        }
        // e > E: only Ct2Sampled accepts E + 1, whatever the payload
        if epoch > self.epoch {
            let next = self.epoch.checked_add(1);
            return match &self.role {
                Role::Ct(CtSide::Ct2Sampled(_)) if next == Some(epoch) => {
                    Ok((ReceiveStep::KeysUnsampled(epoch), None))
                }
                _ => Err(SpqrError::EpochOutOfRange(epoch)),
            };
        }
        // e = E
        match &self.role {
            Role::Ek(side) => side.prepare_receive(self.epoch, &self.authenticator, payload),
            Role::Ct(side) => {
                let step = side.prepare_receive(self.epoch, &self.authenticator, payload)?;
                Ok((step, None))
            }
        }
    }

    /// Applies a prepared receive. A step that is not of the current state changes nothing.
    pub(super) fn apply_receive(&mut self, step: ReceiveStep) {
        match (&mut self.role, step) {
            (_, ReceiveStep::Stay) => {}
            // The two steps into the other role, and the next epoch.
            (
                role @ Role::Ek(EkSide::EkSentCt1Received(_)),
                ReceiveStep::NoHeaderReceived(epoch, authenticator),
            ) => {
                *role = Role::Ct(CtSide::NoHeaderReceived(NoHeaderReceived::new()));
                self.epoch = epoch;
                self.authenticator = *authenticator;
            }
            (role @ Role::Ct(CtSide::Ct2Sampled(_)), ReceiveStep::KeysUnsampled(epoch)) => {
                *role = Role::Ek(EkSide::KeysUnsampled(KeysUnsampled));
                self.epoch = epoch;
            }
            (Role::Ek(side), step) => side.apply_receive(step),
            (Role::Ct(side), step) => side.apply_receive(step),
        }
    }

    /// The state's name in spec 10 §3.
    pub(super) const fn state_name(&self) -> &'static str {
        match &self.role {
            Role::Ek(side) => side.name(),
            Role::Ct(side) => side.name(),
        }
    }
}

/// Splits `rows` of a decoded message into a body of `B` bytes and its MAC.
fn split_mac<const B: usize>(
    rows: &[Row],
) -> Result<([u8; B], [u8; authenticator::MAC]), SpqrError> {
    let (body, rest) =
        rows.as_flattened().split_first_chunk::<B>().ok_or(SpqrError::StateDecode)?;
    let mac = rest.first_chunk().ok_or(SpqrError::StateDecode)?;
    Ok((*body, *mac))
}

/// `body || mac` as rows.
fn join_mac<const N: usize>(body: &[u8], mac: &Secret<{ authenticator::MAC }>) -> [Row; N] {
    let mut rows = [[0; super::erasure::CHUNK]; N];
    for (to, from) in rows.as_flattened_mut().iter_mut().zip(body.iter().chain(mac.expose())) {
        *to = *from;
    }
    rows
}
