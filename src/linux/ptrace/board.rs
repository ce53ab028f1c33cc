//! The tracee's side of ptrace(2): a thread's board, where its tracer reads and writes while it is stopped, and the stops themselves.
//!
//! A thread stops where its guest's state is exact: in the run loop, by a trap that the host's kernel reports to the tracer.

use crate::call;
use crate::host::{self, CloneArgs, Errno, Res};
use crate::siginfo::{HostInfo, SI_KERNEL, SI_USER};
use crate::signal::{self, UNBLOCKABLE, bit};
use crate::sys::direct;
use crate::task::Task;
use arch::abi::Original;
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering, fence};

pub(crate) const EVENT_EXEC: u32 = 4;
pub(crate) const EVENT_EXIT: u32 = 6;
const EVENT_SECCOMP: u32 = 7;
pub(crate) const EVENT_STOP: u32 = 128;
pub(crate) const OPTION_SYSGOOD: u32 = 1;
const OPTION_FORK: u32 = 1 << 1;
const OPTION_VFORK: u32 = 1 << 2;
const OPTION_CLONE: u32 = 1 << 3;
pub(crate) const OPTION_EXEC: u32 = 1 << EVENT_EXEC;
const OPTION_SECCOMP: u32 = 1 << EVENT_SECCOMP;

/// si_code of a SIGTRAP by which the tracer sends a signal on ([`Data::incoming`]), or asks for a stop.
pub(crate) const PASSED_ON: i32 = -70;
pub(crate) const ASKED: i32 = -71;

const TRAP_TRACE: i32 = 2;

/// How a thread goes on.
pub(crate) const CONTINUE: u32 = 0;
pub(crate) const TO_SYSCALL: u32 = 1;
pub(crate) const STEP: u32 = 2;

/// What a thread is stopped for.
pub(crate) const RUNNING: u32 = 0;
/// A signal that may be taken back or changed.
pub(crate) const SIGNAL: u32 = 1;
pub(crate) const SYSCALL: u32 = 2;
pub(crate) const EVENT: u32 = 3;

/// Of a system call, what PTRACE_GET_SYSCALL_INFO tells.
pub(crate) const NO_CALL: u32 = 0;
pub(crate) const ENTRY: u32 = 1;
pub(crate) const EXIT: u32 = 2;
pub(crate) const FILTERED: u32 = 3;

/// What a board holds. The tracer's rqemu has the same layout: it is the same file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    pub tid: i32,
    /// ELF machine and class.
    pub machine: u32,
    /// Somebody traces this thread: by PTRACE_SEIZE or otherwise.
    pub traced: u32,
    pub seized: u32,
    pub options: u32,
    pub mode: u32,
    pub stop: u32,
    /// Of wait's status what stands above the low byte.
    pub status: u32,
    /// The signal with which it goes on.
    pub inject: u32,
    /// A signal that the thread sends itself, and that is to reach it.
    pub passing: u32,
    /// Code was changed.
    pub flush: u32,
    pub fp_flags: u32,
    pub call: u32,
    pub number: i64,
    pub args: [u64; 6],
    /// What a call that is not made has as its result.
    pub result: i64,
    pub mask: u64,
    pub message: u64,
    /// Where guest state stands, and the auxiliary vector with its length.
    pub state: u64,
    pub auxv: [u64; 2],
    /// Where beginning and end of the heap stand, and where the vDSO begins and ends.
    pub heap: u64,
    pub vdso: [u64; 2],
    pub info: HostInfo,
    pub incoming: HostInfo,
}

/// A thread's board.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Board(UnsafeCell<Data>);

// SAFETY: the thread itself writes it, and others only while that is stopped, or single words.
unsafe impl Sync for Board {}

/// How many threads can be found.
pub(crate) const ROOM: usize = 4096;
/// All boards, where a tracer finds them.
pub(crate) static BOARDS: [AtomicPtr<Board>; ROOM] = [const { AtomicPtr::new(ptr::null_mut()) }; ROOM];

// The trap: `rqemu_stop` is behind it.
std::arch::global_asm!(
    ".pushsection .text.rqemu_stop, \"ax\"",
    ".globl rqemu_trap, rqemu_stop",
    "rqemu_trap:",
    "int3",
    "rqemu_stop:",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn rqemu_trap();
    static rqemu_stop: u8;
}

/// A trap that no tracer has taken: where it goes on.
pub(crate) fn trap_fixup(rip: u64, board: &Board) -> Option<u64> {
    let here = &raw const rqemu_stop as u64;
    (rip == here).then(|| {
        board.update(|d| d.traced = 0);
        here
    })
}

