//! ptrace(2) between guests. The host's kernel attaches, stops, reports to wait and lets go on; what a tracer sees of a stopped thread is on that
//! thread's [`board`], in the memory of its rqemu, which must be the tracer's own file.
//!
//! The host stops a thread wherever it is when a signal comes. That stop is not the guest's: the tracer's rqemu, in its wait ([`wait`]), puts the signal on
//! the board and sends the thread on with a SIGTRAP that stands for it, and the thread stops itself where its state is exact.
//!
//! Differs: a tracer gets SIGCHLD for the host's stops too. Threads that a group stop finds elsewhere show the registers of their last stop. Programs
//! of the host cannot be traced, nor those whose file may not be read, by a tracer without rights: these go on without it.

pub(crate) mod board;
pub(crate) mod registers;
pub(crate) mod wait;

use crate::call;
use crate::host::{self, Errno, Res};
use crate::lock::Lock;
use crate::memory;
use crate::siginfo::{self, HostInfo};
use crate::signal::{SYNCHRONOUS, UNBLOCKABLE};
use crate::task::Task;
use board::{ASKED, BOARDS, Board, Data};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// PTRACE_*
mod request {
    pub(super) const TRACEME: u64 = 0;
    pub(super) const PEEKTEXT: u64 = 1;
    pub(super) const PEEKDATA: u64 = 2;
    pub(super) const PEEKUSR: u64 = 3;
    pub(super) const POKETEXT: u64 = 4;
    pub(super) const POKEDATA: u64 = 5;
    pub(super) const POKEUSR: u64 = 6;
    pub(super) const CONT: u64 = 7;
    pub(super) const KILL: u64 = 8;
    pub(super) const SINGLESTEP: u64 = 9;
    pub(super) const ATTACH: u64 = 16;
    pub(super) const DETACH: u64 = 17;
    pub(super) const SYSCALL: u64 = 24;
    pub(super) const SETOPTIONS: u64 = 0x4200;
    pub(super) const GETEVENTMSG: u64 = 0x4201;
    pub(super) const GETSIGINFO: u64 = 0x4202;
    pub(super) const SETSIGINFO: u64 = 0x4203;
    pub(super) const GETREGSET: u64 = 0x4204;
    pub(super) const SETREGSET: u64 = 0x4205;
    pub(super) const SEIZE: u64 = 0x4206;
    pub(super) const INTERRUPT: u64 = 0x4207;
    pub(super) const LISTEN: u64 = 0x4208;
    pub(super) const PEEKSIGINFO: u64 = 0x4209;
    pub(super) const GETSIGMASK: u64 = 0x420a;
    pub(super) const SETSIGMASK: u64 = 0x420b;
    pub(super) const GET_SYSCALL_INFO: u64 = 0x420e;
    pub(super) const SET_SYSCALL_INFO: u64 = 0x4212;
}
use request::*;

/// Where the boards of other threads stand, by tid.
static FOUND: Lock<BTreeMap<i32, u64>> = Lock::new(BTreeMap::new());
/// Somebody's /proc/PID/mem was opened for writing: code may change without a call that says so.
static WRITES_MEMORY: AtomicBool = AtomicBool::new(false);

/// For fork.
pub(crate) fn hold() {
    FOUND.hold();
}
pub(crate) fn release() {
    FOUND.release();
}

/// A file was opened: it may be a debugger's way to memory.
pub(crate) fn opened(path: &[u8], flags: i32) {
    if path.ends_with(b"/mem") && flags & libc::O_ACCMODE != libc::O_RDONLY {
        WRITES_MEMORY.store(true, Ordering::Relaxed);
    }
}

fn host_ptrace(request: u64, pid: i32, addr: u64, data: u64) -> Res {
    // SAFETY: addresses in the requests that are made here are of live buffers, or the tracee's.
    unsafe { call!(libc::SYS_ptrace, request, pid, addr, data) }
}

