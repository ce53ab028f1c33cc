//! Advanced SIMD floating point: three same, two-register miscellaneous, across lanes, pairwise, complex, bfloat16, with the
//! scalar forms (Arm ARM C4.1.96).
//!
//! Operations in several steps take them in the order of the manual's pseudocode, so that NaNs and flags agree.

use super::Cx;
use super::helper;
use super::simd::{fp_lanes, fp_shape, rows};
use crate::insn::*;
use ir::{Env, Fmt, Fp1, Fp2, FpCc, Lane, NanRule, Round, Shape, Ty, V1, V2, VShift, Val};

// ---- three same ----

fn same(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: Fp2) {
    let (a, b, shape) = (cx.v(n), cx.v(m), fp_shape(e, k));
    let env = cx.env(shape.fmt);
    let v = cx.b.fp2(op, shape, env, a, b);
    cx.set_whole(d, v);
}

rows! { same(e k d n m):
    fadd_v FaddV(Fp2::Add);
    fsub_v FsubV(Fp2::Sub);
    fmul_v FmulV(Fp2::Mul);
    fdiv_v FdivV(Fp2::Div);
    fmax_v FmaxV(Fp2::Max);
    fmin_v FminV(Fp2::Min);
    fmaxnm_v FmaxnmV(Fp2::MaxNum);
    fminnm_v FminnmV(Fp2::MinNum);
    fmulx Fmulx(Fp2::MulX);
    frecps Frecps(Fp2::RecipStep);
    frsqrts Frsqrts(Fp2::RsqrtStep);
}

pub(crate) fn fabd(cx: &mut Cx, i: Fabd) {
    let (a, b, shape) = (cx.v(i.n), cx.v(i.m), fp_shape(i.e, i.k));
    let env = cx.env(shape.fmt);
    let v = cx.b.fp2(Fp2::Sub, shape, env, a, b);
    let v = cx.b.fp1(Fp1::Abs, shape, env, v);
    cx.set_whole(i.d, v);
}

/// Vd ± a*b; FMLS negates the first factor, NaN or not.
pub(super) fn multiply_add(cx: &mut Cx, shape: Shape, d: u32, a: Val, b: Val, negate: bool) {
    let c = cx.v(d);
    let env = cx.env(shape.fmt);
    let v = cx.b.fma(shape, env, negate, false, a, b, c);
    cx.set_whole(d, v);
}

fn multiply_add_same(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], negate: bool) {
    let (a, b) = (cx.v(n), cx.v(m));
    multiply_add(cx, fp_shape(e, k), d, a, b, negate);
}

rows! { multiply_add_same(e k d n m):
    fmla Fmla(false);
    fmls Fmls(true);
}

fn compare(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: FpCc) {
    let (a, b, shape) = (cx.v(n), cx.v(m), fp_shape(e, k));
    let env = cx.env(shape.fmt);
    let v = cx.b.fp_cmp(op, shape, env, a, b);
    cx.set_whole(d, v);
}

rows! { compare(e k d n m):
    fcmeq Fcmeq(FpCc::Eq);
    fcmge Fcmge(FpCc::Ge);
    fcmgt Fcmgt(FpCc::Gt);
    facge Facge(FpCc::AbsGe);
    facgt Facgt(FpCc::AbsGt);
}

/// The even and the odd lanes of Vm:Vn, each pair side by side (64 bits: of their low halves).
fn pairs(cx: &mut Cx, q: u32, lane: Lane, n: u32, m: u32) -> (Val, Val) {
    let (mut a, mut b) = (cx.v(n), cx.v(m));
    if q == 0 {
        a = cx.b.v2(V2::ConcatLo, Lane::D, a, b);
        b = a;
    }
    (cx.b.v2(V2::UnzipEven, lane, a, b), cx.b.v2(V2::UnzipOdd, lane, a, b))
}

fn pairwise(cx: &mut Cx, [e, k, d, n, m]: [u32; 5], op: Fp2) {
    let shape = fp_shape(e, k);
    let q = if k == 0 { e >> 1 } else { e };
    let (even, odd) = pairs(cx, q, shape.fmt.lane(), n, m);
    let env = cx.env(shape.fmt);
    let v = cx.b.fp2(op, shape, env, even, odd);
    cx.set_whole(d, v);
}

