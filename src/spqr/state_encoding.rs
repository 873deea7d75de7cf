//! The official stored state, a protobuf, spec 10 §10: import at any step, and export that is
//! byte-identical to what the reference would have stored.
//!
//! What the encoding says twice must agree, and what it leaves open but no honest party writes (more
//! chunks than a decoder can hold, lanes with different points, a chain set of four epochs) is
//! refused: [`SpqrError::StateDecode`].

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::crypto::kem::split768::{CT1, DK, EK, ES, HEADER};
use crate::secret::Secret;
use crate::store::pages::Pages;
use crate::wire::reader::{Reader, Value};
use crate::wire::writer::{self, Writer};

use super::authenticator::Authenticator;
use super::braid::ct::{
    Ct1Acknowledged, Ct1Sampled, Ct2Sampled, CtSide, EkReceivedCt1Sampled, Encapsulation,
    HeaderReceived, NoHeaderReceived,
};
use super::braid::ek::{
    Ct1Received, EkSentCt1Received, EkSide, HeaderSent, KeyPair, KeysSampled, KeysUnsampled,
};
use super::braid::{Braid, Role};
use super::chain::{Chain, ChainSet, Link};
use super::erasure::{CHUNK, Chunk, Decoder, Encoder, Row, coefficients, evaluate_coefficients};
use super::error::SpqrError;
use super::gf16::LANES;
use super::limits::{Direction, Limits, Version};
use super::negotiation::Negotiation;
use super::skipped::SkippedKeys;
use super::{Active, Keys, Spqr};

/// Links that a chain set can hold: one before the send epoch, the send epoch, one after.
pub(super) const MAX_LINKS: usize = 3;

/// Length of a stored skipped key: `BE32(index) || key`.
const SKIPPED: usize = 36;

impl Spqr {
    /// Reads the state that official implementations store (§10). Empty bytes are V0.
    ///
    /// # Errors
    ///
    /// [`SpqrError::StateDecode`]; [`SpqrError::MessageDecode`] when a decoder is for another length.
    pub fn import_official(state: &[u8]) -> Result<Self, SpqrError> {
        let [negotiation, chains, braid] = fields(state)?;
        // A state without field 3 is V0, whatever else it has.
        let Some(braid) = braid else { return Ok(Self::off()) };
        let negotiation = negotiation.map(read_negotiation).transpose()?;
        let chains = chains.map(read_chain_set).transpose()?;
        let keys = match (negotiation, chains) {
            (Some(negotiation), chains) => Keys::Open(negotiation, chains),
            (None, Some(chains)) => Keys::Settled(chains),
            (None, None) => return Err(SpqrError::StateDecode),
        };
        let braid = read_braid(bytes(Some(braid))?)?;
        Ok(Self(Some(Box::new(Active { revision: 0, keys, braid }))))
    }

    /// The state as official implementations store it (§10): secret bytes, for the caller to wipe.
    #[must_use]
    pub fn export_official(&self) -> Vec<u8> {
        let Some(active) = &self.0 else { return Vec::new() };
        writer::encode(|w| {
            if let Some(open) = active.keys.negotiation() {
                w.message(1, |w| write_negotiation(w, open));
            }
            if let Some(set) = active.keys.chains() {
                w.message(2, |w| write_chain_set(w, set, true));
            }
            w.message(3, |w| write_braid(w, &active.braid));
        })
    }
}

// -- negotiation record and chain set -------------------------------------------------------------

pub(super) fn write_negotiation(w: &mut Writer<'_>, open: &Negotiation) {
    w.bytes(1, open.auth_key.expose());
    w.uint_nonzero(2, direction_number(open.direction));
    w.uint_nonzero(3, u32::from(open.min_version == Version::V1));
    w.message(4, |w| write_limits(w, &open.limits));
}

pub(super) fn read_negotiation(value: Value<'_>) -> Result<Negotiation, SpqrError> {
    let [auth_key, direction, min_version, limits] = fields(bytes(Some(value))?)?;
    Ok(Negotiation {
        auth_key: secret(auth_key)?,
        direction: read_direction(direction)?,
        min_version: match uint64(min_version)? {
            0 => Version::V0,
            1 => Version::V1,
            _ => return Err(SpqrError::StateDecode),
        },
        limits: read_limits(limits)?,
    })
}

