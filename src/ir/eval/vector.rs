//! Integer vector operations. A lane is computed as an `i128`, which holds every sum, difference and shifted lane, and all
//! products but the full unsigned 64-bit one; it is cut to the lane's width when it is put back.

use super::crypto;
use super::int::signed;
use crate::op::{V1, V2, V3, VShift};
use crate::types::Lane;
use softfloat::{unsigned_recip_estimate, unsigned_rsqrt_estimate};

/// Lane `i` of a vector.
pub(super) fn get(v: u128, lane: Lane, i: usize) -> u64 {
    (v >> (i as u32 * lane.bits())) as u64 & lane.mask()
}

/// The vector with lane `i` replaced by the low bits of `to`.
pub(super) fn set(v: u128, lane: Lane, i: usize, to: u64) -> u128 {
    let at = i as u32 * lane.bits();
    v & !(u128::from(lane.mask()) << at) | u128::from(to & lane.mask()) << at
}

/// The vector of `count` lanes, zero above; lane `i` is the low bits of `f(i)`.
pub(super) fn build(lane: Lane, count: usize, mut f: impl FnMut(usize) -> u64) -> u128 {
    (0..count).fold(0, |v, i| set(v, lane, i, f(i)))
}

/// All lanes.
fn all(lane: Lane, mut f: impl FnMut(usize) -> i128) -> u128 {
    build(lane, 16 / lane.bytes(), |i| f(i) as u64)
}

/// As many lanes as fill 128 bits.
const fn count(lane: Lane) -> usize {
    16 / lane.bytes()
}

/// Lane `i` as a number.
fn number(v: u128, lane: Lane, i: usize, is_signed: bool) -> i128 {
    let bits = get(v, lane, i);
    if is_signed { signed(bits, lane.bits()) } else { bits.into() }
}

pub(super) fn splat(lane: Lane, v: u64) -> u128 {
    build(lane, count(lane), |_| v)
}

/// Bytes `from` .. `from` + 16 of b:a.
pub(super) fn extract(a: u128, b: u128, from: u8) -> u128 {
    match u32::from(from) * 8 {
        0 => a,
        128 => b,
        n => a >> n | b << (128 - n),
    }
}

/// Saturated to a signed number of that width.
fn sat_s(v: i128, bits: u32) -> i128 {
    v.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
}

/// Saturated to an unsigned number of that width.
fn sat_u(v: i128, bits: u32) -> i128 {
    v.clamp(0, (1 << bits) - 1)
}

/// Saturation as a parameter.
#[derive(Clone, Copy)]
enum Sat {
    None,
    Signed,
    Unsigned,
}

impl Sat {
    fn apply(self, v: i128, bits: u32) -> i128 {
        match self {
            Sat::None => v,
            Sat::Signed => sat_s(v, bits),
            Sat::Unsigned => sat_u(v, bits),
        }
    }
}

/// `v` shifted left by `amount`, right if that is negative. Beyond 64 places a result does not change any more: it is 0, the
/// sign, or saturated.
fn shifted(v: i128, amount: i32, round: bool, sat: Sat, bits: u32) -> i128 {
    if amount >= 0 {
        let wide = if amount as u32 >= bits { v.signum() << 100 } else { v << amount };
        return sat.apply(wide, bits);
    }
    let right = amount.unsigned_abs().min(100);
    let half = if round { 1i128 << (right - 1) } else { 0 };
    sat.apply((v + half) >> right, bits)
}

/// The lanes' signs, lane 0's lowest.
pub(super) fn signs(v: u128, lane: Lane) -> u32 {
    (0..count(lane)).fold(0, |all, i| all | ((get(v, lane, i) >> (lane.bits() - 1)) as u32) << i)
}

/// The carry-less product.
fn carry_less(a: u64, b: u64) -> u128 {
    (0..64).filter(|i| b >> i & 1 == 1).fold(0, |sum, i| sum ^ u128::from(a) << i)
}

/// 2*a*b + (addend << bits), its upper half, saturated.
fn double_mul_hi(addend: i128, product: i128, round: bool, bits: u32) -> i128 {
    let half = if round { 1 << (bits - 1) } else { 0 };
    sat_s(((addend << bits) + 2 * product + half) >> bits, bits)
}