rows! { pairwise(e k d n m):
    faddp Faddp(Fp2::Add);
    fmaxp Fmaxp(Fp2::Max);
    fminp Fminp(Fp2::Min);
    fmaxnmp Fmaxnmp(Fp2::MaxNum);
    fminnmp Fminnmp(Fp2::MinNum);
}

// ---- two registers ----

/// Vd = op(Vn), in a rounding of its own if there is one.
fn unary(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: Fp1, round: Option<Round>) {
    let (a, shape) = (cx.v(n), fp_shape(e, k));
    let env = rounded(cx.env(shape.fmt), round);
    let v = cx.b.fp1(op, shape, env, a);
    cx.set_whole(d, v);
}

/// The environment, with another rounding if there is one.
pub(super) fn rounded(env: Env, round: Option<Round>) -> Env {
    round.map_or(env, |round| env.round(round))
}

rows! { unary(e k d n):
    fabs_v FabsV(Fp1::Abs, None);
    fneg_v FnegV(Fp1::Neg, None);
    fsqrt_v FsqrtV(Fp1::Sqrt, None);
    frecpe Frecpe(Fp1::RecipEstimate, None);
    frsqrte Frsqrte(Fp1::RsqrtEstimate, None);
    frecpx Frecpx(Fp1::RecipExponent, None);
    frintn_v FrintnV(Fp1::RoundInt, Some(Round::NearestEven));
    frintp_v FrintpV(Fp1::RoundInt, Some(Round::Up));
    frintm_v FrintmV(Fp1::RoundInt, Some(Round::Down));
    frintz_v FrintzV(Fp1::RoundInt, Some(Round::Zero));
    frinta_v FrintaV(Fp1::RoundInt, Some(Round::NearestAway));
    frinti_v FrintiV(Fp1::RoundInt, None);
    frintx_v FrintxV(Fp1::RoundIntExact, None);
    frint32z_v Frint32zV(Fp1::RoundInt32, Some(Round::Zero));
    frint32x_v Frint32xV(Fp1::RoundInt32, None);
    frint64z_v Frint64zV(Fp1::RoundInt64, Some(Round::Zero));
    frint64x_v Frint64xV(Fp1::RoundInt64, None);
}

/// A comparison with zero; `swap`: zero is the first operand.
fn compare_zero(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: FpCc, swap: bool) {
    let (a, zero, shape) = (cx.v(n), cx.b.v128(0), fp_shape(e, k));
    let env = cx.env(shape.fmt);
    let (a, b) = if swap { (zero, a) } else { (a, zero) };
    let v = cx.b.fp_cmp(op, shape, env, a, b);
    cx.set_whole(d, v);
}

rows! { compare_zero(e k d n):
    fcmeq_zero FcmeqZero(FpCc::Eq, false);
    fcmge_zero FcmgeZero(FpCc::Ge, false);
    fcmgt_zero FcmgtZero(FpCc::Gt, false);
    fcmle_zero FcmleZero(FpCc::Ge, true);
    fcmlt_zero FcmltZero(FpCc::Gt, true);
}

fn to_int(cx: &mut Cx, [e, k, d, n]: [u32; 4], round: Round, signed: bool) {
    let (a, shape) = (cx.v(n), fp_shape(e, k));
    let env = cx.env(shape.fmt).round(round);
    let v = cx.b.fp_to_int_lanes(shape, env, signed, 0, a);
    cx.set_whole(d, v);
}

rows! { to_int(e k d n):
    fcvtns_v FcvtnsV(Round::NearestEven, true);
    fcvtnu_v FcvtnuV(Round::NearestEven, false);
    fcvtps_v FcvtpsV(Round::Up, true);
    fcvtpu_v FcvtpuV(Round::Up, false);
    fcvtms_v FcvtmsV(Round::Down, true);
    fcvtmu_v FcvtmuV(Round::Down, false);
    fcvtzs_v FcvtzsV(Round::Zero, true);
    fcvtzu_v FcvtzuV(Round::Zero, false);
    fcvtas_v FcvtasV(Round::NearestAway, true);
    fcvtau_v FcvtauV(Round::NearestAway, false);
}

