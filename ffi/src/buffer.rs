//! Bytes that the library owns, until the program frees them.

use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};

use zeroize::Zeroizing;

use crate::guard::{self, Failure};
use crate::input::Output;
use crate::status::SandiStatus;
use crate::table::{self, Kind};

/// Bytes that the library owns. Read `len` bytes at `data` until `sandi_buffer_free`; any thread may.
///
/// Free it once, through this struct or a copy: the bytes are wiped, and a second time gives an error.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiBuffer {
    /// The first byte; null where there is no buffer.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
    /// What it is freed by. 0: there is no buffer.
    pub id: u64,
}

/// Bytes that are wiped when they are dropped: word by word, for most buffers of this border are larger than
/// a key. What they had outgrown is not wiped: they are made of the right size.
#[derive(Default)]
pub(crate) struct Wiped(pub(crate) Vec<u8>);

impl Wiped {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<Zeroizing<Vec<u8>>> for Wiped {
    fn from(mut bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(core::mem::take(&mut bytes))
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Wipes all of a vector's memory.
fn wipe(bytes: &mut Vec<u8>) {
    // A shorter length than before leaves bytes behind it: the whole capacity is wiped.
    let (start, capacity) = (bytes.as_mut_ptr(), bytes.capacity());
    // What is before the first whole word, and after the last one.
    let head = start.align_offset(align_of::<u64>()).min(capacity);
    let words = capacity.saturating_sub(head) >> size_of::<u64>().trailing_zeros();
    let tail = head.saturating_add(words.saturating_mul(size_of::<u64>()));
    let byte = |at: usize| {
        // SAFETY: `at` is less than the capacity, so it is in the vector's memory, which is borrowed mutably.
        unsafe { start.wrapping_add(at).write_volatile(0) }
    };
    (0..head).for_each(byte);
    for at in 0..words {
        let word = start.wrapping_add(head).cast::<u64>().wrapping_add(at);
        // SAFETY: `head` bytes after the start it is aligned, and `words` of them lie within the capacity.
        unsafe { word.write_volatile(0) }
    }
    (tail..capacity).for_each(byte);
    // Nothing that comes later, such as freeing the memory, may be moved before the writes.
    compiler_fence(Ordering::SeqCst);
}

impl SandiBuffer {
    /// No buffer: what an output holds after a failure.
    pub(crate) const NONE: Self = Self { data: ptr::null(), len: 0, id: 0 };

    /// Gives bytes to the program.
    pub(crate) fn give(bytes: impl Into<Wiped>) -> Result<Self, Failure> {
        let bytes = bytes.into();
        let len = bytes.0.len();
        let (id, data) = table::insert_buffer(bytes)?;
        Ok(Self { data, len, id })
    }

    /// Gives a copy of bytes to the program.
    pub(crate) fn copy(bytes: &[u8]) -> Result<Self, Failure> {
        Self::give(bytes.to_vec())
    }

    /// Takes back what was given, where something else has failed.
    pub(crate) fn take_back(self) {
        let _ = table::free(Kind::Buffer, self.id);
    }
}

/// Several buffers that go out together or not at all.
#[derive(Default)]
pub(crate) struct Gift(Vec<SandiBuffer>);

impl Gift {
    pub(crate) fn add(&mut self, bytes: impl Into<Wiped>) -> Result<SandiBuffer, Failure> {
        let buffer = SandiBuffer::give(bytes)?;
        self.0.push(buffer);
        Ok(buffer)
    }

    /// They are the program's from now on.
    pub(crate) fn done(mut self) {
        self.0.clear();
    }
}

impl Drop for Gift {
    fn drop(&mut self) {
        for buffer in self.0.drain(..) {
            buffer.take_back();
        }
    }
}

/// Wipes and frees a buffer, and sets the struct to no buffer; of none it frees nothing.
/// May be called from any thread, and from within callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sandi_buffer_free(buffer: *mut SandiBuffer) -> SandiStatus {
    guard::run_in_callback(|| {
        // SAFETY: the caller's (see the crate's documentation).
        let id = unsafe { crate::input::value(buffer.cast_const()) }?.id;
        // SAFETY: as before; the borrow above has ended.
        unsafe { Output::new(buffer, SandiBuffer::NONE) }?;
        table::free(Kind::Buffer, id)
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::wipe;

    #[test]
    fn every_byte_is_wiped_whatever_the_size() {
        for size in 0..70 {
            let mut bytes = Vec::from_iter((0..size).map(|_| 0xA5_u8));
            bytes.truncate(size / 2);
            wipe(&mut bytes);
            // SAFETY: bytes were there before.
            unsafe { bytes.set_len(size) };
            assert!(bytes.iter().all(|byte| *byte == 0), "{size}");
        }
    }
}
