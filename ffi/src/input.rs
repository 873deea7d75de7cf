//! What comes in by pointer: checked as far as it can be, then borrowed for the call.

use alloc::vec::Vec;

use sandi::{Address, DeviceId};

use crate::guard::Failure;
use crate::status::SandiStatus;

/// The address of a device: a name and a device id.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiAddress {
    /// The name, UTF-8, not terminated.
    pub name: *const u8,
    /// Its length in bytes.
    pub name_len: usize,
    /// The device id, 0 to 255.
    pub device: u32,
}

/// Bytes of the program.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SandiBytes {
    /// May be null if `len` is 0.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

/// Refuses a null or misaligned pointer.
fn check<T>(pointer: *const T) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(SandiStatus::NullPointer.into());
    }
    if !pointer.is_aligned() {
        return Err(SandiStatus::Misaligned.into());
    }
    Ok(())
}

/// Borrows `len` elements.
///
/// # Safety
///
/// `data`, if `len` is not 0, points to `len` readable elements that stay unchanged for `'a`.
pub(crate) unsafe fn array<'a, T>(data: *const T, len: usize) -> Result<&'a [T], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    check(data)?;
    let fits = len.checked_mul(size_of::<T>()).is_some_and(|size| size <= isize::MAX as usize);
    if !fits {
        return Err(SandiStatus::InvalidLength.into());
    }
    // SAFETY: not null, aligned, and of a size that a slice can have; the caller answers for the memory.
    Ok(unsafe { core::slice::from_raw_parts(data, len) })
}

/// Borrows bytes.
///
/// # Safety
///
/// As [`array`].
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize) -> Result<&'a [u8], Failure> {
    // SAFETY: the caller's.
    unsafe { array(data, len) }
}

/// Borrows exactly `N` bytes.
///
/// # Safety
///
/// As [`array`].
pub(crate) unsafe fn fixed<'a, const N: usize>(
    data: *const u8,
    len: usize,
) -> Result<&'a [u8; N], Failure> {
    // SAFETY: the caller's.
    let bytes = unsafe { bytes(data, len) }?;
    bytes.try_into().map_err(|_| SandiStatus::InvalidLength.into())
}

/// Borrows text.
///
/// # Safety
///
/// As [`array`].
pub(crate) unsafe fn text<'a>(data: *const u8, len: usize) -> Result<&'a str, Failure> {
    // SAFETY: the caller's.
    let bytes = unsafe { bytes(data, len) }?;
    core::str::from_utf8(bytes).map_err(|_| SandiStatus::InvalidText.into())
}

/// Borrows a value.
///
/// # Safety
///
/// `pointer`, if not null, points to a readable `T` that stays unchanged for `'a`.
pub(crate) unsafe fn value<'a, T>(pointer: *const T) -> Result<&'a T, Failure> {
    check(pointer)?;
    // SAFETY: not null and aligned; the caller answers for the memory.
    Ok(unsafe { &*pointer })
}

/// Reads an address.
///
/// # Safety
///
/// `pointer`, if not null, points to an address, and its name to as many bytes as it says.
pub(crate) unsafe fn address(pointer: *const SandiAddress) -> Result<Address, Failure> {
    // SAFETY: the caller's.
    let address = unsafe { value(pointer) }?;
    // SAFETY: the caller's.
    let name = unsafe { text(address.name, address.name_len) }?;
    Ok(Address::new(name, DeviceId::new_v3(address.device)?))
}

/// Reads addresses.
///
/// # Safety
///
/// `pointer`, if `count` is not 0, points to `count` addresses, and their names to as many bytes as they say.
pub(crate) unsafe fn addresses(
    pointer: *const SandiAddress,
    count: usize,
) -> Result<Vec<Address>, Failure> {
    // SAFETY: the caller's.
    let each = unsafe { array(pointer, count) }?;
    // SAFETY: the caller's.
    each.iter().map(|one| unsafe { address(one) }).collect()
}

/// Where an output goes. Set to nothing at once, so that it can be freed whatever comes.
pub(crate) struct Output<T>(*mut T);

impl<T: Copy> Output<T> {
    /// Checks the pointer and writes `nothing`.
    ///
    /// # Safety
    ///
    /// `pointer`, if not null, points to a writable `T` that nobody else uses as long as this lives.
    pub(crate) unsafe fn new(pointer: *mut T, nothing: T) -> Result<Self, Failure> {
        check(pointer.cast_const())?;
        // SAFETY: not null and aligned; the caller answers for the memory. `T` is `Copy`: nothing is dropped.
        unsafe { pointer.write(nothing) };
        Ok(Self(pointer))
    }

    /// As [`new`](Self::new) for an output that the caller may not want: a null pointer is none.
    ///
    /// # Safety
    ///
    /// As [`new`](Self::new).
    pub(crate) unsafe fn optional(pointer: *mut T, nothing: T) -> Result<Option<Self>, Failure> {
        if pointer.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's.
        unsafe { Self::new(pointer, nothing) }.map(Some)
    }

    /// Writes the value.
    pub(crate) fn set(&self, value: T) {
        // SAFETY: checked when made; the maker answers for the memory as long as this lives.
        unsafe { self.0.write(value) };
    }
}
