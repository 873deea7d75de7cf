//! What the machine gives: random bytes; and, without `std`, memory and the end of the program.

#[cfg(feature = "std")]
pub(crate) type Random = sandi::OsRng;
#[cfg(not(feature = "std"))]
pub(crate) use bare::Random;

/// A random generator for one call.
pub(crate) fn random() -> Random {
    Random::default()
}

#[cfg(not(feature = "std"))]
mod bare {
    use core::alloc::{GlobalAlloc, Layout};
    use core::convert::Infallible;

    use sandi::rand_core::{TryCryptoRng, TryRng};

    // Supplied by the program, see the end of `sandi.h`.
    unsafe extern "C" {
        fn sandi_platform_alloc(size: usize, align: usize) -> *mut u8;
        fn sandi_platform_free(memory: *mut u8, size: usize, align: usize);
        fn sandi_platform_random(out: *mut u8, len: usize) -> i32;
        fn sandi_platform_abort() -> !;
    }

    struct Platform;

    #[global_allocator]
    static ALLOCATOR: Platform = Platform;

    // SAFETY: the program promises (`sandi.h`) that its two functions are an allocator: memory of that size and
    // alignment, or null, that is nobody else's until it is freed.
    unsafe impl GlobalAlloc for Platform {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the program's function, called as `sandi.h` says.
            unsafe { sandi_platform_alloc(layout.size(), layout.align()) }
        }

        unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
            // SAFETY: `memory` is of `alloc`, with this layout: the caller's promise.
            unsafe { sandi_platform_free(memory, layout.size(), layout.align()) }
        }
    }

    fn abort() -> ! {
        // SAFETY: it takes nothing and does not return.
        unsafe { sandi_platform_abort() }
    }

    #[panic_handler]
    fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
        abort()
    }

    /// The program's random generator. There is no going on without one.
    #[derive(Default)]
    pub(crate) struct Random;

    impl TryRng for Random {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            let mut bytes = [0; 4];
            self.try_fill_bytes(&mut bytes)?;
            Ok(u32::from_le_bytes(bytes))
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            let mut bytes = [0; 8];
            self.try_fill_bytes(&mut bytes)?;
            Ok(u64::from_le_bytes(bytes))
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            // SAFETY: `out` is writable for its length.
            match unsafe { sandi_platform_random(out.as_mut_ptr(), out.len()) } {
                0 => Ok(()),
                _ => abort(),
            }
        }
    }

    impl TryCryptoRng for Random {}
}
