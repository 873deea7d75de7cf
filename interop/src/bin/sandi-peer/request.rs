//! Fields of a request.

use sandi::keys::{IdentityKey, PrivateKey, PublicKey};
use sandi::{Address, DeviceId, Error, Timestamp};
use sandi_interop::json::unb64;
use serde_json::Value;

use crate::failure::Failure;
use crate::party::now;

/// A request's JSON object.
pub(crate) struct Request<'r>(&'r Value);

impl<'r> Request<'r> {
    pub(crate) const fn new(request: &'r Value) -> Self {
        Self(request)
    }

    /// The whole request.
    pub(crate) const fn json(&self) -> &'r Value {
        self.0
    }

    /// A field, or null.
    pub(crate) fn value(&self, field: &str) -> &'r Value {
        &self.0[field]
    }

    pub(crate) fn text(&self, field: &str) -> Result<&'r str, Failure> {
        self.0[field].as_str().ok_or_else(|| missing(field))
    }

    pub(crate) fn flag(&self, field: &str, default: bool) -> bool {
        self.0[field].as_bool().unwrap_or(default)
    }

    /// A number below 2^32, if the field is there.
    pub(crate) fn number_option(&self, field: &str) -> Result<Option<u32>, Failure> {
        match &self.0[field] {
            Value::Null => Ok(None),
            value => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                number.map(Some).ok_or_else(|| missing(field))
            }
        }
    }

    pub(crate) fn number(&self, field: &str) -> Result<u32, Failure> {
        self.number_option(field)?.ok_or_else(|| missing(field))
    }

    pub(crate) fn long(&self, field: &str) -> Result<u64, Failure> {
        self.0[field].as_u64().ok_or_else(|| missing(field))
    }

    pub(crate) fn bytes(&self, field: &str) -> Result<Vec<u8>, Failure> {
        unb64(&self.0[field]).ok_or_else(|| missing(field))
    }

    pub(crate) fn bytes_option(&self, field: &str) -> Result<Option<Vec<u8>>, Failure> {
        if self.0[field].is_null() { Ok(None) } else { self.bytes(field).map(Some) }
    }

    pub(crate) fn public_key(&self, field: &str) -> Result<PublicKey, Failure> {
        Ok(PublicKey::decode(&self.bytes(field)?)?)
    }

    pub(crate) fn private_key(&self, field: &str) -> Result<PrivateKey, Failure> {
        Ok(PrivateKey::decode(&self.bytes(field)?)?)
    }

    pub(crate) fn identity_key(&self, field: &str) -> Result<IdentityKey, Failure> {
        self.public_key(field).map(IdentityKey::new)
    }

    /// `now` in milliseconds, or the system's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.0["now"].as_u64().map_or_else(now, Timestamp)
    }

    /// An address: an object, a party's handle or `name.device`.
    pub(crate) fn address(
        &self,
        field: &str,
        v3: bool,
        handle: impl Fn(&str) -> Option<Address>,
    ) -> Result<Address, Failure> {
        let value = &self.0[field];
        if let Some(text) = value.as_str() {
            if let Some(address) = handle(text) {
                return Ok(address);
            }
            let (name, device) = text.rsplit_once('.').ok_or_else(|| missing(field))?;
            let device = device.parse().map_err(|_| missing(field))?;
            return Ok(Address::new(name, device_id(device, v3)?));
        }
        let name = value["name"].as_str().ok_or_else(|| missing(field))?;
        let device = value["deviceId"].as_u64().and_then(|id| u32::try_from(id).ok());
        Ok(Address::new(name, device_id(device.ok_or_else(|| missing(field))?, v3)?))
    }
}

/// A device id of the range that the dialect has.
pub(crate) fn device_id(id: u32, v3: bool) -> Result<DeviceId, Error> {
    if v3 { DeviceId::new_v3(id) } else { DeviceId::new(id) }
}

fn missing(field: &str) -> Failure {
    Failure::bad_request(format!("{field} is missing or malformed"))
}
