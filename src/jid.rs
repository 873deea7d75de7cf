//! The WhatsApp family's addresses (spec 20 §2): `user[_agent][:device]@server`.
//!
//! One user may be reachable as a phone number and as an opaque identity (LID), and a business also as a
//! device that somebody else hosts. These are different addresses of one account, with the same identity
//! keys. [`Jid::address`] gives the name under which a store keeps each of them apart.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::address::{Address, DeviceId};
use crate::error::Error;

/// The longest text that [`Jid::parse`] takes, in bytes.
pub const MAX_LENGTH: usize = 256;

/// The device id of a hosted device (spec 22 §5).
pub const HOSTED_DEVICE: DeviceId = match DeviceId::new_v3(99) {
    Ok(id) => id,
    Err(_) => unreachable!(),
};

/// What kind of thing an address names: the part after `@`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Server {
    /// `s.whatsapp.net`, or `c.us` in older spelling: a phone number.
    PhoneNumber,
    /// `lid`: an opaque identity.
    Lid,
    /// `hosted`: a hosted device of a phone number.
    Hosted,
    /// `hosted.lid`: a hosted device of an opaque identity.
    HostedLid,
    /// `g.us`: a group.
    Group,
    /// `broadcast`: the status, or a broadcast list.
    Broadcast,
    /// `newsletter`.
    Newsletter,
    /// `bot`.
    Bot,
    /// `call`.
    Call,
    /// `msgr`.
    Messenger,
    /// `interop`.
    Interop,
}

impl Server {
    const ALL: [(Self, &'static str); 11] = [
        (Self::PhoneNumber, "s.whatsapp.net"),
        (Self::Lid, "lid"),
        (Self::Hosted, "hosted"),
        (Self::HostedLid, "hosted.lid"),
        (Self::Group, "g.us"),
        (Self::Broadcast, "broadcast"),
        (Self::Newsletter, "newsletter"),
        (Self::Bot, "bot"),
        (Self::Call, "call"),
        (Self::Messenger, "msgr"),
        (Self::Interop, "interop"),
    ];

    /// The text, in the current spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(server, _)| *server == self).map_or("", |(_, text)| *text)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "c.us" {
            return Some(Self::PhoneNumber);
        }
        Self::ALL.iter().find(|(_, known)| *known == text).map(|(server, _)| *server)
    }

    /// What stores append to the user: the number of the address space (spec 20 §2).
    const fn name_suffix(self) -> Option<&'static str> {
        match self {
            Self::PhoneNumber => Some(""),
            Self::Lid => Some("_1"),
            Self::Hosted => Some("_128"),
            Self::HostedLid => Some("_129"),
            _ => None,
        }
    }
}

/// An address: a user (empty for a bare server), a device, a server.
///
/// The agent of an address is read and forgotten: it has no meaning left.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Jid {
    user: String,
    device: DeviceId,
    server: Server,
}

impl Jid {
    /// An address.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`] when `user` holds one of `@`, `:`, `_` or a control character, or
    /// when the text would be longer than [`MAX_LENGTH`] bytes.
    pub fn new(user: &str, device: DeviceId, server: Server) -> Result<Self, Error> {
        let plain = user.chars().all(|c| !matches!(c, '@' | ':' | '_') && !c.is_control());
        if !plain || user.len() > MAX_LENGTH.saturating_sub(32) {
            return Err(Error::InvalidProtocolAddress);
        }
        Ok(Self { user: user.into(), device, server })
    }

