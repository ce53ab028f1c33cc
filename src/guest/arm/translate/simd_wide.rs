//! Advanced SIMD between lanes of different width: three registers of different lengths, a vector and a scalar, narrowing
//! (Arm ARM F4.1.11). Lanes are those of the narrow side.

use super::Cx;
use super::simd::{Three, double, rows, singles};
use super::simd_float::multiply_add;
use super::simd_integer::double_multiply_high;
use crate::insn::*;
use ir::{Fp2, Lane, V1, V2, VShift, Val};

fn widen(u: u32) -> V1 {
    if u == 1 { V1::WidenU } else { V1::WidenS }
}

/// A wide destination and narrow sources; None (and the trap) for an odd destination.
fn long_operands(cx: &mut Cx, d: u32, n: u32, m: u32) -> Option<Three> {
    if d & 1 == 1 {
        cx.undefined();
        return None;
    }
    Some(Three { d, n: double(n), m })
}

/// Qd = op of the widened lanes of Dn and Dm.
fn long(cx: &mut Cx, [u, z, d, n, m]: [u32; 5], op: V2) {
    let Some(r) = long_operands(cx, d, n, m) else { return };
    let (a, b) = (cx.d(r.n), cx.d(r.m));
    let a = cx.b.v1(widen(u), Lane::log2(z), a);
    let b = cx.b.v1(widen(u), Lane::log2(z), b);
    let v = cx.b.v2(op, Lane::log2(z).wider(), a, b);
    cx.set_quad(d, v);
}

rows! { long(u z d n m):
    vaddl Vaddl(V2::Add);
    vsubl Vsubl(V2::Sub);
}

/// Qd = op of the wide lanes of Qn and the widened ones of Dm.
fn wide(cx: &mut Cx, [u, z, d, n, m]: [u32; 5], op: V2) {
    let Some(r) = long_operands(cx, d, n, m) else { return };
    if r.n & 1 == 1 {
        return cx.undefined();
    }
    let (a, b) = (cx.quad(r.n), cx.d(r.m));
    let b = cx.b.v1(widen(u), Lane::log2(z), b);
    let v = cx.b.v2(op, Lane::log2(z).wider(), a, b);
    cx.set_quad(d, v);
}

rows! { wide(u z d n m):
    vaddw Vaddw(V2::Add);
    vsubw Vsubw(V2::Sub);
}

/// The upper halves of the wide lanes of a sum or difference.
fn high_narrow(cx: &mut Cx, [z, d, n, m]: [u32; 4], op: V2, round: bool) {
    let (n, lane) = (double(n), Lane::log2(z));
    if (n | m) & 1 == 1 {
        return cx.undefined();
    }
    let (a, b) = (cx.quad(n), cx.quad(m));
    let mut v = cx.b.v2(op, lane.wider(), a, b);
    if round {
        let one_half = cx.splat(lane.wider(), 1 << (lane.bits() - 1));
        v = cx.b.v2(V2::Add, lane.wider(), v, one_half);
    }
    let v = cx.b.vshift(VShift::ShrU, lane.wider(), v, lane.bits());
    let v = cx.b.v1(V1::Narrow, lane.wider(), v);
    cx.set_d(d, v);
}

rows! { high_narrow(z d n m):
    vaddhn Vaddhn(V2::Add, false);
    vraddhn Vraddhn(V2::Add, true);
    vsubhn Vsubhn(V2::Sub, false);
    vrsubhn Vrsubhn(V2::Sub, true);
}

/// The absolute differences, which fit the narrow lanes, widened.
fn difference_long(cx: &mut Cx, [u, z, d, n, m]: [u32; 5], accumulate: bool) {
    let Some(r) = long_operands(cx, d, n, m) else { return };
    let (a, b) = (cx.d(r.n), cx.d(r.m));
    let v = cx.b.v2(if u == 1 { V2::AbdU } else { V2::AbdS }, Lane::log2(z), a, b);
    let mut v = cx.b.v1(V1::WidenU, Lane::log2(z), v);
    if accumulate {
        let c = cx.quad(d);
        v = cx.b.v2(V2::Add, Lane::log2(z).wider(), c, v);
    }
    cx.set_quad(d, v);
}

rows! { difference_long(u z d n m):
    vabdl Vabdl(false);
    vabal Vabal(true);
}

/// What becomes of a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Into {
    /// It is the result.
    Result,
    /// It is added to Vd, or taken from it.
    Plus,
    Minus,
}

