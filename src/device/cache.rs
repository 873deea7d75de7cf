//! Decoded sessions, kept between two operations.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::address::{Address, DeviceId};
use crate::protocol::Peer;

/// The sessions that were used last, as they are stored: whoever takes one out puts it back only when its
/// changes are committed. Holds at most `capacity`; beyond that, the one used longest ago is dropped.
#[derive(Debug)]
pub(super) struct Cache {
    capacity: usize,
    /// By address, with the tick of its last use.
    peers: BTreeMap<Address, (u64, Peer)>,
    /// By tick.
    uses: BTreeMap<u64, Address>,
    tick: u64,
}

impl Cache {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { capacity, peers: BTreeMap::new(), uses: BTreeMap::new(), tick: 0 }
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.shrink();
    }

    pub(super) fn take(&mut self, address: &Address) -> Option<Peer> {
        let (tick, peer) = self.peers.remove(address)?;
        self.uses.remove(&tick);
        Some(peer)
    }

    pub(super) fn put(&mut self, address: Address, peer: Peer) {
        self.take(&address);
        self.tick = self.tick.saturating_add(1);
        self.uses.insert(self.tick, address.clone());
        self.peers.insert(address, (self.tick, peer));
        self.shrink();
    }

    /// Drops all devices of one name.
    pub(super) fn drop_named(&mut self, name: &str) {
        let Ok(first) = DeviceId::new_v3(0) else { return };
        let from = self.peers.range(Address::new(name, first)..).map(|(address, _)| address);
        let named: Vec<_> = from.take_while(|address| address.name() == name).cloned().collect();
        for address in named {
            self.take(&address);
        }
    }

    pub(super) fn clear(&mut self) {
        self.peers.clear();
        self.uses.clear();
    }

    fn shrink(&mut self) {
        while self.peers.len() > self.capacity {
            match self.uses.pop_first() {
                Some((_, address)) => self.peers.remove(&address),
                None => return,
            };
        }
    }
}
