//! Signal frames of Linux on RISC-V: layouts from the kernel's asm/sigcontext.h and asm/ucontext.h, registers at a handler's entry from
//! what arch/riscv/kernel/signal.c does.

use crate::features::{V, vlenb};
use crate::state::{
    FRM, PC, RA, SP, STATE32, STATE64, VECTORS, VILL, VL, VLENB, VSTART, VTYPE, VXRM, VXSAT, Vector, f, x,
};
use crate::translate::system::FLAGS;
use arch::State;
use arch::abi::RegisterSource::*;
use arch::abi::{AltStack, Delivery, FrameKind, ReadMemory, RegisterSet, Restored, SignalFrame};

/// struct rt_sigframe: siginfo, then ucontext.
const UCONTEXT: usize = 128;
/// sizeof(union __riscv_fp_state), and where fcsr stands in the part for D; its last words are the header of further state: its magic and size,
/// zeros for none.
const FP_STATE: usize = 528;
const FCSR: usize = 32 * 8;
const HEADER: usize = 8;

/// RISCV_V_MAGIC: struct __sc_riscv_v_state (vstart, vl, vtype, vcsr, vlenb, the address of the registers), then the registers.
const V_MAGIC: u64 = 0x5346_5457;
const V_STATE: usize = 48;
/// vill as the register has it.
const CSR_VILL: u64 = 1 << 63;

/// Where things are, by the size of `long`.
#[derive(Clone, Copy)]
struct Layout {
    long: usize,
    state: &'static State,
}

impl Layout {
    /// struct ucontext: flags, link, stack, 128 bytes for the mask, and struct sigcontext, aligned to 16.
    const fn stack(self) -> usize {
        UCONTEXT + 2 * self.long
    }
    const fn mask(self) -> usize {
        self.stack() + 3 * self.long
    }
    /// pc, then x1 to x31.
    const fn regs(self) -> usize {
        (self.mask() + 128).next_multiple_of(16)
    }
    const fn fp(self) -> usize {
        self.regs() + 32 * self.long
    }
    const fn size(self) -> usize {
        self.fp() + FP_STATE
    }
}

const ILP32: Layout = Layout { long: 4, state: &STATE32 };
const LP64: Layout = Layout { long: 8, state: &STATE64 };

/// user_regs_struct and the state of D (arch/riscv/kernel/ptrace.c).
pub(crate) const REGISTER_SETS32: &[RegisterSet] = &sets(&[[(ILP32.regs(), 0, 128)], [(ILP32.fp(), 0, 260)]]);
pub(crate) const REGISTER_SETS64: &[RegisterSet] = &sets(&[[(LP64.regs(), 0, 256)], [(LP64.fp(), 0, 260)]]);

const fn sets(pieces: &'static [[(usize, usize, usize); 1]; 2]) -> [RegisterSet; 2] {
    [
        RegisterSet { kind: 1, size: pieces[0][0].2, source: Frame(&pieces[0]) },
        RegisterSet { kind: 2, size: 264, source: Frame(&pieces[1]) },
    ]
}

/// sizeof(struct rt_sigframe)
pub(crate) const SIZE32: usize = ILP32.size();
const SIZE64: usize = LP64.size();

/// With the state of vectors that a processor with these features has.
pub(crate) fn size64(features: u64) -> usize {
    let registers = 32 * vlenb(features) as usize;
    let more = if features & V != 0 { V_STATE + registers + HEADER } else { 0 };
    (SIZE64 + more).next_multiple_of(16)
}

fn put(bytes: &mut [u8], at: usize, v: u64, len: usize) {
    bytes[at..at + len].copy_from_slice(&v.to_le_bytes()[..len]);
}

fn word(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |v, b| v << 8 | u64::from(*b))
}

fn fcsr(state: &[u8], l: Layout, flags: u32) -> u64 {
    let fflags = FLAGS.iter().enumerate().filter(|(_, f)| flags & **f != 0).fold(0, |v, (bit, _)| v | 1 << bit);
    l.state.get(state, FRM) << 5 | fflags
}

/// The vector registers in state.
fn vectors(state: &[u8]) -> std::ops::Range<usize> {
    VECTORS..VECTORS + 32 * STATE64.get(state, VLENB) as usize
}

/// Whether the program has used vectors: else a frame has no state of theirs, as the kernel's has none.
fn uses_vectors(state: &[u8], l: Layout) -> bool {
    let is_new = || STATE64.get(state, VTYPE) & VILL != 0 && state[vectors(state)].iter().all(|b| *b == 0);
    l.long == 8 && !is_new()
}

/// The state of vectors for a frame that stands at `at`, with the header that ends it.
fn save_vectors(state: &[u8], at: u64) -> Vec<u8> {
    let get = |slot| STATE64.get(state, slot);
    let vtype = get(VTYPE) & 0xff | if get(VTYPE) & VILL != 0 { CSR_VILL } else { 0 };
    let vcsr = get(VXRM) << 1 | get(VXSAT);
    let registers = at + (LP64.size() + V_STATE) as u64;
    let words = [get(VSTART), get(VL), vtype, vcsr, get(VLENB), registers];
    let mut out: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    out.extend(&state[vectors(state)]);
    out.extend([0; HEADER]);
    out
}

