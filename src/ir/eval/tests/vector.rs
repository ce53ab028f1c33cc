//! Vectors. Rows of one lane put their operands into every lane and expect the result in every lane.

use super::{A, B, C, run, v128};
use crate::op::{Op, V1, V2, V3, VShift};
use crate::types::{Lane, Ty};

use Lane::{B as Byte, D, H, S};

fn splat(lane: Lane, v: u64) -> u128 {
    run(Op::VSplat(lane, A), Ty::V128, &[(lane.ty(), v.into())]).0
}

#[test]
fn splats() {
    assert_eq!(splat(Byte, 0x1ff), u128::MAX);
    assert_eq!(splat(H, 0x1234), 0x12341234_12341234_12341234_12341234);
    assert_eq!(splat(D, 5), 5 << 64 | 5);
    assert_eq!(v128(Op::VSplatLane(S, A, 2), &[7 << 64]), splat(S, 7));
}

#[test]
fn two_operands_by_lane() {
    #[rustfmt::skip]
    let rows: &[(V2, Lane, u64, u64, u64)] = &[
        (V2::Add,   Byte, 0xff, 2, 1),
        (V2::Sub,   D, 0, 1, u64::MAX),
        (V2::Mul,   H, 0x1234, 0x100, 0x3400),
        (V2::Mul,   D, u64::MAX, u64::MAX, 1),
        (V2::OrNot, S, 1, 0xffff_fff0, 0xf),
        (V2::AndNot, S, 0xff, 0x0f, 0xf0),
        (V2::MinS,  Byte, 0x80, 1, 0x80),
        (V2::MinU,  Byte, 0x80, 1, 1),
        (V2::MaxS,  S, 0x8000_0000, 1, 1),
        (V2::MaxU,  D, 1 << 63, 1, 1 << 63),
        (V2::AbdS,  Byte, 0x80, 0x7f, 0xff),
        (V2::AbdU,  Byte, 1, 3, 2),
        (V2::CmpEq, H, 5, 5, 0xffff),
        (V2::CmpGtS, H, 0, 0xffff, 0xffff),
        (V2::CmpGeS, H, 0xffff, 0, 0),
        (V2::CmpGtU, H, 0, 0xffff, 0),
        (V2::CmpGeU, D, 3, 3, u64::MAX),
        (V2::CmpTst, Byte, 6, 1, 0),
        (V2::CmpTst, Byte, 6, 4, 0xff),
        (V2::SatAddS, Byte, 0x7f, 1, 0x7f),
        (V2::SatAddS, D, 1 << 63, u64::MAX, 1 << 63),
        (V2::SatAddU, D, u64::MAX, 1, u64::MAX),
        (V2::SatSubS, S, 0x8000_0000, 1, 0x8000_0000),
        (V2::SatSubU, H, 1, 2, 0),
        (V2::SatAddSU, Byte, 0xff, 0xff, 0x7f),
        (V2::SatAddSU, Byte, 0x80, 0x10, 0x90),
        (V2::SatAddUS, Byte, 5, 0xf0, 0),
        (V2::SatAddUS, Byte, 0xf0, 0x7f, 0xff),
        (V2::HalfAddS, Byte, 0x80, 0x80, 0x80),
        (V2::HalfAddU, Byte, 0xff, 0xfe, 0xfe),
        (V2::HalfAddRoundU, Byte, 0xff, 0xfe, 0xff),
        (V2::HalfAddRoundS, Byte, 0xff, 0, 0),
        (V2::HalfSubU, Byte, 0, 1, 0xff),
        (V2::HalfSubS, Byte, 0x80, 0x7f, 0x80),
        (V2::ShiftS, Byte, 0x81, 1, 2),
        (V2::ShiftS, H, 0x8000, 0xff, 0xc000),
        (V2::ShiftS, H, 0x8000, 0x1280, 0xffff),
        (V2::ShiftS, H, 1, 0x0010, 0),
        (V2::ShiftU, D, 1 << 63, 0xc1, 1),
        (V2::ShiftU, D, u64::MAX, 0x7f, 0),
        (V2::ShiftU, D, u64::MAX, 0x80, 0),
        (V2::ShiftRoundS, Byte, 0xff, 0xff, 0),
        (V2::ShiftRoundU, D, u64::MAX, 0xff, 1 << 63),
        (V2::ShiftRoundU, D, 1 << 63, 0xc0, 1),
        (V2::ShiftRoundU, Byte, 0x80, 0xf8, 1),
        (V2::ShiftRoundU, Byte, 0xff, 0xf7, 0),
        (V2::ShiftSatS, Byte, 0x40, 1, 0x7f),
        (V2::ShiftSatS, D, u64::MAX, 0x7f, 1 << 63),
        (V2::ShiftSatS, D, 0, 0x7f, 0),
        (V2::ShiftSatU, Byte, 0x40, 2, 0xff),
        (V2::ShiftSatU, S, 0x80, 0xf9, 1),
        (V2::ShiftSatRoundS, S, 7, 0xff, 4),
        (V2::ShiftSatRoundU, H, 0xffff, 0xff, 0x8000),
        (V2::SatDoubleMulHi, H, 0x8000, 0x8000, 0x7fff),
        (V2::SatDoubleMulHi, H, 0x7fff, 1, 0),
        (V2::SatDoubleMulHiRound, H, 0x7fff, 1, 1),
        (V2::SatDoubleMulHiRound, S, 0x8000_0000, 0x8000_0000, 0x7fff_ffff),
        (V2::PMul, Byte, 0x83, 3, 0x85),
    ];
    for &(op, lane, a, b, expect) in rows {
        let got = v128(Op::V2(op, lane, A, B), &[splat(lane, a), splat(lane, b)]);
        assert_eq!(got, splat(lane, expect), "{op:?} {lane:?} {a:#x} {b:#x}: {got:#x}");
    }
}

