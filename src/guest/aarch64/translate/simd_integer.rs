//! Advanced SIMD on integer lanes of one width: three same, two-register miscellaneous, across lanes, and their scalar forms
//! (Arm ARM C4.1.96: three same, scalar three same, two-register miscellaneous, across lanes, scalar pairwise).

use super::Cx;
use super::simd::{lane, rows};
use crate::insn::*;
use ir::{Lane, V1, V2, V3, VShift, Val};

// ---- three same ----

/// Vd = op(Vn, Vm).
fn same(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: V2) {
    let (a, b) = (cx.v(n), cx.v(m));
    let v = cx.b.v2(op, lane(e), a, b);
    cx.set_lanes(e, k, d, v);
}

rows! { same(e k d n m):
    shadd Shadd(V2::HalfAddS);
    uhadd Uhadd(V2::HalfAddU);
    srhadd Srhadd(V2::HalfAddRoundS);
    urhadd Urhadd(V2::HalfAddRoundU);
    shsub Shsub(V2::HalfSubS);
    uhsub Uhsub(V2::HalfSubU);
    cmgt Cmgt(V2::CmpGtS);
    cmge Cmge(V2::CmpGeS);
    cmhi Cmhi(V2::CmpGtU);
    cmhs Cmhs(V2::CmpGeU);
    cmeq Cmeq(V2::CmpEq);
    cmtst Cmtst(V2::CmpTst);
    sshl Sshl(V2::ShiftS);
    ushl Ushl(V2::ShiftU);
    srshl Srshl(V2::ShiftRoundS);
    urshl Urshl(V2::ShiftRoundU);
    smax Smax(V2::MaxS);
    umax Umax(V2::MaxU);
    smin Smin(V2::MinS);
    umin Umin(V2::MinU);
    sabd Sabd(V2::AbdS);
    uabd Uabd(V2::AbdU);
    add_v AddV(V2::Add);
    sub_v SubV(V2::Sub);
    mul_v MulV(V2::Mul);
    pmul Pmul(V2::PMul);
}

/// Vd = Vd with op(Vn, Vm) added or taken away.
fn same_accumulate(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: V2, sum: V2) {
    let (a, b, c) = (cx.v(n), cx.v(m), cx.v(d));
    let v = cx.b.v2(op, lane(e), a, b);
    let v = cx.b.v2(sum, lane(e), c, v);
    cx.set_lanes(e, k, d, v);
}

rows! { same_accumulate(e k d n m):
    saba Saba(V2::AbdS, V2::Add);
    uaba Uaba(V2::AbdU, V2::Add);
    mla Mla(V2::Mul, V2::Add);
    mls Mls(V2::Mul, V2::Sub);
}

/// Vd = op(Vn, Vm), saturated. The lanes that saturated differ from those of the wrapping operation.
fn same_saturating(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: V2, plain: V2) {
    let (a, b) = (cx.v(n), cx.v(m));
    let v = cx.b.v2(op, lane(e), a, b);
    let wrapped = cx.b.v2(plain, lane(e), a, b);
    cx.saturated_if_differ(e, k, v, wrapped);
    cx.set_lanes(e, k, d, v);
}

rows! { same_saturating(e k d n m):
    sqadd Sqadd(V2::SatAddS, V2::Add);
    uqadd Uqadd(V2::SatAddU, V2::Add);
    sqsub Sqsub(V2::SatSubS, V2::Sub);
    uqsub Uqsub(V2::SatSubU, V2::Sub);
    uqshl Uqshl(V2::ShiftSatU, V2::ShiftU);
    uqrshl Uqrshl(V2::ShiftSatRoundU, V2::ShiftRoundU);
}

/// SQSHL and SQRSHL by register. Besides the lanes that differ from the plain shift those count that come back as another
/// value: a negative number can overflow to the most negative one both ways.
fn shift_saturating(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: V2, plain: V2) {
    let (a, b, lane) = (cx.v(n), cx.v(m), lane(e));
    let v = cx.b.v2(op, lane, a, b);
    let wrapped = cx.b.v2(plain, lane, a, b);
    // Only left shifts saturate: the amount is the signed low byte.
    let amount = cx.b.vshift(VShift::Shl, lane, b, lane.bits() - 8);
    let zero = cx.b.v128(0);
    let left = cx.b.v2(V2::CmpGtS, lane, amount, zero);
    let minus = cx.b.v1(V1::Neg, lane, b);
    let back = cx.b.v2(V2::ShiftS, lane, v, minus);
    let lost = cx.b.v2(V2::Xor, Lane::D, back, a);
    let lost = cx.b.v2(V2::And, Lane::D, lost, left);
    let lost = cx.keep(e, k, lost);
    cx.saturated(lost);
    cx.saturated_if_differ(e, k, v, wrapped);
    cx.set_lanes(e, k, d, v);
}