fn multiply_long(cx: &mut Cx, [u, z, d]: [u32; 3], a: Val, b: Val, into: Into) {
    let (lane, c) = (Lane::log2(z), cx.quad(d));
    let v = cx.b.v2(if u == 1 { V2::MulWideU } else { V2::MulWideS }, lane, a, b);
    let v = match into {
        Into::Result => v,
        Into::Plus => cx.b.v2(V2::Add, lane.wider(), c, v),
        Into::Minus => cx.b.v2(V2::Sub, lane.wider(), c, v),
    };
    cx.set_quad(d, v);
}

fn multiply_long_different(cx: &mut Cx, [u, z, d, n, m]: [u32; 5], into: Into) {
    let Some(r) = long_operands(cx, d, n, m) else { return };
    let (a, b) = (cx.d(r.n), cx.d(r.m));
    multiply_long(cx, [u, z, d], a, b, into);
}

rows! { multiply_long_different(u z d n m):
    vmull Vmull(Into::Result);
    vmlal Vmlal(Into::Plus);
    vmlsl Vmlsl(Into::Minus);
}

/// VMULL.P8, and VMULL.P64 (`z` 2).
pub(crate) fn vmull_p(cx: &mut Cx, i: VmullP) {
    let Some(r) = long_operands(cx, i.d, i.n, i.m) else { return };
    let (a, b) = (cx.d(r.n), cx.d(r.m));
    let v = cx.b.v2(V2::PMulWide, if i.z == 2 { Lane::D } else { Lane::B }, a, b);
    cx.set_quad(i.d, v);
}

/// VQDMULL and its accumulating forms. The product saturates for the most negative numbers alone, and is then odd, as no other
/// double product is.
fn double_multiply_long(cx: &mut Cx, [z, d]: [u32; 2], a: Val, b: Val, into: Into) {
    let (lane, wide) = (Lane::log2(z), Lane::log2(z).wider());
    let product = cx.b.v2(V2::SatDoubleMulWide, lane, a, b);
    let one = cx.splat(wide, 1);
    let odd = cx.b.v2(V2::And, Lane::D, product, one);
    cx.saturated(1, odd);
    let (saturating, plain) = match into {
        Into::Result => return cx.set_quad(d, product),
        Into::Plus => (V2::SatAddS, V2::Add),
        Into::Minus => (V2::SatSubS, V2::Sub),
    };
    let c = cx.quad(d);
    let v = cx.b.v2(saturating, wide, c, product);
    let wrapped = cx.b.v2(plain, wide, c, product);
    cx.saturated_if_differ(1, v, wrapped);
    cx.set_quad(d, v);
}

fn double_multiply_long_different(cx: &mut Cx, [z, d, n, m]: [u32; 4], into: Into) {
    let Some(r) = long_operands(cx, d, n, m) else { return };
    let (a, b) = (cx.d(r.n), cx.d(r.m));
    double_multiply_long(cx, [z, d], a, b, into);
}

rows! { double_multiply_long_different(z d n m):
    vqdmull Vqdmull(Into::Result);
    vqdmlal Vqdmlal(Into::Plus);
    vqdmlsl Vqdmlsl(Into::Minus);
}

// ---- a vector and a scalar ----

/// The scalar in every lane: a halfword is in d0 to d7, a word in d0 to d15.
fn scalar(cx: &mut Cx, z: u32, m: u32) -> Val {
    if z == 1 { cx.splat_d_lane(Lane::H, m & 7, m >> 3) } else { cx.splat_d_lane(Lane::S, m & 15, m >> 4) }
}

fn multiply_by(cx: &mut Cx, [q, z, d, n, m]: [u32; 5], into: Into) {
    let Some(r) = cx.three(q, d, n, 0) else { return };
    let (a, b, lane) = (cx.v(q, r.n), scalar(cx, z, m), Lane::log2(z));
    let v = cx.b.v2(V2::Mul, lane, a, b);
    let c = cx.v(q, d);
    let v = match into {
        Into::Result => v,
        Into::Plus => cx.b.v2(V2::Add, lane, c, v),
        Into::Minus => cx.b.v2(V2::Sub, lane, c, v),
    };
    cx.set_v(q, d, v);
}

rows! { multiply_by(q z d n m):
    vmul_s VmulS(Into::Result);
    vmla_s VmlaS(Into::Plus);
    vmls_s VmlsS(Into::Minus);
}

