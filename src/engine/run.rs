//! The run loop: from guest state to generated code and back.

use crate::cache::{CAREFUL, Cache, Key};
use crate::cpu::Cpu;
use crate::lock::Lock;
use crate::serve;
use crate::stats::{Cause, Clock, Made, Report, Stage, Stats};
use crate::{CodeSource, Exit, Options};
use arch::Guest;
use host::cpu::{ALONE, CLOSED_PAIRS, ExitKind, NOWHERE, OPEN_PAIRS};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

/// One for an address space, shared by its guest threads.
#[derive(Debug)]
pub struct Engine {
    guest: &'static Guest,
    code: &'static dyn CodeSource,
    pub(crate) cache: Lock<Cache>,
    pub(crate) cpus: Lock<Vec<CpuPtr>>,
    /// What does not change: the thunks, the arena's range.
    thunks: host::Thunks,
    range: (u64, u64),
    interpreting: bool,
    calls: &'static crate::Calls,
    pub(crate) log: crate::Log,
    /// [`Engine::trace`] is to be called.
    tracing: bool,
    chain: bool,
    pub(crate) stats: Option<&'static Stats>,
    /// Counts how often everything was dropped.
    pub(crate) generation: AtomicU32,
    /// What each [`host::cpu::Cpu::concurrent`] is to be.
    concurrent: AtomicU32,
    /// How many invalid floating-point operations may still trap before code becomes [`CAREFUL`].
    traps_left: AtomicU32,
}

/// A registered Cpu.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct CpuPtr(pub(crate) NonNull<Cpu>);

// SAFETY: others touch a Cpu only by its atomic fields, or when it does not run (under the engine's lock).
unsafe impl Send for CpuPtr {}
// SAFETY: the compiler's scratch and the regions are plain data behind the lock; raw addresses in them are to memory of the process.
unsafe impl Send for Engine {}

/// si_code of a fault at an address that the host cannot have.
const SI_KERNEL: i32 = 0x80;

/// How code is come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Direct,
    Computed,
}

pub(crate) enum Next {
    /// On at an address, under a mode word.
    Go(Key),
    /// The same where the code for it is known.
    Enter(Key, u64),
    Leave(Exit),
}

impl Engine {
    pub fn new(guest: &'static Guest, options: Options, code: &'static dyn CodeSource) -> Engine {
        let cache = Cache::new(guest, options, serve::entry(options.stats), code);
        Engine {
            guest,
            code,
            thunks: cache.compiler.thunks,
            range: cache.arena.range(),
            cpus: Lock::nameless(Vec::new()),
            interpreting: options.interpret,
            calls: options.calls,
            log: options.log,
            stats: cache.stats,
            tracing: options.log.exec || options.log.cpu,
            chain: options.chain,
            cache: Lock::nameless(cache),
            generation: AtomicU32::new(0),
            concurrent: AtomicU32::new(ALONE),
            traps_left: AtomicU32::new(options.fp_traps),
        }
    }

    /// For [`host::cpu::Cpu::concurrent`].
    pub(crate) fn concurrent(&self) -> u32 {
        self.concurrent.load(Ordering::SeqCst)
    }

    /// From now on others may see guest memory: atomics lock, fences order. To be called before there are any others, by the one thread that
    /// runs guest code.
    pub fn begin_concurrency(&self) {
        // The interpreter knows no closed pairs.
        let level = if self.interpreting { OPEN_PAIRS } else { CLOSED_PAIRS };
        if self.concurrent.compare_exchange(ALONE, level, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return;
        }
        for c in self.cpus.lock().iter() {
            // SAFETY: a live Cpu; those other than the caller's (a vfork's parent) wait in the kernel.
            let raw = unsafe { &mut (*c.0.as_ptr()).raw };
            raw.concurrent.store(level, Ordering::SeqCst);
            // A monitor from before has no version.
            raw.excl_addr = u64::MAX;
        }
    }

