//! sandi's own stored state: seeds and bytes as they came, instead of expanded keys and polynomials.
//!
//! `0x01 || protobuf`; empty for V0. A key pair is stored as its 64-byte seed, an encapsulation as the
//! header and the 32-byte message, an encoder as its counter, a decoder as the rows that have come. What
//! follows from these is computed again on reading, so that all later messages are byte-identical. A
//! state that was imported from the official encoding may lack a seed; then the expanded form is kept.
//!
//! | # | what |
//! |---|---|
//! | 1 | negotiation record, as spec 10 §10 field 1 |
//! | 2 | chain set, as spec 10 §10 field 2 |
//! | 3 | the Braid: |
//! | 3.1 – 3.4 | epoch; root key and MAC key of the authenticator; number of the state (spec 10 §3.1) |
//! | 3.5, 3.6 | key pair: seed `d ‖ z` (64), or `dk` (2400) |
//! | 3.7 – 3.10 | header (64); encapsulation: `m` (32), or `es` (2080) and `ct1` (960), the latter also of the EK side |
//! | 3.11 | `ek` (1152) |
//! | 3.12, 3.13 | encoder: counter; 1 once it has passed its systematic part |
//! | 3.14 | `ct2 ‖ MAC` (160) |
//! | 3.15 | decoder: entries of 34 bytes, `BE16(index) ‖ row` |

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::crypto::kem::split768::{CT1, DK, EK, ES, HEADER};
use crate::secret::Secret;
use crate::wire::reader::Value;
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
use super::erasure::{CHUNK, CT2_ROWS, Chunk, Decoder, Encoder, Row};
use super::error::SpqrError;
use super::state_encoding::{
    array, bytes, fields, read_chain_set, read_negotiation, secret, uint32, uint64,
    write_chain_set, write_negotiation,
};
use super::{Active, Keys, Spqr};

/// The version of this encoding, its first byte.
const VERSION: u8 = 1;

/// Length of a stored row: its index and its bytes.
const ENTRY: usize = 2 + CHUNK;

impl Spqr {
    /// The state in sandi's own encoding: 0 to about 2.6 kB of secret bytes (for the caller to wipe), and
    /// 36 bytes for each skipped key.
    #[must_use]
    pub fn encode_compact(&self) -> Vec<u8> {
        if self.is_off() {
            return Vec::new();
        }
        writer::encode(|w| {
            w.raw(&[VERSION]);
            self.write_compact(w, true);
        })
    }

    /// The fields of [`encode_compact`](Self::encode_compact), with or without the skipped keys. Nothing
    /// for V0.
    pub(crate) fn write_compact(&self, w: &mut Writer<'_>, skipped: bool) {
        let Some(active) = &self.0 else { return };
        if let Some(open) = active.keys.negotiation() {
            w.message(1, |w| write_negotiation(w, open));
        }
        if let Some(set) = active.keys.chains() {
            w.message(2, |w| write_chain_set(w, set, skipped));
        }
        w.message(3, |w| write_braid(w, &active.braid));
    }

    /// Reads a state written by [`encode_compact`](Self::encode_compact). Costs up to one ML-KEM-768 key
    /// generation or encapsulation.
    ///
    /// # Errors
    ///
    /// [`SpqrError::StateDecode`] when it is corrupt, cut short, or of a version that is not known.
    pub fn decode_compact(state: &[u8]) -> Result<Self, SpqrError> {
        match state.split_first() {
            None => Ok(Self::off()),
            Some((&VERSION, encoded)) => Self::read_compact(encoded),
            Some(_) => Err(SpqrError::StateDecode),
        }
    }

