//! Signal frames of Linux on 32-bit Arm: layouts from the kernel's asm/sigcontext.h, asm/ucontext.h (uapi and arch/arm), registers at a handler's
//! entry from what arch/arm/kernel/signal.c does.

use crate::linux::{SIGRETURN_ARM, SIGRETURN_RT_ARM, SIGRETURN_RT_THUMB, SIGRETURN_THUMB};
use crate::state::{E, FPNZCV, FPSCR, FPSCR_BITS, ITSTATE, LR, LT, NZCV, PC, Q, QC, SP, STATE, q_offset, r};
use arch::abi::RegisterSource::*;
use arch::abi::{AltStack, Delivery, FaultFacts, FrameKind, RegisterSet, Restored, SignalFrame};
use ir::{Slot, fpflag};

/// struct ucontext
const UC_STACK: usize = 8;
const TRAP_NO: usize = 20;
const REGS: usize = TRAP_NO + 12;
const CPSR: usize = REGS + 16 * 4;
const FAULT_ADDRESS: usize = CPSR + 4;
const UC_SIGMASK: usize = 104;
const REGSPACE: usize = 232;
const RETCODE: usize = REGSPACE + 512;
/// sizeof(struct sigframe); struct rt_sigframe has siginfo before it.
const SIZE: usize = RETCODE + 16;
const INFO: usize = 128;

/// user_regs, of which the last word is the first argument of a call, the old unit's registers, of which there are none, user_vfp.
pub(crate) const REGISTER_SETS: &[RegisterSet] = &[
    RegisterSet { kind: 1, size: 72, source: Frame(&[(INFO + REGS, 0, 68)]) },
    RegisterSet { kind: 2, size: 116, source: Fixed(&[]) },
    RegisterSet { kind: 0x400, size: 260, source: Frame(&[(INFO + REGSPACE + 8, 0, 260)]) },
];

const VFP_MAGIC: u32 = 0x5646_5001;
const VFP_SIZE: usize = 288;
/// Where the FPSCR stands in the VFP record.
const VFP_FPSCR: usize = 8 + 32 * 8;
/// uc_flags of a frame without siginfo.
const OLD_FRAME: u32 = 0x5ac3_c35a;

const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;

const CPSR_T: u32 = 1 << 5;
const CPSR_E: u32 = 1 << 9;
const CPSR_Q: u32 = 1 << 27;
const MODE_USER: u32 = 0x10;
const FPSCR_QC: u32 = 1 << 27;

/// FPSCR's cumulative bits and the sticky flags that they are.
const CUMULATIVE: [(u32, u32); 6] = [
    (0, fpflag::INVALID),
    (1, fpflag::DIV_BY_ZERO),
    (2, fpflag::OVERFLOW),
    (3, fpflag::UNDERFLOW),
    (4, fpflag::INEXACT),
    (7, fpflag::INPUT_DENORMAL),
];

/// N, Z, C, V in a status register and in a flags slot ([`ir::Ty::Flags`]).
const CONDITIONS: [(u32, u32); 4] = [(31, 15), (30, 14), (29, 8), (28, 0)];

fn conditions(state: &[u8], slot: Slot) -> u32 {
    let flags = STATE.get(state, slot) as u32;
    CONDITIONS.iter().fold(0, |v, (p, f)| v | (flags >> f & 1) << p)
}

fn set_conditions(state: &mut [u8], slot: Slot, word: u32) {
    let flags = CONDITIONS.iter().fold(0, |v, (p, f)| v | (word >> p & 1) << f);
    STATE.set(state, slot, flags.into());
}

/// CPSR from its parts (DDI 0487, G1.9).
fn cpsr(state: &[u8]) -> u32 {
    let get = |s| STATE.get(state, s) as u32;
    let ge = !get(LT);
    let it = get(ITSTATE);
    let mut v = conditions(state, NZCV) | MODE_USER | (it & 3) << 25 | (it >> 2 & 0x3f) << 10;
    v |= (0..4).fold(0, |v, n| v | (ge >> (8 * n) & 1) << (16 + n));
    v |= if get(PC) & 1 != 0 { CPSR_T } else { 0 };
    v |= if get(E) != 0 { CPSR_E } else { 0 };
    v | if get(Q) != 0 { CPSR_Q } else { 0 }
}

fn set_cpsr(state: &mut [u8], v: u32) {
    set_conditions(state, NZCV, v);
    let lt: u32 = (0..4).fold(0, |lt, n| lt | ((!v >> (16 + n) & 1) * 0xff) << (8 * n));
    STATE.set(state, LT, lt.into());
    STATE.set(state, ITSTATE, (v >> 25 & 3 | (v >> 10 & 0x3f) << 2).into());
    STATE.set(state, E, (v >> 9 & 1).into());
    STATE.set(state, Q, (v >> 27 & 1).into());
}

