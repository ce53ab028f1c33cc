//! Advanced SIMD shifts by an immediate, with their scalar forms (Arm ARM C4.1.96: shift by immediate).
//!
//! The row's `i` is immh:immb: its highest one is the lane, the rest the amount, which counts down for right shifts.

use super::Cx;
use super::simd::{arrangement, rows, shift_lane};
use super::simd_wide::{narrow_saturating, wide_operand};
use crate::insn::*;
use ir::{Lane, V1, V2, V3, VShift, Val};

fn left_amount(i: u32) -> u32 {
    i - shift_lane(i).bits()
}

/// 1 to the lane's width.
fn right_amount(i: u32) -> u32 {
    2 * shift_lane(i).bits() - i
}

/// Vd = Vn shifted right.
fn right(cx: &mut Cx, [q, k, d, n, i]: [u32; 5], op: VShift) {
    let a = cx.v(n);
    let v = cx.b.vshift(op, shift_lane(i), a, right_amount(i));
    cx.set_lanes(arrangement(q, shift_lane(i)), k, d, v);
}

rows! { right(q k d n i):
    sshr Sshr(VShift::ShrS);
    ushr Ushr(VShift::ShrU);
    srshr Srshr(VShift::ShrRoundS);
    urshr Urshr(VShift::ShrRoundU);
}

/// The same, added to Vd.
fn right_accumulate(cx: &mut Cx, [q, k, d, n, i]: [u32; 5], op: VShift) {
    let (a, c, lane) = (cx.v(n), cx.v(d), shift_lane(i));
    let v = cx.b.vshift(op, lane, a, right_amount(i));
    let v = cx.b.v2(V2::Add, lane, c, v);
    cx.set_lanes(arrangement(q, lane), k, d, v);
}

rows! { right_accumulate(q k d n i):
    ssra Ssra(VShift::ShrS);
    usra Usra(VShift::ShrU);
    srsra Srsra(VShift::ShrRoundS);
    ursra Ursra(VShift::ShrRoundU);
}

pub(crate) fn shl(cx: &mut Cx, i: Shl) {
    let (a, lane) = (cx.v(i.n), shift_lane(i.i));
    let v = cx.b.vshift(VShift::Shl, lane, a, left_amount(i.i));
    cx.set_lanes(arrangement(i.q, lane), i.k, i.d, v);
}

/// SLI, SRI: the bits of `mask` (in a lane) come from the shifted lane, the others stay.
fn insert(cx: &mut Cx, [q, k, d, n, i]: [u32; 5], op: VShift, amount: u32, mask: u64) {
    let (a, c, lane) = (cx.v(n), cx.v(d), shift_lane(i));
    let v = cx.b.vshift(op, lane, a, amount);
    let mask = cx.splat(lane, mask);
    let v = cx.b.v3(V3::BitSelect, lane, mask, v, c);
    cx.set_lanes(arrangement(q, lane), k, d, v);
}

pub(crate) fn sli(cx: &mut Cx, i: Sli) {
    let amount = left_amount(i.i);
    insert(cx, [i.q, i.k, i.d, i.n, i.i], VShift::Shl, amount, u64::MAX << amount);
}

pub(crate) fn sri(cx: &mut Cx, i: Sri) {
    let amount = right_amount(i.i);
    let mask = shift_lane(i.i).mask().checked_shr(amount).unwrap_or(0);
    insert(cx, [i.q, i.k, i.d, i.n, i.i], VShift::ShrU, amount, mask);
}

/// Saturating left shifts: lanes that do not come back when shifted right have saturated.
fn left_saturating(cx: &mut Cx, [q, k, d, n, i]: [u32; 5], op: VShift, back: VShift) {
    let (a, lane, amount) = (cx.v(n), shift_lane(i), left_amount(i));
    let v = cx.b.vshift(op, lane, a, amount);
    let back = if amount == 0 { v } else { cx.b.vshift(back, lane, v, amount) };
    cx.saturated_if_differ(arrangement(q, lane), k, back, a);
    cx.set_lanes(arrangement(q, lane), k, d, v);
}

rows! { left_saturating(q k d n i):
    sqshl_imm SqshlImm(VShift::ShlSatS, VShift::ShrS);
    uqshl_imm UqshlImm(VShift::ShlSatU, VShift::ShrU);
    sqshlu Sqshlu(VShift::ShlSatSU, VShift::ShrU);
}