/// process_vm_readv and process_vm_writev of one piece: all of it, or EIO.
fn transfer(nr: i64, pid: i32, local: (u64, usize), remote: u64) -> Result<(), Errno> {
    let (local, remote) = ([local.0, local.1 as u64], [remote, local.1 as u64]);
    // SAFETY: the kernel reads both vectors, and the local range is the caller's buffer.
    let n = unsafe { call!(nr, pid, local.as_ptr(), 1, remote.as_ptr(), 1, 0) }?;
    if n == local[1] { Ok(()) } else { Err(Errno::EIO) }
}

pub(crate) fn peek(pid: i32, addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
    transfer(libc::SYS_process_vm_readv, pid, (buf.as_mut_ptr() as u64, buf.len()), addr)
}

/// Whether the kernel shows nothing of its memory, not even to its tracer.
fn is_hidden(pid: i32) -> bool {
    peek(pid, 0, &mut [0]) == Err(Errno::EPERM)
}

pub(crate) fn poke(pid: i32, addr: u64, bytes: &[u8]) -> Result<(), Errno> {
    transfer(libc::SYS_process_vm_writev, pid, (bytes.as_ptr() as u64, bytes.len()), addr)
}

/// A traced thread.
pub(crate) struct Target {
    pub(crate) pid: i32,
    at: u64,
    pub(crate) data: Data,
}

/// Where a file of this identity, as /proc/PID/maps has it, is mapped first.
fn base(maps: &str, identity: &str) -> Option<u64> {
    let line = maps.lines().find(|l| l.contains(identity))?;
    u64::from_str_radix(line.split('-').next()?, 16).ok()
}

/// Where our table of boards stands in another rqemu.
fn table_in(pid: i32) -> Option<u64> {
    let maps = |who: &str| {
        Some(String::from_utf8_lossy(&host::read_file(format!("/proc/{who}/maps").as_bytes()).ok()?).into_owned())
    };
    let here = &raw const BOARDS as u64;
    let own = maps("self")?;
    let holds = |l: &&str| {
        let (start, end) = l.split(' ').next().and_then(|r| r.split_once('-')).unwrap_or(("", ""));
        let hex = |t| u64::from_str_radix(t, 16).unwrap_or(0);
        (hex(start)..hex(end)).contains(&(&raw const TABLE_IDENTITY as u64))
    };
    // Of a line, device and inode.
    let line = own.lines().find(holds)?;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let identity = format!(" {} {} ", fields.get(3)?, fields.get(4)?);
    let there = base(&maps(&pid.to_string())?, &identity)?;
    Some(there + (here - base(&own, &identity)?))
}

/// Something in rqemu's file, to find its mapping by.
static TABLE_IDENTITY: u8 = 1;

/// Without /proc our own table's place is tried: a child that has not begun another program has it there.
fn board_in(pid: i32) -> Option<u64> {
    let here = &raw const BOARDS as u64;
    table_in(pid).into_iter().chain([here]).find_map(|table| board_of_table(pid, table))
}

fn board_of_table(pid: i32, table: u64) -> Option<u64> {
    let mut entries = vec![0u64; BOARDS.len()];
    // SAFETY: the same memory as bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(entries.as_mut_ptr().cast::<u8>(), 8 * entries.len()) };
    peek(pid, table, bytes).ok()?;
    entries.into_iter().filter(|at| *at != 0).find(|at| read_board(pid, *at).is_some_and(|d| d.tid == pid))
}

fn read_board(pid: i32, at: u64) -> Option<Data> {
    let mut bytes = [0u8; size_of::<Data>()];
    peek(pid, at, &mut bytes).ok()?;
    // SAFETY: plain data of this size.
    Some(unsafe { bytes.as_ptr().cast::<Data>().read_unaligned() })
}

impl Target {
    /// The thread's board, if it runs by this rqemu and has begun to.
    pub(crate) fn find(pid: i32) -> Option<Target> {
        let known = FOUND.lock().get(&pid).copied();
        let at = known.filter(|at| read_board(pid, *at).is_some_and(|d| d.tid == pid)).or_else(|| board_in(pid))?;
        FOUND.lock().insert(pid, at);
        Some(Target { pid, at, data: read_board(pid, at)? })
    }

