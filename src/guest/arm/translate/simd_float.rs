//! Advanced SIMD floating point, always in the standard environment (Arm ARM F4.1.11).
//!
//! Operations in several steps take them in the order of the manual's pseudocode, so that NaNs and flags agree.

use super::Cx;
use super::simd::{Three, rows, singles};
use crate::insn::*;
use ir::{Fmt, Fp1, Fp2, FpCc, Lane, Round, V2, V3, Val};

// ---- three same ----

fn same(cx: &mut Cx, [q, d, n, m]: [u32; 4], op: Fp2) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b, env) = (cx.v(q, r.n), cx.v(q, r.m), cx.standard());
    let v = cx.b.fp2(op, singles(q), env, a, b);
    cx.set_v(q, d, v);
}

rows! { same(q d n m):
    vadd_v VaddV(Fp2::Add);
    vsub_v VsubV(Fp2::Sub);
    vmul_v VmulV(Fp2::Mul);
    vmax_v VmaxV(Fp2::Max);
    vmin_v VminV(Fp2::Min);
    vmaxnm_v VmaxnmV(Fp2::MaxNum);
    vminnm_v VminnmV(Fp2::MinNum);
}

pub(crate) fn vabd_v(cx: &mut Cx, i: VabdV) {
    let Some(r) = cx.three(i.q, i.d, i.n, i.m) else { return };
    let (a, b, env) = (cx.v(i.q, r.n), cx.v(i.q, r.m), cx.standard());
    let v = cx.b.fp2(Fp2::Sub, singles(i.q), env, a, b);
    let v = cx.b.fp1(Fp1::Abs, singles(i.q), env, v);
    cx.set_v(i.q, i.d, v);
}

/// Vd ± a*b, rounded twice.
pub(super) fn multiply_add(cx: &mut Cx, q: u32, d: u32, a: Val, b: Val, negate: bool) {
    let (c, env, shape) = (cx.v(q, d), cx.standard(), singles(q));
    let product = cx.b.fp2(Fp2::Mul, shape, env, a, b);
    let v = cx.b.fp2(if negate { Fp2::Sub } else { Fp2::Add }, shape, env, c, product);
    cx.set_v(q, d, v);
}

fn multiply_add_same(cx: &mut Cx, [q, d, n, m]: [u32; 4], negate: bool) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b) = (cx.v(q, r.n), cx.v(q, r.m));
    multiply_add(cx, q, d, a, b, negate);
}

rows! { multiply_add_same(q d n m):
    vmla_v VmlaV(false);
    vmls_v VmlsV(true);
}

fn fused(cx: &mut Cx, [q, d, n, m]: [u32; 4], negate: bool) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b, c, env) = (cx.v(q, r.n), cx.v(q, r.m), cx.v(q, r.d), cx.standard());
    let v = cx.b.fma(singles(q), env, negate, false, a, b, c);
    cx.set_v(q, d, v);
}

rows! { fused(q d n m):
    vfma_v VfmaV(false);
    vfms_v VfmsV(true);
}

fn compare(cx: &mut Cx, [q, d, n, m]: [u32; 4], op: FpCc) {
    let Some(r) = cx.three(q, d, n, m) else { return };
    let (a, b, env) = (cx.v(q, r.n), cx.v(q, r.m), cx.standard());
    let v = cx.b.fp_cmp(op, singles(q), env, a, b);
    cx.set_v(q, d, v);
}

rows! { compare(q d n m):
    vceq_v VceqV(FpCc::Eq);
    vcge_v VcgeV(FpCc::Ge);
    vcgt_v VcgtV(FpCc::Gt);
    vacge Vacge(FpCc::AbsGe);
    vacgt Vacgt(FpCc::AbsGt);
}

/// The even and the odd lanes of Dm:Dn, each pair side by side.
fn pairs(cx: &mut Cx, r: Three, lane: Lane) -> (Val, Val) {
    let (a, b) = (cx.d(r.n), cx.d(r.m));
    let both = cx.b.v2(V2::ConcatLo, Lane::D, a, b);
    (cx.b.v2(V2::UnzipEven, lane, both, both), cx.b.v2(V2::UnzipOdd, lane, both, both))
}

fn pairwise(cx: &mut Cx, [d, n, m]: [u32; 3], op: Fp2) {
    let Some(r) = cx.three(0, d, n, m) else { return };
    let (even, odd) = pairs(cx, r, Lane::S);
    let env = cx.standard();
    let v = cx.b.fp2(op, singles(0), env, even, odd);
    cx.set_d(d, v);
}

rows! { pairwise(d n m):
    vpadd_v VpaddV(Fp2::Add);
    vpmax_v VpmaxV(Fp2::Max);
    vpmin_v VpminV(Fp2::Min);
}

