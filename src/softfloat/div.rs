//! Division (Arm: FPDiv).

use crate::env::{Env, Flags};
use crate::format::{Fmt, Format, dispatch};
use crate::nan::{invalid, propagate};
use crate::pack::{Value, round_pack, unpack};

/// `a / b`
pub fn div(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, div_body[a, b](env)) as u64
}

fn div_body<F: Format>(a: u128, b: u128, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    let b = unpack::<F>(b, env);
    if let Some(nan) = propagate::<F, 2>([&a, &b], env) {
        return nan;
    }
    if a.is_infinity() && b.is_infinity() || a.is_zero() && b.is_zero() {
        return invalid::<F>(env);
    }
    let sign = a.sign() != b.sign();
    if b.is_zero() {
        if !a.is_infinity() {
            env.raise(Flags::DIV_BY_ZERO);
        }
        return F::infinity(sign);
    }
    env.denormal_used(a.denormal || b.denormal);
    if a.is_infinity() {
        return F::infinity(sign);
    }
    if a.is_zero() || b.is_infinity() {
        return F::zero(sign);
    }
    round_pack::<F>(divide_values::<F>(a.value, b.value), env)
}

/// The quotient, jammed.
fn divide_values<F: Format>(a: Value, b: Value) -> Value {
    const { assert!(F::FRAC < 62, "a quotient of 64 bits is too short for this format") };
    let (quotient, sig_exp) = if F::FRAC < 30 {
        // Both have 32 bits at most; the quotient has 32 or 33.
        let (dividend, divisor) = ((a.sig >> 64) as u64, (b.sig >> 96) as u64);
        let quotient = dividend / divisor;
        ((quotient | (quotient * divisor != dividend) as u64) as u128, 32)
    } else {
        // One library call: a remainder would be another.
        let divisor = b.sig >> 64;
        let quotient = a.sig / divisor;
        (quotient | (quotient * divisor != a.sig) as u128, 64)
    };
    let shift = quotient.leading_zeros();
    Value { sign: a.sign != b.sign, exp: a.exp - b.exp + 127 - sig_exp - shift as i32, sig: quotient << shift }
}
