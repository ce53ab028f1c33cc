//! Helpers of V that work on a piece of 128 bits, lane by lane: what IR has no operation for.

use super::float::{canonical_nan, infinity, widths};
use super::helper::class;
use super::vector_float::{RISCV, format};
use crate::state::{STATE64, VXSAT};
use ir::{Fmt, Frame, Helper, Lane, Op, Round, Shape, Touches, Ty, Val, eval, fpflag};

/// Lane `i`.
fn get(v: u128, lane: Lane, i: u32) -> u64 {
    (v >> (i * lane.bits())) as u64 & lane.mask()
}

fn number(bits: u64, lane: Lane) -> i128 {
    let spare = 128 - lane.bits();
    i128::from(bits) << spare >> spare
}

/// The piece of `f`'s lanes.
fn build(lane: Lane, mut f: impl FnMut(u32) -> u64) -> u128 {
    (0..16 / lane.bytes() as u32).fold(0, |v, i| v | u128::from(f(i) & lane.mask()) << (i * lane.bits()))
}

/// A function of two lanes; the third argument says how wide they are.
fn two(frame: &mut Frame<'_>, f: fn(Lane, u64, u64) -> u64) {
    let (a, b, lane) = (frame.args[0], frame.args[1], Lane::log2(frame.args[2] as u32));
    frame.ret = build(lane, |i| f(lane, get(a, lane, i), get(b, lane, i)));
}

const fn function(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: true }
}

/// The upper half of the product.
fn high(lane: Lane, a: i128, b: i128) -> u64 {
    (a.wrapping_mul(b) >> lane.bits()) as u64
}

pub(super) static MULH: Helper = function("vmulh", |f| two(f, |l, a, b| high(l, number(a, l), number(b, l))));
pub(super) static MULHU: Helper =
    function("vmulhu", |f| two(f, |l, a, b| ((u128::from(a) * u128::from(b)) >> l.bits()) as u64));
pub(super) static MULHSU: Helper = function("vmulhsu", |f| two(f, |l, a, b| high(l, number(a, l), b.into())));
pub(super) static DIVU: Helper = function("vdivu", |f| two(f, |_, a, b| a.checked_div(b).unwrap_or(u64::MAX)));
pub(super) static REMU: Helper = function("vremu", |f| two(f, |_, a, b| a.checked_rem(b).unwrap_or(a)));
pub(super) static DIV: Helper = function("vdiv", |f| {
    two(f, |l, a, b| number(a, l).checked_div(number(b, l)).map_or(u64::MAX, |v| v as u64));
});
pub(super) static REM: Helper = function("vrem", |f| {
    two(f, |l, a, b| number(a, l).checked_rem(number(b, l)).map_or(a, |v| v as u64));
});

// ---- fixed point ----

/// Operations that round as vxrm says, or saturate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fixed {
    Multiply,
    Shift,
    ShiftSigned,
    Average,
    AverageSigned,
    AverageDifference,
    AverageDifferenceSigned,
    /// To half the width.
    Clip,
    ClipSigned,
}

impl Fixed {
    const ALL: [Fixed; 9] = [
        Fixed::Multiply,
        Fixed::Shift,
        Fixed::ShiftSigned,
        Fixed::Average,
        Fixed::AverageSigned,
        Fixed::AverageDifference,
        Fixed::AverageDifferenceSigned,
        Fixed::Clip,
        Fixed::ClipSigned,
    ];

    fn is_signed(self) -> bool {
        !matches!(self, Fixed::Shift | Fixed::Average | Fixed::AverageDifference | Fixed::Clip)
    }
}

/// `v` shifted right, rounded as vxrm says (chapter 3.8).
fn rounded(v: i128, by: u32, vxrm: u32) -> i128 {
    if by == 0 {
        return v;
    }
    let (half, rest) = (v >> (by - 1) & 1, v & ((1 << (by - 1)) - 1));
    let odd = v >> by & 1;
    let up = match vxrm {
        0 => half,
        1 => half & i128::from(rest != 0 || odd == 1),
        2 => 0,
        _ => i128::from(odd == 0 && (half == 1 || rest != 0)),
    };
    (v >> by) + up
}

/// One lane, before saturation, and the width that it is saturated to.
fn fixed_lane(op: Fixed, lane: Lane, a: u64, b: u64, vxrm: u32) -> (i128, u32) {
    let value = |v: u64| if op.is_signed() { number(v, lane) } else { v.into() };
    let (a, amount, width) = (value(a), b as u32 & (lane.bits() - 1), lane.bits());
    match op {
        Fixed::Multiply => (rounded(a * value(b), width - 1, vxrm), width),
        Fixed::Shift | Fixed::ShiftSigned => (rounded(a, amount, vxrm), width),
        Fixed::Average | Fixed::AverageSigned => (rounded(a + value(b), 1, vxrm), 128),
        Fixed::AverageDifference | Fixed::AverageDifferenceSigned => (rounded(a - value(b), 1, vxrm), 128),
        Fixed::Clip | Fixed::ClipSigned => (rounded(a, amount, vxrm), width / 2),
    }
}

