//! Fences, system calls, control and status registers, cache blocks, and what does nothing here.

use super::helper::COUNTER;
use super::{Cx, rows};
use crate::insn::*;
use crate::state::FRM;
use ir::{Bin, Mem, Term, Trap, Ty, Val, fpflag};

/// Bits of FENCE's sets: input, output, reads, writes.
const INPUT: u32 = 8;
const OUTPUT: u32 = 4;
const READ: u32 = 2;
const WRITE: u32 = 1;

pub(crate) fn fence(cx: &mut Cx, i: Fence) {
    let reads = |set: u32| set & (READ | INPUT) != 0;
    let writes = |set: u32| set & (WRITE | OUTPUT) != 0;
    // FENCE.TSO does not keep writes before reads.
    let total = i.t == 8;
    if writes(i.p) && reads(i.s) && !total {
        return cx.b.fence(ir::Fence::Full);
    }
    if reads(i.p) && i.s != 0 {
        cx.b.fence(ir::Fence::Load);
    }
    if writes(i.p) && writes(i.s) {
        cx.b.fence(ir::Fence::Store);
    }
}

/// Code may have changed anywhere: a length of zero says so.
pub(crate) fn fence_i(cx: &mut Cx, _: FenceI) {
    let (addr, next) = (cx.imm(0), cx.next);
    cx.b.end(Term::FlushCode { addr, len: 0, next });
}

pub(crate) fn ecall(cx: &mut Cx, _: Ecall) {
    let next = cx.next;
    cx.b.end(Term::Syscall { next });
}

pub(crate) fn ebreak(cx: &mut Cx, _: Ebreak) {
    cx.b.trap(Trap::Breakpoint);
}

/// WRS.NTO and WRS.STO wait for a store to the reservation, or not.
pub(crate) fn wrs(_: &mut Cx, _: Wrs) {}

/// May-be operations give zero until one is given a meaning.
pub(crate) fn mop(cx: &mut Cx, i: Mop) {
    let zero = cx.imm(0);
    cx.set_x(i.d, zero);
}

// ---- cache blocks ----

/// Bytes of a block.
pub(crate) const BLOCK: u64 = 64;

pub(crate) fn cbo_zero(cx: &mut Cx, i: CboZero) {
    let (addr, zero) = (cx.x(i.n), cx.b.v128(0));
    let base = cx.b.and_imm(addr, !(BLOCK - 1));
    for offset in (0..BLOCK as i32).step_by(16) {
        cx.b.store(Mem::at(base, 16).disp(offset), zero);
    }
}

/// CBO.CLEAN and CBO.FLUSH: nothing to write back; an address that cannot be accessed faults.
pub(crate) fn cbo_clean(cx: &mut Cx, i: CboClean) {
    touch(cx, i.n);
}

/// Linux has it flush (menvcfg.CBIE).
pub(crate) fn cbo_inval(cx: &mut Cx, i: CboInval) {
    touch(cx, i.n);
}

fn touch(cx: &mut Cx, n: u32) {
    let addr = cx.x(n);
    cx.b.load(Ty::I32, Mem::at(addr, 1));
}

// ---- control and status registers ----

pub(crate) const FFLAGS: u32 = 0x001;
pub(crate) const FRM_CSR: u32 = 0x002;
pub(crate) const FCSR: u32 = 0x003;
pub(crate) const CYCLE: u32 = 0xc00;
pub(crate) const TIME: u32 = 0xc01;
pub(crate) const INSTRET: u32 = 0xc02;
/// The high halves of RV32 stand so much further on.
pub(crate) const HIGH: u32 = 0x80;

/// fflags' bits (NX, UF, OF, DZ, NV) as sticky flags.
pub(crate) const FLAGS: [u32; 5] =
    [fpflag::INEXACT, fpflag::UNDERFLOW, fpflag::OVERFLOW, fpflag::DIV_BY_ZERO, fpflag::INVALID];

/// What is written: a new value, or bits to set or to clear.
#[derive(Clone, Copy)]
enum Write {
    Swap,
    Set,
    Clear,
}

