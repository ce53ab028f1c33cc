//! seccomp(2): filters run here, on the guest's own numbers, architecture and arguments, before each of its system calls. While a process has one, no
//! generated code makes calls by itself.
//!
//! For each of the guest's filters the host's kernel gets one of ours that allows everything: so the kernel says itself who may filter, whether
//! threads can be brought in step (and sets their no_new_privs), and shows the mode in /proc. That of a filter with a listener asks the
//! supervisor at a call that only rqemu makes; hence everything about listeners is the kernel's, but for the numbers ([`tell_supervisor`]).
//!
//! Differs: with a filter, programs of the host and set-id programs that would gain rights are not started, since it could not hold them; the instruction
//! pointer that a supervisor sees is rqemu's; calls that are to be logged are told of under `-d guest_errors` alone, since the kernel would write down its own number.

use crate::bpf::{self, Data, Insn};
use crate::call;
use crate::host::{self, Errno, Res};
use crate::lock::Lock;
use crate::memory;
use crate::siginfo::HostInfo;
use crate::sys::{Row, direct, is_vdsos, rows, table};
use crate::task::Task;
use arch::Guest;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

// Actions, in order of precedence as signed numbers (linux/seccomp.h).
const KILL_PROCESS: u32 = 0x8000_0000;
const KILL_THREAD: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const ERRNO: u32 = 0x0005_0000;
const USER_NOTIF: u32 = 0x7fc0_0000;
const TRACE: u32 = 0x7ff0_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;
const ACTIONS: [u32; 8] = [KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF, TRACE, LOG, ALLOW];
const ACTION: u32 = 0xffff_0000;

// Flags of SECCOMP_SET_MODE_FILTER.
const TSYNC: u32 = 1;
const SPEC_ALLOW: u32 = 4;
const NEW_LISTENER: u32 = 8;
const TSYNC_ESRCH: u32 = 16;
const WAIT_KILLABLE: u32 = 32;
const FLAGS: u32 = 63;

const MODE_STRICT: u64 = 1;
const MODE_FILTER: u64 = 2;
const SET_MODE_FILTER: u32 = 1;
/// Instructions that all filters of a thread may have; each filter costs four more.
const MOST: usize = 32768;

/// A filter, with those before it. Never freed: threads may be anywhere in it, and there are few.
#[derive(Debug)]
pub struct Layer {
    insns: Vec<Insn>,
    before: Option<&'static Layer>,
    /// Numbers that it and those before it allow whatever the arguments are.
    allowed: [AtomicU64; 8],
}

impl Layer {
    fn new(insns: Vec<Insn>, before: Option<&'static Layer>) -> &'static Layer {
        Box::leak(Box::new(Layer { insns, before, allowed: [const { AtomicU64::new(0) }; 8] }))
    }

    /// It and those before it, newest first.
    fn chain(&'static self) -> impl Iterator<Item = &'static Layer> {
        std::iter::successors(Some(self), |l| l.before)
    }

    /// What all of them decide: the action that comes first, of the newest filter that says so. Only `own` numbers are remembered, not another ABI's.
    fn judge(&'static self, number: u64, data: &Data, own: bool) -> u32 {
        let word = self.allowed.get(number as usize / 64).filter(|_| own).map(|word| (word, 1u64 << (number % 64)));
        if word.is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0) {
            return ALLOW;
        }
        let (mut value, mut by_number) = (ALLOW, true);
        for layer in self.chain() {
            let verdict = bpf::run(&layer.insns, data);
            by_number &= verdict.by_number;
            if ((verdict.value & ACTION) as i32) < (value & ACTION) as i32 {
                value = verdict.value;
            }
        }
        if let (true, ALLOW, Some((word, bit))) = (by_number, value & ACTION, word) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        value
    }
}

/// What holds for one task. Other threads change it when they bring all in step.
#[derive(Debug, Default)]
pub struct Seat {
    filter: AtomicPtr<Layer>,
    strict: AtomicBool,
}

/// The seats of this process's threads.
static SEATS: Lock<Vec<&'static Seat>> = Lock::new(Vec::new());

/// For fork.
pub(crate) fn hold() {
    SEATS.hold();
}
pub(crate) fn release() {
    SEATS.release();
}

impl Seat {
    /// The first thread's.
    pub(crate) fn first(filter: Option<&'static Layer>) -> &'static Seat {
        if filter.is_some() {
            direct::leave_always();
        }
        let seat: &'static Seat = Box::leak(Box::default());
        seat.set(filter);
        SEATS.lock().push(seat);
        seat
    }

    /// A new thread's, or that of a process that shares memory (`of_process`).
    pub(crate) fn inherit(&self, of_process: bool) -> &'static Seat {
        let mut seats = SEATS.lock();
        let seat: &'static Seat = Box::leak(Box::default());
        seat.set(self.filter());
        seat.strict.store(self.is_strict(), Ordering::Relaxed);
        if !of_process {
            seats.push(seat);
        }
        seat
    }