/// Two pieces, the active lanes, and lane, operation and vxrm in bytes. Sets vxsat.
pub(super) static FIXED: Helper =
    Helper { name: "vfixed", run: fixed, touches: Touches::Writes(&[VXSAT]), can_exit: false, pure: false };

fn fixed(f: &mut Frame<'_>) {
    let [a, b, active, control] = f.args;
    let control = control as u32;
    let (lane, op, vxrm) = (Lane::log2(control & 0xff), Fixed::ALL[(control >> 8 & 0xff) as usize], control >> 16);
    let mut saturated = false;
    f.ret = build(lane, |i| {
        let (v, width) = fixed_lane(op, lane, get(a, lane, i), get(b, lane, i), vxrm);
        if width == 128 {
            return v as u64;
        }
        let (least, most) = match op.is_signed() {
            true => (-(1 << (width - 1)), (1 << (width - 1)) - 1),
            false => (0, (1i128 << width) - 1),
        };
        let fits = v.clamp(least, most);
        saturated |= fits != v && get(active, lane, i) != 0;
        fits as u64
    });
    if saturated {
        STATE64.set(f.state, VXSAT, 1);
    }
}

// ---- floating point ----

/// A scalar operation of IR on bits.
pub(super) fn scalar(op: Op, to: Ty, from: Ty, args: [u64; 3], flags: &mut u32) -> u64 {
    let [a, b, c] = args.map(u128::from);
    eval(&op, to, &[from, from, from, Ty::Void], &[a, b, c, 0], flags) as u64
}

/// A function of the lanes of a piece: the piece, the active lanes, and the lane and rounding in bytes.
fn one(frame: &mut Frame<'_>, f: fn(Fmt, Round, u64, &mut u32) -> u64) {
    let (a, active, control) = (frame.args[0], frame.args[1], frame.args[2] as u32);
    let lane = Lane::log2(control & 0xff);
    let round = crate::state::rounding(control >> 8).unwrap_or(Round::NearestEven);
    let mut flags = 0;
    frame.ret = build(lane, |i| {
        // Inactive lanes raise nothing.
        if get(active, lane, i) == 0 { 0 } else { f(format(lane), round, get(a, lane, i), &mut flags) }
    });
    frame.fp_flags = flags;
}

const fn raises(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: false }
}

pub(super) static CLASS: Helper = raises("vfclass", |f| {
    one(f, |fmt, _, v, _| {
        let (e, s) = widths(fmt);
        1 << class(v, e, s)
    });
});

/// VFREC7 (13.10): an estimate of 1 / x to 7 bits.
pub(super) static REC7: Helper = raises("vfrec7", |f| one(f, reciprocal));
/// VFRSQRT7 (13.9): of 1 / sqrt(x).
pub(super) static RSQRT7: Helper = raises("vfrsqrt7", |f| one(f, reciprocal_root));

/// A finite number that is not zero, normalised: sign (in place), exponent, significand without its leading bit.
fn parts(fmt: Fmt, v: u64) -> (u64, i64, u64) {
    let (e, s) = widths(fmt);
    let (sign, exponent, fraction) = (v & 1 << (e + s), (v >> s & ((1 << e) - 1)) as i64, v & ((1 << s) - 1));
    if exponent != 0 {
        return (sign, exponent, fraction);
    }
    let zeros = fraction.leading_zeros() - (64 - s);
    (sign, -i64::from(zeros), fraction << (zeros + 1) & ((1 << s) - 1))
}

/// NaNs, infinities and zeros of both: what they give.
fn special(fmt: Fmt, v: u64, flags: &mut u32) -> Option<u64> {
    let (e, s) = widths(fmt);
    let sign = v & 1 << (e + s);
    let magnitude = v & !sign;
    if magnitude > infinity(fmt) {
        *flags |= if v >> (s - 1) & 1 == 0 { fpflag::INVALID } else { 0 };
        return Some(canonical_nan(fmt));
    }
    match magnitude {
        0 => {
            *flags |= fpflag::DIV_BY_ZERO;
            Some(sign | infinity(fmt))
        }
        m if m == infinity(fmt) => Some(sign),
        _ => None,
    }
}

/// 1 / (1 + (i + 1/2) / 128), as the manual's table has it: 7 bits after the leading one of a half.
fn reciprocal_bits(i: u64) -> u64 {
    // 2^8 * 256 / (257 + 2i), rounded to the nearest.
    let d = 257 + 2 * i;
    (2 * (256 * 256) + d) / (2 * d) - 128
}

