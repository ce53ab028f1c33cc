//! Advanced SIMD between lanes of different width: three different, narrowing and widening
//! (Arm ARM C4.1.96: three different, scalar three different, the narrowing rows of two-register miscellaneous).
//!
//! `e` is the arrangement of the narrow side; with `q` the narrow operands are the upper halves of their registers.

use super::Cx;
use super::simd::{is_scalar, lane, rows};
use crate::insn::*;
use ir::{Lane, V1, V2, VShift, Val};

/// The narrow operands of an instruction, at the bottom; of a scalar row one lane, with zeros above.
fn narrow_operand(cx: &mut Cx, e: u32, k: u32, n: u32) -> Val {
    if is_scalar(k) {
        let v = cx.v(n);
        cx.keep(e, k, v)
    } else {
        cx.half(e >> 2, n)
    }
}

/// Vd = op of the widened lanes of Vn and Vm.
fn long(cx: &mut Cx, [e, d, n, m]: [u32; 4], widen: V1, op: V2) {
    let (a, b) = (cx.half(e >> 2, n), cx.half(e >> 2, m));
    let a = cx.b.v1(widen, lane(e), a);
    let b = cx.b.v1(widen, lane(e), b);
    let v = cx.b.v2(op, lane(e).wider(), a, b);
    cx.set_whole(d, v);
}

rows! { long(e d n m):
    saddl Saddl(V1::WidenS, V2::Add);
    uaddl Uaddl(V1::WidenU, V2::Add);
    ssubl Ssubl(V1::WidenS, V2::Sub);
    usubl Usubl(V1::WidenU, V2::Sub);
}

/// Vd = op of wide lanes of Vn and the widened ones of Vm.
fn wide(cx: &mut Cx, [e, d, n, m]: [u32; 4], widen: V1, op: V2) {
    let (a, b) = (cx.v(n), cx.half(e >> 2, m));
    let b = cx.b.v1(widen, lane(e), b);
    let v = cx.b.v2(op, lane(e).wider(), a, b);
    cx.set_whole(d, v);
}

rows! { wide(e d n m):
    saddw Saddw(V1::WidenS, V2::Add);
    uaddw Uaddw(V1::WidenU, V2::Add);
    ssubw Ssubw(V1::WidenS, V2::Sub);
    usubw Usubw(V1::WidenU, V2::Sub);
}

/// The upper halves of the wide lanes of a sum or difference.
fn high_narrow(cx: &mut Cx, [e, d, n, m]: [u32; 4], op: V2, round: bool) {
    let (a, b, wide) = (cx.v(n), cx.v(m), lane(e).wider());
    let half = lane(e).bits();
    let mut v = cx.b.v2(op, wide, a, b);
    if round {
        let one_half = cx.splat(wide, 1 << (half - 1));
        v = cx.b.v2(V2::Add, wide, v, one_half);
    }
    let v = cx.b.vshift(VShift::ShrU, wide, v, half);
    let v = cx.b.v1(V1::Narrow, wide, v);
    cx.set_half(e >> 2, d, v);
}

rows! { high_narrow(e d n m):
    addhn Addhn(V2::Add, false);
    subhn Subhn(V2::Sub, false);
    raddhn Raddhn(V2::Add, true);
    rsubhn Rsubhn(V2::Sub, true);
}

/// The absolute differences, which fit the narrow lanes, widened.
fn difference_long(cx: &mut Cx, [e, d, n, m]: [u32; 4], op: V2, accumulate: bool) {
    let (a, b) = (cx.half(e >> 2, n), cx.half(e >> 2, m));
    let v = cx.b.v2(op, lane(e), a, b);
    let mut v = cx.b.v1(V1::WidenU, lane(e), v);
    if accumulate {
        let c = cx.v(d);
        v = cx.b.v2(V2::Add, lane(e).wider(), c, v);
    }
    cx.set_whole(d, v);
}

rows! { difference_long(e d n m):
    sabdl Sabdl(V2::AbdS, false);
    uabdl Uabdl(V2::AbdU, false);
    sabal Sabal(V2::AbdS, true);
    uabal Uabal(V2::AbdU, true);
}

/// What becomes of a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Into {
    /// It is the result.
    Result,
    /// It is added to Vd, or taken from it.
    Plus,
    Minus,
}

/// The wide product of narrow operands, into Vd.
pub(super) fn multiply_long(cx: &mut Cx, [e, d]: [u32; 2], a: Val, b: Val, op: V2, into: Into) {
    let v = cx.b.v2(op, lane(e), a, b);
    let wide = lane(e).wider();
    let v = match into {
        Into::Result => v,
        Into::Plus => {
            let c = cx.v(d);
            cx.b.v2(V2::Add, wide, c, v)
        }
        Into::Minus => {
            let c = cx.v(d);
            cx.b.v2(V2::Sub, wide, c, v)
        }
    };
    cx.set_whole(d, v);
}

