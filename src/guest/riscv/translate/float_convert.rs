//! Conversions between floating-point formats and integers, moves between register files, and constants (F, D, Zfh, Zfa).

use super::Cx;
use super::float::{canonical_nan, format, infinity};
use crate::insn::*;
use ir::{Fmt, Lane, Shape, Ty, Val};

fn integer(w: u32) -> Ty {
    if w == 1 { Ty::I64 } else { Ty::I32 }
}

pub(crate) fn fcvt_fmt(cx: &mut Cx, i: FcvtFmt) {
    let (from, to) = (format(i.g), format(i.f));
    let Some(round) = cx.round(i.r) else { return cx.undefined() };
    // A wider format has every value of a narrower one.
    let env = if from.ty().bytes() < to.ty().bytes() { cx.env_exact() } else { cx.env(round) };
    let a = cx.f(from, i.n);
    let v = cx.b.fp_cvt(from, to, env, a);
    cx.set_f(i.d, v);
}

/// What does not fit saturates, and NaN counts as too large; a 32-bit result is sign-extended, an unsigned one too.
pub(crate) fn fcvt_to_int(cx: &mut Cx, i: FcvtToInt) {
    let fmt = format(i.f);
    let Some(round) = cx.round(i.r) else { return cx.undefined() };
    let (a, env) = (cx.f(fmt, i.n), cx.env(round));
    let v = cx.b.fp_to_int(fmt, env, i.u == 0, integer(i.w), 0, a);
    cx.set_x(i.d, v);
}

pub(crate) fn fcvt_from_int(cx: &mut Cx, i: FcvtFromInt) {
    let (fmt, ty) = (format(i.f), integer(i.w));
    let Some(round) = cx.round(i.r) else { return cx.undefined() };
    // A double has every value of 32 bits.
    let env = if fmt == Fmt::F64 && ty == Ty::I32 { cx.env_exact() } else { cx.env(round) };
    let a = cx.x(i.n);
    let a = cx.b.trunc(ty, a);
    let v = cx.b.fp_from_int(Shape::scalar(fmt), env, i.u == 0, 0, a);
    cx.set_f(i.d, v);
}

/// Modulo 2^32, towards zero, with the flags of FCVT.W.D.
pub(crate) fn fcvtmod(cx: &mut Cx, i: Fcvtmod) {
    let a = cx.f(Fmt::F64, i.n);
    let v = cx.b.fp_to_int_js(a);
    cx.set_x(i.d, v);
}

// ---- moves ----

pub(crate) fn fmv_to_x(cx: &mut Cx, i: FmvToX) {
    let v = cx.low(format(i.f).ty(), i.n);
    let ty = format(i.f).lane().ty();
    let v = cx.b.bitcast(ty, v);
    cx.set_x(i.d, v);
}

pub(crate) fn fmv_from_x(cx: &mut Cx, i: FmvFromX) {
    let fmt = format(i.f);
    let x = cx.x(i.n);
    let bits = cx.b.trunc(fmt.lane().ty(), x);
    set_bits(cx, i.d, fmt, bits);
}

fn set_bits(cx: &mut Cx, d: u32, fmt: Fmt, bits: Val) {
    let v = cx.b.bitcast(fmt.ty(), bits);
    cx.set_f(d, v);
}

/// The upper half of a double, on RV32.
pub(crate) fn fmvh(cx: &mut Cx, i: Fmvh) {
    let slot = cx.b.get(crate::state::f(i.n));
    let v = cx.b.vget(Ty::I32, slot, 1);
    cx.set_x(i.d, v);
}

/// A double of two registers, on RV32.
pub(crate) fn fmvp(cx: &mut Cx, i: Fmvp) {
    let (lo, hi) = (cx.x(i.n), cx.x(i.m));
    let v = cx.b.v_from_scalar(lo);
    let v = cx.b.vset(Lane::S, v, hi, 1);
    let v = cx.b.vget(Ty::F64, v, 0);
    cx.set_f(i.d, v);
}

// ---- FLI ----

/// Values of FLI from 2 on (Zfa, table 33) but for the last two, infinity and NaN; 0 is -1.0 and 1 the smallest normal number.
const CONSTANTS: [f64; 28] = [
    1.0 / 65536.0,
    1.0 / 32768.0,
    1.0 / 256.0,
    1.0 / 128.0,
    0.0625,
    0.125,
    0.25,
    0.3125,
    0.375,
    0.4375,
    0.5,
    0.625,
    0.75,
    0.875,
    1.0,
    1.25,
    1.5,
    1.75,
    2.0,
    2.5,
    3.0,
    4.0,
    8.0,
    16.0,
    128.0,
    256.0,
    32768.0,
    65536.0,
];

/// A value of [`CONSTANTS`] in half precision: exact, or out of range and infinite.
fn half(v: f64) -> u64 {
    let bits = v.to_bits();
    let (sign, exponent, significand) = (bits >> 63 << 15, (bits >> 52 & 0x7ff) as i64 - 1023, bits >> 42 & 0x3ff);
    match exponent {
        16.. => sign | infinity(Fmt::F16),
        -14..16 => sign | ((exponent + 15) as u64) << 10 | significand,
        _ => sign | (0x400 | significand) >> (-14 - exponent),
    }
}

fn constant(fmt: Fmt, i: u32) -> u64 {
    let v = match i {
        0 => -1.0,
        1 => return infinity(fmt) & infinity(fmt).wrapping_neg(),
        30 => return infinity(fmt),
        31 => return canonical_nan(fmt),
        _ => CONSTANTS[i as usize - 2],
    };
    match fmt {
        Fmt::F16 => half(v),
        Fmt::F32 => (v as f32).to_bits().into(),
        _ => v.to_bits(),
    }
}

pub(crate) fn fli(cx: &mut Cx, i: Fli) {
    let fmt = format(i.f);
    let v = cx.b.constant(fmt.ty(), constant(fmt, i.i));
    cx.set_f(i.d, v);
}