    /// The same of one that may have been born just now, and not have named its board yet.
    fn find_soon(pid: i32) -> Option<Target> {
        for _ in 0..200 {
            let found = Target::find(pid);
            if found.is_some() || table_in(pid).is_none() {
                return found;
            }
            let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            // SAFETY: the kernel reads the time.
            let _ = unsafe { call!(libc::SYS_nanosleep, &raw const pause, 0) };
        }
        None
    }

    /// The same of a thread that is stopped for us.
    fn stopped(pid: i32) -> Result<Target, Errno> {
        let mut info = HostInfo::ZERO;
        let host = host_ptrace(GETSIGINFO, pid, 0, &raw mut info as u64);
        let target = match host {
            Ok(_) | Err(Errno::EINVAL) => Target::find(pid).ok_or(Errno::ESRCH)?,
            Err(e) => return Err(e),
        };
        // An event's code is what wait tells; a group stop has none, or is one.
        let events = host.is_err() || info.code() >> 8 != 0 && info.code() & 0xff == info.signo();
        if target.data.stop == board::RUNNING && !events {
            return Err(Errno::ESRCH);
        }
        Ok(target)
    }

    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), Errno> {
        poke(self.pid, self.at + offset as u64, bytes)
    }
    pub(crate) fn write_u32(&self, offset: usize, v: u32) -> Result<(), Errno> {
        self.write(offset, &v.to_le_bytes())
    }
}

/// The auxiliary vector of another guest, as its /proc has it.
pub(crate) fn auxv_of(pid: i32) -> Option<Vec<u8>> {
    let [at, len] = Target::find_soon(pid)?.data.auxv;
    let mut bytes = vec![0; usize::try_from(len).ok().filter(|n| *n <= 4096)?];
    peek(pid, at, &mut bytes).ok()?;
    Some(bytes)
}

/// What another guest's memory is, of which the host knows no name.
pub(crate) fn names_of(pid: i32) -> Option<Vec<((u64, u64), &'static str)>> {
    let Data { heap, vdso, .. } = Target::find_soon(pid)?.data;
    let mut bytes = [0; 16];
    peek(pid, heap, &mut bytes).ok()?;
    let [start, end] = [0, 8].map(|at| bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b)));
    let pages = (start & !4095, end.wrapping_add(4095) & !4095);
    Some(vec![(pages, "[heap]"), (vdso.into(), "[vdso]")])
}

macro_rules! at {
    ($field:ident) => {
        std::mem::offset_of!($crate::ptrace::board::Data, $field)
    };
}
pub(crate) use at;

/// ptrace(2)
pub(crate) fn ptrace(t: &mut Task, request: u64, pid: i32, addr: u64, data: u64) -> Res {
    match request {
        TRACEME => {
            host_ptrace(TRACEME, 0, 0, 0)?;
            t.begin_traced(0, 0, board::CONTINUE);
            Ok(0)
        }
        ATTACH | SEIZE => attach(t, request, pid, addr, data),
        KILL => {
            // SAFETY: no memory is involved.
            Target::stopped(pid).and_then(|_| unsafe { call!(libc::SYS_tkill, pid, libc::SIGKILL) })
        }
        INTERRUPT => interrupt(pid),
        _ => on_stopped(t, request, &Target::stopped(pid)?, addr, data),
    }
}

/// Options of the guest's that the host's kernel looks after.
fn host_options(options: u64) -> u64 {
    options & !u64::from(board::OPTION_SYSGOOD)
}

