//! Media instructions: parallel arithmetic, saturation, packing, extension, bit fields and bit counts, CRC (Arm ARM F3.1.16, F4.1.6).

use super::{Cx, shifted_value};
use crate::insn::{
    Bfi, Clz, Crc32, Par, Pkh, Qadd, Rbit, Rev, Rev16, Revsh, Sbfx, Sel, Ssat, Ssat16, Ubfx, Usada8, Usat, Usat16, Xt,
};
use crate::state;
use ir::{Bin, IntCc, Lane, Ty, Un, V1, V2, Val};

/// One kind of parallel arithmetic: addition, subtraction, and what the GE bits are of (sum, difference).
#[derive(Clone, Copy, Debug)]
struct Parallel {
    add: V2,
    sub: V2,
    ge: Option<bool>,
}

/// By the rows' `o`: S, Q, SH, -, U, UQ, UH; GE is of signed (true) or unsigned results.
const PARALLEL: [Parallel; 7] = [
    Parallel { add: V2::Add, sub: V2::Sub, ge: Some(true) },
    Parallel { add: V2::SatAddS, sub: V2::SatSubS, ge: None },
    Parallel { add: V2::HalfAddS, sub: V2::HalfSubS, ge: None },
    Parallel { add: V2::Add, sub: V2::Sub, ge: None },
    Parallel { add: V2::Add, sub: V2::Sub, ge: Some(false) },
    Parallel { add: V2::SatAddU, sub: V2::SatSubU, ge: None },
    Parallel { add: V2::HalfAddU, sub: V2::HalfSubU, ge: None },
];

/// Parallel arithmetic; `k` 0 add16, 1 asx, 2 sax, 3 sub16, 4 add8, 7 sub8.
pub(crate) fn par(cx: &mut Cx, a: Par) {
    let p = PARALLEL[a.o as usize];
    let lane = if a.k & 4 == 0 { Lane::H } else { Lane::B };
    let (n, mut m) = (cx.r(a.n), cx.r(a.m));
    if matches!(a.k, 1 | 2) {
        m = cx.b.shift_imm(Bin::Rotr, m, 16);
    }
    let (n, m) = (cx.b.v_from_scalar(n), cx.b.v_from_scalar(m));
    // The operations of the low and the high half.
    let (low, high) = match a.k {
        0 | 4 => (true, true),
        1 => (false, true),
        2 => (true, false),
        _ => (false, false),
    };
    let v = halves(cx, low, high, |cx, adds| {
        let v = cx.b.v2(if adds { p.add } else { p.sub }, lane, n, m);
        cx.b.vget(Ty::I32, v, 0)
    });
    if let Some(signed) = p.ge {
        let lt = halves(cx, low, high, |cx, adds| less(cx, lane, signed, adds, n, m));
        cx.set(state::LT, lt);
    }
    cx.set_r(a.d, v);
}

/// The word whose halves come from an addition (true) or a subtraction.
fn halves(cx: &mut Cx, low: bool, high: bool, mut make: impl FnMut(&mut Cx, bool) -> Val) -> Val {
    let first = make(cx, low);
    if low == high {
        return first;
    }
    let second = make(cx, high);
    cx.b.deposit(second, first, 0, 16)
}

/// Where a sum or difference is negative (signed), or has no carry or a borrow (unsigned): all ones.
fn less(cx: &mut Cx, lane: Lane, signed: bool, adds: bool, n: Val, m: Val) -> Val {
    let v = match (adds, signed) {
        (false, true) => cx.b.v2(V2::CmpGtS, lane, m, n),
        (false, false) => cx.b.v2(V2::CmpGtU, lane, m, n),
        (true, true) => {
            // Half the sum has the sign of the whole.
            let half = cx.b.v2(V2::HalfAddS, lane, n, m);
            let zero = cx.b.v128(0);
            cx.b.v2(V2::CmpGtS, lane, zero, half)
        }
        (true, false) => {
            // No operand is above the other's complement. With their highest bits turned they compare as signed numbers.
            let signs = if lane == Lane::B { u128::MAX / 0xff * 0x80 } else { u128::MAX / 0xffff * 0x8000 };
            let (turned, complement) = (cx.b.v128(signs), cx.b.v128(!signs));
            let n = cx.b.v2_once(V2::Xor, Lane::D, n, turned);
            let m = cx.b.v2_once(V2::Xor, Lane::D, m, complement);
            cx.b.v2(V2::CmpGeS, lane, m, n)
        }
    };
    cx.b.vget(Ty::I32, v, 0)
}

