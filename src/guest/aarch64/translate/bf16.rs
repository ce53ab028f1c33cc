//! The arithmetic of BFDOT and BFMMLA, which follows no FPCR: denormals are zeros on both sides, rounding is to odd but
//! overflows to infinity, NaNs are the default one, and no exception is raised (Arm ARM BFMulH, FPAdd_BF16, BFRound).
//! Not that of BFMLAL and BFCVT, which is ordinary.

/// The default NaN.
const NAN: u32 = 0x7fc0_0000;
const SIGN: u32 = 1 << 31;
const INFINITY: u32 = 0x7f80_0000;

/// Biased exponent, and the significand with its leading one at bit 23.
fn parts(x: u32) -> (i32, u64) {
    ((x >> 23 & 255) as i32, u64::from(x & 0x7f_ffff | 1 << 23))
}

fn is_nan(x: u32) -> bool {
    x & !SIGN > INFINITY
}

fn is_infinite(x: u32) -> bool {
    x & !SIGN == INFINITY
}

/// Zero, or a denormal, which counts as one.
fn is_zero(x: u32) -> bool {
    x & INFINITY == 0
}

/// `significand` (not 0) times 2^(exponent - 127 - 23), rounded to odd.
fn round(sign: u32, exponent: i32, significand: u64) -> u32 {
    let shift = 40 - significand.leading_zeros() as i32;
    let exponent = exponent + shift;
    let fraction = if shift <= 0 {
        significand << -shift
    } else {
        let lost = significand & ((1 << shift) - 1) != 0;
        significand >> shift | u64::from(lost)
    };
    match exponent {
        ..=0 => sign,
        255.. => sign | INFINITY,
        _ => sign | (exponent as u32) << 23 | fraction as u32 & 0x7f_ffff,
    }
}

/// The product of two bfloat16 numbers, as single.
fn multiply(a: u16, b: u16) -> u32 {
    let (a, b) = (u32::from(a) << 16, u32::from(b) << 16);
    let sign = (a ^ b) & SIGN;
    let undefined = is_infinite(a) && is_zero(b) || is_zero(a) && is_infinite(b);
    if is_nan(a) || is_nan(b) || undefined {
        NAN
    } else if is_infinite(a) || is_infinite(b) {
        sign | INFINITY
    } else if is_zero(a) || is_zero(b) {
        sign
    } else {
        let ((e, x), (f, y)) = (parts(a), parts(b));
        // Both significands end in 16 zeros: the product is exact.
        round(sign, e + f - 127 + 9, (x >> 16) * (y >> 16))
    }
}

/// The sum of two single numbers.
fn add(a: u32, b: u32) -> u32 {
    if is_nan(a) || is_nan(b) || is_infinite(a) && is_infinite(b) && a != b {
        return NAN;
    }
    match (is_infinite(a), is_infinite(b)) {
        (true, _) => return a,
        (_, true) => return b,
        _ => {}
    }
    match (is_zero(a), is_zero(b)) {
        (true, true) => a & b & SIGN,
        (true, false) => b,
        (false, true) => a,
        _ => add_finite(a, b),
    }
}

fn add_finite(a: u32, b: u32) -> u32 {
    let (large, small) = if a & !SIGN >= b & !SIGN { (a, b) } else { (b, a) };
    let ((e, x), (f, y)) = (parts(large), parts(small));
    // 32 bits below the significands; what goes further down is kept as a one at the end.
    let (x, y) = (x << 32, y << 32);
    let distance = (e - f).min(63) as u32;
    let y = y >> distance | u64::from(y & ((1 << distance) - 1) != 0);
    let sum = if (a ^ b) & SIGN == 0 { x + y } else { x - y };
    if sum == 0 { 0 } else { round(large & SIGN, e - 32, sum) }
}

/// The accumulator plus the products of two pairs.
fn dot(acc: u32, a: [u16; 2], b: [u16; 2]) -> u32 {
    add(acc, add(multiply(a[0], b[0]), multiply(a[1], b[1])))
}

fn single(v: u128, i: u32) -> u32 {
    (v >> (32 * i)) as u32
}

fn pair(v: u128, i: u32) -> [u16; 2] {
    let word = single(v, i);
    [word as u16, (word >> 16) as u16]
}

/// BFDOT: in each lane.
pub(crate) fn dot_lanes(c: u128, a: u128, b: u128) -> u128 {
    let lane = |i| dot(single(c, i), pair(a, i), pair(b, i));
    (0..4).fold(0, |v, i| v | u128::from(lane(i)) << (32 * i))
}

/// BFMMLA: two rows of four numbers times two columns of four.
pub(crate) fn matrix(c: u128, a: u128, b: u128) -> u128 {
    let element = |row: u32, column: u32| {
        let acc = single(c, 2 * row + column);
        (0..2).fold(acc, |acc, k| dot(acc, pair(a, 2 * row + k), pair(b, 2 * column + k)))
    };
    (0..4).fold(0, |v, i| v | u128::from(element(i / 2, i % 2)) << (32 * i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_odd() {
        let (one, tiny) = (0x3f80_0000, 0x3000_0000);
        assert_eq!(add(one, tiny), 0x3f80_0001);
        assert_eq!(add(one, tiny | SIGN), 0x3f7f_ffff);
        assert_eq!(add(one, one), 0x4000_0000);
    }

    #[test]
    fn range() {
        // 2^127 squared, the smallest normal number squared, a denormal, infinity times zero.
        assert_eq!(multiply(0x7f00, 0x7f00), INFINITY);
        assert_eq!(multiply(0x0080, 0x8080), SIGN);
        assert_eq!(multiply(0x0001, 0x3f80), 0);
        assert_eq!(multiply(0x7f80, 0x0001), NAN);
        assert_eq!(add(INFINITY, INFINITY | SIGN), NAN);
        assert_eq!(multiply(0x3fc0, 0x3fc0), 2.25f32.to_bits());
        assert_eq!(add(0x3f80_0000, 0xbf80_0000), 0);
    }
}