/// Lanes where one factor is infinite and the other zero (or flushed to it): all ones.
fn infinity_times_zero(cx: &mut Cx, a: Val, b: Val) -> Val {
    let magnitude = cx.splat(Lane::S, 0x7fff_ffff);
    let infinity = cx.splat(Lane::S, 0x7f80_0000);
    let normal = cx.splat(Lane::S, 0x0080_0000);
    let mut kinds = |v: Val| {
        let v = cx.b.v2(V2::And, Lane::D, v, magnitude);
        (cx.b.v2(V2::CmpEq, Lane::S, v, infinity), cx.b.v2(V2::CmpGtU, Lane::S, normal, v))
    };
    let ((a_infinite, a_zero), (b_infinite, b_zero)) = (kinds(a), kinds(b));
    let x = cx.b.v2(V2::And, Lane::D, a_infinite, b_zero);
    let y = cx.b.v2(V2::And, Lane::D, b_infinite, a_zero);
    cx.b.v2(V2::Or, Lane::D, x, y)
}

/// The product, rounded; zero for infinity times zero, which raises nothing (MulX raises nothing for it).
fn step_product(cx: &mut Cx, q: u32, a: Val, b: Val) -> Val {
    let env = cx.standard();
    let product = cx.b.fp2(Fp2::MulX, singles(q), env, a, b);
    let special = infinity_times_zero(cx, a, b);
    cx.b.v2(V2::AndNot, Lane::D, product, special)
}

/// VRECPS: 2 - a*b, rounded twice (Arm ARM FPRecipStep).
pub(crate) fn vrecps(cx: &mut Cx, i: Vrecps) {
    let Some(r) = cx.three(i.q, i.d, i.n, i.m) else { return };
    let (a, b, env) = (cx.v(i.q, r.n), cx.v(i.q, r.m), cx.standard());
    let product = step_product(cx, i.q, a, b);
    let two = cx.splat(Lane::S, 0x4000_0000);
    let v = cx.b.fp2(Fp2::Sub, singles(i.q), env, two, product);
    cx.set_v(i.q, i.d, v);
}

/// VRSQRTS: (3 - a*b) / 2. Halving the difference is exact: it is never tiny.
pub(crate) fn vrsqrts(cx: &mut Cx, i: Vrsqrts) {
    let Some(r) = cx.three(i.q, i.d, i.n, i.m) else { return };
    let (a, b, env) = (cx.v(i.q, r.n), cx.v(i.q, r.m), cx.standard());
    let product = step_product(cx, i.q, a, b);
    let three = cx.splat(Lane::S, 0x4040_0000);
    let half = cx.splat(Lane::S, 0x3f00_0000);
    let v = cx.b.fp2(Fp2::Sub, singles(i.q), env, three, product);
    let v = cx.b.fp2(Fp2::Mul, singles(i.q), env, v, half);
    cx.set_v(i.q, i.d, v);
}

// ---- two registers ----

fn unary(cx: &mut Cx, [q, d, m]: [u32; 3], op: Fp1, round: Round) {
    let Some(r) = cx.two(q, d, m) else { return };
    let (a, env) = (cx.v(q, r.m), cx.standard().round(round));
    let v = cx.b.fp1(op, singles(q), env, a);
    cx.set_v(q, d, v);
}

rows! { unary(q d m):
    vabs_v VabsV(Fp1::Abs, Round::NearestEven);
    vneg_v VnegV(Fp1::Neg, Round::NearestEven);
    vrecpe Vrecpe(Fp1::RecipEstimate, Round::NearestEven);
    vrsqrte Vrsqrte(Fp1::RsqrtEstimate, Round::NearestEven);
    vrintn_v VrintnV(Fp1::RoundInt, Round::NearestEven);
    vrintx_v VrintxV(Fp1::RoundIntExact, Round::NearestEven);
    vrinta_v VrintaV(Fp1::RoundInt, Round::NearestAway);
    vrintz_v VrintzV(Fp1::RoundInt, Round::Zero);
    vrintm_v VrintmV(Fp1::RoundInt, Round::Down);
    vrintp_v VrintpV(Fp1::RoundInt, Round::Up);
}

/// A comparison with zero; `swap`: zero is the first operand.
fn compare_zero(cx: &mut Cx, [q, d, m]: [u32; 3], op: FpCc, swap: bool) {
    let Some(r) = cx.two(q, d, m) else { return };
    let (a, zero, env) = (cx.v(q, r.m), cx.b.v128(0), cx.standard());
    let (a, b) = if swap { (zero, a) } else { (a, zero) };
    let v = cx.b.fp_cmp(op, singles(q), env, a, b);
    cx.set_v(q, d, v);
}

