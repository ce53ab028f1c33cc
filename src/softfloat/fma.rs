//! Fused multiply-add (Arm: FPMulAdd) and Arm's Newton steps, fused (FPRecipStepFused, FPRSqrtStepFused) and chained
//! (FPRecipStep, FPRSqrtStep of AArch32).

use crate::add::{add_values, round_sum};
use crate::env::{Env, NanRule, Round};
use crate::format::{Fmt, Format, dispatch};
use crate::mul::{mul_body, multiply_values};
use crate::nan::{invalid, propagate};
use crate::pack::{Class, Operand, Value, unpack};

/// Which parts of `a * b + c` are negated before anything else is done with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Negate {
    /// `-(a * b)`. On Arm `a` is negated even if it is a NaN; on x86 a NaN keeps its sign.
    pub product: bool,
    /// `- c`, likewise.
    pub addend: bool,
}

impl Negate {
    /// `a * b + c`: FMADD, FMLA, VFMADD
    pub const NONE: Negate = Negate { product: false, addend: false };
    /// `-(a * b) + c`: Arm's FMSUB and FMLS, x86's VFNMADD
    pub const PRODUCT: Negate = Negate { product: true, addend: false };
    /// `a * b - c`: Arm's FNMSUB, x86's VFMSUB
    pub const ADDEND: Negate = Negate { product: false, addend: true };
    /// `-(a * b) - c`: Arm's FNMADD, x86's VFNMSUB
    pub const BOTH: Negate = Negate { product: true, addend: true };
}

/// `a * b + c`, rounded once. Among NaNs Arm looks at `c` first, then `a` (the pseudocode's op1), then `b`; x86 at `a`,
/// `b`, `c`, where `a` and `b` are the factors in the order that the SDM's rules for the three forms give.
pub fn mul_add(fmt: Fmt, a: u64, b: u64, c: u64, negate: Negate, env: &mut Env) -> u64 {
    dispatch!(fmt, mul_add_body[a, b, c](negate, env)) as u64
}

/// `2 - a * b`, rounded once; infinity times zero gives 2 (FRECPS).
pub fn recip_step(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, step_body[a, b](Step::Recip, env)) as u64
}

/// `(3 - a * b) / 2`, rounded once; infinity times zero gives 1.5 (FRSQRTS).
pub fn rsqrt_step(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, step_body[a, b](Step::Rsqrt, env)) as u64
}

/// `2 - a * b` with the product rounded first; infinity times zero counts as zero (AArch32's VRECPS).
pub fn recip_step_chained(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, step_chained_body[a, b](Step::Recip, env)) as u64
}

/// `(3 - a * b) / 2` with the product rounded first; infinity times zero counts as zero (AArch32's VRSQRTS).
pub fn rsqrt_step_chained(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, step_chained_body[a, b](Step::Rsqrt, env)) as u64
}

fn mul_add_body<F: Format>(a: u128, b: u128, c: u128, negate: Negate, env: &mut Env) -> u128 {
    let mut a = unpack::<F>(a, env);
    let b = unpack::<F>(b, env);
    let mut c = unpack::<F>(c, env);
    for (operand, flip) in [(&mut a, negate.product), (&mut c, negate.addend)] {
        if flip {
            operand.value.sign = !operand.value.sign;
            if env.nan != NanRule::X86 {
                operand.bits = F::negate(operand.bits);
            }
        }
    }

    let infinity = a.is_infinity() || b.is_infinity();
    let zero = a.is_zero() || b.is_zero();
    let nan = match env.nan {
        NanRule::X86 => propagate::<F, 3>([&a, &b, &c], env),
        _ => propagate::<F, 3>([&c, &a, &b], env),
    };
    if let Some(nan) = nan {
        let arm_invalid = infinity && zero && c.class == Class::Quiet && env.nan != NanRule::X86;
        return if arm_invalid { invalid::<F>(env) } else { nan };
    }
    let sign = a.sign() != b.sign();
    if infinity && zero || infinity && c.is_infinity() && sign != c.sign() {
        return invalid::<F>(env);
    }
    env.denormal_used(a.denormal || b.denormal || c.denormal);
    if infinity || c.is_infinity() {
        return F::infinity(if infinity { sign } else { c.sign() });
    }
    if zero && c.is_zero() {
        return F::zero(if sign == c.sign() { sign } else { env.round == Round::Down });
    }
    round_sum::<F>(product_plus(&a, &b, &c), env)
}

