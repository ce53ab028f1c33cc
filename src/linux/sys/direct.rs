//! Calls that generated code makes without leaving ([`engine::Calls`]): those whose arguments go to the host as they are, and those that the
//! host's vDSO serves. Each number is judged when it is first made. Both ways do exactly what `plain.rs` would.

use crate::host_vdso;
use crate::layout::{CStruct, Layout};
use crate::lock::Lock;
use crate::sys::structs::{Timespec, Timespec32, Timeval, UInt32};
use crate::sys::types::Ty;
use crate::sys::{Act, Call, Row, nr, rows};
use crate::{memory, quiet};
use arch::layout::Model;
use engine::{CALL_HOST, CALL_LEAVES, CALL_QUIET, NOT_SERVED, Served};
use std::arch::global_asm;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the engine looks at, by the guest's numbers.
pub static CALLS: engine::Calls = [const { AtomicU64::new(0) }; size_of::<engine::Calls>() / 8];

/// Calls are to be judged one by one from now on (`seccomp.rs`).
static LEAVING: Lock<bool> = Lock::new(false);
static LEAVES: AtomicBool = AtomicBool::new(false);

/// No call is made by generated code any more.
pub fn leave_always() {
    // Who settles one just now is done with it before this begins.
    *LEAVING.lock() = true;
    LEAVES.store(true, Ordering::SeqCst);
    CALLS.iter().for_each(|entry| entry.store(0, Ordering::SeqCst));
}

/// For fork.
pub(crate) fn hold() {
    LEAVING.hold();
}
pub(crate) fn release() {
    LEAVING.release();
}

/// Settles how call `number` is to be made from now on.
pub fn judge(m: Model, number: u64, call: &Call) {
    let Some(entry) = CALLS.get(number as usize).filter(|e| e.load(Ordering::Relaxed) == 0) else { return };
    if LEAVES.load(Ordering::Relaxed) {
        return;
    }
    let leaving = LEAVING.lock();
    if *leaving {
        return;
    }
    let how = served(m, call.row).or_else(|| plain(m, call.row)).or_else(|| futex(m, call.row)).unwrap_or(CALL_LEAVES);
    entry.store(how, Ordering::Relaxed);
}

/// From now on no call is made without leaving.
pub fn stop() {
    CALLS.iter().for_each(|entry| entry.store(CALL_LEAVES, Ordering::Relaxed));
}

/// A call whose words the host can have as the guest's registers hold them.
fn plain(m: Model, row: &Row) -> Option<u64> {
    let Act::Host(nr) = row.act else { return None };
    row.params.iter().all(|p| passes(m, *p)).then_some(CALL_HOST + u64::from(nr))
}

/// futex(2), where neither its time nor the order of its words' bytes is another than the host's. What it does with the operations is the kernel's affair then.
fn futex(m: Model, row: &Row) -> Option<u64> {
    let same = std::ptr::eq(row, &rows::sys_futex) && !m.big_endian && Timespec::layout().of(m).same;
    same.then_some(CALL_HOST + u64::from(nr::sys_futex))
}

/// Whether an argument is one word that needs no conversion. The kernel cuts what is shorter than a word itself.
fn passes(m: Model, ty: Ty) -> bool {
    match ty {
        Ty::Int | Ty::UInt | Ty::ULong | Ty::Size | Ty::Addr => true,
        Ty::Fd | Ty::DirFd | Ty::Pid | Ty::Sig | Ty::Clock | Ty::Mode => true,
        Ty::InBuf(_) | Ty::OutBuf(_) | Ty::Str => true,
        Ty::Long | Ty::I64 | Ty::LowHigh => m.long == 8,
        Ty::InIov(_) | Ty::OutIov(_) => m.like_host(),
        Ty::Flags(f) | Ty::Enum(f) => f.same(m),
        Ty::In(l) | Ty::InOut(l) | Ty::Rest(l) | Ty::InArray(l, _) | Ty::InOutArray(l, _) => l().of(m).same,
        Ty::Out(l) | Ty::OutArray(l, _) => l().of(m).same_back,
        Ty::SockAddr(_) | Ty::SockAddrOut => !m.big_endian,
        Ty::Request | Ty::Path | Ty::LinkPath | Ty::OldPath | Ty::NewPath | Ty::Argv => false,
    }
}

