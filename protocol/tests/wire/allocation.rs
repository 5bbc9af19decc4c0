//! Measures the allocations of a thread, to verify that a short hostile payload costs little memory.

#![allow(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; every call is passed on unchanged"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    // `const` and without a destructor, so that accessing them does not allocate.
    static LIVE_BYTES: Cell<usize> = const { Cell::new(0) };
    static PEAK_BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every block is allocated and freed by the system's allocator, with the same layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE_BYTES.get().saturating_add(layout.size());
        LIVE_BYTES.set(live);
        PEAK_BYTES.set(PEAK_BYTES.get().max(live));
        // SAFETY: the caller upholds the contract for `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE_BYTES.set(LIVE_BYTES.get().saturating_sub(layout.size()));
        // SAFETY: the caller upholds the contract for `block` and `layout`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs a closure and returns its peak number of additional allocated bytes.
pub(crate) fn peak_bytes_of<R>(run: impl FnOnce() -> R) -> (R, usize) {
    let before = LIVE_BYTES.get();
    PEAK_BYTES.set(before);
    let result = run();
    (result, PEAK_BYTES.get() - before)
}
