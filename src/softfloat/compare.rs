//! Comparison (Arm: FPCompare and its relatives; x86: COMISS, UCOMISS). The guest makes its own flags of the answer.

use crate::env::{Env, Flags};
use crate::format::{Fmt, Format, dispatch};
use crate::pack::{Class, Operand, unpack};

/// How two numbers stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ordering {
    /// `a < b`
    Less,
    /// `a == b`; zeros are equal whatever their signs.
    Equal,
    /// `a > b`
    Greater,
    /// One of them is a NaN.
    Unordered,
}

/// Compares. A signalling NaN is invalid; if `signalling` (FCMPE, FCMGE, COMISS), so is a quiet one.
pub fn compare(fmt: Fmt, a: u64, b: u64, signalling: bool, env: &mut Env) -> Ordering {
    dispatch!(fmt, compare_body[a, b](signalling, env))
}

fn compare_body<F: Format>(a: u128, b: u128, signalling: bool, env: &mut Env) -> Ordering {
    let a = unpack::<F>(a, env);
    let b = unpack::<F>(b, env);
    if a.is_nan() || b.is_nan() {
        if signalling || a.class == Class::Signalling || b.class == Class::Signalling {
            env.raise(Flags::INVALID);
        }
        return Ordering::Unordered;
    }
    env.denormal_used(a.denormal || b.denormal);
    match rank::<F>(&a).cmp(&rank::<F>(&b)) {
        std::cmp::Ordering::Less => Ordering::Less,
        std::cmp::Ordering::Equal => Ordering::Equal,
        std::cmp::Ordering::Greater => Ordering::Greater,
    }
}

/// An integer that orders as the numbers do: the magnitude's bits, with the sign. A flushed operand ranks as zero.
pub(crate) fn rank<F: Format>(operand: &Operand) -> i128 {
    let magnitude = if operand.is_zero() { 0 } else { operand.bits & ((1 << F::SIGN) - 1) } as i128;
    if operand.sign() { -magnitude } else { magnitude }
}
