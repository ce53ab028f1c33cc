//! F, D, Zfh and Zfa but for conversions. Values narrower than a register stand in it with ones above (NaN boxing); what is not boxed so
//! reads as the canonical NaN.

use super::{Cx, Quiet, rows};
use crate::insn::*;
use crate::state;
use ir::{Bin, Cc, Env, Fmt, Fp1, Fp2, IntCc, Lane, NanRule, Op, Round, Shape, Ty, V2, V3, Val};

/// The format that the field names.
pub(super) fn format(f: u32) -> Fmt {
    match f {
        0 => Fmt::F32,
        1 => Fmt::F64,
        _ => Fmt::F16,
    }
}

/// The widths of a format's exponent and significand.
pub(super) const fn widths(fmt: Fmt) -> (u32, u32) {
    match fmt {
        Fmt::F16 => (5, 10),
        Fmt::F32 => (8, 23),
        _ => (11, 52),
    }
}

pub(super) const fn infinity(fmt: Fmt) -> u64 {
    let (exponent, significand) = widths(fmt);
    ((1 << exponent) - 1) << significand
}

pub(super) const fn canonical_nan(fmt: Fmt) -> u64 {
    infinity(fmt) | 1 << (widths(fmt).1 - 1)
}

/// The ones above a narrow value.
fn boxing(ty: Ty) -> u128 {
    u128::from(!ty.mask())
}

impl Cx<'_> {
    /// The rounding that the field names; None if it is none.
    pub(super) fn round(&self, r: u32) -> Option<Round> {
        state::rounding(if r == 7 { self.mode & 7 } else { r })
    }

    /// The environment with that rounding.
    pub(super) fn env(&self, round: Round) -> Env {
        Env { round, nan: NanRule::RiscV, flush_in: false, flush_out: false, alt_half: false, unmasked: false }
    }

    /// That of operations which do not round: the one in force.
    pub(super) fn env_exact(&self) -> Env {
        self.env(self.b.region.fp.round)
    }

    /// The low bits of fn, as they are.
    pub(super) fn low(&mut self, ty: Ty, n: u32) -> Val {
        let slot = self.b.get(state::f(n));
        self.unboxed(ty, slot).unwrap_or_else(|| self.b.vget(ty, slot, 0))
    }

    /// The value that was boxed in this block.
    fn unboxed(&self, ty: Ty, slot: Val) -> Option<Val> {
        let Op::VSet(_, ones, v, 0) = *self.b.region.op(slot) else { return None };
        let is_boxing = self.b.region.const_v_of(ones) == Some(boxing(ty));
        (is_boxing && self.b.ty(v) == ty).then_some(v)
    }

    /// fn as an operand of the format. What is not boxed is a quiet NaN, though not the canonical one: for operations that look no closer.
    pub(super) fn f(&mut self, fmt: Fmt, n: u32) -> Val {
        let (ty, slot) = (fmt.ty(), self.b.get(state::f(n)));
        if fmt != Fmt::F32 || self.unboxed(ty, slot).is_some() {
            return self.f_exact(fmt, n);
        }
        let boxed = self.is_boxed(fmt, slot);
        let v = self.b.v2(V2::OrNot, Lane::D, slot, boxed);
        self.b.vget(ty, v, 0)
    }

    /// fn as a value of the format.
    pub(super) fn f_exact(&mut self, fmt: Fmt, n: u32) -> Val {
        let (ty, slot) = (fmt.ty(), self.b.get(state::f(n)));
        if fmt == Fmt::F64 {
            return self.b.vget(ty, slot, 0);
        }
        if let Some(v) = self.unboxed(ty, slot) {
            return v;
        }
        let (boxed, nan) = (self.is_boxed(fmt, slot), self.b.v128(canonical_nan(fmt).into()));
        let v = self.b.v3(V3::BitSelect, Lane::B, boxed, slot, nan);
        self.b.vget(ty, v, 0)
    }

    /// Ones in the low lane if it is boxed, else zeros.
    fn is_boxed(&mut self, fmt: Fmt, slot: Val) -> Val {
        if fmt == Fmt::F32 {
            let ones = self.b.v128(u128::MAX);
            let equal = self.b.v2(V2::CmpEq, Lane::S, slot, ones);
            return self.b.vsplat_lane(Lane::S, equal, 1);
        }
        let ones = self.b.v128(boxing(fmt.ty()));
        let above = self.b.v2(V2::And, Lane::D, slot, ones);
        self.b.v2(V2::CmpEq, Lane::D, above, ones)
    }

    /// Writes fn.
    pub(super) fn set_f(&mut self, d: u32, v: Val) {
        let ty = self.b.ty(v);
        let v = if ty == Ty::F64 {
            self.b.v_from_scalar(v)
        } else {
            let ones = self.b.v128(boxing(ty));
            self.b.vset(Lane::log2(ty.bytes().trailing_zeros()), ones, v, 0)
        };
        self.b.set(state::f(d), v);
    }
}