rows! { shift_saturating(e k d n m):
    sqshl Sqshl(V2::ShiftSatS, V2::ShiftS);
    sqrshl Sqrshl(V2::ShiftSatRoundS, V2::ShiftRoundS);
}

/// Lanes that are the most negative number in both vectors: all ones.
fn both_minimal(cx: &mut Cx, lane: Lane, a: Val, b: Val) -> Val {
    let minimal = cx.splat(lane, 1 << (lane.bits() - 1));
    let a = cx.b.v2(V2::CmpEq, lane, a, minimal);
    let b = cx.b.v2(V2::CmpEq, lane, b, minimal);
    cx.b.v2(V2::And, lane, a, b)
}

/// SQDMULH, SQRDMULH of two vectors: they saturate for the most negative numbers alone.
pub(super) fn double_multiply_high(cx: &mut Cx, [e, k, d]: [u32; 3], a: Val, b: Val, op: V2) {
    let v = cx.b.v2(op, lane(e), a, b);
    let over = both_minimal(cx, lane(e), a, b);
    let over = cx.keep(e, k, over);
    cx.saturated(over);
    cx.set_lanes(e, k, d, v);
}

fn double_multiply_high_same(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: V2) {
    let (a, b) = (cx.v(n), cx.v(m));
    double_multiply_high(cx, [e, k, d], a, b, op);
}

rows! { double_multiply_high_same(e k d n m):
    sqdmulh Sqdmulh(V2::SatDoubleMulHi);
    sqrdmulh Sqrdmulh(V2::SatDoubleMulHiRound);
}

/// SQRDMLAH of vectors. The sum is c + round(2ab / 2^n) exactly; the wrapped one tells which lanes saturated. The rounded
/// product fits unless both factors are the most negative number: it is then one more than SQRDMULH gives.
fn double_multiply_add(cx: &mut Cx, lane: Lane, a: Val, b: Val, c: Val) -> (Val, Val) {
    let v = cx.b.v3(V3::SatDoubleMulAddHi, lane, c, a, b);
    let product = cx.b.v2(V2::SatDoubleMulHiRound, lane, a, b);
    let over = both_minimal(cx, lane, a, b);
    let product = cx.b.v2(V2::Sub, lane, product, over);
    (v, cx.b.v2(V2::Add, lane, c, product))
}

/// SQRDMLSH of vectors. c + round(-2ab / 2^n): the product of -a, or b where a is the most negative number, whose double
/// product with b is -b times 2^n.
fn double_multiply_sub(cx: &mut Cx, lane: Lane, a: Val, b: Val, c: Val) -> (Val, Val) {
    let v = cx.b.v3(V3::SatDoubleMulSubHi, lane, c, a, b);
    let minus = cx.b.v1(V1::Neg, lane, a);
    let product = cx.b.v2(V2::SatDoubleMulHiRound, lane, minus, b);
    let minimal = cx.splat(lane, 1 << (lane.bits() - 1));
    let special = cx.b.v2(V2::CmpEq, lane, a, minimal);
    let product = cx.b.v3(V3::BitSelect, lane, special, b, product);
    (v, cx.b.v2(V2::Add, lane, c, product))
}

/// SQRDMLAH (`sub` false), SQRDMLSH.
pub(super) fn double_multiply_accumulate(cx: &mut Cx, [e, k, d]: [u32; 3], a: Val, b: Val, sub: bool) {
    let c = cx.v(d);
    let (v, wrapped) = match sub {
        false => double_multiply_add(cx, lane(e), a, b, c),
        true => double_multiply_sub(cx, lane(e), a, b, c),
    };
    cx.saturated_if_differ(e, k, v, wrapped);
    cx.set_lanes(e, k, d, v);
}

fn double_multiply_accumulate_same(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], sub: bool) {
    let (a, b) = (cx.v(n), cx.v(m));
    double_multiply_accumulate(cx, [e, k, d], a, b, sub);
}

rows! { double_multiply_accumulate_same(e k d n m):
    sqrdmlah Sqrdmlah(false);
    sqrdmlsh Sqrdmlsh(true);
}

/// Vd = op of neighbours in Vm:Vn.
fn pairwise(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: V2) {
    let (mut a, mut b) = (cx.v(n), cx.v(m));
    if e >> 2 == 0 {
        a = cx.b.v2(V2::ConcatLo, Lane::D, a, b);
        b = a;
    }
    let v = cx.b.v2(op, lane(e), a, b);
    cx.set_lanes(e, k, d, v);
}

rows! { pairwise(e k d n m):
    addp Addp(V2::PairwiseAdd);
    smaxp Smaxp(V2::PairwiseMaxS);
    umaxp Umaxp(V2::PairwiseMaxU);
    sminp Sminp(V2::PairwiseMinS);
    uminp Uminp(V2::PairwiseMinU);
}