    /// Reads the fields that [`write_compact`](Self::write_compact) wrote; V0 has none.
    ///
    /// # Errors
    ///
    /// As [`decode_compact`](Self::decode_compact).
    pub(crate) fn read_compact(encoded: &[u8]) -> Result<Self, SpqrError> {
        let [negotiation, chains, braid] = fields(encoded)?;
        let negotiation = negotiation.map(read_negotiation).transpose()?;
        let chains = chains.map(read_chain_set).transpose()?;
        let keys = match (negotiation, chains) {
            (Some(negotiation), chains) => Keys::Open(negotiation, chains),
            (None, Some(chains)) => Keys::Settled(chains),
            (None, None) => return Err(SpqrError::StateDecode),
        };
        let braid = read_braid(bytes(braid)?)?;
        Ok(Self(Some(Box::new(Active { revision: 0, keys, braid }))))
    }
}

/// The fields of the Braid, in the order of their numbers; `None` and 0 are not written.
#[derive(Default)]
struct Fields<'a> {
    seed: Option<&'a [u8]>,
    dk: Option<&'a [u8]>,
    header: Option<&'a [u8]>,
    m: Option<&'a Secret<32>>,
    es: Option<&'a [u8]>,
    ct1: Option<&'a [u8]>,
    ek: Option<&'a [u8]>,
    idx: u32,
    coefficient_form: bool,
    message: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn keys(mut self, keys: &'a KeyPair) -> Self {
        match &keys.seed {
            Some(seed) => self.seed = Some(seed.expose()),
            None => self.dk = Some(keys.dk.expose()),
        }
        self
    }

    /// `m` alone where the header is at hand and both give back what is held.
    fn encapsulation(
        mut self,
        header: Option<&'a [u8; HEADER]>,
        held: &'a Encapsulation,
        m: &'a Secret<32>,
    ) -> Self {
        self.header = header.map(<[u8; HEADER]>::as_slice);
        if header.is_some() && held.reproducible {
            self.m = Some(m);
        } else {
            self.es = Some(held.es.expose());
            self.ct1 = Some(held.ct1.as_slice());
        }
        self
    }

    const fn encoder<const N: usize>(mut self, encoder: &Encoder<N>) -> Self {
        self.idx = encoder.idx;
        self.coefficient_form = encoder.coefficient_form;
        self
    }

    fn write(&self, w: &mut Writer<'_>, number: u32, braid: &Braid) {
        w.uint(1, braid.epoch);
        w.bytes(2, braid.authenticator.root_key.expose());
        w.bytes(3, braid.authenticator.mac_key.expose());
        w.uint(4, number);
        w.bytes_option(5, self.seed);
        w.bytes_option(6, self.dk);
        w.bytes_option(7, self.header);
        w.bytes_option(8, self.m.map(|m| m.expose().as_slice()));
        w.bytes_option(9, self.es);
        w.bytes_option(10, self.ct1);
        w.bytes_option(11, self.ek);
        w.uint_nonzero(12, self.idx);
        w.uint_nonzero(13, u32::from(self.coefficient_form));
        w.bytes_option(14, self.message);
    }
}

fn write_braid(w: &mut Writer<'_>, braid: &Braid) {
    let none = Fields::default();
    match &braid.role {
        Role::Ek(EkSide::KeysUnsampled(_)) => none.write(w, 1, braid),
        Role::Ek(EkSide::KeysSampled(state)) => {
            none.keys(&state.keys).encoder(&state.encoder).write(w, 2, braid);
        }
        Role::Ek(EkSide::HeaderSent(state)) => {
            none.keys(&state.keys).encoder(&state.encoder).write(w, 3, braid);
            write_decoder(w, &state.decoder);
        }
        Role::Ek(EkSide::Ct1Received(state)) => {
            let mut some = none.keys(&state.keys).encoder(&state.encoder);
            some.ct1 = Some(state.ct1.as_slice());
            some.write(w, 4, braid);
        }
        Role::Ek(EkSide::EkSentCt1Received(state)) => {
            let mut some = none.keys(&state.keys);
            some.ct1 = Some(state.ct1.as_slice());
            some.write(w, 5, braid);
            write_decoder(w, &state.decoder);
        }
        Role::Ct(CtSide::NoHeaderReceived(state)) => {
            none.write(w, 6, braid);
            write_decoder(w, &state.decoder);
        }
        Role::Ct(CtSide::HeaderReceived(state)) => {
            Fields { header: Some(&state.header), ..none }.write(w, 7, braid);
            write_decoder(w, &state.decoder);
        }
        Role::Ct(CtSide::Ct1Sampled(state)) => {
            let m = state.encapsulation.m();
            none.encapsulation(Some(&state.header), &state.encapsulation, &m)
                .encoder(&state.encoder)
                .write(w, 8, braid);
            write_decoder(w, &state.decoder);
        }
        Role::Ct(CtSide::EkReceivedCt1Sampled(state)) => {
            let m = state.encapsulation.m();
            let mut some = none
                .encapsulation(state.header.as_ref(), &state.encapsulation, &m)
                .encoder(&state.encoder);
            some.ek = Some(state.ek.as_slice());
            some.write(w, 9, braid);
        }
        Role::Ct(CtSide::Ct1Acknowledged(state)) => {
            let m = state.encapsulation.m();
            none.encapsulation(Some(&state.header), &state.encapsulation, &m).write(w, 10, braid);
            write_decoder(w, &state.decoder);
        }
        Role::Ct(CtSide::Ct2Sampled(state)) => {
            let mut some = none.encoder(&state.encoder);
            some.message = Some(state.message.as_flattened());
            some.write(w, 11, braid);
        }
    }
}

