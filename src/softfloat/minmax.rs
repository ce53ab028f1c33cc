//! Minimum and maximum as Arm and RISC-V have them (FPMin, FPMax, FPMinNum, FPMaxNum): negative zero is below positive zero, a NaN
//! wins, except that a single quiet NaN loses in the `_num` forms. x86's MINSS and MAXSS are a comparison and a
//! selection, and not here.

use crate::compare::rank;
use crate::env::{Env, Flags, NanRule};
use crate::format::{Fmt, Format, dispatch};
use crate::nan::propagate;
use crate::pack::{Class, Operand, unpack};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pick {
    Min,
    Max,
}

/// The lesser (FMIN).
pub fn min(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, pick_body[a, b](Pick::Min, env)) as u64
}

/// The greater (FMAX).
pub fn max(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, pick_body[a, b](Pick::Max, env)) as u64
}

/// The lesser; a number is preferred to a quiet NaN (FMINNM).
pub fn min_num(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, pick_number_body[a, b](Pick::Min, env)) as u64
}

/// The greater; a number is preferred to a quiet NaN (FMAXNM).
pub fn max_num(fmt: Fmt, a: u64, b: u64, env: &mut Env) -> u64 {
    dispatch!(fmt, pick_number_body[a, b](Pick::Max, env)) as u64
}

fn pick_body<F: Format>(a: u128, b: u128, pick: Pick, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    let b = unpack::<F>(b, env);
    picked::<F>(&a, &b, pick, env)
}

fn pick_number_body<F: Format>(a: u128, b: u128, pick: Pick, env: &mut Env) -> u128 {
    let mut a = unpack::<F>(a, env);
    let mut b = unpack::<F>(b, env);
    let loser = F::infinity(pick == Pick::Max);
    let loses = |o: &Operand| o.class == Class::Quiet || env.nan == NanRule::RiscV && o.is_nan();
    let (a_loses, b_loses) = (loses(&a), loses(&b));
    if a_loses != b_loses && (a.class == Class::Signalling || b.class == Class::Signalling) && env.nan == NanRule::RiscV
    {
        env.raise(Flags::INVALID);
    }
    match (a_loses, b_loses) {
        (true, false) => a = unpack::<F>(loser, env),
        (false, true) => b = unpack::<F>(loser, env),
        _ => {}
    }
    picked::<F>(&a, &b, pick, env)
}

fn picked<F: Format>(a: &Operand, b: &Operand, pick: Pick, env: &mut Env) -> u128 {
    if let Some(nan) = propagate::<F, 2>([a, b], env) {
        return nan;
    }
    env.denormal_used(a.denormal || b.denormal);
    if a.is_zero() && b.is_zero() {
        return F::zero(match pick {
            Pick::Min => a.sign() || b.sign(),
            Pick::Max => a.sign() && b.sign(),
        });
    }
    let first = match pick {
        Pick::Min => rank::<F>(a) < rank::<F>(b),
        Pick::Max => rank::<F>(a) > rank::<F>(b),
    };
    let winner = if first { a } else { b };
    if winner.is_zero() { F::zero(winner.sign()) } else { winner.bits }
}
