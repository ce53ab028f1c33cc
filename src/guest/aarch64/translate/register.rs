//! Data processing, register (Arm ARM C4.1.95).

use super::immediate::{add, sub};
use super::{Cx, width};
use crate::insn::*;
use ir::{Bin, Cc, Ty, Un, Val};

/// One operation on two registers.
fn binary(cx: &mut Cx, op: Bin, f: u32, d: u32, n: u32, m: u32) {
    let (a, b) = (cx.r(f, n), cx.r(f, m));
    let v = cx.b.bin(op, a, b);
    cx.set_r(d, v);
}

/// One operation on one register.
fn unary(cx: &mut Cx, op: Un, f: u32, d: u32, n: u32) {
    let a = cx.r(f, n);
    let v = cx.b.un(op, a);
    cx.set_r(d, v);
}

pub(crate) fn udiv(cx: &mut Cx, i: Udiv) {
    binary(cx, Bin::DivU, i.f, i.d, i.n, i.m);
}

pub(crate) fn sdiv(cx: &mut Cx, i: Sdiv) {
    binary(cx, Bin::DivS, i.f, i.d, i.n, i.m);
}

pub(crate) fn lslv(cx: &mut Cx, i: Lslv) {
    binary(cx, Bin::Shl, i.f, i.d, i.n, i.m);
}

pub(crate) fn lsrv(cx: &mut Cx, i: Lsrv) {
    binary(cx, Bin::Shr, i.f, i.d, i.n, i.m);
}

pub(crate) fn asrv(cx: &mut Cx, i: Asrv) {
    binary(cx, Bin::Sar, i.f, i.d, i.n, i.m);
}

pub(crate) fn rorv(cx: &mut Cx, i: Rorv) {
    binary(cx, Bin::Rotr, i.f, i.d, i.n, i.m);
}

pub(crate) fn crc32(cx: &mut Cx, i: Crc32) {
    let (acc, v) = (cx.w(i.n), cx.r(i.z / 3, i.m));
    let v = cx.b.crc32(acc, v, 1 << i.z, i.c == 1);
    cx.set_r(i.d, v);
}

pub(crate) fn rbit(cx: &mut Cx, i: Rbit) {
    unary(cx, Un::Bitrev, i.f, i.d, i.n);
}

pub(crate) fn rev16(cx: &mut Cx, i: Rev16) {
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    let a = cx.r(i.f, i.n);
    let (up, down) = (cx.b.and_imm(a, EVEN), cx.b.shift_imm(Bin::Shr, a, 8));
    let (up, down) = (cx.b.shift_imm(Bin::Shl, up, 8), cx.b.and_imm(down, EVEN));
    let v = cx.b.or(up, down);
    cx.set_r(i.d, v);
}

pub(crate) fn rev(cx: &mut Cx, i: Rev) {
    unary(cx, Un::Bswap, i.f, i.d, i.n);
}

pub(crate) fn rev32(cx: &mut Cx, i: Rev32) {
    let a = cx.x(i.n);
    let swapped = cx.b.un(Un::Bswap, a);
    let v = cx.b.shift_imm(Bin::Rotr, swapped, 32);
    cx.set_r(i.d, v);
}

pub(crate) fn clz(cx: &mut Cx, i: Clz) {
    unary(cx, Un::Clz, i.f, i.d, i.n);
}

pub(crate) fn cls(cx: &mut Cx, i: Cls) {
    // Where a bit differs from the one above it, the run of sign bits ends.
    let a = cx.r(i.f, i.n);
    let above = cx.b.shift_imm(Bin::Sar, a, 1);
    let differs = cx.b.xor(a, above);
    let zeros = cx.b.un(Un::Clz, differs);
    let v = cx.b.add_imm(zeros, -1);
    cx.set_r(i.d, v);
}

/// The second source, shifted: LSL, LSR, ASR, ROR.
fn shifted(cx: &mut Cx, f: u32, m: u32, kind: u32, amount: u32) -> Val {
    let v = cx.r(f, m);
    let op = [Bin::Shl, Bin::Shr, Bin::Sar, Bin::Rotr][kind as usize & 3];
    cx.b.shift_imm(op, v, amount)
}

/// A logical operation; `v` inverts the shifted source.
fn logic(cx: &mut Cx, op: Bin, a: Val, b: Val, v: u32) -> Val {
    match (op, v) {
        (_, 0) => cx.b.bin(op, a, b),
        (Bin::And, _) => cx.b.and_not(a, b),
        _ => {
            let b = cx.b.not(b);
            cx.b.bin(op, a, b)
        }
    }
}