/// Vd = op(Vn, Vm), bit by bit.
fn logical(cx: &mut Cx, [q, d, n, m]: [u32; 4], op: V2) {
    let (a, b) = (cx.v(n), cx.v(m));
    // ORR of a register with itself is MOV.
    let v = if n == m && op == V2::Or { a } else { cx.b.v2(op, Lane::D, a, b) };
    cx.set_v(q, d, v);
}

rows! { logical(q d n m):
    and_v AndV(V2::And);
    bic_v BicV(V2::AndNot);
    orr_v OrrV(V2::Or);
    orn_v OrnV(V2::OrNot);
    eor_v EorV(V2::Xor);
}

/// BSL, BIT, BIF: `order` tells which of d, n, m are the mask, the bits where it is one, the bits where it is zero.
fn select(cx: &mut Cx, [q, d, n, m]: [u32; 4], order: [usize; 3]) {
    let from = [d, n, m];
    let [mask, ones, zeros] = order.map(|i| cx.v(from[i]));
    let v = cx.b.v3(V3::BitSelect, Lane::D, mask, ones, zeros);
    cx.set_v(q, d, v);
}

rows! { select(q d n m):
    bsl Bsl([0, 1, 2]);
    bit Bit([2, 1, 0]);
    bif Bif([2, 0, 1]);
}

// ---- two registers ----

/// Vd = op(Vn).
fn unary(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: V1) {
    let a = cx.v(n);
    let v = cx.b.v1(op, lane(e), a);
    cx.set_lanes(e, k, d, v);
}

rows! { unary(e k d n):
    abs_v AbsV(V1::Abs);
    neg_v NegV(V1::Neg);
    cls_v ClsV(V1::Cls);
    clz_v ClzV(V1::Clz);
    cnt_v CntV(V1::Popcnt);
    not_v NotV(V1::Not);
}

/// RBIT. Its row's `e` is q alone.
pub(crate) fn rbit_v(cx: &mut Cx, i: RbitV) {
    let a = cx.v(i.n);
    let v = cx.b.v1(V1::Bitrev, Lane::B, a);
    cx.set_v(i.e, i.d, v);
}

/// Lanes reversed in each container: all of its bytes, then the bytes of each lane back.
fn reverse(cx: &mut Cx, [e, k, d, n]: [u32; 4], container: Lane) {
    let a = cx.v(n);
    let mut v = cx.b.v1(V1::Bswap, container, a);
    if lane(e) != Lane::B {
        v = cx.b.v1(V1::Bswap, lane(e), v);
    }
    cx.set_lanes(e, k, d, v);
}

rows! { reverse(e k d n):
    rev16_v Rev16V(Lane::H);
    rev32_v Rev32V(Lane::S);
    rev64 Rev64(Lane::D);
}

/// SQABS, SQNEG.
fn unary_saturating(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: V1, plain: V1) {
    let a = cx.v(n);
    let v = cx.b.v1(op, lane(e), a);
    let wrapped = cx.b.v1(plain, lane(e), a);
    cx.saturated_if_differ(e, k, v, wrapped);
    cx.set_lanes(e, k, d, v);
}

rows! { unary_saturating(e k d n):
    sqabs Sqabs(V1::SatAbs, V1::Abs);
    sqneg Sqneg(V1::SatNeg, V1::Neg);
}

/// SUQADD, USQADD: Vd plus Vn of the other signedness.
fn mixed_saturating(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: V2) {
    let (a, b) = (cx.v(d), cx.v(n));
    let v = cx.b.v2(op, lane(e), a, b);
    let wrapped = cx.b.v2(V2::Add, lane(e), a, b);
    cx.saturated_if_differ(e, k, v, wrapped);
    cx.set_lanes(e, k, d, v);
}

rows! { mixed_saturating(e k d n):
    suqadd Suqadd(V2::SatAddSU);
    usqadd Usqadd(V2::SatAddUS);
}

/// A comparison with zero; `swap`: zero is the first operand.
fn compare_zero(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: V2, swap: bool) {
    let (a, zero) = (cx.v(n), cx.b.v128(0));
    let (a, b) = if swap { (zero, a) } else { (a, zero) };
    let v = cx.b.v2(op, lane(e), a, b);
    cx.set_lanes(e, k, d, v);
}

rows! { compare_zero(e k d n):
    cmgt_zero CmgtZero(V2::CmpGtS, false);
    cmge_zero CmgeZero(V2::CmpGeS, false);
    cmeq_zero CmeqZero(V2::CmpEq, false);
    cmle_zero CmleZero(V2::CmpGeS, true);
    cmlt_zero CmltZero(V2::CmpGtS, true);
}

