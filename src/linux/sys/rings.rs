//! Rings that the kernel shares with a program: asynchronous I/O and io_uring. Their structs are alike on all ABIs of one byte order, but
//! for pointers to arrays of pointers and iovecs: for guests of 32 bits the host's 32-bit calls make them (`compat.rs`).
//!
//! The kernel itself reads what is asked for in a ring, so constants and structs that this guest has otherwise are put right in the ring before
//! it is told of them, and put back when it has taken them. So where something differs no thread of the kernel's may take entries by itself
//! (IORING_SETUP_SQPOLL): the program is shown one that sleeps, and wakes it by a call. Differs: paths in rings are the host's (no `-L`).

use crate::compat;
use crate::lock::Lock;
use crate::sys::prelude::*;
use arch::layout::Model;

syscalls! { |t|
    // A context's id is the address of a ring that the kernel maps where it likes.
    sys_io_setup(count: UInt, context: Out<ULongWord>) -> Zero { io_setup(t, count, context) }
    sys_io_destroy(context: ULong) -> Zero { io_destroy(t, context) }
    sys_io_submit(context: ULong, count: Long, requests: Addr) -> Int {
        either(t, nr::sys_io_submit, compat::Call::IoSubmit, [context, count as u64, requests, 0, 0, 0])
    }
    sys_io_cancel(context: ULong, request: Addr, result: Addr) -> Zero;
    sys_io_getevents(context: ULong, min: Long, count: Long, events: Addr, timeout: In<Timespec>) -> Int;
    sys_io_getevents_time32(context: ULong, min: Long, count: Long, events: Addr, timeout: In<Timespec32>) -> Int = sys_io_getevents;
    sys_io_pgetevents(context: ULong, min: Long, count: Long, events: Addr, timeout: In<Timespec>, mask: In<SigSetArg>) -> Int;
    sys_io_pgetevents_time32(context: ULong, min: Long, count: Long, events: Addr, timeout: In<Timespec32>, mask: In<SigSetArg>) -> Int = sys_io_pgetevents;

    sys_io_uring_setup(entries: UInt, params: Addr) -> Fd { uring_setup(t, entries, params) }
    sys_io_uring_enter(fd: Fd, submit: UInt, complete: UInt, flags: UInt, arg: Addr, size: Size) -> Int {
        uring_enter(t, fd, submit, complete, flags, arg, size)
    }
    sys_io_uring_register(fd: Fd, operation: UInt, arg: Addr, count: UInt) -> Int;
}

/// The host's 64-bit call for guests with its words, the 32-bit one for the others.
fn either(t: &mut Task, nr: u32, compat: compat::Call, args: [u64; 6]) -> Res {
    let m = t.abi().model();
    if m.big_endian {
        t.unimp(format_args!("rings in the other byte order"));
        return Err(Errno::ENOSYS);
    }
    if compat::is_like(m) { t.compat_call(compat, args) } else { t.host_call(i64::from(nr), args) }
}

fn io_setup(t: &mut Task, count: u32, context: Pointer<ULongWord>) -> Res {
    let done = either(t, nr::sys_io_setup, compat::Call::IoSetup, [u64::from(count), context.addr, 0, 0, 0, 0])?;
    if compat::is_like(t.abi().model()) {
        t.process.mm.adopt_ring(context.read(t)?.value);
    }
    Ok(done)
}

fn io_destroy(t: &mut Task, context: u64) -> Res {
    let done = t.host_call(i64::from(nr::sys_io_destroy), [context, 0, 0, 0, 0, 0])?;
    t.process.mm.forget_ring(context);
    Ok(done)
}

/// Where mmap shows a ring's indices and its entries (IORING_OFF_SQ_RING, IORING_OFF_SQES).
const INDICES: u64 = 0;
const ENTRIES: u64 = 0x1000_0000;
/// As /proc/self/maps has it.
const NAME: &[u8] = b"anon_inode:[io_uring]";

const SETUP_SQPOLL: u32 = 1 << 1;
const SETUP_SQ_AFF: u32 = 1 << 2;
/// The kernel refuses these beside SQPOLL (COOP_TASKRUN, TASKRUN_FLAG, DEFER_TASKRUN).
const SETUP_NOT_POLLED: u32 = 1 << 8 | 1 << 9 | 1 << 13;
const SETUP_SQE128: u32 = 1 << 10;
const SETUP_NO_MMAP: u32 = 1 << 14;
const SETUP_NO_SQARRAY: u32 = 1 << 16;

const ENTER_GETEVENTS: u32 = 1;
const ENTER_SQ_WAKEUP: u32 = 1 << 1;
const ENTER_SQ_WAIT: u32 = 1 << 2;

/// In the ring's own flags: the thread sleeps.
const SQ_NEED_WAKEUP: u32 = 1;

