//! Signals. The host kernel keeps the queue and the mask: the guest's mask is the host's (without the synchronous signals, which rqemu
//! needs itself), ignored and default signals are so on the host, and a guest's handler makes the host call [`on_signal`].
//!
//! That handler puts an asynchronous signal into the task's [`Inbox`] and returns; the run loop delivers it when translated code has come to its
//! next poll. If translated code was interrupted, the host's mask is at once what it will be in the guest's handler; else all are blocked, and
//! the run loop sets the mask again. Faults of translated code are turned into
//! exits by the engine; faults of `memory.rs` into EFAULT.

use crate::call;
use crate::compat;
use crate::explain;
use crate::host::{self, Errno, Res};
use crate::lock::{Guard, Lock};
use crate::memory;
use crate::mm::CodeAt;
use crate::options::Log;
use crate::process::Process;
use crate::ptrace::board::{self, Board};
use crate::rseq;
use crate::siginfo::{HostInfo, SI_KERNEL};
use crate::stats;
use crate::stored;
use crate::strace_signal;
use crate::sys::direct;
use crate::task::Task;
use arch::abi::{AltStack, Delivery, FaultFacts};
use engine::{CodeSource, Cpu, Fault};
use ir::Trap;
use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};

/// Signals that a fault raises: never blocked on the host.
pub const SYNCHRONOUS: u64 =
    bit(libc::SIGSEGV) | bit(libc::SIGBUS) | bit(libc::SIGFPE) | bit(libc::SIGILL) | bit(libc::SIGTRAP);
const SYNCHRONOUS_LIST: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];
/// SIGKILL and SIGSTOP cannot be blocked.
pub const UNBLOCKABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

/// Size and alignment of each task's host signal stack, whose first word points to the task's [`Inbox`].
pub const STACK_SIZE: u64 = 64 << 10;

pub const SIG_DFL: u64 = 0;
pub const SIG_IGN: u64 = 1;
pub const SA_NOCLDSTOP: u64 = 1;
pub const SA_NOCLDWAIT: u64 = 2;
pub const SA_SIGINFO: u64 = 4;
pub const SA_EXPOSE_TAGBITS: u64 = 0x800;
pub const SA_RESTORER: u64 = 0x0400_0000;
pub const SA_ONSTACK: u64 = 0x0800_0000;
pub const SA_RESTART: u64 = 0x1000_0000;
pub const SA_NODEFER: u64 = 0x4000_0000;
pub const SA_RESETHAND: u64 = 0x8000_0000;

pub const SS_ONSTACK: u32 = 1;
pub const SS_DISABLE: u32 = 2;
pub const SS_AUTODISARM: u32 = 1 << 31;

/// A signal's bit in a mask.
pub const fn bit(signo: i32) -> u64 {
    1 << (signo - 1)
}

/// What a guest wants done at a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Action {
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
    pub mask: u64,
}

/// The handler of a signal whose action, still the one that rqemu was started with, the host was not yet asked for.
const UNASKED: u64 = u64::MAX;

/// The actions of all 64 signals; shared by CLONE_SIGHAND. Changed under the lock, read without: `version` is odd while one changes.
#[derive(Debug)]
pub struct Actions {
    lock: Lock<()>,
    version: AtomicU32,
    rows: [[AtomicU64; 4]; 65],
}

impl Actions {
    fn new(actions: &[Action; 65]) -> Actions {
        let rows = actions.map(|a| [a.handler, a.flags, a.restorer, a.mask].map(AtomicU64::new));
        Actions { lock: Lock::new(()), version: AtomicU32::new(0), rows }
    }

    fn read(&self, signo: i32) -> Action {
        let [handler, flags, restorer, mask] = self.rows[signo as usize].each_ref().map(|w| w.load(Ordering::Relaxed));
        Action { handler, flags, restorer, mask }
    }

    /// An action if none is just being changed. For handlers too.
    fn glance(&self, signo: i32) -> Option<Action> {
        let before = self.version.load(Ordering::Acquire);
        let action = self.read(signo);
        fence(Ordering::Acquire);
        (before & 1 == 0 && self.version.load(Ordering::Relaxed) == before).then_some(action)
    }

    pub fn get(&self, signo: i32) -> Action {
        self.glance(signo).filter(|a| a.handler != UNASKED).unwrap_or_else(|| self.ask(signo))
    }

    /// The action of a signal, which the host tells if nobody has set it.
    fn ask(&self, signo: i32) -> Action {
        let held = self.lock.lock();
        let known = self.read(signo);
        if known.handler != UNASKED {
            return known;
        }
        let action = inherited(host_action(signo, None));
        self.write(&held, signo, action);
        action
    }

    pub fn set(&self, signo: i32, action: Action) {
        self.write(&self.lock.lock(), signo, action);
    }

    fn write(&self, _held: &Guard<()>, signo: i32, action: Action) {
        // Odd already if a thread was killed here.
        let changing = self.version.load(Ordering::Relaxed) | 1;
        self.version.store(changing, Ordering::Relaxed);
        fence(Ordering::Release);
        let words = [action.handler, action.flags, action.restorer, action.mask];
        for (to, word) in self.rows[signo as usize].iter().zip(words) {
            to.store(word, Ordering::Relaxed);
        }
        self.version.store(changing.wrapping_add(1), Ordering::Release);
    }

