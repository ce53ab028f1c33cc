//! Floating point: that the right function of `softfloat` gets the right operands and environment. Its arithmetic is tested
//! there.

use super::{A, B, C, run};
use crate::op::{Fp1, Fp2, FpCc, Op};
use crate::types::{Env, Fmt, NanRule, Round, Shape, Ty, fpflag};

const ARM: Env = Env::IEEE_ARM;
const F32: Shape = Shape::scalar(Fmt::F32);
const F64: Shape = Shape::scalar(Fmt::F64);

const ONE: u32 = 0x3f80_0000;
const TWO: u32 = 0x4000_0000;
const THREE: u32 = 0x4040_0000;
const QUIET: u32 = 0x7fc0_0001;
const SIGNALLING: u32 = 0x7f80_0001;
const INFINITY: u32 = 0x7f80_0000;
const MINUS: u32 = 0x8000_0000;

#[test]
fn two_operands() {
    let x86 = Env { nan: NanRule::X86, ..ARM };
    let default = Env { nan: NanRule::Default, ..ARM };
    let flush = Env { flush_in: true, flush_out: true, ..ARM };
    #[rustfmt::skip]
    let rows: &[(Fp2, Env, u32, u32, u32, u32)] = &[
        (Fp2::Add, ARM, ONE, ONE, TWO, 0),
        (Fp2::Sub, ARM, ONE, TWO, ONE | MINUS, 0),
        (Fp2::Sub, ARM, ONE, ONE, 0, 0),
        (Fp2::Sub, ARM.round(Round::Down), ONE, ONE, MINUS, 0),
        (Fp2::Mul, ARM, TWO, ONE, TWO, 0),
        (Fp2::Mul, ARM, 0, INFINITY, 0x7fc0_0000, fpflag::INVALID),
        (Fp2::Mul, x86, 0, INFINITY, 0xffc0_0000, fpflag::INVALID),
        (Fp2::MulX, ARM, MINUS, INFINITY, TWO | MINUS, 0),
        (Fp2::Div, ARM, ONE, 0, INFINITY, fpflag::DIV_BY_ZERO),
        (Fp2::Div, ARM, ONE, THREE, 0x3eaa_aaab, fpflag::INEXACT),
        (Fp2::Div, ARM.round(Round::Zero), ONE, THREE, 0x3eaa_aaaa, fpflag::INEXACT),
        (Fp2::Div, ARM.round(Round::Up), ONE | MINUS, THREE, 0xbeaa_aaaa, fpflag::INEXACT),
        (Fp2::Min, ARM, 0, MINUS, MINUS, 0),
        (Fp2::Min, ARM, ONE, QUIET, QUIET, 0),
        (Fp2::Max, ARM, ONE, TWO, TWO, 0),
        (Fp2::MinNum, ARM, ONE, QUIET, ONE, 0),
        (Fp2::MaxNum, ARM, MINUS, QUIET, MINUS, 0),
        (Fp2::RecipStep, ARM, ONE, THREE, ONE | MINUS, 0),
        (Fp2::RsqrtStep, ARM, ONE, ONE, ONE, 0),
        (Fp2::Add, ARM, QUIET, SIGNALLING, 0x7fc0_0001, fpflag::INVALID),
        (Fp2::Add, ARM, QUIET + 4, SIGNALLING + 1, SIGNALLING + 0x40_0001, fpflag::INVALID),
        (Fp2::Add, x86, QUIET + 4, SIGNALLING + 1, QUIET + 4, fpflag::INVALID),
        (Fp2::Add, default, QUIET, ONE, 0x7fc0_0000, 0),
        (Fp2::Add, flush, 1, 1, 0, fpflag::INPUT_DENORMAL),
        (Fp2::Add, ARM, 1, 1, 2, 0),
        (Fp2::Add, x86, 1, 1, 2, fpflag::INPUT_DENORMAL),
        // The smallest normal number times 1 - 2^-24: tiny before rounding only.
        (Fp2::Mul, ARM, 0x0080_0000, 0x3f7f_ffff, 0x0080_0000, fpflag::UNDERFLOW | fpflag::INEXACT),
        (Fp2::Mul, flush, 0x0080_0000, 0x3f7f_ffff, 0, fpflag::UNDERFLOW),
    ];
    for &(op, env, a, b, expect, flags) in rows {
        let got = run(Op::Fp2(op, F32, env, A, B), Ty::F32, &[(Ty::F32, a.into()), (Ty::F32, b.into())]);
        assert_eq!(got, (expect.into(), flags), "{op:?} {env:?} {a:#x} {b:#x}: {:#x}", got.0);
    }
}

