//! The system allocator, with a count of how often it was asked.
//!
//! # Why
//! Allocations per call are the one cost that a noisy machine cannot blur. A single shared counter would itself be
//! the bottleneck of whoever allocates most, so every thread counts in a cache line of its own.
#![expect(unsafe_code, reason = "a global allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// More threads than any contestant has; further ones share lines, which costs time and loses nothing.
const LINES: usize = 64;

#[repr(align(128))]
struct Line(AtomicU64);

static COUNTS: [Line; LINES] = [const { Line(AtomicU64::new(0)) }; LINES];
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Constant and without a destructor: reading it never allocates.
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Counts `alloc`, `alloc_zeroed` and `realloc`, each as one.
pub(crate) struct Counting;

/// Allocations of this process so far.
pub(crate) fn total() -> u64 {
    COUNTS.iter().map(|line| line.0.load(Relaxed)).sum()
}

#[inline]
fn count() {
    let mine = MINE.get();
    let mine = if mine == usize::MAX {
        let fresh = NEXT.fetch_add(1, Relaxed) % LINES;
        MINE.set(fresh);
        fresh
    } else {
        mine
    };
    COUNTS[mine].0.fetch_add(1, Relaxed);
}

// SAFETY: every request goes to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}
