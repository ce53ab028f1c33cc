//! The host side of a guest thread: its stacks, its birth and its end. What clone's flags mean for a guest is in `sys/process.rs`.

use crate::call;
use crate::host::{self, CloneArgs, Errno, Res};
use crate::lock;
use crate::process::Process;
use crate::seccomp::{Layer, Seat};
use crate::signal::{self, Actions, Inbox, STACK_SIZE};
use crate::task::{FirstStop, Task};
use arch::abi::AltStack;
use engine::{Cpu, Engine};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Host stack of a thread that the guest made: it holds the run loop, the translator and the system calls.
const HOST_STACK: u64 = 1 << 20;
const GUARD: u64 = 4096;
/// The length of such a thread's mapping.
const ROOM: u64 = 2 * STACK_SIZE + GUARD + HOST_STACK;

/// A mapping with the signal stack at its first multiple of [`STACK_SIZE`], then, if asked for, a guard page and a host stack.
fn map_stacks(with_host_stack: bool) -> Result<(u64, u64), Errno> {
    let len = if with_host_stack { ROOM } else { 2 * STACK_SIZE };
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

/// Where a thread that ends leaves the address of its Cpu, behind what the signal stack begins with.
fn cpu_left(stacks: (u64, u64)) -> *mut NonNull<Cpu> {
    (signal_stack(stacks) + 8) as *mut NonNull<Cpu>
}

/// The stacks of threads that are gone, with their Cpus, for the next ones: to make, touch and unmap them anew costs as much as all else about a
/// thread. 0: none; [`LEAVING`]: of one that still stands on them.
static LEFT: [AtomicU64; 32] = [const { AtomicU64::new(0) }; 32];
const LEAVING: u64 = 1;

/// A place among them, which is the caller's from then on.
fn place() -> Option<&'static AtomicU64> {
    LEFT.iter().find(|place| place.compare_exchange(0, LEAVING, Ordering::Relaxed, Ordering::Relaxed).is_ok())
}

/// Stacks and a Cpu for a new thread.
fn take_room(engine: &Engine) -> Result<((u64, u64), NonNull<Cpu>), Errno> {
    for place in &LEFT {
        let addr = place.load(Ordering::Relaxed);
        if addr > LEAVING && place.compare_exchange(addr, 0, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            let stacks = (addr, ROOM);
            // SAFETY: `leave_room` wrote it, of a thread that is gone.
            let cpu = unsafe { *cpu_left(stacks) };
            // SAFETY: it was retired.
            unsafe { Cpu::renew(cpu, engine) };
            return Ok((stacks, cpu));
        }
    }
    Ok((map_stacks(true)?, Cpu::new(engine)))
}

/// The end of a Cpu: where the address of its stacks is to be left once nobody stands on them, or they are to be unmapped.
///
/// # Safety
/// As [`Cpu::retire`].
unsafe fn leave_room(stacks: (u64, u64), cpu: NonNull<Cpu>) -> Option<&'static AtomicU64> {
    // SAFETY: the caller's promise; the stacks are there for as long as the task is.
    unsafe {
        if !Cpu::retire(cpu) {
            return None;
        }
        let place = place();
        if place.is_some() {
            cpu_left(stacks).write(cpu);
        } else {
            Cpu::unmap(cpu);
        }
        place
    }
}

/// In a fork's child, whose only thread this is: what others were about to leave stays lost.
fn forget_leaving() {
    for place in &LEFT {
        let _ = place.compare_exchange(LEAVING, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
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
        let (stacks, cpu) = take_room(&self.process.engine)?;
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
            match unsafe { drop_task(Box::from_raw(child)) } {
                Some(place) => place.store(stacks.0, Ordering::Release),
                None => unmap(stacks),
            }
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
            forget_leaving();
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
            match drop_task(Box::from_raw(self)) {
                Some(place) => host::leave_and_exit(place, addr, status),
                None => host::unmap_and_exit(addr, len, status),
            }
        }
    }
}

/// Frees what hangs on a task; not its stacks, whose address belongs into a place if there is one.
fn drop_task(task: Box<Task>) -> Option<&'static AtomicU64> {
    task.seat.leave();
    // SAFETY: the Cpu was made for this task.
    let place = unsafe { leave_room(task.host_stack, task.cpu) };
    task.board().leave();
    // SAFETY: the inbox was leaked by `new_inbox`; no signal reaches it any more.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(task.inbox).cast_mut()) });
    place
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