    pub fn copy(&self) -> Actions {
        let _held = self.lock.lock();
        Actions::new(&std::array::from_fn(|signo| self.read(signo as i32)))
    }

    /// With all handlers back at their defaults (CLONE_CLEAR_SIGHAND).
    pub fn clear_handlers(&self) {
        for signo in 1..=64 {
            if self.get(signo).handler != SIG_IGN {
                self.set(signo, Action::default());
            }
        }
    }
    pub(crate) fn hold(&self) {
        self.lock.hold();
    }
    pub(crate) fn release(&self) {
        self.lock.release();
    }

    /// For the handler of a signal: what the host's mask is to be when the guest's handler will be entered, from what it was.
    fn mask_during(&self, signo: i32, mask: u64) -> Option<u64> {
        let action = self.glance(signo).filter(|a| !matches!(a.handler, SIG_DFL | SIG_IGN))?;
        // With SA_NODEFER too, so that the inbox cannot overflow: the loop opens it.
        Some((mask | action.mask | bit(signo)) & !SYNCHRONOUS & !UNBLOCKABLE)
    }
}

/// How many asynchronous signals wait in an inbox at most.
const ROOM: u32 = 4;
/// No mask of the host's: it is not known, or not yet set.
const UNKNOWN: u64 = bit(libc::SIGKILL);

const RECORDED: u32 = 1;
const SENT_SYNCHRONOUS: u32 = 2;
const ASKED_TO_STOP: u32 = 4;

/// Where a task's signal handler puts what came. It lives as long as the process.
#[derive(Debug)]
pub struct Inbox {
    /// [`ASKED_TO_STOP`]: by a tracer. [`RECORDED`]: asynchronous signals are in `infos`. [`SENT_SYNCHRONOUS`]: somebody sent one of the
    /// synchronous signals with kill, and the guest does not block it.
    pending: AtomicU32,
    /// Which of [`SYNCHRONOUS_LIST`] were sent, in its order.
    sent: AtomicU32,
    /// The guest's mask, for the handler.
    mask: AtomicU64,
    cpu: AtomicPtr<Cpu>,
    /// The host's mask of this thread, as far as it is known.
    host_mask: AtomicU64,
    actions: *const Actions,
    /// Asynchronous signals as they came, a ring: how many were ever put in and taken out.
    infos: [UnsafeCell<HostInfo>; ROOM as usize],
    put: AtomicU32,
    taken: AtomicU32,
    sent_info: [UnsafeCell<HostInfo>; 5],
    /// Where the area is that the host's kernel writes for this thread, or 0.
    pub(crate) rseq: AtomicU64,
    /// What a tracer reads and writes.
    pub(crate) board: Board,
}

// SAFETY: the task's own thread and its handler alone use it; the handler writes free elements of `infos` only, and the others are read only.
unsafe impl Sync for Inbox {}

