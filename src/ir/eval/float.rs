//! Floating-point operations: `softfloat` by lanes. A scalar is one lane whose bits are the whole value.

use super::flags;
use super::vector::{build, get, set};
use crate::op::{Fp1, Fp2, FpCc};
use crate::types::{Env, Fmt, NanRule, Round, Shape};
use softfloat as sf;

fn format(fmt: Fmt) -> sf::Fmt {
    match fmt {
        Fmt::F16 => sf::Fmt::F16,
        Fmt::BF16 => sf::Fmt::Bf16,
        Fmt::F32 => sf::Fmt::F32,
        Fmt::F64 => sf::Fmt::F64,
    }
}

fn rounding(round: Round) -> sf::Round {
    match round {
        Round::NearestEven => sf::Round::NearestEven,
        Round::Down => sf::Round::Down,
        Round::Up => sf::Round::Up,
        Round::Zero => sf::Round::Zero,
        Round::NearestAway => sf::Round::NearestAway,
        Round::Odd => sf::Round::Odd,
    }
}

/// The environment for `softfloat`. Arm sees tininess before rounding, x86 and RISC-V after.
fn environment(env: Env) -> sf::Env {
    let nan = match env.nan {
        NanRule::ArmPropagate => sf::NanRule::ArmPropagate,
        NanRule::Default => sf::NanRule::Default,
        NanRule::RiscV => sf::NanRule::RiscV,
        NanRule::X86 => sf::NanRule::X86,
    };
    let tiny = if env.nan.tiny_after_rounding() { sf::Tininess::AfterRounding } else { sf::Tininess::BeforeRounding };
    sf::Env {
        round: rounding(env.round),
        flush_in: env.flush_in,
        flush_out: env.flush_out,
        nan,
        tiny,
        unmasked: env.unmasked,
        alt_half: env.alt_half,
        flags: sf::Flags::NONE,
    }
}

/// Runs `f` in an environment of its own and ORs the exceptions it raised into `fp_flags`.
fn within<R>(env: Env, fp_flags: &mut u32, f: impl FnOnce(&mut sf::Env) -> R) -> R {
    let mut env = environment(env);
    let result = f(&mut env);
    *fp_flags |= u32::from(env.flags.bits());
    result
}

/// Lanes of a shape: a scalar is one.
fn count(lanes: u8) -> usize {
    lanes.max(1).into()
}

/// The result of `f` for each lane of the shape.
fn each(shape: Shape, env: Env, fp_flags: &mut u32, mut f: impl FnMut(usize, &mut sf::Env) -> u64) -> u128 {
    within(env, fp_flags, |env| build(shape.fmt.lane(), count(shape.lanes), |i| f(i, env)))
}

/// The same, above it what a shape of the lowest lane has there.
fn each_of<const N: usize>(
    shape: Shape,
    env: Env,
    operands: [u128; N],
    fp_flags: &mut u32,
    f: impl Fn([u64; N], &mut sf::Env) -> u64,
) -> u128 {
    let lane = shape.fmt.lane();
    match shape.low_of() {
        Some(of) => {
            let low = within(env, fp_flags, |env| f(operands.map(|v| get(v, lane, 0)), env));
            set(operands[of], lane, 0, low)
        }
        None => each(shape, env, fp_flags, |i, env| f(operands.map(|v| get(v, lane, i)), env)),
    }
}

pub(super) fn fp1(op: Fp1, shape: Shape, env: Env, a: u128, fp_flags: &mut u32) -> u128 {
    let (fmt, lane, round) = (format(shape.fmt), shape.fmt.lane(), rounding(env.round));
    let sign = 1 << (lane.bits() - 1);
    each(shape, env, fp_flags, |i, env| {
        let a = get(a, lane, i);
        match op {
            Fp1::Neg => a ^ sign,
            Fp1::Abs => a & !sign,
            Fp1::Sqrt => sf::sqrt(fmt, a, env),
            Fp1::RecipEstimate => sf::recip_estimate(fmt, a, env),
            Fp1::RsqrtEstimate => sf::rsqrt_estimate(fmt, a, env),
            Fp1::RecipExponent => sf::recip_exponent(fmt, a, env),
            Fp1::RoundInt => sf::round_to_int(fmt, a, round, false, env),
            Fp1::RoundIntExact => sf::round_to_int(fmt, a, round, true, env),
            Fp1::RoundInt32 => sf::round_int_32(fmt, a, round, env),
            Fp1::RoundInt64 => sf::round_int_64(fmt, a, round, env),
        }
    })
}

fn add_negated(fmt: sf::Fmt, a: u64, b: u64, env: &mut sf::Env) -> u64 {
    sf::add(fmt, a, b ^ 1 << (fmt.bits() - 1), env)
}

/// A subnormal number counts as zero where they are flushed.
fn flushed(fmt: sf::Fmt, v: u64, env: &sf::Env) -> u64 {
    let (sign, exponent) = match fmt {
        sf::Fmt::F32 => (1 << 31, 0x7f80_0000),
        _ => (1 << 63, 0x7ff << 52),
    };
    if env.flush_in && v & exponent == 0 { v & sign } else { v }
}

fn min_select(fmt: sf::Fmt, a: u64, b: u64, env: &mut sf::Env) -> u64 {
    flushed(fmt, if sf::compare(fmt, a, b, true, env) == sf::Ordering::Less { a } else { b }, env)
}

