//! Scalar floating point (Arm ARM C4.1.96: floating-point data processing with 1, 2, 3 sources, compare, conditional compare,
//! conditional select, immediate, conversions). `t` is the type: 0 single, 1 double, 3 half.

use super::simd::{rows, scalar_fmt};
use super::simd_float::rounded;
use super::simd_move::expand_fp_immediate;
use super::{Cx, width};
use crate::insn::*;
use ir::{Fmt, Fp1, Fp2, IntCc, Lane, Round, Shape, Term, Ty, Val};

// ---- one source ----

pub(crate) fn fmov_reg(cx: &mut Cx, i: FmovReg) {
    let v = cx.fp(scalar_fmt(i.t), i.n);
    cx.set_fp(i.d, v);
}

fn unary(cx: &mut Cx, [t, d, n]: [u32; 3], op: Fp1, round: Option<Round>) {
    let fmt = scalar_fmt(t);
    let (a, env) = (cx.fp(fmt, n), rounded(cx.env(fmt), round));
    let v = cx.b.fp1(op, Shape::scalar(fmt), env, a);
    cx.set_fp(d, v);
}

rows! { unary(t d n):
    fabs Fabs(Fp1::Abs, None);
    fneg Fneg(Fp1::Neg, None);
    fsqrt Fsqrt(Fp1::Sqrt, None);
    frintn Frintn(Fp1::RoundInt, Some(Round::NearestEven));
    frintp Frintp(Fp1::RoundInt, Some(Round::Up));
    frintm Frintm(Fp1::RoundInt, Some(Round::Down));
    frintz Frintz(Fp1::RoundInt, Some(Round::Zero));
    frinta Frinta(Fp1::RoundInt, Some(Round::NearestAway));
    frinti Frinti(Fp1::RoundInt, None);
    frintx Frintx(Fp1::RoundIntExact, None);
    frint32z Frint32z(Fp1::RoundInt32, Some(Round::Zero));
    frint32x Frint32x(Fp1::RoundInt32, None);
    frint64z Frint64z(Fp1::RoundInt64, Some(Round::Zero));
    frint64x Frint64x(Fp1::RoundInt64, None);
}

pub(crate) fn fcvt(cx: &mut Cx, i: Fcvt) {
    let (a, env) = (cx.fp(scalar_fmt(i.t), i.n), cx.env(Fmt::F32));
    let v = cx.b.fp_cvt(scalar_fmt(i.t), scalar_fmt(i.o), env, a);
    cx.set_fp(i.d, v);
}

pub(crate) fn bfcvt(cx: &mut Cx, i: Bfcvt) {
    let (a, env) = (cx.fp(Fmt::F32, i.n), cx.env(Fmt::F32));
    let v = cx.b.fp_cvt(Fmt::F32, Fmt::BF16, env, a);
    cx.set_fp(i.d, v);
}

// ---- two sources ----

fn binary(cx: &mut Cx, [t, d, n, m]: [u32; 4], op: Fp2) {
    let v = binary_value(cx, [t, n, m], op);
    cx.set_fp(d, v);
}

fn binary_value(cx: &mut Cx, [t, n, m]: [u32; 3], op: Fp2) -> Val {
    let fmt = scalar_fmt(t);
    let (a, b, env) = (cx.fp(fmt, n), cx.fp(fmt, m), cx.env(fmt));
    cx.b.fp2(op, Shape::scalar(fmt), env, a, b)
}

rows! { binary(t d n m):
    fadd Fadd(Fp2::Add);
    fsub Fsub(Fp2::Sub);
    fmul Fmul(Fp2::Mul);
    fdiv Fdiv(Fp2::Div);
    fmax Fmax(Fp2::Max);
    fmin Fmin(Fp2::Min);
    fmaxnm Fmaxnm(Fp2::MaxNum);
    fminnm Fminnm(Fp2::MinNum);
}

/// The product is negated after it is rounded, NaN or not.
pub(crate) fn fnmul(cx: &mut Cx, i: Fnmul) {
    let v = binary_value(cx, [i.t, i.n, i.m], Fp2::Mul);
    let fmt = scalar_fmt(i.t);
    let env = cx.env(fmt);
    let v = cx.b.fp1(Fp1::Neg, Shape::scalar(fmt), env, v);
    cx.set_fp(i.d, v);
}

