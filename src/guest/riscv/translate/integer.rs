//! RV32I and RV64I on registers, M, and Zicond.

use super::{Cx, rows, signed};
use crate::insn::*;
use ir::{Bin, IntCc, Ty, Val};

// ---- immediates ----

pub(crate) fn lui(cx: &mut Cx, i: Lui) {
    let v = cx.imm(signed(i.i << 12, 32));
    cx.set_x(i.d, v);
}

pub(crate) fn auipc(cx: &mut Cx, i: Auipc) {
    let v = cx.imm(cx.pc.wrapping_add_signed(signed(i.i << 12, 32)).cast_signed());
    cx.set_x(i.d, v);
}

fn op_imm(cx: &mut Cx, [d, n, i]: [u32; 3], op: Bin) {
    let (a, b) = (cx.x(n), cx.imm(signed(i, 12)));
    let v = cx.b.bin(op, a, b);
    cx.set_x(d, v);
}

rows! { op_imm(d n i):
    addi Addi(Bin::Add);
    xori Xori(Bin::Xor);
    ori Ori(Bin::Or);
    andi Andi(Bin::And);
}

pub(crate) fn slti(cx: &mut Cx, i: Slti) {
    let (a, b) = (cx.x(i.n), cx.imm(signed(i.i, 12)));
    let v = cx.b.cmp(IntCc::Slt, a, b);
    cx.set_bool(i.d, v);
}

/// Against 1 it is SEQZ.
pub(crate) fn sltiu(cx: &mut Cx, i: Sltiu) {
    let a = cx.x(i.n);
    let v = if i.i == 1 {
        let zero = cx.imm(0);
        cx.b.cmp(IntCc::Eq, a, zero)
    } else {
        let b = cx.imm(signed(i.i, 12));
        cx.b.cmp(IntCc::Ult, a, b)
    };
    cx.set_bool(i.d, v);
}

fn shift_imm(cx: &mut Cx, [d, n, i]: [u32; 3], op: Bin) {
    let a = cx.x(n);
    let v = cx.b.shift_imm(op, a, i);
    cx.set_x(d, v);
}

rows! { shift_imm(d n i):
    slli Slli(Bin::Shl);
    srli Srli(Bin::Shr);
    srai Srai(Bin::Sar);
    rori Rori(Bin::Rotr);
}

pub(crate) fn addiw(cx: &mut Cx, i: Addiw) {
    let a = cx.w(i.n);
    let v = cx.b.add_imm(a, signed(i.i, 12));
    cx.set_x(i.d, v);
}

fn shift_imm_w(cx: &mut Cx, [d, n, i]: [u32; 3], op: Bin) {
    let a = cx.w(n);
    let v = cx.b.shift_imm(op, a, i);
    cx.set_x(d, v);
}

rows! { shift_imm_w(d n i):
    slliw Slliw(Bin::Shl);
    srliw Srliw(Bin::Shr);
    sraiw Sraiw(Bin::Sar);
    roriw Roriw(Bin::Rotr);
}

// ---- registers ----

fn op(cx: &mut Cx, [d, n, m]: [u32; 3], op: Bin) {
    let (a, b) = (cx.x(n), cx.x(m));
    let v = cx.b.bin(op, a, b);
    cx.set_x(d, v);
}

// Shifts and rotates take the amount modulo the width, as the IR's do.
rows! { op(d n m):
    add Add(Bin::Add);
    sub Sub(Bin::Sub);
    sll Sll(Bin::Shl);
    srl Srl(Bin::Shr);
    sra Sra(Bin::Sar);
    xor Xor(Bin::Xor);
    or Or(Bin::Or);
    and And(Bin::And);
    andn Andn(Bin::AndNot);
    ror Ror(Bin::Rotr);
    mul Mul(Bin::Mul);
    mulh Mulh(Bin::MulHiS);
    mulhu Mulhu(Bin::MulHiU);
}

fn op_w(cx: &mut Cx, [d, n, m]: [u32; 3], op: Bin) {
    let (a, b) = (cx.w(n), cx.w(m));
    let v = cx.b.bin(op, a, b);
    cx.set_x(d, v);
}

