//! Advanced SIMD on integer lanes of one width: three registers of the same length, two registers (Arm ARM F4.1.11).

use super::Cx;
use super::simd::rows;
use crate::insn::*;
use ir::{Lane, V1, V2, V3, VShift, Val};

// ---- three same ----

/// Vd = op(Vn, Vm); of a pair of operations the second is the unsigned one.
fn same(cx: &mut Cx, [u, q, z, d, n, m]: [u32; 6], op: [V2; 2]) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b) = (cx.v(q, r.n), cx.v(q, r.m));
    let v = cx.b.v2(op[u as usize], Lane::log2(z), a, b);
    cx.set_v(q, d, v);
}

rows! { same(u q z d n m):
    vhadd Vhadd([V2::HalfAddS, V2::HalfAddU]);
    vrhadd Vrhadd([V2::HalfAddRoundS, V2::HalfAddRoundU]);
    vhsub Vhsub([V2::HalfSubS, V2::HalfSubU]);
    vcgt Vcgt([V2::CmpGtS, V2::CmpGtU]);
    vcge Vcge([V2::CmpGeS, V2::CmpGeU]);
    vmax Vmax([V2::MaxS, V2::MaxU]);
    vmin Vmin([V2::MinS, V2::MinU]);
    vabd Vabd([V2::AbdS, V2::AbdU]);
}

fn same_plain(cx: &mut Cx, [q, z, d, n, m]: [u32; 5], op: V2) {
    same(cx, [0, q, z, d, n, m], [op; 2]);
}

rows! { same_plain(q z d n m):
    vadd_i VaddI(V2::Add);
    vsub_i VsubI(V2::Sub);
    vtst Vtst(V2::CmpTst);
    vceq Vceq(V2::CmpEq);
    vmul_i VmulI(V2::Mul);
    vmul_p VmulP(V2::PMul);
}

/// The shifts take the amount from Vn: Vd = op(Vm, Vn).
fn shift(cx: &mut Cx, [u, q, z, d, n, m]: [u32; 6], op: [V2; 2]) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b) = (cx.v(q, r.m), cx.v(q, r.n));
    let v = cx.b.v2(op[u as usize], Lane::log2(z), a, b);
    cx.set_v(q, d, v);
}

rows! { shift(u q z d n m):
    vshl Vshl([V2::ShiftS, V2::ShiftU]);
    vrshl Vrshl([V2::ShiftRoundS, V2::ShiftRoundU]);
}

/// Vd = Vd with op(Vn, Vm) added or taken away.
fn same_accumulate(cx: &mut Cx, [u, q, z, d, n, m]: [u32; 6], op: [V2; 2], sum: V2) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b, c) = (cx.v(q, r.n), cx.v(q, r.m), cx.v(q, r.d));
    let v = cx.b.v2(op[u as usize], Lane::log2(z), a, b);
    let v = cx.b.v2(sum, Lane::log2(z), c, v);
    cx.set_v(q, d, v);
}

rows! { same_accumulate(u q z d n m):
    vaba Vaba([V2::AbdS, V2::AbdU], V2::Add);
}

fn multiply_accumulate(cx: &mut Cx, [q, z, d, n, m]: [u32; 5], sum: V2) {
    same_accumulate(cx, [0, q, z, d, n, m], [V2::Mul; 2], sum);
}

rows! { multiply_accumulate(q z d n m):
    vmla_i VmlaI(V2::Add);
    vmls_i VmlsI(V2::Sub);
}

/// Vd = op(Vn, Vm), saturated. The lanes that saturated differ from those of the wrapping operation.
fn saturating(cx: &mut Cx, [u, q, z, d, n, m]: [u32; 6], op: [V2; 2], plain: V2) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b) = (cx.v(q, r.n), cx.v(q, r.m));
    let v = cx.b.v2(op[u as usize], Lane::log2(z), a, b);
    let wrapped = cx.b.v2(plain, Lane::log2(z), a, b);
    cx.saturated_if_differ(q, v, wrapped);
    cx.set_v(q, d, v);
}

rows! { saturating(u q z d n m):
    vqadd Vqadd([V2::SatAddS, V2::SatAddU], V2::Add);
    vqsub Vqsub([V2::SatSubS, V2::SatSubU], V2::Sub);
}

