//! f16 and bf16 by way of f64: an f64 operation rounded to odd, then converted, gives the directly rounded result in
//! each direction, for operands without NaNs. On hosts with AVX512-FP16, f16 against the host as well (`x86.rs`).

use super::{HOST_ROUNDS, Random, corners, expect};
use crate::{Env, Flags, Fmt, Negate, Round, Tininess};

const NARROW: [Fmt; 2] = [Fmt::F16, Fmt::Bf16];

fn is_nan(fmt: Fmt, bits: u64) -> bool {
    let (exp, frac) = super::fields(fmt);
    bits & ((1 << (exp + frac)) - 1) > ((1 << exp) - 1) << frac
}

fn environments() -> Vec<Env> {
    let rounds = HOST_ROUNDS.into_iter().chain([Round::NearestAway, Round::Odd]);
    let tininess = [Tininess::BeforeRounding, Tininess::AfterRounding];
    rounds.flat_map(|round| tininess.map(|tiny| Env { round, tiny, ..Env::ARM })).collect()
}

/// The operation in f64, rounded to odd, converted to `fmt`; flags of both steps.
fn by_f64(fmt: Fmt, operands: &[u64], env: &Env, op: impl Fn(&[u64], &mut Env) -> u64) -> (u64, u8) {
    let wide: Vec<u64> = operands.iter().map(|&bits| crate::convert(fmt, Fmt::F64, bits, &mut { Env::ARM })).collect();
    let mut first = Env { round: Round::Odd, ..*env };
    let result = op(&wide, &mut first);
    // The sign of an exact zero depends on the direction.
    let zero_sum = result << 1 == 0;
    let mut directed = *env;
    let result = if zero_sum { op(&wide, &mut directed) } else { result };
    let mut second = *env;
    let narrow = crate::convert(Fmt::F64, fmt, result, &mut second);
    (narrow, (first.flags | second.flags).bits())
}

type Binary = fn(Fmt, u64, u64, &mut Env) -> u64;

#[test]
fn binary() {
    let ops: [(&str, Binary); 5] =
        [("add", crate::add), ("sub", crate::sub), ("mul", crate::mul), ("mulx", crate::mulx), ("div", crate::div)];
    let mut random = Random(6);
    for fmt in NARROW {
        let list: Vec<u64> = corners(fmt).into_iter().filter(|&bits| !is_nan(fmt, bits)).collect();
        let mut pairs: Vec<(u64, u64)> = list.iter().flat_map(|&a| list.iter().map(move |&b| (a, b))).collect();
        pairs.extend((0..10_000).map(|_| (random.float(fmt), random.float(fmt))));
        pairs.retain(|&(a, b)| !is_nan(fmt, a) && !is_nan(fmt, b));
        for env in environments() {
            for (what, op) in ops {
                for &(a, b) in &pairs {
                    let mut used = env;
                    let got = op(fmt, a, b, &mut used);
                    let wanted = by_f64(fmt, &[a, b], &env, |wide, env| op(Fmt::F64, wide[0], wide[1], env));
                    expect(what, &[a, b], &env, (got, used.flags.bits()), wanted);
                }
            }
        }
    }
}

#[test]
fn mul_add() {
    let mut random = Random(7);
    let environments = environments();
    for fmt in NARROW {
        for _ in 0..200_000 {
            let operands = [random.float(fmt), random.float(fmt), random.float(fmt)];
            if operands.iter().any(|&bits| is_nan(fmt, bits)) {
                continue;
            }
            let env = environments[random.next() as usize % environments.len()];
            let run = |fmt, x: &[u64], env: &mut Env| crate::mul_add(fmt, x[0], x[1], x[2], Negate::PRODUCT, env);
            let mut used = env;
            let got = run(fmt, &operands, &mut used);
            let wanted = by_f64(fmt, &operands, &env, |wide, env| run(Fmt::F64, wide, env));
            expect("mul_add", &operands, &env, (got, used.flags.bits()), wanted);
        }
    }
}

#[test]
fn square_roots() {
    for fmt in NARROW {
        for env in environments() {
            for a in (0..0x10000).filter(|&a| !is_nan(fmt, a)) {
                let mut used = env;
                let got = crate::sqrt(fmt, a, &mut used);
                let wanted = by_f64(fmt, &[a], &env, |wide, env| crate::sqrt(Fmt::F64, wide[0], env));
                expect("sqrt", &[a], &env, (got, used.flags.bits()), wanted);
            }
        }
    }
}

/// Every f16 and bf16 survives the way through each wider format.
#[test]
fn round_trips() {
    for (fmt, wider) in [(Fmt::F16, Fmt::F32), (Fmt::F16, Fmt::F64), (Fmt::Bf16, Fmt::F32), (Fmt::Bf16, Fmt::F64)] {
        for a in (0..0x10000).filter(|&a| !is_nan(fmt, a)) {
            let mut env = Env::ARM;
            let wide = crate::convert(fmt, wider, a, &mut env);
            assert_eq!((crate::convert(wider, fmt, wide, &mut env), env.flags), (a, Flags::NONE));
        }
    }
    // A bf16 is the upper half of an f32.
    for a in (0..0x10000u64).filter(|&a| !is_nan(Fmt::Bf16, a)) {
        assert_eq!(crate::convert(Fmt::Bf16, Fmt::F32, a, &mut { Env::ARM }), a << 16);
    }
}

/// To odd is towards zero with the last bit set where something was lost: ties the direction no host has to one it has.
#[test]
fn odd_from_zero() {
    let mut random = Random(8);
    for fmt in [Fmt::F32, Fmt::F64] {
        for _ in 0..100_000 {
            let (a, b) = (random.float(fmt), random.float(fmt));
            let mut zero = Env { round: Round::Zero, ..Env::ARM };
            let mut odd = Env { round: Round::Odd, ..Env::ARM };
            let truncated = crate::div(fmt, a, b, &mut zero);
            let jammed = crate::div(fmt, a, b, &mut odd);
            assert_eq!(jammed, truncated | zero.flags.contains(Flags::INEXACT) as u64, "{a:x} / {b:x}");
        }
    }
}

/// f64 to f16 goes through f32 to odd; f32 to f16 is checked against the host.
#[test]
fn f64_to_f16() {
    let mut random = Random(9);
    let mut list = corners(Fmt::F64);
    list.extend((0..100_000).map(|_| random.float(Fmt::F64)));
    // Around f16's range: exponents from below its denormals to above its normals.
    list.extend((0..100_000).map(|_| (1023 - 28 + random.next() % 48) << 52 | random.next() >> 12));
    list.retain(|&a| !is_nan(Fmt::F64, a));
    for env in environments().into_iter().filter(|env| HOST_ROUNDS.contains(&env.round)) {
        for &a in &list {
            let mut used = env;
            let got = crate::convert(Fmt::F64, Fmt::F16, a, &mut used);
            let mut odd = Env { round: Round::Odd, ..env };
            let middle = crate::convert(Fmt::F64, Fmt::F32, a, &mut odd);
            let mut last = env;
            let wanted = crate::convert(Fmt::F32, Fmt::F16, middle, &mut last);
            expect("convert", &[a], &env, (got, used.flags.bits()), (wanted, (odd.flags | last.flags).bits()));
        }
    }
}