/// A value equal to the default is stored as 0.
fn write_limits(w: &mut Writer<'_>, limits: &Limits) {
    let stored = |value: u32, default: u32| if value == default { 0 } else { value };
    w.uint_nonzero(1, stored(limits.max_jump(), Limits::DEFAULT_MAX_JUMP));
    w.uint_nonzero(2, stored(limits.max_out_of_order(), Limits::DEFAULT_MAX_OUT_OF_ORDER));
}

fn read_limits(value: Option<Value<'_>>) -> Result<Limits, SpqrError> {
    let [max_jump, max_out_of_order] = fields(bytes(value)?)?;
    Ok(Limits::new(uint32(max_jump)?, uint32(max_out_of_order)?))
}

const fn direction_number(direction: Direction) -> u32 {
    match direction {
        Direction::A2B => 0,
        Direction::B2A => 1,
    }
}

fn read_direction(value: Option<Value<'_>>) -> Result<Direction, SpqrError> {
    match uint64(value)? {
        0 => Ok(Direction::A2B),
        1 => Ok(Direction::B2A),
        _ => Err(SpqrError::StateDecode),
    }
}

/// Without `skipped` the keys of messages that did not arrive are left out.
pub(super) fn write_chain_set(w: &mut Writer<'_>, set: &ChainSet, skipped: bool) {
    w.uint_nonzero(1, direction_number(set.direction));
    w.uint_nonzero(2, set.current_epoch);
    for link in &set.links {
        w.message(3, |w| {
            w.message(1, |w| write_half(w, &link.send, None));
            w.message(2, |w| write_half(w, &link.receive, skipped.then_some(&link.skipped)));
        });
    }
    w.bytes(4, set.next_root.expose());
    w.uint_nonzero(5, set.send_epoch);
    w.message(6, |w| write_limits(w, &set.limits));
}

fn write_half(w: &mut Writer<'_>, chain: &Chain, skipped: Option<&SkippedKeys>) {
    w.uint_nonzero(1, chain.counter);
    if let Some(next) = &chain.next {
        w.bytes(2, next.expose());
    }
    if let Some(skipped) = skipped.filter(|skipped| skipped.len() > 0) {
        w.delimited(3, skipped.len().saturating_mul(SKIPPED));
        for (index, key) in skipped.iter() {
            w.raw(&index.to_be_bytes());
            w.raw(key);
        }
    }
}

pub(super) fn read_chain_set(value: Value<'_>) -> Result<ChainSet, SpqrError> {
    let encoded = bytes(Some(value))?;
    let [direction, current_epoch, next_root, send_epoch, limits] =
        fields_at(encoded, [1, 2, 4, 5, 6])?;
    let limits = read_limits(limits)?;
    let mut links = Vec::with_capacity(MAX_LINKS.saturating_add(1));
    for link in repeated(encoded, 3) {
        if links.len() == MAX_LINKS {
            return Err(SpqrError::StateDecode);
        }
        links.push(Box::new(read_link(link?, &limits)?));
    }
    let set = ChainSet {
        direction: read_direction(direction)?,
        current_epoch: uint64(current_epoch)?,
        send_epoch: uint64(send_epoch)?,
        links,
        next_root: secret(next_root)?,
        limits,
        dropped: Pages::NONE,
    };
    set.check()?;
    Ok(set)
}

fn read_link(encoded: &[u8], limits: &Limits) -> Result<Link, SpqrError> {
    let [send, receive] = fields(encoded)?;
    let (send, _) = read_half(bytes(send)?)?;
    let (receive, store) = read_half(bytes(receive)?)?;
    let (entries, rest) = store.as_chunks::<SKIPPED>();
    if !rest.is_empty() || entries.len() > limits.max_stored() {
        return Err(SpqrError::StateDecode);
    }
    let mut skipped = SkippedKeys::with_capacity(u32::try_from(entries.len()).unwrap_or(0));
    for entry in entries {
        let (index, key) = entry.split_first_chunk::<4>().ok_or(SpqrError::StateDecode)?;
        let key = key.first_chunk::<32>().ok_or(SpqrError::StateDecode)?;
        skipped.push(u32::from_be_bytes(*index), key);
    }
    Ok(Link { send, receive, skipped })
}

