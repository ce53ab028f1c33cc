//! Arm's table-free estimates (FPRecipEstimate, FPRSqrtEstimate, FPRecpX, UnsignedRecipEstimate,
//! UnsignedRSqrtEstimate), 8 bits of precision. The alternative 12-bit ones (FEAT_RPRES with FPCR.AH) are not here.

use crate::env::{Env, Flags, Tininess};
use crate::format::{Fmt, Format, dispatch};
use crate::nan::{invalid, propagate};
use crate::pack::{Class, Value, overflow, unpack};

/// An estimate of `1 / a` (FRECPE).
pub fn recip_estimate(fmt: Fmt, a: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, recip_body[a](env)) as u64
}

/// An estimate of `1 / sqrt(a)` (FRSQRTE).
pub fn rsqrt_estimate(fmt: Fmt, a: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, rsqrt_body[a](env)) as u64
}

/// A power of two near `1 / a`: the exponent field inverted, the fraction cleared (FRECPX).
pub fn recip_exponent(fmt: Fmt, a: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, recip_exponent_body[a](env)) as u64
}

/// An estimate of the reciprocal of a fraction in [0.5, 1) with 32 bits below the point, with 31 (URECPE).
pub fn unsigned_recip_estimate(a: u32) -> u32 {
    if a >> 31 == 0 {
        return u32::MAX;
    }
    recip_of(a >> 23) << 23
}

/// An estimate of the reciprocal square root of a fraction in [0.25, 1) with 32 bits below the point, with 31 (URSQRTE).
pub fn unsigned_rsqrt_estimate(a: u32) -> u32 {
    if a >> 30 == 0 {
        return u32::MAX;
    }
    rsqrt_of(a >> 23) << 23
}

/// The reciprocal of `a / 512` for `a` in 256..512, as 256ths in 256..512: that of the middle of the operand's
/// interval, rounded.
fn recip_of(a: u32) -> u32 {
    debug_assert!((256..512).contains(&a));
    ((1 << 19) / (2 * a + 1)).div_ceil(2)
}

/// The reciprocal square root of `a / 512` for `a` in 128..512, as 256ths in 256..512. From one half on, the operand's
/// last bit does not count.
fn rsqrt_of(a: u32) -> u32 {
    debug_assert!((128..512).contains(&a));
    let middle = if a < 256 { 2 * a + 1 } else { 2 * (a | 1) };
    // The largest root with middle * root^2 below 2^28.
    let root = (((1u32 << 28) - 1) / middle).isqrt();
    root.div_ceil(2)
}

fn recip_body<F: Format>(a: u128, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    if let Some(nan) = propagate::<F, 1>([&a], env) {
        return nan;
    }
    let sign = a.sign();
    match a.class {
        Class::Infinity => return F::zero(sign),
        Class::Zero => {
            env.raise(Flags::DIV_BY_ZERO);
            return F::infinity(sign);
        }
        _ => {}
    }
    if a.value.exp < F::E_MIN - 2 {
        return overflow::<F>(sign, true, env);
    }
    if env.flush_out && a.value.exp >= -F::E_MIN {
        env.raise(Flags::UNDERFLOW);
        if env.tiny == Tininess::AfterRounding {
            env.raise(Flags::INEXACT);
        }
        return F::zero(sign);
    }
    let estimate = recip_of((a.value.sig >> 119) as u32);
    // The estimate is in [1, 2) for an operand in [0.5, 1), and never inexact below the normal range.
    estimated::<F>(sign, -1 - a.value.exp, estimate)
}

fn rsqrt_body<F: Format>(a: u128, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    if let Some(nan) = propagate::<F, 1>([&a], env) {
        return nan;
    }
    if a.is_zero() {
        env.raise(Flags::DIV_BY_ZERO);
        return F::infinity(a.sign());
    }
    if a.sign() {
        return invalid::<F>(env);
    }
    if a.is_infinity() {
        return F::zero(false);
    }
    // The operand is 2^(2n) times a fraction in [0.25, 1).
    let Value { exp, sig, .. } = a.value;
    let scaled = if exp & 1 == 1 { sig >> 119 } else { sig >> 120 };
    let half_exp = (exp + 2) >> 1;
    estimated::<F>(false, -half_exp, rsqrt_of(scaled as u32))
}

/// `estimate / 256 * 2^exp`; below the normal range what does not fit is cut off without a flag.
fn estimated<F: Format>(sign: bool, exp: i32, estimate: u32) -> u128 {
    debug_assert!((256..512).contains(&estimate));
    let sig = ((estimate as u128) << 64) >> (72 - F::FRAC);
    if exp < F::E_MIN {
        return F::zero(sign) | sig >> (F::E_MIN - exp);
    }
    F::zero(sign) | ((((exp - F::E_MIN) as u128) << F::FRAC) + sig)
}

fn recip_exponent_body<F: Format>(a: u128, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    if let Some(nan) = propagate::<F, 1>([&a], env) {
        return nan;
    }
    let field = (a.bits >> F::FRAC) as u32 & F::EXP_MASK;
    let inverted = if field == 0 { F::EXP_MASK - 1 } else { !field & F::EXP_MASK };
    F::zero(a.sign()) | (inverted as u128) << F::FRAC
}