fn from_int(cx: &mut Cx, [e, k, d, n]: [u32; 4], signed: bool) {
    let (a, shape) = (cx.v(n), fp_shape(e, k));
    let env = cx.env(shape.fmt);
    let v = cx.b.fp_from_int(shape, env, signed, 0, a);
    cx.set_whole(d, v);
}

rows! { from_int(e k d n):
    scvtf_v ScvtfV(true);
    ucvtf_v UcvtfV(false);
}

// ---- between formats ----

/// The formats of FCVTN and FCVTL, narrow and wide, and the lanes.
fn narrow_wide(e: u32) -> (Fmt, Fmt, u32) {
    if e & 1 == 0 { (Fmt::F16, Fmt::F32, 4) } else { (Fmt::F32, Fmt::F64, 2) }
}

pub(crate) fn fcvtl(cx: &mut Cx, i: Fcvtl) {
    let (narrow, wide, lanes) = narrow_wide(i.e);
    let (a, env) = (cx.half(i.e >> 1, i.n), cx.env(Fmt::F32));
    let v = cx.b.fp_cvt_lanes(narrow, wide, lanes, env, a);
    cx.set_whole(i.d, v);
}

pub(crate) fn fcvtn(cx: &mut Cx, i: Fcvtn) {
    let (narrow, wide, lanes) = narrow_wide(i.e);
    let (a, env) = (cx.v(i.n), cx.env(Fmt::F32));
    let v = cx.b.fp_cvt_lanes(wide, narrow, lanes, env, a);
    cx.set_half(i.e >> 1, i.d, v);
}

/// FCVTXN: rounded to odd.
pub(crate) fn fcvtxn(cx: &mut Cx, i: Fcvtxn) {
    let (a, env) = (cx.v(i.n), cx.env(Fmt::F32).round(Round::Odd));
    let scalar = super::simd::is_scalar(i.k);
    let v = cx.b.fp_cvt_lanes(Fmt::F64, Fmt::F32, if scalar { 1 } else { 2 }, env, a);
    cx.set_half(if scalar { 0 } else { i.q }, i.d, v);
}

pub(crate) fn bfcvtn(cx: &mut Cx, i: Bfcvtn) {
    let (a, env) = (cx.v(i.n), cx.env(Fmt::F32));
    let v = cx.b.fp_cvt_lanes(Fmt::F32, Fmt::BF16, 4, env, a);
    cx.set_half(i.q, i.d, v);
}

// ---- across lanes ----

/// FMAXV …: pairs of neighbours, until one lane is left (Arm ARM Reduce).
fn across(cx: &mut Cx, [k, q, d, n]: [u32; 4], op: Fp2) {
    let mut shape = fp_lanes(if k & 1 == 1 { Fmt::F16 } else { Fmt::F32 }, q);
    let env = cx.env(shape.fmt);
    let mut v = cx.v(n);
    while shape.lanes > 1 {
        shape.lanes /= 2;
        let even = cx.b.v2(V2::UnzipEven, shape.fmt.lane(), v, v);
        let odd = cx.b.v2(V2::UnzipOdd, shape.fmt.lane(), v, v);
        v = cx.b.fp2(op, shape, env, even, odd);
    }
    cx.set_whole(d, v);
}

rows! { across(k q d n):
    fmaxv Fmaxv(Fp2::Max);
    fminv Fminv(Fp2::Min);
    fmaxnmv Fmaxnmv(Fp2::MaxNum);
    fminnmv Fminnmv(Fp2::MinNum);
}

/// The scalar reductions of a pair.
fn pair(cx: &mut Cx, [e, k, d, n]: [u32; 4], op: Fp2) {
    let (a, shape) = (cx.v(n), fp_shape(e, k));
    let env = cx.env(shape.fmt);
    let b = cx.b.vext(a, a, shape.fmt.lane().bytes() as u32);
    let v = cx.b.fp2(op, shape, env, a, b);
    cx.set_whole(d, v);
}