#[test]
fn one_operand_by_lane() {
    #[rustfmt::skip]
    let rows: &[(V1, Lane, u64, u64)] = &[
        (V1::Not,    Byte, 0x0f, 0xf0),
        (V1::Neg,    H, 1, 0xffff),
        (V1::Abs,    Byte, 0x80, 0x80),
        (V1::SatAbs, Byte, 0x80, 0x7f),
        (V1::SatNeg, D, 1 << 63, (1 << 63) - 1),
        (V1::Clz,    H, 1, 15),
        (V1::Clz,    Byte, 0, 8),
        (V1::Cls,    S, 0xffff_0000, 15),
        (V1::Cls,    Byte, 0, 7),
        (V1::Cls,    Byte, 0x40, 0),
        (V1::Popcnt, Byte, 0xf1, 5),
        (V1::Bitrev, Byte, 0x13, 0xc8),
        (V1::Bswap,  H, 0x1234, 0x3412),
        (V1::Bswap,  D, 0x0102030405060708, 0x0807060504030201),
        (V1::RecipEstimateU, S, 0x7fff_ffff, 0xffff_ffff),
        (V1::RecipEstimateU, S, 0x8000_0000, 0xff80_0000),
        (V1::RsqrtEstimateU, S, 0x3fff_ffff, 0xffff_ffff),
        (V1::RsqrtEstimateU, S, 0x8000_0000, 0xb480_0000),
    ];
    for &(op, lane, a, expect) in rows {
        let got = v128(Op::V1(op, lane, A), &[splat(lane, a)]);
        assert_eq!(got, splat(lane, expect), "{op:?} {lane:?} {a:#x}: {got:#x}");
    }
}

#[test]
fn shifts_by_an_immediate() {
    #[rustfmt::skip]
    let rows: &[(VShift, Lane, u64, u8, u64)] = &[
        (VShift::Shl,  Byte, 0x81, 1, 2),
        (VShift::ShrU, D, 1 << 63, 64, 0),
        (VShift::ShrU, Byte, 0x81, 1, 0x40),
        (VShift::ShrS, S, 0x8000_0000, 32, 0xffff_ffff),
        (VShift::ShrRoundU, Byte, 0xff, 8, 1),
        (VShift::ShrRoundU, D, u64::MAX, 1, 1 << 63),
        (VShift::ShrRoundS, Byte, 0x80, 8, 0),
        (VShift::ShrRoundS, H, 0xfffd, 1, 0xffff),
        (VShift::ShlSatS, Byte, 0xc0, 2, 0x80),
        (VShift::ShlSatS, Byte, 0x1f, 2, 0x7c),
        (VShift::ShlSatU, Byte, 0x40, 2, 0xff),
        (VShift::ShlSatSU, Byte, 0xff, 1, 0),
        (VShift::ShlSatSU, Byte, 0x7f, 1, 0xfe),
        (VShift::ShlSatSU, D, (1 << 63) - 1, 63, u64::MAX),
    ];
    for &(op, lane, a, amount, expect) in rows {
        let got = v128(Op::VShift(op, lane, A, amount), &[splat(lane, a)]);
        assert_eq!(got, splat(lane, expect), "{op:?} {lane:?} {a:#x} {amount}: {got:#x}");
    }
}

