//! Multiplication (Arm: FPMul, FPMulX) and the exact product that the fused operations share.

use crate::env::Env;
use crate::format::{Fmt, Format, dispatch};
use crate::nan::{invalid, propagate};
use crate::pack::{Value, round_pack, unpack};

/// `a * b`
pub fn mul(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, mul_body[a, b](env)) as u64
}

/// `a * b`, where infinity times zero is 2 with the product's sign, and not invalid (FMULX).
pub fn mulx(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, mulx_body[a, b](env)) as u64
}

pub(crate) fn mul_body<F: Format>(a: u128, b: u128, env: &mut Env) -> u128 {
    product::<F>(a, b, |_, env| invalid::<F>(env), env)
}

fn mulx_body<F: Format>(a: u128, b: u128, env: &mut Env) -> u128 {
    product::<F>(a, b, |sign, _| F::power_of_two(sign, 1), env)
}

/// A product; `infinity_by_zero` gets the product's sign.
fn product<F: Format>(a: u128, b: u128, infinity_by_zero: fn(bool, &mut Env) -> u128, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    let b = unpack::<F>(b, env);
    if let Some(nan) = propagate::<F, 2>([&a, &b], env) {
        return nan;
    }
    let sign = a.sign() != b.sign();
    let infinity = a.is_infinity() || b.is_infinity();
    let zero = a.is_zero() || b.is_zero();
    if infinity && zero {
        return infinity_by_zero(sign, env);
    }
    env.denormal_used(a.denormal || b.denormal);
    if infinity {
        return F::infinity(sign);
    }
    if zero {
        return F::zero(sign);
    }
    round_pack::<F>(multiply_values(a.value, b.value), env)
}

/// The exact product. Significands have at most 64 bits, which holds for all formats up to x87's f80.
pub(crate) fn multiply_values(a: Value, b: Value) -> Value {
    debug_assert!(a.sig as u64 == 0 && b.sig as u64 == 0, "a significand too wide for an exact product");
    let sig = (a.sig >> 64) * (b.sig >> 64);
    let shift = sig.leading_zeros();
    Value { sign: a.sign != b.sign, exp: a.exp + b.exp + 1 - shift as i32, sig: sig << shift }
}
