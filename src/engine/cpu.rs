//! One guest thread's state: what generated code works on, with its shadow stack, in a mapping of its own.

use crate::jumps::{FIRST, REMEMBERED};
use crate::{Engine, Fault};
use host::cpu::{FCMP, GRANULES, MASKS, NOWHERE, UNKNOWN, WATCHED};
use ir::interp::Monitor;
use ir::{Round, Slot};
use std::mem::offset_of;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const PAGE: usize = 4096;
const SHADOW: usize = 256 << 10;
/// Entries below which the shadow stack is empty: they match no guest address.
const SENTINELS: usize = 8;
/// How many times a thread's sticky flags may be found raised by a trap.
const WATCHES: u32 = 64;
/// MXCSR with all exceptions masked, and the bit that masks invalid operations.
const MASKED: u32 = 0x1f80;
pub(crate) const MASK_INVALID: u32 = 1 << 7;

/// A granule's entry in the table of exclusive stores: the stamp of the last one, and a lock that they hold while they store.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Granule {
    pub(crate) stamp: AtomicU64,
    pub(crate) lock: AtomicU64,
}

/// The exclusive stores of all guest threads of this address space.
static GRANULE_TABLE: [Granule; GRANULES] =
    [const { Granule { stamp: AtomicU64::new(0), lock: AtomicU64::new(0) } }; GRANULES];

/// Cpus so far. Each has stamps of its own, which begin with its number.
static CPUS: AtomicU64 = AtomicU64::new(1);
const STAMP_BITS: u32 = 48;

/// Gives all locks back: the threads that held them are not in a fork's child.
pub(crate) fn unlock_granules() {
    for g in GRANULE_TABLE.iter().filter(|g| g.lock.load(Ordering::Relaxed) != 0) {
        g.lock.store(0, Ordering::Relaxed);
    }
}

/// The granule of `addr`; generated code finds it the same way.
pub(crate) fn granule(addr: u64) -> &'static Granule {
    &GRANULE_TABLE[(addr >> 4) as usize & (GRANULES - 1)]
}

/// See the module. Made by [`Cpu::new`], never moved.
#[repr(C)]
#[derive(Debug)]
pub struct Cpu {
    pub(crate) raw: host::Cpu,
    engine: *const Engine,
    guest: &'static arch::Guest,
    /// The mode word that `raw` is set up for.
    pub(crate) mode: u32,
    pub(crate) fault: Fault,
    /// What chooses an entry of the jump cache (`jumps.rs`), how many were filled since it was empty, and the first of them.
    pub(crate) jump_mask: AtomicU32,
    pub(crate) jumps_entered: u32,
    pub(crate) jumps_filled: [u16; REMEMBERED],
    /// Where the next return was to go when the shadow stack was emptied for a new mode, or 0.
    pub(crate) returns_to: u64,
    /// The interpreter's exclusive monitor.
    pub(crate) monitor: Option<Monitor>,
    /// What a helper that left asked for.
    pub(crate) trap: ir::Trap,
    /// An instruction is done alone, with invalid operations masked, after which they trap again.
    pub(crate) stepping: bool,
    /// How long the countdown of backward jumps is now, about, and a random number.
    period: u32,
    random: u32,
}

impl Cpu {
    /// A Cpu with zeroed guest state, known to the engine until [`Cpu::retire`].
    ///
    /// # Panics
    /// If the host has no memory.
    pub fn new(engine: &Engine) -> NonNull<Cpu> {
        let len = Self::mapping_len();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping, whose first page (the guard) is made inaccessible.
        let cpu = unsafe {
            let base = libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            assert!(base != libc::MAP_FAILED, "no memory for a thread");
            libc::mprotect(base, PAGE, libc::PROT_NONE);
            base.cast::<u8>().add(PAGE + SHADOW).cast::<Cpu>()
        };
        // SAFETY: zeroed memory of the right size and alignment.
        unsafe { Self::begin(cpu, engine, CPUS.fetch_add(1, Ordering::Relaxed) << STAMP_BITS) }
    }

