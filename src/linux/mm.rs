//! The guest's address space on the host: mmap and its relatives. We choose every address ourselves, from our own map, within the ABI's
//! limits and never where rqemu lives; the host's memory then lies at the guest's addresses. A guest's PROT_EXEC is a fact of the
//! map alone: nothing of the guest is executable on the host.

use crate::call;
use crate::host::{self, Errno, Res};
use crate::lock::{Guard, Lock};
use crate::log::Sink;
use crate::map::{Area, Backing, Map, Object, PAGE};
use crate::memory;
use crate::perf::Perf;
use crate::proc;
use crate::stored::{self, Images, Key, Note};
use engine::{CodeSource, Engine, Image, Origin};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

mod attach;
mod limits;
mod places;

pub use limits::Limits;
pub(crate) use limits::MARGIN;
use limits::{LOWEST, lowest};
pub use places::Places;

const PROT_READ: u32 = libc::PROT_READ as u32;
const PROT_WRITE: u32 = libc::PROT_WRITE as u32;
const PROT_EXEC: u32 = libc::PROT_EXEC as u32;
const PROT_ALL: u32 = PROT_READ | PROT_WRITE | PROT_EXEC;

/// An address space.
#[derive(Debug)]
pub struct Mm {
    limits: Limits,
    /// The code that was fetched last, so that translation need not take the lock for each instruction.
    recent: Recent,
    /// Where images go so that stored translations fit them.
    images: Option<Images>,
    /// Where the engine's log lines go, and what it tells of code.
    sink: Sink,
    pub perf: Perf,
    /// RLIMIT_AS and RLIMIT_DATA as the guest has set them.
    limit_as: AtomicU64,
    limit_data: AtomicU64,
    state: Lock<State>,
    /// There are guarded pages, or were.
    guards: AtomicBool,
}

/// What is at an address that code was fetched from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeAt {
    Nothing,
    /// Memory that may not be executed.
    Data,
    /// Memory that may: if it cannot be read, its file ends before.
    Code,
}

/// A range of guest code, read without a lock: written under the map's lock, with `sequence` odd meanwhile.
#[derive(Debug, Default)]
struct Recent {
    sequence: AtomicU64,
    start: AtomicU64,
    end: AtomicU64,
}

