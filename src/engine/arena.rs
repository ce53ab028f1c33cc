//! Memory for generated code: written through one mapping, run through another, never writable and executable at one address.
//!
//! An arena is a range of addresses, so that everything in it is within reach of everything else: link slots (private memory: they change),
//! exits (what each exit number means), and code. Code comes in segments, each a memory file of its own. Published code never changes, so a
//! fork may share it; the child goes on in fresh segments.

use std::ptr;

const SEGMENT: usize = 1 << 20;
/// Bytes of link slots and of exits, for each byte of code.
const LINKS_SHARE: usize = 8;
const EXIT_BYTES: usize = size_of::<host::Exit>();

/// See the module.
#[derive(Debug)]
pub(crate) struct Arena {
    base: usize,
    size: usize,
    links_end: usize,
    exits_at: usize,
    exits_end: usize,
    /// Where code begins, or the end of the segments that `clear` keeps.
    kept: usize,
    link_next: usize,
    exit_count: usize,
    /// Code is placed at `next`, which is writable at `next + alias` up to `segment_end`.
    next: usize,
    segment_end: usize,
    alias: isize,
    alias_at: usize,
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
        let exits = (links / 8 * 2 * EXIT_BYTES).next_multiple_of(4096);
        let size = links + exits + code;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let base = map(0, size, libc::PROT_NONE, flags, -1, 0).expect("no addresses for the code cache");
        let rw = libc::PROT_READ | libc::PROT_WRITE;
        map(base, links + exits, rw, flags | libc::MAP_FIXED, -1, 0).expect("no memory for links");
        let code_at = base + links + exits;
        Arena {
            base,
            size,
            links_end: base + links,
            exits_at: base + links,
            exits_end: base + links + exits,
            kept: code_at,
            link_next: base,
            exit_count: 0,
            next: code_at,
            segment_end: code_at,
            alias: 0,
            alias_at: 0,
        }
    }

    /// The addresses it takes, for those who must keep out of them.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.base as u64, (self.base + self.size) as u64)
    }

    /// Whether so much more fits.
    pub(crate) fn has_room(&self, code: usize, links: usize, exits: usize) -> bool {
        let in_segment = self.next + code <= self.segment_end;
        let in_next = self.segment_end.max(self.next.next_multiple_of(SEGMENT)) + SEGMENT <= self.base + self.size
            && code <= SEGMENT;
        (in_segment || in_next)
            && self.link_next + 8 * links <= self.links_end
            && self.exits_at + (self.exit_count + exits) * EXIT_BYTES <= self.exits_end
    }

    /// Address of the next link slot, number of the next exit.
    pub(crate) fn next_link(&self) -> u64 {
        self.link_next as u64
    }
    pub(crate) fn next_exit(&self) -> u32 {
        self.exit_count as u32
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
        // SAFETY: plain system calls; the descriptor is ours and closed again.
        let fd = unsafe { libc::memfd_create(c"code".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(fd >= 0, "no memory file for code");
        // SAFETY: as above.
        let sized = unsafe { libc::ftruncate(fd, SEGMENT as i64) };
        assert!(sized == 0, "no memory for code");
        let shared = libc::MAP_SHARED;
        map(at, SEGMENT, libc::PROT_READ | libc::PROT_EXEC, shared | libc::MAP_FIXED, fd, 0)
            .expect("no memory for code");
        let rw = map(0, SEGMENT, libc::PROT_READ | libc::PROT_WRITE, shared, fd, 0).expect("no memory for code");
        // SAFETY: the mappings keep the file.
        unsafe { libc::close(fd) };
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

    /// Publishes code at the address `place` gave.
    pub(crate) fn write(&mut self, code: &[u8]) {
        assert!(self.next + code.len() <= self.segment_end, "placed before");
        let to = self.next.wrapping_add_signed(self.alias) as *mut u8;
        // SAFETY: the alias is mapped writable for the whole segment, and these bytes of it are unused.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        self.next += code.len();
    }

    /// Adds link slots with these contents.
    pub(crate) fn add_link(&mut self, target: u64) {
        self.set_link(self.link_next as u64, target);
        self.link_next += 8;
    }

    /// Points a link slot somewhere else.
    pub(crate) fn set_link(&self, slot: u64, target: u64) {
        debug_assert!((self.base as u64..self.links_end as u64).contains(&slot), "a link slot");
        // SAFETY: the slot is aligned and in memory of ours; running code reads it as a whole.
        unsafe { (*(slot as *const std::sync::atomic::AtomicU64)).store(target, std::sync::atomic::Ordering::Release) };
    }

    pub(crate) fn add_exit(&mut self, exit: host::Exit) {
        let at = self.exits_at + self.exit_count * EXIT_BYTES;
        assert!(at + EXIT_BYTES <= self.exits_end, "the caller has asked for room");
        // SAFETY: within the table, aligned, written once before anybody can have its number.
        unsafe { (at as *mut host::Exit).write(exit) };
        self.exit_count += 1;
    }

    /// What exit number `n` means. Safe without a lock: entries do not change while code runs.
    pub(crate) fn exit(table: u64, n: u32) -> host::Exit {
        let at = table as usize + n as usize * EXIT_BYTES;
        // SAFETY: generated code hands over numbers of exits that were added.
        unsafe { (at as *const host::Exit).read() }
    }

    pub(crate) fn exit_table(&self) -> u64 {
        self.exits_at as u64
    }

    /// What is in the segments so far stays when the rest is dropped.
    pub(crate) fn keep(&mut self) {
        self.kept = self.segment_end;
    }

    /// Drops all code that is not kept, links and exits. Nobody may be running code.
    pub(crate) fn clear(&mut self) {
        self.seal();
        let used = self.next - self.kept;
        if used > 0 {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
            map(self.kept, used, libc::PROT_NONE, flags, -1, 0).expect("addresses of ours");
        }
        (self.link_next, self.exit_count) = (self.base, 0);
        (self.next, self.segment_end) = (self.kept, self.kept);
    }
}