/// Addresses of the host's functions.
static CLOCK_GETTIME: AtomicU64 = AtomicU64::new(0);
static CLOCK_GETRES: AtomicU64 = AtomicU64::new(0);
static GETTIMEOFDAY: AtomicU64 = AtomicU64::new(0);
static GETCPU: AtomicU64 = AtomicU64::new(0);

/// A call that the vDSO serves: its row, what it writes, the vDSO's function and where that is kept, and who calls it.
type ByVdso = (&'static Row, fn() -> &'static Layout, &'static str, &'static AtomicU64, Served);
static SERVED: [ByVdso; 6] = [
    (&rows::sys_clock_gettime, Timespec::layout, "__vdso_clock_gettime", &CLOCK_GETTIME, clock_gettime),
    (&rows::sys_clock_gettime32, Timespec32::layout, "__vdso_clock_gettime", &CLOCK_GETTIME, clock_gettime32),
    (&rows::sys_clock_getres, Timespec::layout, "__vdso_clock_getres", &CLOCK_GETRES, clock_getres),
    (&rows::sys_clock_getres_time32, Timespec32::layout, "__vdso_clock_getres", &CLOCK_GETRES, clock_getres32),
    (&rows::sys_gettimeofday, Timeval::layout, "__vdso_gettimeofday", &GETTIMEOFDAY, gettimeofday),
    (&rows::sys_getcpu, UInt32::layout, "__vdso_getcpu", &GETCPU, getcpu),
];

// rqemu_clock(clock, addr): asks the host's clock without using a vector register, and writes both words to the guest's memory. A fault in
// [rqemu_clock_begin, rqemu_clock_end) goes on at the end: not served.
global_asm!(
    ".pushsection .text.rqemu_clock, \"ax\"",
    ".globl rqemu_clock, rqemu_clock_begin, rqemu_clock_end",
    "rqemu_clock:",
    "push rbx",
    "sub rsp, 16",
    "mov rbx, rsi",
    "mov rsi, rsp",
    "call qword ptr [rip + {function}]",
    "test eax, eax",
    "jne rqemu_clock_end",
    "mov rcx, [rsp]",
    "mov rdx, [rsp + 8]",
    "rqemu_clock_begin:",
    "mov [rbx], rcx",
    "mov [rbx + 8], rdx",
    "xor eax, eax",
    "add rsp, 16",
    "pop rbx",
    "ret",
    "rqemu_clock_end:",
    "mov rax, {not_served}",
    "add rsp, 16",
    "pop rbx",
    "ret",
    ".popsection",
    function = sym CLOCK_GETTIME,
    not_served = const NOT_SERVED,
);

unsafe extern "C" {
    fn rqemu_clock(clock: u64, addr: u64, _: u64) -> i64;
    static rqemu_clock_begin: u8;
    static rqemu_clock_end: u8;
}

/// Where a SIGSEGV or SIGBUS handler must send the interrupted rip, if the fault was there.
pub fn fault_fixup(rip: u64) -> Option<u64> {
    let (begin, end) = (&raw const rqemu_clock_begin as u64, &raw const rqemu_clock_end as u64);
    (begin..end).contains(&rip).then_some(end)
}

/// Whether the vDSO may serve a call.
pub fn is_served(row: &Row) -> bool {
    SERVED.iter().any(|(r, ..)| std::ptr::eq(*r, row))
}