/// Bytes 00 01 … 0f from the low end, and 10 … 1f.
const LOW: u128 = 0x0f0e0d0c_0b0a0908_07060504_03020100;
const HIGH: u128 = 0x1f1e1d1c_1b1a1918_17161514_13121110;

#[test]
fn permutations() {
    #[rustfmt::skip]
    let rows: &[(V2, Lane, u128)] = &[
        (V2::ZipLo, Byte, 0x17071606_15051404_13031202_11011000),
        (V2::ZipHi, H,    0x1f1e0f0e_1d1c0d0c_1b1a0b0a_19180908),
        (V2::ZipHi, D,    0x1f1e1d1c_1b1a1918_0f0e0d0c_0b0a0908),
        (V2::UnzipEven, Byte, 0x1e1c1a18_16141210_0e0c0a08_06040200),
        (V2::UnzipOdd,  S,    0x1f1e1d1c_17161514_0f0e0d0c_07060504),
        (V2::PairwiseAdd,  Byte, 0x3d393531_2d292521_1d191511_0d090501),
        (V2::PairwiseAdd,  D,    0x36343230_2e2c2a28_16141210_0e0c0a08),
        (V2::PairwiseMinS, H,    0x1d1c1918_15141110_0d0c0908_05040100),
        (V2::PairwiseMinU, S,    0x1b1a1918_13121110_0b0a0908_03020100),
        (V2::PairwiseMaxS, Byte, 0x1f1d1b19_17151311_0f0d0b09_07050301),
        (V2::PairwiseMaxU, H,    0x1f1e1b1a_17161312_0f0e0b0a_07060302),
        (V2::TrnEven, H, 0x1d1c0d0c_19180908_15140504_11100100),
        (V2::TrnOdd,  S, 0x1f1e1d1c_0f0e0d0c_17161514_07060504),
        (V2::ConcatLo, D, 0x17161514_13121110_07060504_03020100),
        (V2::ConcatHi, D, 0x1f1e1d1c_1b1a1918_0f0e0d0c_0b0a0908),
        (V2::And, Byte, LOW),
    ];
    for &(op, lane, expect) in rows {
        let got = v128(Op::V2(op, lane, A, B), &[LOW, HIGH]);
        assert_eq!(got, expect, "{op:?} {lane:?}: {got:#x}");
    }
    let (table, at) = (HIGH, u128::MAX << 32 | 0x10_0f_ff_03);
    assert_eq!(v128(Op::V2(V2::Tbl, Byte, A, B), &[table, at]), 0x00_1f_00_13);
    for (from, expect) in [(0, LOW), (16, HIGH), (3, 0x1211100f_0e0d0c0b_0a090807_06050403)] {
        assert_eq!(v128(Op::VExt(A, B, from), &[LOW, HIGH]), expect);
    }
}