    /// # Safety
    /// All is zero.
    unsafe fn begin(cpu: *mut Cpu, engine: &Engine, stamp: u64) -> NonNull<Cpu> {
        // SAFETY: the fields that may not be zero are set here.
        let this = unsafe {
            (&raw mut (*cpu).guest).write(engine.guest());
            (&raw mut (*cpu).engine).write(engine);
            (&raw mut (*cpu).monitor).write(None);
            (&raw mut (*cpu).trap).write(ir::Trap::Undefined);
            (&raw mut (*cpu).random).write(1);
            &mut *cpu
        };
        let r = &mut this.raw;
        r.fcmp = FCMP;
        r.excl_addr = u64::MAX;
        r.concurrent = AtomicU32::new(engine.concurrent());
        r.granules = (&raw const GRANULE_TABLE) as u64;
        r.excl_stamp = stamp;
        (r.newest, r.calls) = (engine.newest(), engine.calls());
        (r.mxcsr, r.host_mxcsr) = (MASKED, MASKED);
        (r.known_flags, r.watches) = (UNKNOWN, WATCHES);
        r.shadow_top = cpu as u64 - 16 * SENTINELS as u64;
        this.new_jumps();
        this.reset_shadow();
        let cpu = NonNull::from(this);
        engine.add_cpu(cpu);
        cpu
    }

    /// For a thread that ends: the engine forgets its Cpu, which keeps its memory for [`Cpu::renew`], or has none left (`false`) where it has grown.
    ///
    /// # Safety
    /// It came from [`Cpu::new`] or [`Cpu::renew`] and nobody uses it afterwards.
    pub unsafe fn retire(cpu: NonNull<Cpu>) -> bool {
        // SAFETY: the caller's promise; the engine outlives its Cpus.
        unsafe {
            (*(*cpu.as_ptr()).engine).remove_cpu(cpu);
            let keeps = (*cpu.as_ptr()).has_few_jumps();
            if !keeps {
                Self::unmap(cpu);
            }
            keeps
        }
    }

    /// What [`Cpu::new`] would make, in the place of one that is retired.
    ///
    /// # Safety
    /// It was retired, kept its memory and was not renewed since.
    pub unsafe fn renew(cpu: NonNull<Cpu>, engine: &Engine) {
        let cpu = cpu.as_ptr();
        // SAFETY: the caller's promise. No more of the jump cache was used.
        unsafe {
            let stamp = (*cpu).raw.excl_stamp;
            let used = offset_of!(host::Cpu, jumps) + FIRST as usize * size_of::<host::cpu::JumpEntry>();
            cpu.cast::<u8>().write_bytes(0, used);
            cpu.cast::<host::Cpu>().add(1).cast::<u8>().write_bytes(0, size_of::<Cpu>() - size_of::<host::Cpu>());
            // No other thread has had its stamps.
            Self::begin(cpu, engine, stamp);
        }
    }

    /// # Safety
    /// Nobody uses it any more, nor does the engine know it.
    pub unsafe fn unmap(cpu: NonNull<Cpu>) {
        let base = cpu.as_ptr() as usize - PAGE - SHADOW;
        // SAFETY: the mapping that `new` made.
        unsafe { libc::munmap(base as *mut _, Self::mapping_len()) };
    }

    fn mapping_len() -> usize {
        PAGE + SHADOW + size_of::<Cpu>().next_multiple_of(PAGE)
    }

