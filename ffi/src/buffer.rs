//! Bytes that the library owns, until the program frees them.

use alloc::vec::Vec;
use core::ptr;

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

impl SandiBuffer {
    /// No buffer: what an output holds after a failure.
    pub(crate) const NONE: Self = Self { data: ptr::null(), len: 0, id: 0 };

    /// Gives bytes to the program.
    pub(crate) fn give(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Result<Self, Failure> {
        let bytes = bytes.into();
        let len = bytes.len();
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
    pub(crate) fn add(
        &mut self,
        bytes: impl Into<Zeroizing<Vec<u8>>>,
    ) -> Result<SandiBuffer, Failure> {
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