/// A half and its store of skipped keys, as bytes.
fn read_half(encoded: &[u8]) -> Result<(Chain, &[u8]), SpqrError> {
    let [counter, next, store] = fields(encoded)?;
    let next = match next.map_or(Ok(&[][..]), |next| bytes(Some(next)))? {
        [] => None,
        next => Some(Secret::from_slice(next).ok_or(SpqrError::StateDecode)?),
    };
    let store = store.map_or(Ok(&[][..]), |store| bytes(Some(store)))?;
    Ok((Chain { counter: uint32(counter)?, next }, store))
}

// -- Braid ----------------------------------------------------------------------------------------

fn write_braid(w: &mut Writer<'_>, braid: &Braid) {
    match &braid.role {
        Role::Ek(side) => write_ek_side(w, braid, side),
        Role::Ct(side) => write_ct_side(w, braid, side),
    }
}

fn write_ek_side(w: &mut Writer<'_>, braid: &Braid, side: &EkSide) {
    match side {
        EkSide::KeysUnsampled(_) => w.message(1, |w| write_core(w, braid, &[])),
        EkSide::KeysSampled(state) => w.message(2, |w| {
            let ek = state.keys.ek_rows().as_flattened();
            write_core(w, braid, &[(3, ek), (4, state.keys.dk.expose())]);
            w.message(2, |w| write_encoder(w, &state.encoder, &state.message));
        }),
        EkSide::HeaderSent(state) => w.message(3, |w| {
            write_core(w, braid, &[(3, state.keys.dk.expose())]);
            w.message(2, |w| write_encoder(w, &state.encoder, state.keys.ek_rows()));
            w.message(3, |w| write_decoder(w, &state.decoder));
        }),
        EkSide::Ct1Received(state) => w.message(4, |w| {
            write_core(w, braid, &[(3, state.keys.dk.expose()), (4, state.ct1.as_slice())]);
            w.message(2, |w| write_encoder(w, &state.encoder, state.keys.ek_rows()));
        }),
        EkSide::EkSentCt1Received(state) => w.message(5, |w| {
            write_core(w, braid, &[(3, state.keys.dk.expose()), (4, state.ct1.as_slice())]);
            w.message(3, |w| write_decoder(w, &state.decoder));
        }),
    }
}

fn write_ct_side(w: &mut Writer<'_>, braid: &Braid, side: &CtSide) {
    match side {
        CtSide::NoHeaderReceived(state) => w.message(6, |w| {
            write_core(w, braid, &[]);
            w.message(2, |w| write_decoder(w, &state.decoder));
        }),
        CtSide::HeaderReceived(state) => w.message(7, |w| {
            write_core(w, braid, &[(3, &state.header)]);
            w.message(2, |w| write_decoder(w, &state.decoder));
        }),
        CtSide::Ct1Sampled(state) => w.message(8, |w| {
            let Encapsulation { es, ct1, .. } = &*state.encapsulation;
            let extra = [(3, &state.header[..]), (4, es.expose()), (5, ct1.as_slice())];
            write_core(w, braid, &extra);
            w.message(2, |w| write_encoder(w, &state.encoder, state.encapsulation.ct1_rows()));
            w.message(3, |w| write_decoder(w, &state.decoder));
        }),
        CtSide::EkReceivedCt1Sampled(state) => w.message(9, |w| {
            let Encapsulation { es, ct1, .. } = &*state.encapsulation;
            let extra = [(3, &es.expose()[..]), (4, state.ek.as_slice()), (5, ct1.as_slice())];
            write_core(w, braid, &extra);
            w.message(2, |w| write_encoder(w, &state.encoder, state.encapsulation.ct1_rows()));
        }),
        CtSide::Ct1Acknowledged(state) => w.message(10, |w| {
            let Encapsulation { es, ct1, .. } = &*state.encapsulation;
            let extra = [(3, &state.header[..]), (4, es.expose()), (5, ct1.as_slice())];
            write_core(w, braid, &extra);
            w.message(2, |w| write_decoder(w, &state.decoder));
        }),
        CtSide::Ct2Sampled(state) => w.message(11, |w| {
            write_core(w, braid, &[]);
            w.message(2, |w| write_encoder(w, &state.encoder, state.message.as_slice()));
        }),
    }
}

