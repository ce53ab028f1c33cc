//! The host side of a guest thread: its stacks, its birth and its end. What clone's flags mean for a guest is in `sys/process.rs`.

use crate::call;
use crate::host::{self, CloneArgs, Errno, Res};
use crate::lock;
use crate::process::Process;
use crate::seccomp::{Layer, Seat};
use crate::signal::{self, Actions, Inbox, STACK_SIZE};
use crate::task::{FirstStop, Task};
use arch::abi::AltStack;
use engine::Cpu;
use std::ptr::NonNull;
use std::sync::Arc;

/// Host stack of a thread that the guest made: it holds the run loop, the translator and the system calls.
const HOST_STACK: u64 = 1 << 20;
const GUARD: u64 = 4096;

/// A mapping with the signal stack at its first multiple of [`STACK_SIZE`], then, if asked for, a guard page and a host stack.
fn map_stacks(with_host_stack: bool) -> Result<(u64, u64), Errno> {
    let len = STACK_SIZE + if with_host_stack { STACK_SIZE + GUARD + HOST_STACK } else { STACK_SIZE };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: new memory.
    unsafe {
        let stacks = (call!(libc::SYS_mmap, 0, len, prot, flags, -1i64, 0)?, len);
        if with_host_stack {
            call!(libc::SYS_mprotect, signal_stack(stacks) + STACK_SIZE, GUARD, libc::PROT_NONE)?;
        }
        Ok(stacks)
    }
}

fn signal_stack((addr, _): (u64, u64)) -> u64 {
    addr.next_multiple_of(STACK_SIZE)
}

fn unmap((addr, len): (u64, u64)) {
    // SAFETY: the mapping was made by `map_stacks`, and nobody uses it any more.
    let _ = unsafe { call!(libc::SYS_munmap, addr, len) };
}

/// A task's inbox, for as long as the process lives: a signal may come until the thread is gone.
fn new_inbox(cpu: NonNull<Cpu>, mask: u64, actions: &Arc<Actions>) -> &'static Inbox {
    Box::leak(Box::new(Inbox::new(cpu.as_ptr(), mask, actions)))
}

impl Task {
    /// The first task of a process, on the calling thread. `mask`: the guest's signal mask.
    pub(crate) fn first(
        process: &'static Process,
        actions: Actions,
        mask: u64,
        filter: Option<&'static Layer>,
    ) -> Result<Box<Task>, Errno> {
        let stacks = map_stacks(false)?;
        let cpu = Cpu::new(&process.engine);
        let actions = Arc::new(actions);
        let inbox = new_inbox(cpu, mask, &actions);
        signal::use_stack(signal_stack(stacks), inbox);
        let task = Box::new(Task {
            process,
            tid: host::gettid(),
            cpu,
            actions,
            mask,
            altstack: AltStack { flags: signal::SS_DISABLE, ..AltStack::default() },
            inbox,
            restart: None,
            sent_to_self: None,
            suspended: None,
            host_stack: stacks,
            robust_list: (0, 0),
            clear_handlers: false,
            exec: None,
            gate: None,
            rseq: None,
            seat: Seat::first(filter),
            give_back: None,
            first_stop: FirstStop::Nothing,
            vforked: false,
        });
        task.name_board();
        task.board().enter();
        Ok(task)
    }

