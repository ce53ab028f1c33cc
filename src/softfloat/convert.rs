//! Conversion between formats (Arm: FPConvert, FPConvertNaN, FPConvertBF; x86: CVTSS2SD and the like).

use crate::env::{Env, Flags, NanRule};
use crate::format::{Bf16, F16, F16Alt, F32, F64, Fmt, Format};
use crate::nan::default_nan;
use crate::pack::{Class, round_pack, unpack};

/// Converts `a`, rounding with `env.round` (FCVTXN: [`Round::Odd`](crate::Round::Odd)).
///
/// An f16 operand or result is never flushed, and is Arm's alternative half precision if `env.alt_half`. A NaN keeps
/// the upper bits of its payload. f16 denormals raise no `INPUT_DENORMAL` under x86's rule either (VCVTPH2PS).
pub fn convert(from: Fmt, to: Fmt, a: u64, env: &mut Env) -> u64 {
    let a = a as u128;
    let bits = match (from, env.alt_half) {
        (Fmt::F16, false) => convert_from::<F16>(to, a, env),
        (Fmt::F16, true) => convert_from::<F16Alt>(to, a, env),
        (Fmt::Bf16, _) => convert_from::<Bf16>(to, a, env),
        (Fmt::F32, _) => convert_from::<F32>(to, a, env),
        (Fmt::F64, _) => convert_from::<F64>(to, a, env),
    };
    bits as u64
}

fn convert_from<From: Format>(to: Fmt, a: u128, env: &mut Env) -> u128 {
    match (to, env.alt_half) {
        (Fmt::F16, false) => convert_body::<From, F16>(a, env),
        (Fmt::F16, true) => convert_body::<From, F16Alt>(a, env),
        (Fmt::Bf16, _) => convert_body::<From, Bf16>(a, env),
        (Fmt::F32, _) => convert_body::<From, F32>(a, env),
        (Fmt::F64, _) => convert_body::<From, F64>(a, env),
    }
}

fn convert_body<From: Format, To: Format>(a: u128, env: &mut Env) -> u128 {
    let mut sided = *env;
    sided.flush_in &= !From::HALF;
    sided.flush_out &= !To::HALF;
    let result = convert_sided::<From, To>(a, &mut sided);
    env.raise(sided.flags);
    result
}

fn convert_sided<From: Format, To: Format>(a: u128, env: &mut Env) -> u128 {
    let a = unpack::<From>(a, env);
    match a.class {
        Class::Zero => To::zero(a.sign()),
        Class::Infinity if To::ALT => {
            env.raise(Flags::INVALID);
            To::max_finite(a.sign())
        }
        Class::Infinity => To::infinity(a.sign()),
        Class::Quiet | Class::Signalling => {
            if a.class == Class::Signalling || To::ALT {
                env.raise(Flags::INVALID);
            }
            match env.nan {
                _ if To::ALT => To::zero(a.sign()),
                NanRule::Default | NanRule::RiscV => default_nan::<To>(env),
                NanRule::ArmPropagate | NanRule::X86 => nan_of::<From, To>(a.sign(), a.bits),
            }
        }
        Class::Finite => {
            env.denormal_used(a.denormal && !From::HALF);
            round_pack::<To>(a.value, env)
        }
    }
}

/// The quiet NaN with the payload's upper bits.
fn nan_of<From: Format, To: Format>(sign: bool, bits: u128) -> u128 {
    let frac = (bits & From::FRAC_MASK) << (127 - From::FRAC) >> (127 - To::FRAC);
    To::infinity(sign) | To::QUIET | frac
}