fn attach(t: &Task, request: u64, pid: i32, addr: u64, options: u64) -> Res {
    if pid == t.tid || pid <= 0 {
        return host_ptrace(request, pid, addr, host_options(options));
    }
    let Some(target) = Target::find_soon(pid) else {
        // Its errors are the host's, if it has any.
        // SAFETY: no memory is involved.
        unsafe { call!(libc::SYS_kill, pid, 0) }.map_err(|e| if e == Errno::EINVAL { Errno::ESRCH } else { e })?;
        t.unimp(format_args!("ptrace: {pid} does not run by this rqemu"));
        return Err(Errno::EPERM);
    };
    let seizes = request == SEIZE;
    host_ptrace(request, pid, addr, if seizes { host_options(options) } else { 0 })?;
    for (offset, v) in [
        (at!(options), if seizes { options as u32 } else { 0 }),
        (at!(mode), board::CONTINUE),
        (at!(seized), seizes.into()),
        (at!(call), board::NO_CALL),
        (at!(traced), 1),
    ] {
        target.write_u32(offset, v)?;
    }
    Ok(0)
}

/// Makes a thread stop: a signal that it takes for that.
fn interrupt(pid: i32) -> Res {
    let target = Target::find(pid).ok_or(Errno::ESRCH)?;
    if target.data.traced == 0 {
        return Err(Errno::ESRCH);
    }
    if target.data.seized == 0 {
        return Err(Errno::EIO);
    }
    let info = HostInfo::fault(libc::SIGTRAP, ASKED, 0);
    let status = host::read_file(format!("/proc/{pid}/status").as_bytes()).map_err(|_| Errno::ESRCH)?;
    let text = String::from_utf8_lossy(&status).into_owned();
    let group = text.lines().find_map(|l| l.strip_prefix("Tgid:")?.trim().parse::<i32>().ok()).unwrap_or(pid);
    // SAFETY: the kernel reads the information.
    unsafe { call!(libc::SYS_rt_tgsigqueueinfo, group, pid, libc::SIGTRAP, &raw const info) }
}

/// Requests to a thread that is stopped.
fn on_stopped(t: &mut Task, request: u64, target: &Target, addr: u64, data: u64) -> Res {
    let debug = &t.abi().debug;
    let pid = target.pid;
    match request {
        PEEKTEXT | PEEKDATA => {
            let word = peek_word(t, pid, addr)?;
            memory::write(data, &word).map(|()| 0)
        }
        POKETEXT | POKEDATA => poke_word(t, target, addr, data),
        CONT => go_on(target, board::CONTINUE, data),
        SYSCALL => go_on(target, board::TO_SYSCALL, data),
        SINGLESTEP if debug.can_step => go_on(target, board::STEP, data),
        DETACH => {
            target.write_u32(at!(traced), 0)?;
            prepare(target, board::CONTINUE, data)?;
            FOUND.lock().remove(&pid);
            host_ptrace(DETACH, pid, 0, 0)
        }
        LISTEN => host_ptrace(LISTEN, pid, 0, 0),
        SETOPTIONS => {
            host_ptrace(SETOPTIONS, pid, 0, host_options(data))?;
            target.write_u32(at!(options), data as u32).map(|()| 0)
        }
        GETEVENTMSG => {
            let mut message = 0u64;
            match target.data.stop {
                board::RUNNING => _ = host_ptrace(GETEVENTMSG, pid, 0, &raw mut message as u64)?,
                board::SYSCALL => message = target.data.call.into(),
                _ => message = target.data.message,
            }
            memory::write(data, &message.to_le_bytes()[..t.abi().long]).map(|()| 0)
        }
        GETSIGINFO => {
            let mut info = target.data.info;
            if target.data.stop == board::RUNNING {
                host_ptrace(GETSIGINFO, pid, 0, &raw mut info as u64)?;
            }
            memory::write(data, &info.to_guest(t.abi())).map(|()| 0)
        }
        SETSIGINFO => {
            let mut bytes = [0; siginfo::SIZE];
            memory::read(data, &mut bytes)?;
            target.write(at!(info), &HostInfo::from_guest(&bytes, t.abi()).0).map(|()| 0)
        }
        GETSIGMASK | SETSIGMASK if addr != 8 => Err(Errno::EINVAL),
        GETSIGMASK => memory::write_u64(data, target.data.mask).map(|()| 0),
        SETSIGMASK => set_mask(target, memory::read_u64(data)? & !UNBLOCKABLE),
        PEEKSIGINFO => peek_pending(t, pid, addr, data),
        SET_SYSCALL_INFO => registers::set_syscall_info(t, target, addr, data),
        GET_SYSCALL_INFO => registers::syscall_info(t, target, addr, data),
        _ => registers::request(t, request, target, addr, data),
    }
}