fn multiply_by_float(cx: &mut Cx, [q, z, d, n, m]: [u32; 5], into: Into) {
    let Some(r) = cx.three(q, d, n, 0) else { return };
    let (a, b) = (cx.v(q, r.n), scalar(cx, z, m));
    if into != Into::Result {
        return multiply_add(cx, q, d, a, b, into == Into::Minus);
    }
    let env = cx.standard();
    let v = cx.b.fp2(Fp2::Mul, singles(q), env, a, b);
    cx.set_v(q, d, v);
}

rows! { multiply_by_float(q z d n m):
    vmul_sf VmulSf(Into::Result);
    vmla_sf VmlaSf(Into::Plus);
    vmls_sf VmlsSf(Into::Minus);
}

fn multiply_long_by(cx: &mut Cx, [u, z, d, n, m]: [u32; 5], into: Into) {
    let Some(r) = long_operands(cx, d, n, 0) else { return };
    let (a, b) = (cx.d(r.n), scalar(cx, z, m));
    multiply_long(cx, [u, z, d], a, b, into);
}

rows! { multiply_long_by(u z d n m):
    vmull_s VmullS(Into::Result);
    vmlal_s VmlalS(Into::Plus);
    vmlsl_s VmlslS(Into::Minus);
}

fn double_multiply_long_by(cx: &mut Cx, [z, d, n, m]: [u32; 4], into: Into) {
    let Some(r) = long_operands(cx, d, n, 0) else { return };
    let (a, b) = (cx.d(r.n), scalar(cx, z, m));
    double_multiply_long(cx, [z, d], a, b, into);
}

rows! { double_multiply_long_by(z d n m):
    vqdmull_s VqdmullS(Into::Result);
    vqdmlal_s VqdmlalS(Into::Plus);
    vqdmlsl_s VqdmlslS(Into::Minus);
}

fn double_multiply_high_by(cx: &mut Cx, [q, z, d, n, m]: [u32; 5], op: V2) {
    let Some(r) = cx.three(q, d, n, 0) else { return };
    let (a, b) = (cx.v(q, r.n), scalar(cx, z, m));
    double_multiply_high(cx, q, Lane::log2(z), d, a, b, op);
}

rows! { double_multiply_high_by(q z d n m):
    vqdmulh_s VqdmulhS(V2::SatDoubleMulHi);
    vqrdmulh_s VqrdmulhS(V2::SatDoubleMulHiRound);
}

// ---- narrowing, widening ----

/// The wide lanes narrowed into Dd; those that do not come back when widened have saturated.
pub(super) fn narrow_saturating(cx: &mut Cx, lane: Lane, d: u32, v: Val, op: V1, widen: V1) {
    let narrow = cx.b.v1(op, lane.wider(), v);
    let back = cx.b.v1(widen, lane, narrow);
    cx.saturated_if_differ(1, back, v);
    cx.set_d(d, narrow);
}

pub(crate) fn vmovn(cx: &mut Cx, i: Vmovn) {
    let Some(r) = long_operands(cx, i.m, 0, 0) else { return };
    let a = cx.quad(r.d);
    let v = cx.b.v1(V1::Narrow, Lane::log2(i.z).wider(), a);
    cx.set_d(i.d, v);
}

fn move_narrow(cx: &mut Cx, [z, d, m]: [u32; 3], op: V1, widen: V1) {
    if m & 1 == 1 {
        return cx.undefined();
    }
    let v = cx.quad(m);
    narrow_saturating(cx, Lane::log2(z), d, v, op, widen);
}

pub(crate) fn vqmovun(cx: &mut Cx, i: Vqmovun) {
    move_narrow(cx, [i.z, i.d, i.m], V1::NarrowSatSU, V1::WidenU);
}

pub(crate) fn vqmovn(cx: &mut Cx, i: Vqmovn) {
    let (op, back) = if i.u == 1 { (V1::NarrowSatU, V1::WidenU) } else { (V1::NarrowSatS, V1::WidenS) };
    move_narrow(cx, [i.z, i.d, i.m], op, back);
}

/// VSHLL by the lane's width.
pub(crate) fn vshll_max(cx: &mut Cx, i: VshllMax) {
    let Some(r) = long_operands(cx, i.d, 0, i.m) else { return };
    let (a, lane) = (cx.d(r.m), Lane::log2(i.z));
    let v = cx.b.v1(V1::WidenU, lane, a);
    let v = cx.b.vshift(VShift::Shl, lane.wider(), v, lane.bits());
    cx.set_quad(i.d, v);
}
