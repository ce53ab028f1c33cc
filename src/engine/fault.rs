//! Faults of the host in generated code, brought back to guest state.

use crate::cpu::MASK_INVALID;
use crate::{Cpu, Fault};
use host::cpu::{MASKS, UNKNOWN, WATCHED};
use host::x86_64::asm::Reg;
use host::{FaultRecord, FlagsAt};
use libc::{c_int, siginfo_t, ucontext_t};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Where `ucontext_t` has a general register, by its number in instructions.
const GREGS: [c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];
/// The XSAVE component with zmm16 to zmm31, and where its header tells the components in use.
const HI16_ZMM: u32 = 7;
const XSTATE_BV: usize = 512;
/// Page fault error code: a write.
const PF_WRITE: i64 = 2;
/// MXCSR's flags.
const MXCSR_FLAGS: u32 = 0x3f;
/// si_code of an invalid operation of floating point, which libc does not name.
const FPE_FLTINV: i32 = 7;
/// Those of division by zero, overflow and underflow.
const WATCHED_CODES: std::ops::RangeInclusive<c_int> = 3..=5;
/// EFLAGS.TF: a trap after the next instruction.
const TRAP_FLAG: i64 = 1 << 8;

/// To be called first in the handler of SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP. If the fault is generated code's, guest state is saved, the
/// host context is changed so that `run` returns [`crate::Exit::Fault`] when the handler returns, and the answer is true.
///
/// # Safety
/// In a signal handler, with what the kernel gave it, and the Cpu of the interrupted thread.
pub unsafe fn on_signal(sig: c_int, info: *const siginfo_t, context: *mut ucontext_t, cpu: *mut Cpu) -> bool {
    // SAFETY: the caller's promise.
    let (info, context, cpu) = unsafe { (&*info, &mut *context, &mut *cpu) };
    // SAFETY: these signals carry an address.
    let addr = unsafe { info.si_addr() } as u64;
    let gregs = &mut context.uc_mcontext.gregs;
    let rip = gregs[libc::REG_RIP as usize] as u64;
    let fp = context.uc_mcontext.fpregs;
    if sig == libc::SIGTRAP && std::mem::take(&mut cpu.stepping) {
        gregs[libc::REG_EFL as usize] &= !TRAP_FLAG;
        // SAFETY: x86-64 signal frames always have the floating-point state in the old layout first.
        unsafe { (*fp).mxcsr &= !MASK_INVALID };
        return true;
    }
    if let Some(to) = crate::memory::recovery(rip) {
        cpu.fault =
            Fault { signo: sig, code: info.si_code, addr, write: gregs[libc::REG_ERR as usize] & PF_WRITE != 0 };
        gregs[libc::REG_RIP as usize] = to as i64;
        return true;
    }
    if cpu.raw.in_code.load(Ordering::SeqCst) == 0 {
        return false;
    }
    if cpu.guards(addr) {
        // The shadow stack is full: its callers are forgotten, the instruction is done again.
        cpu.reset_shadow();
        gregs[libc::REG_RSP as usize] = cpu.raw.shadow_top as i64;
        return true;
    }
    let engine = cpu.engine();
    let cache = engine.cache.lock();
    let records = cache.faults_at(rip);
    let unwatched = |cpu: &mut Cpu| {
        // SAFETY: as above.
        unsafe { cpu.raw.unwatch(&mut (*fp).mxcsr) };
    };
    if sig == libc::SIGFPE && WATCHED_CODES.contains(&info.si_code) && cpu.raw.known_flags != UNKNOWN {
        cpu.raw.watches = cpu.raw.watches.saturating_sub(1);
        unwatched(cpu);
        return true;
    }
    let traps = sig == libc::SIGFPE && info.si_code == FPE_FLTINV && cpu.raw.mxcsr & MASK_INVALID == 0;
    let record = match records.first() {
        Some(FaultRecord { at, pc, flags: FlagsAt::SlowPath, .. }) => {
            if traps {
                engine.count_trap(cpu);
            }
            gregs[libc::REG_RIP as usize] = (rip - u64::from(*at) + pc) as i64;
            return true;
        }
        // What it gives and raises is right, or is looked at.
        None if traps => {
            engine.count_trap(cpu);
            unwatched(cpu);
            cpu.stepping = true;
            gregs[libc::REG_EFL as usize] |= TRAP_FLAG;
            // SAFETY: as above.
            unsafe { (*fp).mxcsr |= MASK_INVALID };
            return true;
        }
        None => return false,
        Some(record) => record,
    };
    let map = cache.homes_at(rip);
    let guest = engine.guest();
    let high = if cache.options.host.avx512 { high_vectors() } else { 0 };
    for (s, slot) in guest.state.slots.iter().enumerate() {
        let at = slot.offset as usize;
        if let Some(Reg(r)) = map.gpr[s] {
            let v = gregs[GREGS[r as usize] as usize] as u64;
            let n = slot.ty.bytes();
            cpu.raw.guest[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
        } else if let Some(x) = map.xmm[s] {
            // SAFETY: the kernel's signal frame.
            let v = unsafe { vector(fp, x.0, high) };
            let n = slot.ty.bytes();
            cpu.raw.guest[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
        }
    }
    let eflags = gregs[libc::REG_EFL as usize] as u32;
    // Rules are made for slots as they are: sums come last.
    for record in records.iter().filter(|r| r.flags != FlagsAt::Slot) {
        let slot = ir::Slot(record.flags_slot);
        let value = match record.flags {
            FlagsAt::Rule(rule) => rule.evaluate(|slot| cpu.get(ir::Slot(slot)), cpu.get(slot) as u32).into(),
            FlagsAt::Sum { base, index, scale, disp } => {
                let held = |r: u8| GREGS.get(usize::from(r)).map_or(0, |at| gregs[*at as usize] as u64);
                held(base).wrapping_add(held(index) << scale).wrapping_add_signed(disp.into())
            }
            at => host_flags(at, eflags, cpu.get(slot) as u32).into(),
        };
        cpu.set(slot, value);
    }
    if let Some(entry) = std::num::NonZero::new(std::mem::take(&mut cpu.raw.excl_lock)) {
        // An exclusive store faulted with its granule's lock held.
        // SAFETY: the entry is in the table of granules; its second word is the lock.
        unsafe { (*((entry.get() + 8) as *const AtomicU64)).store(0, Ordering::SeqCst) };
    }
    engine.set_position(cpu, record.pc, record.extra);
    cpu.raw.shadow = gregs[libc::REG_RSP as usize] as u64;
    unwatched(cpu);
    // SAFETY: as above.
    let mxcsr = unsafe { (*fp).mxcsr };
    cpu.raw.mxcsr = cpu.raw.mxcsr & !MXCSR_FLAGS | mxcsr & MXCSR_FLAGS | WATCHED << MASKS;
    let write = gregs[libc::REG_ERR as usize] & PF_WRITE != 0;
    // Of an exception of floating point the address is the instruction's.
    let addr = if sig == libc::SIGFPE { record.pc } else { addr };
    cpu.fault = Fault { signo: sig, code: info.si_code, addr, write };
    gregs[libc::REG_RIP as usize] = cache.compiler.thunks.fault as i64;
    true
}

/// Where the XSAVE area of a signal frame has zmm16 to zmm31: CPUID says it (SDM vol. 1, 13.5), once, since under a hypervisor that is slow.
fn high_vectors() -> usize {
    static SAID: AtomicUsize = AtomicUsize::new(0);
    match SAID.load(Ordering::Relaxed) {
        0 => {
            let said = std::arch::x86_64::__cpuid_count(0xd, HI16_ZMM).ebx as usize;
            SAID.store(said, Ordering::Relaxed);
            said
        }
        said => said,
    }
}

/// The low half of the low half of vector register `n`. `high` is what [`high_vectors`] says.
///
/// # Safety
/// `fp` points into a signal frame.
unsafe fn vector(fp: *const libc::_libc_fpstate, n: u8, high: usize) -> u128 {
    let n = usize::from(n);
    // SAFETY: the legacy region has sixteen registers; behind it are the header and, if that says so, the others (asm/sigcontext.h). The
    // kernel saves the whole of what the processor has.
    unsafe {
        if n < 16 {
            return (&raw const (*fp)._xmm[n]).cast::<u128>().read_unaligned();
        }
        let area = fp.cast::<u8>();
        let in_use = area.add(XSTATE_BV).cast::<u64>().read_unaligned();
        // A component in its initial state is zero and not written.
        if in_use >> HI16_ZMM & 1 == 0 {
            return 0;
        }
        area.add(high + (n - 16) * 64).cast::<u128>().read_unaligned()
    }
}

/// Guest flags that stood in the host's when the access faulted, in the form of [`ir::Ty::Flags`], as their slot is too.
fn host_flags(at: FlagsAt, eflags: u32, slot: u32) -> u32 {
    let bit = |n: u32| eflags >> n & 1;
    let (c, p, a, z, s, o) = (bit(0), bit(2), bit(4), bit(6), bit(7), bit(11));
    match at {
        FlagsAt::Slot | FlagsAt::Rule(_) | FlagsAt::Sum { .. } | FlagsAt::SlowPath => slot,
        FlagsAt::Host { inverted } => s << 15 | z << 14 | a << 12 | p << 10 | (c ^ u32::from(inverted)) << 8 | o,
        FlagsAt::HostPart { carry } => s << 15 | z << 14 | (if carry { c << 8 } else { slot & 0x100 }) | slot & 1,
        FlagsAt::HostFcmp { swapped } => {
            let index = z << 2 | p << 1 | c;
            u32::from(host::cpu::FCMP[usize::from(swapped)][index as usize])
        }
    }
}