    /// In a forked child this is the only one.
    pub(crate) fn alone(&'static self) {
        *SEATS.lock() = vec![self];
    }

    /// Its task has ended.
    pub(crate) fn leave(&'static self) {
        SEATS.lock().retain(|s| !std::ptr::eq(*s, self));
        // SAFETY: it was leaked by one of the above, and only its task and the list knew it.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self).cast_mut()) });
    }

    fn filter(&self) -> Option<&'static Layer> {
        // SAFETY: only leaked layers are ever stored.
        unsafe { self.filter.load(Ordering::Acquire).as_ref() }
    }
    fn set(&self, filter: Option<&'static Layer>) {
        self.filter.store(filter.map_or(std::ptr::null_mut(), |f| std::ptr::from_ref(f).cast_mut()), Ordering::Release);
    }
    fn is_strict(&self) -> bool {
        self.strict.load(Ordering::Relaxed)
    }

    /// Whether calls are to be judged.
    pub fn is_filtered(&self) -> bool {
        self.is_strict() || !self.filter.load(Ordering::Relaxed).is_null()
    }

    /// PR_GET_SECCOMP
    pub fn mode(&self) -> u64 {
        if self.is_strict() { MODE_STRICT } else { u64::from(self.filter().is_some()) * MODE_FILTER }
    }
}

/// The AUDIT_ARCH number of a guest (linux/audit.h).
fn audit_arch(guest: &Guest) -> u32 {
    let e = &guest.elf;
    u32::from(e.machine) | u32::from(e.class == 64) << 31 | u32::from(!e.big_endian) << 30
}

/// The same of the call that a task makes.
pub(crate) fn audit_arch_of(t: &Task) -> u32 {
    t.process.guests.get(guest_of(t) as usize).map_or(0, |g| audit_arch(g))
}

/// The guest, by its number, whose call a task makes.
fn guest_of(t: &Task) -> u32 {
    let is_its = |g: &&&Guest| match t.gate {
        Some(gate) => g.elf.machine == gate.machine,
        None => std::ptr::eq(**g, t.process.guest),
    };
    t.process.guests.iter().position(|g| is_its(&g)).unwrap_or(0) as u32
}

/// The guest's struct seccomp_data, by words.
fn data(t: &Task, number: u64, pc: u64, args: &[u64; 6]) -> Data {
    let mut data = [0; 16];
    (data[0], data[1]) = (number as u32, audit_arch_of(t));
    for (to, value) in data[2..].chunks_exact_mut(2).zip([pc].iter().chain(args)) {
        let halves = [*value as u32, (value >> 32) as u32];
        to.copy_from_slice(&if t.abi().big_endian { [halves[1], halves[0]] } else { halves });
    }
    data
}

/// What is to become of a call.
pub enum Judgement {
    /// It is made.
    Made,
    /// It is not; this is its result.
    Instead(Res),
    /// The tracer was asked, and may have changed it.
    Anew,
}

/// Judges a call of a filtered task. `words`: the arguments as the registers hold them. `asked`: of this call the tracer was asked already.
pub fn judge(t: &mut Task, number: u64, words: &[u64], asked: bool) -> Judgement {
    let row = table(t.abi().table).and_then(|table| table.get(number)).map(|c| c.row);
    let pc = t.process.guest.address(t.get(t.process.guest.state.pc));
    if is_vdsos(t) {
        return Judgement::Made;
    }
    if t.seat.is_strict() {
        return if row.is_some_and(is_strict_call) { Judgement::Made } else { kill(t, libc::SIGKILL, false) };
    }
    let Some(filter) = t.seat.filter() else { return Judgement::Made };
    let mut args = [0; 6];
    let mask = if t.abi().long == 4 { u64::from(u32::MAX) } else { u64::MAX };
    args.iter_mut().zip(words).for_each(|(to, word)| *to = word & mask);
    let value = filter.judge(number, &data(t, number, pc, &args), t.gate.is_none());
    if t.process.options.strace && value & ACTION != ALLOW {
        t.log(format_args!("{} seccomp: call {number}: {value:#x}", host::gettid()));
    }
    match value & ACTION {
        ALLOW => Judgement::Made,
        LOG => {
            t.process.guest_error(format_args!("seccomp: call {number} at {pc:#x} is logged"));
            Judgement::Made
        }
        ERRNO => {
            // man 2 seccomp: at most MAX_ERRNO. It may look like one of the kernel's own numbers, and is none.
            let errno = (value & !ACTION).min(4095);
            t.set(t.abi().syscall.result, (-i64::from(errno)).cast_unsigned());
            Judgement::Instead(Err(Errno::JUST_RETURN))
        }
        TRAP => {
            let info = call_info(t, SYS_SECCOMP, number, pc, value & !ACTION);
            t.force(&info, None);
            Judgement::Instead(Err(Errno::JUST_RETURN))
        }
        USER_NOTIF => ask_supervisor(t, number, &args),
        TRACE if asked => Judgement::Made,
        TRACE => match t.filter_stop(value & !ACTION) {
            Some(number) if number as i32 >= 0 => Judgement::Anew,
            _ => Judgement::Instead(Err(Errno::ENOSYS)),
        },
        KILL_THREAD => kill(t, libc::SIGSYS, false),
        _ => kill(t, libc::SIGSYS, true),
    }
}