#[test]
fn one_operand() {
    let up = ARM.round(Round::Up);
    #[rustfmt::skip]
    let rows: &[(Fp1, Env, u32, u32, u32)] = &[
        (Fp1::Neg, ARM, SIGNALLING, SIGNALLING | MINUS, 0),
        (Fp1::Abs, ARM, SIGNALLING | MINUS, SIGNALLING, 0),
        (Fp1::Sqrt, ARM, 0x4080_0000, TWO, 0),
        (Fp1::Sqrt, ARM, ONE | MINUS, 0x7fc0_0000, fpflag::INVALID),
        (Fp1::RecipEstimate, ARM, ONE, 0x3f7f_8000, 0),
        (Fp1::RecipEstimate, ARM, 0, INFINITY, fpflag::DIV_BY_ZERO),
        (Fp1::RsqrtEstimate, ARM, ONE, 0x3f7f_8000, 0),
        (Fp1::RecipExponent, ARM, ONE, TWO, 0),
        (Fp1::RoundInt, ARM, 0x4020_0000, TWO, 0),
        (Fp1::RoundInt, up, 0x4020_0000, THREE, 0),
        (Fp1::RoundIntExact, up, 0x4020_0000, THREE, fpflag::INEXACT),
        (Fp1::RoundInt32, ARM, 0x4f00_0000, 0xcf00_0000, fpflag::INVALID),
        (Fp1::RoundInt64, ARM, 0x4f00_0000, 0x4f00_0000, 0),
        (Fp1::RoundInt64, ARM, 0x5f00_0000, 0xdf00_0000, fpflag::INVALID),
    ];
    for &(op, env, a, expect, flags) in rows {
        let got = run(Op::Fp1(op, F32, env, A), Ty::F32, &[(Ty::F32, a.into())]);
        assert_eq!(got, (expect.into(), flags), "{op:?} {a:#x}: {:#x}", got.0);
    }
}

#[test]
fn fused() {
    let operands = [(Ty::F32, TWO.into()), (Ty::F32, THREE.into()), (Ty::F32, ONE.into())];
    // ±6 ± 1
    for (neg_product, neg_addend, expect) in
        [(false, false, 0x40e0_0000), (true, false, 0xc0a0_0000), (false, true, 0x40a0_0000), (true, true, 0xc0e0_0000)]
    {
        let op = Op::Fma { shape: F32, env: ARM, neg_product, neg_addend, a: A, b: B, c: C };
        assert_eq!(run(op, Ty::F32, &operands).0, expect);
    }
}

/// Lanes above the shape's are not looked at and are zero in the result.
#[test]
fn partial_vectors() {
    let shape = Shape::vector(Fmt::F32, 2);
    let v = |w: [u32; 4]| (Ty::V128, w.iter().rev().fold(0, |v, &x| v << 32 | u128::from(x)));
    let (a, b) = (v([ONE, TWO, SIGNALLING, ONE]), v([ONE, ONE, ONE, ONE]));
    assert_eq!(run(Op::Fp2(Fp2::Add, shape, ARM, A, B), Ty::V128, &[a, b]), (v([TWO, THREE, 0, 0]).1, 0));
    assert_eq!(run(Op::FpCmp(FpCc::Gt, shape, ARM, A, B), Ty::V128, &[a, b]), (u128::from(u32::MAX) << 32, 0));
    let op = Op::FpToInt { shape, env: ARM, signed: true, bits: 32, fbits: 1, v: A };
    assert_eq!(run(op, Ty::V128, &[a]), (4 << 32 | 2, 0));
    let op = Op::FpFromInt { shape, env: ARM, signed: true, fbits: 1, v: A };
    assert_eq!(run(op, Ty::V128, &[v([2, u32::MAX - 3, 9, 9])]), (v([ONE, TWO | MINUS, 0, 0]).1, 0));
    let op = Op::FpCvt { from: Fmt::F32, to: Fmt::F64, lanes: 2, env: ARM, v: A };
    assert_eq!(run(op, Ty::V128, &[a]), (0x4000_0000_0000_0000 << 64 | 0x3ff0_0000_0000_0000, 0));
    let op = Op::FpCvt { from: Fmt::F32, to: Fmt::F16, lanes: 2, env: ARM, v: A };
    assert_eq!(run(op, Ty::V128, &[a]), (0x4000_3c00, 0));
}

