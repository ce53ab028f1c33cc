//! Advanced SIMD shifts by an immediate (Arm ARM F4.1.11: two registers and a shift amount).
//!
//! l:i has its highest one where the lane is, the rest is the amount, which counts down for right shifts.

use super::Cx;
use super::simd::{rows, singles};
use super::simd_wide::narrow_saturating;
use crate::insn::*;
use ir::{Lane, Round, V1, V2, V3, VShift, Val};

/// The lane of l:i.
fn lane(i: u32) -> Lane {
    Lane::log2(i.ilog2() - 3)
}

fn left_amount(i: u32) -> u32 {
    i - lane(i).bits()
}

/// 1 to the lane's width.
fn right_amount(i: u32) -> u32 {
    2 * lane(i).bits() - i
}

/// Vd = Vm shifted right, or that added to Vd.
fn right(cx: &mut Cx, [u, q, l, i, d, m]: [u32; 6], op: [VShift; 2], accumulate: bool) {
    let Some(r) = cx.two(q, d, m) else { return };
    let i = l << 6 | i;
    let a = cx.v(q, r.m);
    let mut v = cx.b.vshift(op[u as usize], lane(i), a, right_amount(i));
    if accumulate {
        let c = cx.v(q, d);
        v = cx.b.v2(V2::Add, lane(i), c, v);
    }
    cx.set_v(q, d, v);
}

rows! { right(u q l i d m):
    vshr Vshr([VShift::ShrS, VShift::ShrU], false);
    vsra Vsra([VShift::ShrS, VShift::ShrU], true);
    vrshr Vrshr([VShift::ShrRoundS, VShift::ShrRoundU], false);
    vrsra Vrsra([VShift::ShrRoundS, VShift::ShrRoundU], true);
}

pub(crate) fn vshl_i(cx: &mut Cx, a: VshlI) {
    let Some(r) = cx.two(a.q, a.d, a.m) else { return };
    let i = a.l << 6 | a.i;
    let v = cx.v(a.q, r.m);
    let v = cx.b.vshift(VShift::Shl, lane(i), v, left_amount(i));
    cx.set_v(a.q, a.d, v);
}

/// VSLI, VSRI: the bits of `mask` (in a lane) come from the shifted lane, the others stay.
fn insert(cx: &mut Cx, [q, i, d, m]: [u32; 4], op: VShift, amount: u32, mask: u64) {
    let Some(r) = cx.two(q, d, m) else { return };
    let (a, c, lane) = (cx.v(q, r.m), cx.v(q, r.d), lane(i));
    let v = cx.b.vshift(op, lane, a, amount);
    let mask = cx.splat(lane, mask);
    let v = cx.b.v3(V3::BitSelect, lane, mask, v, c);
    cx.set_v(q, d, v);
}

pub(crate) fn vsli(cx: &mut Cx, a: Vsli) {
    let i = a.l << 6 | a.i;
    let amount = left_amount(i);
    insert(cx, [a.q, i, a.d, a.m], VShift::Shl, amount, u64::MAX << amount);
}

pub(crate) fn vsri(cx: &mut Cx, a: Vsri) {
    let i = a.l << 6 | a.i;
    let amount = right_amount(i);
    insert(cx, [a.q, i, a.d, a.m], VShift::ShrU, amount, lane(i).mask().checked_shr(amount).unwrap_or(0));
}

/// Saturating left shifts: lanes that do not come back when shifted right have saturated.
fn left_saturating(cx: &mut Cx, [q, i, d, m]: [u32; 4], op: VShift, back: VShift) {
    let Some(r) = cx.two(q, d, m) else { return };
    let (a, lane, amount) = (cx.v(q, r.m), lane(i), left_amount(i));
    let v = cx.b.vshift(op, lane, a, amount);
    let back = if amount == 0 { v } else { cx.b.vshift(back, lane, v, amount) };
    cx.saturated_if_differ(q, back, a);
    cx.set_v(q, d, v);
}