/// Reads back what [`save_vectors`] wrote, from a frame at `at`.
fn restore_vectors(state: &mut [u8], read: &ReadMemory, at: u64) -> Option<()> {
    let mut b = [0; V_STATE];
    let range = vectors(state);
    let mut registers = vec![0; range.len()];
    if !(read(at + LP64.size() as u64, &mut b) && read(word(&b, 40, 8), &mut registers)) {
        return None;
    }
    let [vstart, vl, vtype, vcsr] = [0, 8, 16, 24].map(|at| word(&b, at, 8));
    let vlenb = STATE64.get(state, VLENB) as u32;
    let (max, vtype) = match Vector::of_register(vtype, vlenb) {
        Some(v) => (v.max(vlenb), vtype),
        None => (0, VILL),
    };
    let values = [(VSTART, vstart), (VL, vl.min(max.into())), (VTYPE, vtype), (VXRM, vcsr >> 1 & 3), (VXSAT, vcsr & 1)];
    values.into_iter().for_each(|(slot, v)| STATE64.set(state, slot, v));
    state[range].copy_from_slice(&registers);
    Some(())
}

fn deliver(state: &mut [u8], d: &Delivery, l: Layout) -> SignalFrame {
    let has_vectors = uses_vectors(state, l);
    let more = if has_vectors { V_STATE + vectors(state).len() + HEADER } else { 0 };
    let at = d.stack.wrapping_sub((l.size() + more).next_multiple_of(16) as u64) & !15;
    let mut b = vec![0; l.size()];
    if has_vectors {
        put(&mut b, l.size() - HEADER, V_MAGIC, 4);
        put(&mut b, l.size() - HEADER + 4, more as u64, 4);
        b.extend(save_vectors(state, at));
    }
    b[..UCONTEXT].copy_from_slice(d.info);
    put(&mut b, l.stack(), d.altstack.sp, l.long);
    put(&mut b, l.stack() + l.long, d.altstack.flags.into(), 4);
    put(&mut b, l.stack() + 2 * l.long, d.altstack.size, l.long);
    put(&mut b, l.mask(), d.mask, 8);
    put(&mut b, l.regs(), l.state.get(state, PC), l.long);
    b[l.regs() + l.long..][..l.long * 31].copy_from_slice(&state[l.state.row(x(1), x(31))]);
    for n in 0..32 {
        put(&mut b, l.fp() + 8 * n, l.state.get(state, f(n as u32)), 8);
    }
    put(&mut b, l.fp() + FCSR, fcsr(state, l, d.fp_flags), 4);
    l.state.set(state, x(RA), d.return_code);
    l.state.set(state, x(SP), at);
    l.state.set(state, x(10), d.signo.into());
    l.state.set(state, x(11), at);
    l.state.set(state, x(12), at + UCONTEXT as u64);
    l.state.set(state, PC, d.handler);
    SignalFrame { at, bytes: b, record: None }
}

fn restore(state: &mut [u8], read: &ReadMemory, l: Layout) -> Option<Restored> {
    let at = l.state.get(state, x(SP));
    let mut b = vec![0; l.size()];
    if !read(at, &mut b) {
        return None;
    }
    // The reserved word before the headers.
    if word(&b, l.size() - HEADER - 4, 4) != 0 {
        return None;
    }
    let header = [word(&b, l.size() - HEADER, 4), word(&b, l.size() - 4, 4)];
    let size = (V_STATE + vectors(state).len() + HEADER) as u64;
    if l.long == 8 && header == [V_MAGIC, size] {
        let mut end = [0; HEADER];
        let is_end = read(at + l.size() as u64 + size - HEADER as u64, &mut end) && end == [0; HEADER];
        restore_vectors(state, read, at).filter(|()| is_end)?;
    } else if header != [0, 0] {
        return None;
    }
    l.state.set(state, PC, word(&b, l.regs(), l.long));
    state[l.state.row(x(1), x(31))].copy_from_slice(&b[l.regs() + l.long..][..l.long * 31]);
    for n in 0..32 {
        l.state.set(state, f(n as u32), word(&b, l.fp() + 8 * n, 8));
    }
    let fcsr = word(&b, l.fp() + FCSR, 4);
    l.state.set(state, FRM, fcsr >> 5 & 7);
    let fp_flags = FLAGS.iter().enumerate().filter(|(bit, _)| fcsr >> bit & 1 != 0).fold(0, |v, (_, f)| v | f);
    let altstack = AltStack {
        sp: word(&b, l.stack(), l.long),
        flags: word(&b, l.stack() + l.long, 4) as u32,
        size: word(&b, l.stack() + 2 * l.long, l.long),
    };
    Some(Restored { mask: word(&b, l.mask(), 8), fp_flags, altstack: Some(altstack) })
}