#[test]
fn comparisons() {
    let shape = Shape::vector(Fmt::F32, 1);
    #[rustfmt::skip]
    let rows: &[(FpCc, u32, u32, bool, u32)] = &[
        (FpCc::Eq, 0, MINUS, true, 0),
        (FpCc::Eq, QUIET, QUIET, false, 0),
        (FpCc::Eq, SIGNALLING, ONE, false, fpflag::INVALID),
        (FpCc::Ge, ONE, ONE, true, 0),
        (FpCc::Ge, QUIET, ONE, false, fpflag::INVALID),
        (FpCc::Gt, ONE, ONE, false, 0),
        (FpCc::AbsGt, TWO | MINUS, ONE, true, 0),
        (FpCc::AbsGe, ONE, ONE | MINUS, true, 0),
    ];
    for &(cc, a, b, holds, flags) in rows {
        let got = run(Op::FpCmp(cc, shape, ARM, A, B), Ty::V128, &[(Ty::V128, a.into()), (Ty::V128, b.into())]);
        assert_eq!(got, (if holds { u32::MAX.into() } else { 0 }, flags), "{cc:?} {a:#x} {b:#x}");
    }
    let invalid = fpflag::INVALID;
    for (a, b, expect, quiet, signalling) in [
        (ONE, TWO, 0x8000, 0, 0),
        (0, MINUS, 0x4100, 0, 0),
        (TWO, ONE, 0x0100, 0, 0),
        (QUIET, ONE, 0x0101, 0, invalid),
        (ONE, SIGNALLING, 0x0101, invalid, invalid),
    ] {
        for (is_signalling, flags) in [(false, quiet), (true, signalling)] {
            let op = Op::FlagsFcmp { fmt: Fmt::F32, signalling: is_signalling, env: ARM, a: A, b: B };
            assert_eq!(run(op, Ty::Flags, &[(Ty::F32, a.into()), (Ty::F32, b.into())]), (expect, flags));
        }
    }
}

#[test]
fn integers() {
    let zero = ARM.round(Round::Zero);
    let to = |shape, env, signed, bits, fbits| Op::FpToInt { shape, env, signed, bits, fbits, v: A };
    #[rustfmt::skip]
    let rows: &[(Op, Ty, u128, Ty, u128, u32)] = &[
        (to(F64, zero, true, 32, 0),  Ty::F64, 0xc004_0000_0000_0000, Ty::I32, 0xffff_fffe, fpflag::INEXACT),
        (to(F64, zero, true, 64, 0),  Ty::F64, 0xc004_0000_0000_0000, Ty::I64, (-2i64 as u64).into(), fpflag::INEXACT),
        (to(F32, zero, true, 32, 0),  Ty::F32, QUIET.into(), Ty::I32, 0, fpflag::INVALID),
        (to(F32, zero, false, 32, 0), Ty::F32, (ONE | MINUS).into(), Ty::I32, 0, fpflag::INVALID),
        (to(F32, zero, true, 64, 0),  Ty::F32, INFINITY.into(), Ty::I64, i64::MAX as u128, fpflag::INVALID),
        (to(F32, zero, true, 16, 0),  Ty::F32, 0xc780_0000, Ty::I32, 0x8000, fpflag::INVALID),
        (to(F32, zero, false, 64, 4), Ty::F32, THREE.into(), Ty::I64, 48, 0),
        (Op::FpFromInt { shape: F32, env: ARM, signed: true, fbits: 0, v: A },  Ty::I32, 0xffff_fffe, Ty::F32, 0xc000_0000, 0),
        (Op::FpFromInt { shape: F32, env: ARM, signed: false, fbits: 0, v: A }, Ty::I32, 0xffff_ffff, Ty::F32, 0x4f80_0000, fpflag::INEXACT),
        (Op::FpFromInt { shape: F64, env: ARM, signed: true, fbits: 2, v: A },  Ty::I64, 6, Ty::F64, 0x3ff8_0000_0000_0000, 0),
        (Op::FpToIntJs(A), Ty::F64, 0x41f0_0000_0010_0000, Ty::I32, 1, fpflag::INVALID),
    ];
    for &(op, from, a, to, expect, flags) in rows {
        let got = run(op, to, &[(from, a)]);
        assert_eq!(got, (expect, flags), "{op:?} {a:#x}: {:#x}", got.0);
    }
}

#[test]
fn formats() {
    let narrow = |to, env| Op::FpCvt { from: Fmt::F32, to, lanes: 0, env, v: A };
    let alt = Env { alt_half: true, ..ARM };
    let flush = Env { flush_in: true, flush_out: true, ..ARM };
    #[rustfmt::skip]
    let rows: &[(Op, Ty, u128, Ty, u128, u32)] = &[
        (narrow(Fmt::F16, ARM), Ty::F32, INFINITY.into(), Ty::F16, 0x7c00, 0),
        (narrow(Fmt::F16, alt), Ty::F32, INFINITY.into(), Ty::F16, 0x7fff, fpflag::INVALID),
        // The f16 side is not flushed.
        (narrow(Fmt::F16, flush), Ty::F32, 0x3380_0000, Ty::F16, 1, 0),
        (narrow(Fmt::BF16, ARM), Ty::F32, 0x3f80_8001, Ty::I16, 0x3f81, fpflag::INEXACT),
        (Op::FpCvt { from: Fmt::F64, to: Fmt::F32, lanes: 0, env: ARM.round(Round::Odd), v: A }, Ty::F64, 0x3ff0_0000_0000_0001, Ty::F32, 0x3f80_0001, fpflag::INEXACT),
    ];
    for &(op, from, a, to, expect, flags) in rows {
        let got = run(op, to, &[(from, a)]);
        assert_eq!(got, (expect, flags), "{op:?} {a:#x}: {:#x}", got.0);
    }
}