impl Board {
    pub(crate) fn new(state: u64) -> Board {
        // SAFETY: all zero is a board.
        let mut data: Data = unsafe { std::mem::zeroed() };
        data.state = state;
        Board(UnsafeCell::new(data))
    }

    pub(crate) fn get(&self) -> Data {
        fence(Ordering::SeqCst);
        // SAFETY: plain data; a tracer writes while this thread is stopped, or single words.
        unsafe { self.0.get().read_volatile() }
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Data)) {
        let mut data = self.get();
        change(&mut data);
        // SAFETY: as above.
        unsafe { self.0.get().write_volatile(data) };
        fence(Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn is_traced(&self) -> bool {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0.get()).traced).read_volatile() != 0 }
    }

    /// Lets tracers find it, once it does not move any more.
    pub(crate) fn enter(&'static self) {
        let me = ptr::from_ref(self).cast_mut();
        let free = |p: &&AtomicPtr<Board>| {
            p.load(Ordering::Relaxed).is_null()
                && p.compare_exchange(ptr::null_mut(), me, Ordering::SeqCst, Ordering::Relaxed).is_ok()
        };
        let _ = BOARDS.iter().find(free);
    }

    pub(crate) fn leave(&self) {
        let me = ptr::from_ref(self).cast_mut();
        for place in BOARDS.iter().filter(|p| p.load(Ordering::Relaxed) == me) {
            place.store(ptr::null_mut(), Ordering::SeqCst);
        }
    }
}

/// What a new program goes on with under the same tracer, as text that one rqemu passes to the next.
pub(crate) fn pass_on(t: &Task) -> Option<Vec<u8>> {
    let d = t.board().get();
    (d.traced != 0).then(|| format!("{} {} {} {}", d.seized, d.options, d.mode, d.number).into_bytes())
}

