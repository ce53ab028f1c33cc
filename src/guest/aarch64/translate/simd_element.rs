//! Advanced SIMD by element: the second factor is one lane of Vm in every lane (Arm ARM C4.1.96: vector x indexed element,
//! scalar x indexed element). The operations are those of the other chapters.

use super::Cx;
use super::simd::{element_index, element_shape, is_scalar, lane, rows};
use super::simd_float::{bf16_dot, bf16_lanes, complex_multiply_add, multiply_add, widen_half, widened_part};
use super::simd_integer::{dot, double_multiply_accumulate, double_multiply_high};
use super::simd_wide::{Into, double_multiply_long, multiply_long};
use crate::insn::*;
use ir::{Fmt, Fp2, Lane, V2, V3, Val};

/// The chosen lane of Vm in every lane.
fn element(cx: &mut Cx, lane: Lane, m: u32, h: u32, i: u32) -> Val {
    let v = cx.v(m);
    cx.b.vsplat_lane(lane, v, element_index(lane as u32, h, i))
}

fn multiply(cx: &mut Cx, [e, k, d, n, m, h, i]: [u32; 7], sum: Option<V2>) {
    let (a, b) = (cx.v(n), element(cx, lane(e), m, h, i));
    let mut v = cx.b.v2(V2::Mul, lane(e), a, b);
    if let Some(sum) = sum {
        let c = cx.v(d);
        v = cx.b.v2(sum, lane(e), c, v);
    }
    cx.set_lanes(e, k, d, v);
}

rows! { multiply(e k d n m h i):
    mul_elem MulElem(None);
    mla_elem MlaElem(Some(V2::Add));
    mls_elem MlsElem(Some(V2::Sub));
}

fn long(cx: &mut Cx, [e, d, n, m, h, i]: [u32; 6], op: V2, into: Into) {
    let (a, b) = (cx.half(e >> 2, n), element(cx, lane(e), m, h, i));
    multiply_long(cx, [e, d], a, b, op, into);
}

rows! { long(e d n m h i):
    smull_elem SmullElem(V2::MulWideS, Into::Result);
    umull_elem UmullElem(V2::MulWideU, Into::Result);
    smlal_elem SmlalElem(V2::MulWideS, Into::Plus);
    umlal_elem UmlalElem(V2::MulWideU, Into::Plus);
    smlsl_elem SmlslElem(V2::MulWideS, Into::Minus);
    umlsl_elem UmlslElem(V2::MulWideU, Into::Minus);
}

fn double_long(cx: &mut Cx, [e, k, d, n, m, h, i]: [u32; 7], into: Into) {
    let b = element(cx, lane(e), m, h, i);
    let (a, b) = if is_scalar(k) {
        let a = cx.v(n);
        (cx.keep(e, k, a), cx.keep(e, k, b))
    } else {
        (cx.half(e >> 2, n), b)
    };
    double_multiply_long(cx, [e, k, d], a, b, into);
}

rows! { double_long(e k d n m h i):
    sqdmull_elem SqdmullElem(Into::Result);
    sqdmlal_elem SqdmlalElem(Into::Plus);
    sqdmlsl_elem SqdmlslElem(Into::Minus);
}

fn double_high(cx: &mut Cx, [e, k, d, n, m, h, i]: [u32; 7], op: V2) {
    let (a, b) = (cx.v(n), element(cx, lane(e), m, h, i));
    double_multiply_high(cx, [e, k, d], a, b, op);
}

rows! { double_high(e k d n m h i):
    sqdmulh_elem SqdmulhElem(V2::SatDoubleMulHi);
    sqrdmulh_elem SqrdmulhElem(V2::SatDoubleMulHiRound);
}

fn double_accumulate(cx: &mut Cx, [e, k, d, n, m, h, i]: [u32; 7], sub: bool) {
    let (a, b) = (cx.v(n), element(cx, lane(e), m, h, i));
    double_multiply_accumulate(cx, [e, k, d], a, b, sub);
}

rows! { double_accumulate(e k d n m h i):
    sqrdmlah_elem SqrdmlahElem(false);
    sqrdmlsh_elem SqrdmlshElem(true);
}

fn fp_multiply(cx: &mut Cx, [q, f, k, d, n, m, h, i]: [u32; 8], op: Fp2) {
    let shape = element_shape(q, f, k);
    let (a, b) = (cx.v(n), element(cx, shape.fmt.lane(), m, h, i));
    let env = cx.env(shape.fmt);
    let v = cx.b.fp2(op, shape, env, a, b);
    cx.set_whole(d, v);
}

rows! { fp_multiply(q f k d n m h i):
    fmul_elem FmulElem(Fp2::Mul);
    fmulx_elem FmulxElem(Fp2::MulX);
}

fn fp_multiply_add(cx: &mut Cx, [q, f, k, d, n, m, h, i]: [u32; 8], negate: bool) {
    let shape = element_shape(q, f, k);
    let (a, b) = (cx.v(n), element(cx, shape.fmt.lane(), m, h, i));
    multiply_add(cx, shape, d, a, b, negate);
}

rows! { fp_multiply_add(q f k d n m h i):
    fmla_elem FmlaElem(false);
    fmls_elem FmlsElem(true);
}

fn fp_multiply_add_long(cx: &mut Cx, [q, u, d, n, m, h, i]: [u32; 7], negate: bool) {
    let (a, shape) = widened_part(cx, q, u, n);
    let b = element(cx, Lane::H, m, h, i);
    let b = widen_half(cx, u32::from(shape.lanes), b);
    multiply_add(cx, shape, d, a, b, negate);
}

rows! { fp_multiply_add_long(q u d n m h i):
    fmlal_elem FmlalElem(false);
    fmlsl_elem FmlslElem(true);
}

/// FCMLA: the element is a pair of lanes.
pub(crate) fn fcmla_elem(cx: &mut Cx, i: FcmlaElem) {
    let b = element(cx, lane(i.e).wider(), i.m, i.h, i.i);
    complex_multiply_add(cx, i.e, i.d, i.n, b, i.r);
}

/// The element is a group of four bytes.
fn dot_element(cx: &mut Cx, [q, d, n, m, h, i]: [u32; 6], op: V3, swap: bool) {
    let (a, b) = (cx.v(n), element(cx, Lane::S, m, h, i));
    let (a, b) = if swap { (b, a) } else { (a, b) };
    dot(cx, [q, d], a, b, op);
}

rows! { dot_element(q d n m h i):
    sdot_elem SdotElem(V3::DotS, false);
    udot_elem UdotElem(V3::DotU, false);
    usdot_elem UsdotElem(V3::DotUS, false);
    sudot_elem SudotElem(V3::DotUS, true);
}

pub(crate) fn bfdot_elem(cx: &mut Cx, i: BfdotElem) {
    let b = element(cx, Lane::S, i.m, i.h, i.i);
    bf16_dot(cx, i.q, i.d, i.n, b);
}

pub(crate) fn bfmlal_elem(cx: &mut Cx, i: BfmlalElem) {
    let (a, b) = (cx.v(i.n), element(cx, Lane::H, i.m, i.h, i.i));
    let a = bf16_lanes(cx, i.u, a);
    let b = bf16_lanes(cx, 0, b);
    multiply_add(cx, super::simd::fp_lanes(Fmt::F32, 1), i.d, a, b, false);
}
