//! The lock around every object.
//!
//! With `std` it waits, and is poisoned by a panic. Without, there is nothing to wait with: who finds it taken
//! gets [`SandiStatus::Busy`].

use crate::guard::Failure;
use crate::status::SandiStatus;

#[cfg(feature = "std")]
pub(crate) use hosted::{Guard, Lock};

#[cfg(feature = "std")]
mod hosted {
    use std::sync::{Mutex, MutexGuard};

    use super::{Failure, SandiStatus};

    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(Mutex<T>);

    pub(crate) type Guard<'a, T> = MutexGuard<'a, T>;

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> Result<Guard<'_, T>, Failure> {
            self.0.lock().map_err(|_| SandiStatus::Panicked.into())
        }
    }
}

#[cfg(not(feature = "std"))]
pub(crate) use bare::{Guard, Lock};

#[cfg(not(feature = "std"))]
mod bare {
    use core::cell::UnsafeCell;
    use core::ops::{Deref, DerefMut};
    use core::sync::atomic::{AtomicBool, Ordering};

    use super::{Failure, SandiStatus};

    #[derive(Debug)]
    pub(crate) struct Lock<T> {
        taken: AtomicBool,
        value: UnsafeCell<T>,
    }

    pub(crate) struct Guard<'a, T>(&'a Lock<T>);

    // SAFETY: the value is reached through a `Guard` alone, and there is one at a time: `taken` is set by
    // whoever makes it and cleared when it is dropped.
    unsafe impl<T: Send> Sync for Lock<T> {}

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
        }

        pub(crate) fn lock(&self) -> Result<Guard<'_, T>, Failure> {
            match self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => Ok(Guard(self)),
                Err(_) => Err(SandiStatus::Busy.into()),
            }
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: this is the only guard of the lock, so nobody writes while it lives but through it.
            unsafe { &*self.0.value.get() }
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: this is the only guard of the lock, and it is borrowed mutably.
            unsafe { &mut *self.0.value.get() }
        }
    }

    impl<T> Drop for Guard<'_, T> {
        fn drop(&mut self) {
            self.0.taken.store(false, Ordering::Release);
        }
    }
}