fn qc(state: &[u8]) -> bool {
    let at = STATE.offset(QC);
    state[at..at + 16].iter().any(|b| *b != 0)
}

fn fpscr(state: &[u8], flags: u32) -> u32 {
    let cumulative = CUMULATIVE.iter().filter(|(_, f)| flags & f != 0).fold(0, |v, (b, _)| v | 1 << b);
    let saturated = if qc(state) { FPSCR_QC } else { 0 };
    STATE.get(state, FPSCR) as u32 | conditions(state, FPNZCV) | cumulative | saturated
}

/// The fault status (DDI 0487, G8.2.49, short descriptors): a page's translation or permission, WnR.
fn status(f: &FaultFacts) -> u32 {
    let kind = if f.protection { 0x0f } else { 0x07 };
    kind | u32::from(f.write && !f.fetch) << 11
}

fn put(b: &mut [u8], at: usize, v: u32) {
    b[at..at + 4].copy_from_slice(&v.to_le_bytes());
}

/// struct sigframe, from `b`'s start.
fn fill(b: &mut [u8], state: &[u8], d: &Delivery) {
    put(b, UC_STACK, d.altstack.sp as u32);
    put(b, UC_STACK + 4, d.altstack.flags);
    put(b, UC_STACK + 8, d.altstack.size as u32);
    if let Some(f) = &d.fault {
        put(b, TRAP_NO, 14);
        put(b, TRAP_NO + 4, status(f));
        put(b, FAULT_ADDRESS, f.addr as u32);
    }
    put(b, TRAP_NO + 8, d.mask as u32);
    b[REGS..][..15 * 4].copy_from_slice(&state[STATE.row(r(0), r(14))]);
    put(b, REGS + 15 * 4, STATE.get(state, PC) as u32 & !1);
    put(b, CPSR, cpsr(state));
    b[UC_SIGMASK..UC_SIGMASK + 8].copy_from_slice(&d.mask.to_le_bytes());
    put(b, REGSPACE, VFP_MAGIC);
    put(b, REGSPACE + 4, VFP_SIZE as u32);
    for n in 0..16 {
        let from = q_offset(n as u32);
        b[REGSPACE + 8 + 16 * n..][..16].copy_from_slice(&state[from..from + 16]);
    }
    put(b, REGSPACE + VFP_FPSCR, fpscr(state, d.fp_flags));
    // FPEXC.EN: the unit is on.
    put(b, REGSPACE + VFP_FPSCR + 8, 1 << 30);
}

/// See [`arch::abi::Signals::deliver`].
pub(crate) fn deliver(state: &mut [u8], d: &Delivery) -> SignalFrame {
    let rt = d.flags & SA_SIGINFO != 0;
    let start = if rt { INFO } else { 0 };
    let mut b = vec![0; start + SIZE];
    let at = (d.stack as u32).wrapping_sub(b.len() as u32) & !7;
    if rt {
        b[..INFO].copy_from_slice(d.info);
    } else {
        put(&mut b, 0, OLD_FRAME);
    }
    fill(&mut b[start..], state, d);
    let thumb = d.handler & 1 != 0;
    let offset = match (rt, thumb) {
        (false, false) => SIGRETURN_ARM,
        (false, true) => SIGRETURN_THUMB,
        (true, false) => SIGRETURN_RT_ARM,
        (true, true) => SIGRETURN_RT_THUMB,
    };
    let back = if d.flags & SA_RESTORER != 0 { d.restorer } else { d.page + u64::from(offset) + u64::from(thumb) };
    STATE.set(state, r(0), d.signo.into());
    if rt {
        STATE.set(state, r(1), at.into());
        STATE.set(state, r(2), (at + INFO as u32).into());
    }
    STATE.set(state, SP, at.into());
    STATE.set(state, LR, back);
    STATE.set(state, PC, d.handler);
    STATE.set(state, ITSTATE, 0);
    STATE.set(state, E, 0);
    SignalFrame { at: at.into(), bytes: b, record: None }
}