fn served(m: Model, row: &Row) -> Option<u64> {
    let (_, layout, name, at, by) = SERVED.iter().find(|(r, ..)| std::ptr::eq(*r, row))?;
    // `put` knows one ABI.
    let (known, layout) = (layout(), layout().of(m));
    known.resolved().filter(|first| std::ptr::eq(*first, layout))?;
    let function = host_vdso::function(name)?;
    at.store(function, Ordering::Relaxed);
    let is_clock = std::ptr::eq(*at, &raw const CLOCK_GETTIME) && layout.same_back && layout.size == 16;
    // SAFETY: the kernel's code.
    if is_clock && unsafe { quiet::is_quiet(function) } {
        return Some(rqemu_clock as *const () as u64 | CALL_QUIET);
    }
    Some(*by as usize as u64)
}

/// Writes a host struct to the guest's. False where there is no memory, or if it does not fit: the real call finds that again.
fn put<const N: usize>(layout: &'static Layout, addr: u64, host: [u64; N]) -> bool {
    let Some(r) = layout.resolved() else { return false };
    let host = host.map(u64::to_ne_bytes);
    let host = host.as_flattened();
    if r.same_back {
        return memory::write(addr, &host[..r.size]).is_ok();
    }
    let mut guest = [0; 32];
    let guest = &mut guest[..r.size];
    r.to_guest(&host[..r.host_size], guest).is_ok() && memory::write(addr, guest).is_ok()
}

/// Asks a function of a clock's form.
fn ask(function: &AtomicU64, clock: u64) -> Option<[u64; 2]> {
    // SAFETY: the vDSO's function of that type (vdso(7)), stored before this can be called.
    let function: extern "C" fn(i32, *mut [u64; 2]) -> i32 =
        unsafe { std::mem::transmute(function.load(Ordering::Relaxed)) };
    let mut time = [0; 2];
    (function(clock as i32, &raw mut time) == 0).then_some(time)
}

fn done(ok: bool) -> i64 {
    if ok { 0 } else { NOT_SERVED }
}

extern "C" fn clock_gettime(clock: u64, addr: u64, _: u64) -> i64 {
    done(ask(&CLOCK_GETTIME, clock).is_some_and(|time| put(Timespec::layout(), addr, time)))
}

extern "C" fn clock_gettime32(clock: u64, addr: u64, _: u64) -> i64 {
    done(ask(&CLOCK_GETTIME, clock).is_some_and(|time| put(Timespec32::layout(), addr, time)))
}

extern "C" fn clock_getres(clock: u64, addr: u64, _: u64) -> i64 {
    done(ask(&CLOCK_GETRES, clock).is_some_and(|time| put(Timespec::layout(), addr, time)))
}

extern "C" fn clock_getres32(clock: u64, addr: u64, _: u64) -> i64 {
    done(ask(&CLOCK_GETRES, clock).is_some_and(|time| put(Timespec32::layout(), addr, time)))
}

extern "C" fn gettimeofday(addr: u64, zone: u64, _: u64) -> i64 {
    if zone != 0 {
        return NOT_SERVED;
    }
    // SAFETY: as in `ask`; the second argument may be null.
    let function: extern "C" fn(*mut [u64; 2], u64) -> i32 =
        unsafe { std::mem::transmute(GETTIMEOFDAY.load(Ordering::Relaxed)) };
    let mut time = [0; 2];
    done(function(&raw mut time, 0) == 0 && put(Timeval::layout(), addr, time))
}

extern "C" fn getcpu(cpu: u64, node: u64, _: u64) -> i64 {
    // SAFETY: as in `ask`.
    let function: extern "C" fn(*mut u32, *mut u32, u64) -> i32 =
        unsafe { std::mem::transmute(GETCPU.load(Ordering::Relaxed)) };
    let (mut at, mut of) = (0, 0);
    let wrote = |addr: u64, v: u32| addr == 0 || put(UInt32::layout(), addr, [u64::from(v)]);
    done(function(&raw mut at, &raw mut of, 0) == 0 && wrote(cpu, at) && wrote(node, of))
}