pub(crate) fn vqshlu(cx: &mut Cx, a: Vqshlu) {
    left_saturating(cx, [a.q, a.l << 6 | a.i, a.d, a.m], VShift::ShlSatSU, VShift::ShrU);
}

pub(crate) fn vqshl_i(cx: &mut Cx, a: VqshlI) {
    let (op, back) = if a.u == 1 { (VShift::ShlSatU, VShift::ShrU) } else { (VShift::ShlSatS, VShift::ShrS) };
    left_saturating(cx, [a.q, a.l << 6 | a.i, a.d, a.m], op, back);
}

// ---- narrowing and widening ----

/// Qm shifted right; `i` tells the narrow lane. None (and the trap) if its number is odd.
fn shifted_wide(cx: &mut Cx, i: u32, m: u32, op: VShift) -> Option<Val> {
    if m & 1 == 1 {
        cx.undefined();
        return None;
    }
    let v = cx.quad(m);
    Some(cx.b.vshift(op, lane(i).wider(), v, right_amount(i)))
}

fn right_narrow(cx: &mut Cx, [i, d, m]: [u32; 3], op: VShift) {
    let Some(v) = shifted_wide(cx, i, m, op) else { return };
    let v = cx.b.v1(V1::Narrow, lane(i).wider(), v);
    cx.set_d(d, v);
}

rows! { right_narrow(i d m):
    vshrn Vshrn(VShift::ShrU);
    vrshrn Vrshrn(VShift::ShrRoundU);
}

fn right_narrow_saturating(cx: &mut Cx, [i, d, m]: [u32; 3], op: VShift, narrow: V1, widen: V1) {
    let Some(v) = shifted_wide(cx, i, m, op) else { return };
    narrow_saturating(cx, lane(i), d, v, narrow, widen);
}

rows! { right_narrow_saturating(i d m):
    vqshrun Vqshrun(VShift::ShrS, V1::NarrowSatSU, V1::WidenU);
    vqrshrun Vqrshrun(VShift::ShrRoundS, V1::NarrowSatSU, V1::WidenU);
}

fn right_narrow_same(cx: &mut Cx, [u, i, d, m]: [u32; 4], op: [VShift; 2]) {
    let (narrow, widen) = if u == 1 { (V1::NarrowSatU, V1::WidenU) } else { (V1::NarrowSatS, V1::WidenS) };
    right_narrow_saturating(cx, [i, d, m], op[u as usize], narrow, widen);
}

rows! { right_narrow_same(u i d m):
    vqshrn Vqshrn([VShift::ShrS, VShift::ShrU]);
    vqrshrn Vqrshrn([VShift::ShrRoundS, VShift::ShrRoundU]);
}

/// VSHLL; by zero it is VMOVL.
pub(crate) fn vshll(cx: &mut Cx, a: Vshll) {
    if a.d & 1 == 1 || a.i >= 64 {
        return cx.undefined();
    }
    let (v, lane) = (cx.d(a.m), lane(a.i));
    let mut v = cx.b.v1(if a.u == 1 { V1::WidenU } else { V1::WidenS }, lane, v);
    if left_amount(a.i) != 0 {
        v = cx.b.vshift(VShift::Shl, lane.wider(), v, left_amount(a.i));
    }
    cx.set_quad(a.d, v);
}

// ---- fixed point ----

pub(crate) fn vcvt_fix_from(cx: &mut Cx, a: VcvtFixFrom) {
    let Some(r) = cx.two(a.q, a.d, a.m) else { return };
    let (v, env) = (cx.v(a.q, r.m), cx.standard());
    let v = cx.b.fp_from_int(singles(a.q), env, a.u == 0, 64 - a.i, v);
    cx.set_v(a.q, a.d, v);
}

pub(crate) fn vcvt_fix_to(cx: &mut Cx, a: VcvtFixTo) {
    let Some(r) = cx.two(a.q, a.d, a.m) else { return };
    let (v, env) = (cx.v(a.q, r.m), cx.standard().round(Round::Zero));
    let v = cx.b.fp_to_int_lanes(singles(a.q), env, a.u == 0, 64 - a.i, v);
    cx.set_v(a.q, a.d, v);
}
