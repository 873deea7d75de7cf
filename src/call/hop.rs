//! The hop-by-hop layer between a client and the relay (spec 23 §4).
//!
//! The server gives the seed, so this layer keeps nothing from it. Two accounts of the expansion exist;
//! both are here, neither is confirmed by the vendor.

use super::MasterKeys;
use crate::crypto::kdf;
use crate::secret::Secret;

/// The 30 bytes that the server gives. Wiped on drop.
#[derive(Debug)]
pub struct HopSeed(Secret<30>);

/// Which keys of the layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HopLabel {
    /// Control packets from the client to the relay.
    UplinkSrtcp,
    /// Control packets from the relay to the client.
    DownlinkSrtcp,
    /// Control packets of both directions.
    SharedSrtcp,
    /// Media packets.
    SharedSrtp,
}

impl HopLabel {
    const fn text(self) -> &'static str {
        match self {
            Self::UplinkSrtcp => "uplink hbh srtcp",
            Self::DownlinkSrtcp => "downlink hbh srtcp",
            Self::SharedSrtcp => "hbh srtcp",
            Self::SharedSrtp => "hbh srtp",
        }
    }
}

impl HopSeed {
    /// Takes the seed.
    #[must_use]
    pub const fn new(seed: Secret<30>) -> Self {
        Self(seed)
    }

    /// Account (a): the seed is `salt14 || key16`, and is expanded under a label.
    #[must_use]
    pub fn expand(&self, label: HopLabel) -> MasterKeys {
        let salt14 = kdf::part::<30, 0, 14>(&self.0);
        let key16 = kdf::part::<30, 14, 16>(&self.0);
        let label = label.text().as_bytes();
        // salt32 = HKDF(salt14, 0s, label || " salt", 32)
        let salt32: Secret<32> = kdf::hkdf(None, salt14.expose(), &[label, b" salt"]);
        // key30 = HKDF(key16, salt32, label || " key", 30)
        let key30 = kdf::hkdf(Some(salt32.expose()), key16.expose(), &[label, b" key"]);
        Self(key30).direct()
    }

    /// Account (b): the seed is itself `master key 16 || master salt 14`.
    #[must_use]
    pub fn direct(&self) -> MasterKeys {
        MasterKeys::new(kdf::part::<30, 0, 16>(&self.0), kdf::part::<30, 16, 14>(&self.0))
    }
}

impl zeroize::ZeroizeOnDrop for HopSeed {}
