//! A guest thread: a host thread (a raw clone, without TLS of its own) with guest state, and the loop that runs it.

use crate::host::{self, Errno, Res};
use crate::process::Process;
use crate::random::Random;
use crate::seccomp::Seat;
use crate::siginfo::HostInfo;
use crate::signal::{Actions, Inbox};
use arch::abi::{AltStack, Gate};
use engine::{Cpu, Exit};
use ir::Slot;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

/// A guest thread. Only its own host thread uses it; the signal handlers see no more than its [`Inbox`].
#[derive(Debug)]
pub struct Task {
    pub process: &'static Process,
    pub tid: i32,
    pub(crate) cpu: NonNull<Cpu>,
    /// Shared by CLONE_SIGHAND.
    pub(crate) actions: Arc<Actions>,
    /// The guest's signal mask. The host's is the same without the synchronous signals, or blocks more while a signal waits in the inbox.
    pub(crate) mask: u64,
    pub(crate) altstack: AltStack,
    pub(crate) inbox: &'static Inbox,
    /// A system call was interrupted: what is to be done with it once the signals are delivered.
    pub(crate) restart: Option<Errno>,
    /// A signal that the task has sent to itself: the next to be delivered.
    pub(crate) sent_to_self: Option<HostInfo>,
    /// The mask of a sigsuspend that a handler ends.
    pub(crate) suspended: Option<u64>,
    /// The mapping with this thread's host stack and signal stack (address, length).
    pub(crate) host_stack: (u64, u64),
    /// The guest's list of robust futexes: address, length of its head.
    pub(crate) robust_list: (u64, u64),
    /// All handlers are to be reset when the task begins (CLONE_CLEAR_SIGHAND).
    pub(crate) clear_handlers: bool,
    /// What an execve in progress has allocated: a vfork child cannot free it, its parent does.
    pub(crate) exec: Option<crate::exec::Buffers>,
    /// The gate by which a call has come, while it is served.
    pub(crate) gate: Option<&'static Gate>,
    /// What rseq(2) has registered.
    pub(crate) rseq: Option<crate::rseq::Area>,
    /// What seccomp(2) has set.
    pub(crate) seat: &'static Seat,
    /// The calls that this thread wants back.
    pub(crate) give_back: Option<crate::give_back::GiveBack>,
    /// A stop before anything else.
    pub(crate) first_stop: FirstStop,
    /// A vfork child in its parent's memory: the parent frees what hangs on this.
    pub(crate) vforked: bool,
}

/// What a traced thread begins with.
#[derive(Debug, Default)]
pub(crate) enum FirstStop {
    #[default]
    Nothing,
    /// It is the child of one that is traced.
    Birth,
    /// It is a new program: what the rqemu before has passed on.
    Exec(Vec<u8>),
}

impl Task {
    pub(crate) fn cpu(&self) -> &Cpu {
        // SAFETY: the Cpu lives as long as the task, and no other thread uses it but by its atomic fields.
        unsafe { self.cpu.as_ref() }
    }
    pub(crate) fn cpu_mut(&mut self) -> &mut Cpu {
        // SAFETY: as above.
        unsafe { self.cpu.as_mut() }
    }
    /// A slot of guest state, zero-extended.
    pub fn get(&self, slot: Slot) -> u64 {
        self.cpu().get(slot)
    }
    pub fn set(&mut self, slot: Slot, v: u64) {
        self.cpu_mut().set(slot, v);
    }
    /// New random numbers for a thread or process, and under `-seed` for its parent, `child` telling them apart: both have the same state.
    pub(crate) fn draw_entropy(&mut self, child: bool) {
        let slots = self.abi().entropy;
        let before = slots.iter().fold(child.into(), |v: u64, slot| v.rotate_left(1) ^ self.get(*slot));
        let mut random = Random::new(self.process.options.seed.map(|_| before));
        for slot in slots {
            self.set(*slot, random.number());
        }
    }

    /// The ABI of what the guest asks for.
    pub fn abi(&self) -> &'static arch::Abi {
        self.gate.map_or(self.process.guest.abi, |g| &g.abi)
    }
    /// A guest's signal mask as it may be given to the host: without the signals that rqemu itself lives by.
    pub fn host_sigset(&self, guest: u64) -> u64 {
        guest & !crate::signal::SYNCHRONOUS
    }
    /// A line under `-d unimp`.
    pub fn unimp(&self, text: fmt::Arguments) {
        self.process.unimp(text);
    }
    /// A line of the log.
    pub fn log(&self, text: fmt::Arguments) {
        self.process.log(text);
    }

    /// A host call on the guest's behalf that may block: not entered ([`Errno::RESTARTNOINTR`]), or given up ([`Errno::RESTARTSYS`], EINTR) when a
    /// signal for the guest comes.
    pub fn host_call(&self, nr: i64, args: [u64; 6]) -> Res {
        // SAFETY: the call's pointers are the guest's own addresses or were made by the body from live buffers.
        unsafe { host::safe_syscall(self.inbox.pending_word(), nr, &args) }
    }

    /// Runs the guest until it ends.
    pub(crate) fn run(&mut self) -> ! {
        // First, the host's mask is set.
        self.deliver_signals();
        match std::mem::take(&mut self.first_stop) {
            FirstStop::Nothing => {}
            FirstStop::Birth => self.birth_stop(),
            FirstStop::Exec(passed) => self.exec_stop(&passed),
        }
        loop {
            self.deliver_signals();
            self.mind_sequences();
            // SAFETY: as in `cpu_mut`; the engine is another object.
            let cpu = unsafe { self.cpu.as_mut() };
            let steps = self.is_stepping();
            let exit = if steps { self.process.engine.step(cpu) } else { self.process.engine.run(cpu) };
            match exit {
                Exit::Syscall => self.syscall(),
                Exit::SyscallRestart => self.restart = Some(Errno::RESTARTSYS),
                // Before anybody looks what it was for: two signals may have come where one was delivered, or it was for the engine.
                Exit::Interrupted => _ = self.cpu().clear_interrupt(),
                Exit::Trap(trap) => self.trap(trap),
                Exit::Fault(fault) => self.fault(&fault),
                Exit::FlushCode { len: 0, .. } => self.process.mm.flush_all_code(&self.process.engine),
                Exit::FlushCode { addr, len } => self.process.mm.flush_code(&self.process.engine, addr, len),
            }
            if steps {
                self.step_stop();
            }
        }
    }

    fn syscall(&mut self) {
        let regs = &self.abi().syscall;
        if self.inbox.is_pending() {
            // The signal came before the call.
            (regs.rewind)(self.cpu_mut().state_mut());
            return;
        }
        if crate::give_back::given(self) {
            return;
        }
        let result = self.traced_call();
        match result {
            Ok(v) => self.set(regs.result, v),
            Err(Errno::JUST_RETURN) => {}
            Err(e @ (Errno::RESTARTSYS | Errno::RESTARTNOINTR)) => self.restart = Some(e),
            Err(e) => self.set(regs.result, i64::from(-e.0) as u64),
        }
        self.exit_stop(result);
    }

    /// A system call of another ABI. Its instruction is behind it, as with others.
    pub(crate) fn gate_call(&mut self) {
        self.gate = self.process.guest.abi.gate;
        self.syscall();
        self.gate = None;
    }

    /// The call, if a tracer lets it be made.
    fn traced_call(&mut self) -> Res {
        if self.board().is_traced() && crate::sys::is_vdsos(self) {
            return crate::sys::dispatch(self);
        }
        self.entry_stop().unwrap_or_else(|| crate::sys::dispatch(self))
    }
}
