//! Bit manipulation: Zba, Zbb, Zbs, Zbc.

use super::integer::amount;
use super::{Cx, rows};
use crate::insn::*;
use ir::{Bin, IntCc, Lane, Ty, Un, V2, Val};

// ---- Zba ----

fn shift_add(cx: &mut Cx, [d, n, m]: [u32; 3], shift: u32) {
    let (a, b) = (cx.x(n), cx.x(m));
    let a = cx.b.shift_imm(Bin::Shl, a, shift);
    let v = cx.b.add(b, a);
    cx.set_x(d, v);
}

rows! { shift_add(d n m):
    sh1add Sh1add(1);
    sh2add Sh2add(2);
    sh3add Sh3add(3);
}

/// The low word of xn, zeros above.
fn unsigned_word(cx: &mut Cx, n: u32) -> Val {
    let w = cx.w(n);
    cx.b.zext(Ty::I64, w)
}

fn shift_add_uw(cx: &mut Cx, [d, n, m]: [u32; 3], shift: u32) {
    let (a, b) = (unsigned_word(cx, n), cx.x(m));
    let a = cx.b.shift_imm(Bin::Shl, a, shift);
    let v = cx.b.add(b, a);
    cx.set_x(d, v);
}

rows! { shift_add_uw(d n m):
    sh1add_uw Sh1addUw(1);
    sh2add_uw Sh2addUw(2);
    sh3add_uw Sh3addUw(3);
}

/// Of x0 it is ZEXT.W.
pub(crate) fn add_uw(cx: &mut Cx, i: AddUw) {
    let (a, b) = (unsigned_word(cx, i.n), cx.x(i.m));
    let v = cx.b.add(a, b);
    cx.set_x(i.d, v);
}

pub(crate) fn slli_uw(cx: &mut Cx, i: SlliUw) {
    let a = unsigned_word(cx, i.n);
    let v = cx.b.shift_imm(Bin::Shl, a, i.i);
    cx.set_x(i.d, v);
}

// ---- Zbb ----

pub(crate) fn orn(cx: &mut Cx, i: Orn) {
    let (a, b) = (cx.x(i.n), cx.x(i.m));
    let b = cx.b.not(b);
    let v = cx.b.or(a, b);
    cx.set_x(i.d, v);
}

pub(crate) fn xnor(cx: &mut Cx, i: Xnor) {
    let (a, b) = (cx.x(i.n), cx.x(i.m));
    let v = cx.b.xor(a, b);
    let v = cx.b.not(v);
    cx.set_x(i.d, v);
}

fn unary(cx: &mut Cx, [d, n]: [u32; 2], op: Un) {
    let a = cx.x(n);
    let v = cx.b.un(op, a);
    cx.set_x(d, v);
}

rows! { unary(d n):
    clz Clz(Un::Clz);
    ctz Ctz(Un::Ctz);
    cpop Cpop(Un::Popcnt);
    rev8 Rev8(Un::Bswap);
}

fn unary_w(cx: &mut Cx, [d, n]: [u32; 2], op: Un) {
    let a = cx.w(n);
    let v = cx.b.un(op, a);
    cx.set_x(d, v);
}

rows! { unary_w(d n):
    clzw Clzw(Un::Clz);
    ctzw Ctzw(Un::Ctz);
    cpopw Cpopw(Un::Popcnt);
}

fn sign_extend(cx: &mut Cx, [d, n]: [u32; 2], ty: Ty) {
    let a = cx.x(n);
    let v = cx.b.trunc(ty, a);
    cx.set_x(d, v);
}

rows! { sign_extend(d n):
    sext_b SextB(Ty::I8);
    sext_h SextH(Ty::I16);
}

/// The first operand if it compares so with the second, else the second.
fn choose(cx: &mut Cx, [d, n, m]: [u32; 3], cc: IntCc) {
    let (a, b) = (cx.x(n), cx.x(m));
    let holds = cx.b.cmp(cc, a, b);
    let v = cx.b.select(holds, a, b);
    cx.set_x(d, v);
}

rows! { choose(d n m):
    min Min(IntCc::Slt);
    minu Minu(IntCc::Ult);
    max Max(IntCc::Sgt);
    maxu Maxu(IntCc::Ugt);
}

fn rotate_left(cx: &mut Cx, d: u32, a: Val, by: Val) {
    let by = cx.b.neg(by);
    let v = cx.b.bin(Bin::Rotr, a, by);
    cx.set_x(d, v);
}

