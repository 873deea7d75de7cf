//! How much memory has been used at most: the heap by counting, the stack by looking at its paint.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::ptr::{addr_of, addr_of_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;

/// Bytes of the heap.
const HEAP: usize = 256 * 1024;
/// What `cortex-m-rt` paints the stack with at the start.
const PAINT: u32 = 0xCCCC_CCCC;

static mut ARENA: [MaybeUninit<u8>; HEAP] = [MaybeUninit::uninit(); HEAP];
static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting(LlffHeap::empty());

struct Counting(LlffHeap);

// SAFETY: every call goes to the heap as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.load(Ordering::Relaxed) + layout.size();
        USED.store(used, Ordering::Relaxed);
        PEAK.store(PEAK.load(Ordering::Relaxed).max(used), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        USED.store(USED.load(Ordering::Relaxed) - layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.dealloc(block, layout) }
    }
}

/// Gives the heap its memory. Called once, first.
pub fn init() {
    // SAFETY: called once, before any allocation; nothing else touches the arena.
    unsafe { ALLOCATOR.0.init(addr_of_mut!(ARENA) as usize, HEAP) }
}

/// The peak of the heap since the last call, in bytes, and what is in use now.
pub fn heap() -> (usize, usize) {
    let used = USED.load(Ordering::Relaxed);
    (PEAK.swap(used, Ordering::Relaxed), used)
}

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// The deepest that the stack has been, in bytes.
pub fn stack() -> usize {
    let (top, end) = (addr_of!(_stack_start) as usize, addr_of!(_stack_end) as usize);
    let mut at = end;
    // SAFETY: words between the end of the statics and the top of the stack are memory of this program.
    while at < top && unsafe { (at as *const u32).read_volatile() } == PAINT {
        at += 4;
    }
    top - at
}
