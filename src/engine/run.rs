//! The run loop: from guest state to generated code and back.

use crate::cache::Cache;
use crate::cpu::Cpu;
use crate::lock::Lock;
use crate::serve;
use crate::stats::{Cause, Clock, Made, Report, Stage, Stats};
use crate::{CodeSource, Exit, Options};
use arch::Guest;
use host::cpu::{ExitKind, JUMP_CACHE, JumpEntry, NOWHERE};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// One for an address space, shared by its guest threads.
#[derive(Debug)]
pub struct Engine {
    guest: &'static Guest,
    code: &'static dyn CodeSource,
    pub(crate) cache: Lock<Cache>,
    cpus: Lock<Vec<CpuPtr>>,
    /// What does not change: the thunks, the arena's range.
    thunks: host::Thunks,
    range: (u64, u64),
    interpreting: bool,
    log: crate::Log,
    pub(crate) stats: Option<&'static Stats>,
    /// Counts how often everything was dropped.
    generation: AtomicU32,
}

/// A registered Cpu.
#[derive(Clone, Copy, PartialEq, Debug)]
struct CpuPtr(NonNull<Cpu>);

// SAFETY: others touch a Cpu only by its atomic fields, or when it does not run (under the engine's lock).
unsafe impl Send for CpuPtr {}
// SAFETY: the compiler's scratch and the regions are plain data behind the lock; raw addresses in them are to memory of the process.
unsafe impl Send for Engine {}

/// si_code of a fault at an address that the host cannot have.
const SI_KERNEL: i32 = 0x80;
const SEGV_MAPERR: i32 = 1;

pub(crate) enum Next {
    Go(u64),
    Leave(Exit),
}