pub(crate) fn and_reg(cx: &mut Cx, i: AndReg) {
    let (a, b) = (cx.r(i.f, i.n), shifted(cx, i.f, i.m, i.h, i.i));
    let v = logic(cx, Bin::And, a, b, i.v);
    cx.set_r(i.d, v);
}

pub(crate) fn orr_reg(cx: &mut Cx, i: OrrReg) {
    let (a, b) = (cx.r(i.f, i.n), shifted(cx, i.f, i.m, i.h, i.i));
    let v = logic(cx, Bin::Or, a, b, i.v);
    cx.set_r(i.d, v);
}

pub(crate) fn eor_reg(cx: &mut Cx, i: EorReg) {
    let (a, b) = (cx.r(i.f, i.n), shifted(cx, i.f, i.m, i.h, i.i));
    let v = logic(cx, Bin::Xor, a, b, i.v);
    cx.set_r(i.d, v);
}

pub(crate) fn ands_reg(cx: &mut Cx, i: AndsReg) {
    let (a, b) = (cx.r(i.f, i.n), shifted(cx, i.f, i.m, i.h, i.i));
    let v = logic(cx, Bin::And, a, b, i.v);
    let flags = cx.b.flags_logic(v);
    cx.set_flags(flags);
    cx.set_r(i.d, v);
}

pub(crate) fn add_reg(cx: &mut Cx, i: AddReg) {
    let (a, b) = (cx.r(i.f, i.n), shifted(cx, i.f, i.m, i.h, i.i));
    if i.s == 1 {
        return add(cx, 1, i.d, a, b);
    }
    let v = cx.b.add(a, b);
    cx.set_r(i.d, v);
}

pub(crate) fn sub_reg(cx: &mut Cx, i: SubReg) {
    let (a, b) = (cx.r(i.f, i.n), shifted(cx, i.f, i.m, i.h, i.i));
    if i.s == 1 {
        return sub(cx, 1, i.d, a, b);
    }
    let v = cx.b.sub(a, b);
    cx.set_r(i.d, v);
}

/// A register extended from 8, 16, 32 or 64 bits (`e` & 3), signed for `e` & 4, and shifted left.
pub(super) fn extended(cx: &mut Cx, f: u32, m: u32, e: u32, amount: u32) -> Val {
    let bits = 8 << (e & 3);
    let v = if bits >= (32 << f) {
        cx.r(f, m)
    } else {
        let v = cx.x(m);
        let low = cx.b.trunc(Ty::int(bits as usize / 8), v);
        if e & 4 == 0 { cx.b.zext(width(f), low) } else { cx.b.sext(width(f), low) }
    };
    cx.b.shift_imm(Bin::Shl, v, amount)
}

pub(crate) fn add_ext(cx: &mut Cx, i: AddExt) {
    let (a, b) = (cx.rsp(i.f, i.n), extended(cx, i.f, i.m, i.e, i.i));
    add(cx, i.s, i.d, a, b);
}

pub(crate) fn sub_ext(cx: &mut Cx, i: SubExt) {
    let (a, b) = (cx.rsp(i.f, i.n), extended(cx, i.f, i.m, i.e, i.i));
    sub(cx, i.s, i.d, a, b);
}

pub(crate) fn adc(cx: &mut Cx, i: Adc) {
    let (a, b, carry) = (cx.r(i.f, i.n), cx.r(i.f, i.m), cx.flags());
    let v = cx.b.add_c(a, b, carry);
    if i.s == 1 {
        let flags = cx.b.flags_adc(a, b, carry);
        cx.set_flags(flags);
    }
    cx.set_r(i.d, v);
}

pub(crate) fn sbc(cx: &mut Cx, i: Sbc) {
    let (a, b, carry) = (cx.r(i.f, i.n), cx.r(i.f, i.m), cx.flags());
    let v = cx.b.sub_c(a, b, carry);
    if i.s == 1 {
        let flags = cx.b.flags_sbc(a, b, carry);
        cx.set_flags(flags);
    }
    cx.set_r(i.d, v);
}

// ---- flag manipulation: on the bits as NZCV has them, 31 .. 28 ----

/// NZCV with the bits under `mask` replaced.
fn merge_flags(cx: &mut Cx, bits: Val, mask: u32) {
    let flags = cx.flags();
    let old = cx.b.flags_to_bits(flags);
    let kept = cx.b.and_imm(old, u64::from(!mask));
    let taken = cx.b.and_imm(bits, u64::from(mask));
    let new = cx.b.or(kept, taken);
    let flags = cx.b.flags_from_bits(new);
    cx.set_flags(flags);
}

