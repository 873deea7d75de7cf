//! One change in the clear (spec 26 §2).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{AppStateKey, MAX_INDEX_LENGTH, MAX_VALUE_LENGTH, SealedMutation};
use crate::error::Error;
use crate::wire::reader::Reader;
use crate::wire::writer;

/// What a mutation does to the value of its index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Replaces it.
    Set,
    /// Deletes it.
    Remove,
}

impl Operation {
    /// The byte under the value MAC. It is **not** the number in the protobuf, but one more.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Set => 1,
            Self::Remove => 2,
        }
    }

    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Set => 0,
            Self::Remove => 1,
        }
    }

    pub(super) const fn from_number(number: u64) -> Result<Self, Error> {
        match number {
            0 => Ok(Self::Set),
            1 => Ok(Self::Remove),
            _ => Err(Error::InvalidProtobuf),
        }
    }
}

/// One change: what is set or removed. `Debug` shows lengths only.
#[derive(Clone, PartialEq, Eq)]
pub struct Mutation {
    /// What it does.
    pub operation: Operation,
    /// What it is about: a JSON array of strings in UTF-8, without blanks, such as
    /// `["mute","123@s.whatsapp.net"]`; see [`index_json`]. These exact bytes are authenticated.
    pub index: Vec<u8>,
    /// The encoded `SyncActionValue`. A removal carries one too.
    pub value: Vec<u8>,
    /// The version of the action.
    pub version: u32,
}

impl Mutation {
    /// Encrypts it, under the account's active key in general. To remove what was set under an older key, use
    /// that key: the server finds the value by an index that depends on it. Draws 16 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] beyond [`MAX_INDEX_LENGTH`] or [`MAX_VALUE_LENGTH`].
    pub fn seal(
        &self,
        key: &AppStateKey,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedMutation, Error> {
        if self.index.len() > MAX_INDEX_LENGTH || self.value.len() > MAX_VALUE_LENGTH {
            return Err(Error::InvalidArgument);
        }
        let mut iv = [0; 16];
        rng.fill_bytes(&mut iv);
        // plain = SyncActionData{index#1, value#2, padding#3 = empty, version#4}
        let plain = Zeroizing::new(writer::encode(|w| {
            w.bytes(1, &self.index);
            w.bytes(2, &self.value);
            w.bytes(3, &[]);
            w.uint(4, self.version);
        }));
        SealedMutation::seal(key, self.operation, &self.index, &plain, &iv)
    }

    /// Reads a decrypted `SyncActionData`.
    pub(super) fn read(operation: Operation, plain: &[u8]) -> Result<Self, Error> {
        let (mut index, mut value, mut version) = (None, &[][..], 0);
        for field in Reader::new(plain) {
            match field? {
                (1, field) => index = Some(field.bytes()?),
                (2, field) => value = field.bytes()?,
                (4, field) => version = field.uint32()?,
                _ => {}
            }
        }
        let index = index.ok_or(Error::InvalidProtobuf)?;
        if index.len() > MAX_INDEX_LENGTH {
            return Err(Error::InvalidProtobuf);
        }
        Ok(Self { operation, index: index.to_vec(), value: value.to_vec(), version })
    }
}

impl fmt::Debug for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, value) = (self.index.len(), self.value.len());
        write!(f, "Mutation({:?}, index of {index} bytes, value of {value})", self.operation)
    }
}

/// The index of `parts`: a JSON array of strings without blanks.
#[must_use]
pub fn index_json(parts: &[&str]) -> Vec<u8> {
    let mut json = String::from("[");
    for (at, part) in parts.iter().enumerate() {
        json.push_str(if at == 0 { "\"" } else { ",\"" });
        part.chars().for_each(|c| push_escaped(&mut json, c));
        json.push('"');
    }
    json.push(']');
    json.into_bytes()
}

/// Escapes what JSON requires, in the shortest form.
fn push_escaped(json: &mut String, c: char) {
    use fmt::Write;

    let short = match c {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\0'..='\u{1f}' => {
            // writing to a string does not fail
            let _ = write!(json, "\\u{:04x}", u32::from(c));
            return;
        }
        c => return json.push(c),
    };
    json.push_str(short);
}