/// A signal that comes before the thread looks at its board is to wait, too.
fn set_mask(target: &Target, mask: u64) -> Res {
    let mut of_host = 0u64;
    host_ptrace(GETSIGMASK, target.pid, 8, &raw mut of_host as u64)?;
    of_host |= mask & !SYNCHRONOUS;
    host_ptrace(SETSIGMASK, target.pid, 8, &raw const of_host as u64)?;
    target.write(at!(mask), &mask.to_le_bytes()).map(|()| 0)
}

/// Signals that are pending: `addr` leads to a struct ptrace_peeksiginfo_args, which all ABIs have alike. The answers go to the array at `to`.
fn peek_pending(t: &Task, pid: i32, addr: u64, to: u64) -> Res {
    // off; flags and nr
    let mut args = [memory::read_u64(addr)?, memory::read_u64(addr.wrapping_add(8))?];
    let count = usize::try_from((args[1] >> 32) as i32).map_err(|_| Errno::EINVAL)?;
    let mut infos = vec![HostInfo::ZERO; count.min(64)];
    args[1] = args[1] & 0xffff_ffff | (infos.len() as u64) << 32;
    let found = host_ptrace(PEEKSIGINFO, pid, args.as_ptr() as u64, infos.as_mut_ptr() as u64)?;
    for (n, info) in infos.iter().take(found as usize).enumerate() {
        memory::write(to.wrapping_add((n * siginfo::SIZE) as u64), &info.to_guest(t.abi()))?;
    }
    Ok(found)
}

/// What the thread finds when it goes on.
fn prepare(target: &Target, mode: u32, signal: u64) -> Result<(), Errno> {
    if signal > 64 {
        return Err(Errno::EIO);
    }
    target.write_u32(at!(mode), mode)?;
    target.write_u32(at!(inject), signal as u32)?;
    if WRITES_MEMORY.load(Ordering::Relaxed) {
        target.write_u32(at!(flush), 1)?;
    }
    Ok(())
}

fn go_on(target: &Target, mode: u32, signal: u64) -> Res {
    prepare(target, mode, signal)?;
    host_ptrace(CONT, target.pid, 0, 0)
}

/// A word of the guest's at an address, in its byte order. What the kernel may read and the debugger not (no read permission) too.
fn peek_word(t: &Task, pid: i32, addr: u64) -> Result<Vec<u8>, Errno> {
    let mut word = vec![0; t.abi().long];
    if peek(pid, addr, &mut word).is_err() {
        let mut whole = 0u64;
        host_ptrace(PEEKDATA, pid, addr & !7, &raw mut whole as u64)?;
        let bytes = whole.to_le_bytes();
        let from = (addr & 7) as usize;
        word = bytes.get(from..from + t.abi().long).ok_or(Errno::EIO)?.to_vec();
    }
    Ok(word)
}

/// The host writes where the guest itself may not. Code may have changed.
fn poke_word(t: &Task, target: &Target, addr: u64, data: u64) -> Res {
    let mut whole = data;
    let mut at = addr;
    if t.abi().long == 4 {
        at = addr & !7;
        host_ptrace(PEEKDATA, target.pid, at, &raw mut whole as u64)?;
        let shift = 8 * (addr & 4);
        whole = whole & !(0xffff_ffff << shift) | (data & 0xffff_ffff) << shift;
    }
    host_ptrace(POKEDATA, target.pid, at, whole)?;
    target.write_u32(at!(flush), 1).map(|()| 0)
}

const _: () = assert!(size_of::<Board>() == size_of::<Data>());
