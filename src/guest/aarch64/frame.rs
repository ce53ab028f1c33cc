//! Signal frames of Linux on AArch64: layouts from the kernel's asm/sigcontext.h and asm/ucontext.h, registers at a handler's entry from
//! what arch/arm64/kernel/signal.c does.

use crate::state::{BTYPE, DIT, FPCR, FPCR_BITS, NZCV, PC, QC, SP, SSBS, STATE, TPIDR_EL0, v, x};
use arch::abi::RegisterSource::*;
use arch::abi::{AltStack, Delivery, FaultFacts, FrameKind, RegisterSet, Restored, SignalFrame};
use ir::fpflag;

/// struct rt_sigframe: siginfo, then ucontext.
const UCONTEXT: usize = 128;
const UC_STACK: usize = UCONTEXT + 16;
const UC_SIGMASK: usize = UCONTEXT + 40;
/// struct sigcontext, aligned to 16.
const FAULT_ADDRESS: usize = UCONTEXT + 176;
const REGS: usize = FAULT_ADDRESS + 8;
const SIGCONTEXT_SP: usize = REGS + 31 * 8;
const SIGCONTEXT_PC: usize = SIGCONTEXT_SP + 8;
const PSTATE: usize = SIGCONTEXT_SP + 16;
/// Records of further registers: magic, size, contents; a zero magic ends them.
const RECORDS: usize = FAULT_ADDRESS + 288;
const RECORDS_SIZE: usize = 4096;
/// sizeof(struct rt_sigframe)
pub(crate) const SIZE: usize = RECORDS + RECORDS_SIZE;

/// user_pt_regs, user_fpsimd_state, tls, no breakpoints and watchpoints, user_pac_mask: bits 48 to 54 of code and data (uapi asm/ptrace.h, arch/arm64/kernel/ptrace.c).
pub(crate) const REGISTER_SETS: &[RegisterSet] = &[
    RegisterSet { kind: 1, size: 272, source: Frame(&[(REGS, 0, 272)]) },
    RegisterSet { kind: 2, size: 528, source: Frame(&[(RECORDS + 16, 0, 512), (RECORDS + 8, 512, 8)]) },
    RegisterSet { kind: 0x401, size: 8, source: Slot(TPIDR_EL0) },
    RegisterSet { kind: 0x402, size: 264, source: Fixed(&[]) },
    RegisterSet { kind: 0x403, size: 264, source: Fixed(&[]) },
    RegisterSet { kind: 0x406, size: 16, source: Fixed(&[0x7f << 48, 0x7f << 48]) },
];

const FPSIMD_MAGIC: u32 = 0x4650_8001;
const FPSIMD_SIZE: usize = 8 + 8 + 32 * 16;
const ESR_MAGIC: u32 = 0x4553_5201;
const ESR_SIZE: usize = 16;

/// What the kernel writes, and reads, of a frame: records up to the one that ends them.
const USUAL_SIZE: usize = RECORDS + FPSIMD_SIZE + ESR_SIZE + 16;

const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;

/// FPSR's cumulative bits and the sticky flags that they are.
const FPSR: [(u32, u32); 6] = [
    (0, fpflag::INVALID),
    (1, fpflag::DIV_BY_ZERO),
    (2, fpflag::OVERFLOW),
    (3, fpflag::UNDERFLOW),
    (4, fpflag::INEXACT),
    (7, fpflag::INPUT_DENORMAL),
];
const FPSR_QC: u32 = 1 << 27;

/// PSTATE's N, Z, C, V and the bits of a flags slot ([`ir::Ty::Flags`]).
const CONDITIONS: [(u32, u32); 4] = [(31, 15), (30, 14), (29, 8), (28, 0)];

/// PSTATE.BTYPE's place.
const PSTATE_BTYPE: u32 = 10;

fn put(bytes: &mut [u8], at: usize, v: u64, len: usize) {
    bytes[at..at + len].copy_from_slice(&v.to_le_bytes()[..len]);
}

/// ESR_EL1 of a data or instruction abort (DDI 0487, D24.2.40): class, IL, WnR, and a fault of level 3.
fn syndrome(fault: &FaultFacts) -> u64 {
    let class = if fault.fetch { 0x20 } else { 0x24 };
    let status = if fault.protection { 0x0f } else { 0x07 };
    class << 26 | 1 << 25 | u64::from(fault.write && !fault.fetch) << 6 | status
}

fn fpsr(state: &[u8], flags: u32) -> u32 {
    let cumulative = FPSR.iter().filter(|(_, f)| flags & f != 0).fold(0, |v, (b, _)| v | 1 << b);
    let saturated = state[STATE.offset(QC)..][..16].iter().any(|b| *b != 0);
    cumulative | if saturated { FPSR_QC } else { 0 }
}

fn pstate(state: &[u8]) -> u64 {
    let flags = STATE.get(state, NZCV);
    let nzcv = CONDITIONS.iter().fold(0, |v, (p, f)| v | (flags >> f & 1) << p);
    nzcv | STATE.get(state, DIT) | STATE.get(state, SSBS) | STATE.get(state, BTYPE) << PSTATE_BTYPE
}