/// A ring in which something may have to be put right.
#[derive(Debug)]
pub(super) struct Ring {
    fd: i32,
    flags: u32,
    /// Offsets of head, tail, mask and the array of indices.
    head: u64,
    tail: u64,
    mask: u64,
    /// Of the ring's own flags.
    state: u64,
    array: u64,
    /// Where the indices and the entries are mapped, or 0.
    indices: u64,
    entries: u64,
    /// Entries before this one have been looked at.
    seen: u32,
}

/// The rings that this process has made.
pub(super) static RINGS: Lock<Vec<Ring>> = Lock::new(Vec::new());

/// Whether this guest has something that must be put right in rings.
fn differs(m: Model) -> bool {
    !flags::Open.same(m) || !EpollEvent::layout().of(m).same
}

fn uring_setup(t: &mut Task, entries: u32, params: u64) -> Res {
    let args = [u64::from(entries), params, 0, 0, 0, 0];
    let setup = |t: &mut Task| either(t, nr::sys_io_uring_setup, compat::Call::IoUringSetup, args);
    if !differs(t.abi().model()) {
        return setup(t);
    }
    let asked = memory::read_u32(params + 8).unwrap_or(0);
    let polled = asked & SETUP_SQPOLL != 0 && asked & SETUP_NOT_POLLED == 0;
    if polled {
        memory::write(params + 8, &(asked & !(SETUP_SQPOLL | SETUP_SQ_AFF)).to_ne_bytes())?;
    }
    let fd = setup(t);
    if polled {
        memory::write(params + 8, &asked.to_ne_bytes())?;
    }
    let fd = fd?;
    // struct io_uring_params: ten words, struct io_sqring_offsets, struct io_cqring_offsets.
    let word = |n: u64| memory::read_u32(params + 4 * n);
    let offset = |n: u64| word(n).map(u64::from);
    let mut ring = Ring {
        fd: fd as i32,
        flags: word(2)?,
        head: offset(10)?,
        tail: offset(11)?,
        mask: offset(12)?,
        state: offset(14)?,
        array: offset(16)?,
        indices: 0,
        entries: 0,
        seen: 0,
    };
    if ring.flags & SETUP_NO_MMAP != 0 {
        (ring.entries, ring.indices) = (memory::read_u64(params + 72)?, memory::read_u64(params + 112)?);
        ring.show_sleeper();
    }
    let mut rings = RINGS.lock();
    rings.retain(|r| r.fd != ring.fd);
    rings.push(ring);
    Ok(fd)
}

/// A file was mapped: a ring, perhaps.
pub fn mapped(fd: i32, offset: u64, at: u64) {
    if offset != INDICES && offset != ENTRIES {
        return;
    }
    if let Some(ring) = RINGS.lock().iter_mut().find(|r| r.fd == fd) {
        let place = if offset == INDICES { &mut ring.indices } else { &mut ring.entries };
        // A descriptor's number may have become another file's; then the map tells.
        *place = at;
        ring.show_sleeper();
    }
}

/// An entry that was changed: where, and what stood there.
struct Change {
    at: u64,
    before: Vec<u8>,
    /// What it points to meanwhile.
    _staged: Option<Box<[u64]>>,
}

fn uring_enter(t: &mut Task, fd: i32, submit: u32, complete: u32, flags: u32, arg: u64, size: u64) -> Res {
    let call = |t: &mut Task, submit: u32, complete: u32, flags: u32, arg: u64, size: u64| {
        let args = [fd as u64, u64::from(submit), u64::from(complete), u64::from(flags), arg, size];
        t.host_call(i64::from(nr::sys_io_uring_enter), args)
    };
    let woken = flags & ENTER_SQ_WAKEUP != 0 && RINGS.lock().iter().any(|r| r.fd == fd && r.is_polled());
    let changes = if submit == 0 && !woken { Vec::new() } else { put_right(t) };
    if changes.is_empty() && !woken {
        return call(t, submit, complete, flags, arg, size);
    }
    // The entries are the program's again as soon as the kernel has read them; so it waits in a second call only.
    // A thread that was woken would take all that there are, and the call says what it was asked.
    let submitted = call(t, if woken { u32::MAX } else { submit }, 0, 0, 0, 0);
    let submitted = if woken { submitted.map(|_| u64::from(submit)) } else { submitted };
    let flags = flags & !(ENTER_SQ_WAKEUP | ENTER_SQ_WAIT);
    for change in &changes {
        let _ = memory::write(change.at, &change.before);
    }
    RINGS.lock().iter_mut().for_each(|r| r.seen = r.seen.min(memory::read_u32(r.indices + r.head).unwrap_or(r.seen)));
    let submitted = submitted?;
    if flags & ENTER_GETEVENTS == 0 {
        return Ok(submitted);
    }
    call(t, 0, complete, flags, arg, size).map(|_| submitted).or(Ok(submitted))
}