    pub(crate) fn engine(&self) -> &'static Engine {
        // SAFETY: the engine outlives its Cpus.
        unsafe { &*self.engine }
    }

    /// The guard page under the shadow stack.
    pub(crate) fn guards(&self, addr: u64) -> bool {
        let base = ptr::from_ref(self) as u64 - (PAGE + SHADOW) as u64;
        (base..base + PAGE as u64).contains(&addr)
    }

    /// Guest state as bytes, laid out by the guest's slot table.
    pub fn state(&self) -> &[u8] {
        &self.raw.guest[..self.guest.state.size]
    }
    pub fn state_mut(&mut self) -> &mut [u8] {
        &mut self.raw.guest[..self.guest.state.size]
    }
    /// A slot of up to 8 bytes.
    #[inline]
    pub fn get(&self, slot: Slot) -> u64 {
        self.guest.state.get(&self.raw.guest, slot)
    }
    #[inline]
    pub fn set(&mut self, slot: Slot, v: u64) {
        self.guest.state.set(&mut self.raw.guest, slot, v);
    }
    /// The program counter, with the guest's low mode bits.
    pub fn pc(&self) -> u64 {
        self.get(self.guest.state.pc)
    }
    pub fn set_pc(&mut self, pc: u64) {
        self.set(self.guest.state.pc, pc);
    }
    /// Sticky floating-point flags of [`ir::fpflag`].
    pub fn fp_flags(&self) -> u32 {
        self.raw.fp_flags | self.raw.mxcsr & self.guest.state.host_flags
    }
    pub fn set_fp_flags(&mut self, flags: u32) {
        self.unwatch();
        self.raw.fp_flags = flags;
        self.raw.mxcsr &= !0x3f;
    }

    /// While generated code does not run: nothing traps that would raise a flag.
    fn unwatch(&mut self) {
        let mut mxcsr = self.raw.mxcsr;
        self.raw.unwatch(&mut mxcsr);
        self.raw.mxcsr = mxcsr;
    }

    /// The guest's x87 unit, if it has one, as guest state has it.
    fn unit(&self) -> Option<(usize, x87::Image)> {
        let at = self.guest.state.offset(self.guest.state.x87?);
        let mut image = [0; x87::IMAGE];
        image.copy_from_slice(&self.raw.guest[at..at + x87::IMAGE]);
        Some((at, image))
    }

    /// Puts the unit's state where generated code wants it: into the host's unit, which nothing else uses.
    pub(crate) fn load_unit(&self) {
        if let Some((_, image)) = self.unit() {
            x87::load(&image);
        }
    }

    /// The opposite.
    pub(crate) fn save_unit(&mut self) {
        if let Some((at, mut image)) = self.unit() {
            x87::save(&mut image);
            self.raw.guest[at..at + x87::IMAGE].copy_from_slice(&image);
        }
    }

    /// What the instruction at `pc` gets to hear of an exception that waits in the unit's image.
    pub(crate) fn unit_fault(&self, pc: u64) -> Fault {
        let code = self.unit().map_or(0, |(_, image)| x87::signal_code(&image));
        Fault { signo: libc::SIGFPE, code, addr: pc, write: false }
    }

    /// Begins the next countdown of backward jumps, somewhat longer than the last: from `least` to `most`. Its length varies, lest it be in step
    /// with a loop's.
    pub(crate) fn wind_up(&mut self, least: u32, most: u32) {
        self.period = (self.period + self.period / 8 + 1).clamp(least, most);
        // Marsaglia's xorshift.
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random = x;
        self.raw.countdown.store(self.period / 2 + x % (self.period + 1), Ordering::SeqCst);
    }

    /// Makes [`Engine::run`] return at the next poll. May be called from a signal handler and from other threads.
    pub fn interrupt(&self) {
        self.raw.going.store(0, Ordering::SeqCst);
        // From another thread this may be lost between two halves of the countdown; then that goes on to its own end, which is near.
        self.raw.countdown.store(0, Ordering::SeqCst);
    }
    pub(crate) fn is_interrupted(&self) -> bool {
        self.raw.going.load(Ordering::SeqCst) == 0
    }
    /// Takes an interrupt back; whether there was one.
    pub fn clear_interrupt(&self) -> bool {
        self.raw.going.swap(self.jump_mask.load(Ordering::Relaxed), Ordering::SeqCst) == 0
    }

    /// The exclusive monitor watches nothing any more, as after an exception.
    pub fn clear_monitor(&mut self) {
        self.raw.excl_addr = u64::MAX;
        self.monitor = None;
    }

    /// Whether `rip` is in generated code, thunks included.
    pub fn is_own_code(&self, rip: u64) -> bool {
        let (start, end) = self.engine().reserved();
        (start..end).contains(&rip)
    }

    /// For the handler of a signal that interrupted this thread at `rip`: if that stood at a system call which generated code was about to make, or
    /// which the kernel has given up (then `rcx` is not 0), where it must go on.
    pub fn leave_syscall(&self, rip: u64, rcx: u64) -> Option<u64> {
        let t = self.engine().thunks();
        let to = if rip == t.syscall_end && rcx != 0 { t.syscall_restart } else { t.syscall_unmade };
        (t.syscall_begin..=t.syscall_end).contains(&rip).then_some(to)
    }

    /// Guest state of another Cpu (of the same engine): for clone(2).
    pub fn fork_state_from(&mut self, other: &Cpu) {
        self.raw.guest = other.raw.guest;
        self.raw.fp_flags = other.fp_flags();
        (self.raw.mxcsr, self.raw.known_flags) = (other.raw.mxcsr & !0x3f | WATCHED << MASKS, UNKNOWN);
        self.mode = other.mode;
    }

    /// The guest address on top of the shadow stack.
    pub(crate) fn next_return(&self) -> u64 {
        // SAFETY: an entry of the shadow stack or one of the sentinels above it: the host's address, then the guest's.
        unsafe { *((self.raw.shadow + 8) as *const u64) }
    }

    /// Empties the shadow stack.
    pub(crate) fn reset_shadow(&mut self) {
        self.raw.shadow = self.raw.shadow_top;
        for n in 0..SENTINELS as u64 {
            let at = (self.raw.shadow_top + 16 * n) as *mut u64;
            // SAFETY: the sentinels' place, between the shadow stack and this Cpu.
            unsafe {
                at.write(self.engine().thunks().sentinel);
                at.add(1).write(NOWHERE);
            }
        }
    }

    /// Sets the host's floating-point control for a mode. `traps`: at invalid operations.
    pub(crate) fn set_fp_control(&mut self, round: Round, traps: bool) {
        self.unwatch();
        let rc = match round {
            Round::Down => 1,
            Round::Up => 2,
            Round::Zero => 3,
            _ => 0,
        };
        let masks = if traps { MASKED & !MASK_INVALID } else { MASKED };
        self.raw.mxcsr = self.raw.mxcsr & 0x3f | masks | rc << 13;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CodeSource, Options};
    use std::ops::Range;

    #[derive(Debug)]
    struct Nothing;

    impl CodeSource for Nothing {
        fn fetch(&self, _pc: u64, _buf: &mut [u8]) -> usize {
            0
        }
        fn log(&self, _text: &str) {}
    }

    /// All of the Cpu but for the part of the jump cache that only threads with much code use.
    fn used() -> [Range<usize>; 2] {
        let jumps = offset_of!(host::Cpu, jumps) + FIRST as usize * size_of::<host::cpu::JumpEntry>();
        [0..jumps, size_of::<host::Cpu>()..size_of::<Cpu>()]
    }

    /// Registers, modes, flags, the exclusive monitors, the jump cache: a thread gets none of what one left that is gone.
    #[test]
    fn a_cpu_that_is_renewed_is_as_a_new_one() {
        let guests = [&aarch64::AARCH64, &arm::ARM, &riscv::RISCV64, &riscv::RISCV32, &x86::X86_64, &x86::I386];
        for guest in guests {
            let engine: &Engine = Box::leak(Box::new(Engine::new(guest, Options::default(), &Nothing)));
            let cpu = Cpu::new(engine);
            let at = cpu.as_ptr().cast::<u8>();
            let seen = || {
                // SAFETY: the test's own Cpu, which does not run.
                used().map(|part| unsafe { std::slice::from_raw_parts(at.add(part.start), part.len()) }.to_vec())
            };
            let fresh = seen();
            // What it is retired by, and its stamps, are its own.
            let own = [
                (offset_of!(Cpu, engine), 8),
                (offset_of!(Cpu, guest), 8),
                (offset_of!(Cpu, jump_mask), 4),
                (offset_of!(host::Cpu, excl_stamp), 8),
            ];
            for n in used().into_iter().flatten().filter(|n| !own.iter().any(|o| (o.0..o.0 + o.1).contains(n))) {
                // SAFETY: as above; nobody looks before it is renewed.
                unsafe { *at.add(n) ^= 0xa5 };
            }
            // SAFETY: nobody uses it.
            unsafe {
                assert!(Cpu::retire(cpu), "it has few jumps");
                Cpu::renew(cpu, engine);
            }
            for (n, (new, old)) in seen().concat().into_iter().zip(fresh.concat()).enumerate() {
                assert_eq!(new, old, "{}: byte {n}", guest.name);
            }
            // SAFETY: nobody uses it.
            unsafe {
                Cpu::retire(cpu);
                Cpu::unmap(cpu);
            }
        }
    }
}