/// See [`arch::abi::Signals::deliver`].
pub(crate) fn deliver(state: &mut [u8], d: &Delivery) -> SignalFrame {
    // A frame record, so that unwinders by frame pointer get over the signal.
    let record = (d.stack & !15).wrapping_sub(16);
    let at = record.wrapping_sub(SIZE as u64);
    let mut b = vec![0; USUAL_SIZE];
    let mut links = [0; 16];
    put(&mut links, 0, STATE.get(state, x(29)), 8);
    put(&mut links, 8, STATE.get(state, x(30)), 8);
    if d.flags & SA_SIGINFO != 0 {
        b[..UCONTEXT].copy_from_slice(d.info);
    }
    put(&mut b, UC_STACK, d.altstack.sp, 8);
    put(&mut b, UC_STACK + 8, d.altstack.flags.into(), 4);
    put(&mut b, UC_STACK + 16, d.altstack.size, 8);
    put(&mut b, UC_SIGMASK, d.mask, 8);
    put(&mut b, FAULT_ADDRESS, d.fault.map_or(0, |f| f.addr), 8);
    b[REGS..SIGCONTEXT_SP].copy_from_slice(&state[STATE.row(x(0), x(30))]);
    put(&mut b, SIGCONTEXT_SP, STATE.get(state, SP), 8);
    put(&mut b, SIGCONTEXT_PC, STATE.get(state, PC), 8);
    put(&mut b, PSTATE, pstate(state), 8);
    put(&mut b, RECORDS, FPSIMD_MAGIC.into(), 4);
    put(&mut b, RECORDS + 4, FPSIMD_SIZE as u64, 4);
    put(&mut b, RECORDS + 8, fpsr(state, d.fp_flags).into(), 4);
    put(&mut b, RECORDS + 12, STATE.get(state, FPCR), 4);
    b[RECORDS + 16..][..32 * 16].copy_from_slice(&state[STATE.row(v(0), v(31))]);
    if let Some(fault) = &d.fault {
        let esr = RECORDS + FPSIMD_SIZE;
        put(&mut b, esr, ESR_MAGIC.into(), 4);
        put(&mut b, esr + 4, ESR_SIZE as u64, 4);
        put(&mut b, esr + 8, syndrome(fault), 8);
    }
    let back = if d.flags & SA_RESTORER != 0 { d.restorer } else { d.return_code };
    STATE.set(state, x(0), d.signo.into());
    if d.flags & SA_SIGINFO != 0 {
        STATE.set(state, x(1), at);
        STATE.set(state, x(2), at + UCONTEXT as u64);
    }
    STATE.set(state, x(29), record);
    STATE.set(state, x(30), back);
    STATE.set(state, SP, at);
    STATE.set(state, PC, d.handler);
    // As BLR leaves it.
    STATE.set(state, BTYPE, if d.guards { 2 } else { 0 });
    SignalFrame { at, bytes: b, record: Some((record, links)) }
}

/// See [`arch::abi::Signals::restore`].
pub(crate) fn restore(state: &mut [u8], _: FrameKind, read: &dyn Fn(u64, &mut [u8]) -> bool) -> Option<Restored> {
    let at = STATE.get(state, SP);
    let mut b = vec![0; USUAL_SIZE];
    if at & 15 != 0 || !read(at, &mut b) {
        return None;
    }
    let fp = fpsimd_record(&b).or_else(|| {
        b.resize(SIZE, 0);
        if read(at, &mut b) { fpsimd_record(&b) } else { None }
    })?;
    let word = |at: usize, len: usize| {
        let mut v = [0; 8];
        v[..len].copy_from_slice(&b[at..at + len]);
        u64::from_le_bytes(v)
    };
    state[STATE.row(x(0), x(30))].copy_from_slice(&b[REGS..SIGCONTEXT_SP]);
    STATE.set(state, SP, word(SIGCONTEXT_SP, 8));
    STATE.set(state, PC, word(SIGCONTEXT_PC, 8));
    let pstate = word(PSTATE, 8);
    STATE.set(state, NZCV, CONDITIONS.iter().fold(0, |v, (p, f)| v | (pstate >> p & 1) << f));
    STATE.set(state, DIT, pstate & 1 << 24);
    STATE.set(state, SSBS, pstate & 1 << 12);
    STATE.set(state, BTYPE, pstate >> PSTATE_BTYPE & 3);
    let fpsr = word(fp + 8, 4) as u32;
    let qc = STATE.offset(QC);
    state[qc..qc + 16].fill(u8::from(fpsr & FPSR_QC != 0));
    STATE.set(state, FPCR, word(fp + 12, 4) & u64::from(FPCR_BITS));
    state[STATE.row(v(0), v(31))].copy_from_slice(&b[fp + 16..][..32 * 16]);
    let altstack =
        AltStack { sp: word(UC_STACK, 8), flags: word(UC_STACK + 8, 4) as u32, size: word(UC_STACK + 16, 8) };
    let fp_flags = FPSR.iter().filter(|(b, _)| fpsr >> b & 1 != 0).fold(0, |v, (_, f)| v | f);
    Some(Restored { mask: word(UC_SIGMASK, 8), fp_flags, altstack: Some(altstack) })
}