/// See [`arch::abi::Signals::deliver`].
pub(crate) fn deliver32(state: &mut [u8], d: &Delivery) -> SignalFrame {
    deliver(state, d, ILP32)
}

/// See [`arch::abi::Signals::restore`].
pub(crate) fn restore32(state: &mut [u8], _: FrameKind, read: &ReadMemory) -> Option<Restored> {
    restore(state, read, ILP32)
}

/// See [`arch::abi::Signals::deliver`].
pub(crate) fn deliver64(state: &mut [u8], d: &Delivery) -> SignalFrame {
    deliver(state, d, LP64)
}

/// See [`arch::abi::Signals::restore`].
pub(crate) fn restore64(state: &mut [u8], _: FrameKind, read: &ReadMemory) -> Option<Restored> {
    restore(state, read, LP64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::fpflag;

    fn sample() -> Vec<u8> {
        let mut s = vec![0; STATE64.size];
        for n in 1..32 {
            STATE64.set(&mut s, x(n), 0x1000 + u64::from(n));
        }
        for n in 0..32 {
            STATE64.set(&mut s, f(n), 0x2000 + u64::from(n));
        }
        STATE64.set(&mut s, x(SP), 0x7008);
        STATE64.set(&mut s, PC, 0x40_0000);
        STATE64.set(&mut s, FRM, 3);
        STATE64.set(&mut s, VLENB, 16);
        STATE64.set(&mut s, VTYPE, VILL);
        s
    }

    #[test]
    fn vectors_are_in_the_frame_of_a_program_that_uses_them() {
        let mut before = sample();
        STATE64.set(&mut before, VTYPE, 0x10);
        STATE64.set(&mut before, VL, 3);
        STATE64.set(&mut before, VXRM, 2);
        before[VECTORS + 16] = 9;
        let mut s = before.clone();
        let frame = deliver64(&mut s, &delivery(&[7; 128]));
        assert_eq!((frame.at % 16, frame.bytes.len()), (0, 1088 + 568));
        // The header, vtype, and v1 behind the state.
        assert_eq!((word(&frame.bytes, 1080, 4), word(&frame.bytes, 1084, 4)), (0x5346_5457, 568));
        assert_eq!((word(&frame.bytes, 1088 + 16, 8), frame.bytes[1088 + 48 + 16]), (0x10, 9));
        s[vectors(&before)].fill(1);
        STATE64.set(&mut s, VTYPE, VILL);
        let read = |at: u64, out: &mut [u8]| {
            out.copy_from_slice(&frame.bytes[(at - frame.at) as usize..][..out.len()]);
            true
        };
        restore64(&mut s, FrameKind::Rt, &read).unwrap();
        assert_eq!(s, before);
    }

    fn delivery(info: &[u8]) -> Delivery<'_> {
        Delivery {
            signo: 11,
            info,
            handler: 0x50_0000,
            flags: 4,
            restorer: 0,
            mask: 0x42,
            altstack: AltStack { sp: 1, flags: 2, size: 3 },
            fault: None,
            fp_flags: fpflag::INEXACT | fpflag::INVALID,
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
        let frame = deliver64(&mut s, &delivery(&[7; 128]));
        assert_eq!((SIZE64, frame.at % 16, STATE64.get(&s, x(SP))), (1088, 0, frame.at));
        assert_eq!(
            (STATE64.get(&s, x(10)), STATE64.get(&s, x(11)), STATE64.get(&s, x(12))),
            (11, frame.at, frame.at + 128)
        );
        assert_eq!((STATE64.get(&s, x(RA)), STATE64.get(&s, PC)), (0x9000, 0x50_0000));
        // sc_regs.pc and fcsr where gdb and the JVM look for them.
        assert_eq!(word(&frame.bytes, 128 + 176, 8), 0x40_0000);
        assert_eq!(word(&frame.bytes, 128 + 176 + 256 + 256, 4), 0x71);
        let read = |at: u64, out: &mut [u8]| {
            out.copy_from_slice(&frame.bytes[(at - frame.at) as usize..][..out.len()]);
            true
        };
        let r = restore64(&mut s, FrameKind::Rt, &read).unwrap();
        assert_eq!((r.mask, r.fp_flags), (0x42, fpflag::INEXACT | fpflag::INVALID));
        assert_eq!(r.altstack, Some(AltStack { sp: 1, flags: 2, size: 3 }));
        assert_eq!(s, before);
    }

    #[test]
    fn a_bad_frame_is_refused() {
        let mut s = sample();
        let frame = deliver64(&mut s, &delivery(&[0; 128]));
        let mut bytes = frame.bytes;
        bytes[SIZE64 - 1] = 1;
        let read = |_: u64, out: &mut [u8]| {
            out.copy_from_slice(&bytes[..out.len()]);
            true
        };
        assert!(restore64(&mut s.clone(), FrameKind::Rt, &read).is_none());
        assert!(restore64(&mut s, FrameKind::Rt, &|_, _| false).is_none());
    }
}
