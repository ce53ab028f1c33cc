//! Memory for generated code: written through one mapping, run through another, never writable and executable at one address.
//!
//! An arena is a range of addresses, so that everything in it is within reach of everything else: link slots (private memory: they change) and their
//! records, site cells (each points to what a call of Rust is for), exits, and code. Code comes in segments, each shared memory of its own. Published
//! code never changes, so a fork may share it; the child goes on in fresh segments.

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
    /// Code is placed at `next`, which is writable at `next + alias` up to `segment_end`.
    next: usize,
    segment_end: usize,
    alias: isize,
    alias_at: usize,
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
            alias: 0,
            alias_at: 0,
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
        self.seal();
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
        self.alias = rw.wrapping_sub(at).cast_signed();
        self.alias_at = rw;
    }

    /// No more is written to the open segment: the next code opens a fresh one. What a fork's child does.
    pub(crate) fn seal(&mut self) {
        if self.alias_at != 0 {
            // SAFETY: the writable alias of the open segment is used by nobody else.
            unsafe { libc::munmap(self.alias_at as *mut _, SEGMENT) };
            self.alias_at = 0;
        }
        self.next = self.segment_end;
    }

    /// Code that was published.
    pub(crate) fn bytes(&self, from: u64, to: u64) -> &[u8] {
        assert!(self.exits_end as u64 <= from && from <= to && to <= self.next as u64, "code of this arena");
        // SAFETY: published code stays mapped while the arena is not cleared, and does not change.
        unsafe { std::slice::from_raw_parts(from as *const u8, (to - from) as usize) }
    }

    /// Publishes code at the address `place` gave.
    pub(crate) fn write(&mut self, code: &[u8]) {
        assert!(self.next + code.len() <= self.segment_end, "placed before");
        let to = self.next.wrapping_add_signed(self.alias) as *mut u8;
        // SAFETY: the alias is mapped writable for the whole segment, and these bytes of it are unused.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        self.next += code.len();
    }

    /// Adds a link slot, which is not linked, and its record.
    pub(crate) fn add_link(&mut self, pc: u64, mode: u32) {
        let (slot, n) = (self.link_next, (self.link_next - self.base) / 8);
        assert!(slot < self.links_end, "the caller has asked for room");
        if n == self.stubs.len() * STUBS {
            self.write_stubs();
        }
        let record = self.records_at + LINK_BYTES * n;
        let link = Link { pc, mode, slot: (slot as i64 - record as i64) as i32 };
        // SAFETY: within the table, aligned, written once before anybody can have its address.
        unsafe { (record as *mut Link).write(link) };
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
        if used > 0 {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
            map(self.kept, used, libc::PROT_NONE, flags, -1, 0).expect("addresses of ours");
        }
        (self.link_next, self.site_next, self.exit_next) = (self.base, self.sites_at, self.exits_at);
        self.stubs.clear();
        (self.next, self.segment_end) = (self.kept, self.kept);
    }
}