impl Inbox {
    /// `actions` are those of the task, which keeps them.
    pub fn new(cpu: *mut Cpu, mask: u64, actions: &Arc<Actions>) -> Inbox {
        Inbox {
            pending: AtomicU32::new(0),
            sent: AtomicU32::new(0),
            mask: AtomicU64::new(mask),
            cpu: AtomicPtr::new(cpu),
            host_mask: AtomicU64::new(UNKNOWN),
            actions: Arc::as_ptr(actions),
            infos: [const { UnsafeCell::new(HostInfo::ZERO) }; ROOM as usize],
            put: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            sent_info: [const { UnsafeCell::new(HostInfo::ZERO) }; 5],
            rseq: AtomicU64::new(0),
            board: Board::new(0),
        }
    }
    /// The word that restartable calls look at.
    pub fn pending_word(&self) -> *const u32 {
        self.pending.as_ptr()
    }
    pub fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed) != 0
    }

    /// A signal that may be delivered now.
    fn take(&self) -> Option<HostInfo> {
        let pending = self.pending.load(Ordering::Acquire);
        if pending & SENT_SYNCHRONOUS != 0 {
            let open = self.sent.load(Ordering::Relaxed) & !self.blocked_sent();
            if open != 0 {
                let n = open.trailing_zeros();
                self.sent.fetch_and(!(1 << n), Ordering::Relaxed);
                self.update();
                // SAFETY: only this thread reads it, and its handler writes only after another kill.
                return Some(unsafe { *self.sent_info[n as usize].get() });
            }
        }
        if pending & RECORDED == 0 {
            return None;
        }
        let taken = self.taken.load(Ordering::Relaxed);
        // SAFETY: RECORDED is set, so the handler has put one in here, and does not write it.
        let info = unsafe { *self.infos[(taken % ROOM) as usize].get() };
        self.taken.store(taken.wrapping_add(1), Ordering::Release);
        if self.put.load(Ordering::Acquire) == taken.wrapping_add(1) {
            self.pending.fetch_and(!RECORDED, Ordering::Release);
            if self.put.load(Ordering::Acquire) != taken.wrapping_add(1) {
                // One came just now.
                self.pending.fetch_or(RECORDED, Ordering::Release);
            }
        }
        Some(info)
    }

    /// In the handler: takes an asynchronous signal in. `mask`: the host's mask that is restored when the handler returns; changed such that there
    /// is room for what it lets in. In generated code it becomes at once what it will be in the guest's handler: nothing else is under way
    /// there.
    fn record(&self, signo: i32, info: HostInfo, mask: &mut u64, in_guest: bool) {
        let put = self.put.load(Ordering::Relaxed);
        let waiting = put.wrapping_sub(self.taken.load(Ordering::Relaxed));
        // SAFETY: the mask has seen to it that this element is free. The task's actions live as long as it.
        let actions = unsafe {
            *self.infos[(put % ROOM) as usize].get() = info;
            &*self.actions
        };
        self.put.store(put.wrapping_add(1), Ordering::Release);
        self.pending.fetch_or(RECORDED, Ordering::Release);
        let during = if in_guest && waiting + 1 < ROOM { actions.mask_during(signo, *mask) } else { None };
        *mask = during.unwrap_or(!SYNCHRONOUS);
        self.host_mask.store(*mask, Ordering::Relaxed);
    }

    /// The host's mask is another one now, or nobody knows.
    pub(crate) fn forget_host_mask(&self) {
        self.host_mask.store(UNKNOWN, Ordering::Relaxed);
    }

    fn blocked_sent(&self) -> u32 {
        let mask = self.mask.load(Ordering::Relaxed);
        SYNCHRONOUS_LIST.iter().enumerate().filter(|(_, s)| mask & bit(**s) != 0).fold(0, |b, (n, _)| b | 1 << n)
    }

    /// Sets SENT_SYNCHRONOUS as the mask asks.
    fn update(&self) {
        if self.sent.load(Ordering::Relaxed) & !self.blocked_sent() != 0 {
            self.pending.fetch_or(SENT_SYNCHRONOUS, Ordering::Relaxed);
        } else {
            self.pending.fetch_and(!SENT_SYNCHRONOUS, Ordering::Relaxed);
        }
    }

    /// The guest's mask has changed.
    pub(crate) fn set_mask(&self, mask: u64) {
        self.mask.store(mask, Ordering::Relaxed);
        self.update();
    }

    /// A forked child has no pending signals.
    pub(crate) fn forget(&self) {
        self.sent.store(0, Ordering::Relaxed);
        self.taken.store(self.put.load(Ordering::Relaxed), Ordering::Relaxed);
        self.pending.store(0, Ordering::Relaxed);
    }

    /// Signals that were sent and wait for the guest to unblock them (for sigpending).
    pub(crate) fn sent_set(&self) -> u64 {
        let sent = self.sent.load(Ordering::Relaxed);
        SYNCHRONOUS_LIST.iter().enumerate().filter(|(n, _)| sent >> n & 1 != 0).fold(0, |set, (_, s)| set | bit(*s))
    }

    /// Takes a sent signal out of those in `set`, for sigtimedwait.
    pub(crate) fn take_sent(&self, set: u64) -> Option<HostInfo> {
        let n = SYNCHRONOUS_LIST.iter().position(|s| (self.sent_set() & set & bit(*s)) != 0)?;
        self.sent.fetch_and(!(1 << n), Ordering::Relaxed);
        self.update();
        // SAFETY: as in `take`.
        Some(unsafe { *self.sent_info[n].get() })
    }
}

std::arch::global_asm!(
    ".pushsection .text.rqemu_restorer, \"ax\"",
    ".globl rqemu_restorer",
    "rqemu_restorer:",
    "mov eax, 15",
    "syscall",
    ".popsection",
);

unsafe extern "C" {
    fn rqemu_restorer();
}

/// The kernel's struct sigaction on x86-64.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct HostAction {
    handler: u64,
    flags: u64,
    restorer: u64,
    mask: u64,
}

fn host_action(signo: i32, new: Option<&HostAction>) -> Result<HostAction, Errno> {
    let mut old = HostAction::default();
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the kernel reads and writes these structs.
    unsafe { call!(libc::SYS_rt_sigaction, signo, new, &raw mut old, 8) }?;
    Ok(old)
}

/// Signals that kill by default come to us first, to be told of.
static TELL: AtomicBool = AtomicBool::new(false);

/// Tells the host what to do at a signal for which the guest has this action.
pub(crate) fn install(signo: i32, action: &Action) {
    let own = SYNCHRONOUS & bit(signo) != 0;
    let keep = action.flags & (SA_NOCLDSTOP | SA_NOCLDWAIT);
    let told = action.handler == SIG_DFL && TELL.load(Ordering::Relaxed) && kills_by_default(signo);
    let host = match action.handler {
        SIG_DFL | SIG_IGN if !own && !told => HostAction {
            handler: action.handler,
            flags: keep | SA_RESTORER,
            restorer: rqemu_restorer as *const () as u64,
            mask: 0,
        },
        _ => HostAction {
            handler: on_signal as *const () as u64,
            flags: keep | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_RESTORER,
            restorer: rqemu_restorer as *const () as u64,
            mask: !SYNCHRONOUS,
        },
    };
    let _ = host_action(signo, Some(&host));
}