rows! { pair(e k d n):
    faddp_pair FaddpPair(Fp2::Add);
    fmaxp_pair FmaxpPair(Fp2::Max);
    fminp_pair FminpPair(Fp2::Min);
    fmaxnmp_pair FmaxnmpPair(Fp2::MaxNum);
    fminnmp_pair FminnmpPair(Fp2::MinNum);
}

// ---- complex ----

/// The lanes' format and number in an integer arrangement.
fn complex_shape(e: u32) -> Shape {
    let fmt = [Fmt::F16, Fmt::F16, Fmt::F32, Fmt::F64][e as usize & 3];
    fp_lanes(fmt, e >> 2)
}

/// Real and imaginary parts exchanged.
fn exchange(cx: &mut Cx, lane: Lane, v: Val) -> Val {
    match lane {
        Lane::D => cx.b.vext(v, v, 8),
        _ => {
            // The odd lanes moved down, beside the even ones.
            let odd = cx.b.v2(V2::UnzipOdd, lane, v, v);
            let even = cx.b.v2(V2::UnzipEven, lane, v, v);
            cx.b.v2(V2::ZipLo, lane, odd, even)
        }
    }
}

/// The sign bits of the even lanes, of the odd lanes turned over.
fn negate_lanes(cx: &mut Cx, lane: Lane, even: bool, odd: bool, v: Val) -> Val {
    if !even && !odd {
        return v;
    }
    let sign = 1u128 << (lane.bits() - 1);
    let pair = (u128::from(even) * sign) | ((u128::from(odd) * sign) << lane.bits());
    let mut mask = pair;
    let mut width = 2 * lane.bits();
    while width < 128 {
        mask |= mask << width;
        width *= 2;
    }
    let mask = cx.b.v128(mask);
    cx.b.v2(V2::Xor, Lane::D, v, mask)
}

/// FCADD: Vn plus Vm turned by 90 (`r` 0) or 270 degrees.
pub(crate) fn fcadd(cx: &mut Cx, i: Fcadd) {
    let shape = complex_shape(i.e);
    let (lane, env) = (shape.fmt.lane(), cx.env(shape.fmt));
    let (a, b) = (cx.v(i.n), cx.v(i.m));
    let b = exchange(cx, lane, b);
    let b = negate_lanes(cx, lane, i.r == 0, i.r == 1, b);
    let v = cx.b.fp2(Fp2::Add, shape, env, a, b);
    cx.set_whole(i.d, v);
}

/// FCMLA: Vd plus the real (`r` even) or imaginary part of Vn times b turned.
pub(super) fn complex_multiply_add(cx: &mut Cx, e: u32, d: u32, n: u32, mut b: Val, r: u32) {
    let shape = complex_shape(e);
    let lane = shape.fmt.lane();
    let a = cx.v(n);
    let a = cx.b.v2(if r & 1 == 0 { V2::TrnEven } else { V2::TrnOdd }, lane, a, a);
    if r & 1 == 1 {
        b = exchange(cx, lane, b);
    }
    b = negate_lanes(cx, lane, r == 1 || r == 2, r >= 2, b);
    multiply_add(cx, shape, d, a, b, false);
}

pub(crate) fn fcmla(cx: &mut Cx, i: Fcmla) {
    let b = cx.v(i.m);
    complex_multiply_add(cx, i.e, i.d, i.n, b, i.r);
}

// ---- half to single multiply-add ----