fn multiply_long_different(cx: &mut Cx, [e, d, n, m]: [u32; 4], op: V2, into: Into) {
    let (a, b) = (cx.half(e >> 2, n), cx.half(e >> 2, m));
    multiply_long(cx, [e, d], a, b, op, into);
}

rows! { multiply_long_different(e d n m):
    smull Smull(V2::MulWideS, Into::Result);
    umull Umull(V2::MulWideU, Into::Result);
    smlal Smlal(V2::MulWideS, Into::Plus);
    umlal Umlal(V2::MulWideU, Into::Plus);
    smlsl Smlsl(V2::MulWideS, Into::Minus);
    umlsl Umlsl(V2::MulWideU, Into::Minus);
}

/// PMULL, PMULL2: carry-less, bytes to halfwords or doublewords to quadwords.
pub(crate) fn pmull(cx: &mut Cx, i: Pmull) {
    let (a, b) = (cx.half(i.e >> 2, i.n), cx.half(i.e >> 2, i.m));
    let v = cx.b.v2(V2::PMulWide, lane(i.e), a, b);
    cx.set_whole(i.d, v);
}

/// SQDMULL and its accumulating forms. The product saturates for the most negative numbers alone, and is then odd, as no
/// other double product is. The operands of a scalar row have zeros above, so that the lanes above are zero in the product.
pub(super) fn double_multiply_long(cx: &mut Cx, [e, k, d]: [u32; 3], a: Val, b: Val, into: Into) {
    let wide = lane(e).wider();
    let product = cx.b.v2(V2::SatDoubleMulWide, lane(e), a, b);
    let one = cx.splat(wide, 1);
    let odd = cx.b.v2(V2::And, Lane::D, product, one);
    cx.saturated(odd);
    let (saturating, plain) = match into {
        Into::Result => return cx.set_whole(d, product),
        Into::Plus => (V2::SatAddS, V2::Add),
        Into::Minus => (V2::SatSubS, V2::Sub),
    };
    let c = cx.v(d);
    let v = cx.b.v2(saturating, wide, c, product);
    let wrapped = cx.b.v2(plain, wide, c, product);
    let arrangement = 4 | wide as u32;
    cx.saturated_if_differ(arrangement, k, v, wrapped);
    cx.set_lanes(arrangement, k, d, v);
}

fn double_multiply_long_different(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], into: Into) {
    let (a, b) = (narrow_operand(cx, e, k, n), narrow_operand(cx, e, k, m));
    double_multiply_long(cx, [e, k, d], a, b, into);
}

rows! { double_multiply_long_different(e k d n m):
    sqdmull Sqdmull(Into::Result);
    sqdmlal Sqdmlal(Into::Plus);
    sqdmlsl Sqdmlsl(Into::Minus);
}

// ---- narrowing, widening ----

/// The wide lanes of Vn narrowed; those that do not come back when widened have saturated.
pub(super) fn narrow_saturating(cx: &mut Cx, [e, k, d]: [u32; 3], v: Val, op: V1, widen: V1) {
    let wide = lane(e).wider();
    let narrow = cx.b.v1(op, wide, v);
    let back = cx.b.v1(widen, lane(e), narrow);
    let lost = cx.b.v2(V2::Xor, Lane::D, back, v);
    cx.saturated(lost);
    cx.set_half(if is_scalar(k) { 0 } else { e >> 2 }, d, narrow);
}

/// The wide operand of a narrowing instruction: of a scalar row one lane, with zeros above.
pub(super) fn wide_operand(cx: &mut Cx, e: u32, k: u32, n: u32) -> Val {
    let v = cx.v(n);
    cx.keep(4 | lane(e).wider() as u32, k, v)
}

fn narrow_saturating_row(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: V1, widen: V1) {
    let v = wide_operand(cx, e, k, n);
    narrow_saturating(cx, [e, k, d], v, op, widen);
}

rows! { narrow_saturating_row(e k d n):
    sqxtn Sqxtn(V1::NarrowSatS, V1::WidenS);
    sqxtun Sqxtun(V1::NarrowSatSU, V1::WidenU);
    uqxtn Uqxtn(V1::NarrowSatU, V1::WidenU);
}

pub(crate) fn xtn(cx: &mut Cx, i: Xtn) {
    let a = cx.v(i.n);
    let v = cx.b.v1(V1::Narrow, lane(i.e).wider(), a);
    cx.set_half(i.e >> 2, i.d, v);
}

/// SHLL: shifted left by the lane's width while widened.
pub(crate) fn shll(cx: &mut Cx, i: Shll) {
    let a = cx.half(i.e >> 2, i.n);
    let v = cx.b.v1(V1::WidenU, lane(i.e), a);
    let v = cx.b.vshift(VShift::Shl, lane(i.e).wider(), v, lane(i.e).bits());
    cx.set_whole(i.d, v);
}