/// Does the rest with the environment of the rounding field, if that names one.
fn rounded(cx: &mut Cx, r: u32, f: impl FnOnce(&mut Cx, Env)) {
    match cx.round(r) {
        Some(round) => f(cx, cx.env(round)),
        None => cx.undefined(),
    }
}

// ---- arithmetic ----

fn multiply_add(cx: &mut Cx, [f, d, n, m, a, r]: [u32; 6], neg_product: bool, neg_addend: bool) {
    let fmt = format(f);
    rounded(cx, r, |cx, env| {
        let (x, y, c) = (cx.f(fmt, n), cx.f(fmt, m), cx.f(fmt, a));
        let v = cx.b.fma(Shape::scalar(fmt), env, neg_product, neg_addend, x, y, c);
        cx.set_f(d, v);
    });
}

rows! { multiply_add(f d n m a r):
    fmadd Fmadd(false, false);
    fmsub Fmsub(false, true);
    fnmsub Fnmsub(true, false);
    fnmadd Fnmadd(true, true);
}

fn binary_value(cx: &mut Cx, [f, d, n, m]: [u32; 4], op: Fp2, env: Env) {
    let fmt = format(f);
    let (a, b) = (cx.f(fmt, n), cx.f(fmt, m));
    let v = cx.b.fp2(op, Shape::scalar(fmt), env, a, b);
    cx.set_f(d, v);
}

fn binary(cx: &mut Cx, [f, d, n, m, r]: [u32; 5], op: Fp2) {
    rounded(cx, r, |cx, env| binary_value(cx, [f, d, n, m], op, env));
}

rows! { binary(f d n m r):
    fadd Fadd(Fp2::Add);
    fsub Fsub(Fp2::Sub);
    fmul Fmul(Fp2::Mul);
    fdiv Fdiv(Fp2::Div);
}

/// FMIN and FMAX prefer a number to any NaN, FMINM and FMAXM give NaN.
fn extreme(cx: &mut Cx, fields: [u32; 4], op: Fp2) {
    let env = cx.env_exact();
    binary_value(cx, fields, op, env);
}

rows! { extreme(f d n m):
    fmin Fmin(Fp2::MinNum);
    fmax Fmax(Fp2::MaxNum);
    fminm Fminm(Fp2::Min);
    fmaxm Fmaxm(Fp2::Max);
}

fn unary(cx: &mut Cx, [f, d, n, r]: [u32; 4], op: Fp1) {
    let fmt = format(f);
    rounded(cx, r, |cx, env| {
        let a = cx.f(fmt, n);
        let v = cx.b.fp1(op, Shape::scalar(fmt), env, a);
        cx.set_f(d, v);
    });
}

rows! { unary(f d n r):
    fsqrt Fsqrt(Fp1::Sqrt);
    fround Fround(Fp1::RoundInt);
    froundnx Froundnx(Fp1::RoundIntExact);
}

// ---- signs ----

/// Where the sign comes from.
#[derive(Clone, Copy)]
enum Sign {
    Other,
    NotOther,
    Both,
}

/// Of one register alone these are FMV, FNEG and FABS.
fn inject(cx: &mut Cx, [f, d, n, m]: [u32; 4], sign: Sign) {
    let fmt = format(f);
    let (shape, env) = (Shape::scalar(fmt), cx.env_exact());
    let a = cx.f_exact(fmt, n);
    let v = match sign {
        Sign::Other if n == m => a,
        Sign::NotOther if n == m => cx.b.fp1(Fp1::Neg, shape, env, a),
        Sign::Both if n == m => cx.b.fp1(Fp1::Abs, shape, env, a),
        _ => injected(cx, fmt, a, m, sign),
    };
    cx.set_f(d, v);
}

