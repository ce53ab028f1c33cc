//! Which NaN an operation returns (Arm: FPProcessNaN, FPProcessNaNs, FPProcessNaNs3; x86: SDM vol. 1, table 4-7 and
//! section 14.5.2).

use crate::env::{Env, Flags, NanRule};
use crate::format::Format;
use crate::pack::{Class, Operand};

/// The NaN of an operation that is invalid or makes no choice.
pub(crate) fn default_nan<F: Format>(env: &Env) -> u128 {
    F::infinity(env.nan == NanRule::X86) | F::QUIET
}

/// Raises `INVALID` and returns the default NaN.
pub(crate) fn invalid<F: Format>(env: &mut Env) -> u128 {
    env.raise(Flags::INVALID);
    default_nan::<F>(env)
}

/// The result if an operand is a NaN. `operands` come in the rule's order of preference.
pub(crate) fn propagate<F: Format, const N: usize>(operands: [&Operand; N], env: &mut Env) -> Option<u128> {
    let mut first = None;
    let mut signalling = None;
    for operand in operands {
        if operand.is_nan() && first.is_none() {
            first = Some(operand.bits);
        }
        if operand.class == Class::Signalling && signalling.is_none() {
            signalling = Some(operand.bits);
        }
    }
    let first = first?;
    if signalling.is_some() {
        env.raise(Flags::INVALID);
    }
    Some(match env.nan {
        NanRule::Default | NanRule::RiscV => default_nan::<F>(env),
        NanRule::ArmPropagate => signalling.unwrap_or(first) | F::QUIET,
        NanRule::X86 => first | F::QUIET,
    })
}