pub(crate) fn rmif(cx: &mut Cx, i: Rmif) {
    let v = cx.x(i.n);
    let field = cx.b.shift_imm(Bin::Rotr, v, i.i);
    let field = cx.b.trunc(Ty::I32, field);
    let bits = cx.b.shift_imm(Bin::Shl, field, 28);
    merge_flags(cx, bits, i.k << 28);
}

pub(crate) fn setf(cx: &mut Cx, i: Setf) {
    // The value's sign is bit 7 or 15: shifted to the top it is N, and V is where it differs from the bit above it.
    let (w, top) = (cx.w(i.n), 7 + 8 * i.z);
    let n = cx.b.shift_imm(Bin::Shl, w, 31 - top);
    let zero = cx.b.i32(0);
    let is_zero = cx.b.cmp(ir::IntCc::Eq, n, zero);
    let z = cx.b.zext(Ty::I32, is_zero);
    let z = cx.b.shift_imm(Bin::Shl, z, 30);
    let above = cx.b.shift_imm(Bin::Shr, w, 1);
    let differs = cx.b.xor(w, above);
    let v = cx.b.extract(differs, top, 1, false);
    let v = cx.b.shift_imm(Bin::Shl, v, 28);
    let n = cx.b.and_imm(n, 1 << 31);
    let bits = cx.b.or(n, z);
    let bits = cx.b.or(bits, v);
    merge_flags(cx, bits, 0xd000_0000);
}

pub(crate) fn cfinv(cx: &mut Cx, _: Cfinv) {
    let flags = cx.flags();
    let c = cx.b.cond(Cc::Cc, flags);
    let flags = cx.b.flags_set_c(flags, c);
    cx.set_flags(flags);
}

/// A condition of the flags at a bit's place.
fn flag_bit(cx: &mut Cx, cc: Cc, place: u32) -> Val {
    let flags = cx.flags();
    let c = cx.b.cond(cc, flags);
    let c = cx.b.zext(Ty::I32, c);
    cx.b.shift_imm(Bin::Shl, c, place)
}

/// Writes the flags from single bits.
fn set_flag_bits(cx: &mut Cx, bits: &[Val]) {
    let all = bits[1..].iter().fold(bits[0], |all, &b| cx.b.or(all, b));
    let flags = cx.b.flags_from_bits(all);
    cx.set_flags(flags);
}

pub(crate) fn xaflag(cx: &mut Cx, _: Xaflag) {
    // N = !C & !Z, Z = Z & C, C = C | Z, V = !C & Z.
    let (z, c) = (flag_bit(cx, Cc::Eq, 0), flag_bit(cx, Cc::Cs, 0));
    let (less, equal) = (cx.b.or(z, c), cx.b.and(z, c));
    let one = cx.b.i32(1);
    let less = cx.b.xor(less, one);
    let unordered = cx.b.and_not(z, c);
    let carry = cx.b.or(z, c);
    let places = [(less, 31), (equal, 30), (carry, 29), (unordered, 28)];
    let bits = places.map(|(bit, place)| cx.b.shift_imm(Bin::Shl, bit, place));
    set_flag_bits(cx, &bits);
}

pub(crate) fn axflag(cx: &mut Cx, _: Axflag) {
    // N = 0, Z = Z | V, C = C & !V, V = 0.
    let (z, v, c) = (flag_bit(cx, Cc::Eq, 30), flag_bit(cx, Cc::Vs, 30), flag_bit(cx, Cc::Cs, 29));
    let z = cx.b.or(z, v);
    let v = cx.b.shift_imm(Bin::Shr, v, 1);
    let c = cx.b.and_not(c, v);
    set_flag_bits(cx, &[z, c]);
}

// ---- conditional compare and select ----

/// The flags are those of the comparison if the condition holds, else the immediate's.
fn conditional(cx: &mut Cx, c: u32, k: u32, compared: Val) {
    let cond = cx.cond(c);
    let bits = cx.b.i32(k << 28);
    let given = cx.b.flags_from_bits(bits);
    let flags = cx.b.select(cond, compared, given);
    cx.set_flags(flags);
}

pub(crate) fn ccmp_reg(cx: &mut Cx, i: CcmpReg) {
    let (a, b) = (cx.r(i.f, i.n), cx.r(i.f, i.m));
    let compared = cx.b.flags_sub(a, b);
    conditional(cx, i.c, i.k, compared);
}

pub(crate) fn ccmn_reg(cx: &mut Cx, i: CcmnReg) {
    let (a, b) = (cx.r(i.f, i.n), cx.r(i.f, i.m));
    let compared = cx.b.flags_add(a, b);
    conditional(cx, i.c, i.k, compared);
}

