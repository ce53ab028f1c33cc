//! Memory for generated code: written through one mapping, run through another, never writable and executable at one address.
//!
//! An arena is a range of addresses, so that everything in it is within reach of everything else: link slots (private memory: they change) and their
//! records, site cells (each points to what a call of Rust is for), exits, and code. Code comes in segments, each shared memory of its own, which a fork
//! shares; the child goes on in fresh segments.
//!
//! Published code does not change, but for its jumps through link slots: while nobody else shares the code, a slot that is linked makes its jump a direct
//! one, which the host predicts far better. The slot has the truth all the same: what is shared may always become a jump through the slot again, which
//! each process has for itself. A jump is within a naturally aligned quadword, which is written at once, so that a thread that runs it finds the old one or
//! the new (AMD64 Architecture Programmer's Manual vol. 2, 7.6.1, asynchronous modification).

use host::x86_64::thunks::{self, STUB};
use host::{Exit, Link};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

const SEGMENT: usize = 1 << 20;
/// Bytes of code for each byte of link slots.
const LINKS_SHARE: usize = 8;
const EXIT_BYTES: usize = size_of::<Exit>();
const LINK_BYTES: usize = size_of::<Link>();
/// Stubs that are written at once.
const STUBS: usize = 128;

/// A jump and a call through a cell, and the same right to the code that it leads to, as long by a prefix that changes nothing.
pub(crate) const THROUGH: [([u8; 2], [u8; 2]); 2] = [([0xff, 0x25], [0x67, 0xe9]), ([0xff, 0x15], [0x67, 0xe8])];
/// Bytes of such a jump.
const JUMP: usize = 6;

/// See the module.
#[derive(Debug)]
pub(crate) struct Arena {
    base: usize,
    size: usize,
    links_end: usize,
    records_at: usize,
    sites_at: usize,
    sites_end: usize,
    exits_at: usize,
    exits_end: usize,
    /// Where code begins, or the end of the segments that `clear` keeps.
    kept: usize,
    link_next: usize,
    site_next: usize,
    exit_next: usize,
    /// Code is placed at `next`, up to `segment_end`.
    next: usize,
    segment_end: usize,
    /// Segments, and where each is writable.
    segments: Vec<(usize, usize)>,
    /// Code from here on is shared with no other process.
    own: usize,
    /// Of each link slot: where the jump through it is, from `base`; 0: nowhere.
    jumps: Vec<u32>,
    /// [`host::Thunks::link`].
    thunk: u64,
    /// Where the stubs of link slots are, so many slots each.
    stubs: Vec<u64>,
}