fn max_select(fmt: sf::Fmt, a: u64, b: u64, env: &mut sf::Env) -> u64 {
    flushed(fmt, if sf::compare(fmt, a, b, true, env) == sf::Ordering::Greater { a } else { b }, env)
}

pub(super) fn fp2(op: Fp2, shape: Shape, env: Env, a: u128, b: u128, fp_flags: &mut u32) -> u128 {
    let fmt = format(shape.fmt);
    let f = match op {
        Fp2::Add => sf::add,
        Fp2::Sub => sf::sub,
        Fp2::AddNeg => add_negated,
        Fp2::Mul => sf::mul,
        Fp2::Div => sf::div,
        Fp2::Min => sf::min,
        Fp2::Max => sf::max,
        Fp2::MinSelect => min_select,
        Fp2::MaxSelect => max_select,
        Fp2::MinNum => sf::min_num,
        Fp2::MaxNum => sf::max_num,
        Fp2::MulX => sf::mulx,
        Fp2::RecipStep => sf::recip_step,
        Fp2::RsqrtStep => sf::rsqrt_step,
    };
    each_of(shape, env, [a, b], fp_flags, |[a, b], env| f(fmt, a, b, env))
}

/// (±a*b) ± c for `[a, b, c]`.
pub(super) fn fma(shape: Shape, env: Env, product: bool, addend: bool, abc: [u128; 3], fp_flags: &mut u32) -> u128 {
    let (fmt, negate) = (format(shape.fmt), sf::Negate { product, addend });
    each_of(shape, env, abc, fp_flags, |[a, b, c], env| sf::mul_add(fmt, a, b, c, negate, env))
}

pub(super) fn convert(from: Fmt, to: Fmt, lanes: u8, env: Env, a: u128, fp_flags: &mut u32) -> u128 {
    let shape = Shape { fmt: to, lanes };
    each(shape, env, fp_flags, |i, env| sf::convert(format(from), format(to), get(a, from.lane(), i), env))
}

pub(super) fn to_int(shape: Shape, env: Env, signed: bool, bits: u8, fbits: u8, a: u128, fp_flags: &mut u32) -> u128 {
    let (fmt, lane, round) = (format(shape.fmt), shape.fmt.lane(), rounding(env.round));
    let int = sf::Int { bits: bits.into(), signed };
    let one = |i: usize, env: &mut sf::Env| sf::to_int(fmt, get(a, lane, i), int, fbits.into(), round, env);
    // A scalar's result may be wider than the format.
    if shape.lanes == 0 {
        return within(env, fp_flags, |env| one(0, env)).into();
    }
    each(shape, env, fp_flags, one)
}

/// `bits`: the width of the integers.
pub(super) fn from_int(
    shape: Shape,
    env: Env,
    signed: bool,
    bits: u32,
    fbits: u8,
    a: u128,
    fp_flags: &mut u32,
) -> u128 {
    let fmt = format(shape.fmt);
    let int = sf::Int { bits, signed };
    each(shape, env, fp_flags, |i, env| {
        let value = if shape.lanes == 0 { a as u64 } else { get(a, shape.fmt.lane(), i) };
        sf::from_int(fmt, value, int, fbits.into(), env)
    })
}

pub(super) fn to_int_js(a: u64, fp_flags: &mut u32) -> u32 {
    within(Env::IEEE_ARM, fp_flags, |env| sf::to_int_js(a, env).0)
}

pub(super) fn compare(cc: FpCc, shape: Shape, env: Env, a: u128, b: u128, fp_flags: &mut u32) -> u128 {
    let (fmt, lane) = (format(shape.fmt), shape.fmt.lane());
    let magnitude = lane.mask() >> 1;
    each(shape, env, fp_flags, |i, env| {
        let (a, b) = (get(a, lane, i), get(b, lane, i));
        let (a, b) = match cc {
            FpCc::AbsGe | FpCc::AbsGt => (a & magnitude, b & magnitude),
            FpCc::Eq | FpCc::Unordered | FpCc::Ge | FpCc::Gt => (a, b),
        };
        let order = sf::compare(fmt, a, b, !matches!(cc, FpCc::Eq | FpCc::Unordered), env);
        let holds = match cc {
            FpCc::Eq => order == sf::Ordering::Equal,
            FpCc::Unordered => order == sf::Ordering::Unordered,
            FpCc::Ge | FpCc::AbsGe => matches!(order, sf::Ordering::Equal | sf::Ordering::Greater),
            FpCc::Gt | FpCc::AbsGt => order == sf::Ordering::Greater,
        };
        if holds { u64::MAX } else { 0 }
    })
}

pub(super) fn flags_compare(fmt: Fmt, signalling: bool, env: Env, a: u64, b: u64, fp_flags: &mut u32) -> u32 {
    let order = within(env, fp_flags, |env| sf::compare(format(fmt), a, b, signalling, env));
    if env.nan == NanRule::X86 {
        let zero = matches!(order, sf::Ordering::Equal | sf::Ordering::Unordered);
        let no_borrow = matches!(order, sf::Ordering::Equal | sf::Ordering::Greater);
        let parity = order == sf::Ordering::Unordered;
        return flags::when(zero, flags::Z) | flags::when(no_borrow, flags::C) | flags::when(parity, flags::P);
    }
    match order {
        sf::Ordering::Less => flags::N,
        sf::Ordering::Equal => flags::Z | flags::C,
        sf::Ordering::Greater => flags::C,
        sf::Ordering::Unordered => flags::C | flags::V,
    }
}