// ---- three sources ----

/// Va ± Vn*Vm, or its negation: of Va and of Vn, NaN or not.
fn multiply_add(cx: &mut Cx, [t, d, n, m, a]: [u32; 5], neg_product: bool, neg_addend: bool) {
    let fmt = scalar_fmt(t);
    let (x, y, c, env) = (cx.fp(fmt, n), cx.fp(fmt, m), cx.fp(fmt, a), cx.env(fmt));
    let v = cx.b.fma(Shape::scalar(fmt), env, neg_product, neg_addend, x, y, c);
    cx.set_fp(d, v);
}

rows! { multiply_add(t d n m a):
    fmadd Fmadd(false, false);
    fmsub Fmsub(true, false);
    fnmadd Fnmadd(true, true);
    fnmsub Fnmsub(false, true);
}

// ---- compare, select ----

fn compare(cx: &mut Cx, [t, s]: [u32; 2], a: Val, b: Val) -> Val {
    let fmt = scalar_fmt(t);
    let env = cx.env(fmt);
    cx.b.flags_fcmp(fmt, env, s == 1, a, b)
}

pub(crate) fn fcmp(cx: &mut Cx, i: Fcmp) {
    let (a, b) = (cx.fp(scalar_fmt(i.t), i.n), cx.fp(scalar_fmt(i.t), i.m));
    let flags = compare(cx, [i.t, i.s], a, b);
    cx.set_flags(flags);
}

pub(crate) fn fcmp_zero(cx: &mut Cx, i: FcmpZero) {
    let fmt = scalar_fmt(i.t);
    let (a, zero) = (cx.fp(fmt, i.n), cx.fp_zero(fmt.ty()));
    let flags = compare(cx, [i.t, i.s], a, zero);
    cx.set_flags(flags);
}

/// FCCMP, FCCMPE. Where the condition fails nothing is compared, so no exception is raised.
pub(crate) fn fccmp(cx: &mut Cx, i: Fccmp) {
    let cond = cx.cond(i.c);
    let [compares, given, on] = std::array::from_fn(|_| cx.b.block());
    cx.b.branch(cond, compares, given);
    cx.b.enter(compares);
    let fmt = scalar_fmt(i.t);
    let (a, b) = (cx.fp(fmt, i.n), cx.fp(fmt, i.m));
    let flags = compare(cx, [i.t, i.s], a, b);
    cx.set_flags(flags);
    cx.b.end(Term::Jump(on));
    cx.b.enter(given);
    let bits = cx.b.i32(i.f << 28);
    let flags = cx.b.flags_from_bits(bits);
    cx.set_flags(flags);
    cx.b.end(Term::Jump(on));
    cx.b.enter(on);
}

pub(crate) fn fcsel(cx: &mut Cx, i: Fcsel) {
    let fmt = scalar_fmt(i.t);
    let (a, b, cond) = (cx.fp(fmt, i.n), cx.fp(fmt, i.m), cx.cond(i.c));
    let v = cx.b.select(cond, a, b);
    cx.set_fp(i.d, v);
}

pub(crate) fn fmov_imm(cx: &mut Cx, i: FmovImm) {
    let ty = scalar_fmt(i.t).ty();
    let v = cx.b.constant(ty, expand_fp_immediate(ty, i.i));
    cx.set_fp(i.d, v);
}

// ---- to and from integers ----

/// To Wd or Xd (`f` 1).
fn to_int(cx: &mut Cx, [t, f, d, n]: [u32; 4], round: Round, signed: bool, fbits: u32) {
    let fmt = scalar_fmt(t);
    let (a, env) = (cx.fp(fmt, n), cx.env(fmt).round(round));
    let v = cx.b.fp_to_int(fmt, env, signed, width(f), fbits, a);
    cx.set_r(d, v);
}