fn injected(cx: &mut Cx, fmt: Fmt, a: Val, m: u32, sign: Sign) -> Val {
    let (shape, env) = (Shape::scalar(fmt), cx.env_exact());
    let b = cx.f_exact(fmt, m);
    let b = if matches!(sign, Sign::NotOther) { cx.b.fp1(Fp1::Neg, shape, env, b) } else { b };
    let (a, b) = (cx.b.v_from_scalar(a), cx.b.v_from_scalar(b));
    let mask = cx.b.v128(1 << (fmt.lane().bits() - 1));
    let v = if matches!(sign, Sign::Both) {
        let signs = cx.b.v2(V2::And, Lane::D, b, mask);
        cx.b.v2(V2::Xor, Lane::D, a, signs)
    } else {
        cx.b.v3(V3::BitSelect, Lane::B, mask, b, a)
    };
    cx.b.vget(fmt.ty(), v, 0)
}

rows! { inject(f d n m):
    fsgnj Fsgnj(Sign::Other);
    fsgnjn Fsgnjn(Sign::NotOther);
    fsgnjx Fsgnjx(Sign::Both);
}

// ---- comparison, classification ----

/// The conditions on the flags of a comparison (less N, equal ZC, greater C, unordered CV) for <, ≤ and =.
const LESS: Cc = Cc::Mi;
const LESS_OR_EQUAL: Cc = Cc::Ls;
const EQUAL: Cc = Cc::Eq;

fn compare(cx: &mut Cx, [f, d, n, m]: [u32; 4], cc: Cc, signalling: bool) {
    let fmt = format(f);
    let (a, b, env) = (cx.f(fmt, n), cx.f(fmt, m), cx.env_exact());
    let flags = cx.b.flags_fcmp(fmt, env, signalling, a, b);
    let v = cx.b.cond(cc, flags);
    cx.set_bool(d, v);
    if let Quiet::Read(x) = cx.before
        && x != d
    {
        cx.now = Quiet::Compared(x, flags);
    }
}

rows! { compare(f d n m):
    feq Feq(EQUAL, false);
    flt Flt(LESS, true);
    fle Fle(LESS_OR_EQUAL, true);
    fltq Fltq(LESS, false);
    fleq Fleq(LESS_OR_EQUAL, false);
}

/// FCLASS: which of ten kinds the number is of, as a bit (F, table 27).
pub(crate) fn fclass(cx: &mut Cx, i: Fclass) {
    let fmt = format(i.f);
    let a = cx.f(fmt, i.n);
    let bits = cx.b.bitcast(fmt.lane().ty(), a);
    let bits = cx.b.zext(Ty::I64, bits);
    let (exponent, significand) = widths(fmt);
    // The sign in the highest bit, and without it the exponent from there.
    let number = cx.b.shift_imm(Bin::Shl, bits, 63 - exponent - significand);
    let magnitude = cx.b.shift_imm(Bin::Shl, number, 1);
    let normal = 1 << (64 - exponent);
    let infinity = u64::MAX << (64 - exponent);
    let quiet = infinity | normal >> 1;
    let zero = cx.b.i64(0);
    let reaches = |cx: &mut Cx, least: u64| {
        let least = cx.b.i64(least);
        cx.b.cmp(IntCc::Uge, magnitude, least)
    };
    // How far from zero: 0 to 3.
    let steps = [1, normal, infinity].map(|least| {
        let there = reaches(cx, least);
        cx.b.zext(Ty::I64, there)
    });
    let far = steps.into_iter().reduce(|a, b| cx.b.add(a, b)).expect("three steps");
    let (three, positive) = (cx.b.i64(3), cx.b.add_imm(far, 4));
    let negative = cx.b.sub(three, far);
    let is_negative = cx.b.cmp(IntCc::Slt, number, zero);
    let kind = cx.b.select(is_negative, negative, positive);
    let (is_nan, is_quiet) = (reaches(cx, infinity + 1), reaches(cx, quiet));
    let is_quiet = cx.b.zext(Ty::I64, is_quiet);
    let nan = cx.b.add_imm(is_quiet, 8);
    let kind = cx.b.select(is_nan, nan, kind);
    let one = cx.b.i64(1);
    let bit = cx.b.bin(Bin::Shl, one, kind);
    let bit = cx.b.trunc(cx.xlen, bit);
    cx.set_x(i.d, bit);
}