    pub fn guest(&self) -> &'static Guest {
        self.guest
    }

    pub(crate) fn source(&self) -> &'static dyn CodeSource {
        self.code
    }

    /// The host addresses that the engine's code takes: guests must keep out of them.
    pub fn reserved(&self) -> (u64, u64) {
        self.range
    }

    /// Where the newest generation's number stands, and the table of calls, for a Cpu.
    pub(crate) fn newest(&self) -> u64 {
        self.generation.as_ptr() as u64
    }
    pub(crate) fn calls(&self) -> u64 {
        self.calls.as_ptr() as u64
    }

    pub(crate) fn add_cpu(&self, cpu: NonNull<Cpu>) {
        let mut cpus = self.cpus.lock();
        // SAFETY: an atomic field of a live Cpu. What it was made with may be out of date.
        unsafe { (*cpu.as_ptr()).raw.concurrent.store(self.concurrent(), Ordering::SeqCst) };
        cpus.push(CpuPtr(cpu));
    }
    pub(crate) fn remove_cpu(&self, cpu: NonNull<Cpu>) {
        self.cpus.lock().retain(|c| c.0 != cpu);
    }

    /// Runs guest code from the Cpu's state until something needs the caller.
    pub fn run(&self, cpu: &mut Cpu) -> Exit {
        if self.interpreting {
            return self.interpret(cpu);
        }
        cpu.load_unit();
        let exit = self.run_code(cpu);
        cpu.save_unit();
        exit
    }

    fn run_code(&self, cpu: &mut Cpu) -> Exit {
        // Computed anew, it says nothing of what direct jumps alone carry on, or there would be all code twice.
        self.read_mode(cpu);
        let (mut pc, mut mode) = (cpu.pc(), cpu.mode);
        let mut known = None;
        loop {
            if cpu.mode & CAREFUL != self.careful() {
                self.set_mode(cpu, cpu.mode & !CAREFUL);
                (mode, known) = (cpu.mode, None);
            }
            if cpu.is_interrupted() {
                cpu.set_pc((self.guest.branch_target)(pc));
                return Exit::Interrupted;
            }
            if self.keep_up(cpu) {
                known = None;
            }
            let code = known.take().unwrap_or_else(|| self.code_for(cpu, (pc, mode), Way::Computed));
            if self.tracing {
                self.trace(cpu, pc, code);
            }
            if !self.enter_code(cpu, code) {
                continue;
            }
            match self.after(cpu) {
                Next::Go(next) => (pc, mode) = next,
                Next::Enter(next, code) => ((pc, mode), known) = (next, Some(code)),
                Next::Leave(exit) => return exit,
            }
        }
    }

    /// Before code is looked up: if all was dropped (which is said), the Cpu knows none when the lock is free.
    fn keep_up(&self, cpu: &mut Cpu) -> bool {
        let newest = self.generation.load(Ordering::SeqCst);
        let dropped = newest != cpu.raw.generation;
        if dropped {
            drop(self.cache.lock());
            cpu.raw.generation = newest;
        }
        dropped
    }

    /// A fault in generated code, or an address with a tag: then all code is made anew, to take tags off.
    fn faulted(&self, cpu: &mut Cpu) -> Next {
        if cpu.fault.code != SI_KERNEL {
            return Next::Leave(Exit::Fault(cpu.fault));
        }
        if self.guest.tagged_pointers && !std::mem::replace(&mut self.cache.lock().compiler.mask_tags, true) {
            self.drop_all();
            return self.again(cpu);
        }
        if self.generation.load(Ordering::SeqCst) != cpu.raw.generation {
            // Another thread has met tags meanwhile.
            return self.again(cpu);
        }
        // No page can be there: what the guest's kernel would say of it is the ABI's to know.
        cpu.fault.signo = libc::SIGSEGV;
        Next::Leave(Exit::Fault(cpu.fault))
    }

    /// On at the Cpu's own address.
    fn again(&self, cpu: &Cpu) -> Next {
        Next::Go((cpu.pc(), cpu.mode))
    }

    pub(crate) fn thunks(&self) -> &host::Thunks {
        &self.thunks
    }

    /// Computes the mode word anew; all of it, of which the Cpu keeps what does not depend on the way that led here.
    fn read_mode(&self, cpu: &mut Cpu) -> u32 {
        let mode = (self.guest.mode)(&cpu.raw.guest);
        let direct = mode & self.guest.state.direct_mode;
        self.set_mode(cpu, mode & !direct);
        cpu.mode | direct
    }

    fn set_mode(&self, cpu: &mut Cpu, mode: u32) {
        let control = (self.guest.state.fp_control)(mode);
        let careful = self.careful();
        let mode = mode | careful;
        if mode != cpu.mode {
            // Code for another mode may not be reached through what this one has remembered.
            cpu.mode = mode;
            cpu.returns_to = cpu.next_return();
            cpu.clear_jumps();
            cpu.reset_shadow();
        }
        cpu.set_fp_control(control.round, self.guest.state.invalid_traps && careful == 0);
    }

    /// [`CAREFUL`], if no traps are left to a guest that has them.
    fn careful(&self) -> u32 {
        if self.guest.state.invalid_traps && self.traps_left.load(Ordering::Relaxed) == 0 { CAREFUL } else { 0 }
    }

    /// An invalid floating-point operation has trapped.
    pub(crate) fn count_trap(&self, cpu: &Cpu) {
        if let Some(s) = self.stats {
            s.left(Cause::Invalid);
        }
        let one_less = |n: u32| n.checked_sub(1);
        if self.traps_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).unwrap_or(1) == 1 {
            // Out at the next poll: each thread, and hot loops too.
            cpu.interrupt();
        }
    }

    /// The code for where a branch to `pc` goes, translated if need be. For a computed one it is entered in the jump cache, under `pc` as it is; direct
    /// ones are linked.
    fn code_for(&self, cpu: &mut Cpu, (pc, mode): Key, way: Way) -> u64 {
        let is_for_all = mode == cpu.mode && way == Way::Computed;
        if is_for_all && let Some(code) = cpu.jump(pc) {
            return code;
        }
        loop {
            let mut cache = self.cache.lock();
            let key = ((self.guest.branch_target)(pc), mode);
            let code = match cache.find(key, self.code) {
                Some(code) => Some(code),
                None => cache.translate(key, self.code),
            };
            if let Some(code) = code {
                if self.chain && is_for_all {
                    cpu.enter_jump(pc, code);
                }
                self.expect_return(cpu, &mut cache);
                return code;
            }
            drop(cache);
            self.drop_all();
        }
    }

    /// What sets a mode is mostly a function, whose return the shadow stack has just forgotten: the jump cache has it, if there is code for it.
    fn expect_return(&self, cpu: &mut Cpu, cache: &mut Cache) {
        let pc = std::mem::take(&mut cpu.returns_to);
        if [0, NOWHERE].contains(&pc) || !self.chain {
            return;
        }
        if let Some(code) = cache.find(((self.guest.branch_target)(pc), cpu.mode), self.code) {
            cpu.enter_jump(pc, code);
        }
    }

    /// Runs code; false if all code was dropped since it was looked up.
    fn enter_code(&self, cpu: &mut Cpu, code: u64) -> bool {
        cpu.raw.in_code.store(1, Ordering::Relaxed);
        // `drop_all` counts up before it looks who is in, and sees to it that one of us sees the other.
        compiler_fence(Ordering::SeqCst);
        if self.generation.load(Ordering::Acquire) != cpu.raw.generation {
            cpu.raw.in_code.store(0, Ordering::Release);
            return false;
        }
        // SAFETY: the thunk is `extern "C" fn(cpu, code)` made for this guest; it keeps what the ABI says.
        let enter: extern "C" fn(*mut Cpu, u64) = unsafe { std::mem::transmute(self.thunks.enter) };
        let mut clock = Clock::start(self.stats);
        enter(cpu, code);
        clock.end(Stage::Code);
        true
    }

    fn count(&self, cause: impl FnOnce() -> Cause) {
        if let Some(s) = self.stats {
            s.left(cause());
        }
    }

    /// What was counted, if that was asked for, and begins anew.
    pub fn report(&self) -> Option<Report> {
        let report = self.stats?.report();
        self.stats?.reset();
        Some(report)
    }

    /// How many guest threads there are.
    pub fn threads(&self) -> usize {
        self.cpus.lock().len()
    }

    /// What the code was left for.
    fn after(&self, cpu: &mut Cpu) -> Next {
        let (kind, record) = (cpu.raw.exit_kind, cpu.raw.exit_record);
        // SAFETY: generated code hands over the address of such a record, which stays while it runs.
        let link = (kind == ExitKind::Link as u32).then(|| unsafe { *(record as *const host::Link) });
        // SAFETY: as before.
        let exit = (kind == ExitKind::Static as u32).then(|| unsafe { *(record as *const host::Exit) });
        cpu.raw.in_code.store(0, Ordering::Release);
        if let Some(host::Link { pc, mode, slot }) = link {
            self.count(|| Cause::Goto);
            return self.follow(cpu, (pc, mode | cpu.mode & CAREFUL), record.wrapping_add_signed(slot.into()));
        }
        let Some(exit) = exit else { return self.after_other(cpu, kind) };
        self.count(|| Cause::of(&exit));
        match exit {
            host::Exit::Poll { pc } => Next::Go((pc, cpu.mode)),
            host::Exit::Hot { pc, from, mode } => {
                let key = (pc, mode | cpu.mode & CAREFUL);
                self.heat(cpu, key, from);
                Next::Go(key)
            }
            host::Exit::Resume { pc } => Next::Go((pc, self.read_mode(cpu))),
            host::Exit::ResumeAt => Next::Go((cpu.raw.exit_value, self.read_mode(cpu))),
            host::Exit::OpenPair { pc, extra } => {
                self.set_position(cpu, pc, extra);
                self.begin_open_pairs();
                Next::Go((pc, self.read_mode(cpu)))
            }
            host::Exit::FlushCode { len, next } => {
                cpu.set_pc(next);
                Next::Leave(Exit::FlushCode { addr: cpu.raw.exit_value, len: u64::from(len) })
            }
            host::Exit::Trap { trap, pc, extra } => self.trap(cpu, trap, pc, extra),
            host::Exit::HelperTrap { pc, extra } => {
                cpu.raw.helper_trap = 0;
                self.trap(cpu, cpu.trap, pc, extra)
            }
        }
    }

    /// The same for what is not a numbered exit.
    fn after_other(&self, cpu: &mut Cpu, kind: u32) -> Next {
        if kind == ExitKind::Fault as u32 {
            self.count(|| Cause::Fault);
            return self.faulted(cpu);
        }
        let pc = cpu.raw.exit_value;
        if kind == ExitKind::Indirect as u32 {
            self.count(|| Cause::Indirect);
            return Next::Go((pc, cpu.mode));
        }
        self.count(|| Cause::Syscall);
        cpu.set_pc(pc);
        if kind == ExitKind::SyscallDone as u32 {
            // The mode may be another one after the call, so the run begins anew.
            return Next::Leave(Exit::Interrupted);
        }
        Next::Leave(if kind == ExitKind::Syscall as u32 { Exit::Syscall } else { Exit::SyscallRestart })
    }

    pub(crate) fn trap(&self, cpu: &mut Cpu, trap: ir::Trap, pc: u64, extra: u32) -> Next {
        self.set_position(cpu, pc, extra);
        if trap == ir::Trap::Align {
            let addr = cpu.raw.exit_value;
            // Linux hides tags (sigaction(2), SA_EXPOSE_TAGBITS) where bit 55 is clear; generated code may have taken them off or not.
            let addr = if self.guest.tagged_pointers { addr & crate::memory::without_tag(addr) } else { addr };
            // BUS_ADRALN, as the kernel reports a misaligned access.
            return Next::Leave(Exit::Fault(crate::Fault { signo: libc::SIGBUS, code: 1, addr, write: false }));
        }
        if trap == ir::Trap::X87 {
            return Next::Leave(Exit::Fault(cpu.unit_fault(pc)));
        }
        if (self.log.unimp || self.log.guest_errors) && matches!(trap, ir::Trap::Undefined | ir::Trap::Unimplemented) {
            self.log_undefined(pc, cpu.mode);
        }
        Next::Leave(Exit::Trap(trap))
    }

    /// A guest program has come to an instruction that it does not have with us.
    fn log_undefined(&self, pc: u64, mode: u32) {
        let mut buf = [0; 16];
        let at = self.guest.address(pc);
        let n = self.code.fetch(at, &mut buf[..self.guest.longest_insn]);
        let (text, _) = (self.guest.disassemble)(&buf[..n], pc, mode & !CAREFUL);
        self.code.log(&format!("undefined instruction at {at:#x}: {text} ({})\n", crate::cache::hex(&buf[..n])));
    }

    pub(crate) fn set_position(&self, cpu: &mut Cpu, pc: u64, extra: u32) {
        cpu.set_pc(pc);
        if let Some(slot) = self.guest.state.extra {
            cpu.set(slot, u64::from(extra));
        }
        if let Some(settle) = self.guest.state.settle {
            settle(&mut cpu.raw.guest, pc, extra);
        }
    }

    /// Links the slot that was left through to the code for `key`, and goes on there.
    fn follow(&self, cpu: &mut Cpu, key: Key, slot: u64) -> Next {
        if !self.chain {
            cpu.reset_shadow();
            return Next::Go(key);
        }
        let code = self.code_for(cpu, key, Way::Direct);
        let mut cache = self.cache.lock();
        if self.generation.load(Ordering::SeqCst) == cpu.raw.generation {
            cache.link(slot, key, self.code);
        }
        Next::Enter(key, code)
    }

    /// Guest code in [start, end) may have changed: its translations are forgotten. Any thread may call it.
    pub fn invalidate(&self, start: u64, end: u64) {
        let mut cache = self.cache.lock();
        if cache.invalidate(start, end) {
            for c in self.cpus.lock().iter() {
                // SAFETY: a live Cpu; we hold the cache's lock.
                unsafe { Cpu::forget_jumps(c.0.as_ptr(), None) };
            }
        }
    }

    /// Drops all code: when there is no room for more.
    fn drop_all(&self) {
        self.drop_code(&mut self.cache.lock(), |_| {});
    }

    /// From now on exclusive stores give stamps. Until all threads have come out of code that did not, nobody looks at any.
    pub(crate) fn begin_open_pairs(&self) {
        let mut cache = self.cache.lock();
        if self.concurrent.compare_exchange(CLOSED_PAIRS, OPEN_PAIRS, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.drop_code(&mut cache, |cpu| {
                cpu.raw.concurrent.store(OPEN_PAIRS, Ordering::SeqCst);
                cpu.clear_monitor();
            });
        }
    }

    /// Drops all code; `each` is done to every Cpu while none runs any.
    fn drop_code(&self, cache: &mut Cache, each: impl Fn(&mut Cpu)) {
        let cpus = self.cpus.lock();
        self.generation.fetch_add(1, Ordering::SeqCst);
        crate::lock::barrier_everywhere();
        // Everybody comes out at the next poll, and waits for the lock when he wants code again.
        for c in cpus.iter() {
            // SAFETY: an atomic field of a live Cpu.
            let cpu = unsafe { &(*c.0.as_ptr()) };
            while cpu.raw.in_code.load(Ordering::SeqCst) != 0 {
                cpu.interrupt();
                std::hint::spin_loop();
            }
        }
        cache.save(self.code);
        cache.clear();
        if let Some(s) = self.stats {
            s.made(Made::Dropped, 1);
        }
        for c in cpus.iter() {
            // SAFETY: nobody runs code, and nobody will before he has had the lock.
            let cpu = unsafe { &mut *c.0.as_ptr() };
            cpu.clear_jumps();
            cpu.reset_shadow();
            each(cpu);
        }
    }

    /// Stores what was translated and is not stored yet.
    pub fn save(&self) {
        self.cache.lock().save(self.code);
    }

    /// Makes every thread that runs guest code come out of [`Engine::run`].
    pub fn interrupt_all(&self) {
        for c in self.cpus.lock().iter() {
            // SAFETY: an atomic field of a live Cpu.
            unsafe { &*c.0.as_ptr() }.interrupt();
        }
    }

    /// Drops all code.
    pub fn reset(&self) {
        self.drop_all();
    }

    /// Takes the engine's locks, cache first, for a fork.
    pub fn before_fork(&self) {
        self.cache.lock().before_fork();
        self.cache.hold();
        self.cpus.hold();
        if let Some(s) = self.stats {
            s.before_fork();
        }
    }

    /// Releases them, on both sides of the fork. The child goes on in fresh segments, alone with the Cpu `keep`.
    pub fn after_fork(&self, child: bool, keep: Option<NonNull<Cpu>>) {
        if let Some(s) = self.stats {
            s.after_fork(child);
        }
        self.cpus.release();
        self.cache.release();
        if child {
            // Nobody takes their locks while there is one thread.
            if self.concurrent() != ALONE {
                crate::cpu::unlock_granules();
            }
            self.cache.lock().after_fork();
            self.cpus.lock().retain(|c| Some(c.0) == keep);
        }
    }
}
