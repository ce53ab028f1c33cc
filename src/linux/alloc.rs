//! The program's allocator: size classes with free lists, cut from mappings; big blocks are mappings of their own. It keeps nothing in TLS,
//! and its one lock can be taken around a fork.
//! Not for guest memory (`mm.rs`), nor for code (the engine's).

use crate::call;
use crate::lock::Lock;
use std::alloc::{GlobalAlloc, Layout};

/// Steps of classes: 16-byte steps to 128, then four to each doubling, up to [`LARGEST`].
const CLASSES: usize = 8 + 4 * 8;
const LARGEST: usize = 32 << 10;
const ARENA: usize = 1 << 20;
/// How much of an arena is asked for at once rather than by a page fault each.
const SOON: usize = 64 << 10;
const PAGE: usize = 4096;

#[derive(Debug)]
struct Heap {
    /// Heads of the lists of free blocks; a free block's first word is the next.
    free: [usize; CLASSES],
    /// What is left of the current arena, and up to where its pages have been asked for.
    at: usize,
    ready: usize,
    end: usize,
}

static HEAP: Lock<Heap> = Lock::nameless(Heap { free: [0; CLASSES], at: 0, ready: 0, end: 0 });

/// The allocator; `main.rs` makes it the global one.
#[derive(Debug)]
pub struct Allocator;

/// Around a fork: nobody else may be inside.
pub fn hold() {
    HEAP.hold();
}

pub fn release() {
    HEAP.release();
}

/// The class of a size and the size of its blocks.
fn class(size: usize) -> (usize, usize) {
    if size <= 128 {
        let n = size.max(1).div_ceil(16);
        return (n - 1, n * 16);
    }
    let log = (size - 1).ilog2() as usize; // 2^log < size <= 2^(log+1), log >= 7
    let step = 1 << (log - 2);
    let n = (size - (1 << log)).div_ceil(step); // 1..=4
    (8 + (log - 7) * 4 + n - 1, (1 << log) + n * step)
}

fn map(len: usize) -> usize {
    // SAFETY: new private memory at an address of the kernel's choice.
    let r = unsafe {
        call!(
            libc::SYS_mmap,
            0,
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1i64,
            0
        )
    };
    r.unwrap_or(0) as usize
}

impl Heap {
    fn take(&mut self, class: usize, size: usize) -> usize {
        let head = self.free[class];
        if head != 0 {
            // SAFETY: a free block's first word is ours.
            self.free[class] = unsafe { *(head as *const usize) };
            return head;
        }
        if self.end - self.at < size {
            // What is left of the old arena is lost: less than a block.
            self.at = map(ARENA);
            if self.at == 0 {
                self.end = 0;
                return 0;
            }
            (self.ready, self.end) = (self.at, self.at + ARENA);
        }
        self.at += size;
        if self.at > self.ready {
            // SAFETY: memory of the arena that nobody has yet. LARGEST is less than SOON, which divides ARENA.
            let _ = unsafe { call!(libc::SYS_madvise, self.ready, SOON, libc::MADV_POPULATE_WRITE) };
            self.ready += SOON;
        }
        self.at - size
    }
}

/// Blocks of a class lie at multiples of 16 only.
fn is_small(layout: &Layout) -> bool {
    layout.align() <= 16 && layout.size() <= LARGEST
}

// SAFETY: blocks are disjoint, as large as asked and aligned: classes to 16, mappings to pages, more by cutting.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_small(&layout) {
            let (class, size) = class(layout.size());
            return HEAP.lock().take(class, size) as *mut u8;
        }
        let len = layout.size().next_multiple_of(PAGE);
        if layout.align() <= PAGE {
            return map(len) as *mut u8;
        }
        let base = map(len + layout.align());
        if base == 0 {
            return std::ptr::null_mut();
        }
        let at = base.next_multiple_of(layout.align());
        // SAFETY: the ends beside the block, which nobody has seen.
        unsafe {
            if at > base {
                let _ = call!(libc::SYS_munmap, base, at - base);
            }
            if base + layout.align() > at {
                let _ = call!(libc::SYS_munmap, at + len, base + layout.align() - at);
            }
        }
        at as *mut u8
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if is_small(&layout) {
            let (class, _) = class(layout.size());
            let mut heap = HEAP.lock();
            // SAFETY: the block is free now, and at least a word long.
            unsafe { *ptr.cast::<usize>() = heap.free[class] };
            heap.free[class] = ptr as usize;
        } else {
            // SAFETY: the block is a mapping of its own.
            let _ = unsafe { call!(libc::SYS_munmap, ptr, layout.size().next_multiple_of(PAGE)) };
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as asked.
        let p = unsafe { self.alloc(layout) };
        if !p.is_null() && is_small(&layout) {
            // SAFETY: the block is that long. New mappings are zero.
            unsafe { p.write_bytes(0, layout.size()) };
        }
        p
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: GlobalAlloc's contract: the new size with the old alignment is a layout.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (is_small(&layout), is_small(&new)) {
            (true, true) if class(layout.size()) == class(new_size) => return ptr,
            (false, false) if layout.align() <= PAGE => {
                let (old, len) = (layout.size().next_multiple_of(PAGE), new_size.next_multiple_of(PAGE));
                // SAFETY: the block is a mapping of its own; it may move.
                let r = unsafe { call!(libc::SYS_mremap, ptr, old, len, libc::MREMAP_MAYMOVE) };
                return r.unwrap_or(0) as *mut u8;
            }
            _ => {}
        }
        // SAFETY: both blocks are at least as long as what is copied.
        unsafe {
            let p = self.alloc(new);
            if !p.is_null() {
                p.copy_from_nonoverlapping(ptr, layout.size().min(new_size));
                self.dealloc(ptr, layout);
            }
            p
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_their_sizes() {
        let mut last = 0;
        for size in 1..=LARGEST {
            let (c, s) = class(size);
            assert!(c < CLASSES && s >= size && s % 16 == 0, "{size}: {c} {s}");
            assert!(c == last || c == last + 1);
            last = c;
        }
        assert_eq!(last, CLASSES - 1);
    }

    #[test]
    fn blocks_keep_their_bytes() {
        let a = Allocator;
        let mut live: Vec<(usize, Layout, u8)> = Vec::new();
        let mut seed = 1u64;
        for i in 0..3000u64 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(i);
            let size = (seed >> 33) as usize % if i % 50 == 0 { 200_000 } else { 900 } + 1;
            let layout = Layout::from_size_align(size, if i % 97 == 0 { 65536 } else { 8 }).unwrap();
            // SAFETY: allocated and freed with its layout.
            unsafe {
                let p = a.alloc(layout);
                assert_eq!(p as usize % layout.align(), 0);
                p.write_bytes(i as u8, size);
                live.push((p as usize, layout, i as u8));
                if i % 3 == 0 {
                    let (p, l, fill) = live.swap_remove((seed >> 20) as usize % live.len());
                    let s = std::slice::from_raw_parts(p as *const u8, l.size());
                    assert!(s.iter().all(|b| *b == fill));
                    a.dealloc(p as *mut u8, l);
                } else if i % 5 == 0 {
                    let n = (seed >> 20) as usize % live.len();
                    let (p, l, fill) = live[n];
                    let new = l.size() * 2;
                    let q = a.realloc(p as *mut u8, l, new);
                    assert!(std::slice::from_raw_parts(q, l.size()).iter().all(|b| *b == fill));
                    q.write_bytes(fill, new);
                    live[n] = (q as usize, Layout::from_size_align(new, l.align()).unwrap(), fill);
                }
            }
        }
    }
}