/// `a * b + c` for finite operands that are not both zero product and zero addend.
fn product_plus(a: &Operand, b: &Operand, c: &Operand) -> Option<Value> {
    if a.is_zero() || b.is_zero() {
        return Some(c.value);
    }
    let product = multiply_values(a.value, b.value);
    if c.is_zero() { Some(product) } else { add_values(product, c.value) }
}

/// Arm's Newton steps.
#[derive(Clone, Copy)]
enum Step {
    /// `2 - a * b`
    Recip,
    /// `(3 - a * b) / 2`
    Rsqrt,
}

impl Step {
    fn constant(self) -> Value {
        let sig = match self {
            Step::Recip => 1 << 127,
            Step::Rsqrt => 3 << 126,
        };
        Value { sign: false, exp: 1, sig }
    }

    /// The result where the product is infinity times zero.
    fn infinity_by_zero<F: Format>(self) -> u128 {
        match self {
            Step::Recip => F::power_of_two(false, 1),
            Step::Rsqrt => F::power_of_two(false, 0) | F::QUIET,
        }
    }

    /// Rounds the difference after the division.
    fn round<F: Format>(self, difference: Option<Value>, env: &mut Env) -> u128 {
        let halvings = match self {
            Step::Recip => 0,
            Step::Rsqrt => 1,
        };
        round_sum::<F>(difference.map(|value| Value { exp: value.exp - halvings, ..value }), env)
    }
}

fn step_body<F: Format>(a: u128, b: u128, step: Step, env: &mut Env) -> u128 {
    // The negation comes first and is seen in a NaN.
    let a = unpack::<F>(F::negate(a), env);
    let b = unpack::<F>(b, env);
    if let Some(nan) = propagate::<F, 2>([&a, &b], env) {
        return nan;
    }
    let infinity = a.is_infinity() || b.is_infinity();
    let zero = a.is_zero() || b.is_zero();
    if infinity && zero {
        return step.infinity_by_zero::<F>();
    }
    if infinity {
        return F::infinity(a.sign() != b.sign());
    }
    let difference = match zero {
        true => Some(step.constant()),
        false => add_values(multiply_values(a.value, b.value), step.constant()),
    };
    step.round::<F>(difference, env)
}

/// The rounded product of a chained step, or the NaN that ends it.
fn chained_product<F: Format>(a: u128, b: u128, env: &mut Env) -> Result<u128, u128> {
    let x = unpack::<F>(a, env);
    let y = unpack::<F>(b, env);
    if let Some(nan) = propagate::<F, 2>([&x, &y], env) {
        return Err(nan);
    }
    if x.is_infinity() && y.is_zero() || x.is_zero() && y.is_infinity() {
        return Ok(F::zero(false));
    }
    Ok(mul_body::<F>(a, b, env))
}

fn step_chained_body<F: Format>(a: u128, b: u128, step: Step, env: &mut Env) -> u128 {
    let product = match chained_product::<F>(a, b, env) {
        Ok(product) => unpack::<F>(product, env),
        Err(nan) => return nan,
    };
    if product.is_infinity() {
        return F::infinity(!product.sign());
    }
    let difference = match product.is_zero() {
        true => Some(step.constant()),
        false => add_values(Value { sign: !product.sign(), ..product.value }, step.constant()),
    };
    step.round::<F>(difference, env)
}
