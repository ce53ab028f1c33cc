//! Integer operations. Operands come without bits above their width; results may have some, `eval` cuts them off.

use crate::op::{Bin, Un};
use crate::types::{IntCc, Ty};

/// The low `bits` bits of `v` as a signed number.
pub(super) fn signed(v: u64, bits: u32) -> i128 {
    let spare = 128 - bits;
    (i128::from(v) << spare) >> spare
}

pub(crate) fn bin(op: Bin, a: u64, b: u64, ty: Ty) -> u64 {
    let bits = ty.bits();
    let amount = (b % u64::from(bits)) as u32;
    let (wide_a, wide_b) = (u128::from(a), u128::from(b));
    let (sa, sb) = (signed(a, bits), signed(b, bits));
    match op {
        Bin::Add => a.wrapping_add(b),
        Bin::Sub => a.wrapping_sub(b),
        Bin::Mul => a.wrapping_mul(b),
        Bin::And => a & b,
        Bin::Or => a | b,
        Bin::Xor => a ^ b,
        Bin::AndNot => a & !b,
        Bin::Shl => a << amount,
        Bin::Shr => a >> amount,
        Bin::Sar => (sa >> amount) as u64,
        Bin::Rotr => ((wide_a << bits | wide_a) >> amount) as u64,
        Bin::MulHiU => ((wide_a * wide_b) >> bits) as u64,
        Bin::MulHiS => ((sa * sb) >> bits) as u64,
        Bin::DivU | Bin::DivS | Bin::RemU | Bin::RemS if b == 0 => 0,
        Bin::DivU => a / b,
        Bin::DivS => (sa / sb) as u64,
        Bin::RemU => a % b,
        Bin::RemS => (sa % sb) as u64,
        Bin::Pdep => places(b).enumerate().fold(0, |all, (from, to)| all | (a >> from & 1) << to),
        Bin::Pext => places(b).enumerate().fold(0, |all, (to, from)| all | (a >> from & 1) << to),
    }
}

/// `a` shifted by the amount's low bits, with b's bits coming in.
pub(super) fn shift_double(left: bool, a: u64, b: u64, amount: u64, ty: Ty) -> u64 {
    let (bits, a, b) = (u64::from(ty.bits()), u128::from(a), u128::from(b));
    let n = amount % bits;
    (if left { (a << bits | b) << n >> bits } else { (b << bits | a) >> n }) as u64
}

/// Where `v` has ones.
fn places(v: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |n| v >> n & 1 == 1)
}

pub(crate) fn un(op: Un, a: u64, ty: Ty) -> u64 {
    let spare = 64 - ty.bits();
    match op {
        Un::Neg => a.wrapping_neg(),
        Un::Not => !a,
        Un::Clz => u64::from(a.leading_zeros() - spare),
        Un::Ctz => u64::from(a.trailing_zeros().min(ty.bits())),
        Un::Popcnt => a.count_ones().into(),
        Un::Bswap => a.swap_bytes() >> spare,
        Un::Bitrev => a.reverse_bits() >> spare,
    }
}

pub(crate) fn compare(cc: IntCc, a: u64, b: u64, ty: Ty) -> bool {
    let (sa, sb) = (signed(a, ty.bits()), signed(b, ty.bits()));
    match cc {
        IntCc::Eq => a == b,
        IntCc::Ne => a != b,
        IntCc::Ult => a < b,
        IntCc::Ule => a <= b,
        IntCc::Ugt => a > b,
        IntCc::Uge => a >= b,
        IntCc::Slt => sa < sb,
        IntCc::Sle => sa <= sb,
        IntCc::Sgt => sa > sb,
        IntCc::Sge => sa >= sb,
    }
}

/// The low `width` bits set.
pub(crate) fn ones(width: u8) -> u64 {
    u64::MAX >> (64 - u32::from(width))
}

pub(crate) fn extract(v: u64, lsb: u8, width: u8, sign: bool) -> u64 {
    let field = v >> lsb & ones(width);
    if sign { signed(field, width.into()) as u64 } else { field }
}

pub(crate) fn deposit(into: u64, v: u64, lsb: u8, width: u8) -> u64 {
    let field = ones(width) << lsb;
    into & !field | v << lsb & field
}

/// CRC of the low `bytes` bytes of `v` into `acc`, bit-reflected, with no complement before or after.
/// See [`crate::Op::DivWide`].
pub(super) fn divide_wide(remainder: bool, hi: u64, lo: u64, divisor: u64, ty: Ty) -> u64 {
    let (dividend, d) = (u128::from(hi) << ty.bits() | u128::from(lo), u128::from(divisor));
    match (hi < divisor, remainder) {
        (false, _) => 0,
        (true, false) => (dividend / d) as u64,
        (true, true) => (dividend % d) as u64,
    }
}

pub(super) fn crc32(acc: u32, v: u64, bytes: u8, castagnoli: bool) -> u32 {
    let polynomial: u32 = if castagnoli { 0x1EDC_6F41 } else { 0x04C1_1DB7 };
    let reflected = polynomial.reverse_bits();
    let mut crc = acc;
    for byte in &v.to_le_bytes()[..bytes.into()] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { reflected } else { 0 };
        }
    }
    crc
}