impl Engine {
    pub fn new(guest: &'static Guest, options: Options, code: &'static dyn CodeSource) -> Engine {
        // The engine lives as long as the process, or its test.
        let stats: Option<&'static Stats> = options.stats.then(|| &*Box::leak(Box::new(Stats::new())));
        let cache = Cache::new(guest, options, serve::entry(options.stats), stats);
        Engine {
            guest,
            code,
            thunks: cache.compiler.thunks,
            range: cache.arena.range(),
            cache: Lock::new(cache),
            cpus: Lock::new(Vec::new()),
            interpreting: options.interpret,
            log: options.log,
            stats,
            generation: AtomicU32::new(0),
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

    pub(crate) fn add_cpu(&self, cpu: NonNull<Cpu>) {
        self.cpus.lock().push(CpuPtr(cpu));
    }
    pub(crate) fn remove_cpu(&self, cpu: NonNull<Cpu>) {
        self.cpus.lock().retain(|c| c.0 != cpu);
    }

    /// Runs guest code from the Cpu's state until something needs the caller.
    pub fn run(&self, cpu: &mut Cpu) -> Exit {
        if self.interpreting {
            return self.interpret(cpu);
        }
        let mode = (self.guest.mode)(&cpu.raw.guest);
        self.set_mode(cpu, mode);
        let mut pc = cpu.pc();
        loop {
            if cpu.raw.pending.load(Ordering::SeqCst) != 0 {
                cpu.set_pc((self.guest.branch_target)(pc));
                return Exit::Interrupted;
            }
            cpu.generation = self.generation.load(Ordering::SeqCst);
            let code = self.code_for(cpu, pc);
            if !self.enter_code(cpu, code) {
                continue;
            }
            match self.after(cpu) {
                Next::Go(next) => pc = next,
                Next::Leave(exit) => return exit,
            }
        }
    }

    /// A fault in generated code, or an address with a tag: then all code is made anew, to take tags off.
    fn faulted(&self, cpu: &mut Cpu) -> Next {
        if cpu.fault.code != SI_KERNEL {
            return Next::Leave(Exit::Fault(cpu.fault));
        }
        if self.guest.tagged_pointers && !std::mem::replace(&mut self.cache.lock().compiler.mask_tags, true) {
            self.drop_all();
            return Next::Go(cpu.pc());
        }
        if self.generation.load(Ordering::SeqCst) != cpu.generation {
            // Another thread has met tags meanwhile.
            return Next::Go(cpu.pc());
        }
        // No page can be there: the guest's kernel would say so of a plain address.
        cpu.fault.signo = libc::SIGSEGV;
        cpu.fault.code = SEGV_MAPERR;
        Next::Leave(Exit::Fault(cpu.fault))
    }

    pub(crate) fn thunks(&self) -> &host::Thunks {
        &self.thunks
    }

    fn set_mode(&self, cpu: &mut Cpu, mode: u32) {
        if mode != cpu.mode {
            // Code for another mode may not be reached through what this one has remembered.
            cpu.mode = mode;
            cpu.clear_jumps();
            cpu.reset_shadow();
        }
        let control = (self.guest.state.fp_control)(mode);
        cpu.set_rounding(control.round);
    }

    /// The code for where a branch to `pc` goes, translated if need be, and entered in the jump cache under `pc` as it is.
    fn code_for(&self, cpu: &mut Cpu, pc: u64) -> u64 {
        let entry = (pc as usize >> 2) & (JUMP_CACHE - 1);
        if cpu.raw.jumps[entry].pc == pc && pc != NOWHERE {
            return cpu.raw.jumps[entry].code;
        }
        loop {
            let mut cache = self.cache.lock();
            let key = ((self.guest.branch_target)(pc), cpu.mode);
            let code = match cache.find(key, self.code) {
                Some(code) => Some(code),
                None => cache.translate(key, self.code),
            };
            if let Some(code) = code {
                cpu.raw.jumps[entry] = JumpEntry { pc, code };
                return code;
            }
            drop(cache);
            self.drop_all();
        }
    }

    /// Runs code; false if all code was dropped since it was looked up.
    fn enter_code(&self, cpu: &mut Cpu, code: u64) -> bool {
        cpu.in_code.store(1, Ordering::SeqCst);
        // `drop_all` counts up before it looks who is in: one of us sees the other.
        if self.generation.load(Ordering::SeqCst) != cpu.generation {
            cpu.in_code.store(0, Ordering::SeqCst);
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
        let raw = &mut cpu.raw;
        if raw.exit_kind == ExitKind::Indirect as u32 {
            let pc = raw.exit_value;
            cpu.in_code.store(0, Ordering::SeqCst);
            self.count(|| Cause::Indirect);
            return Next::Go(pc);
        }
        if raw.exit_kind == ExitKind::Fault as u32 {
            cpu.in_code.store(0, Ordering::SeqCst);
            self.count(|| Cause::Fault);
            return self.faulted(cpu);
        }
        // SAFETY: generated code hands over the address of an exit record, which stays while it runs.
        let record = unsafe { *(raw.exit_record as *const host::ExitRecord) };
        let exit = record.exit;
        cpu.in_code.store(0, Ordering::SeqCst);
        self.count(|| Cause::of(&exit));
        match exit {
            host::Exit::Goto { pc, link } => {
                let links = cpu.raw.exit_record.wrapping_add_signed(record.links);
                let link = links + 8 * u64::from(link);
                self.follow(cpu, pc, link);
                Next::Go(pc)
            }
            host::Exit::Poll { pc } => Next::Go(pc),
            host::Exit::Syscall { next } => {
                cpu.set_pc(next);
                Next::Leave(Exit::Syscall)
            }
            host::Exit::Resume { pc } => {
                let mode = (self.guest.mode)(&cpu.raw.guest);
                self.set_mode(cpu, mode);
                Next::Go(pc)
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

    pub(crate) fn trap(&self, cpu: &mut Cpu, trap: ir::Trap, pc: u64, extra: u32) -> Next {
        self.set_position(cpu, pc, extra);
        if trap == ir::Trap::Align {
            let addr = cpu.raw.exit_value;
            // Linux hides tags (sigaction(2), SA_EXPOSE_TAGBITS) where bit 55 is clear; generated code may have taken them off or not.
            let addr = if self.guest.tagged_pointers { addr & crate::memory::without_tag(addr) } else { addr };
            // BUS_ADRALN, as the kernel reports a misaligned access.
            return Next::Leave(Exit::Fault(crate::Fault { signo: libc::SIGBUS, code: 1, addr, write: false }));
        }
        if self.log.unimp && matches!(trap, ir::Trap::Undefined | ir::Trap::Unimplemented) {
            self.log_undefined(pc, cpu.mode);
        }
        Next::Leave(Exit::Trap(trap))
    }

    /// A guest program has come to an instruction that it does not have with us.
    fn log_undefined(&self, pc: u64, mode: u32) {
        let mut buf = [0; 4];
        let at = crate::cache::address(pc);
        let n = self.code.fetch(at, &mut buf);
        let (text, _) = (self.guest.disassemble)(&buf[..n], pc, mode);
        self.code.log(&format!("undefined instruction at {at:#x}: {text} ({})\n", crate::cache::hex(&buf[..n])));
    }

    pub(crate) fn set_position(&self, cpu: &mut Cpu, pc: u64, extra: u32) {
        cpu.set_pc(pc);
        if let Some(slot) = self.guest.state.extra {
            cpu.set(slot, u64::from(extra));
        }
    }

    /// Links the slot that was left through to the code for `pc`.
    fn follow(&self, cpu: &mut Cpu, pc: u64, link: u64) {
        self.code_for(cpu, pc);
        let mut cache = self.cache.lock();
        if self.generation.load(Ordering::SeqCst) == cpu.generation {
            cache.link(link, (pc, cpu.mode), self.code);
        }
    }

    /// Guest code in [start, end) may have changed: its translations are forgotten. Any thread may call it.
    pub fn invalidate(&self, start: u64, end: u64) {
        let mut cache = self.cache.lock();
        if cache.invalidate(start, end) {
            for c in self.cpus.lock().iter() {
                // SAFETY: entries are filled under the cache's lock, which we hold; running code that reads one while it changes sees the old
                // or the new address, and old code stays in place. The code's address is left: it may be read after the old pc was.
                unsafe {
                    let jumps = &raw mut (*c.0.as_ptr()).raw.jumps;
                    for n in 0..(*jumps).len() {
                        (&raw mut (*jumps)[n].pc).write_volatile(NOWHERE);
                    }
                }
            }
        }
    }

    /// Drops all code: when there is no room for more.
    fn drop_all(&self) {
        let mut cache = self.cache.lock();
        let cpus = self.cpus.lock();
        self.generation.fetch_add(1, Ordering::SeqCst);
        // Everybody comes out at the next poll, and waits for the lock when he wants code again.
        for c in cpus.iter() {
            // SAFETY: an atomic field of a live Cpu.
            let cpu = unsafe { &(*c.0.as_ptr()) };
            while cpu.in_code.load(Ordering::SeqCst) != 0 {
                cpu.interrupt();
                std::hint::spin_loop();
            }
        }
        cache.save(self.code);
        cache.clear(serve::entry(self.stats.is_some()));
        if let Some(s) = self.stats {
            s.made(Made::Dropped, 1);
        }
        debug_assert_eq!(cache.compiler.thunks.enter, self.thunks.enter, "thunks stay in their place");
        for c in cpus.iter() {
            // SAFETY: nobody runs code, and nobody will before he has had the lock.
            let cpu = unsafe { &mut *c.0.as_ptr() };
            cpu.clear_jumps();
            cpu.reset_shadow();
        }
    }

    /// Stores what was translated and is not stored yet.
    pub fn save(&self) {
        self.cache.lock().save(self.code);
    }

    /// Drops all code.
    pub fn reset(&self) {
        self.drop_all();
    }

    /// Takes the engine's locks, cache first, for a fork.
    pub fn before_fork(&self) {
        self.cache.acquire();
        self.cpus.acquire();
        if let Some(s) = self.stats {
            s.before_fork();
        }
    }

    /// Releases them, on both sides of the fork. The child goes on in fresh segments, alone with the Cpu `keep`.
    pub fn after_fork(&self, child: bool, keep: Option<NonNull<Cpu>>) {
        if let Some(s) = self.stats {
            s.after_fork(child);
        }
        // SAFETY: `before_fork` took both; no guard exists.
        unsafe {
            self.cpus.release();
            self.cache.release();
        }
        if child {
            crate::cpu::unlock_granules();
            self.cache.lock().arena.seal();
            self.cpus.lock().retain(|c| Some(c.0) == keep);
        }
    }
}