/// See [`arch::abi::Signals::restore`].
pub(crate) fn restore(state: &mut [u8], kind: FrameKind, read: &dyn Fn(u64, &mut [u8]) -> bool) -> Option<Restored> {
    let at = STATE.get(state, SP);
    let start = if kind == FrameKind::Rt { INFO as u64 } else { 0 };
    let mut b = vec![0; SIZE];
    if at & 7 != 0 || !read(at + start, &mut b) {
        return None;
    }
    let word = |at: usize| u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
    let flags = word(CPSR);
    if word(REGSPACE) != VFP_MAGIC || word(REGSPACE + 4) != VFP_SIZE as u32 || flags & 0x1f != MODE_USER {
        return None;
    }
    state[STATE.row(r(0), r(14))].copy_from_slice(&b[REGS..][..15 * 4]);
    let t = u32::from(flags & CPSR_T != 0);
    STATE.set(state, PC, (word(REGS + 15 * 4) & !1 | t).into());
    set_cpsr(state, flags);
    for n in 0..16 {
        let to = q_offset(n as u32);
        state[to..to + 16].copy_from_slice(&b[REGSPACE + 8 + 16 * n..][..16]);
    }
    let fp = word(REGSPACE + VFP_FPSCR);
    STATE.set(state, FPSCR, (fp & FPSCR_BITS).into());
    set_conditions(state, FPNZCV, fp);
    let saturated = STATE.offset(QC);
    state[saturated..saturated + 16].fill(0);
    state[saturated] = u8::from(fp & FPSCR_QC != 0);
    let mut mask = [0; 8];
    mask.copy_from_slice(&b[UC_SIGMASK..UC_SIGMASK + 8]);
    let altstack = AltStack { sp: word(UC_STACK).into(), flags: word(UC_STACK + 4), size: word(UC_STACK + 8).into() };
    Some(Restored {
        mask: u64::from_le_bytes(mask),
        fp_flags: CUMULATIVE.iter().filter(|(b, _)| fp >> b & 1 != 0).fold(0, |v, (_, f)| v | f),
        altstack: (kind == FrameKind::Rt).then_some(altstack),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pc: u64) -> Vec<u8> {
        let mut s = vec![0; STATE.size];
        for n in 0..15 {
            STATE.set(&mut s, r(n), 0x1000 + u64::from(n));
        }
        STATE.set(&mut s, SP, 0x7004);
        STATE.set(&mut s, PC, pc);
        for n in 0..16 {
            s[q_offset(n)..][..16].fill(n as u8 + 1);
        }
        STATE.set(&mut s, NZCV, 1 << 15 | 1 << 8);
        STATE.set(&mut s, FPNZCV, 1 << 14);
        STATE.set(&mut s, LT, 0x00ff_00ff);
        STATE.set(&mut s, Q, 1);
        STATE.set(&mut s, ITSTATE, 0x4d);
        STATE.set(&mut s, FPSCR, 0x0040_0000);
        s[STATE.offset(QC)] = 1;
        s
    }

    fn delivery(flags: u64, handler: u64, info: &[u8]) -> Delivery<'_> {
        Delivery {
            signo: 10,
            info,
            handler,
            flags,
            restorer: 0,
            mask: 0x8000_0000_0000_0042,
            altstack: AltStack { sp: 1, flags: 2, size: 3 },
            fault: None,
            fp_flags: fpflag::INEXACT,
            stack: 0x7004,
            return_code: 0,
            page: 0x9000,
            guards: false,
        }
    }

    #[test]
    fn frames_give_back_what_they_were_made_of() {
        for (flags, handler, pc, code) in [
            (SA_SIGINFO, 0x5000, 0x4001, 0x9000 + SIGRETURN_RT_ARM),
            (SA_SIGINFO, 0x5001, 0x4000, 0x9001 + SIGRETURN_RT_THUMB),
            (0, 0x5000, 0x4001, 0x9000 + SIGRETURN_ARM),
            (0, 0x5001, 0x4001, 0x9001 + SIGRETURN_THUMB),
        ] {
            let before = sample(pc);
            let mut s = before.clone();
            let frame = deliver(&mut s, &delivery(flags, handler, &[7; 128]));
            assert_eq!(frame.at % 8, 0);
            assert_eq!((STATE.get(&s, r(0)), STATE.get(&s, PC), STATE.get(&s, SP)), (10, handler, frame.at));
            assert_eq!((STATE.get(&s, LR), STATE.get(&s, ITSTATE)), (code.into(), 0));
            let read = |at: u64, out: &mut [u8]| {
                out.copy_from_slice(&frame.bytes[(at - frame.at) as usize..][..out.len()]);
                true
            };
            let rt = flags & SA_SIGINFO != 0;
            let r = restore(&mut s, if rt { FrameKind::Rt } else { FrameKind::Old }, &read).unwrap();
            assert_eq!((r.mask, r.fp_flags), (0x8000_0000_0000_0042, fpflag::INEXACT));
            assert_eq!(r.altstack, rt.then_some(AltStack { sp: 1, flags: 2, size: 3 }));
            assert_eq!(s, before);
        }
    }

    #[test]
    fn status_register_has_its_parts() {
        let s = sample(0x4001);
        // N, C, Q, IT[1:0] = 1, GE = 1010, IT[7:2] = 0x13, T, user mode.
        assert_eq!(cpsr(&s), 0xa000_0000 | CPSR_Q | 1 << 25 | 0xa << 16 | 0x13 << 10 | CPSR_T | 0x10);
        assert_eq!(fpscr(&s, 0), 0x4000_0000 | FPSCR_QC | 0x0040_0000);
    }
}
