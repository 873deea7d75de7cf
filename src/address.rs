//! Device ids, service ids and protocol addresses (spec 01 §8).

use alloc::string::String;
use core::fmt;

use crate::error::Error;

/// A device id. Signal allows 1 to 127; WhatsApp-family stacks use 0 for the primary device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeviceId(u8);

impl DeviceId {
    /// Device 0: the primary device of a WhatsApp-family account.
    pub const PRIMARY: Self = Self(0);

    /// A device id of Signal's range, 1 to 127.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`] outside it.
    pub const fn new(id: u32) -> Result<Self, Error> {
        match id {
            1..=127 => Self::new_v3(id),
            _ => Err(Error::InvalidProtocolAddress),
        }
    }

    /// A device id of the WhatsApp family's range, 0 to 255.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`] outside it.
    #[allow(clippy::cast_possible_truncation)] // the guard says why it does not truncate
    pub const fn new_v3(id: u32) -> Result<Self, Error> {
        if id <= u8::MAX as u32 { Ok(Self(id as u8)) } else { Err(Error::InvalidProtocolAddress) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which identity of an account a [`ServiceId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServiceIdKind {
    /// The account itself.
    Aci,
    /// The account's phone number.
    Pni,
}

/// A service id: a kind and a 16-byte UUID, in network byte order. Any UUID is acceptable.
///
/// Ordered as its fixed-width form: all ACIs before all PNIs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServiceId {
    kind: ServiceIdKind,
    uuid: [u8; 16],
}

/// Where the hyphens of a UUID's 36 characters stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl ServiceId {
    /// An account id.
    #[must_use]
    pub const fn aci(uuid: [u8; 16]) -> Self {
        Self { kind: ServiceIdKind::Aci, uuid }
    }

    /// A phone number id.
    #[must_use]
    pub const fn pni(uuid: [u8; 16]) -> Self {
        Self { kind: ServiceIdKind::Pni, uuid }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> ServiceIdKind {
        self.kind
    }

    /// The 16 bytes of the UUID.
    #[must_use]
    pub const fn uuid(&self) -> &[u8; 16] {
        &self.uuid
    }

    /// The fixed-width form, 17 bytes: `0x00` (ACI) or `0x01` (PNI), then the UUID.
    #[must_use]
    pub fn to_fixed_width(&self) -> [u8; 17] {
        let mut out = [0; 17];
        let [kind, uuid @ ..] = &mut out;
        *kind = match self.kind {
            ServiceIdKind::Aci => 0,
            ServiceIdKind::Pni => 1,
        };
        *uuid = self.uuid;
        out
    }

    /// Parses the fixed-width form.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServiceId`] unless 17 bytes that begin with 0 or 1.
    pub fn from_fixed_width(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; 17] = bytes.try_into().map_err(|_| Error::InvalidServiceId)?;
        let [kind, uuid @ ..] = bytes;
        match kind {
            0 => Ok(Self::aci(*uuid)),
            1 => Ok(Self::pni(*uuid)),
            _ => Err(Error::InvalidServiceId),
        }
    }

    /// Parses the variable-width form: 16 bytes are an ACI, 17 bytes that begin with 1 a PNI. A
    /// marked ACI is refused here.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServiceId`] for anything else.
    pub fn from_variable_width(bytes: &[u8]) -> Result<Self, Error> {
        if let Ok(uuid) = <[u8; 16]>::try_from(bytes) {
            return Ok(Self::aci(uuid));
        }
        match Self::from_fixed_width(bytes)? {
            id if id.kind == ServiceIdKind::Pni => Ok(id),
            _ => Err(Error::InvalidServiceId),
        }
    }

    /// The variable-width form: 16 bytes for an ACI, 17 for a PNI.
    #[must_use]
    pub fn to_variable_width(&self) -> alloc::vec::Vec<u8> {
        match self.kind {
            ServiceIdKind::Aci => self.uuid.to_vec(),
            ServiceIdKind::Pni => self.to_fixed_width().to_vec(),
        }
    }

    /// Parses the text form: 36 characters with hyphens, hex digits of either case, after `PNI:` for
    /// a PNI. No braces, no blanks, no `ACI:`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServiceId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (kind, uuid) = match text.strip_prefix("PNI:") {
            Some(rest) => (ServiceIdKind::Pni, rest),
            None => (ServiceIdKind::Aci, text),
        };
        parse_uuid(uuid).map(|uuid| Self { kind, uuid }).ok_or(Error::InvalidServiceId)
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let hyphens_stand_right =
        text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == HYPHENS.contains(&at));
    if text.len() != 36 || !hyphens_stand_right {
        return None;
    }
    let mut digits = text.chars().filter(|&c| c != '-').map(|c| c.to_digit(16));
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(uuid)
}

impl fmt::Display for ServiceId {
    /// The text form, in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ServiceIdKind::Pni {
            f.write_str("PNI:")?;
        }
        for (at, byte) in self.uuid.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A protocol address: a name that is opaque to the ratchet, and a device id.
///
/// The name has a meaning only where it parses as a [`ServiceId`]: for the address binding of
/// pre-key messages, and to recognise a session with one's own account.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    name: String,
    device: DeviceId,
}

impl Address {
    /// An address of `name` and `device`.
    #[must_use]
    pub fn new(name: impl Into<String>, device: DeviceId) -> Self {
        Self { name: name.into(), device }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device id.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The name as a service id, where it is one.
    #[must_use]
    pub fn service_id(&self) -> Option<ServiceId> {
        ServiceId::parse(&self.name).ok()
    }
}

impl fmt::Display for Address {
    /// `name.device`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.name, self.device)
    }
}
