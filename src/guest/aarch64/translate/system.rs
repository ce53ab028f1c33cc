//! Hints, barriers, system registers, cache maintenance (Arm ARM C4.1.93, C5).

use super::Cx;
use super::helper;
use super::sysreg;
use crate::features::{DIT, RNG, SSBS};
use crate::insn::*;
use crate::state;
use ir::{Bin, Fence, IntCc, Mem, Slot, Term, Ty, Val, fpflag};

// ---- hints: nothing to do for one thread of a process ----

pub(crate) fn hint(_: &mut Cx, _: Hint) {}

pub(crate) fn yield_(_: &mut Cx, _: Yield) {}

pub(crate) fn wfe(_: &mut Cx, _: Wfe) {}

pub(crate) fn wfi(_: &mut Cx, _: Wfi) {}

pub(crate) fn bti(_: &mut Cx, _: Bti) {
    // What it is for happens before it: `branch::arrive`.
}

// ---- barriers ----

pub(crate) fn clrex(cx: &mut Cx, _: Clrex) {
    cx.b.clear_excl();
}

/// By the low bits of CRm: 1 loads, 2 stores, else all. The domain does not matter: everything is inner shareable.
fn fence(cx: &mut Cx, i: u32) {
    let kind = match i & 3 {
        1 => Fence::Load,
        2 => Fence::Store,
        _ => Fence::Full,
    };
    cx.b.fence(kind);
}

pub(crate) fn dsb(cx: &mut Cx, i: Dsb) {
    fence(cx, i.i);
}

pub(crate) fn dmb(cx: &mut Cx, i: Dmb) {
    fence(cx, i.i);
}

pub(crate) fn isb(_: &mut Cx, _: Isb) {
    // Changed code is forgotten at IC IVAU.
}

pub(crate) fn sb(_: &mut Cx, _: Sb) {}

// ---- PSTATE ----

/// A PSTATE bit at its place in its register.
fn set_bit(cx: &mut Cx, slot: Slot, on: u32, place: u32) {
    let v = cx.b.i32(on << place);
    cx.b.set(slot, v);
}

pub(crate) fn msr_ssbs(cx: &mut Cx, i: MsrSsbs) {
    set_bit(cx, state::SSBS, i.i, sysreg::SSBS_BIT);
}

pub(crate) fn msr_dit(cx: &mut Cx, i: MsrDit) {
    set_bit(cx, state::DIT, i.i, sysreg::DIT_BIT);
}

// ---- system registers ----

/// Whether the processor has a register that came with a feature.
fn has(cx: &Cx, r: u32) -> bool {
    let needs = match r {
        sysreg::DIT => DIT,
        sysreg::SSBS => SSBS,
        sysreg::RNDR | sysreg::RNDRRS => RNG,
        _ => 0,
    };
    needs & !cx.features == 0
}

pub(crate) fn mrs(cx: &mut Cx, i: Mrs) {
    let value = match i.r {
        r if !has(cx, r) => return cx.undefined(),
        sysreg::TPIDR_EL0 => cx.b.get(state::TPIDR_EL0),
        sysreg::FPCR => cx.b.get(state::FPCR),
        sysreg::FPSR => fpsr(cx),
        sysreg::NZCV => {
            let flags = cx.flags();
            cx.b.flags_to_bits(flags)
        }
        sysreg::DIT => cx.b.get(state::DIT),
        sysreg::SSBS => cx.b.get(state::SSBS),
        sysreg::RNDR | sysreg::RNDRRS => {
            // Never out of numbers: N, Z, C, V are zero.
            let (number, bits) = (cx.b.call(&helper::RNDR, Ty::I64, &[]), cx.b.i32(0));
            let flags = cx.b.flags_from_bits(bits);
            cx.set_flags(flags);
            number
        }
        sysreg::CNTVCT_EL0 | sysreg::CNTPCT_EL0 => cx.b.call(&helper::COUNTER, Ty::I64, &[]),
        r => match sysreg::constant(r, cx.features) {
            Some(value) => cx.b.i64(value),
            None => return cx.undefined(),
        },
    };
    cx.set_r(i.t, value);
}