    /// A clone with CLONE_VM: a new host thread with its own stacks, which runs the guest from this task's state after `prepare` has
    /// changed it. `prepare` runs in the parent, before the child exists.
    pub(crate) fn spawn(&mut self, args: &CloneArgs, prepare: &dyn Fn(&mut Task)) -> Res {
        let stacks = map_stacks(true)?;
        let cpu = Cpu::new(&self.process.engine);
        let sighand = args.flags & libc::CLONE_SIGHAND as u64 != 0;
        let vfork = args.flags & libc::CLONE_VFORK as u64 != 0;
        let actions = if sighand { self.actions.clone() } else { Arc::new(self.actions.copy()) };
        let mut child = Box::new(Task {
            process: self.process,
            tid: 0,
            cpu,
            mask: self.mask,
            // CLONE_VM alone: the child has no alternative stack; with CLONE_VFORK it has the parent's (kernel/fork.c).
            altstack: if vfork { self.altstack } else { AltStack { flags: signal::SS_DISABLE, ..AltStack::default() } },
            inbox: new_inbox(cpu, self.mask, &actions),
            actions,
            restart: None,
            sent_to_self: None,
            suspended: None,
            host_stack: stacks,
            robust_list: (0, 0),
            clear_handlers: false,
            exec: None,
            gate: None,
            // The kernel too forgets it in a child with the same memory.
            rseq: None,
            seat: self.seat.inherit(args.flags & libc::CLONE_THREAD as u64 == 0),
            give_back: None,
            first_stop: FirstStop::Birth,
            vforked: vfork,
        });
        child.cpu_mut().fork_state_from(self.cpu());
        child.draw_entropy(true);
        if self.process.options.seed.is_some() {
            self.draw_entropy(false);
        }
        prepare(&mut child);
        self.pass_tracer(&child, args);
        child.board().enter();
        if args.flags & libc::CLONE_THREAD as u64 == 0 {
            lock::name_owners();
        }
        let stack = signal_stack(stacks) + STACK_SIZE + GUARD;
        let host_args = CloneArgs { stack, stack_size: HOST_STACK, ..*args };
        let child = Box::into_raw(child);
        // The child begins with everything blocked: it has no signal stack yet.
        let old = signal::set_host_mask(!0);
        // SAFETY: the stack and the task are the child's alone from here on.
        let result = unsafe { host::clone_with_stack(&host_args, begin, child as u64) };
        signal::set_host_mask(old);
        if result.is_err() || vfork {
            // After a vfork the child has its own memory or is gone.
            // SAFETY: nobody else uses them any more.
            unsafe {
                drop_task(Box::from_raw(child));
            }
            unmap(stacks);
        }
        result
    }

    /// A clone without CLONE_VM. In the child this task goes on as the new process's only one.
    pub(crate) fn fork(&mut self, args: &CloneArgs, child: &dyn Fn(&mut Task)) -> Res {
        let old = signal::set_host_mask(!0);
        self.process.before_fork();
        self.actions.hold();
        // SAFETY: all locks are held, and the engine is ready for two owners.
        let result = unsafe { host::fork_with(args) };
        self.actions.release();
        self.process.after_fork(result == Ok(0), self.cpu);
        if result == Ok(0) {
            self.tid = host::gettid();
            self.pass_tracer(self, args);
            self.name_board();
            self.inbox.forget();
            self.inbox.forget_host_mask();
            self.seat.alone();
            self.give_back = None;
            self.draw_entropy(true);
            child(self);
        }
        if result != Ok(0) && self.process.options.seed.is_some() {
            self.draw_entropy(false);
        }
        signal::set_host_mask(old);
        result
    }

    /// Does what CLONE_CLEAR_SIGHAND asks, in the child.
    pub(crate) fn begin_clear(&mut self) {
        if std::mem::take(&mut self.clear_handlers) {
            self.actions.clear_handlers();
            (1..=64).for_each(|signo| signal::install(signo, &self.actions.get(signo)));
        }
    }

    /// The end of this thread alone.
    pub(crate) fn exit(&mut self, status: i32) -> ! {
        signal::set_host_mask(!0);
        let (addr, len) = self.host_stack;
        if len == 2 * STACK_SIZE || self.vforked {
            // The first thread's host stack is the process's; what a vfork child has is its parent's.
            // SAFETY: the thread ends.
            unsafe {
                let _ = call!(libc::SYS_exit, status);
            }
            host::exit_group(status)
        }
        // SAFETY: the task was made by `spawn` and is used no more; the fields needed are copied.
        unsafe {
            drop_task(Box::from_raw(self));
            host::unmap_and_exit(addr, len, status)
        }
    }
}

/// Frees what hangs on a task; not its stacks.
fn drop_task(task: Box<Task>) {
    task.seat.leave();
    // SAFETY: the Cpu was made for this task.
    unsafe { Cpu::free(task.cpu) };
    task.board().leave();
    // SAFETY: the inbox was leaked by `new_inbox`; no signal reaches it any more.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(task.inbox).cast_mut()) });
}

/// Where a child with its own stack begins.
extern "C" fn begin(task: u64) -> ! {
    // SAFETY: `spawn` made it for this thread.
    let task = unsafe { &mut *(task as *mut Task) };
    task.tid = host::gettid();
    signal::use_stack(signal_stack(task.host_stack), task.inbox);
    task.name_board();
    task.begin_clear();
    task.run()
}
