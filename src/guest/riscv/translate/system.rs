//! Fences, system calls, control and status registers, cache blocks, and what does nothing here.

use super::helper::COUNTER;
use super::{Cx, Quiet, rows, vector_config as vector};
use crate::features::V;
use crate::insn::*;
use crate::state::{FRM, FRM_MASK};
use ir::{Bin, Cc, IntCc, Mem, Term, Trap, Ty, Val, fpflag};

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
    let addr = cx.masked(addr);
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
    let mem = cx.access(n, 0, 1);
    cx.b.load(Ty::I32, mem);
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
    // The mode word says it.
    let frm = |cx: &mut Cx| cx.b.i32(cx.mode & FRM_MASK);
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
        _ if cx.features & V != 0 => return vector::read(cx, csr),
        _ => return None,
    })
}

/// The bits of a byte in the opposite order: copied next to each other, one of each kept, gathered.
fn reversed(cx: &mut Cx, byte: Val) -> Val {
    let v = cx.b.zext(Ty::I64, byte);
    let (spread, gather) = (cx.b.i64(0x8020_0802), cx.b.i64(0x01_0101_0101));
    let v = cx.b.mul(v, spread);
    let v = cx.b.and_imm(v, 0x08_8442_2110);
    let v = cx.b.mul(v, gather);
    let v = cx.b.shift_imm(Bin::Shr, v, 32);
    let v = cx.b.trunc(Ty::I32, v);
    cx.b.and_imm(v, 0xff)
}

/// fflags' bits stand in the order opposite to that of the sticky flags, which have one more in between.
fn fflags(cx: &mut Cx) -> Val {
    let flags = cx.b.fp_flags();
    let all = reversed(cx, flags);
    let low = cx.b.extract(all, 2, 4, false);
    let invalid = cx.b.shift_imm(Bin::Shr, all, 3);
    let invalid = cx.b.and_imm(invalid, 0x10);
    cx.b.or(low, invalid)
}

fn set_fflags(cx: &mut Cx, v: Val) {
    let low = cx.b.and_imm(v, 0xf);
    let invalid = cx.b.and_imm(v, 0x10);
    let (low, invalid) = (cx.b.shift_imm(Bin::Shl, low, 2), cx.b.shift_imm(Bin::Shl, invalid, 3));
    let all = cx.b.or(low, invalid);
    let flags = reversed(cx, all);
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
    let is_vector = cx.features & V != 0 && vector::is_writable(csr);
    // The counters are read-only, and what VSETVLI sets.
    if v.is_some() && !(is_float || is_vector) {
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
        if is_vector {
            vector::write(cx, csr, new);
        } else {
            write(cx, csr, new);
        }
    }
    cx.set_x(d, old);
    let pc = cx.next;
    if v.is_some() && is_vector {
        cx.b.end(Term::Resume { pc });
    } else if v.is_some() && csr != FFLAGS {
        rounds(cx);
    }
}

/// frm has been written. What is known is the mode of what follows, up to the region's end: compilers write FSRMI, what is to be rounded so, and FSRM of what was before.
/// Else it is taken for the region's own: C libraries write the mode that is in force, around each function that needs a certain one.
fn rounds(cx: &mut Cx) {
    let new = cx.b.get(FRM);
    let mode = match cx.b.region.const_of(new) {
        Some(mode) => mode as u32,
        None => {
            let own = cx.b.region.mode & FRM_MASK;
            let expected = cx.b.i32(own);
            let other = cx.b.cmp(IntCc::Ne, new, expected);
            let pc = cx.next;
            cx.b.leave_if(other, Term::Resume { pc });
            own
        }
    };
    cx.mode = cx.mode & !FRM_MASK | mode;
}

/// FSFLAGS after a comparison, of what they were before it: something was raised only if the operands were unordered.
fn restore(cx: &mut Cx, n: u32, flags: Val) {
    let (undo, rest) = (cx.b.block(), cx.b.block());
    let unordered = cx.b.cond(Cc::Vs, flags);
    cx.b.branch(unordered, undo, rest);
    cx.b.enter(undo);
    let old = cx.w(n);
    set_fflags(cx, old);
    cx.b.end(Term::Jump(rest));
    cx.b.enter(rest);
}

fn register(cx: &mut Cx, [d, c, n]: [u32; 3], kind: Write) {
    if let (FFLAGS, 0, Write::Swap, Quiet::Compared(x, flags)) = (c, d, kind, cx.before)
        && x == n
    {
        return restore(cx, n, flags);
    }
    if let (FFLAGS, 0, Write::Set, 1..) = (c, n, kind, d) {
        cx.now = Quiet::Read(d);
    }
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