pub(crate) fn msr(cx: &mut Cx, i: Msr) {
    let v = cx.x(i.t);
    let w = cx.b.trunc(Ty::I32, v);
    match i.r {
        r if !has(cx, r) => cx.undefined(),
        sysreg::TPIDR_EL0 => cx.b.set(state::TPIDR_EL0, v),
        sysreg::FPCR => {
            let bits = cx.b.and_imm(w, u64::from(state::FPCR_BITS));
            cx.b.set(state::FPCR, bits);
            let pc = cx.next();
            cx.b.end(Term::Resume { pc });
        }
        sysreg::FPSR => set_fpsr(cx, w),
        sysreg::NZCV => {
            let flags = cx.b.flags_from_bits(w);
            cx.set_flags(flags);
        }
        sysreg::DIT => masked(cx, state::DIT, w, sysreg::DIT_BIT),
        sysreg::SSBS => masked(cx, state::SSBS, w, sysreg::SSBS_BIT),
        _ => cx.undefined(),
    }
}

fn masked(cx: &mut Cx, slot: Slot, v: Val, bit: u32) {
    let v = cx.b.and_imm(v, 1 << bit);
    cx.b.set(slot, v);
}

/// FPSR's cumulative bits (IOC, DZC, OFC, UFC, IXC, IDC) and ours.
const FLAGS: [(u32, u32); 6] = [
    (0, fpflag::INVALID),
    (1, fpflag::DIV_BY_ZERO),
    (2, fpflag::OVERFLOW),
    (3, fpflag::UNDERFLOW),
    (4, fpflag::INEXACT),
    (7, fpflag::INPUT_DENORMAL),
];

/// FPSR from the sticky flags and QC.
fn fpsr(cx: &mut Cx) -> Val {
    let flags = cx.b.fp_flags();
    let mut all = qc(cx);
    for (place, flag) in FLAGS {
        let bit = cx.b.extract(flags, flag.trailing_zeros(), 1, false);
        let bit = cx.b.shift_imm(Bin::Shl, bit, place);
        all = cx.b.or(all, bit);
    }
    all
}

fn set_fpsr(cx: &mut Cx, v: Val) {
    let mut flags = cx.b.i32(0);
    for (place, flag) in FLAGS {
        let bit = cx.b.extract(v, place, 1, false);
        let bit = cx.b.shift_imm(Bin::Shl, bit, flag.trailing_zeros());
        flags = cx.b.or(flags, bit);
    }
    cx.b.set_fp_flags(flags);
    let bit = cx.b.extract(v, QC_BIT, 1, false);
    let bit = cx.b.v_from_scalar(bit);
    cx.b.set(state::QC, bit);
}

/// FPSR.QC's place.
const QC_BIT: u32 = 27;

/// FPSR.QC in its place: whether the slot has a bit set.
fn qc(cx: &mut Cx) -> Val {
    let v = cx.b.get(state::QC);
    let (low, high) = (cx.b.vget(Ty::I64, v, 0), cx.b.vget(Ty::I64, v, 1));
    let any = cx.b.or(low, high);
    let zero = cx.b.i64(0);
    let set = cx.b.cmp(IntCc::Ne, any, zero);
    let bit = cx.b.zext(Ty::I32, set);
    cx.b.shift_imm(Bin::Shl, bit, QC_BIT)
}

// ---- cache maintenance by address ----

/// An address rounded down to its line.
fn line(cx: &mut Cx, t: u32) -> Val {
    let addr = cx.x(t);
    cx.b.and_imm(addr, !(sysreg::LINE - 1))
}

pub(crate) fn dc_zva(cx: &mut Cx, i: DcZva) {
    let (base, zero) = (line(cx, i.t), cx.b.v128(0));
    for offset in (0..sysreg::LINE as i32).step_by(16) {
        cx.b.store(Mem::at(base, 16).disp(offset), zero);
    }
}

pub(crate) fn dc_clean(cx: &mut Cx, i: DcClean) {
    // Nothing to clean; an address that cannot be read faults, as a load would.
    let addr = cx.x(i.t);
    cx.b.load(Ty::I32, Mem::at(addr, 1));
}

pub(crate) fn ic_ivau(cx: &mut Cx, i: IcIvau) {
    let (addr, next) = (line(cx, i.t), cx.next());
    cx.b.end(Term::FlushCode { addr, len: sysreg::LINE as u32, next });
}