pub(crate) fn ccmp_imm(cx: &mut Cx, i: CcmpImm) {
    let (a, b) = (cx.r(i.f, i.n), cx.imm(i.f, u64::from(i.i)));
    let compared = cx.b.flags_sub(a, b);
    conditional(cx, i.c, i.k, compared);
}

pub(crate) fn ccmn_imm(cx: &mut Cx, i: CcmnImm) {
    let (a, b) = (cx.r(i.f, i.n), cx.imm(i.f, u64::from(i.i)));
    let compared = cx.b.flags_add(a, b);
    conditional(cx, i.c, i.k, compared);
}

pub(crate) fn csel(cx: &mut Cx, i: Csel) {
    let (cond, a, b) = (cx.cond(i.c), cx.r(i.f, i.n), cx.r(i.f, i.m));
    let v = cx.b.select(cond, a, b);
    cx.set_r(i.d, v);
}

pub(crate) fn csinc(cx: &mut Cx, i: Csinc) {
    let (cond, a, b) = (cx.cond(i.c), cx.r(i.f, i.n), cx.r(i.f, i.m));
    let b = cx.b.add_imm(b, 1);
    let v = cx.b.select(cond, a, b);
    cx.set_r(i.d, v);
}

pub(crate) fn csinv(cx: &mut Cx, i: Csinv) {
    let (cond, a, b) = (cx.cond(i.c), cx.r(i.f, i.n), cx.r(i.f, i.m));
    let b = cx.b.not(b);
    let v = cx.b.select(cond, a, b);
    cx.set_r(i.d, v);
}

pub(crate) fn csneg(cx: &mut Cx, i: Csneg) {
    let (cond, a, b) = (cx.cond(i.c), cx.r(i.f, i.n), cx.r(i.f, i.m));
    let b = cx.b.neg(b);
    let v = cx.b.select(cond, a, b);
    cx.set_r(i.d, v);
}

// ---- three sources ----

pub(crate) fn madd(cx: &mut Cx, i: Madd) {
    let (n, m, a) = (cx.r(i.f, i.n), cx.r(i.f, i.m), cx.r(i.f, i.a));
    let product = cx.b.mul(n, m);
    let v = cx.b.add(product, a);
    cx.set_r(i.d, v);
}

pub(crate) fn msub(cx: &mut Cx, i: Msub) {
    let (n, m, a) = (cx.r(i.f, i.n), cx.r(i.f, i.m), cx.r(i.f, i.a));
    let product = cx.b.mul(n, m);
    let v = cx.b.sub(a, product);
    cx.set_r(i.d, v);
}

/// The 64-bit product of two words.
fn wide_product(cx: &mut Cx, n: u32, m: u32, sign: bool) -> Val {
    let (n, m) = (cx.w(n), cx.w(m));
    let (n, m) = if sign {
        (cx.b.sext(Ty::I64, n), cx.b.sext(Ty::I64, m))
    } else {
        (cx.b.zext(Ty::I64, n), cx.b.zext(Ty::I64, m))
    };
    cx.b.mul(n, m)
}

pub(crate) fn smaddl(cx: &mut Cx, i: Smaddl) {
    let (product, a) = (wide_product(cx, i.n, i.m, true), cx.x(i.a));
    let v = cx.b.add(product, a);
    cx.set_r(i.d, v);
}

pub(crate) fn smsubl(cx: &mut Cx, i: Smsubl) {
    let (product, a) = (wide_product(cx, i.n, i.m, true), cx.x(i.a));
    let v = cx.b.sub(a, product);
    cx.set_r(i.d, v);
}

pub(crate) fn umaddl(cx: &mut Cx, i: Umaddl) {
    let (product, a) = (wide_product(cx, i.n, i.m, false), cx.x(i.a));
    let v = cx.b.add(product, a);
    cx.set_r(i.d, v);
}

pub(crate) fn umsubl(cx: &mut Cx, i: Umsubl) {
    let (product, a) = (wide_product(cx, i.n, i.m, false), cx.x(i.a));
    let v = cx.b.sub(a, product);
    cx.set_r(i.d, v);
}

pub(crate) fn smulh(cx: &mut Cx, i: Smulh) {
    binary(cx, Bin::MulHiS, 1, i.d, i.n, i.m);
}

pub(crate) fn umulh(cx: &mut Cx, i: Umulh) {
    binary(cx, Bin::MulHiU, 1, i.d, i.n, i.m);
}

// ---- pointer authentication code of data ----

pub(crate) fn pacga(cx: &mut Cx, i: Pacga) {
    let (v, modifier) = (cx.x(i.n), cx.xsp(i.m));
    let v = super::pointer::generic(cx, v, modifier);
    cx.set_r(i.d, v);
}
