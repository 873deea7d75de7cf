//! The forms in which JavaScript stores write bytes, numbers and ordered maps.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use base64ct::{Base64, Encoding};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::Error;
use crate::keys::{PrivateKey, PublicKey};
use crate::secret::Secret;

/// The longest field of bytes that these records have: a signature.
const MAX: usize = 64;
/// The largest number that JavaScript can tell from its neighbours, 2^53 - 1.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// At most 64 bytes, as base64 text or as a serialized Node.js `Buffer`:
/// `{"type": "Buffer", "data": base64 or numbers}`. Wiped on drop.
pub(super) struct Bytes {
    buffer: Secret<MAX>,
    length: usize,
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        self.buffer.expose().get(..self.length).unwrap_or_default()
    }

    pub(super) fn secret<const N: usize>(&self) -> Option<Secret<N>> {
        Secret::from_slice(self.as_slice())
    }

    /// A public key of 33 bytes, or of 32 without its type byte (spec 20 §1).
    pub(super) fn public_key(&self) -> Result<PublicKey, Error> {
        match <[u8; 32]>::try_from(self.as_slice()) {
            Ok(raw) => Ok(PublicKey::from_raw(raw)),
            Err(_) if self.length > PublicKey::LENGTH => Err(Error::BadKeyLength(self.length)),
            Err(_) => PublicKey::decode(self.as_slice()),
        }
    }

    pub(super) fn private_key(&self) -> Result<PrivateKey, Error> {
        PrivateKey::decode(self.as_slice())
    }

    fn from_base64(text: &str) -> Option<Self> {
        let mut buffer = Secret::zero();
        let length = Base64::decode(text, buffer.expose_mut()).ok()?.len();
        Some(Self { buffer, length })
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at most 64 bytes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bytes, E> {
        Bytes::from_base64(text).ok_or_else(|| E::custom("base64"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
        let (mut buffer, mut length) = (Secret::<MAX>::zero(), 0_usize);
        while let Some(byte) = numbers.next_element::<u8>()? {
            let place = buffer.expose_mut().get_mut(length);
            *place.ok_or_else(|| A::Error::custom("length"))? = byte;
            length = length.saturating_add(1);
        }
        Ok(Bytes { buffer, length })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Bytes, A::Error> {
        let mut data = None;
        while let Some(name) = fields.next_key::<String>()? {
            if name == "data" {
                // not an object again: that ends the recursion
                data = Some(fields.next_value::<BufferData>()?.0);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        data.ok_or_else(|| A::Error::custom("data"))
    }
}

/// The `data` of a serialized `Buffer`.
struct BufferData(Bytes);

impl<'de> Deserialize<'de> for BufferData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DataVisitor;
        impl<'de> Visitor<'de> for DataVisitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                BytesVisitor.expecting(f)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bytes, E> {
                BytesVisitor.visit_str(text)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, numbers: A) -> Result<Bytes, A::Error> {
                BytesVisitor.visit_seq(numbers)
            }
        }
        deserializer.deserialize_any(DataVisitor).map(Self)
    }
}

/// A whole number of JavaScript, in whichever notation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(i64);

impl Number {
    /// What an absent number reads as.
    pub(super) const ZERO: Self = Self(0);
    /// `chainType` of a sending chain.
    pub(super) const ONE: Self = Self(1);
    /// A counter before its first message; a session that is not closed.
    pub(super) const MINUS_ONE: Self = Self(-1);

    pub(super) fn u32(self) -> Option<u32> {
        self.0.try_into().ok()
    }

    /// Negative numbers as 0.
    pub(super) fn saturating_u64(self) -> u64 {
        self.0.try_into().unwrap_or(0)
    }

    /// The number that follows, if it fits.
    pub(super) fn next_u32(self) -> Option<u32> {
        self.0.checked_add(1)?.try_into().ok()
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Number, E> {
                value.try_into().map(Number).map_err(E::custom)
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Number, E> {
                // 1.7e12, as some stores write a time
                #[allow(clippy::cast_possible_truncation)] // checked: in range
                let whole = value as i64;
                #[allow(clippy::cast_precision_loss)] // below 2^53
                let exact = value.abs() <= MAX_SAFE_INTEGER && whole as f64 == value;
                if exact { Ok(Number(whole)) } else { Err(E::custom("a whole number")) }
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// An object's entries in the order in which they stand.
pub(super) struct Entries<K, V>(pub(super) Vec<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Entries<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<K, V> {
            type Value = Entries<K, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<K, V>, A::Error> {
                // A vector that grows moves its entries, and leaves copies of keys behind: entries that
                // hold secrets are boxed.
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

/// What a field reads as that an object lacks: an error, unless there is a value for it.
pub(super) trait Absent: Sized {
    fn absent() -> Option<Self> {
        None
    }
}

impl Absent for Bytes {}
impl Absent for Number {}

impl<T> Absent for Option<T> {
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<K, V> Absent for Entries<K, V> {
    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

/// An object of named fields, of which others are ignored. Written out here rather than derived, since the
/// derive macros would be the crate's largest dependency.
macro_rules! object {
    ($(#[$doc:meta])* $Object:ident { $($field:ident: $Type:ty = $name:literal $(| $alias:literal)*,)* }) => {
        $(#[$doc])*
        pub(super) struct $Object {
            $($field: $Type,)*
        }

        impl $crate::migrate::node::json::Absent for $Object {}

        impl<'de> serde::de::Deserialize<'de> for $Object {
            fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ObjectVisitor;
                impl<'de> serde::de::Visitor<'de> for ObjectVisitor {
                    type Value = $Object;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$Object, A::Error> {
                        $(let mut $field: Option<$Type> = None;)*
                        while let Some(name) = map.next_key::<alloc::string::String>()? {
                            match name.as_str() {
                                $($name $(| $alias)* => $field = Some(map.next_value()?),)*
                                _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
                            }
                        }
                        $(let $field = $field
                            .or_else($crate::migrate::node::json::Absent::absent)
                            .ok_or_else(|| serde::de::Error::missing_field($name))?;)*
                        Ok($Object { $($field,)* })
                    }
                }
                deserializer.deserialize_map(ObjectVisitor)
            }
        }
    };
}
pub(super) use object;