fn read_braid(encoded: &[u8]) -> Result<Braid, SpqrError> {
    // Exactly one of fields 1 to 11; were there several, none of them could be trusted.
    let states: [Option<Value<'_>>; 11] = fields(encoded)?;
    let mut present = (1_u32..).zip(states).filter_map(|(number, state)| Some((number, state?)));
    let (number, state) = present.next().ok_or(SpqrError::StateDecode)?;
    if present.next().is_some() {
        return Err(SpqrError::StateDecode);
    }
    let [core, second, third] = fields(bytes(Some(state))?)?;
    let [epoch, authenticator, extra_3, extra_4, extra_5] = fields(bytes(core)?)?;
    let [root_key, mac_key] = fields(bytes(authenticator)?)?;
    let authenticator = Authenticator { root_key: secret(root_key)?, mac_key: secret(mac_key)? };
    let epoch = uint64(epoch)?;
    if epoch == 0 {
        return Err(SpqrError::StateDecode);
    }
    let extra = [extra_3, extra_4, extra_5];
    let role = match number {
        1..=5 => Role::Ek(read_ek_side(number, epoch, &authenticator, extra, second, third)?),
        _ => Role::Ct(read_ct_side(number, extra, second, third)?),
    };
    Ok(Braid { epoch, authenticator, role })
}

fn read_ek_side(
    number: u32,
    epoch: u64,
    authenticator: &Authenticator,
    [extra_3, extra_4, _]: [Option<Value<'_>>; 3],
    second: Option<Value<'_>>,
    third: Option<Value<'_>>,
) -> Result<EkSide, SpqrError> {
    Ok(match number {
        1 => EkSide::KeysUnsampled(KeysUnsampled),
        2 => {
            let keys = read_keys(extra_4)?;
            agree(array::<EK>(extra_3)?, keys.ek_rows().as_flattened())?;
            let mut state = KeysSampled::new(keys, epoch, authenticator);
            state.encoder = read_encoder_of(second, &state.message)?;
            EkSide::KeysSampled(state)
        }
        3 => {
            let keys = read_keys(extra_3)?;
            let encoder = read_encoder_of(second, keys.ek_rows())?;
            EkSide::HeaderSent(HeaderSent { keys, encoder, decoder: read_decoder(third)? })
        }
        4 => {
            let keys = read_keys(extra_3)?;
            let encoder = read_encoder_of(second, keys.ek_rows())?;
            let ct1 = Box::new(*array::<CT1>(extra_4)?);
            EkSide::Ct1Received(Ct1Received { keys, encoder, ct1 })
        }
        _ => EkSide::EkSentCt1Received(EkSentCt1Received {
            keys: read_keys(extra_3)?,
            ct1: Box::new(*array::<CT1>(extra_4)?),
            decoder: read_decoder(third)?,
        }),
    })
}

fn read_ct_side(
    number: u32,
    [extra_3, extra_4, extra_5]: [Option<Value<'_>>; 3],
    second: Option<Value<'_>>,
    third: Option<Value<'_>>,
) -> Result<CtSide, SpqrError> {
    Ok(match number {
        6 => CtSide::NoHeaderReceived(NoHeaderReceived { decoder: read_decoder(second)? }),
        7 => CtSide::HeaderReceived(HeaderReceived {
            header: *array::<HEADER>(extra_3)?,
            decoder: read_decoder(second)?,
        }),
        8 => {
            let header = *array::<HEADER>(extra_3)?;
            let encapsulation = read_encapsulation(Some(&header), extra_4, extra_5)?;
            let encoder = read_encoder_of(second, encapsulation.ct1_rows())?;
            let decoder = read_decoder(third)?;
            CtSide::Ct1Sampled(Ct1Sampled { header, encapsulation, encoder, decoder })
        }
        9 => {
            let encapsulation = read_encapsulation(None, extra_3, extra_5)?;
            let encoder = read_encoder_of(second, encapsulation.ct1_rows())?;
            let ek = Box::new(*array::<EK>(extra_4)?);
            let header = None;
            CtSide::EkReceivedCt1Sampled(EkReceivedCt1Sampled {
                header,
                encapsulation,
                encoder,
                ek,
            })
        }
        10 => {
            let header = *array::<HEADER>(extra_3)?;
            let encapsulation = read_encapsulation(Some(&header), extra_4, extra_5)?;
            let decoder = read_decoder(second)?;
            CtSide::Ct1Acknowledged(Ct1Acknowledged { header, encapsulation, decoder })
        }
        _ => {
            let (encoder, message) = read_encoder(second)?;
            CtSide::Ct2Sampled(Ct2Sampled { message: Box::new(message), encoder })
        }
    })
}

/// `core`: epoch, authenticator, and the state's extra fields.
fn write_core(w: &mut Writer<'_>, braid: &Braid, extra: &[(u32, &[u8])]) {
    w.message(1, |w| {
        w.uint_nonzero(1, braid.epoch);
        w.message(2, |w| {
            w.bytes(1, braid.authenticator.root_key.expose());
            w.bytes(2, braid.authenticator.mac_key.expose());
        });
        for (number, value) in extra {
            w.bytes(*number, value);
        }
    });
}

fn read_keys(dk: Option<Value<'_>>) -> Result<Box<KeyPair>, SpqrError> {
    let mut key = Box::new(Secret::zero());
    key.expose_mut().copy_from_slice(array::<DK>(dk)?);
    Ok(Box::new(KeyPair { seed: None, dk: key }))
}

fn read_encapsulation(
    header: Option<&[u8; HEADER]>,
    es: Option<Value<'_>>,
    ct1: Option<Value<'_>>,
) -> Result<Box<Encapsulation>, SpqrError> {
    let mut secret = Box::new(Secret::zero());
    secret.expose_mut().copy_from_slice(array::<ES>(es)?);
    let ct1 = Box::new(*array::<CT1>(ct1)?);
    let mut encapsulation = Encapsulation { es: secret, ct1, reproducible: false };
    // es is a function of (header, m), unless it is of the other byte order.
    if let Some((again, _)) = header.and_then(|h| Encapsulation::new(h, &encapsulation.m()).ok()) {
        encapsulation.reproducible = again.es == encapsulation.es && again.ct1 == encapsulation.ct1;
    }
    Ok(Box::new(encapsulation))
}

// -- coders ---------------------------------------------------------------------------------------

/// Rows are stored by lane: lane `k` has bytes `2k` and `2k+1` of every row.
pub(super) fn write_encoder<const N: usize>(
    w: &mut Writer<'_>,
    encoder: &Encoder<N>,
    message: &[Row],
) {
    w.uint_nonzero(1, encoder.idx);
    if encoder.coefficient_form {
        write_lanes(w, 3, &coefficients::<N>(message));
    } else {
        write_lanes(w, 2, message);
    }
}

fn write_lanes(w: &mut Writer<'_>, number: u32, rows: &[Row]) {
    for lane in 0..LANES {
        w.delimited(number, rows.len().saturating_mul(2));
        for row in rows {
            w.raw(row.as_chunks::<2>().0.get(lane).map_or(&[], <[u8; 2]>::as_slice));
        }
    }
}

/// An encoder and its message, of either form.
fn read_encoder<const N: usize>(
    value: Option<Value<'_>>,
) -> Result<(Encoder<N>, [Row; N]), SpqrError> {
    let encoded = bytes(value)?;
    let [idx] = fields_at(encoded, [1])?;
    let points = read_lanes::<N>(encoded, 2)?;
    let coefficients = read_lanes::<N>(encoded, 3)?;
    let coefficient_form = coefficients.is_some();
    let message = match (points, coefficients) {
        (Some(points), None) => points,
        (None, Some(coefficients)) => evaluate_coefficients(&coefficients),
        _ => return Err(SpqrError::StateDecode),
    };
    Ok((Encoder { idx: uint32(idx)?, coefficient_form }, message))
}

/// An encoder over a message that is known from elsewhere.
fn read_encoder_of<const N: usize>(
    value: Option<Value<'_>>,
    expected: &[Row],
) -> Result<Encoder<N>, SpqrError> {
    let (encoder, message) = read_encoder::<N>(value)?;
    agree(message.as_flattened(), expected.as_flattened())?;
    Ok(encoder)
}

fn read_lanes<const N: usize>(encoded: &[u8], number: u32) -> Result<Option<[Row; N]>, SpqrError> {
    let mut rows = [[0; CHUNK]; N];
    let mut lanes = 0_usize;
    for lane in repeated(encoded, number) {
        let (elements, rest) = lane?.as_chunks::<2>();
        if elements.len() != N || !rest.is_empty() {
            return Err(SpqrError::StateDecode);
        }
        for (row, element) in rows.iter_mut().zip(elements) {
            let to = row.as_chunks_mut::<2>().0.get_mut(lanes).ok_or(SpqrError::StateDecode)?;
            *to = *element;
        }
        lanes = lanes.saturating_add(1);
    }
    match lanes {
        0 => Ok(None),
        LANES => Ok(Some(rows)),
        _ => Err(SpqrError::StateDecode),
    }
}

/// Points are stored by lane as `BE16(x) || BE16(y)`, ascending in `x`.
pub(super) fn write_decoder<const N: usize>(w: &mut Writer<'_>, decoder: &Decoder<N>) {
    w.uint(1, points_needed::<N>());
    w.uint(2, LANES as u32);
    let mut order = [0_u16; N];
    for (to, (index, _)) in order.iter_mut().zip(decoder.points()) {
        *to = index;
    }
    let held = order.get_mut(..decoder.len()).unwrap_or_default();
    held.sort_unstable();
    for lane in 0..LANES {
        w.delimited(3, held.len().saturating_mul(4));
        for x in &*held {
            let row = decoder.points().find(|(index, _)| index == x).map(|(_, row)| row);
            let value = row.and_then(|row| row.as_chunks::<2>().0.get(lane));
            w.raw(&x.to_be_bytes());
            w.raw(value.map_or(&[], <[u8; 2]>::as_slice));
        }
    }
}

fn read_decoder<const N: usize>(value: Option<Value<'_>>) -> Result<Decoder<N>, SpqrError> {
    let encoded = bytes(value)?;
    let [needed, lane_count, complete] = fields_at(encoded, [1, 2, 4])?;
    if uint64(needed)? != u64::from(points_needed::<N>()) {
        return Err(SpqrError::MessageDecode);
    }
    if uint64(lane_count)? != LANES as u64 || uint64(complete)? != 0 {
        return Err(SpqrError::StateDecode);
    }
    let mut chunks = [Chunk { index: 0, data: [0; CHUNK] }; N];
    let mut held = None;
    let mut lanes = 0_usize;
    for lane in repeated(encoded, 3) {
        let (points, rest) = lane?.as_chunks::<4>();
        // Fewer than N points, and as many in every lane.
        if !rest.is_empty()
            || points.len() >= N
            || *held.get_or_insert(points.len()) != points.len()
        {
            return Err(SpqrError::StateDecode);
        }
        let mut previous = None;
        for (chunk, [x_high, x_low, y @ ..]) in chunks.iter_mut().zip(points) {
            let x = u16::from_be_bytes([*x_high, *x_low]);
            let known = lanes > 0 && chunk.index != x;
            if known || previous.is_some_and(|previous| previous >= x) {
                return Err(SpqrError::StateDecode);
            }
            previous = Some(x);
            chunk.index = x;
            let to = chunk.data.as_chunks_mut::<2>().0.get_mut(lanes);
            *to.ok_or(SpqrError::StateDecode)? = *y;
        }
        lanes = lanes.saturating_add(1);
    }
    if lanes != LANES {
        return Err(SpqrError::StateDecode);
    }
    let mut decoder = Decoder::new();
    for chunk in chunks.iter().take(held.unwrap_or(0)) {
        decoder.absorb(chunk);
    }
    Ok(decoder)
}

/// Points needed in all lanes together.
#[allow(clippy::cast_possible_truncation, clippy::arithmetic_side_effects)] // 48, 80, 480 or 576
const fn points_needed<const N: usize>() -> u32 {
    const { (N * LANES) as u32 }
}

// -- protobuf -------------------------------------------------------------------------------------

/// The fields 1 to `N` of a message, none of them repeated; others are skipped.
pub(super) fn fields<const N: usize>(encoded: &[u8]) -> Result<[Option<Value<'_>>; N], SpqrError> {
    let mut values = [None; N];
    for field in Reader::new(encoded) {
        let (number, value) = field.map_err(|_| SpqrError::StateDecode)?;
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        if let Some(to) = place.and_then(|place| values.get_mut(place))
            && to.replace(value).is_some()
        {
            return Err(SpqrError::StateDecode);
        }
    }
    Ok(values)
}

/// The fields with these numbers, none of them repeated; others are skipped.
fn fields_at<const N: usize>(
    encoded: &[u8],
    numbers: [u32; N],
) -> Result<[Option<Value<'_>>; N], SpqrError> {
    let mut values = [None; N];
    for field in Reader::new(encoded) {
        let (number, value) = field.map_err(|_| SpqrError::StateDecode)?;
        let place = numbers.iter().position(|wanted| *wanted == number);
        if let Some(to) = place.and_then(|place| values.get_mut(place))
            && to.replace(value).is_some()
        {
            return Err(SpqrError::StateDecode);
        }
    }
    Ok(values)
}

/// The elements of a repeated `bytes` or message field.
fn repeated(encoded: &[u8], wanted: u32) -> impl Iterator<Item = Result<&[u8], SpqrError>> {
    Reader::new(encoded).filter_map(move |field| match field {
        Ok((number, value)) if number == wanted => Some(bytes(Some(value))),
        Ok(_) => None,
        Err(_) => Some(Err(SpqrError::StateDecode)),
    })
}

/// A `bytes` or message field that must be there.
pub(super) fn bytes(value: Option<Value<'_>>) -> Result<&[u8], SpqrError> {
    value.and_then(|value| value.bytes().ok()).ok_or(SpqrError::StateDecode)
}

/// A `bytes` field of `N` bytes.
pub(super) fn array<const N: usize>(value: Option<Value<'_>>) -> Result<&[u8; N], SpqrError> {
    bytes(value)?.try_into().map_err(|_| SpqrError::StateDecode)
}

/// A `bytes` field of 32 secret bytes.
pub(super) fn secret(value: Option<Value<'_>>) -> Result<Secret<32>, SpqrError> {
    array(value).map(|bytes| Secret::new(*bytes))
}

/// A `uint64`, enum or bool field; 0 when absent.
pub(super) fn uint64(value: Option<Value<'_>>) -> Result<u64, SpqrError> {
    value.map_or(Ok(0), |value| value.uint64().map_err(|_| SpqrError::StateDecode))
}

/// A `uint32` field; 0 when absent.
pub(super) fn uint32(value: Option<Value<'_>>) -> Result<u32, SpqrError> {
    value.map_or(Ok(0), |value| value.uint32().map_err(|_| SpqrError::StateDecode))
}

/// What is stored twice must agree. Compared in constant time: the MAC of a header is among it.
fn agree(a: &[u8], b: &[u8]) -> Result<(), SpqrError> {
    use subtle::ConstantTimeEq;
    if bool::from(a.ct_eq(b)) { Ok(()) } else { Err(SpqrError::StateDecode) }
}
