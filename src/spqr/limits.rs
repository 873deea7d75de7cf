//! Direction, version and limits of a session, spec 10 §1, §2, §7.3, §8.

/// Which side of the session this is, spec 10 §1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The initiator: it generates the first ML-KEM key pair.
    A2B,
    /// The responder: it encapsulates first.
    B2A,
}

/// A version of the post-quantum ratchet, spec 10 §8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// Off: the state and all messages are empty, and there are no keys.
    V0,
    /// The ratchet of this module.
    V1,
}

/// Limits of the receiving chains, spec 10 §7.3. 0 stands for the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How far a message's index may be ahead of the chain; default 25 000.
    max_jump: u32,
    /// How many keys of messages that did not arrive are kept; default 2 000.
    max_out_of_order: u32,
}

impl Limits {
    /// Default of `max_jump`.
    pub const DEFAULT_MAX_JUMP: u32 = 25_000;
    /// Default of `max_out_of_order`.
    pub const DEFAULT_MAX_OUT_OF_ORDER: u32 = 2_000;

    /// Limits; 0 stands for the default. A receive derives up to `max_jump` keys, and a chain keeps
    /// up to 1.1 × `max_out_of_order` keys of 36 bytes.
    #[must_use]
    pub const fn new(max_jump: u32, max_out_of_order: u32) -> Self {
        Self {
            max_jump: if max_jump == 0 { Self::DEFAULT_MAX_JUMP } else { max_jump },
            max_out_of_order: if max_out_of_order == 0 {
                Self::DEFAULT_MAX_OUT_OF_ORDER
            } else {
                max_out_of_order
            },
        }
    }

    /// Those of a session with oneself (two devices of one account), where one side can be silent
    /// for any time: no limit on the jump.
    #[must_use]
    pub const fn self_session() -> Self {
        Self::new(u32::MAX, 0)
    }

    /// How far a message's index may be ahead of the chain.
    #[must_use]
    pub const fn max_jump(&self) -> u32 {
        self.max_jump
    }

    /// How many keys of messages that did not arrive are kept.
    #[must_use]
    pub const fn max_out_of_order(&self) -> u32 {
        self.max_out_of_order
    }

    /// Entries that set off the garbage collection: `floor(max_out_of_order · 11/10) + 1`.
    pub(super) fn collection_threshold(&self) -> usize {
        let eleven_tenths = u64::from(self.max_out_of_order).saturating_mul(11) / 10;
        usize::try_from(eleven_tenths.saturating_add(1)).unwrap_or(usize::MAX)
    }

    /// The most entries a store can hold between two calls.
    pub(super) fn max_stored(&self) -> usize {
        // Below the threshold, or those with an index of (i-1) - max_out_of_order .. i-1.
        let kept = usize::try_from(self.max_out_of_order).unwrap_or(usize::MAX).saturating_add(1);
        self.collection_threshold().saturating_sub(1).max(kept)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(0, 0)
    }
}