impl Recent {
    /// The range's end, if the address is in it.
    fn end_of(&self, addr: u64) -> Option<u64> {
        let before = self.sequence.load(Ordering::Acquire);
        let (start, end) = (self.start.load(Ordering::Relaxed), self.end.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let same = before & 1 == 0 && self.sequence.load(Ordering::Relaxed) == before;
        (same && (start..end).contains(&addr)).then_some(end)
    }

    /// To be called with the map's lock held.
    fn set(&self, start: u64, end: u64) {
        let before = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(before.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.start.store(start, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
        self.sequence.store(before.wrapping_add(2), Ordering::Release);
    }
}

#[derive(Debug, Default)]
struct State {
    map: Map,
    /// Below here mappings are placed.
    mmap_top: u64,
    /// The old layout: they are placed from here upwards, as long as there is room.
    mmap_base: Option<u64>,
    /// Where it begins, and the break.
    heap: [u64; 2],
    places: Places,
    /// READ_IMPLIES_EXEC: PROT_READ gives PROT_EXEC too.
    read_implies_exec: bool,
    /// PR_SET_MDWE's bits: what was not executable does not become so.
    refusal: u64,
}

/// PR_MDWE_REFUSE_EXEC_GAIN, PR_MDWE_NO_INHERIT: forked children and other programs are free of it.
pub const REFUSE_EXEC_GAIN: u64 = 1;
pub const NO_INHERIT: u64 = 2;

/// What a forked child or another program has of these bits.
pub fn inherited(bits: u64) -> u64 {
    if bits & NO_INHERIT != 0 { 0 } else { bits }
}

impl State {
    /// Whether a range with the rights `old` may not have `new` (the kernel's map_deny_write_exec).
    fn refuses(&self, old: u32, new: u32) -> bool {
        self.refusal != 0 && new & PROT_EXEC != 0 && (new & PROT_WRITE != 0 || old & PROT_EXEC == 0)
    }
}

/// The highest free range below `top`, as low as the host lets it be.
fn gap_below(map: &Map, len: u64, align: u64, top: u64, holes: &[(u64, u64)]) -> Option<u64> {
    let from = |bottom| map.find_gap(len, align, bottom, top, holes);
    from(LOWEST).or_else(|| from(lowest()))
}

fn round_up(v: u64) -> Option<u64> {
    v.checked_add(PAGE - 1).map(|v| v & !(PAGE - 1))
}

/// The host's protection for a guest's: no execution, but code must be read to be translated.
fn host_prot(prot: u32) -> u32 {
    let read = if prot & PROT_EXEC != 0 { PROT_READ } else { 0 };
    prot & (PROT_READ | PROT_WRITE) | read
}

fn host_mmap(addr: u64, len: u64, prot: u32, flags: i32, fd: i32, offset: u64) -> Res {
    // SAFETY: the range was checked: it is the guest's.
    unsafe { call!(libc::SYS_mmap, addr, len, prot, flags, i64::from(fd), offset) }
}

/// The same where nothing may be mapped yet: EEXIST if something is.
fn host_mmap_new(addr: u64, len: u64, prot: u32, flags: i32, fd: i32, offset: u64) -> Res {
    if flags & libc::MAP_TYPE != libc::MAP_SHARED_VALIDATE {
        return host_mmap(addr, len, prot, flags | libc::MAP_FIXED_NOREPLACE, fd, offset);
    }
    // Where the kernel looks at flags it does not take that one.
    let reserve = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    host_mmap(addr, len, 0, reserve | libc::MAP_FIXED_NOREPLACE, -1, 0)?;
    let done = host_mmap(addr, len, prot, flags | libc::MAP_FIXED, fd, offset);
    if done.is_err() {
        let _ = host_munmap(addr, len);
    }
    done
}

fn host_munmap(addr: u64, len: u64) -> Res {
    // SAFETY: the range was checked: it is the guest's.
    unsafe { call!(libc::SYS_munmap, addr, len) }
}

/// What to map.
#[derive(Clone, Debug)]
pub struct Request {
    pub addr: u64,
    pub len: u64,
    pub prot: u32,
    /// MAP_* of the host.
    pub flags: i32,
    pub fd: i32,
    pub offset: u64,
    /// Name of anonymous memory.
    pub name: &'static str,
    /// See [`Object::key`].
    pub key: Option<Key>,
}

impl Mm {
    pub fn new(limits: Limits, images: Option<Images>, sink: Sink, perf: Perf) -> Mm {
        let state = State { mmap_top: limits.top, ..State::default() };
        let unlimited = || AtomicU64::new(u64::MAX);
        Mm {
            limits,
            recent: Recent::default(),
            images,
            sink,
            perf,
            limit_as: unlimited(),
            limit_data: unlimited(),
            state: Lock::new(state),
            guards: AtomicBool::new(false),
        }
    }

    /// The map, to be changed.
    fn change(&self) -> Guard<'_, State> {
        let guard = self.state.lock();
        self.recent.set(0, 0);
        guard
    }

    /// Places for images, if translations are stored.
    pub fn images(&self) -> Option<Images> {
        self.images
    }

    /// setrlimit's RLIMIT_AS and RLIMIT_DATA: bytes of guest memory, rqemu's own not counted.
    pub fn set_rlimits(&self, address_space: Option<u64>, data: Option<u64>) {
        if let Some(v) = address_space {
            self.limit_as.store(v, Ordering::Relaxed);
        }
        if let Some(v) = data {
            self.limit_data.store(v, Ordering::Relaxed);
        }
    }

    /// Whether `by` more bytes are within RLIMIT_AS and, if they are data, RLIMIT_DATA (the kernel's may_expand_vm). What is in
    /// `replaced` now will be gone.
    fn may_grow(&self, s: &State, by: u64, data: bool, replaced: (u64, u64)) -> Result<(), Errno> {
        let within = |limit: &AtomicU64, counts: fn(&Area) -> bool| {
            let limit = limit.load(Ordering::Relaxed);
            let kept = |start: u64, a: &Area| {
                let overlap = a.end.min(replaced.1).saturating_sub(start.max(replaced.0));
                a.end - start - overlap
            };
            limit == u64::MAX
                || s.map.iter().filter(|(_, a)| counts(a)).fold(by, |n, (s, a)| n.saturating_add(kept(s, a))) <= limit
        };
        if within(&self.limit_as, |_| true) && (!data || within(&self.limit_data, Area::is_data)) {
            return Ok(());
        }
        Err(Errno::ENOMEM)
    }

    /// The first address beyond the guest's user space.
    pub fn top(&self) -> u64 {
        self.limits.top
    }

    /// Mappings are placed below `top`.
    pub fn set_mmap_top(&self, top: u64) {
        self.state.lock().mmap_top = top;
    }

    /// ADDR_COMPAT_LAYOUT of the personality: mappings are placed above `base`.
    pub fn set_mmap_base(&self, base: u64) {
        self.state.lock().mmap_base = Some(base);
    }

    /// READ_IMPLIES_EXEC of the personality: as it was, and `new` from now on.
    pub fn read_implies_exec(&self, new: Option<bool>) -> bool {
        let mut s = self.state.lock();
        let before = s.read_implies_exec;
        s.read_implies_exec = new.unwrap_or(before);
        before
    }

    pub(crate) fn hold(&self) {
        self.state.hold();
    }
    pub(crate) fn release(&self) {
        self.state.release();
    }

    /// PR_SET_MDWE's bits: changed by `change`, which says no where they may not be.
    pub fn refusal(&self, change: impl FnOnce(u64) -> Result<u64, Errno>) -> Res {
        let mut s = self.state.lock();
        s.refusal = change(s.refusal)?;
        Ok(s.refusal)
    }

    /// A free range of `len` bytes at a multiple of `align` (a power of two), where mmap would put it.
    pub fn find_gap(&self, len: u64, align: u64) -> Option<u64> {
        self.gap(&self.state.lock(), round_up(len)?, align.max(PAGE), &self.limits.holes)
    }

    /// The same with the lock held, and without `holes`.
    fn gap(&self, s: &State, len: u64, align: u64, holes: &[(u64, u64)]) -> Option<u64> {
        s.mmap_base
            .and_then(|base| s.map.find_gap_up(len, align, base, self.limits.top, holes))
            .or_else(|| gap_below(&s.map, len, align, s.mmap_top, holes))
            .or_else(|| gap_below(&s.map, len, align, self.limits.top, holes))
    }

    /// Whether a mapping may begin here as far as the host is concerned.
    pub fn may_begin(&self, addr: u64) -> bool {
        self.limits.is_high_enough(addr)
    }

    /// RLIMIT_DATA as the guest has set it.
    pub fn data_limit(&self) -> u64 {
        self.limit_data.load(Ordering::Relaxed)
    }

    /// Whether the range is the guest's and nothing is there.
    pub fn is_free(&self, start: u64, len: u64) -> bool {
        self.limits.is_high_enough(start)
            && self.limits.allows(start, len)
            && self.state.lock().map.is_free(start, start + len)
    }

    /// mmap(2). The engine is told of code that vanishes; none is needed before a program runs.
    pub fn mmap(&self, engine: Option<&Engine>, r: &Request) -> Res {
        let len = round_up(r.len).filter(|l| *l != 0);
        if r.len == 0 || r.offset & (PAGE - 1) != 0 {
            return Err(Errno::EINVAL);
        }
        let len = len.ok_or(Errno::ENOMEM)?;
        if len > self.limits.top {
            return Err(Errno::ENOMEM);
        }
        let fixed = r.flags & (libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE) != 0;
        if fixed && r.addr & (PAGE - 1) != 0 {
            return Err(Errno::EINVAL);
        }
        if fixed && !self.limits.allows(r.addr, len) {
            return Err(Errno::ENOMEM);
        }
        let r = &self.with_key(r);
        let mut s = self.change();
        let backing = backing(r, &s.map)?;
        let shared = matches!(r.flags & libc::MAP_TYPE, libc::MAP_SHARED | libc::MAP_SHARED_VALIDATE);
        let replaced = if fixed { (r.addr, r.addr + len) } else { (0, 0) };
        self.may_grow(&s, len, r.prot & PROT_WRITE != 0 && !shared, replaced)?;
        let mut prot = r.prot & (PROT_ALL | self.limits.guard);
        if s.read_implies_exec && prot & PROT_READ != 0 {
            prot |= PROT_EXEC;
        }
        if s.refuses(prot, prot) {
            return Err(Errno::EACCES);
        }
        let (addr, had_code) = if fixed {
            let had_code = s.map.has_code(r.addr, r.addr + len);
            if r.flags & libc::MAP_FIXED_NOREPLACE != 0 && !s.map.is_free(r.addr, r.addr + len) {
                return Err(Errno::EEXIST);
            }
            let validated = r.flags & libc::MAP_TYPE == libc::MAP_SHARED_VALIDATE;
            let dropped = if validated { 0 } else { libc::MAP_FIXED_NOREPLACE };
            let flags = host_flags(r.flags & !dropped | libc::MAP_FIXED);
            (host_mmap(r.addr, len, host_prot(prot), flags, r.fd, r.offset)?, had_code)
        } else {
            (self.place(&s, r, len, prot)?, false)
        };
        s.map.insert(addr, Area { end: addr + len, prot, shared, backing, offset: r.offset });
        drop(s);
        // Who may only read sees the order in which others write, if it has an order itself.
        let seen = |e: &&Engine| shared && (prot & PROT_WRITE != 0 || !e.guest().state.weak_loads);
        if let Some(e) = engine.filter(seen) {
            e.begin_concurrency();
        }
        if let Some(e) = engine.filter(|_| had_code) {
            e.invalidate(addr, addr + len);
        }
        self.note_guards(engine, prot);
        Ok(addr)
    }

    /// With the first guarded page all code is made anew, to take part in the check.
    fn note_guards(&self, engine: Option<&Engine>, prot: u32) {
        if prot & self.limits.guard != 0
            && !self.guards.swap(true, Ordering::SeqCst)
            && let Some(e) = engine
        {
            e.reset();
        }
    }

    /// Whether there are guarded pages.
    pub fn has_guards(&self) -> bool {
        self.guards.load(Ordering::SeqCst)
    }

    /// Maps where there is room: at the hint if that is free, or as high as possible.
    fn place(&self, s: &State, r: &Request, len: u64, prot: u32) -> Res {
        let flags = host_flags(r.flags);
        let hint = r.addr & !(PAGE - 1);
        if hint != 0
            && self.limits.is_high_enough(hint)
            && self.limits.allows(hint, len)
            && s.map.is_free(hint, hint + len)
        {
            match host_mmap_new(hint, len, host_prot(prot), flags, r.fd, r.offset) {
                Err(Errno::EEXIST) => {}
                done => return done,
            }
        }
        for at in self.image_places(r, hint) {
            if self.limits.allows(at, len) && s.map.is_free(at, at + len) {
                match host_mmap_new(at, len, host_prot(prot), flags, r.fd, r.offset) {
                    Err(Errno::EEXIST) => {}
                    done => return done,
                }
            }
        }
        let mut holes = self.limits.holes.clone();
        // A range that the host has something in, unknown to us, is passed over.
        for _ in 0..128 {
            let low = || gap_below(&s.map, len, PAGE, self.limits.top.min(LOW), &holes);
            let gap = if r.flags & libc::MAP_32BIT != 0 { low() } else { self.gap(s, len, PAGE, &holes) };
            let Some(at) = gap else { break };
            match host_mmap_new(at, len, host_prot(prot), flags, r.fd, r.offset) {
                Err(Errno::EEXIST) => holes.push((at, at + PAGE.max(len / 2))),
                Err(Errno::EINVAL) if r.addr == 0 && r.fd >= 0 => return self.place_by_kernel(s, r, len, prot),
                done => return done,
            }
        }
        Err(Errno::ENOMEM)
    }

    /// The request, with its key if it maps an image's code at an address that follows from it, or a file's where nobody but the program puts anything.
    fn with_key(&self, r: &Request) -> Request {
        let private = r.flags & (libc::MAP_TYPE | libc::MAP_ANONYMOUS) == libc::MAP_PRIVATE;
        let mut r = r.clone();
        if let Some(images) = self.images
            && private
            && r.key.is_none()
        {
            let code = r.prot & PROT_EXEC != 0;
            if images.has(r.addr) && code || r.addr == 0 && r.offset == 0 {
                r.key = stored::image_key(r.fd);
            } else if images.leave_to_program(r.addr, self.limits.top) && code {
                r.key = stored::file_key(r.fd);
            }
        }
        r
    }

    /// Places to be tried for an image, or for a dynamic linker's reservation of one.
    fn image_places(&self, r: &Request, hint: u64) -> Vec<u64> {
        let reserves = r.flags & libc::MAP_ANONYMOUS != 0 && r.prot == 0 && !r.len.is_multiple_of(PAGE);
        match (self.images, r.key) {
            (Some(images), Some(key)) if hint == 0 => images.library(key).collect(),
            (Some(images), None) if hint == 0 && reserves => images.reservation(r.len).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether this word stands in files' code in [start, end), at a multiple of two. That it does not in an image is noted beside its translations.
    pub fn code_has(&self, start: u64, end: u64, word: u32) -> bool {
        let areas: Vec<_> = {
            let s = self.state.lock();
            s.map.within(start, end).map(|(at, a)| (at, a.clone())).filter(|(_, a)| a.prot & PROT_EXEC != 0).collect()
        };
        areas.into_iter().any(|(at, area)| {
            let Backing::Object(object) = &area.backing else { return false };
            let whole = start <= at && area.end <= end;
            let note = self.images.filter(|_| whole).and_then(|images| images.note(object, area.offset, word));
            if note.as_ref().is_some_and(Note::is_there) {
                return false;
            }
            let found = memory::has_word(at.max(start), area.end.min(end), word);
            if let Some(note) = note.filter(|_| !found) {
                note.make();
            }
            found
        })
    }

    /// What a range of the map shows to the engine.
    fn origin_of(&self, start: u64, area: &Area) -> Origin {
        // What is written is compared before it is used again: when a processor would have to be told, or, where none is, each time.
        let code = area.prot & PROT_EXEC != 0 && !area.shared;
        let image = match &area.backing {
            Backing::Object(o) if code => o.key.map(|key| {
                // Guarded code is translated in another way, and all code if there is some that is guarded; code that may change, too.
                let guarded = area.prot & self.limits.guard != 0;
                let how =
                    [area.may_change(), guarded, self.has_guards()].iter().fold(0, |how, b| how << 1 | u128::from(*b));
                Image { key: key.hash ^ how, base: start.wrapping_sub(area.offset) }
            }),
            _ => None,
        };
        Origin { start, end: area.end, image }
    }

    /// A page with these bytes at an address that the ABI fixes, be it beyond the guest's own limits.
    pub fn map_fixed_page(&self, addr: u64, bytes: &[u8], name: &'static str) -> Result<(), Errno> {
        let len = round_up(bytes.len() as u64).ok_or(Errno::ENOMEM)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        host_mmap(addr, len, PROT_READ | PROT_WRITE, flags, -1, 0)?;
        memory::write(addr, bytes)?;
        // SAFETY: the page was just made.
        unsafe { call!(libc::SYS_mprotect, addr, len, PROT_READ) }?;
        let area = Area {
            end: addr + len,
            prot: PROT_READ | PROT_EXEC,
            shared: false,
            backing: Backing::Anonymous(name),
            offset: 0,
        };
        self.state.lock().map.insert(addr, area);
        Ok(())
    }

    /// munmap(2)
    pub fn munmap(&self, engine: &Engine, addr: u64, len: u64) -> Res {
        let len = round_up(len).filter(|l| *l != 0).ok_or(Errno::EINVAL)?;
        // What is rqemu's in the range is not in the map.
        if addr & (PAGE - 1) != 0 || addr.checked_add(len).is_none_or(|end| end > self.limits.top) {
            return Err(Errno::EINVAL);
        }
        let mut s = self.change();
        let had_code = s.map.has_code(addr, addr + len);
        let parts: Vec<_> = s.map.within(addr, addr + len).map(|(s, a)| (s.max(addr), a.end.min(addr + len))).collect();
        for (start, end) in parts {
            host_munmap(start, end - start)?;
            s.map.remove(start, end);
        }
        drop(s);
        if had_code {
            engine.invalidate(addr, addr + len);
        }
        Ok(0)
    }

    /// mprotect(2)
    pub fn mprotect(&self, engine: &Engine, addr: u64, len: u64, prot: u32) -> Res {
        let grows = (libc::PROT_GROWSDOWN | libc::PROT_GROWSUP) as u32;
        let len = round_up(len).ok_or(Errno::ENOMEM)?;
        if addr & (PAGE - 1) != 0 || prot & grows == grows {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(0);
        }
        if !self.limits.allows(addr, len) {
            return Err(Errno::ENOMEM);
        }
        let (mut addr, end) = (addr, addr + len);
        let mut s = self.change();
        if prot & grows != 0 {
            // Down to the beginning of the mapping: stacks are whole from the start here.
            addr = s.map.at(addr).ok_or(Errno::ENOMEM)?.0;
        }
        let mut prot = prot & (PROT_ALL | self.limits.guard);
        if s.read_implies_exec && prot & PROT_READ != 0 {
            prot |= PROT_EXEC;
        }
        // As the kernel: what comes before a hole is changed, then ENOMEM.
        let mut at = addr;
        let becomes_data = |a: &Area| prot & PROT_WRITE != 0 && a.prot & PROT_WRITE == 0 && !a.shared;
        let parts: Vec<_> =
            s.map.within(addr, end).map(|(s, a)| (s.max(addr), a.end.min(end), becomes_data(a), a.prot)).collect();
        let mut result = Ok(0);
        let code = prot & PROT_EXEC != 0 || s.map.has_code(addr, end);
        let concurrent = prot & PROT_WRITE != 0 && s.map.within(addr, end).any(|(_, a)| a.shared);
        for (start, stop, data, old) in parts {
            if start != at {
                break;
            }
            if s.refuses(old, prot) {
                result = Err(Errno::EACCES);
                break;
            }
            if data && self.may_grow(&s, stop - start, true, (start, stop)).is_err() {
                result = Err(Errno::ENOMEM);
                break;
            }
            // SAFETY: the range is the guest's.
            result = unsafe { call!(libc::SYS_mprotect, start, stop - start, host_prot(prot)) };
            if result.is_err() {
                break;
            }
            s.map.protect(start, stop, prot);
            at = stop;
        }
        drop(s);
        if concurrent {
            engine.begin_concurrency();
        }
        if code {
            engine.invalidate(addr, end);
        }
        self.note_guards(Some(engine), prot);
        if result.is_ok() && at < end { Err(Errno::ENOMEM) } else { result }
    }

    /// mprotect of memory that no code has seen yet.
    pub fn protect_new(&self, addr: u64, len: u64, prot: u32) -> Result<(), Errno> {
        let len = round_up(len).ok_or(Errno::ENOMEM)?;
        let mut s = self.change();
        if !s.map.is_whole(addr, addr + len) {
            return Err(Errno::ENOMEM);
        }
        // SAFETY: the range is the guest's.
        unsafe { call!(libc::SYS_mprotect, addr, len, host_prot(prot)) }?;
        s.map.protect(addr, addr + len, prot);
        drop(s);
        self.note_guards(None, prot);
        Ok(())
    }

    /// brk(2): the new end of the heap, or the old one if it cannot be had.
    pub fn brk(&self, engine: &Engine, new: u64) -> u64 {
        let s = self.state.lock();
        let [start, old] = s.heap;
        if new < start || !self.limits.allows(start, new - start) || new - start > self.data_limit() {
            return old;
        }
        let (Some(from), Some(to)) = (round_up(old), round_up(new)) else { return old };
        if to > from && !s.map.is_free(from, to) {
            return old;
        }
        drop(s);
        if to > from {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
            let r = Request {
                addr: from,
                len: to - from,
                prot: PROT_READ | PROT_WRITE,
                flags,
                fd: -1,
                offset: 0,
                name: "[heap]",
                key: None,
            };
            if self.mmap(Some(engine), &r).is_err() {
                return old;
            }
        } else if to < from && self.munmap(engine, to, from - to).is_err() {
            return old;
        }
        self.state.lock().heap[1] = new;
        new
    }

    /// mremap(2)
    pub fn mremap(&self, engine: &Engine, old: u64, old_len: u64, new_len: u64, flags: i32, new: u64) -> Res {
        let known = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
        let fixed = flags & libc::MREMAP_FIXED != 0;
        let dontunmap = flags & libc::MREMAP_DONTUNMAP != 0;
        let may_move = flags & libc::MREMAP_MAYMOVE != 0;
        if flags & !known != 0
            || old & (PAGE - 1) != 0
            || (fixed || dontunmap) && !may_move
            || dontunmap && old_len != new_len
        {
            return Err(Errno::EINVAL);
        }
        let (Some(old_len), Some(new_len)) = (round_up(old_len), round_up(new_len)) else { return Err(Errno::EINVAL) };
        if new_len == 0 || !self.limits.allows(old, old_len.max(PAGE)) {
            return Err(Errno::EINVAL);
        }
        if fixed {
            let overlap = new < old + old_len && old < new.wrapping_add(new_len);
            if new & (PAGE - 1) != 0 || !self.limits.allows(new, new_len) || overlap {
                return Err(Errno::EINVAL);
            }
        } else if new_len < old_len && !dontunmap {
            self.munmap(engine, old + new_len, old_len - new_len)?;
            return Ok(old);
        }
        self.move_mapping(engine, old, old_len, new_len, flags, new)
    }

    fn move_mapping(&self, engine: &Engine, old: u64, old_len: u64, new_len: u64, flags: i32, new: u64) -> Res {
        let (fixed, dontunmap) = (flags & libc::MREMAP_FIXED != 0, flags & libc::MREMAP_DONTUNMAP != 0);
        let mut s = self.change();
        let (start, area) = s.map.at(old).ok_or(Errno::EFAULT)?;
        let mut area = area.clone();
        let in_one = area.end >= old + old_len;
        if !in_one && (old_len != new_len || !s.map.is_whole(old, old + old_len)) {
            return Err(Errno::EFAULT);
        }
        if matches!(area.backing, Backing::Object(_)) {
            area.offset += old - start;
        }
        if old_len == new_len && !fixed && !dontunmap {
            return Ok(old);
        }
        // In place, if there is room behind.
        self.may_grow(&s, new_len.saturating_sub(old_len), area.is_data(), (0, 0))?;
        let at_end = area.end == old + old_len && old_len != 0;
        if !fixed
            && !dontunmap
            && at_end
            && self.limits.allows(old, new_len)
            && s.map.is_free(old + old_len, old + new_len)
        {
            // SAFETY: the range behind is free and the guest's.
            let grown = unsafe { call!(libc::SYS_mremap, old, old_len, new_len, 0, 0) };
            if grown.is_ok() {
                area.end = old + new_len;
                s.map.insert(old, area);
                return Ok(old);
            }
        }
        if flags & libc::MREMAP_MAYMOVE == 0 {
            return Err(Errno::ENOMEM);
        }
        let to = if fixed { new } else { self.gap(&s, new_len, PAGE, &self.limits.holes).ok_or(Errno::ENOMEM)? };
        let host = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | flags & libc::MREMAP_DONTUNMAP;
        let had_code = s.map.has_code(to, to + new_len) || s.map.has_code(old, old + old_len.max(1));
        // The kernel moves several mappings only from 6.17 on, and none that grows: here each by its own.
        let parts: Vec<(u64, Area)> = if in_one {
            vec![(old, area)]
        } else {
            s.map.within(old, old + old_len).map(|(s, a)| (s, a.clone())).collect()
        };
        if fixed {
            s.map.remove(to, to + new_len);
        }
        for (from, mut part) in parts {
            let end = part.end.min(old + old_len);
            let from = from.max(old);
            let (len, target_len) = if in_one { (old_len, new_len) } else { (end - from, end - from) };
            let target = to + (from - old);
            // SAFETY: both ranges are the guest's; the target is free or was asked for by the guest.
            unsafe { call!(libc::SYS_mremap, from, len, target_len, host, target) }?;
            if !dontunmap && old_len != 0 {
                s.map.remove(from, from + len);
            }
            part.end = target + target_len;
            s.map.insert(target, part);
        }
        drop(s);
        if had_code {
            engine.invalidate(to, to + new_len);
            engine.invalidate(old, old + old_len);
        }
        Ok(to)
    }

    /// madvise(2): the host's, on the same memory.
    pub fn madvise(&self, engine: &Engine, addr: u64, len: u64, advice: i32) -> Res {
        let rounded = round_up(len).ok_or(Errno::EINVAL)?;
        if addr & (PAGE - 1) != 0 {
            return Err(Errno::EINVAL);
        }
        if rounded != 0 && !self.limits.allows(addr, rounded) {
            return Err(Errno::ENOMEM);
        }
        // SAFETY: the range is the guest's.
        let r = unsafe { call!(libc::SYS_madvise, addr, len, advice) };
        let drops = matches!(advice, libc::MADV_DONTNEED | libc::MADV_FREE | libc::MADV_REMOVE);
        if drops && self.state.lock().map.has_code(addr, addr + rounded) {
            engine.invalidate(addr, addr + rounded);
        }
        r
    }

    /// The guest says that it changed code: forget it in every mapping of the same object.
    pub fn flush_code(&self, engine: &Engine, addr: u64, len: u64) {
        engine.invalidate(addr, addr.saturating_add(len));
        let s = self.state.lock();
        let Some((start, area)) = s.map.at(addr) else { return };
        if !area.shared {
            return;
        }
        let Backing::Object(object) = &area.backing else { return };
        let (from, to) = (area.offset + (addr - start), area.offset + (addr.saturating_add(len).min(area.end) - start));
        let mut list = Vec::new();
        for (other, a) in s.map.iter() {
            let Backing::Object(o) = &a.backing else { continue };
            if other == start || (o.dev, o.inode) != (object.dev, object.inode) || a.prot & PROT_EXEC == 0 {
                continue;
            }
            let (begin, end) = (from.max(a.offset), to.min(a.offset + (a.end - other)));
            if begin < end {
                list.push((other + (begin - a.offset), other + (end - a.offset)));
            }
        }
        drop(s);
        for (start, end) in list {
            engine.invalidate(start, end);
        }
    }

    /// Code may have changed anywhere: forgets all that can be written, here or through another mapping. What could not be written is
    /// forgotten when that changes.
    pub fn flush_all_code(&self, engine: &Engine) {
        let s = self.state.lock();
        let list: Vec<_> = s.map.iter().filter(|(_, a)| a.may_change()).map(|(start, a)| (start, a.end)).collect();
        drop(s);
        for (start, end) in list {
            engine.invalidate(start, end);
        }
    }

    /// Where the code that holds `pc` ends, looked up as far as `wanted`; `pc` itself if there is none.
    fn code_end(&self, pc: u64, wanted: u64) -> u64 {
        let s = self.state.lock();
        let mut end = pc;
        while end < wanted {
            match s.map.at(end) {
                Some((start, a)) if a.prot & PROT_EXEC != 0 => {
                    self.recent.set(start, a.end);
                    end = a.end;
                }
                _ => break,
            }
        }
        end
    }

    /// What a fetch of code at the address meets.
    pub fn code_at(&self, addr: u64) -> CodeAt {
        match self.state.lock().map.at(addr) {
            None => CodeAt::Nothing,
            Some((_, a)) if a.prot & PROT_EXEC == 0 => CodeAt::Data,
            Some(_) => CodeAt::Code,
        }
    }

    /// Whether the page that a mapped address is in is there for the processor: with no rights at all it is not (PROT_NONE).
    pub(crate) fn is_present(&self, addr: u64) -> bool {
        self.state.lock().map.at(addr).is_some_and(|(_, a)| a.prot & (PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
    }

    /// The text of /proc/self/maps, but for the names of files. `stack` is an address in the main stack.
    pub fn maps(&self, stack: u64) -> String {
        let s = self.state.lock();
        let mut text = String::new();
        for (start, a) in s.map.iter() {
            let flag = |bit, c| if a.prot & bit != 0 { c } else { '-' };
            let (dev, inode, path) = match &a.backing {
                Backing::Anonymous(name) => {
                    let name = if (start..a.end).contains(&stack) { "[stack]" } else { name };
                    (0, 0, name.into())
                }
                Backing::Object(o) => (o.dev, o.inode, String::from_utf8_lossy(&o.path)),
            };
            let (r, w, x) = (flag(PROT_READ, 'r'), flag(PROT_WRITE, 'w'), flag(PROT_EXEC, 'x'));
            let p = if a.shared { 's' } else { 'p' };
            let (major, minor) = (libc::major(dev), libc::minor(dev));
            let line =
                format!("{start:08x}-{:08x} {r}{w}{x}{p} {:08x} {major:02x}:{minor:02x} {inode} ", a.end, a.offset);
            let _ = writeln!(text, "{}", proc::padded(&line, &path));
        }
        text
    }

    /// All bytes that are mapped (for statm and the like).
    pub fn total(&self) -> u64 {
        self.state.lock().map.iter().map(|(s, a)| a.end - s).sum()
    }

    /// The heap: start and end.
    pub fn heap(&self) -> (u64, u64) {
        self.state.lock().heap.into()
    }

    /// Where these two words stand, for who looks from another process.
    pub(crate) fn heap_place(&self) -> u64 {
        &raw const self.state.lock().heap as u64
    }

    /// The range that the map has at an address.
    pub(crate) fn range_at(&self, addr: u64) -> Option<(u64, u64)> {
        self.state.lock().map.at(addr).map(|(start, a)| (start, a.end))
    }
}

/// Where addresses of 31 bits end.
const LOW: u64 = 1 << 31;

fn host_flags(flags: i32) -> i32 {
    // MAP_GROWSDOWN would let the host change the map behind our back; addresses are chosen here, those for MAP_32BIT too.
    flags & !(libc::MAP_GROWSDOWN | libc::MAP_32BIT)
}

/// What the request maps, in an address space with that map.
fn backing(r: &Request, map: &Map) -> Result<Backing, Errno> {
    if r.flags & libc::MAP_ANONYMOUS != 0 {
        if r.flags & libc::MAP_TYPE == libc::MAP_PRIVATE {
            return Ok(Backing::Anonymous(r.name));
        }
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let inode = NEXT.fetch_add(1, Ordering::Relaxed);
        return Ok(Backing::Object(Arc::new(Object {
            dev: 1,
            inode,
            path: b"/dev/zero (deleted)".to_vec(),
            key: None,
        })));
    }
    // SAFETY: all zero is a stat.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes the struct.
    unsafe { call!(libc::SYS_fstat, r.fd, &raw mut stat) }?;
    // Mostly its first part is mapped already.
    let is = |o: &Object| (o.dev, o.inode, o.key) == (stat.st_dev, stat.st_ino, r.key);
    let regular = stat.st_mode & libc::S_IFMT == libc::S_IFREG;
    if regular && let Some(known) = map.object_near(r.addr).filter(|o| is(o)) {
        return Ok(Backing::Object(known.clone()));
    }
    // Files of /proc have no pages.
    if proc::is_like_made_up(stat.st_mode, stat.st_nlink) && proc::stands_for(r.fd).is_some() {
        return Err(Errno::ENODEV);
    }
    let link = || host::readlink(format!("/proc/self/fd/{}", r.fd).as_bytes()).unwrap_or_default();
    let path = if regular { Vec::new() } else { link() };
    Ok(Backing::Object(Arc::new(Object { dev: stat.st_dev, inode: stat.st_ino, path, key: r.key })))
}

impl CodeSource for Mm {
    fn fetch(&self, pc: u64, buf: &mut [u8]) -> usize {
        let wanted = pc.saturating_add(buf.len() as u64);
        let end = self.recent.end_of(pc).filter(|end| *end >= wanted).unwrap_or_else(|| self.code_end(pc, wanted));
        let len = (end.saturating_sub(pc) as usize).min(buf.len());
        // It may vanish meanwhile, or lie beyond its file's end.
        memory::read_some(pc, &mut buf[..len])
    }

    fn origin(&self, pc: u64) -> Origin {
        match self.state.lock().map.at(pc) {
            Some((start, area)) => self.origin_of(start, area),
            None => Origin { start: pc, end: pc.saturating_add(1), image: None },
        }
    }

    fn guards(&self) -> bool {
        self.has_guards()
    }

    fn is_guarded(&self, pc: u64) -> bool {
        self.state.lock().map.at(pc).is_some_and(|(_, a)| a.prot & self.limits.guard != 0)
    }

    fn may_change(&self, start: u64, end: u64) -> bool {
        self.state.lock().map.within(start, end).any(|(_, a)| a.may_change())
    }

    fn log(&self, text: &str) {
        self.sink.write(text);
    }

    fn placed(&self, pc: Option<u64>, at: u64, code: &[u8]) {
        self.perf.placed(pc, at, code);
    }
}