pub(super) fn v1(op: V1, lane: Lane, a: u128) -> u128 {
    match op {
        V1::WidenS | V1::WidenU => all(lane.wider(), |i| number(a, lane, i, op == V1::WidenS)),
        V1::Narrow | V1::NarrowSatS | V1::NarrowSatSU | V1::NarrowSatU => narrow(op, lane, a),
        V1::PairAddS | V1::PairAddU => {
            let half = |i| number(a, lane, i, op == V1::PairAddS);
            all(lane.wider(), |i| half(2 * i) + half(2 * i + 1))
        }
        V1::ZeroHi => u128::from(a as u64),
        V1::MoveHi => a >> 64,
        _ => all(lane, |i| lane1(op, lane.bits(), get(a, lane, i))),
    }
}

/// Lanes of width `wide` cut to their half.
fn narrow(op: V1, wide: Lane, a: u128) -> u128 {
    let lane = Lane::log2(wide as u32 - 1);
    let sat = match op {
        V1::NarrowSatS => Sat::Signed,
        V1::NarrowSatSU | V1::NarrowSatU => Sat::Unsigned,
        _ => Sat::None,
    };
    build(lane, count(wide), |i| sat.apply(number(a, wide, i, op != V1::NarrowSatU), lane.bits()) as u64)
}

/// One lane of an operation on equal lanes.
fn lane1(op: V1, bits: u32, a: u64) -> i128 {
    let value = signed(a, bits);
    let spare = 64 - bits;
    match op {
        V1::Not => !value,
        V1::Neg => -value,
        V1::Abs => value.abs(),
        V1::SatAbs => sat_s(value.abs(), bits),
        V1::SatNeg => sat_s(-value, bits),
        V1::Clz => (a.leading_zeros() - spare).into(),
        V1::Cls => ((value ^ value >> 127).leading_zeros() - (128 - bits) - 1).into(),
        V1::Popcnt => a.count_ones().into(),
        V1::Bitrev => (a.reverse_bits() >> spare).into(),
        V1::Bswap => (a.swap_bytes() >> spare).into(),
        V1::RecipEstimateU => unsigned_recip_estimate(a as u32).into(),
        V1::RsqrtEstimateU => unsigned_rsqrt_estimate(a as u32).into(),
        V1::WidenS
        | V1::WidenU
        | V1::Narrow
        | V1::NarrowSatS
        | V1::NarrowSatSU
        | V1::NarrowSatU
        | V1::PairAddS
        | V1::PairAddU
        | V1::ZeroHi
        | V1::MoveHi => unreachable!("{op:?} is done by `v1`"),
    }
}

pub(super) fn v2(op: V2, lane: Lane, a: u128, b: u128) -> u128 {
    let half = count(lane) / 2;
    let a_at = |i| get(a, lane, i).into();
    let b_at = |i| get(b, lane, i).into();
    let either = |second: bool, i| if second { b_at(i) } else { a_at(i) };
    if let Some(op) = op.of_neighbours() {
        let pair = |v, i| lane2(op, lane.bits(), get(v, lane, 2 * i), get(v, lane, 2 * i + 1));
        return all(lane, |i| if i < half { pair(a, i) } else { pair(b, i - half) });
    }
    match op {
        V2::And => a & b,
        V2::Or => a | b,
        V2::Xor => a ^ b,
        V2::AndNot => a & !b,
        V2::OrNot => a | !b,
        V2::ZipLo => all(lane, |i| either(i % 2 == 1, i / 2)),
        V2::ZipHi => all(lane, |i| either(i % 2 == 1, half + i / 2)),
        V2::UnzipEven => all(lane, |i| either(i >= half, i % half * 2)),
        V2::UnzipOdd => all(lane, |i| either(i >= half, i % half * 2 + 1)),
        V2::TrnEven => all(lane, |i| either(i % 2 == 1, i & !1)),
        V2::TrnOdd => all(lane, |i| either(i % 2 == 1, i | 1)),
        V2::Tbl => all(lane, |i| match get(b, lane, i) as usize {
            at @ 0..16 => a_at(at),
            _ => 0,
        }),
        V2::ConcatLo => u128::from(a as u64) | b << 64,
        V2::ConcatHi => a >> 64 | b >> 64 << 64,
        V2::PMulWide if lane == Lane::D => carry_less(a as u64, b as u64),
        V2::PMulWide => all(lane.wider(), |i| carry_less(get(a, lane, i), get(b, lane, i)) as i128),
        V2::MulWideS | V2::MulWideU => {
            let is_signed = op == V2::MulWideS;
            all(lane.wider(), |i| number(a, lane, i, is_signed) * number(b, lane, i, is_signed))
        }
        V2::MulAddPairs | V2::MulAddPairsSat => {
            // Of bytes the first is unsigned.
            let a_signed = op == V2::MulAddPairs;
            let product = |i| number(a, lane, i, a_signed) * number(b, lane, i, true);
            let sum = |i| product(2 * i) + product(2 * i + 1);
            all(lane.wider(), |i| if a_signed { sum(i) } else { sat_s(sum(i), lane.wider().bits()) })
        }
        V2::SumAbsDiff => {
            let difference = |i| i128::from(get(a, lane, i).abs_diff(get(b, lane, i)));
            all(Lane::D, |i| (8 * i..8 * i + 8).map(difference).sum())
        }
        V2::MulEvenS | V2::MulEvenU => {
            let is_signed = op == V2::MulEvenS;
            all(lane.wider(), |i| number(a, lane, 2 * i, is_signed) * number(b, lane, 2 * i, is_signed))
        }
        V2::PackS | V2::PackU => {
            let narrow = lane.bits() / 2;
            let cut = |v| if op == V2::PackS { sat_s(v, narrow) } else { sat_u(v, narrow) };
            let n = count(lane);
            let from = |i| if i < n { number(a, lane, i, true) } else { number(b, lane, i - n, true) };
            all(Lane::log2(lane as u32 - 1), |i| cut(from(i)))
        }
        V2::ShlAll | V2::ShrAllU | V2::ShrAllS => {
            let amount = (b as u64).min(lane.bits().into()) as u32;
            all(lane, |i| match op {
                V2::ShlAll => number(a, lane, i, false) << amount,
                _ => number(a, lane, i, op == V2::ShrAllS) >> amount,
            })
        }
        V2::ShlEach | V2::ShrEachU | V2::ShrEachS => all(lane, |i| {
            let amount = get(b, lane, i).min(lane.bits().into()) as u32;
            match op {
                V2::ShlEach => number(a, lane, i, false) << amount,
                _ => number(a, lane, i, op == V2::ShrEachS) >> amount,
            }
        }),
        V2::SatDoubleMulWide => {
            let wide = lane.wider();
            all(wide, |i| sat_s(2 * number(a, lane, i, true) * number(b, lane, i, true), wide.bits()))
        }
        _ => all(lane, |i| lane2(op, lane.bits(), get(a, lane, i), get(b, lane, i))),
    }
}

