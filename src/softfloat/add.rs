//! Addition and subtraction (Arm: FPAdd, FPSub), and the exact sum of two values that the fused operations share.

use crate::env::{Env, Round};
use crate::format::{Fmt, Format, dispatch};
use crate::nan::{invalid, propagate};
use crate::pack::{Operand, Value, round_pack, shift_right_jam, unpack};

/// `a + b`
pub fn add(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, add_body[a, b](env)) as u64
}

/// `a - b`. A NaN keeps its sign.
pub fn sub(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, sub_body[a, b](env)) as u64
}

fn add_body<F: Format>(a: u128, b: u128, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    let b = unpack::<F>(b, env);
    sum::<F>(a, b, env)
}

fn sub_body<F: Format>(a: u128, b: u128, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    let mut b = unpack::<F>(b, env);
    b.value.sign = !b.value.sign;
    sum::<F>(a, b, env)
}

/// The sum of operands whose `value.sign` may differ from the sign in their bits.
fn sum<F: Format>(a: Operand, b: Operand, env: &mut Env) -> u128 {
    if let Some(nan) = propagate::<F, 2>([&a, &b], env) {
        return nan;
    }
    if a.is_infinity() && b.is_infinity() && a.sign() != b.sign() {
        return invalid::<F>(env);
    }
    env.denormal_used(a.denormal || b.denormal);
    if a.is_infinity() || b.is_infinity() {
        return F::infinity(if a.is_infinity() { a.sign() } else { b.sign() });
    }
    let total = match (a.is_zero(), b.is_zero()) {
        (true, true) if a.sign() == b.sign() => return F::zero(a.sign()),
        (true, true) => None,
        (true, false) => Some(b.value),
        (false, true) => Some(a.value),
        (false, false) => add_values(a.value, b.value),
    };
    round_sum::<F>(total, env)
}

/// Rounds a sum; an exact zero is positive unless rounding is downwards.
pub(crate) fn round_sum<F: Format>(total: Option<Value>, env: &mut Env) -> u128 {
    match total {
        Some(total) => round_pack::<F>(total, env),
        None => F::zero(env.round == Round::Down),
    }
}

/// The sum, jammed; `None` if it is exactly zero.
///
/// One low bit of each significand must be free (a carry moves everything down by one), and so must as many low bits of
/// the operand that is shifted by a distance of one: after a cancellation those would be lost. Products of two f64
/// leave 22.
pub(crate) fn add_values(a: Value, b: Value) -> Option<Value> {
    let (large, small) = if (a.exp, a.sig) >= (b.exp, b.sig) { (a, b) } else { (b, a) };
    let small_sig = shift_right_jam(small.sig, large.exp.abs_diff(small.exp));
    if large.sign == small.sign {
        let (sig, carry) = large.sig.overflowing_add(small_sig);
        return Some(match carry {
            true => Value { sign: large.sign, exp: large.exp + 1, sig: 1 << 127 | shift_right_jam(sig, 1) },
            false => Value { sig, ..large },
        });
    }
    let sig = large.sig - small_sig;
    if sig == 0 {
        return None;
    }
    let shift = sig.leading_zeros();
    Some(Value { sign: large.sign, exp: large.exp - shift as i32, sig: sig << shift })
}
