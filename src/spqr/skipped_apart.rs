//! The skipped keys by themselves, for a store that keeps them apart from the compact state.

use crate::store::pages::Pages;

use super::Spqr;
use super::chain::ChainSet;
use super::error::SpqrError;
use super::skipped::SkippedKeys;

/// One skipped key.
pub(crate) struct SkippedKey<'a> {
    /// The number of its link: the low byte of the key epoch.
    pub(crate) link: u8,
    /// Its place in the link's list, from 0. The order is part of the state.
    pub(crate) place: u32,
    /// The index of its message, from 1.
    pub(crate) index: u32,
    pub(crate) key: &'a [u8; 32],
}

impl Spqr {
    /// All skipped keys: link by link, oldest first, and in their places.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = SkippedKey<'_>> {
        self.chain_set().into_iter().flat_map(|set| {
            let numbered = set.links.iter().zip(set.first_epoch()..);
            numbered.flat_map(|(link, epoch)| {
                let [number, ..] = epoch.to_le_bytes();
                let placed = link.skipped.iter().zip(0..);
                placed.map(move |((index, key), place)| SkippedKey {
                    link: number,
                    place,
                    index,
                    key,
                })
            })
        })
    }

    /// Which of the links, the oldest is 0, has a number.
    pub(crate) fn link_position(&self, number: u8) -> Option<usize> {
        let set = self.chain_set()?;
        let [first, ..] = set.first_epoch().to_le_bytes();
        let position = usize::from(number.wrapping_sub(first));
        (position < set.links.len()).then_some(position)
    }

    /// Gives the link at `position` its stored keys, in their places.
    ///
    /// # Errors
    ///
    /// [`SpqrError::StateDecode`] for more keys than the limits allow.
    pub(crate) fn restore_skipped<'a>(
        &mut self,
        position: usize,
        keys: impl ExactSizeIterator<Item = (u32, &'a [u8; 32])>,
    ) -> Result<(), SpqrError> {
        let set = self.0.as_mut().and_then(|active| active.keys.chains_mut());
        let set = set.ok_or(SpqrError::StateDecode)?;
        let most = set.limits.max_stored();
        let link = set.links.get_mut(position).ok_or(SpqrError::StateDecode)?;
        if keys.len() > most {
            return Err(SpqrError::StateDecode);
        }
        let mut skipped = SkippedKeys::with_capacity(u32::try_from(keys.len()).unwrap_or(0));
        for (index, key) in keys {
            skipped.push(index, key);
        }
        link.skipped = skipped;
        Ok(())
    }

    /// Pages of the keys that have come, gone or changed places since the last [`clean`](Self::clean).
    pub(crate) fn dirty(&self) -> Pages {
        let mut dirty = Pages::NONE;
        if let Some(set) = self.chain_set() {
            dirty = set.dropped;
            set.links.iter().for_each(|link| dirty.insert_all(link.skipped.dirty()));
        }
        dirty
    }

    /// Notes that the keys are stored as they are.
    pub(crate) fn clean(&mut self) {
        if let Some(set) = self.0.as_mut().and_then(|active| active.keys.chains_mut()) {
            set.dropped = Pages::NONE;
            set.links.iter_mut().for_each(|link| link.skipped.clean());
        }
    }

    fn chain_set(&self) -> Option<&ChainSet> {
        self.0.as_ref().and_then(|active| active.keys.chains())
    }
}