/// VQSHL and VQRSHL by register. Besides the lanes that differ from the plain shift those count that come back as another
/// value: a negative number can overflow to the most negative one both ways.
fn shift_saturating(cx: &mut Cx, [u, q, z, d, n, m]: [u32; 6], op: [V2; 2], plain: [V2; 2]) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b, lane) = (cx.v(q, r.m), cx.v(q, r.n), Lane::log2(z));
    let v = cx.b.v2(op[u as usize], lane, a, b);
    let wrapped = cx.b.v2(plain[u as usize], lane, a, b);
    cx.saturated_if_differ(q, v, wrapped);
    if u == 0 {
        // Only left shifts saturate: the amount is the signed low byte.
        let amount = cx.b.vshift(VShift::Shl, lane, b, lane.bits() - 8);
        let zero = cx.b.v128(0);
        let left = cx.b.v2(V2::CmpGtS, lane, amount, zero);
        let minus = cx.b.v1(V1::Neg, lane, b);
        let back = cx.b.v2(V2::ShiftS, lane, v, minus);
        let lost = cx.b.v2(V2::Xor, Lane::D, back, a);
        let lost = cx.b.v2(V2::And, Lane::D, lost, left);
        cx.saturated(q, lost);
    }
    cx.set_v(q, d, v);
}

rows! { shift_saturating(u q z d n m):
    vqshl Vqshl([V2::ShiftSatS, V2::ShiftSatU], [V2::ShiftS, V2::ShiftU]);
    vqrshl Vqrshl([V2::ShiftSatRoundS, V2::ShiftSatRoundU], [V2::ShiftRoundS, V2::ShiftRoundU]);
}

/// VQDMULH, VQRDMULH: they saturate for the most negative numbers alone.
pub(super) fn double_multiply_high(cx: &mut Cx, q: u32, lane: Lane, d: u32, a: Val, b: Val, op: V2) {
    let v = cx.b.v2(op, lane, a, b);
    let minimal = cx.splat(lane, 1 << (lane.bits() - 1));
    let x = cx.b.v2(V2::CmpEq, lane, a, minimal);
    let y = cx.b.v2(V2::CmpEq, lane, b, minimal);
    let over = cx.b.v2(V2::And, lane, x, y);
    cx.saturated(q, over);
    cx.set_v(q, d, v);
}

fn double_multiply_high_same(cx: &mut Cx, [q, z, d, n, m]: [u32; 5], op: V2) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b) = (cx.v(q, r.n), cx.v(q, r.m));
    double_multiply_high(cx, q, Lane::log2(z), d, a, b, op);
}

rows! { double_multiply_high_same(q z d n m):
    vqdmulh Vqdmulh(V2::SatDoubleMulHi);
    vqrdmulh Vqrdmulh(V2::SatDoubleMulHiRound);
}

fn pairwise(cx: &mut Cx, [u, z, d, n, m]: [u32; 5], op: [V2; 2]) {
    let Some(r) = cx.three(0, d, n, m) else { return };
    let (a, b) = (cx.d(r.n), cx.d(r.m));
    let both = cx.b.v2(V2::ConcatLo, Lane::D, a, b);
    let v = cx.b.v2(op[u as usize], Lane::log2(z), both, both);
    cx.set_d(d, v);
}

rows! { pairwise(u z d n m):
    vpmax Vpmax([V2::PairwiseMaxS, V2::PairwiseMaxU]);
    vpmin Vpmin([V2::PairwiseMinS, V2::PairwiseMinU]);
}

pub(crate) fn vpadd_i(cx: &mut Cx, i: VpaddI) {
    pairwise(cx, [0, i.z, i.d, i.n, i.m], [V2::PairwiseAdd; 2]);
}

/// Vd = op(Vn, Vm), bit by bit.
fn logical(cx: &mut Cx, [q, d, n, m]: [u32; 4], op: V2) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b) = (cx.v(q, r.n), cx.v(q, r.m));
    // VORR of a register with itself is VMOV.
    let v = if r.n == r.m && op == V2::Or { a } else { cx.b.v2(op, Lane::D, a, b) };
    cx.set_v(q, d, v);
}

rows! { logical(q d n m):
    vand Vand(V2::And);
    vbic Vbic(V2::AndNot);
    vorr Vorr(V2::Or);
    vorn Vorn(V2::OrNot);
    veor Veor(V2::Xor);
}