rows! { op_w(d n m):
    addw Addw(Bin::Add);
    subw Subw(Bin::Sub);
    sllw Sllw(Bin::Shl);
    srlw Srlw(Bin::Shr);
    sraw Sraw(Bin::Sar);
    rorw Rorw(Bin::Rotr);
    mulw Mulw(Bin::Mul);
}

pub(crate) fn slt(cx: &mut Cx, i: Slt) {
    let (a, b) = (cx.x(i.n), cx.x(i.m));
    let v = cx.b.cmp(IntCc::Slt, a, b);
    cx.set_bool(i.d, v);
}

/// Of x0 it is SNEZ.
pub(crate) fn sltu(cx: &mut Cx, i: Sltu) {
    let (a, b) = (cx.x(i.n), cx.x(i.m));
    let v = if i.n == 0 { cx.b.cmp(IntCc::Ne, b, a) } else { cx.b.cmp(IntCc::Ult, a, b) };
    cx.set_bool(i.d, v);
}

/// The unsigned product's high half, less the second factor where the first is negative.
pub(crate) fn mulhsu(cx: &mut Cx, i: Mulhsu) {
    let (a, b) = (cx.x(i.n), cx.x(i.m));
    let high = cx.b.bin(Bin::MulHiU, a, b);
    let sign = cx.b.shift_imm(Bin::Sar, a, cx.xlen.bits() - 1);
    let correction = cx.b.and(sign, b);
    let v = cx.b.sub(high, correction);
    cx.set_x(i.d, v);
}

/// Division by zero gives all ones, and the dividend as the remainder (M, table 11). The most negative number by -1 is as in the IR.
fn divide(cx: &mut Cx, d: u32, op: Bin, a: Val, b: Val) {
    let ty = cx.b.ty(a);
    let (zero, ones) = (cx.b.constant(ty, 0), cx.b.constant(ty, u64::MAX));
    let v = cx.b.bin(op, a, b);
    // Asked when it is needed: the division takes the host's flags.
    let by_zero = cx.b.cmp(IntCc::Eq, b, zero);
    let otherwise = if matches!(op, Bin::DivS | Bin::DivU) { ones } else { a };
    let v = cx.b.select(by_zero, otherwise, v);
    cx.set_x(d, v);
}

fn div_rem(cx: &mut Cx, [d, n, m]: [u32; 3], op: Bin) {
    let (a, b) = (cx.x(n), cx.x(m));
    divide(cx, d, op, a, b);
}

rows! { div_rem(d n m):
    div Div(Bin::DivS);
    divu Divu(Bin::DivU);
    rem Rem(Bin::RemS);
    remu Remu(Bin::RemU);
}

fn div_rem_w(cx: &mut Cx, [d, n, m]: [u32; 3], op: Bin) {
    let (a, b) = (cx.w(n), cx.w(m));
    divide(cx, d, op, a, b);
}

rows! { div_rem_w(d n m):
    divw Divw(Bin::DivS);
    divuw Divuw(Bin::DivU);
    remw Remw(Bin::RemS);
    remuw Remuw(Bin::RemU);
}

// ---- Zicond ----

/// The first operand, or zero if the second compares so with zero.
fn zero_if(cx: &mut Cx, [d, n, m]: [u32; 3], cc: IntCc) {
    let (a, b, zero) = (cx.x(n), cx.x(m), cx.imm(0));
    let holds = cx.b.cmp(cc, b, zero);
    let v = cx.b.select(holds, zero, a);
    cx.set_x(d, v);
}

rows! { zero_if(d n m):
    czero_eqz CzeroEqz(IntCc::Eq);
    czero_nez CzeroNez(IntCc::Ne);
}

/// A shift by a register's low bits, at the width of `v`.
pub(super) fn amount(cx: &mut Cx, m: u32, ty: Ty) -> Val {
    let v = cx.x(m);
    cx.b.trunc(ty, v)
}
