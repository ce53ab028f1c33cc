//! Data processing, immediate (Arm ARM C4.1.92).

use super::bitmask;
use super::{Cx, signed};
use crate::insn::*;
use ir::{Bin, Val};

pub(crate) fn adr(cx: &mut Cx, i: Adr) {
    let target = cx.pc.wrapping_add_signed(signed(i.i << 2 | i.l, 21));
    let v = cx.b.i64(target);
    cx.set_r(i.d, v);
}

pub(crate) fn adrp(cx: &mut Cx, i: Adrp) {
    let target = (cx.pc & !0xfff).wrapping_add_signed(signed(i.i << 2 | i.l, 21) << 12);
    let v = cx.b.i64(target);
    cx.set_r(i.d, v);
}

pub(crate) fn add_imm(cx: &mut Cx, i: AddImm) {
    let a = cx.rsp(i.f, i.n);
    let b = cx.imm(i.f, u64::from(i.i) << (12 * i.h));
    add(cx, i.s, i.d, a, b);
}

pub(crate) fn sub_imm(cx: &mut Cx, i: SubImm) {
    let a = cx.rsp(i.f, i.n);
    let b = cx.imm(i.f, u64::from(i.i) << (12 * i.h));
    sub(cx, i.s, i.d, a, b);
}

/// ADD to a register or SP, or ADDS to a register or nowhere.
pub(super) fn add(cx: &mut Cx, s: u32, d: u32, a: Val, b: Val) {
    if s == 0 {
        let v = cx.b.add(a, b);
        return cx.set_rsp(d, v);
    }
    // The value first: the host makes both by one instruction.
    let v = cx.b.add(a, b);
    let flags = cx.b.flags_add(a, b);
    cx.set_flags(flags);
    cx.set_r(d, v);
}

/// SUB to a register or SP, or SUBS to a register or nowhere.
pub(super) fn sub(cx: &mut Cx, s: u32, d: u32, a: Val, b: Val) {
    if s == 0 {
        let v = cx.b.sub(a, b);
        return cx.set_rsp(d, v);
    }
    // The value first: the host makes both by one instruction.
    let v = cx.b.sub(a, b);
    let flags = cx.b.flags_sub(a, b);
    cx.set_flags(flags);
    cx.set_r(d, v);
}

/// A logical operation of a register and a bitmask.
fn logic(cx: &mut Cx, op: Bin, f: u32, n: u32, mask: u64) -> Val {
    let a = cx.r(f, n);
    let b = cx.imm(f, mask);
    cx.b.bin(op, a, b)
}

pub(crate) fn and_imm(cx: &mut Cx, i: AndImm) {
    let v = logic(cx, Bin::And, i.f, i.n, bitmask::immediate(i.z, i.r, i.s));
    cx.set_rsp(i.d, v);
}

pub(crate) fn orr_imm(cx: &mut Cx, i: OrrImm) {
    let v = logic(cx, Bin::Or, i.f, i.n, bitmask::immediate(i.z, i.r, i.s));
    cx.set_rsp(i.d, v);
}

pub(crate) fn eor_imm(cx: &mut Cx, i: EorImm) {
    let v = logic(cx, Bin::Xor, i.f, i.n, bitmask::immediate(i.z, i.r, i.s));
    cx.set_rsp(i.d, v);
}

pub(crate) fn ands_imm(cx: &mut Cx, i: AndsImm) {
    let v = logic(cx, Bin::And, i.f, i.n, bitmask::immediate(i.z, i.r, i.s));
    let flags = cx.b.flags_logic(v);
    cx.set_flags(flags);
    cx.set_r(i.d, v);
}

pub(crate) fn movn(cx: &mut Cx, i: Movn) {
    let v = cx.imm(i.f, !(u64::from(i.i) << (16 * i.h)));
    cx.set_r(i.d, v);
}

pub(crate) fn movz(cx: &mut Cx, i: Movz) {
    let v = cx.imm(i.f, u64::from(i.i) << (16 * i.h));
    cx.set_r(i.d, v);
}

pub(crate) fn movk(cx: &mut Cx, i: Movk) {
    let old = cx.r(i.f, i.d);
    let part = cx.imm(i.f, u64::from(i.i));
    let v = cx.b.deposit(old, part, 16 * i.h, 16);
    cx.set_r(i.d, v);
}

/// UBFM and SBFM: a field moved down to bit 0, or the low bits moved up.
fn bitfield(cx: &mut Cx, f: u32, n: u32, r: u32, s: u32, sign: bool) -> Val {
    let (v, bits) = (cx.r(f, n), 32 << f);
    if s >= r {
        return match (s == bits - 1, sign) {
            (true, false) => cx.b.shift_imm(Bin::Shr, v, r),
            (true, true) => cx.b.shift_imm(Bin::Sar, v, r),
            _ => cx.b.extract(v, r, s - r + 1, sign),
        };
    }
    // The field reaches the top: what is above it falls out by itself.
    let low = if s + 1 == r { v } else { cx.b.extract(v, 0, s + 1, sign) };
    cx.b.shift_imm(Bin::Shl, low, bits - r)
}

pub(crate) fn sbfm(cx: &mut Cx, i: Sbfm) {
    let v = bitfield(cx, i.f, i.n, i.r, i.s, true);
    cx.set_r(i.d, v);
}

pub(crate) fn ubfm(cx: &mut Cx, i: Ubfm) {
    let v = bitfield(cx, i.f, i.n, i.r, i.s, false);
    cx.set_r(i.d, v);
}

pub(crate) fn bfm(cx: &mut Cx, i: Bfm) {
    let (into, n) = (cx.r(i.f, i.d), cx.r(i.f, i.n));
    let v = if i.s >= i.r {
        let field = cx.b.shift_imm(Bin::Shr, n, i.r);
        cx.b.deposit(into, field, 0, i.s - i.r + 1)
    } else {
        cx.b.deposit(into, n, (32 << i.f) - i.r, i.s + 1)
    };
    cx.set_r(i.d, v);
}

pub(crate) fn extr(cx: &mut Cx, i: Extr) {
    let (hi, lo) = (cx.r(i.f, i.n), cx.r(i.f, i.m));
    let v = cx.b.funnel(hi, lo, i.i);
    cx.set_r(i.d, v);
}