rows! { to_int(t f d n):
    fcvtns Fcvtns(Round::NearestEven, true, 0);
    fcvtnu Fcvtnu(Round::NearestEven, false, 0);
    fcvtps Fcvtps(Round::Up, true, 0);
    fcvtpu Fcvtpu(Round::Up, false, 0);
    fcvtms Fcvtms(Round::Down, true, 0);
    fcvtmu Fcvtmu(Round::Down, false, 0);
    fcvtzs Fcvtzs(Round::Zero, true, 0);
    fcvtzu Fcvtzu(Round::Zero, false, 0);
    fcvtas Fcvtas(Round::NearestAway, true, 0);
    fcvtau Fcvtau(Round::NearestAway, false, 0);
}

fn to_fixed(cx: &mut Cx, [t, f, d, n, i]: [u32; 5], signed: bool) {
    to_int(cx, [t, f, d, n], Round::Zero, signed, 64 - i);
}

rows! { to_fixed(t f d n i):
    fcvtzs_fix FcvtzsFix(true);
    fcvtzu_fix FcvtzuFix(false);
}

/// From Wn or Xn (`f` 1).
fn from_int(cx: &mut Cx, [t, f, d, n]: [u32; 4], signed: bool, fbits: u32) {
    let fmt = scalar_fmt(t);
    let (a, env) = (cx.r(f, n), cx.env(fmt));
    let v = cx.b.fp_from_int(Shape::scalar(fmt), env, signed, fbits, a);
    cx.set_fp(d, v);
}

rows! { from_int(t f d n):
    scvtf Scvtf(true, 0);
    ucvtf Ucvtf(false, 0);
}

fn from_fixed(cx: &mut Cx, [t, f, d, n, i]: [u32; 5], signed: bool) {
    from_int(cx, [t, f, d, n], signed, 64 - i);
}

rows! { from_fixed(t f d n i):
    scvtf_fix ScvtfFix(true);
    ucvtf_fix UcvtfFix(false);
}

/// FJCVTZS: Z tells that the conversion was exact, which is that the result converted back gives the same bits (-0 is not).
pub(crate) fn fjcvtzs(cx: &mut Cx, i: Fjcvtzs) {
    let a = cx.fp(Fmt::F64, i.n);
    let env = cx.env(Fmt::F64);
    let operand = if env.flush_in { flushed(cx, a) } else { a };
    let v = cx.b.fp_to_int_js(operand);
    let back = cx.b.fp_from_int(Shape::scalar(Fmt::F64), env, true, 0, v);
    let (a, back) = (cx.b.bitcast(Ty::I64, a), cx.b.bitcast(Ty::I64, back));
    let exact = cx.b.cmp(IntCc::Eq, a, back);
    let (z, none) = (cx.b.i32(1 << 30), cx.b.i32(0));
    let bits = cx.b.select(exact, z, none);
    let flags = cx.b.flags_from_bits(bits);
    cx.set_flags(flags);
    cx.set_r(i.d, v);
}

/// A double with a denormal flushed, as FPUnpack does: adding -0 changes nothing else.
fn flushed(cx: &mut Cx, a: Val) -> Val {
    let env = cx.env(Fmt::F64).round(Round::NearestEven);
    let minus_zero = cx.b.constant(Ty::F64, 1 << 63);
    cx.b.fp2(Fp2::Add, Shape::scalar(Fmt::F64), env, a, minus_zero)
}

pub(crate) fn fmov_to_gpr(cx: &mut Cx, i: FmovToGpr) {
    let a = cx.v(i.n);
    let v = cx.b.vget(scalar_fmt(i.t).lane().ty(), a, 0);
    cx.set_r(i.d, v);
}

pub(crate) fn fmov_from_gpr(cx: &mut Cx, i: FmovFromGpr) {
    let x = cx.x(i.n);
    let v = cx.b.trunc(scalar_fmt(i.t).lane().ty(), x);
    cx.set_fp(i.d, v);
}

pub(crate) fn fmov_from_top(cx: &mut Cx, i: FmovFromTop) {
    let a = cx.v(i.n);
    let v = cx.b.vget(Ty::I64, a, 1);
    cx.set_r(i.d, v);
}

pub(crate) fn fmov_to_top(cx: &mut Cx, i: FmovToTop) {
    let (c, x) = (cx.v(i.d), cx.x(i.n));
    let v = cx.b.vset(Lane::D, c, x, 1);
    cx.set_whole(i.d, v);
}