/// Half-precision lanes as single ones, for a multiply-add that raises their flags and orders their NaNs as if it had taken
/// them as they are: signalling NaNs stay signalling (their conversion has raised the flag that the multiply-add raises too).
pub(super) fn widen_half(cx: &mut Cx, lanes: u32, v: Val) -> Val {
    // FPUnpack, unlike FPConvert, flushes half precision by FZ16 and knows no alternative format.
    let env = Env { alt_half: false, ..cx.env(Fmt::F16) };
    let flushed = if env.flush_in { flush_half(cx, v) } else { v };
    let wide = cx.b.fp_cvt_lanes(Fmt::F16, Fmt::F32, lanes, env, flushed);
    if env.nan == NanRule::Default {
        return wide;
    }
    // Signalling: above infinity, and below the first quiet one.
    let magnitude = cx.splat(Lane::H, 0x7fff);
    let magnitude = cx.b.v2(V2::And, Lane::D, v, magnitude);
    let infinity = cx.splat(Lane::H, 0x7c00);
    let quiet = cx.splat(Lane::H, 0x7e00);
    let nan = cx.b.v2(V2::CmpGtU, Lane::H, magnitude, infinity);
    let low = cx.b.v2(V2::CmpGtU, Lane::H, quiet, magnitude);
    let signalling = cx.b.v2(V2::And, Lane::D, nan, low);
    let signalling = cx.b.v1(V1::WidenS, Lane::H, signalling);
    let quiet_bit = cx.splat(Lane::S, 1 << 22);
    let clear = cx.b.v2(V2::And, Lane::D, signalling, quiet_bit);
    cx.b.v2(V2::AndNot, Lane::D, wide, clear)
}

/// Denormal halves as zeros, without a flag.
fn flush_half(cx: &mut Cx, v: Val) -> Val {
    let exponent = cx.splat(Lane::H, 0x7c00);
    let sign = cx.splat(Lane::H, 0x8000);
    let normal = cx.b.v2(V2::CmpTst, Lane::H, v, exponent);
    let kept = cx.b.v2(V2::Or, Lane::D, normal, sign);
    cx.b.v2(V2::And, Lane::D, v, kept)
}

/// The halves of Vn that FMLAL (`h` 0) or FMLAL2 works on, widened, and their number.
pub(super) fn widened_part(cx: &mut Cx, q: u32, h: u32, n: u32) -> (Val, Shape) {
    let (v, shape) = (cx.v(n), fp_lanes(Fmt::F32, q));
    let v = if h == 0 { v } else { cx.b.vext(v, v, 4 << q) };
    (widen_half(cx, u32::from(shape.lanes), v), shape)
}

fn multiply_add_long(cx: &mut Cx, [q, d, n, m, h]: [u32; 5], negate: bool) {
    let (a, shape) = widened_part(cx, q, h, n);
    let (b, _) = widened_part(cx, q, h, m);
    multiply_add(cx, shape, d, a, b, negate);
}

rows! { multiply_add_long(q d n m h):
    fmlal Fmlal(false);
    fmlsl Fmlsl(true);
}

// ---- bfloat16 ----

/// The even (`h` 0) or odd bfloat16 lanes as single ones: their bits are the upper halves.
pub(super) fn bf16_lanes(cx: &mut Cx, h: u32, v: Val) -> Val {
    if h == 0 {
        return cx.b.vshift(VShift::Shl, Lane::S, v, 16);
    }
    let mask = cx.splat(Lane::S, 0xffff_0000);
    cx.b.v2(V2::And, Lane::D, v, mask)
}

pub(crate) fn bfmlal(cx: &mut Cx, i: Bfmlal) {
    let (a, b) = (cx.v(i.n), cx.v(i.m));
    let a = bf16_lanes(cx, i.h, a);
    let b = bf16_lanes(cx, i.h, b);
    multiply_add(cx, fp_lanes(Fmt::F32, 1), i.d, a, b, false);
}

/// BFDOT: Vd plus the dot products of pairs.
pub(super) fn bf16_dot(cx: &mut Cx, q: u32, d: u32, n: u32, b: Val) {
    let (a, c) = (cx.v(n), cx.v(d));
    let v = cx.b.call(&helper::BFDOT, Ty::V128, &[c, a, b]);
    cx.set_v(q, d, v);
}

pub(crate) fn bfdot(cx: &mut Cx, i: Bfdot) {
    let b = cx.v(i.m);
    bf16_dot(cx, i.q, i.d, i.n, b);
}

pub(crate) fn bfmmla(cx: &mut Cx, i: Bfmmla) {
    let (a, b, c) = (cx.v(i.n), cx.v(i.m), cx.v(i.d));
    let v = cx.b.call(&helper::BFMMLA, Ty::V128, &[c, a, b]);
    cx.set_whole(i.d, v);
}