/// One lane of an operation on equal lanes.
fn lane2(op: V2, bits: u32, a: u64, b: u64) -> i128 {
    let (ua, ub) = (i128::from(a), i128::from(b));
    let (sa, sb) = (signed(a, bits), signed(b, bits));
    let truth = |holds: bool| -i128::from(holds);
    let by = i32::from(b as i8);
    match op {
        V2::Add => ua + ub,
        V2::Sub => ua - ub,
        V2::Mul => ua.wrapping_mul(ub),
        V2::MulHiS => (sa * sb) >> bits,
        V2::MulHiU => (ua * ub) >> bits,
        V2::MulHiRound => (((sa * sb) >> (bits - 2)) + 1) >> 1,
        V2::SignOf => sa * sb.signum(),
        V2::MinS => sa.min(sb),
        V2::MinU => ua.min(ub),
        V2::MaxS => sa.max(sb),
        V2::MaxU => ua.max(ub),
        V2::AbdS => (sa - sb).abs(),
        V2::AbdU => (ua - ub).abs(),
        V2::CmpEq => truth(a == b),
        V2::CmpGtS => truth(sa > sb),
        V2::CmpGeS => truth(sa >= sb),
        V2::CmpGtU => truth(a > b),
        V2::CmpGeU => truth(a >= b),
        V2::CmpTst => truth(a & b != 0),
        V2::SatAddS => sat_s(sa + sb, bits),
        V2::SatAddU => sat_u(ua + ub, bits),
        V2::SatSubS => sat_s(sa - sb, bits),
        V2::SatSubU => sat_u(ua - ub, bits),
        V2::SatAddSU => sat_s(sa + ub, bits),
        V2::SatAddUS => sat_u(ua + sb, bits),
        V2::HalfAddS => (sa + sb) >> 1,
        V2::HalfAddU => (ua + ub) >> 1,
        V2::HalfAddRoundS => (sa + sb + 1) >> 1,
        V2::HalfAddRoundU => (ua + ub + 1) >> 1,
        V2::HalfSubS => (sa - sb) >> 1,
        V2::HalfSubU => (ua - ub) >> 1,
        V2::ShiftS => shifted(sa, by, false, Sat::None, bits),
        V2::ShiftU => shifted(ua, by, false, Sat::None, bits),
        V2::ShiftRoundS => shifted(sa, by, true, Sat::None, bits),
        V2::ShiftRoundU => shifted(ua, by, true, Sat::None, bits),
        V2::ShiftSatS => shifted(sa, by, false, Sat::Signed, bits),
        V2::ShiftSatU => shifted(ua, by, false, Sat::Unsigned, bits),
        V2::ShiftSatRoundS => shifted(sa, by, true, Sat::Signed, bits),
        V2::ShiftSatRoundU => shifted(ua, by, true, Sat::Unsigned, bits),
        V2::SatDoubleMulHi => double_mul_hi(0, sa * sb, false, bits),
        V2::SatDoubleMulHiRound => double_mul_hi(0, sa * sb, true, bits),
        V2::PMul => carry_less(a, b) as i128,
        V2::MulAddPairs
        | V2::MulAddPairsSat
        | V2::SumAbsDiff
        | V2::MulEvenS
        | V2::MulEvenU
        | V2::PackS
        | V2::PackU
        | V2::ShlAll
        | V2::ShrAllU
        | V2::ShrAllS
        | V2::ShlEach
        | V2::ShrEachU
        | V2::ShrEachS
        | V2::And
        | V2::Or
        | V2::Xor
        | V2::AndNot
        | V2::OrNot
        | V2::ZipLo
        | V2::ZipHi
        | V2::UnzipEven
        | V2::UnzipOdd
        | V2::PairwiseAdd
        | V2::PairwiseMinS
        | V2::PairwiseMinU
        | V2::PairwiseMaxS
        | V2::PairwiseMaxU
        | V2::TrnEven
        | V2::TrnOdd
        | V2::Tbl
        | V2::MulWideS
        | V2::MulWideU
        | V2::PMulWide
        | V2::SatDoubleMulWide
        | V2::ConcatLo
        | V2::ConcatHi => unreachable!("{op:?} is done by `v2`"),
    }
}