/// What the guest has where rqemu was started with this.
fn inherited(old: Result<HostAction, Errno>) -> Action {
    let ignores = old.is_ok_and(|old| old.handler == SIG_IGN);
    Action { handler: if ignores { SIG_IGN } else { SIG_DFL }, ..Action::default() }
}

/// The actions that rqemu was started with, which become the guest's. From here to [`start`] faults of `memory.rs` are EFAULT already,
/// so that a program can be loaded.
pub fn inherit() -> Actions {
    let mut actions = [Action { handler: UNASKED, ..Action::default() }; 65];
    let early = HostAction {
        handler: on_early_fault as *const () as u64,
        flags: SA_SIGINFO | SA_RESTORER,
        restorer: rqemu_restorer as *const () as u64,
        mask: 0,
    };
    for signo in [libc::SIGSEGV, libc::SIGBUS] {
        actions[signo as usize] = inherited(host_action(signo, Some(&early)));
    }
    Actions::new(&actions)
}

/// rqemu takes the synchronous signals; all that kill by default too if they are to be told of (`-strace`).
pub fn start(actions: &Actions, tell: bool) {
    TELL.store(tell, Ordering::Relaxed);
    for signo in (1..=64).filter(|signo| tell || SYNCHRONOUS & bit(*signo) != 0) {
        install(signo, &actions.get(signo));
    }
}

/// The handler for faults while a program is loaded: there is neither a task nor a signal stack.
unsafe extern "C" fn on_early_fault(signo: i32, info: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    // SAFETY: the kernel gives good pointers.
    let (info, context) = unsafe { (&*info, &mut *context) };
    let rip = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
    if info.si_code > 0
        && let Some(to) = memory::fault_fixup(*rip as u64)
    {
        *rip = to as i64;
        return;
    }
    let _ = host_action(signo, Some(&HostAction::default()));
    if info.si_code > 0 {
        // SAFETY: for a fault si_addr is set.
        report_own_fault(signo, *rip as u64, unsafe { info.si_addr() } as u64);
    } else {
        // Sent by somebody.
        die_of(signo);
    }
}

/// Sets the host's mask of this thread, whatever is pending; returns the old one.
pub(crate) fn set_host_mask(mask: u64) -> u64 {
    let mut old = 0u64;
    // SAFETY: the kernel reads and writes two words.
    let _ = unsafe { call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut old, 8) };
    old
}

/// A program that is about to be started finds the synchronous signals ignored if the guest ignores them, and the guest's mask.
pub(crate) fn before_exec(actions: &Actions, mask: u64) {
    for signo in SYNCHRONOUS_LIST {
        if actions.get(signo).handler == SIG_IGN {
            let _ = host_action(signo, Some(&HostAction { handler: SIG_IGN, ..HostAction::default() }));
        }
    }
    set_host_mask(mask);
}

/// It was not started: as before, but for the mask, which the run loop sets.
pub(crate) fn after_exec(actions: &Actions) {
    set_host_mask(!SYNCHRONOUS);
    for signo in SYNCHRONOUS_LIST {
        install(signo, &actions.get(signo));
    }
}

/// Makes `base` (of [`STACK_SIZE`], aligned to it) this thread's signal stack.
pub(crate) fn use_stack(base: u64, inbox: &'static Inbox) {
    // SAFETY: the memory was mapped for this.
    unsafe { *(base as *mut *const Inbox) = inbox };
    // The first word stays out of the stack.
    let stack = libc::stack_t { ss_sp: (base + 64) as *mut _, ss_flags: 0, ss_size: (STACK_SIZE - 64) as usize };
    // SAFETY: the kernel reads the struct.
    let _ = unsafe { call!(libc::SYS_sigaltstack, &raw const stack, 0) };
}