/// VBSL, VBIT, VBIF: `order` tells which of d, n, m are the mask, the bits where it is one, the bits where it is zero.
fn select(cx: &mut Cx, [q, d, n, m]: [u32; 4], order: [usize; 3]) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let from = [r.d, r.n, r.m];
    let [mask, ones, zeros] = order.map(|i| cx.v(q, from[i]));
    let v = cx.b.v3(V3::BitSelect, Lane::D, mask, ones, zeros);
    cx.set_v(q, d, v);
}

rows! { select(q d n m):
    vbsl Vbsl([0, 1, 2]);
    vbit Vbit([2, 1, 0]);
    vbif Vbif([2, 0, 1]);
}

// ---- two registers ----

/// Vd = op(Vm).
fn unary(cx: &mut Cx, [q, z, d, m]: [u32; 4], op: V1) {
    let Some(r) = cx.two(q, d, m) else { return };
    let a = cx.v(q, r.m);
    let v = cx.b.v1(op, Lane::log2(z), a);
    cx.set_v(q, d, v);
}

rows! { unary(q z d m):
    vabs_i VabsI(V1::Abs);
    vneg_i VnegI(V1::Neg);
    vcls Vcls(V1::Cls);
    vclz Vclz(V1::Clz);
    vcnt Vcnt(V1::Popcnt);
    vmvn Vmvn(V1::Not);
}

fn estimate(cx: &mut Cx, [q, d, m]: [u32; 3], op: V1) {
    unary(cx, [q, 2, d, m], op);
}

rows! { estimate(q d m):
    vrecpe_i VrecpeI(V1::RecipEstimateU);
    vrsqrte_i VrsqrteI(V1::RsqrtEstimateU);
}

/// VREV64, 32, 16 (`o` 0, 1, 2): all bytes of each container reversed, then those of each lane back.
pub(crate) fn vrev(cx: &mut Cx, i: Vrev) {
    let Some(r) = cx.two(i.q, i.d, i.m) else { return };
    let container = 3 - i.o;
    if i.z >= container {
        return cx.undefined();
    }
    let a = cx.v(i.q, r.m);
    let mut v = cx.b.v1(V1::Bswap, Lane::log2(container), a);
    if i.z != 0 {
        v = cx.b.v1(V1::Bswap, Lane::log2(i.z), v);
    }
    cx.set_v(i.q, i.d, v);
}

fn unary_saturating(cx: &mut Cx, [q, z, d, m]: [u32; 4], op: V1, plain: V1) {
    let Some(r) = cx.two(q, d, m) else { return };
    let a = cx.v(q, r.m);
    let v = cx.b.v1(op, Lane::log2(z), a);
    let wrapped = cx.b.v1(plain, Lane::log2(z), a);
    cx.saturated_if_differ(q, v, wrapped);
    cx.set_v(q, d, v);
}

rows! { unary_saturating(q z d m):
    vqabs Vqabs(V1::SatAbs, V1::Abs);
    vqneg Vqneg(V1::SatNeg, V1::Neg);
}

/// A comparison with zero; `swap`: zero is the first operand.
fn compare_zero(cx: &mut Cx, [q, z, d, m]: [u32; 4], op: V2, swap: bool) {
    let Some(r) = cx.two(q, d, m) else { return };
    let (a, zero) = (cx.v(q, r.m), cx.b.v128(0));
    let (a, b) = if swap { (zero, a) } else { (a, zero) };
    let v = cx.b.v2(op, Lane::log2(z), a, b);
    cx.set_v(q, d, v);
}

rows! { compare_zero(q z d m):
    vcgt_zero VcgtZero(V2::CmpGtS, false);
    vcge_zero VcgeZero(V2::CmpGeS, false);
    vceq_zero VceqZero(V2::CmpEq, false);
    vcle_zero VcleZero(V2::CmpGeS, true);
    vclt_zero VcltZero(V2::CmpGtS, true);
}

/// Neighbours added into lanes twice as wide, and added to Vd.
fn pair_add(cx: &mut Cx, [u, q, z, d, m]: [u32; 5], accumulate: bool) {
    let Some(r) = cx.two(q, d, m) else { return };
    let a = cx.v(q, r.m);
    let mut v = cx.b.v1(if u == 1 { V1::PairAddU } else { V1::PairAddS }, Lane::log2(z), a);
    if accumulate {
        let c = cx.v(q, r.d);
        v = cx.b.v2(V2::Add, Lane::log2(z).wider(), c, v);
    }
    cx.set_v(q, d, v);
}

rows! { pair_add(u q z d m):
    vpaddl Vpaddl(false);
    vpadal Vpadal(true);
}
