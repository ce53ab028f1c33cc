//! Estimates of reciprocals and of reciprocal square roots (RCPPS, RSQRTPS): relative errors are below 1.5 * 2^-12, as the manual demands; how they
//! come about is each maker's own affair. They raise no exceptions and look at none of MXCSR.

use super::Cx;
use super::sse_float::{PS, SS};
use crate::insn::rows;
use iced_x86::Instruction;
use ir::{Frame, Helper, Shape, Touches, Ty};

rows! {
    Rcpps, Vrcpps => estimate(&RECIPROCAL, PS);
    Rcpss, Vrcpss => estimate(&RECIPROCAL, SS);
    Rsqrtps, Vrsqrtps => estimate(&RECIPROCAL_ROOT, PS);
    Rsqrtss, Vrsqrtss => estimate(&RECIPROCAL_ROOT, SS);
}

static RECIPROCAL: Helper = lanes("reciprocal_estimate", |f| each(f, reciprocal));
static RECIPROCAL_ROOT: Helper = lanes("reciprocal_root_estimate", |f| each(f, reciprocal_root));

const fn lanes(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: true }
}

fn each(f: &mut Frame<'_>, of: fn(u32) -> u32) {
    let lane = |n: u32| u128::from(of((f.args[0] >> (32 * n)) as u32)) << (32 * n);
    f.ret = (0..4).map(lane).sum();
}

fn estimate(cx: &mut Cx, i: &Instruction, helper: &'static Helper, shape: Shape) {
    if shape.lanes > 0 {
        let v = cx.source(i, 16);
        let v = cx.b.call(helper, Ty::V128, &[v]);
        return cx.set_vector(i, v);
    }
    let v = cx.source(i, 4);
    let v = cx.b.call(helper, Ty::V128, &[v]);
    let v = cx.b.vget(Ty::F32, v, 0);
    cx.set_fp(i, shape, v);
}

const SIGN: u32 = 1 << 31;
const INFINITY: u32 = 0xff << 23;
const QUIET: u32 = 1 << 22;
/// The default NaN.
const NAN: u32 = SIGN | INFINITY | QUIET;

/// Sign, exponent and significand of a normal number, or what the estimate of any other is: subnormal ones count as zeros.
fn parts(v: u32, of_infinity: u32) -> Result<(u32, i32, u64), u32> {
    let (sign, exponent, fraction) = (v & SIGN, v >> 23 & 0xff, v & 0x7f_ffff);
    match exponent {
        0 => Err(sign | INFINITY),
        0xff if fraction != 0 => Err(v | QUIET),
        0xff => Err(of_infinity),
        _ => Ok((sign, exponent as i32 - 127 - 23, u64::from(fraction | 1 << 23))),
    }
}

/// `v` * 2^`exponent`, rounded to 13 bits; zero if it is not normal.
fn rounded(sign: u32, v: u64, exponent: i32) -> u32 {
    let extra = v.ilog2() as i32 - 12;
    let v = (v + (1 << (extra - 1))) >> extra;
    let (v, exponent) = if v == 1 << 13 { (1 << 12, exponent + 1) } else { (v, exponent) };
    let biased = exponent + extra + 12 + 127;
    if biased <= 0 { sign } else { sign | (biased as u32) << 23 | ((v as u32) << 11 & 0x7f_ffff) }
}

// Helpers run under the guest's MXCSR and compute in integers.
fn reciprocal(v: u32) -> u32 {
    match parts(v, v & SIGN) {
        Ok((sign, exponent, m)) => rounded(sign, (1 << 60) / m, -60 - exponent),
        Err(v) => v,
    }
}

fn reciprocal_root(v: u32) -> u32 {
    match parts(v, 0) {
        _ if v == SIGN | INFINITY => NAN,
        Ok((SIGN, ..)) => NAN,
        Ok((sign, exponent, m)) => {
            let odd = exponent & 1;
            rounded(sign, ((1u64 << 62) / (m << odd)).isqrt(), -31 - (exponent - odd) / 2)
        }
        Err(v) => v,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_as_near_as_the_manual_demands() {
        let mut v = 0x0080_0000u32;
        while v < 0x7e00_0000 {
            let x = f64::from(f32::from_bits(v));
            for (estimate, exact) in [(reciprocal(v), 1.0 / x), (reciprocal_root(v), 1.0 / x.sqrt())] {
                let error = (f64::from(f32::from_bits(estimate)) / exact - 1.0).abs();
                assert!(error < 1.5 / 4096.0, "{v:x}: {estimate:x}");
            }
            v += 0x0001_2345;
        }
    }

    #[test]
    fn numbers_that_are_not_normal() {
        let one = 1.0f32.to_bits();
        assert_eq!(
            [reciprocal(one), reciprocal_root(one), reciprocal_root(4.0f32.to_bits())],
            [one, one, 0.5f32.to_bits()]
        );
        assert_eq!(
            [reciprocal(0), reciprocal(SIGN | 1), reciprocal(SIGN | INFINITY)],
            [INFINITY, SIGN | INFINITY, SIGN]
        );
        assert_eq!(reciprocal(INFINITY | 1), INFINITY | QUIET | 1);
        assert_eq!(reciprocal(0x7f00_0000), 0);
        assert_eq!(
            [reciprocal_root(SIGN), reciprocal_root(SIGN | one), reciprocal_root(INFINITY)],
            [SIGN | INFINITY, NAN, 0]
        );
    }
}
