//! Test data: `tests/vectors/`, or the folder that the environment variable `SANDI_VECTORS` names.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of the vectors.
pub fn vectors() -> PathBuf {
    match std::env::var_os("SANDI_VECTORS") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
    }
}

/// Reads `whatsapp/<name>.json`.
pub fn whatsapp(name: &str) -> Value {
    let path = vectors().join("whatsapp").join(name).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The items of an array, which is not empty.
pub fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let items = value[name].as_array().unwrap_or_else(|| panic!("{name} is an array"));
    assert!(!items.is_empty(), "{name} has items");
    items
}

/// A text field.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is text"))
}

/// A hex field.
pub fn hex(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(value, name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// A hex field of `N` bytes.
pub fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    hex(value, name).try_into().unwrap_or_else(|_| panic!("{name} has {N} bytes"))
}

/// A number field.
pub fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} is a number"))
}

/// A random generator that gives fixed bytes first, then a counter: to reproduce vectors whose
/// random draws are known.
pub struct Fixed {
    bytes: Vec<u8>,
    position: usize,
    state: u64,
}

impl Fixed {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), position: 0, state: 0x9E37_79B9_7F4A_7C15 }
    }

    fn next(&mut self) -> u8 {
        self.position += 1;
        if let Some(byte) = self.bytes.get(self.position - 1) {
            return *byte;
        }
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.to_le_bytes()[0]
    }
}

impl rand_core::TryRng for Fixed {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_le_bytes(core::array::from_fn(|_| self.next())))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_le_bytes(core::array::from_fn(|_| self.next())))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill_with(|| self.next());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Fixed {}