/// The value of a CSR (I32 if it is one of floating point, else a register wide); None if there is none.
fn read(cx: &mut Cx, csr: u32) -> Option<Val> {
    let frm = |cx: &mut Cx| cx.b.get(FRM);
    Some(match csr {
        FFLAGS => fflags(cx),
        FRM_CSR => frm(cx),
        FCSR => {
            let (flags, frm) = (fflags(cx), frm(cx));
            let frm = cx.b.shift_imm(Bin::Shl, frm, 5);
            cx.b.or(flags, frm)
        }
        CYCLE | TIME | INSTRET => {
            let count = cx.b.call(&COUNTER, Ty::I64, &[]);
            cx.b.trunc(cx.xlen, count)
        }
        _ if cx.xlen == Ty::I32 && matches!(csr.wrapping_sub(HIGH), CYCLE | TIME | INSTRET) => {
            let count = cx.b.call(&COUNTER, Ty::I64, &[]);
            let high = cx.b.shift_imm(Bin::Shr, count, 32);
            cx.b.trunc(Ty::I32, high)
        }
        _ => return None,
    })
}

fn fflags(cx: &mut Cx) -> Val {
    let flags = cx.b.fp_flags();
    let mut all = cx.b.i32(0);
    for (place, flag) in FLAGS.into_iter().enumerate() {
        let bit = cx.b.extract(flags, flag.trailing_zeros(), 1, false);
        let bit = cx.b.shift_imm(Bin::Shl, bit, place as u32);
        all = cx.b.or(all, bit);
    }
    all
}

fn set_fflags(cx: &mut Cx, v: Val) {
    let mut flags = cx.b.i32(0);
    for (place, flag) in FLAGS.into_iter().enumerate() {
        let bit = cx.b.extract(v, place as u32, 1, false);
        let bit = cx.b.shift_imm(Bin::Shl, bit, flag.trailing_zeros());
        flags = cx.b.or(flags, bit);
    }
    cx.b.set_fp_flags(flags);
}

/// Writes a CSR of floating point. A new rounding mode is a new mode word.
fn write(cx: &mut Cx, csr: u32, v: Val) {
    if csr != FRM_CSR {
        set_fflags(cx, v);
    }
    if csr != FFLAGS {
        let frm = cx.b.extract(v, if csr == FCSR { 5 } else { 0 }, 3, false);
        cx.b.set(FRM, frm);
    }
}

/// The access that all forms share; `v` is None where nothing is to be written.
fn access(cx: &mut Cx, d: u32, csr: u32, kind: Write, v: Option<Val>) {
    let is_float = matches!(csr, FFLAGS | FRM_CSR | FCSR);
    // The counters are read-only.
    if v.is_some() && !is_float {
        return cx.undefined();
    }
    // FSFLAGS and the like leave the old value alone.
    let wanted = d != 0 || !matches!(kind, Write::Swap);
    let old = if is_float && !wanted {
        cx.b.i32(0)
    } else {
        let Some(old) = read(cx, csr) else { return cx.undefined() };
        old
    };
    if let Some(v) = v {
        let v = cx.b.trunc(Ty::I32, v);
        let new = match kind {
            Write::Swap => v,
            Write::Set => cx.b.or(old, v),
            Write::Clear => cx.b.and_not(old, v),
        };
        write(cx, csr, new);
    }
    cx.set_x(d, old);
    if v.is_some() && csr != FFLAGS {
        let pc = cx.next;
        cx.b.end(Term::Resume { pc });
    }
}

fn register(cx: &mut Cx, [d, c, n]: [u32; 3], kind: Write) {
    let writes = n != 0 || matches!(kind, Write::Swap);
    let v = writes.then(|| cx.x(n));
    access(cx, d, c, kind, v);
}

rows! { register(d c n):
    csrrw Csrrw(Write::Swap);
    csrrs Csrrs(Write::Set);
    csrrc Csrrc(Write::Clear);
}

fn immediate(cx: &mut Cx, [d, c, i]: [u32; 3], kind: Write) {
    let writes = i != 0 || matches!(kind, Write::Swap);
    let v = writes.then(|| cx.imm(i.into()));
    access(cx, d, c, kind, v);
}

rows! { immediate(d c i):
    csrrwi Csrrwi(Write::Swap);
    csrrsi Csrrsi(Write::Set);
    csrrci Csrrci(Write::Clear);
}