/// Bytes of rn where GE is set, of rm elsewhere.
pub(crate) fn sel(cx: &mut Cx, a: Sel) {
    let (n, m, lt) = (cx.r(a.n), cx.r(a.m), cx.b.get(state::LT));
    let n = cx.b.and_not(n, lt);
    let m = cx.b.and(m, lt);
    let v = cx.b.or(n, m);
    cx.set_r(a.d, v);
}

/// The sum of absolute differences of bytes, and ra unless that is 15.
pub(crate) fn usada8(cx: &mut Cx, a: Usada8) {
    let (n, m) = (cx.r(a.n), cx.r(a.m));
    let (n, m) = (cx.b.v_from_scalar(n), cx.b.v_from_scalar(m));
    let v = cx.b.v2(V2::AbdU, Lane::B, n, m);
    let v = cx.b.v1(V1::PairAddU, Lane::B, v);
    let v = cx.b.v1(V1::PairAddU, Lane::H, v);
    let mut v = cx.b.vget(Ty::I32, v, 0);
    if a.a != 15 {
        let addend = cx.r(a.a);
        v = cx.b.add(v, addend);
    }
    cx.set_r(a.d, v);
}

/// `v` brought into min ..= max; Q if that changed it.
fn saturate(cx: &mut Cx, v: Val, min: i64, max: i64) -> Val {
    let ty = cx.b.ty(v);
    let (low, high) = (cx.b.constant(ty, min.cast_unsigned()), cx.b.constant(ty, max.cast_unsigned()));
    let is_above = cx.b.cmp(IntCc::Sgt, v, high);
    let capped = cx.b.select(is_above, high, v);
    let is_below = cx.b.cmp(IntCc::Slt, capped, low);
    let v2 = cx.b.select(is_below, low, capped);
    let changed = cx.b.cmp(IntCc::Ne, v2, v);
    cx.set_q(changed);
    v2
}