rows! { compare_zero(q d m):
    vcgt_zero_v VcgtZeroV(FpCc::Gt, false);
    vcge_zero_v VcgeZeroV(FpCc::Ge, false);
    vceq_zero_v VceqZeroV(FpCc::Eq, false);
    vcle_zero_v VcleZeroV(FpCc::Ge, true);
    vclt_zero_v VcltZeroV(FpCc::Gt, true);
}

// ---- conversions ----

fn to_int(cx: &mut Cx, [q, d, m]: [u32; 3], signed: bool, round: Round) {
    let Some(r) = cx.two(q, d, m) else { return };
    let (a, env) = (cx.v(q, r.m), cx.standard().round(round));
    let v = cx.b.fp_to_int_lanes(singles(q), env, signed, 0, a);
    cx.set_v(q, d, v);
}

/// The rounding in an instruction: A, N, P, M.
pub(super) const DIRECTED: [Round; 4] = [Round::NearestAway, Round::NearestEven, Round::Up, Round::Down];

pub(crate) fn vcvt_rm_v(cx: &mut Cx, i: VcvtRmV) {
    to_int(cx, [i.q, i.d, i.m], i.o == 0, DIRECTED[i.r as usize]);
}

pub(crate) fn vcvt_to_int_v(cx: &mut Cx, i: VcvtToIntV) {
    to_int(cx, [i.q, i.d, i.m], i.u == 0, Round::Zero);
}

pub(crate) fn vcvt_from_int_v(cx: &mut Cx, i: VcvtFromIntV) {
    let Some(r) = cx.two(i.q, i.d, i.m) else { return };
    let (a, env) = (cx.v(i.q, r.m), cx.standard());
    let v = cx.b.fp_from_int(singles(i.q), env, i.u == 0, 0, a);
    cx.set_v(i.q, i.d, v);
}

/// Half precision is not flushed; the single-precision side is.
pub(crate) fn vcvt_to_half(cx: &mut Cx, i: VcvtToHalf) {
    if i.m & 1 == 1 {
        return cx.undefined();
    }
    let (a, env) = (cx.quad(i.m), cx.standard());
    let v = cx.b.fp_cvt_lanes(Fmt::F32, Fmt::F16, 4, env, a);
    cx.set_d(i.d, v);
}

pub(crate) fn vcvt_from_half(cx: &mut Cx, i: VcvtFromHalf) {
    if i.d & 1 == 1 {
        return cx.undefined();
    }
    let (a, env) = (cx.d(i.m), cx.standard());
    let v = cx.b.fp_cvt_lanes(Fmt::F16, Fmt::F32, 4, env, a);
    cx.set_quad(i.d, v);
}

// ---- hash and cipher steps ----

/// Qd = op(Qd, Qn, Qm).
fn hash(cx: &mut Cx, [d, n, m]: [u32; 3], op: V3) {
    let Some(r) = cx.three(1, d, n, m) else { return };
    let (a, b, c) = (cx.quad(r.d), cx.quad(r.n), cx.quad(r.m));
    let v = cx.b.v3(op, Lane::S, a, b, c);
    cx.set_quad(d, v);
}

rows! { hash(d n m):
    sha1c Sha1c(V3::Sha1C);
    sha1p Sha1p(V3::Sha1P);
    sha1m Sha1m(V3::Sha1M);
    sha1su0 Sha1su0(V3::Sha1Su0);
    sha256h Sha256h(V3::Sha256H);
    sha256h2 Sha256h2(V3::Sha256H2);
    sha256su1 Sha256su1(V3::Sha256Su1);
}

/// What the operands of a cipher step are: Qd with Qm added as a key, Qm alone, Qd and Qm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Takes {
    Keyed,
    Source,
    Both,
}

fn step(cx: &mut Cx, [d, m]: [u32; 2], op: ir::Crypto, takes: Takes) {
    let Some(r) = cx.two(1, d, m) else { return };
    let (mut a, mut b) = (cx.quad(r.d), cx.quad(r.m));
    match takes {
        Takes::Keyed => {
            a = cx.b.v2(V2::Xor, Lane::D, a, b);
            b = a;
        }
        Takes::Source => a = b,
        Takes::Both => {}
    }
    let v = cx.b.crypto(op, a, b);
    cx.set_quad(d, v);
}

rows! { step(d m):
    aese Aese(ir::Crypto::AesSubShift, Takes::Keyed);
    aesd Aesd(ir::Crypto::AesInvSubShift, Takes::Keyed);
    aesmc Aesmc(ir::Crypto::AesMix, Takes::Source);
    aesimc Aesimc(ir::Crypto::AesInvMix, Takes::Source);
    sha1h Sha1h(ir::Crypto::Sha1H, Takes::Source);
    sha1su1 Sha1su1(ir::Crypto::Sha1Su1, Takes::Both);
    sha256su0 Sha256su0(ir::Crypto::Sha256Su0, Takes::Both);
}
