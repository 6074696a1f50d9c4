//! An allocator that counts the allocations of the current thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with counters.
pub struct CountingAllocator;

/// The allocations of a piece of code.
#[derive(Clone, Copy, Debug)]
pub struct Allocations {
    /// The number of blocks; each growth of a block counts as one.
    pub count: usize,
    /// The sum of their sizes in bytes, freed or not.
    pub bytes: usize,
}

thread_local! {
    static SO_FAR: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

// SAFETY: every call is passed on to `System` unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        record(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        record(new_size);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

fn record(size: usize) {
    // Fails only while the thread ends, when nothing is measured.
    let _ = SO_FAR.try_with(|so_far| {
        let Allocations { count, bytes } = so_far.get();
        so_far.set(Allocations { count: count + 1, bytes: bytes + size });
    });
}

/// Runs `code` and returns its result and its allocations on this thread.
pub fn measure<T>(code: impl FnOnce() -> T) -> (T, Allocations) {
    let before = SO_FAR.get();
    let result = code();
    let after = SO_FAR.get();
    let allocations =
        Allocations { count: after.count - before.count, bytes: after.bytes - before.bytes };
    (result, allocations)
}