/// Every host signal handler.
unsafe extern "C" fn on_signal(signo: i32, info: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    let here = 0u8;
    let base = &raw const here as u64 & !(STACK_SIZE - 1);
    // SAFETY: handlers run on the task's signal stack, whose first word was set by `use_stack`; the kernel gives good pointers.
    let (inbox, info, context) = unsafe { (&**(base as *const *const Inbox), &mut *info, &mut *context) };
    let rip = context.uc_mcontext.gregs[libc::REG_RIP as usize] as u64;
    // SAFETY: where it is of a fault, si_addr is set; else it is another member.
    let addr = unsafe { info.si_addr() } as u64;
    let cause = cause(signo, info.si_code, addr, &context.uc_mcontext.gregs);
    if cause == Cause::Kernel {
        return die_of(signo);
    }
    if cause == Cause::Fault {
        let fixup = memory::fault_fixup(rip).or_else(|| compat::fault_fixup(rip)).or_else(|| direct::fault_fixup(rip));
        if let Some(to) = fixup.or_else(|| board::trap_fixup(rip, &inbox.board)) {
            context.uc_mcontext.gregs[libc::REG_RIP as usize] = to as i64;
            return;
        }
        // SAFETY: as the engine asks: first thing in the handler, with the task's Cpu.
        if unsafe { engine::fault::on_signal(signo, info, context, inbox.cpu.load(Ordering::Relaxed)) } {
            return;
        }
        // It looks like a fault once there was such a fault.
        if info.si_code == SI_KERNEL && rseq::is_lost(inbox.rseq.load(Ordering::Relaxed)) {
            return die_of(signo);
        }
        // A fault of rqemu's own: it happens again, with nobody to catch it.
        report_own_fault(signo, rip, addr);
        let _ = host_action(signo, Some(&HostAction::default()));
        return;
    }
    // SAFETY: the task's Cpu.
    let cpu = unsafe { &*inbox.cpu.load(Ordering::Relaxed) };
    // SAFETY: the kernel's siginfo is as large.
    let came = unsafe { *std::ptr::from_mut(info).cast::<HostInfo>() };
    let info = board::stands_for(&inbox.board, &came).unwrap_or(came);
    let signo = info.signo();
    // SAFETY: `inbox` as its type says.
    unsafe {
        if came.code() == board::ASKED && inbox.board.is_traced() {
            inbox.pending.fetch_or(ASKED_TO_STOP, Ordering::Relaxed);
        } else if SYNCHRONOUS & bit(signo) != 0 {
            let n = SYNCHRONOUS_LIST.iter().position(|s| *s == signo).unwrap_or(0);
            *inbox.sent_info[n].get() = info;
            inbox.sent.fetch_or(1 << n, Ordering::Relaxed);
            inbox.update();
            if inbox.pending.load(Ordering::Relaxed) & SENT_SYNCHRONOUS == 0 {
                return;
            }
        } else {
            // The kernel's sigset_t is one word.
            inbox.record(signo, info, &mut *(&raw mut context.uc_sigmask).cast::<u64>(), cpu.is_own_code(rip));
        }
    }
    cpu.interrupt();
    let rcx = context.uc_mcontext.gregs[libc::REG_RCX as usize] as u64;
    let fixup = host::safe_syscall_fixup(rip, rcx).or_else(|| compat::call_fixup(rip));
    if let Some(to) = fixup.or_else(|| cpu.leave_syscall(rip, rcx)) {
        context.uc_mcontext.gregs[libc::REG_RIP as usize] = to as i64;
    }
}

/// In a handler: once it is left, the signal kills.
fn die_of(signo: i32) {
    let _ = host_action(signo, Some(&HostAction::default()));
    // SAFETY: no memory is involved.
    let _ = unsafe { call!(libc::SYS_tgkill, host::getpid(), host::gettid(), signo) };
}

/// Why a signal came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cause {
    /// An instruction.
    Fault,
    /// Somebody: the exit of a child or a descriptor may send what faults send, with codes as they have them, and so may a process to itself.
    Sent,
    /// The kernel could not write to the process when it had to, an rseq area that is gone, say. That kills a program that does not expect it.
    Kernel,
}

/// Only the processor's own account tells faults from what looks like them (arch/x86/kernel/traps.c, arch/x86/mm/fault.c).
fn cause(signo: i32, code: i32, addr: u64, gregs: &[libc::greg_t; 23]) -> Cause {
    // Exceptions: segment not present, stack, general protection, page fault, alignment check.
    const NP: i64 = 11;
    const SS: i64 = 12;
    const GP: i64 = 13;
    const PF: i64 = 14;
    const AC: i64 = 17;
    let greg = |r: libc::c_int| gregs[r as usize];
    let trap = greg(libc::REG_TRAPNO);
    let is_page_fault = trap == PF && greg(libc::REG_CR2) as u64 == addr && code != SI_KERNEL;
    let is_fault = match signo {
        _ if SYNCHRONOUS & bit(signo) == 0 || code <= 0 => false,
        libc::SIGSEGV if code == SI_KERNEL && trap != GP => return Cause::Kernel,
        libc::SIGSEGV => is_page_fault || code == SI_KERNEL,
        libc::SIGBUS => is_page_fault || matches!(trap, NP | SS | AC),
        libc::SIGTRAP => code == SI_KERNEL || addr == greg(libc::REG_RIP) as u64,
        _ => addr == greg(libc::REG_RIP) as u64,
    };
    if is_fault { Cause::Fault } else { Cause::Sent }
}

/// One line, without allocation.
fn report_own_fault(signo: i32, rip: u64, addr: u64) {
    let mut line = *b"rqemu: internal fault: signal 00 at 0x0000000000000000, address 0x0000000000000000\n";
    line[30] = b'0' + (signo / 10) as u8;
    line[31] = b'0' + (signo % 10) as u8;
    for (end, v) in [(54, rip), (line.len() - 1, addr)] {
        for n in 0..16 {
            line[end - 1 - n] = b"0123456789abcdef"[(v >> (4 * n) & 15) as usize];
        }
    }
    host::write_all(2, &line);
}

/// What the kernel does at a signal with no handler.
fn is_ignored_by_default(signo: i32) -> bool {
    matches!(signo, libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH)
}