#[test]
fn wide_and_narrow() {
    let v1 = |op, lane, a| v128(Op::V1(op, lane, A), &[a]);
    let v2 = |op, lane, a, b| v128(Op::V2(op, lane, A, B), &[a, b]);
    assert_eq!(v1(V1::WidenU, Byte, LOW), 0x00070006_00050004_00030002_00010000);
    assert_eq!(v1(V1::WidenS, S, 0x80000000_00000005), 0xffffffff_80000000 << 64 | 5);
    assert_eq!(v1(V1::Narrow, H, LOW), 0x0e0c0a08_06040200);
    assert_eq!(v1(V1::Narrow, D, LOW), 0x0b0a0908_03020100);
    let edges = 0x0080_ff7f_8000_7fff_00ff_0100_ffff_0001;
    assert_eq!(v1(V1::NarrowSatS, H, edges), 0x7f_80_80_7f_7f_7f_ff_01);
    assert_eq!(v1(V1::NarrowSatSU, H, edges), 0x80_00_00_ff_ff_ff_00_01);
    assert_eq!(v1(V1::NarrowSatU, H, edges), 0x80_ff_ff_ff_ff_ff_ff_01);
    assert_eq!(v1(V1::PairAddS, H, 0xffff_ffff_8000_8000_7fff_7fff_0001_ffff), 0xfffffffe_ffff0000_0000fffe_00000000);
    assert_eq!(v1(V1::PairAddU, S, 0xffffffff_ffffffff_00000001_00000002), 0x1_fffffffe << 64 | 3);
    assert_eq!(v1(V1::ZeroHi, D, LOW), 0x07060504_03020100);
    assert_eq!(v1(V1::MoveHi, D, LOW), 0x0f0e0d0c_0b0a0908);
    assert_eq!(v2(V2::MulWideS, Byte, 0xff80, 0xff80), 0x0001_4000);
    assert_eq!(v2(V2::MulWideU, S, 0xffffffff, 0xffffffff), 0xfffffffe_00000001);
    assert_eq!(v2(V2::PMulWide, Byte, 0xff83, 0xff03), 0x5555_0185);
    assert_eq!(v2(V2::SatDoubleMulWide, H, 0x0003_8000, 0x0005_8000), 0x1e_7fffffff);
}

#[test]
fn three_operands() {
    let v3 = |op, lane, a, b, c| v128(Op::V3(op, lane, A, B, C), &[a, b, c]);
    assert_eq!(v3(V3::BitSelect, D, 0xff00, 0x1234, 0x5678), 0x1278);
    // The bytes ff ff ff 02 with 01 02 ff 03.
    let (b, c) = (0x02ffffff, 0x03ff0201);
    assert_eq!(v3(V3::DotS, S, 10, b, c), 10 - 1 - 2 + 1 + 6);
    assert_eq!(v3(V3::DotU, S, 10, b, c), 10 + 255 + 510 + 255 * 255 + 6);
    assert_eq!(v3(V3::DotUS, S, 10, b, c), 10 + 255 + 510 - 255 + 6);
    // Rows (1 0 …, 0 … 2) by (3 0 …, 0 … 255).
    let (b, c) = (1 | 2 << 120, 3 | 255 << 120);
    assert_eq!(v3(V3::MatMulU, S, 7, b, c), 10 | 510 << 96);
    assert_eq!(v3(V3::MatMulS, S, 7, b, c), 10 | 0xfffffffe << 96);
    assert_eq!(
        v3(V3::MatMulUS, S, 7, b | 255 << 64, c | 255 << 64),
        10 | 0xfffffeff << 96 | 765 << 64 | 0xffffffff << 32
    );
    assert_eq!(v3(V3::SatDoubleMulAddHi, H, 0x7fff, 0x4000, 2), 0x7fff);
    assert_eq!(v3(V3::SatDoubleMulAddHi, H, 1, 0x4000, 1), 2);
    assert_eq!(v3(V3::SatDoubleMulSubHi, H, 1, 0x4000, 1), 1);
    assert_eq!(v3(V3::SatDoubleMulSubHi, S, 0x80000000, 0x7fffffff, 2), 0x80000000);
}

#[test]
fn lanes_and_scalars() {
    assert_eq!(run(Op::VFromScalar(A), Ty::V128, &[(Ty::F32, 0x3f80_0000)]).0, 0x3f80_0000);
    assert_eq!(run(Op::VGet(H, A, 7), Ty::I16, &[(Ty::V128, LOW)]).0, 0x0f0e);
    assert_eq!(run(Op::VGet(D, A, 1), Ty::F64, &[(Ty::V128, LOW)]).0, 0x0f0e0d0c_0b0a0908);
    let got = run(Op::VSet(S, A, B, 2), Ty::V128, &[(Ty::V128, LOW), (Ty::I32, 0xaabb_ccdd)]).0;
    assert_eq!(got, 0x0f0e0d0c_aabbccdd_07060504_03020100);
}