fn write_decoder<const N: usize>(w: &mut Writer<'_>, decoder: &Decoder<N>) {
    if decoder.len() > 0 {
        w.delimited(15, decoder.len().saturating_mul(ENTRY));
        for (index, row) in decoder.points() {
            w.raw(&index.to_be_bytes());
            w.raw(row);
        }
    }
}

/// The Braid's fields as they stand.
struct Stored<'a> {
    keys: [Option<Value<'a>>; 2],
    header: Option<Value<'a>>,
    m: Option<Value<'a>>,
    es: Option<Value<'a>>,
    ct1: Option<Value<'a>>,
    ek: Option<Value<'a>>,
    idx: u32,
    coefficient_form: bool,
    message: Option<Value<'a>>,
    decoder: Option<Value<'a>>,
}

fn read_braid(encoded: &[u8]) -> Result<Braid, SpqrError> {
    let [
        epoch,
        root_key,
        mac_key,
        number,
        seed,
        dk,
        header,
        m,
        es,
        ct1,
        ek,
        idx,
        coefficient_form,
        message,
        decoder,
    ] = fields(encoded)?;
    let epoch = uint64(epoch)?;
    if epoch == 0 {
        return Err(SpqrError::StateDecode);
    }
    let stored = Stored {
        keys: [seed, dk],
        header,
        m,
        es,
        ct1,
        ek,
        idx: uint32(idx)?,
        coefficient_form: match uint64(coefficient_form)? {
            0 => false,
            1 => true,
            _ => return Err(SpqrError::StateDecode),
        },
        message,
        decoder,
    };
    let authenticator = Authenticator { root_key: secret(root_key)?, mac_key: secret(mac_key)? };
    let role = match uint64(number)? {
        1 => Role::Ek(EkSide::KeysUnsampled(KeysUnsampled)),
        2 => {
            let mut state = KeysSampled::new(stored.key_pair()?, epoch, &authenticator);
            state.encoder = stored.encoder();
            Role::Ek(EkSide::KeysSampled(state))
        }
        3 => Role::Ek(EkSide::HeaderSent(HeaderSent {
            keys: stored.key_pair()?,
            encoder: stored.encoder(),
            decoder: stored.decoder()?,
        })),
        4 => Role::Ek(EkSide::Ct1Received(Ct1Received {
            keys: stored.key_pair()?,
            encoder: stored.encoder(),
            ct1: Box::new(*array::<CT1>(stored.ct1)?),
        })),
        5 => Role::Ek(EkSide::EkSentCt1Received(EkSentCt1Received {
            keys: stored.key_pair()?,
            ct1: Box::new(*array::<CT1>(stored.ct1)?),
            decoder: stored.decoder()?,
        })),
        6 => Role::Ct(CtSide::NoHeaderReceived(NoHeaderReceived { decoder: stored.decoder()? })),
        7 => Role::Ct(CtSide::HeaderReceived(HeaderReceived {
            header: *array(stored.header)?,
            decoder: stored.decoder()?,
        })),
        8 => Role::Ct(CtSide::Ct1Sampled(Ct1Sampled {
            header: *array(stored.header)?,
            encapsulation: stored.encapsulation()?,
            encoder: stored.encoder(),
            decoder: stored.decoder()?,
        })),
        9 => Role::Ct(CtSide::EkReceivedCt1Sampled(EkReceivedCt1Sampled {
            header: stored.header.map(|header| array(Some(header)).copied()).transpose()?,
            encapsulation: stored.encapsulation()?,
            encoder: stored.encoder(),
            ek: Box::new(*array::<EK>(stored.ek)?),
        })),
        10 => Role::Ct(CtSide::Ct1Acknowledged(Ct1Acknowledged {
            header: *array(stored.header)?,
            encapsulation: stored.encapsulation()?,
            decoder: stored.decoder()?,
        })),
        11 => {
            let message = array::<{ CT2_ROWS * CHUNK }>(stored.message)?;
            let rows: &[Row; CT2_ROWS] =
                message.as_chunks().0.try_into().map_err(|_| SpqrError::StateDecode)?;
            let message = Box::new(*rows);
            Role::Ct(CtSide::Ct2Sampled(Ct2Sampled { message, encoder: stored.encoder() }))
        }
        _ => return Err(SpqrError::StateDecode),
    };
    Ok(Braid { epoch, authenticator, role })
}