/// What SECCOMP_MODE_STRICT lets a thread do.
fn is_strict_call(row: &Row) -> bool {
    let allowed = [&rows::sys_read, &rows::sys_write, &rows::sys_exit, &rows::sys_rt_sigreturn, &rows::sys_sigreturn];
    allowed.into_iter().any(|r| std::ptr::eq(r, row))
}

/// si_code of a call that a filter traps.
const SYS_SECCOMP: i32 = 1;

/// siginfo_t of a call that is not made: si_errno, si_code, si_call_addr, si_syscall, si_arch.
pub(crate) fn call_info(t: &Task, code: i32, number: u64, pc: u64, reason: u32) -> HostInfo {
    let mut info = HostInfo::fault(libc::SIGSYS, code, pc);
    for (at, word) in [(4, reason), (24, number as u32), (28, audit_arch_of(t))] {
        info.0[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    info
}

/// Ends the thread, or the process if it is the last one or `all` are meant.
fn kill(t: &mut Task, signo: i32, all: bool) -> Judgement {
    let last = SEATS.lock().len() <= 1 || t.vforked;
    t.process.guest_error(format_args!("seccomp: killed"));
    if !all && !last {
        t.exit(signo)
    }
    if signo == libc::SIGKILL {
        // SAFETY: no memory is involved.
        let _ = unsafe { call!(libc::SYS_kill, host::getpid(), signo) };
    }
    t.die(signo)
}

/// Host calls with numbers from here on exist nowhere: they only tell a supervisor. The number's low bits are the guest's number, above them the guest.
const ASK: u32 = 0x2e00_0000;
const ASK_MASK: u32 = 0xfe00_0000;
const NUMBER_BITS: u32 = 20;
/// The supervisor's "go on" (SECCOMP_USER_NOTIF_FLAG_CONTINUE), which the kernel would carry out with our number.
const GO_ON: i32 = 4094;

fn ask_supervisor(t: &mut Task, number: u64, args: &[u64; 6]) -> Judgement {
    let guest = guest_of(t);
    if number >> NUMBER_BITS != 0 {
        return Judgement::Instead(Err(Errno::ENOSYS));
    }
    match t.host_call(i64::from(ASK | guest << NUMBER_BITS | number as u32), *args) {
        Err(Errno(GO_ON)) => Judgement::Made,
        other => Judgement::Instead(other),
    }
}

/// The host's filter that stands for one of the guest's.
fn host_filter(listens: bool) -> Vec<[u32; 2]> {
    // Two words each: code, jt and jf; k.
    let row = |code: u32, jt: u32, jf: u32, k: u32| [code | jt << 16 | jf << 24, k];
    if !listens {
        return vec![row(0x06, 0, 0, ALLOW)];
    }
    vec![
        row(0x20, 0, 0, 0),
        row(0x54, 0, 0, ASK_MASK),
        row(0x15, 0, 1, ASK),
        row(0x06, 0, 0, USER_NOTIF),
        row(0x06, 0, 0, ALLOW),
    ]
}

fn install_on_host(t: &Task, flags: u32) -> Res {
    let filter = host_filter(flags & NEW_LISTENER != 0);
    let program = [filter.len() as u64, filter.as_ptr() as u64];
    let flags = flags & (TSYNC | NEW_LISTENER | TSYNC_ESRCH | WAIT_KILLABLE) | SPEC_ALLOW;
    t.host_call(libc::SYS_seccomp, [SET_MODE_FILTER.into(), flags.into(), program.as_ptr() as u64, 0, 0, 0])
}

/// Whether the kernel lets us filter: no_new_privs, or CAP_SYS_ADMIN.
fn may_filter() -> bool {
    const VERSION_3: u32 = 0x2008_0522;
    let (header, mut sets) = ([VERSION_3, 0], [0u32; 6]);
    // SAFETY: the kernel reads the header and writes two sets of three words.
    unsafe {
        call!(libc::SYS_prctl, libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == Ok(1)
            || call!(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()).is_ok() && sets[0] >> 21 & 1 != 0
    }
}

/// A number of `size` bytes in the guest's order.
fn number(t: &Task, bytes: &[u8]) -> u64 {
    crate::layout::number(t.abi().model(), bytes)
}

/// Reads a struct sock_fprog and its instructions, with the kernel's errors in the kernel's order.
fn read_filter(t: &Task, addr: u64) -> Result<Vec<Insn>, Errno> {
    let long = t.abi().long;
    let mut program = vec![0; 2 * long];
    memory::read(addr, &mut program)?;
    let (len, at) = (number(t, &program[..2]) as usize, number(t, &program[long..]));
    if len == 0 || len > bpf::MOST {
        return Err(Errno::EINVAL);
    }
    if !may_filter() {
        return Err(Errno::EACCES);
    }
    let mut bytes = vec![0; len * 8];
    memory::read(at, &mut bytes)?;
    let insn = |b: &[u8]| Insn { code: number(t, &b[..2]) as u16, jt: b[2], jf: b[3], k: number(t, &b[4..]) as u32 };
    let insns: Vec<Insn> = bytes.chunks_exact(8).map(insn).collect();
    if bpf::is_valid(&insns) { Ok(insns) } else { Err(Errno::EINVAL) }
}

fn set_filter(t: &mut Task, flags: u32, addr: u64) -> Res {
    if flags & !FLAGS != 0
        || flags & TSYNC != 0 && flags & NEW_LISTENER != 0 && flags & TSYNC_ESRCH == 0
        || flags & WAIT_KILLABLE != 0 && flags & NEW_LISTENER == 0
    {
        return Err(Errno::EINVAL);
    }
    let insns = read_filter(t, addr)?;
    let before = t.seat.filter();
    let total: usize = before.map_or(0, |b| b.chain().map(|l| l.insns.len() + 4).sum());
    if total + insns.len() > MOST {
        return Err(Errno::ENOMEM);
    }
    direct::leave_always();
    // No thread comes or goes meanwhile, so that the kernel's threads are ours.
    let seats = SEATS.lock();
    if flags & TSYNC != 0 && seats.iter().any(|s| s.is_strict()) {
        return Err(Errno::ESRCH);
    }
    let result = install_on_host(t, flags)?;
    if flags & TSYNC != 0 && flags & (NEW_LISTENER | TSYNC_ESRCH) == 0 && result != 0 {
        // The thread that could not be brought in step.
        return Ok(result);
    }
    let layer = Layer::new(insns, before);
    t.seat.set(Some(layer));
    if flags & TSYNC != 0 {
        seats.iter().for_each(|s| s.set(Some(layer)));
    }
    Ok(result)
}

fn set_strict(t: &mut Task) -> Res {
    if t.seat.filter().is_some() {
        return Err(Errno::EINVAL);
    }
    direct::leave_always();
    t.seat.strict.store(true, Ordering::Relaxed);
    Ok(0)
}

/// seccomp(2)
pub fn seccomp(t: &mut Task, operation: u32, flags: u32, addr: u64) -> Res {
    match (operation, flags) {
        (0, 0) if addr == 0 => set_strict(t),
        (SET_MODE_FILTER, _) => set_filter(t, flags, addr),
        // SECCOMP_GET_ACTION_AVAIL
        (2, 0) => {
            let mut action = [0; 4];
            memory::read(addr, &mut action)?;
            if ACTIONS.contains(&(number(t, &action) as u32)) { Ok(0) } else { Err(Errno::EOPNOTSUPP) }
        }
        // SECCOMP_GET_NOTIF_SIZES: of struct seccomp_notif, seccomp_notif_resp, seccomp_data.
        (3, 0) => {
            let sizes = [NOTIF as u16, RESPONSE as u16, bpf::DATA as u16];
            let bytes = sizes.map(|s| if t.abi().big_endian { s.to_be_bytes() } else { s.to_le_bytes() });
            memory::write(addr, bytes.as_flattened())?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// PR_SET_SECCOMP
pub fn set_mode(t: &mut Task, mode: u64, addr: u64) -> Res {
    match mode {
        MODE_STRICT => set_strict(t),
        MODE_FILTER => set_filter(t, 0, addr),
        _ => Err(Errno::EINVAL),
    }
}

const NOTIF: usize = 80;
const RESPONSE: usize = 24;

/// Turns the words of a struct round, if the guest has the other byte order. `widths`: of its members.
fn turn(t: &Task, bytes: &mut [u8], widths: &[usize]) {
    let mut rest = bytes;
    for width in widths.iter().filter(|_| t.abi().big_endian) {
        let (word, after) = std::mem::take(&mut rest).split_at_mut(*width);
        word.reverse();
        rest = after;
    }
}

/// SECCOMP_IOCTL_NOTIF_RECV: what the kernel has of one of our calls, with the guest's number and architecture.
pub fn tell_supervisor(t: &mut Task, fd: i32, request: u32, addr: u64) -> Res {
    const WIDTHS: [usize; 12] = [8, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8];
    let mut notif = [0u8; NOTIF];
    memory::read(addr, &mut notif)?;
    let at = notif.as_mut_ptr() as u64;
    t.host_call(libc::SYS_ioctl, [fd as u64, request.into(), at, 0, 0, 0])?;
    let asked = u32::from_le_bytes([notif[16], notif[17], notif[18], notif[19]]);
    if asked & ASK_MASK == ASK {
        let guest = t.process.guests.get((asked >> NUMBER_BITS & 31) as usize);
        notif[16..20].copy_from_slice(&(asked & ((1 << NUMBER_BITS) - 1)).to_le_bytes());
        notif[20..24].copy_from_slice(&guest.map_or(0, |g| audit_arch(g)).to_le_bytes());
    }
    turn(t, &mut notif, &WIDTHS);
    memory::write(addr, &notif)?;
    Ok(0)
}

/// SECCOMP_IOCTL_NOTIF_SEND: "go on" is said to the rqemu that asked, not to the kernel.
pub fn answer(t: &mut Task, fd: i32, request: u32, addr: u64) -> Res {
    let mut response = [0u8; RESPONSE];
    memory::read(addr, &mut response)?;
    turn(t, &mut response, &[8, 8, 4, 4]);
    // id, val, error, flags.
    let nothing = response[8..20].iter().all(|b| *b == 0);
    if response[20..] == 1u32.to_le_bytes() && nothing {
        response[16..20].copy_from_slice(&(-GO_ON).to_le_bytes());
        response[20..].fill(0);
    }
    let at = response.as_ptr() as u64;
    t.host_call(libc::SYS_ioctl, [fd as u64, request.into(), at, 0, 0, 0])
}

/// A descriptor with the task's filters, for the next program; None without filters.
pub fn pass_on(t: &Task) -> Result<Option<i32>, Errno> {
    let Some(filter) = t.seat.filter() else { return Ok(None) };
    let layers: Vec<&Layer> = filter.chain().collect();
    let mut bytes = Vec::new();
    for layer in layers.iter().rev() {
        bytes.extend((layer.insns.len() as u32).to_le_bytes());
        for i in &layer.insns {
            bytes.extend([i.code.to_le_bytes(), [i.jt, i.jf]].concat());
            bytes.extend(i.k.to_le_bytes());
        }
    }
    // SAFETY: the kernel reads the string.
    let fd = unsafe { call!(libc::SYS_memfd_create, c"filters".as_ptr(), 0) }? as i32;
    host::write_all(fd, &bytes);
    Ok(Some(fd))
}

/// Reads what [`pass_on`] wrote, and closes it.
pub fn take_over(fd: i32) -> Option<&'static Layer> {
    let (mut bytes, mut buffer) = (Vec::new(), [0u8; 4096]);
    while let Ok(n @ 1..) = host::pread(fd, &mut buffer, bytes.len() as u64) {
        bytes.extend_from_slice(&buffer[..n]);
    }
    host::close(fd);
    let (mut filter, mut rest) = (None, bytes.as_slice());
    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    while rest.len() >= 4 {
        let len = word(rest) as usize * 8;
        let insns = rest.get(4..4 + len)?.chunks_exact(8);
        let insns = insns.map(|b| Insn { code: word(b) as u16, jt: b[2], jf: b[3], k: word(&b[4..]) }).collect();
        filter = Some(Layer::new(insns, filter));
        rest = &rest[4 + len..];
    }
    filter
}