fn stops_by_default(signo: i32) -> bool {
    matches!(signo, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

pub(crate) fn kills_by_default(signo: i32) -> bool {
    !is_ignored_by_default(signo) && !stops_by_default(signo)
}

impl Task {
    /// Delivers what is in the inbox, then lets the host's signals in again and settles an interrupted call.
    pub(crate) fn deliver_signals(&mut self) {
        if let Some(info) = self.sent_to_self.take() {
            self.deliver(&info, None);
        }
        while self.inbox.is_pending() || self.host_mask_differs() {
            self.cpu().clear_interrupt();
            if self.inbox.pending.fetch_and(!ASKED_TO_STOP, Ordering::Relaxed) & ASKED_TO_STOP != 0 {
                self.asked_stop();
            }
            while let Some(info) = self.inbox.take() {
                self.deliver(&info, None);
            }
            if self.host_mask_differs() {
                // Not done if a signal has come: then once more.
                let _ = self.change_host_mask(self.mask);
            }
        }
        if self.suspended.take().is_some() {
            self.inbox.set_mask(self.mask);
        }
        if self.restart.take().is_some() {
            (self.abi().syscall.rewind)(self.cpu_mut().state_mut());
        }
    }

    fn host_mask_differs(&self) -> bool {
        self.inbox.host_mask.load(Ordering::Relaxed) != self.host_sigset(self.mask)
    }

    /// Sets the host's mask as the guest's `mask` asks; not if a signal came before.
    pub(crate) fn change_host_mask(&self, mask: u64) -> Res {
        let host = self.host_sigset(mask);
        // Noted first: a handler that comes after the call notes what it makes of it.
        self.inbox.host_mask.store(host, Ordering::Relaxed);
        let args = [libc::SIG_SETMASK as u64, &raw const host as u64, 0, 8, 0, 0];
        self.host_call(libc::SYS_rt_sigprocmask, args).inspect_err(|_| self.inbox.forget_host_mask())
    }

    /// Delivers one signal, if a tracer lets it through.
    fn deliver(&mut self, info: &HostInfo, fault: Option<FaultFacts>) {
        if let Some(info) = self.signal_stop(info) {
            self.deliver_now(&info, fault);
        }
    }

    /// Makes the guest's frame, or does the default action.
    pub(crate) fn deliver_now(&mut self, info: &HostInfo, fault: Option<FaultFacts>) {
        let signo = info.signo();
        let action = self.actions.get(signo);
        self.tell_of(info, action.handler);
        match action.handler {
            SIG_IGN => {}
            SIG_DFL if is_ignored_by_default(signo) => {}
            SIG_DFL => self.default_action(signo),
            _ => {
                self.settle_interrupted(&action);
                if !self.enter_handler(info, &action, fault) {
                    self.cannot_deliver(signo);
                }
            }
        }
    }

    /// A line for each log that is of signals.
    fn tell_of(&self, info: &HostInfo, handler: u64) {
        if self.process.options.log.has(Log::INT) {
            self.log(format_args!("signal {} code {} to {handler:#x}", info.signo(), info.code()));
        }
        strace_signal::delivered(self, info);
    }

    /// The interrupted call is done again or gives EINTR, as the handler's flags say.
    fn settle_interrupted(&mut self, action: &Action) {
        let Some(how) = self.restart.take() else { return };
        let regs = &self.abi().syscall;
        if how == Errno::RESTARTNOINTR || action.flags & SA_RESTART != 0 {
            (regs.rewind)(self.cpu_mut().state_mut());
        } else {
            self.set(regs.result, i64::from(-Errno::EINTR.0) as u64);
        }
    }

    /// Makes the frame and sets the registers. False if the frame cannot be written.
    fn enter_handler(&mut self, info: &HostInfo, action: &Action, fault: Option<FaultFacts>) -> bool {
        let abi = self.abi();
        let sp = self.get(abi.stack_pointer);
        let alt = self.altstack;
        let use_alt =
            action.flags & SA_ONSTACK != 0 && alt.flags & SS_DISABLE == 0 && alt.size != 0 && !self.on_altstack(sp);
        let stack = if use_alt { alt.sp.wrapping_add(alt.size) } else { sp };
        let delivery = Delivery {
            signo: info.signo() as u32,
            info: &info.to_guest(abi),
            handler: action.handler,
            flags: action.flags,
            restorer: action.restorer,
            mask: self.mask,
            altstack: AltStack { flags: self.altstack_flags(sp), ..alt },
            fault,
            fp_flags: self.cpu().fp_flags(),
            stack,
            return_code: self.process.image.return_code,
            guards: self.process.mm.has_guards(),
            page: self.process.image.page,
        };
        let mut state = self.cpu().state().to_vec();
        let frame = (abi.signals.deliver)(&mut state, &delivery);
        let written = || {
            memory::write(frame.at, &frame.bytes)?;
            frame.record.map_or(Ok(()), |(at, bytes)| memory::write(at, &bytes))
        };
        // man 2 sigaltstack: a frame that does not fit on the alternative stack is a SIGSEGV.
        let fits = !(use_alt || self.on_altstack(sp)) || alt.flags & SS_AUTODISARM != 0 || frame.at > alt.sp;
        if !fits || written().is_err() {
            return false;
        }
        self.cpu_mut().state_mut().copy_from_slice(&state);
        // As an exception does: a handler's own exclusives may not be taken for none.
        self.cpu_mut().clear_monitor();
        if alt.flags & SS_AUTODISARM != 0 {
            self.altstack = AltStack { flags: SS_DISABLE, ..AltStack::default() };
        }
        let signo = info.signo();
        let own = if action.flags & SA_NODEFER == 0 { bit(signo) } else { 0 };
        let during = self.suspended.take().unwrap_or(self.mask);
        self.set_mask_later((during | action.mask | own) & !UNBLOCKABLE);
        if action.flags & SA_RESETHAND != 0 {
            let reset = Action { handler: SIG_DFL, ..*action };
            self.actions.set(signo, reset);
            install(signo, &reset);
        }
        true
    }

    /// The guest's mask changes; the host's follows when signals are let in again.
    pub(crate) fn set_mask_later(&mut self, mask: u64) {
        self.mask = mask;
        self.inbox.set_mask(mask);
    }

    pub(crate) fn on_altstack(&self, sp: u64) -> bool {
        // The kernel's rule: below the top, above the bottom; never with SS_AUTODISARM.
        let alt = &self.altstack;
        alt.flags & SS_AUTODISARM == 0 && sp > alt.sp && sp - alt.sp <= alt.size
    }

    pub(crate) fn altstack_flags(&self, sp: u64) -> u32 {
        if self.altstack.size == 0 {
            SS_DISABLE
        } else if self.on_altstack(sp) {
            SS_ONSTACK
        } else {
            self.altstack.flags & SS_AUTODISARM
        }
    }

    /// The default action of a signal that is not ignored: the host's own.
    fn default_action(&mut self, signo: i32) {
        strace_signal::acted(self, signo);
        if kills_by_default(signo) {
            explain::ended(self, explain::End::Signal(signo));
            stats::tell(self, "killed");
            stored::save(self);
        }
        self.pass_own(signo);
        let _ = host_action(signo, Some(&HostAction::default()));
        let old = set_host_mask(!bit(signo));
        // SAFETY: no memory is involved.
        let _ = unsafe { call!(libc::SYS_tgkill, host::getpid(), host::gettid(), signo) };
        // Here again after a stop only.
        set_host_mask(old);
        install(signo, &self.actions.get(signo));
    }

    /// A frame that cannot be written is a SIGSEGV, and one for a SIGSEGV is the end.
    fn cannot_deliver(&mut self, signo: i32) {
        let info = HostInfo::fault(libc::SIGSEGV, SI_KERNEL, 0);
        if signo == libc::SIGSEGV {
            self.tell_of(&info, SIG_DFL);
            self.die(libc::SIGSEGV);
        }
        self.force(&info, None);
    }

    /// Ends the process by a signal, whatever the guest wanted.
    pub(crate) fn die(&mut self, signo: i32) -> ! {
        self.actions.set(signo, Action::default());
        self.default_action(signo);
        host::exit_group(128 + signo)
    }

    /// A signal that cannot be put off: ignored or blocked, it kills.
    pub(crate) fn force(&mut self, info: &HostInfo, fault: Option<FaultFacts>) {
        let Some(info) = &self.signal_stop(info) else { return };
        let signo = info.signo();
        let handler = self.actions.get(signo).handler;
        if handler == SIG_DFL || handler == SIG_IGN || self.mask & bit(signo) != 0 {
            self.tell_of(info, SIG_DFL);
            explain::fatal(self, info);
            self.die(signo);
        }
        self.deliver_now(info, fault);
    }

    pub(crate) fn fault(&mut self, fault: &Fault) {
        if (fault.signo, fault.code) == (libc::SIGBUS, libc_code::BUS_ADRALN)
            && let Some((signo, code)) = (self.abi().signals.trap)(Trap::Align, &[], 0)
        {
            return self.force(&HostInfo::fault(signo as i32, code, 0), None);
        }
        let (signo, code) = match self.abi().signals.no_such_address.filter(|_| fault.code == SI_KERNEL) {
            Some(signal) => (self.of_instruction(|insn, pc| signal(insn, pc, self.cpu().state())) as i32, fault.code),
            // An address that x86 cannot form at all: for most guests it is one without memory.
            None if fault.code == SI_KERNEL => (fault.signo, libc_code::SEGV_MAPERR),
            None => (fault.signo, fault.code),
        };
        let protection =
            signo == libc::SIGSEGV && code == libc_code::SEGV_ACCERR && self.process.mm.is_present(fault.addr);
        let facts = FaultFacts { addr: fault.addr, write: fault.write, fetch: false, protection };
        self.force(&HostInfo::fault(signo, code, fault.addr), Some(facts));
    }

    /// What the bytes of the instruction at pc, and pc, come to.
    fn of_instruction<T>(&self, of: impl Fn(&[u8], u64) -> T) -> T {
        let guest = self.process.guest;
        let pc = self.get(guest.state.pc);
        let mut insn = [0; LONGEST_INSN];
        let n = memory::read_some(guest.address(pc), &mut insn[..guest.longest_insn]);
        of(&insn[..n], pc)
    }

    pub(crate) fn trap(&mut self, trap: Trap) {
        use libc_code::*;
        let pc = self.get(self.process.guest.state.pc);
        let at = self.process.guest.address(pc);
        if let Some((signo, code)) = self.of_instruction(|insn, pc| (self.abi().signals.trap)(trap, insn, pc)) {
            let addr = if code == arch::abi::SI_KERNEL { 0 } else { at };
            return self.force(&HostInfo::fault(signo as i32, code, addr), None);
        }
        let (signo, code) = match trap {
            Trap::Privileged | Trap::BranchTarget => (libc::SIGILL, ILL_ILLOPC),
            Trap::PointerAuth => (libc::SIGILL, ILL_ILLOPN),
            Trap::Arithmetic => (libc::SIGFPE, FPE_INTDIV),
            Trap::PcAlign | Trap::Align => (libc::SIGBUS, BUS_ADRALN),
            Trap::Fetch => return self.fetch_fault(at),
            Trap::Breakpoint | Trap::Debug => (libc::SIGTRAP, TRAP_BRKPT),
            Trap::Step => (libc::SIGTRAP, TRAP_TRACE),
            Trap::Undefined | Trap::Unimplemented => (libc::SIGILL, ILL_ILLOPC),
            Trap::NotPresent => (libc::SIGBUS, arch::abi::SI_KERNEL),
            Trap::FloatDivide => (libc::SIGFPE, FPE_FLTDIV),
            Trap::FloatOverflow => (libc::SIGFPE, FPE_FLTOVF),
            Trap::FloatUnderflow => (libc::SIGFPE, FPE_FLTUND),
            Trap::FloatInexact => (libc::SIGFPE, FPE_FLTRES),
            Trap::FloatInvalid => (libc::SIGFPE, FPE_FLTINV),
            Trap::Gate => return self.gate_call(),
            Trap::X87 => unreachable!("an exception of the unit is a fault"),
        };
        let addr = if trap == Trap::PcAlign { pc } else { at };
        self.force(&HostInfo::fault(signo, code, addr), None);
    }

    /// There was no code at `pc`.
    fn fetch_fault(&mut self, pc: u64) {
        use libc_code::*;
        let Process { mm, engine, guest, .. } = self.process;
        // That there is none may change: the next try looks again.
        engine.invalidate(pc, pc + 1);
        let mut insn = [0; LONGEST_INSN];
        let insn = &mut insn[..guest.longest_insn];
        let there = CodeSource::fetch(*mm, pc, insn);
        if there == insn.len() {
            return;
        }
        // An instruction may have its beginning on one page and miss the rest.
        let addr = pc + there as u64;
        let (signo, code) = match mm.code_at(addr) {
            CodeAt::Nothing => (libc::SIGSEGV, SEGV_MAPERR),
            CodeAt::Data => (libc::SIGSEGV, SEGV_ACCERR),
            CodeAt::Code => (libc::SIGBUS, BUS_ADRERR),
        };
        let facts = FaultFacts { addr, write: false, fetch: true, protection: code == SEGV_ACCERR };
        self.force(&HostInfo::fault(signo, code, addr), Some(facts));
    }
}

/// The longest instruction of any guest.
const LONGEST_INSN: usize = 16;

/// si_code values (asm-generic/siginfo.h).
pub mod libc_code {
    pub const SEGV_MAPERR: i32 = 1;
    pub const SEGV_ACCERR: i32 = 2;
    pub const BUS_ADRALN: i32 = 1;
    pub const BUS_ADRERR: i32 = 2;
    pub const ILL_ILLOPC: i32 = 1;
    pub const ILL_ILLOPN: i32 = 2;
    pub const FPE_INTDIV: i32 = 1;
    pub const FPE_FLTDIV: i32 = 3;
    pub const FPE_FLTOVF: i32 = 4;
    pub const FPE_FLTUND: i32 = 5;
    pub const FPE_FLTRES: i32 = 6;
    pub const FPE_FLTINV: i32 = 7;
    pub const TRAP_BRKPT: i32 = 1;
    pub const TRAP_TRACE: i32 = 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_and_what_looks_like_them() {
        let mut gregs = [0; 23];
        let mut set = |trap: i64, cr2: i64, rip: i64| {
            gregs[libc::REG_TRAPNO as usize] = trap;
            gregs[libc::REG_CR2 as usize] = cr2;
            gregs[libc::REG_RIP as usize] = rip;
            gregs
        };
        assert_eq!(cause(libc::SIGSEGV, 1, 0x1234, &set(14, 0x1234, 5)), Cause::Fault);
        assert_eq!(cause(libc::SIGSEGV, 128, 0, &set(13, 0, 5)), Cause::Fault);
        assert_eq!(cause(libc::SIGBUS, 2, 0x1000, &set(14, 0x1000, 5)), Cause::Fault);
        assert_eq!(cause(libc::SIGFPE, 1, 5, &set(0, 0, 5)), Cause::Fault);
        assert_eq!(cause(libc::SIGTRAP, 128, 0, &set(3, 0, 5)), Cause::Fault);
        // A child's number is where the address would be.
        for signo in SYNCHRONOUS_LIST {
            assert_eq!(cause(signo, 1, 77, &set(14, 0x1234, 5)), Cause::Sent, "{signo}");
        }
        assert_eq!(cause(libc::SIGSEGV, 0, 0, &set(14, 0, 5)), Cause::Sent);
        assert_eq!(cause(libc::SIGSEGV, 128, 0, &set(14, 0x1234, 5)), Cause::Kernel);
    }
}
