//! Pages of skipped keys: which record a key for a late message is kept in.
//!
//! A key goes to the page of its message's counter, so keys that come and go together lie together, and
//! using one up rewrites one small record. Known here, below the ratchets, because they note which pages
//! a change has touched.

use core::fmt;

/// How many pages there are.
pub(crate) const PAGES: u32 = 64;

/// How many consecutive counters share a page, before the next page begins.
const COUNTERS_PER_PAGE: u32 = 32;

/// A set of pages.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Pages(u64);

impl Pages {
    /// No pages.
    pub(crate) const NONE: Self = Self(0);

    /// The set whose bits are those of `bits`: page 0 is the lowest.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The page of a counter: `(counter / 32) mod 64`.
    pub(crate) const fn of(counter: u32) -> u32 {
        (counter / COUNTERS_PER_PAGE) % PAGES
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn contains(self, page: u32) -> bool {
        page < PAGES && self.0 & (1 << page) != 0
    }

    /// The set with one more page.
    pub(crate) const fn with(self, page: u32) -> Self {
        if page < PAGES { Self(self.0 | 1 << page) } else { self }
    }

    /// Adds the page of a counter.
    pub(crate) const fn insert_counter(&mut self, counter: u32) {
        self.0 |= 1 << Self::of(counter);
    }

    pub(crate) const fn insert_all(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The pages in ascending order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u32> {
        (0..PAGES).filter(move |page| self.contains(*page))
    }
}

/// What is remembered about a value for storing it, and is no part of the value: any two are equal, and
/// `Debug` shows nothing of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bookkeeping<T>(pub(crate) T);

impl<T> PartialEq for Bookkeeping<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Bookkeeping<T> {}

impl<T> fmt::Debug for Bookkeeping<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}