impl Task {
    pub(crate) fn board(&self) -> &'static Board {
        &self.inbox.board
    }

    /// Is told to the board, at the thread's start.
    pub(crate) fn name_board(&self) {
        let elf = &self.process.guest.elf;
        let machine = u32::from(elf.machine) | u32::from(elf.class) << 16;
        let (state, auxv) = (self.cpu().state().as_ptr() as u64, self.process.mm.places().auxv);
        let auxv = [auxv.as_ptr() as u64, auxv.len() as u64];
        let (mm, vdso) = (self.process.mm, self.process.image.vdso);
        let (heap, vdso) = (mm.heap_place(), mm.range_at(vdso).unwrap_or_default().into());
        self.board().update(|d| {
            (d.tid, d.machine, d.state, d.auxv, d.heap, d.vdso) = (self.tid, machine, state, auxv, heap, vdso);
        });
    }

    /// Begins to be traced: by its own wish, as a new program or as a child.
    pub(crate) fn begin_traced(&self, seized: u32, options: u32, mode: u32) {
        self.board().update(|d| (d.traced, d.seized, d.options, d.mode) = (1, seized, options, mode));
        direct::leave_always();
    }

    /// Whether a child of such a clone is traced too: its board begins as this one's, or with nobody.
    pub(crate) fn pass_tracer(&self, child: &Task, args: &CloneArgs) {
        let d = self.board().get();
        let has = |flag: i32| args.flags & flag as u64 != 0;
        let option = match () {
            () if has(libc::CLONE_UNTRACED) => 0,
            () if has(libc::CLONE_VFORK) => OPTION_VFORK,
            () if args.exit_signal != libc::SIGCHLD as u64 => OPTION_CLONE,
            () => OPTION_FORK,
        };
        let traced = d.traced != 0 && d.options & option != 0;
        child.board().update(|c| {
            (c.traced, c.seized, c.options, c.mode) = (traced.into(), d.seized, d.options, CONTINUE);
            (c.stop, c.passing) = (RUNNING, 0);
        });
    }

    /// Stops until the tracer lets it go on; what the board holds then.
    fn stop_for(&mut self, stop: u32, status: u32, change: impl FnOnce(&mut Data)) -> Data {
        let board = self.board();
        direct::leave_always();
        self.publish();
        board.update(|d| {
            (d.stop, d.status, d.inject, d.passing) = (stop, status, 0, 0);
            change(d);
        });
        // SAFETY: it keeps all registers.
        unsafe { rqemu_trap() };
        let d = board.get();
        board.update(|d| (d.stop, d.flush) = (RUNNING, 0));
        if d.fp_flags != self.cpu().fp_flags() {
            self.cpu_mut().set_fp_flags(d.fp_flags);
        }
        self.cpu_mut().clear_monitor();
        if d.mask != self.mask {
            self.set_mask_later(d.mask & !UNBLOCKABLE);
        }
        if d.flush != 0 {
            self.process.engine.reset();
        }
        d
    }

    /// What the tracer may ask for beside guest state.
    fn publish(&self) {
        let (fp_flags, mask) = (self.cpu().fp_flags(), self.mask);
        self.board().update(|d| (d.fp_flags, d.mask) = (fp_flags, mask));
    }

    /// A signal on its way: what the tracer makes of it.
    pub(crate) fn signal_stop(&mut self, info: &HostInfo) -> Option<HostInfo> {
        if !self.board().is_traced() || info.signo() == libc::SIGKILL {
            return Some(*info);
        }
        let signo = info.signo();
        let d = self.stop_for(SIGNAL, signo as u32, |d| (d.info, d.call) = (*info, NO_CALL));
        match d.inject as i32 {
            0 => None,
            s if s == signo => Some(d.info),
            s => {
                let mut other = HostInfo::ZERO;
                other.0[..4].copy_from_slice(&s.to_le_bytes());
                other.0[8..12].copy_from_slice(&SI_USER.to_le_bytes());
                Some(other)
            }
        }
    }

    /// Before a default action that is the host's: the signal that does it is to reach it.
    pub(crate) fn pass_own(&self, signo: i32) {
        if self.board().is_traced() {
            self.publish();
            self.board().update(|d| d.passing = signo as u32);
        }
    }

    /// A stop that the tracer has asked for.
    pub(crate) fn asked_stop(&mut self) {
        if self.board().is_traced() {
            self.event_stop(libc::SIGTRAP as u32, EVENT_STOP, 0);
        }
    }

    fn event_stop(&mut self, signo: u32, event: u32, message: u64) {
        let info = HostInfo::fault(libc::SIGTRAP, (event << 8 | signo) as i32, 0);
        self.stop_for(EVENT, signo | event << 8, |d| (d.info, d.message, d.call) = (info, message, NO_CALL));
    }

    /// The first stop of a child, if that is traced.
    pub(crate) fn birth_stop(&mut self) {
        if !self.board().is_traced() {
            return;
        }
        if self.board().get().seized != 0 {
            return self.event_stop(libc::SIGTRAP as u32, EVENT_STOP, 0);
        }
        let info = HostInfo::fault(libc::SIGSTOP, SI_USER, 0);
        let again = self.signal_stop(&info);
        if again.is_some_and(|i| i.signo() != 0) {
            self.deliver_now(&again.unwrap_or(info), None);
        }
    }

    /// The stops of a program that has just begun under a tracer.
    pub(crate) fn exec_stop(&mut self, passed: &[u8]) {
        let text = String::from_utf8_lossy(passed);
        let mut words = text.split(' ').map(|w| w.parse::<i64>().unwrap_or(0));
        let mut next = || words.next().unwrap_or(0);
        let (seized, options, mode, number) = (next() as u32, next() as u32, next() as u32, next());
        self.begin_traced(seized, options, mode);
        let trap = libc::SIGTRAP as u32;
        if options & OPTION_EXEC != 0 {
            self.event_stop(trap, EVENT_EXEC, self.tid as u64);
        } else if seized == 0 {
            let info = HostInfo::fault(libc::SIGTRAP, SI_USER, 0);
            if let Some(info) = self.signal_stop(&info) {
                self.deliver_now(&info, None);
            }
        }
        self.board().update(|d| (d.call, d.number) = (ENTRY, number));
        self.exit_stop(Ok(0));
    }

    fn stops_at_calls(&self) -> bool {
        let d = self.board().get();
        d.traced != 0 && d.mode == TO_SYSCALL
    }

    fn call_stop(&mut self, change: impl FnOnce(&mut Data)) -> Data {
        let good = if self.board().get().options & OPTION_SYSGOOD != 0 { 0x80 } else { 0 };
        let signo = libc::SIGTRAP as u32 | good;
        let info = HostInfo::fault(libc::SIGTRAP, signo as i32, 0);
        let d = self.stop_for(SYSCALL, signo, |d| {
            d.info = info;
            change(d);
        });
        if d.inject != 0 {
            // SAFETY: no memory is involved.
            let _ = unsafe { call!(libc::SYS_tgkill, host::getpid(), self.tid, d.inject) };
        }
        d
    }

    /// Before a system call: its result, if the tracer has it not made.
    pub(crate) fn entry_stop(&mut self) -> Option<Res> {
        if !self.board().is_traced() {
            return None;
        }
        self.publish();
        let regs = &self.abi().syscall;
        let number = self.get(regs.number) as u32 as i32;
        let args = regs.args.map(|slot| self.get(slot));
        let nothing = -i64::from(Errno::ENOSYS.0);
        let set = |d: &mut Data| (d.call, d.number, d.args, d.result) = (ENTRY, number.into(), args, nothing);
        self.board().update(set);
        if !self.stops_at_calls() {
            return None;
        }
        let d = self.call_stop(set);
        let apart = self.abi().debug.number_is_apart();
        let asked = if apart { d.number } else { (self.get(regs.number) as i32).into() };
        match asked {
            // It was none.
            -1 if number == -1 => Some(Err(Errno::ENOSYS)),
            -1 => Some(self.not_made(&d)),
            _ if asked == i64::from(number) => None,
            _ => {
                self.set(regs.number, asked as u64);
                let result = crate::sys::dispatch(self);
                // The register keeps what it held.
                if apart && regs.number != regs.result && result != Err(Errno::JUST_RETURN) {
                    self.set(regs.number, number as u64);
                }
                Some(result)
            }
        }
    }

    /// The result of a call whose number the tracer has made -1: what it has put there.
    fn not_made(&self, d: &Data) -> Res {
        let debug = &self.abi().debug;
        match debug.original {
            Some(Original::Number { .. }) => Ok(d.result.cast_unsigned()),
            // Where the result has been ENOSYS from the start (arch/riscv/kernel/traps.c).
            _ if !debug.number_is_apart() && self.get(self.abi().syscall.args[0]) == d.args[0] => Err(Errno::ENOSYS),
            _ => Err(Errno::JUST_RETURN),
        }
    }

    /// A filter leaves a call to the tracer (SECCOMP_RET_TRACE): the call's number as the tracer has it then. None: nobody is asked.
    pub(crate) fn filter_stop(&mut self, data: u32) -> Option<i64> {
        let d = self.board().get();
        if d.traced == 0 || d.options & OPTION_SECCOMP == 0 {
            return None;
        }
        let event = libc::SIGTRAP as u32 | EVENT_SECCOMP << 8;
        let info = HostInfo::fault(libc::SIGTRAP, event as i32, 0);
        let after = self.stop_for(EVENT, event, |d| (d.info, d.message, d.call) = (info, data.into(), FILTERED));
        self.board().update(|d| d.call = ENTRY);
        if after.number != d.number {
            self.set(self.abi().syscall.number, after.number as u64);
        }
        Some(after.number)
    }

    /// After one. A call in which a tracer has come has no such stop: its end is before the stop that the tracer has found.
    pub(crate) fn exit_stop(&mut self, result: Result<u64, Errno>) {
        if !self.board().is_traced() || !self.stops_at_calls() || self.board().get().call != ENTRY {
            return;
        }
        let slot = self.abi().syscall.result;
        let before = self.get(slot);
        // A call that is to be made again has not changed its register yet.
        let again = match result {
            Err(e @ (Errno::RESTARTSYS | Errno::RESTARTNOINTR)) => Some(e),
            _ => None,
        };
        if let Some(e) = again {
            self.set(slot, i64::from(-e.0) as u64);
        }
        self.call_stop(|d| d.call = EXIT);
        if again.is_some() {
            self.set(slot, before);
        }
    }

    /// Whether the next instruction is to be the last before a stop.
    pub(crate) fn is_stepping(&self) -> bool {
        self.board().is_traced() && self.board().get().mode == STEP
    }

    /// After a step.
    pub(crate) fn step_stop(&mut self) {
        if self.is_stepping() {
            let pc = self.get(self.process.guest.state.pc);
            let info = HostInfo::fault(libc::SIGTRAP, TRAP_TRACE, pc);
            if let Some(info) = self.signal_stop(&info) {
                self.deliver_now(&info, None);
            }
        }
    }
}

/// In the signal handler: what a SIGTRAP of the tracer's stands for. None: no such.
pub(crate) fn stands_for(board: &Board, info: &HostInfo) -> Option<HostInfo> {
    (info.code() == PASSED_ON && board.is_traced()).then(|| board.get().incoming)
}

/// Whether a signal is one of the tracer's stops rather than a fault of ours.
pub(crate) fn is_trap(info: &HostInfo) -> bool {
    info.signo() == libc::SIGTRAP && info.code() == SI_KERNEL
}

/// That faults raise.
pub(crate) fn is_synchronous(signo: i32) -> bool {
    signal::SYNCHRONOUS & bit(signo) != 0
}
