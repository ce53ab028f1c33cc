//! Square root (Arm: FPSqrt).

use crate::env::Env;
use crate::format::{Fmt, Format, dispatch};
use crate::nan::{invalid, propagate};
use crate::pack::{Value, round_pack, unpack};

/// The square root of `a`; that of a negative zero is the negative zero.
pub fn sqrt(fmt: Fmt, a: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, sqrt_body[a](env)) as u64
}

fn sqrt_body<F: Format>(a: u128, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    if let Some(nan) = propagate::<F, 1>([&a], env) {
        return nan;
    }
    if a.is_zero() {
        return F::zero(a.sign());
    }
    if a.sign() {
        return invalid::<F>(env);
    }
    env.denormal_used(a.denormal);
    if a.is_infinity() {
        return F::infinity(false);
    }
    round_pack::<F>(root::<F>(a.value), env)
}

/// The root of a positive value, jammed.
fn root<F: Format>(a: Value) -> Value {
    const { assert!(F::FRAC < 62, "a root of 64 bits is too short for this format") };
    let odd = a.exp & 1 == 1;
    let sig = if F::FRAC < 30 {
        // A root of 32 bits will do.
        let radicand = (a.sig >> 64) as u64 >> !odd as u32;
        let root = radicand.isqrt();
        (root as u128) << 96 | (root * root != radicand) as u128
    } else {
        let radicand = a.sig >> !odd as u32;
        let root = radicand.isqrt();
        root << 64 | (root * root != radicand) as u128
    };
    Value { sign: false, exp: a.exp >> 1, sig }
}