fn map(addr: usize, len: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> Option<usize> {
    // SAFETY: the caller gives an address that is ours or none.
    let p = unsafe { libc::mmap(addr as *mut _, len, prot, flags, fd, offset) };
    (p != libc::MAP_FAILED).then_some(p as usize)
}

impl Arena {
    /// Reserves addresses for `code` bytes of code.
    ///
    /// # Panics
    /// If the host has no room.
    pub(crate) fn new(code: usize) -> Arena {
        // One segment more, for what is kept.
        let code = code.next_multiple_of(SEGMENT).max(SEGMENT) + SEGMENT;
        let links = code / LINKS_SHARE;
        let records = links / 8 * LINK_BYTES;
        let sites = links / 2;
        let exits = (links / 8 * EXIT_BYTES).next_multiple_of(4096);
        let size = links + records + sites + exits + code;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let base = map(0, size, libc::PROT_NONE, flags, -1, 0).expect("no addresses for the code cache");
        let rw = libc::PROT_READ | libc::PROT_WRITE;
        map(base, links + records + sites + exits, rw, flags | libc::MAP_FIXED, -1, 0).expect("no memory for links");
        let (records_at, sites_at) = (base + links, base + links + records);
        let exits_at = sites_at + sites;
        let code_at = exits_at + exits;
        Arena {
            base,
            size,
            links_end: base + links,
            records_at,
            sites_at,
            sites_end: exits_at,
            exits_at,
            exits_end: code_at,
            kept: code_at,
            link_next: base,
            site_next: sites_at,
            exit_next: exits_at,
            next: code_at,
            segment_end: code_at,
            segments: Vec::new(),
            own: code_at,
            jumps: Vec::new(),
            thunk: 0,
            stubs: Vec::new(),
        }
    }

    /// The addresses it takes, for those who must keep out of them.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.base as u64, (self.base + self.size) as u64)
    }

    /// Whether so much more fits.
    pub(crate) fn has_room(&self, code: usize, links: usize, sites: usize, exits: usize) -> bool {
        let in_segment = self.next + code <= self.segment_end;
        let in_next = self.segment_end.max(self.next.next_multiple_of(SEGMENT)) + SEGMENT <= self.base + self.size
            && code <= SEGMENT;
        (in_segment || in_next)
            && self.link_next + 8 * links <= self.links_end
            && self.site_next + 8 * sites <= self.sites_end
            && self.exit_next + exits * EXIT_BYTES <= self.exits_end
    }

    /// Addresses of the next link slot, site cell and exit record.
    pub(crate) fn next_link(&self) -> u64 {
        self.link_next as u64
    }
    pub(crate) fn next_site(&self) -> u64 {
        self.site_next as u64
    }
    pub(crate) fn next_exit(&self) -> u64 {
        self.exit_next as u64
    }

    /// Where code of `len` bytes would go; opens a segment if the current one is too small.
    pub(crate) fn place(&mut self, len: usize) -> u64 {
        self.next = self.next.next_multiple_of(16);
        if self.next + len > self.segment_end {
            self.open_segment();
        }
        self.next as u64
    }

    fn open_segment(&mut self) {
        if let Some((_, full)) = self.segments.last() {
            // SAFETY: the code stays; this mapping of it needs no memory but for jumps that change.
            unsafe { libc::madvise(*full as *mut _, SEGMENT, libc::MADV_DONTNEED) };
        }
        let at = self.segment_end.max(self.next.next_multiple_of(SEGMENT));
        assert!(at + SEGMENT <= self.base + self.size, "the caller has asked for room");
        let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let rw = map(0, SEGMENT, libc::PROT_READ | libc::PROT_WRITE, shared, -1, 0).expect("no memory for code");
        // mremap(2): an old size of zero makes another mapping of the same shared pages. A memory file would do too, but be limited by the guest's
        // RLIMIT_FSIZE.
        let twice = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: the target is within the range that is ours, the source was just made.
        unsafe {
            let to = libc::mremap(rw as *mut _, 0, SEGMENT, twice, at as *mut libc::c_void);
            assert!(to as usize == at, "no memory for code");
            let run = libc::mprotect(to, SEGMENT, libc::PROT_READ | libc::PROT_EXEC);
            assert!(run == 0, "no memory for code that runs");
        }
        self.next = at;
        self.segment_end = at + SEGMENT;
        self.segments.push((at, rw));
    }

    /// Before a fork: what has been placed will be shared.
    pub(crate) fn share(&mut self) {
        self.own = self.next;
    }

    /// No more code goes to the open segment: the next opens a fresh one. What a fork's child does.
    pub(crate) fn seal(&mut self) {
        (self.next, self.own) = (self.segment_end, self.segment_end);
    }

    /// Where what is at an address of a segment can be written.
    fn writable(&self, at: usize) -> usize {
        let of = |s: &&(usize, usize)| (s.0..s.0 + SEGMENT).contains(&at);
        let (segment, rw) = self.segments.iter().rev().find(of).expect("a segment of code");
        rw + (at - segment)
    }

    /// Code that was published.
    pub(crate) fn bytes(&self, from: u64, to: u64) -> &[u8] {
        assert!(self.exits_end as u64 <= from && from <= to && to <= self.next as u64, "code of this arena");
        // SAFETY: published code stays mapped while the arena is not cleared, and changes under the lock alone that the caller has.
        unsafe { std::slice::from_raw_parts(from as *const u8, (to - from) as usize) }
    }

    /// Publishes code at the address `place` gave.
    pub(crate) fn write(&mut self, code: &[u8]) {
        assert!(self.next + code.len() <= self.segment_end, "placed before");
        let to = self.writable(self.next) as *mut u8;
        // SAFETY: it is mapped writable for the whole segment, and these bytes of it are unused.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        self.next += code.len();
    }

    /// Adds a link slot, which is not linked, and its record. `jump`: where the code is that jumps through it.
    pub(crate) fn add_link(&mut self, pc: u64, mode: u32, jump: Option<u64>) {
        let (slot, n) = (self.link_next, (self.link_next - self.base) / 8);
        assert!(slot < self.links_end, "the caller has asked for room");
        if n == self.stubs.len() * STUBS {
            self.write_stubs();
        }
        let record = self.records_at + LINK_BYTES * n;
        let link = Link { pc, mode, slot: (slot as i64 - record as i64) as i32 };
        // SAFETY: within the table, aligned, written once before anybody can have its address.
        unsafe { (record as *mut Link).write(link) };
        self.jumps.push(jump.map_or(0, |at| (at as usize - self.base) as u32));
        self.set_link(slot as u64, self.stub_of(slot as u64));
        self.link_next += 8;
    }

    /// The next stubs.
    fn write_stubs(&mut self) {
        let at = self.place(STUBS * STUB);
        let first = self.records_at + LINK_BYTES * STUBS * self.stubs.len();
        let stub = |n: usize| {
            let (stub, record) = (at as i64 + (STUB * n) as i64, (first + LINK_BYTES * n) as i64);
            thunks::stub((record - stub) as i32, (self.thunk as i64 - stub) as i32)
        };
        let code: Vec<u8> = (0..STUBS).flat_map(stub).collect();
        self.write(&code);
        self.stubs.push(at);
    }

    /// Where a slot leads that is not linked.
    pub(crate) fn stub_of(&self, slot: u64) -> u64 {
        let n = (slot as usize - self.base) / 8;
        self.stubs[n / STUBS] + (n % STUBS * STUB) as u64
    }

    pub(crate) fn leads_to(&self, slot: u64) -> u64 {
        debug_assert!((self.base as u64..self.links_end as u64).contains(&slot), "a link slot");
        // SAFETY: the slot is aligned and in memory of ours.
        unsafe { (*(slot as *const AtomicU64)).load(Ordering::Acquire) }
    }

    /// Adds a cell that points to a site.
    pub(crate) fn add_site(&mut self, site: *const host::Site) {
        assert!(self.site_next < self.sites_end, "the caller has asked for room");
        // SAFETY: an unused word of the cells.
        unsafe { (self.site_next as *mut u64).write(site as u64) };
        self.site_next += 8;
    }

    /// Points a link slot somewhere else.
    pub(crate) fn set_link(&self, slot: u64, target: u64) {
        debug_assert!((self.base as u64..self.links_end as u64).contains(&slot), "a link slot");
        // SAFETY: the slot is aligned and in memory of ours; running code reads it as a whole.
        unsafe { (*(slot as *const AtomicU64)).store(target, Ordering::Release) };
        let n = (slot as usize - self.base) / 8;
        if self.jumps[n] != 0 {
            self.set_jump(self.base + self.jumps[n] as usize, slot, target);
        }
    }

    /// Lets the jump through a slot go straight to the target, if that is no stub and may be; else through the slot.
    fn set_jump(&self, at: usize, slot: u64, target: u64) {
        let word = at & !7;
        // SAFETY: published code of ours, aligned.
        let mut bytes = unsafe { (*(word as *const AtomicU64)).load(Ordering::Relaxed) }.to_le_bytes();
        let jump = &mut bytes[at - word..][..JUMP];
        let before = <[u8; JUMP]>::try_from(&*jump).expect("within a quadword");
        let opcode = [jump[0], jump[1]];
        let (cell, code) = THROUGH.into_iter().find(|way| opcode == way.0 || opcode == way.1).expect("a jump by link");
        let distance = |to: u64| i32::try_from(to.wrapping_sub((at + JUMP) as u64).cast_signed());
        let direct = distance(target).ok().filter(|_| at >= self.own && target != self.stub_of(slot));
        let (opcode, field) = match direct {
            Some(field) => (code, field),
            None => (cell, distance(slot).expect("slots are within reach")),
        };
        jump[..2].copy_from_slice(&opcode);
        jump[2..].copy_from_slice(&field.to_le_bytes());
        if *jump != before {
            let to = self.writable(word) as *const AtomicU64;
            // SAFETY: the same quadword where it may be written, by whoever has the lock alone.
            unsafe { (*to).store(u64::from_le_bytes(bytes), Ordering::Release) };
        }
    }

    pub(crate) fn add_exit(&mut self, exit: Exit) {
        assert!(self.exit_next + EXIT_BYTES <= self.exits_end, "the caller has asked for room");
        // SAFETY: within the table, aligned, written once before anybody can have its address.
        unsafe { (self.exit_next as *mut Exit).write(exit) };
        self.exit_next += EXIT_BYTES;
    }

    /// What is in the segments so far stays when the rest is dropped: thunks, among them that of links.
    pub(crate) fn keep(&mut self, thunk: u64) {
        (self.kept, self.thunk) = (self.segment_end, thunk);
    }

    /// Drops all code that is not kept, links and exits. Nobody may be running code.
    pub(crate) fn clear(&mut self) {
        self.seal();
        let used = self.next - self.kept;
        for (_, rw) in self.segments.extract_if(.., |s| s.0 >= self.kept) {
            // SAFETY: nobody else uses this mapping.
            unsafe { libc::munmap(rw as *mut _, SEGMENT) };
        }
        if used > 0 {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
            map(self.kept, used, libc::PROT_NONE, flags, -1, 0).expect("addresses of ours");
        }
        (self.link_next, self.site_next, self.exit_next) = (self.base, self.sites_at, self.exits_at);
        self.stubs.clear();
        self.jumps.clear();
        (self.next, self.segment_end, self.own) = (self.kept, self.kept, self.kept);
    }
}

#[cfg(test)]
mod tests;