fn signed_range(bits: u32) -> (i64, i64) {
    (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
}

/// The operand of SSAT and USAT: shifted left, or right by 1 to 32 with the sign.
fn sat_operand(cx: &mut Cx, n: u32, h: u32, i: u32) -> Val {
    shifted_value(cx, n, 2 * h, i)
}

/// T32 has SSAT16 and USAT16 where A32 shifts right by 32; what is near them is not allocated.
fn is_reserved(cx: &Cx, h: u32, i: u32) -> bool {
    cx.thumb && h == 1 && i == 0
}

pub(crate) fn ssat(cx: &mut Cx, a: Ssat) {
    if is_reserved(cx, a.h, a.i) {
        return cx.undefined();
    }
    let v = sat_operand(cx, a.n, a.h, a.i);
    let (min, max) = signed_range(a.s + 1);
    let v = saturate(cx, v, min, max);
    cx.set_r(a.d, v);
}

pub(crate) fn usat(cx: &mut Cx, a: Usat) {
    if is_reserved(cx, a.h, a.i) {
        return cx.undefined();
    }
    let v = sat_operand(cx, a.n, a.h, a.i);
    let v = saturate(cx, v, 0, (1 << a.s) - 1);
    cx.set_r(a.d, v);
}

fn saturate_halves(cx: &mut Cx, d: u32, n: u32, (min, max): (i64, i64)) {
    let (low, high) = (cx.half(n, 0), cx.half(n, 1));
    let low = saturate(cx, low, min, max);
    let high = saturate(cx, high, min, max);
    let v = cx.b.deposit(low, high, 16, 16);
    cx.set_r(d, v);
}

pub(crate) fn ssat16(cx: &mut Cx, a: Ssat16) {
    saturate_halves(cx, a.d, a.n, signed_range(a.s + 1));
}

pub(crate) fn usat16(cx: &mut Cx, a: Usat16) {
    saturate_halves(cx, a.d, a.n, (0, (1 << a.s) - 1));
}

/// rm ± rn, or ± twice rn, each step saturated.
pub(crate) fn qadd(cx: &mut Cx, a: Qadd) {
    let (n, m) = (cx.r(a.n), cx.r(a.m));
    let (mut n, m) = (cx.b.sext(Ty::I64, n), cx.b.sext(Ty::I64, m));
    let (min, max) = signed_range(32);
    if a.o == 1 {
        let twice = cx.b.add(n, n);
        n = saturate(cx, twice, min, max);
    }
    let v = if a.k == 0 { cx.b.add(m, n) } else { cx.b.sub(m, n) };
    let v = saturate(cx, v, min, max);
    let v = cx.b.trunc(Ty::I32, v);
    cx.set_r(a.d, v);
}

pub(crate) fn pkh(cx: &mut Cx, a: Pkh) {
    let (n, m) = (cx.r(a.n), shifted_value(cx, a.m, 2 * a.h, a.i));
    let v = if a.h == 0 { cx.b.deposit(m, n, 0, 16) } else { cx.b.deposit(n, m, 0, 16) };
    cx.set_r(a.d, v);
}

/// SXTB …: `k` 0 both bytes 0 and 2 to halves, 2 a byte, 3 a half; added to rn unless that is 15.
pub(crate) fn xt(cx: &mut Cx, a: Xt) {
    let m = cx.r(a.m);
    let m = if a.r == 0 { m } else { cx.b.shift_imm(Bin::Rotr, m, 8 * a.r) };
    let v = match a.k {
        0 if a.u == 1 => cx.b.and_imm(m, 0x00ff_00ff),
        0 => {
            let (low, high) = (cx.b.extract(m, 0, 8, true), cx.b.extract(m, 16, 8, true));
            cx.b.deposit(low, high, 16, 16)
        }
        k => cx.b.extract(m, 0, if k == 2 { 8 } else { 16 }, a.u == 0),
    };
    let v = match (a.n, a.k) {
        (15, _) => v,
        (n, 0) => {
            let n = cx.r(n);
            let upper = cx.b.and_imm(v, 0xffff_0000);
            let (low, high) = (cx.b.add(n, v), cx.b.add(n, upper));
            cx.b.deposit(high, low, 0, 16)
        }
        (n, _) => {
            let n = cx.r(n);
            cx.b.add(n, v)
        }
    };
    cx.set_r(a.d, v);
}

fn extract(cx: &mut Cx, d: u32, n: u32, lsb: u32, width: u32, signed: bool) {
    // Differs: unpredictable.
    if lsb + width > 32 {
        return cx.undefined();
    }
    let n = cx.r(n);
    let v = cx.b.extract(n, lsb, width, signed);
    cx.set_r(d, v);
}

pub(crate) fn sbfx(cx: &mut Cx, a: Sbfx) {
    extract(cx, a.d, a.n, a.i, a.w + 1, true);
}

pub(crate) fn ubfx(cx: &mut Cx, a: Ubfx) {
    extract(cx, a.d, a.n, a.i, a.w + 1, false);
}

/// BFI, and BFC for 15; `w` is the last bit.
pub(crate) fn bfi(cx: &mut Cx, a: Bfi) {
    if a.w < a.i {
        return cx.undefined();
    }
    let into = cx.r(a.d);
    let v = if a.n == 15 { cx.b.i32(0) } else { cx.r(a.n) };
    let v = cx.b.deposit(into, v, a.i, a.w - a.i + 1);
    cx.set_r(a.d, v);
}

fn unary(cx: &mut Cx, d: u32, m: u32, op: Un) {
    let m = cx.r(m);
    let v = cx.b.un(op, m);
    cx.set_r(d, v);
}

pub(crate) fn clz(cx: &mut Cx, a: Clz) {
    unary(cx, a.d, a.m, Un::Clz);
}

pub(crate) fn rbit(cx: &mut Cx, a: Rbit) {
    unary(cx, a.d, a.m, Un::Bitrev);
}

pub(crate) fn rev(cx: &mut Cx, a: Rev) {
    unary(cx, a.d, a.m, Un::Bswap);
}

pub(crate) fn rev16(cx: &mut Cx, a: Rev16) {
    let m = cx.r(a.m);
    let v = cx.b.un(Un::Bswap, m);
    let v = cx.b.shift_imm(Bin::Rotr, v, 16);
    cx.set_r(a.d, v);
}

pub(crate) fn revsh(cx: &mut Cx, a: Revsh) {
    let m = cx.r(a.m);
    let v = cx.b.un(Un::Bswap, m);
    let v = cx.b.shift_imm(Bin::Sar, v, 16);
    cx.set_r(a.d, v);
}

pub(crate) fn crc32(cx: &mut Cx, a: Crc32) {
    let (acc, v) = (cx.r(a.n), cx.r(a.m));
    let v = cx.b.crc32(acc, v, 1 << a.z, a.k == 1);
    cx.set_r(a.d, v);
}