impl Stored<'_> {
    fn key_pair(&self) -> Result<Box<KeyPair>, SpqrError> {
        match self.keys {
            [Some(seed), None] => {
                let seed = Secret::new(*array::<64>(Some(seed))?);
                Ok(Box::new(KeyPair::from_seed(seed)))
            }
            [None, dk] => {
                let mut key = Box::new(Secret::zero());
                key.expose_mut().copy_from_slice(array::<DK>(dk)?);
                Ok(Box::new(KeyPair { seed: None, dk: key }))
            }
            _ => Err(SpqrError::StateDecode),
        }
    }

    fn encapsulation(&self) -> Result<Box<Encapsulation>, SpqrError> {
        match (self.m, self.es) {
            (Some(m), None) => {
                let header = array::<HEADER>(self.header)?;
                Ok(Box::new(Encapsulation::new(header, &secret(Some(m))?)?.0))
            }
            (None, Some(es)) => {
                let mut secret = Box::new(Secret::zero());
                secret.expose_mut().copy_from_slice(array::<ES>(Some(es))?);
                let ct1 = Box::new(*array::<CT1>(self.ct1)?);
                Ok(Box::new(Encapsulation { es: secret, ct1, reproducible: false }))
            }
            _ => Err(SpqrError::StateDecode),
        }
    }

    const fn encoder<const N: usize>(&self) -> Encoder<N> {
        Encoder { idx: self.idx, coefficient_form: self.coefficient_form }
    }

    /// Fewer rows than complete the message, of different indices.
    fn decoder<const N: usize>(&self) -> Result<Decoder<N>, SpqrError> {
        let mut decoder = Decoder::new();
        let Some(stored) = self.decoder else { return Ok(decoder) };
        let (entries, rest) = bytes(Some(stored))?.as_chunks::<ENTRY>();
        if !rest.is_empty() || entries.len() >= N {
            return Err(SpqrError::StateDecode);
        }
        for (held, entry) in entries.iter().enumerate() {
            let (index, row) = entry.split_first_chunk::<2>().ok_or(SpqrError::StateDecode)?;
            let data = *row.first_chunk::<CHUNK>().ok_or(SpqrError::StateDecode)?;
            decoder.absorb(&Chunk { index: u16::from_be_bytes(*index), data });
            if decoder.len() != held.saturating_add(1) {
                return Err(SpqrError::StateDecode);
            }
        }
        Ok(decoder)
    }
}