pub(crate) fn rol(cx: &mut Cx, i: Rol) {
    let (a, by) = (cx.x(i.n), cx.x(i.m));
    rotate_left(cx, i.d, a, by);
}

pub(crate) fn rolw(cx: &mut Cx, i: Rolw) {
    let (a, by) = (cx.w(i.n), amount(cx, i.m, Ty::I32));
    rotate_left(cx, i.d, a, by);
}

/// All ones in each byte that is not zero: the top bit of (low seven bits + 127), or of the byte itself, tells.
pub(crate) fn orc_b(cx: &mut Cx, i: OrcB) {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let a = cx.x(i.n);
    let low = cx.b.and_imm(a, LOW);
    let sum = cx.b.add_imm(low, LOW.cast_signed());
    let any = cx.b.or(sum, a);
    let top = cx.b.and_imm(any, !LOW);
    let (above, below) = (cx.b.shift_imm(Bin::Shl, top, 1), cx.b.shift_imm(Bin::Shr, top, 7));
    let v = cx.b.sub(above, below);
    cx.set_x(i.d, v);
}

// ---- Zbs ----

/// 1 shifted by a register's low bits.
fn one_bit(cx: &mut Cx, m: u32) -> Val {
    let (one, by) = (cx.imm(1), cx.x(m));
    cx.b.bin(Bin::Shl, one, by)
}

fn change_bit(cx: &mut Cx, [d, n, m]: [u32; 3], op: Bin) {
    let (a, bit) = (cx.x(n), one_bit(cx, m));
    let v = cx.b.bin(op, a, bit);
    cx.set_x(d, v);
}

rows! { change_bit(d n m):
    bclr Bclr(Bin::AndNot);
    binv Binv(Bin::Xor);
    bset Bset(Bin::Or);
}

fn change_bit_imm(cx: &mut Cx, [d, n, i]: [u32; 3], op: Bin) {
    let (a, bit) = (cx.x(n), cx.imm((1u64 << i).cast_signed()));
    let v = cx.b.bin(op, a, bit);
    cx.set_x(d, v);
}

rows! { change_bit_imm(d n i):
    bclri Bclri(Bin::AndNot);
    binvi Binvi(Bin::Xor);
    bseti Bseti(Bin::Or);
}

pub(crate) fn bext(cx: &mut Cx, i: Bext) {
    let (a, by) = (cx.x(i.n), cx.x(i.m));
    let v = cx.b.bin(Bin::Shr, a, by);
    let v = cx.b.and_imm(v, 1);
    cx.set_x(i.d, v);
}

pub(crate) fn bexti(cx: &mut Cx, i: Bexti) {
    let a = cx.x(i.n);
    let v = cx.b.extract(a, i.i, 1, false);
    cx.set_x(i.d, v);
}

// ---- Zbc ----

/// The carry-less product, shifted right by so many bits.
fn carry_less(cx: &mut Cx, [d, n, m]: [u32; 3], shift: u32) {
    let (a, b) = (cx.x(n), cx.x(m));
    let (a, b) = (cx.b.zext(Ty::I64, a), cx.b.zext(Ty::I64, b));
    let (a, b) = (cx.b.v_from_scalar(a), cx.b.v_from_scalar(b));
    let product = cx.b.v2(V2::PMulWide, Lane::D, a, b);
    let lo = cx.b.vget(Ty::I64, product, 0);
    let v = match shift {
        0 => lo,
        64 => cx.b.vget(Ty::I64, product, 1),
        63 => {
            let hi = cx.b.vget(Ty::I64, product, 1);
            cx.b.funnel(hi, lo, 63)
        }
        _ => cx.b.shift_imm(Bin::Shr, lo, shift),
    };
    let v = cx.b.trunc(cx.xlen, v);
    cx.set_x(d, v);
}

pub(crate) fn clmul(cx: &mut Cx, i: Clmul) {
    carry_less(cx, [i.d, i.n, i.m], 0);
}

pub(crate) fn clmulh(cx: &mut Cx, i: Clmulh) {
    let width = cx.xlen.bits();
    carry_less(cx, [i.d, i.n, i.m], width);
}

pub(crate) fn clmulr(cx: &mut Cx, i: Clmulr) {
    let width = cx.xlen.bits();
    carry_less(cx, [i.d, i.n, i.m], width - 1);
}