// ---- narrowing and widening ----

/// The wide operand shifted right; `i` tells the narrow lane.
fn shifted_wide(cx: &mut Cx, [q, k, n, i]: [u32; 4], op: VShift) -> Val {
    let v = wide_operand(cx, arrangement(q, shift_lane(i)), k, n);
    cx.b.vshift(op, shift_lane(i).wider(), v, right_amount(i))
}

fn right_narrow(cx: &mut Cx, [q, k, d, n, i]: [u32; 5], op: VShift) {
    let v = shifted_wide(cx, [q, k, n, i], op);
    let v = cx.b.v1(V1::Narrow, shift_lane(i).wider(), v);
    cx.set_half(q, d, v);
}

rows! { right_narrow(q k d n i):
    shrn Shrn(VShift::ShrU);
    rshrn Rshrn(VShift::ShrRoundU);
}

fn right_narrow_saturating(cx: &mut Cx, [q, k, d, n, i]: [u32; 5], op: VShift, narrow: V1, widen: V1) {
    let v = shifted_wide(cx, [q, k, n, i], op);
    narrow_saturating(cx, [arrangement(q, shift_lane(i)), k, d], v, narrow, widen);
}

rows! { right_narrow_saturating(q k d n i):
    sqshrn Sqshrn(VShift::ShrS, V1::NarrowSatS, V1::WidenS);
    sqrshrn Sqrshrn(VShift::ShrRoundS, V1::NarrowSatS, V1::WidenS);
    sqshrun Sqshrun(VShift::ShrS, V1::NarrowSatSU, V1::WidenU);
    sqrshrun Sqrshrun(VShift::ShrRoundS, V1::NarrowSatSU, V1::WidenU);
    uqshrn Uqshrn(VShift::ShrU, V1::NarrowSatU, V1::WidenU);
    uqrshrn Uqrshrn(VShift::ShrRoundU, V1::NarrowSatU, V1::WidenU);
}

/// SSHLL, USHLL. A shift by zero is SXTL, UXTL.
fn left_long(cx: &mut Cx, [q, d, n, i]: [u32; 4], widen: V1) {
    let (a, lane) = (cx.half(q, n), shift_lane(i));
    let mut v = cx.b.v1(widen, lane, a);
    if left_amount(i) != 0 {
        v = cx.b.vshift(VShift::Shl, lane.wider(), v, left_amount(i));
    }
    cx.set_whole(d, v);
}

rows! { left_long(q d n i):
    sshll Sshll(V1::WidenS);
    ushll Ushll(V1::WidenU);
}

// ---- fixed point ----

/// SCVTF, UCVTF of vectors.
fn from_fixed(cx: &mut Cx, [q, k, d, n, i]: [u32; 5], signed: bool) {
    let (a, shape) = (cx.v(n), fixed_shape(q, k, i));
    let env = cx.env(shape.fmt);
    let v = cx.b.fp_from_int(shape, env, signed, right_amount(i), a);
    cx.set_whole(d, v);
}

rows! { from_fixed(q k d n i):
    scvtf_vfix ScvtfVfix(true);
    ucvtf_vfix UcvtfVfix(false);
}

/// FCVTZS, FCVTZU of vectors.
fn to_fixed(cx: &mut Cx, [q, k, d, n, i]: [u32; 5], signed: bool) {
    let (a, shape) = (cx.v(n), fixed_shape(q, k, i));
    let env = cx.env(shape.fmt).round(ir::Round::Zero);
    let v = cx.b.fp_to_int_lanes(shape, env, signed, right_amount(i), a);
    cx.set_whole(d, v);
}

rows! { to_fixed(q k d n i):
    fcvtzs_vfix FcvtzsVfix(true);
    fcvtzu_vfix FcvtzuVfix(false);
}

fn fixed_shape(q: u32, k: u32, i: u32) -> ir::Shape {
    let fmt = match shift_lane(i) {
        Lane::H => ir::Fmt::F16,
        Lane::S => ir::Fmt::F32,
        _ => ir::Fmt::F64,
    };
    if super::simd::is_scalar(k) { ir::Shape::vector(fmt, 1) } else { super::simd::fp_lanes(fmt, q) }
}