/// Puts the waiting entries of all rings right.
fn put_right(t: &Task) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut rings = RINGS.lock();
    for ring in rings.iter_mut() {
        let own = ring.flags & SETUP_NO_MMAP != 0;
        if own || [ring.indices, ring.entries].iter().all(|at| t.process.mm.shows(*at, NAME)) {
            let _ = ring.put_right(t.abi().model(), &mut changes);
        }
    }
    changes
}

impl Ring {
    fn is_polled(&self) -> bool {
        self.flags & SETUP_SQPOLL != 0
    }

    /// What tells the program that it must make a call.
    fn show_sleeper(&self) {
        let at = self.indices + self.state;
        if let (true, Ok(state)) = (self.is_polled() && self.indices != 0, memory::read_u32(at)) {
            let _ = memory::write(at, &(state | SQ_NEED_WAKEUP).to_ne_bytes());
        }
    }

    fn put_right(&mut self, m: Model, changes: &mut Vec<Change>) -> Result<(), Errno> {
        let index = |offset: u64| memory::read_u32(self.indices.wrapping_add(offset));
        let (head, tail, mask) = (index(self.head)?, index(self.tail)?, index(self.mask)?);
        let waiting = tail.wrapping_sub(head);
        if waiting > mask.saturating_add(1) {
            return Err(Errno::EINVAL);
        }
        // What lies before `head` was taken; what lies before `seen` is right already.
        let begin = if self.seen.wrapping_sub(head) <= waiting { self.seen } else { head };
        let stride = if self.flags & SETUP_SQE128 != 0 { 128 } else { 64 };
        for n in 0..tail.wrapping_sub(begin) {
            let slot = begin.wrapping_add(n) & mask;
            let slot = match self.flags & SETUP_NO_SQARRAY {
                0 => index(self.array + 4 * u64::from(slot))?,
                _ => slot,
            };
            if slot <= mask {
                changes.extend(put_entry_right(m, self.entries + stride * u64::from(slot))?);
            }
        }
        self.seen = tail;
        Ok(())
    }
}

/// struct io_uring_sqe: where its members stand.
const ADDR2: u64 = 8;
const ADDR: u64 = 16;
const LEN: u64 = 24;
const OPEN_FLAGS: u64 = 28;

fn put_entry_right(m: Model, entry: u64) -> Result<Option<Change>, Errno> {
    const OPENAT: u8 = 18;
    const OPENAT2: u8 = 28;
    const EPOLL_CTL: u8 = 29;
    const OPEN_HOW: usize = 24;
    match memory::read_u8(entry)? {
        OPENAT => {
            let guest = memory::read_u32(entry + OPEN_FLAGS)?;
            let host = flags::Open.to_host(m, u64::from(guest)) as u32;
            change(entry + OPEN_FLAGS, &host.to_le_bytes(), None)
        }
        OPENAT2 => {
            let size = memory::read_u32(entry + LEN)? as usize;
            if !(OPEN_HOW..=4096).contains(&size) {
                return Ok(None);
            }
            let mut how = vec![0; size];
            memory::read(memory::read_u64(entry + ADDR2)?, &mut how)?;
            let mut words = words(&how);
            words[0] = flags::Open.to_host(m, words[0]);
            change(entry + ADDR2, &(words.as_ptr() as u64).to_le_bytes(), Some(words))
        }
        EPOLL_CTL => {
            let addr = memory::read_u64(entry + ADDR)?;
            let layout = EpollEvent::layout().of(m);
            let mut guest = vec![0; layout.size];
            if addr == 0 || layout.same || memory::read(addr, &mut guest).is_err() {
                return Ok(None);
            }
            let mut host = vec![0; layout.host_size];
            layout.to_host(&guest, &mut host);
            let words = words(&host);
            change(entry + ADDR, &(words.as_ptr() as u64).to_le_bytes(), Some(words))
        }
        _ => Ok(None),
    }
}

/// Bytes as words that stay where they are.
fn words(from: &[u8]) -> Box<[u64]> {
    let mut words = vec![0u64; from.len().div_ceil(8)];
    for (word, bytes) in words.iter_mut().zip(from.chunks(8)) {
        let mut b = [0; 8];
        b[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(b);
    }
    words.into_boxed_slice()
}

/// Writes `new` to an entry.
fn change(at: u64, new: &[u8], staged: Option<Box<[u64]>>) -> Result<Option<Change>, Errno> {
    let mut before = vec![0; new.len()];
    memory::read(at, &mut before)?;
    if before == new {
        return Ok(None);
    }
    memory::write(at, new)?;
    Ok(Some(Change { at, before, _staged: staged }))
}