/// Neighbours added into lanes twice as wide, and added to Vd.
fn pair_add(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: V1, accumulate: bool) {
    let a = cx.v(n);
    let mut v = cx.b.v1(op, lane(e), a);
    if accumulate {
        let c = cx.v(d);
        v = cx.b.v2(V2::Add, lane(e).wider(), c, v);
    }
    cx.set_lanes(e, k, d, v);
}

rows! { pair_add(e k d n):
    saddlp Saddlp(V1::PairAddS, false);
    uaddlp Uaddlp(V1::PairAddU, false);
    sadalp Sadalp(V1::PairAddS, true);
    uadalp Uadalp(V1::PairAddU, true);
}

fn estimate(cx: &mut Cx, [q, d, n]: [u32; 3], op: V1) {
    let a = cx.v(n);
    let v = cx.b.v1(op, Lane::S, a);
    cx.set_v(q, d, v);
}

rows! { estimate(q d n):
    urecpe Urecpe(V1::RecipEstimateU);
    ursqrte Ursqrte(V1::RsqrtEstimateU);
}

// ---- across lanes ----

/// Folds the low 8 (`q` 0) or 16 bytes onto lane 0; what is above it is of no meaning.
fn fold(cx: &mut Cx, q: u32, lane: Lane, mut v: Val, op: V2) -> Val {
    let mut distance = 4 << q;
    while distance >= lane.bytes() as u32 {
        let other = cx.b.vext(v, v, distance);
        v = cx.b.v2(op, lane, v, other);
        distance /= 2;
    }
    v
}

/// The same for sums, of which the lane's bits alone count: narrow lanes are added in pairs as long as that is one operation.
fn sum(cx: &mut Cx, q: u32, mut lane: Lane, mut v: Val) -> Val {
    while lane < Lane::S {
        v = cx.b.v1(V1::PairAddU, lane, v);
        lane = lane.wider();
    }
    fold(cx, q, lane, v, V2::Add)
}

pub(crate) fn addv(cx: &mut Cx, i: Addv) {
    let a = cx.v(i.n);
    let v = sum(cx, i.e >> 2, lane(i.e), a);
    cx.set_lanes(i.e, 2, i.d, v);
}

fn across(cx: &mut Cx, [e, d, n]: [u32; 3], op: V2) {
    let a = cx.v(n);
    let v = fold(cx, e >> 2, lane(e), a, op);
    cx.set_lanes(e, 2, d, v);
}

rows! { across(e d n):
    smaxv Smaxv(V2::MaxS);
    umaxv Umaxv(V2::MaxU);
    sminv Sminv(V2::MinS);
    uminv Uminv(V2::MinU);
}

/// SADDLV, UADDLV: the sum in a lane twice as wide.
fn across_long(cx: &mut Cx, [e, d, n]: [u32; 3], op: V1) {
    let a = cx.v(n);
    let wide = lane(e).wider();
    let v = cx.b.v1(op, lane(e), a);
    let v = sum(cx, e >> 2, wide, v);
    cx.set_lanes(wide as u32, 2, d, v);
}

rows! { across_long(e d n):
    saddlv Saddlv(V1::PairAddS);
    uaddlv Uaddlv(V1::PairAddU);
}

/// ADDP, scalar.
pub(crate) fn addp_pair(cx: &mut Cx, i: AddpPair) {
    let a = cx.v(i.n);
    let high = cx.b.v1(V1::MoveHi, Lane::D, a);
    let v = cx.b.v2(V2::Add, Lane::D, a, high);
    cx.set_v(0, i.d, v);
}

// ---- dot and matrix products of bytes ----

/// Vd plus the dot products of four bytes.
pub(super) fn dot(cx: &mut Cx, [q, d]: [u32; 2], a: Val, b: Val, op: V3) {
    let c = cx.v(d);
    let v = cx.b.v3(op, Lane::B, c, a, b);
    cx.set_v(q, d, v);
}

fn dot_same(cx: &mut Cx, [q, d, n, m]: [u32; 4], op: V3) {
    let (a, b) = (cx.v(n), cx.v(m));
    dot(cx, [q, d], a, b, op);
}

rows! { dot_same(q d n m):
    sdot Sdot(V3::DotS);
    udot Udot(V3::DotU);
    usdot Usdot(V3::DotUS);
}

fn matrix(cx: &mut Cx, [d, n, m]: [u32; 3], op: V3) {
    let (a, b, c) = (cx.v(n), cx.v(m), cx.v(d));
    let v = cx.b.v3(op, Lane::B, c, a, b);
    cx.set_whole(d, v);
}

rows! { matrix(d n m):
    smmla Smmla(V3::MatMulS);
    ummla Ummla(V3::MatMulU);
    usmmla Usmmla(V3::MatMulUS);
}