fn reciprocal(fmt: Fmt, round: Round, v: u64, flags: &mut u32) -> u64 {
    if let Some(v) = special(fmt, v, flags) {
        return v;
    }
    let (e, s) = widths(fmt);
    let (sign, exponent, fraction) = parts(fmt, v);
    if exponent < -1 {
        // Too large.
        *flags |= fpflag::OVERFLOW | fpflag::INEXACT;
        let most = match round {
            Round::Zero => true,
            Round::Down => sign == 0,
            Round::Up => sign != 0,
            _ => false,
        };
        return sign | (infinity(fmt) - u64::from(most));
    }
    let bits = reciprocal_bits(fraction >> (s - 7)) << (s - 7);
    let bias = (1i64 << (e - 1)) - 1;
    let out = 2 * bias - 1 - exponent;
    if out > 0 {
        return sign | (out as u64) << s | bits;
    }
    // Subnormal.
    sign | (bits >> 1 | 1 << (s - 1)) >> -out
}

fn reciprocal_root(fmt: Fmt, _: Round, v: u64, flags: &mut u32) -> u64 {
    let (e, s) = widths(fmt);
    let negative = v >> (e + s) & 1 == 1;
    let magnitude = v & !(1 << (e + s));
    if negative && magnitude != 0 && magnitude <= infinity(fmt) {
        *flags |= fpflag::INVALID;
        return canonical_nan(fmt);
    }
    if let Some(v) = special(fmt, v, flags) {
        return v;
    }
    let (_, exponent, fraction) = parts(fmt, v);
    let bits = root_bits(exponent & 1 == 0, fraction >> (s - 6)) << (s - 7);
    let bias = (1i64 << (e - 1)) - 1;
    (((3 * bias - 1 - exponent) >> 1) as u64) << s | bits
}

/// 1 / sqrt of 1 + (i + 1/2) / 64, or of twice that: 7 bits after the leading one of a half.
fn root_bits(twice: bool, i: u64) -> u64 {
    // y is the nearest to 256 / sqrt(n / 128): the largest with (2y - 1)^2 * n <= 2^18 * 128.
    let n = (129 + 2 * i) << u32::from(twice);
    let is_below = |y: &u64| (2 * y - 1) * (2 * y - 1) * n <= 1 << 25;
    (128..=256).rev().find(is_below).unwrap_or(128) - 128
}

/// Conversions between an integer and a format where their widths differ: the lanes of the wide one (`lane`) give narrow results in their
/// low bits. Control: lane, rounding, unsigned.
pub(super) static NARROW_TO_INT: Helper = raises("vfncvt_to_int", |f| {
    narrow(f, |lane, round, unsigned, v, flags| {
        let (fmt, bits) = (format(lane), lane.bits() as u8 / 2);
        let (shape, env) = (Shape::scalar(fmt), RISCV.round(round));
        let op = Op::FpToInt { shape, env, signed: !unsigned, bits, fbits: 0, v: Val(0) };
        scalar(op, Ty::I64, fmt.ty(), [v, 0, 0], flags)
    });
});

/// See [`NARROW_TO_INT`].
pub(super) static NARROW_FROM_INT: Helper = raises("vfncvt_from_int", |f| {
    narrow(f, |lane, round, unsigned, v, flags| {
        let fmt = format(Lane::log2(lane as u32 - 1));
        let (shape, env) = (Shape::scalar(fmt), RISCV.round(round));
        let op = Op::FpFromInt { shape, env, signed: !unsigned, fbits: 0, v: Val(0) };
        scalar(op, fmt.ty(), lane.ty(), [v, 0, 0], flags)
    });
});

fn narrow(frame: &mut Frame<'_>, f: fn(Lane, Round, bool, u64, &mut u32) -> u64) {
    let (a, active, control) = (frame.args[0], frame.args[1], frame.args[2] as u32);
    let lane = Lane::log2(control & 0xff);
    let round = crate::state::rounding(control >> 8 & 0xff).unwrap_or(Round::NearestEven);
    let mut flags = 0;
    frame.ret = build(lane, |i| {
        if get(active, lane, i) == 0 { 0 } else { f(lane, round, control >> 16 != 0, get(a, lane, i), &mut flags) }
    });
    frame.fp_flags = flags;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_begin_and_end_as_the_manual_has_them() {
        assert_eq!([0, 1, 2, 5, 6, 127].map(reciprocal_bits), [127, 125, 123, 117, 116, 0]);
        assert_eq!([0, 1, 2, 3, 6].map(|i| root_bits(true, i)), [52, 51, 50, 48, 44]);
        assert_eq!([0, 1, 2, 63].map(|i| root_bits(false, i)), [127, 125, 123, 53]);
    }

    #[test]
    fn rounding_by_vxrm() {
        assert_eq!([0, 1, 2, 3].map(|mode| rounded(6, 2, mode)), [2, 2, 1, 1]);
        assert_eq!([0, 1, 2, 3].map(|mode| rounded(2, 2, mode)), [1, 0, 0, 1]);
        assert_eq!([0, 1, 2, 3].map(|mode| rounded(-2, 2, mode)), [0, 0, -1, -1]);
    }
}