pub(super) fn v3(op: V3, lane: Lane, a: u128, b: u128, c: u128) -> u128 {
    match op {
        V3::BitSelect => a & b | !a & c,
        V3::DotS => dot(a, b, c, true, true),
        V3::DotU => dot(a, b, c, false, false),
        V3::DotUS => dot(a, b, c, false, true),
        V3::MatMulS => matrix(a, b, c, true, true),
        V3::MatMulU => matrix(a, b, c, false, false),
        V3::MatMulUS => matrix(a, b, c, false, true),
        V3::SatDoubleMulAddHi | V3::SatDoubleMulSubHi => {
            let sign = if op == V3::SatDoubleMulAddHi { 1 } else { -1 };
            let at = |v, i| number(v, lane, i, true);
            all(lane, |i| double_mul_hi(at(a, i), sign * at(b, i) * at(c, i), true, lane.bits()))
        }
        _ => crypto::three(op, a, b, c),
    }
}

/// The sum of `n` products of bytes, those of b from `b_from`, those of c from `c_from`.
fn products(b: (u128, bool, usize), c: (u128, bool, usize), n: usize) -> i128 {
    let byte = |(v, is_signed, from): (u128, bool, usize), i| number(v, Lane::B, from + i, is_signed);
    (0..n).map(|i| byte(b, i) * byte(c, i)).sum()
}

/// a + four products in each S lane.
fn dot(a: u128, b: u128, c: u128, b_signed: bool, c_signed: bool) -> u128 {
    all(Lane::S, |i| i128::from(get(a, Lane::S, i)) + products((b, b_signed, 4 * i), (c, c_signed, 4 * i), 4))
}

/// a + the 2x2 matrix of products of b's rows of eight bytes with those of c.
fn matrix(a: u128, b: u128, c: u128, b_signed: bool, c_signed: bool) -> u128 {
    all(Lane::S, |i| i128::from(get(a, Lane::S, i)) + products((b, b_signed, i / 2 * 8), (c, c_signed, i % 2 * 8), 8))
}

pub(super) fn shift(op: VShift, lane: Lane, a: u128, amount: u8) -> u128 {
    let by = i32::from(amount);
    let bits = lane.bits();
    all(lane, |i| {
        let u = number(a, lane, i, false);
        let s = number(a, lane, i, true);
        match op {
            VShift::Shl => shifted(u, by, false, Sat::None, bits),
            VShift::ShrU => shifted(u, -by, false, Sat::None, bits),
            VShift::ShrS => shifted(s, -by, false, Sat::None, bits),
            VShift::ShrRoundU => shifted(u, -by, true, Sat::None, bits),
            VShift::ShrRoundS => shifted(s, -by, true, Sat::None, bits),
            VShift::ShlSatS => shifted(s, by, false, Sat::Signed, bits),
            VShift::ShlSatU => shifted(u, by, false, Sat::Unsigned, bits),
            VShift::ShlSatSU => shifted(s, by, false, Sat::Unsigned, bits),
        }
    })
}