/// Where the floating-point record stands; None if the records are malformed or have none.
fn fpsimd_record(b: &[u8]) -> Option<usize> {
    let word = |at: usize| Some(u32::from_le_bytes(*b.get(at..at + 4)?.first_chunk()?));
    let (mut at, mut found) = (RECORDS, None);
    loop {
        let (magic, size) = (word(at)?, word(at + 4)? as usize);
        if magic == 0 {
            return found.filter(|_| size == 0);
        }
        if size < 8 || size % 16 != 0 || at + size > SIZE {
            return None;
        }
        if magic == FPSIMD_MAGIC {
            if size != FPSIMD_SIZE {
                return None;
            }
            found = Some(at);
        }
        at += size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut s = vec![0; STATE.size];
        for n in 0..31 {
            STATE.set(&mut s, x(n), 0x1000 + u64::from(n));
        }
        for n in 0..32 {
            s[STATE.offset(v(n))..][..16].fill(n as u8 + 1);
        }
        STATE.set(&mut s, SP, 0x7008);
        STATE.set(&mut s, PC, 0x40_0000);
        STATE.set(&mut s, NZCV, 1 << 15 | 1 << 8);
        s[STATE.offset(QC)..][..16].fill(1);
        STATE.set(&mut s, FPCR, 0x0040_0000);
        s
    }

    fn delivery(info: &[u8]) -> Delivery<'_> {
        let fault = FaultFacts { addr: 0x1234, write: true, fetch: false, protection: false };
        Delivery {
            signo: 11,
            info,
            handler: 0x50_0000,
            flags: SA_SIGINFO,
            restorer: 0,
            mask: 0x42,
            altstack: AltStack { sp: 1, flags: 2, size: 3 },
            fault: Some(fault),
            fp_flags: fpflag::INEXACT | fpflag::INPUT_DENORMAL,
            stack: 0x7008,
            return_code: 0x9000,
            page: 0,
            guards: false,
        }
    }

    #[test]
    fn a_frame_gives_back_what_it_was_made_of() {
        let before = sample();
        let mut s = before.clone();
        let info = [7; 128];
        let frame = deliver(&mut s, &delivery(&info));
        assert_eq!(frame.at % 16, 0);
        assert_eq!(STATE.get(&s, SP), frame.at);
        assert_eq!((STATE.get(&s, x(0)), STATE.get(&s, x(1)), STATE.get(&s, x(2))), (11, frame.at, frame.at + 128));
        assert_eq!((STATE.get(&s, x(30)), STATE.get(&s, PC)), (0x9000, 0x50_0000));
        // pstate and esr where gdb and the JVM look for them.
        assert_eq!(frame.bytes[128 + 176 + 272..][..8], 0xa000_0000u64.to_le_bytes());
        assert_eq!(frame.bytes[592 + 528 + 8..][..8], 0x9200_0047u64.to_le_bytes());
        let read = |at: u64, out: &mut [u8]| {
            out.copy_from_slice(&frame.bytes[(at - frame.at) as usize..][..out.len()]);
            true
        };
        let (record, links) = frame.record.unwrap();
        assert_eq!((record, &links[..8]), (0x6ff0, &0x101du64.to_le_bytes()[..]));
        let r = restore(&mut s, FrameKind::Rt, &read).unwrap();
        assert_eq!(r.mask, 0x42);
        assert_eq!(r.fp_flags, fpflag::INEXACT | fpflag::INPUT_DENORMAL);
        assert_eq!(r.altstack, Some(AltStack { sp: 1, flags: 2, size: 3 }));
        assert_eq!(s, before);
    }

    #[test]
    fn any_bit_of_qc_counts() {
        let mut s = sample();
        s[STATE.offset(QC)..][..16].fill(0);
        assert_eq!(fpsr(&s, 0), 0);
        s[STATE.offset(QC) + 11] = 0x80;
        assert_eq!(fpsr(&s, 0), FPSR_QC);
    }

    #[test]
    fn a_bad_frame_is_refused() {
        let mut s = sample();
        let frame = deliver(&mut s, &delivery(&[0; 128]));
        for (at, value) in [(RECORDS, 2u8), (RECORDS + 4, 0), (RECORDS + 7, 1)] {
            let mut bytes = frame.bytes.clone();
            bytes.resize(SIZE, 0);
            bytes[at] = value;
            let read = |_: u64, out: &mut [u8]| {
                out.copy_from_slice(&bytes[..out.len()]);
                true
            };
            assert!(restore(&mut s.clone(), FrameKind::Rt, &read).is_none());
        }
        assert!(restore(&mut s.clone(), FrameKind::Rt, &|_, _| false).is_none());
    }
}
