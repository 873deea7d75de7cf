//! Base64 fields of JSON objects, as every peer's protocol uses them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// `bytes` as a JSON string of standard base64.
#[must_use]
pub fn b64(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

/// `bytes` as base64, or null.
#[must_use]
pub fn b64_or_null(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, b64)
}

/// Decodes a JSON string of standard base64. Missing padding is fine, as in Node.
#[must_use]
pub fn unb64(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}