    /// Parses `user[_agent][:device]@server`, or a bare server. An absent device is 0, the primary.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`] when the server is unknown, the device or the agent is not a
    /// decimal number of 0 to 255, or the text is longer than [`MAX_LENGTH`] bytes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_LENGTH {
            return Err(Error::InvalidProtocolAddress);
        }
        let (left, server) = text.rsplit_once('@').unwrap_or(("", text));
        let server = Server::parse(server).ok_or(Error::InvalidProtocolAddress)?;
        let (left, device) = match left.split_once(':') {
            Some((left, device)) => (left, number(device)?),
            None => (left, 0),
        };
        let user = match left.split_once('_') {
            Some((user, agent)) => {
                number(agent)?;
                user
            }
            None => left,
        };
        Self::new(user, DeviceId::new_v3(u32::from(device))?, server)
    }

    /// The address of a store's name, the reverse of [`address`](Self::address).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`] when the name has not that form.
    pub fn from_address(address: &Address) -> Result<Self, Error> {
        let (user, server) = match address.name().split_once('_') {
            None => (address.name(), Server::PhoneNumber),
            Some((user, "1")) => (user, Server::Lid),
            Some((user, "128")) => (user, Server::Hosted),
            Some((user, "129")) => (user, Server::HostedLid),
            Some(_) => return Err(Error::InvalidProtocolAddress),
        };
        Self::new(user, address.device(), server)
    }

    /// The user's part: digits for a phone number or a LID.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The device; 0 is the primary.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> Server {
        self.server
    }

    /// Whether the device is hosted by somebody else than the account's owner: its server says so, or it
    /// is device 99 of an account (spec 22 §5).
    #[must_use]
    pub fn is_hosted(&self) -> bool {
        match self.server {
            Server::Hosted | Server::HostedLid => true,
            Server::PhoneNumber | Server::Lid => self.device == HOSTED_DEVICE,
            _ => false,
        }
    }

    /// Whether two addresses are of one account by their text: the same user, and the same kind of identity, phone number
    /// or LID, hosted or not. That a phone number and a LID are one account no address says.
    #[must_use]
    pub fn is_same_account(&self, other: &Self) -> bool {
        let identity = |server| match server {
            Server::PhoneNumber | Server::Hosted => Some(Server::PhoneNumber),
            Server::Lid | Server::HostedLid => Some(Server::Lid),
            _ => None,
        };
        let known = identity(self.server).is_some() && !self.user.is_empty();
        known && identity(self.server) == identity(other.server) && self.user == other.user
    }

    /// The primary device of the account: the same user, device 0, and not the server of hosted devices.
    #[must_use]
    pub fn primary(&self) -> Self {
        let server = match self.server {
            Server::Hosted => Server::PhoneNumber,
            Server::HostedLid => Server::Lid,
            other => other,
        };
        Self { user: self.user.clone(), device: DeviceId::PRIMARY, server }
    }

    /// The same user and server, device 0.
    #[must_use]
    pub fn without_device(&self) -> Self {
        Self { user: self.user.clone(), device: DeviceId::PRIMARY, server: self.server }
    }

    /// The text with the device always written, `user:device@server`, as calls name a participant (spec 23 §3).
    #[must_use]
    pub fn with_device_text(&self) -> String {
        format!("{}:{}@{}", self.user, self.device, self.server.as_str())
    }

    /// The name and device under which stores keep this device's session (spec 20 §2).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProtocolAddress`] unless it is a phone number, a LID, or a hosted one.
    pub fn address(&self) -> Result<Address, Error> {
        let suffix = self.server.name_suffix().ok_or(Error::InvalidProtocolAddress)?;
        if self.user.is_empty() {
            return Err(Error::InvalidProtocolAddress);
        }
        Ok(Address::new(format!("{}{suffix}", self.user), self.device))
    }
}

fn number(text: &str) -> Result<u8, Error> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| Error::InvalidProtocolAddress)
    } else {
        Err(Error::InvalidProtocolAddress)
    }
}

impl fmt::Display for Jid {
    /// The usual text: the device is left out when it is 0; a bare server stands alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.user.is_empty() {
            return f.write_str(self.server.as_str());
        }
        f.write_str(&self.user)?;
        if self.device != DeviceId::PRIMARY {
            write!(f, ":{}", self.device)?;
        }
        write!(f, "@{}", self.server.as_str())
    }
}

impl core::str::FromStr for Jid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}
