//! Arm's own rules, by rows worked out from the Arm ARM's pseudocode, and the NaN rules over all corner values.

use super::{corners, expect, fields};
use crate::*;

const I: u8 = 1;
const D: u8 = 2;
const Z: u8 = 4;
const O: u8 = 8;
const U: u8 = 16;
const P: u8 = 32;

const ARM: Env = Env::ARM;
const DN: Env = Env { nan: NanRule::Default, ..ARM };
/// FPCR.FZ or FZ16
const FZ: Env = Env { flush_in: true, flush_out: true, ..ARM };

const ONE: u64 = 0x3f80_0000;
const INF: u64 = 0x7f80_0000;
const NAN: u64 = 0x7fc0_0000;
const NEG: u64 = 0x8000_0000;
const MIN_NORMAL: u64 = 0x0080_0000;
const MAX: u64 = 0x7f7f_ffff;
/// A signalling NaN, and the quiet one it becomes.
const SNAN: u64 = 0x7f80_0001;
const QUIETED: u64 = 0x7fc0_0001;

fn toward(round: Round) -> Env {
    Env { round, ..ARM }
}

/// Runs rows of (environment, operands, result, flags).
fn rows(what: &str, op: impl Fn(&[u64], &mut Env) -> u64, rows: &[(Env, &[u64], u64, u8)]) {
    for &(env, operands, result, flags) in rows {
        let mut used = env;
        let got = op(operands, &mut used);
        expect(what, operands, &env, (got, used.flags.bits()), (result, flags));
    }
}

/// (is a NaN, is signalling)
fn nan_kind(fmt: Fmt, bits: u64) -> (bool, bool) {
    let (exp, frac) = fields(fmt);
    let magnitude = bits & ((1 << (exp + frac)) - 1);
    let infinity = ((1 << exp) - 1) << frac;
    (magnitude > infinity, magnitude > infinity && magnitude >> (frac - 1) & 1 == 0)
}

/// The pseudocode's choice: each signalling NaN in order, then each quiet one.
fn arm_choice(fmt: Fmt, order: &[u64]) -> Option<(u64, u8)> {
    let quiet = 1 << (fields(fmt).1 - 1);
    let signalling = order.iter().find(|&&bits| nan_kind(fmt, bits).1).map(|bits| (bits | quiet, I));
    signalling.or(order.iter().find(|&&bits| nan_kind(fmt, bits).0).map(|&bits| (bits, 0)))
}

fn default_nan(fmt: Fmt) -> u64 {
    let (exp, frac) = fields(fmt);
    ((1 << (exp + 1)) - 1) << (frac - 1)
}

#[test]
fn two_operand_nans() {
    type Op = fn(Fmt, u64, u64, &mut Env) -> u64;
    let ops: [(&str, Op, u64); 9] = [
        ("add", add, 0),
        ("sub", sub, 0),
        ("mul", mul, 0),
        ("div", div, 0),
        ("mulx", mulx, 0),
        ("min", min, 0),
        ("max", max, 0),
        // The steps negate their first operand, NaN or not.
        ("recip_step", recip_step, 1),
        ("rsqrt_step", rsqrt_step, 1),
    ];
    for fmt in [Fmt::F16, Fmt::Bf16, Fmt::F32, Fmt::F64] {
        for (what, op, flip) in ops {
            for a in corners(fmt) {
                for b in corners(fmt) {
                    let Some((result, flags)) = arm_choice(fmt, &[a ^ flip << (fmt.bits() - 1), b]) else { continue };
                    rows(
                        what,
                        |x, env| op(fmt, x[0], x[1], env),
                        &[(ARM, &[a, b], result, flags), (DN, &[a, b], default_nan(fmt), flags)],
                    );
                }
            }
        }
    }
}

#[test]
fn mul_add_nans() {
    let fmt = Fmt::F32;
    let list: Vec<u64> =
        corners(fmt).into_iter().filter(|bits| [0, INF].contains(&(bits & !NEG)) || nan_kind(fmt, *bits).0).collect();
    let sign = |flip: bool| if flip { NEG } else { 0 };
    for negate in [Negate::NONE, Negate::PRODUCT, Negate::ADDEND, Negate::BOTH] {
        for &a in &list {
            for &b in &list {
                for &c in &list {
                    let order = [c ^ sign(negate.addend), a ^ sign(negate.product), b];
                    let Some((mut result, mut flags)) = arm_choice(fmt, &order) else { continue };
                    let factors = [a & !NEG, b & !NEG];
                    let infinity_by_zero = factors == [0, INF] || factors == [INF, 0];
                    if infinity_by_zero && !nan_kind(fmt, c).1 {
                        (result, flags) = (NAN, I);
                    }
                    rows(
                        "mul_add",
                        |x, env| mul_add(fmt, x[0], x[1], x[2], negate, env),
                        &[(ARM, &[a, b, c], result, flags), (DN, &[a, b, c], NAN, flags)],
                    );
                }
            }
        }
    }
}

#[test]
fn invalid_gives_the_positive_nan() {
    rows(
        "sub",
        |x, env| sub(Fmt::F32, x[0], x[1], env),
        &[(ARM, &[INF, INF], NAN, I), (Env::X86, &[INF, INF], NAN | NEG, I)],
    );
    rows("mul", |x, env| mul(Fmt::F32, x[0], x[1], env), &[(ARM, &[INF, 0], NAN, I)]);
    rows("div", |x, env| div(Fmt::F32, x[0], x[1], env), &[(ARM, &[0, NEG], NAN, I), (ARM, &[ONE, NEG], INF | NEG, Z)]);
    rows("sqrt", |x, env| sqrt(Fmt::F32, x[0], env), &[(ARM, &[ONE | NEG], NAN, I), (ARM, &[NEG], NEG, 0)]);
}

#[test]
fn tininess() {
    // The smallest normal less 2^-152: to nearest it is the smallest normal again. Before rounding it is tiny, after
    // rounding with an unbounded exponent it is not.
    let after = Env { tiny: Tininess::AfterRounding, ..ARM };
    let operands: &[u64] = &[0x1a00_0000 | NEG, 0x1980_0000, MIN_NORMAL];
    rows(
        "mul_add",
        |x, env| mul_add(Fmt::F32, x[0], x[1], x[2], Negate::NONE, env),
        &[
            (ARM, operands, MIN_NORMAL, U | P),
            (after, operands, MIN_NORMAL, P),
            (FZ, operands, 0, U),
            (Env { flush_out: true, ..after }, operands, MIN_NORMAL, P),
            (toward(Round::Zero), operands, MIN_NORMAL - 1, U | P),
            (Env { round: Round::Zero, ..after }, operands, MIN_NORMAL - 1, U | P),
        ],
    );
}

#[test]
fn flushing() {
    let half = 0x3f00_0000;
    let x86 = Env { flush_in: true, flush_out: true, ..Env::X86 };
    rows(
        "mul",
        |x, env| mul(Fmt::F32, x[0], x[1], env),
        &[
            // An exact denormal result.
            (ARM, &[MIN_NORMAL, half], MIN_NORMAL / 2, 0),
            (FZ, &[MIN_NORMAL, half], 0, U),
            (x86, &[MIN_NORMAL, half], 0, U | P),
            (FZ, &[MIN_NORMAL | NEG, half], NEG, U),
            // A denormal operand.
            (FZ, &[1 | NEG, ONE], NEG, D),
            (x86, &[1 | NEG, ONE], NEG, 0),
            (FZ, &[1, INF], NAN, D | I),
            (FZ, &[1, SNAN], QUIETED, D | I),
        ],
    );
    rows(
        "mul f16",
        |x, env| mul(Fmt::F16, x[0], x[1], env),
        &[(FZ, &[0x0001, 0x3c00], 0, 0), (FZ, &[0x0400, 0x3800], 0, U)],
    );
    rows("div", |x, env| div(Fmt::F32, x[0], x[1], env), &[(FZ, &[ONE, 1], INF, D | Z)]);
    rows(
        "compare",
        |x, env| compare(Fmt::F32, x[0], x[1], false, env) as u64,
        &[
            (FZ, &[1, NEG | 1], Ordering::Equal as u64, D),
            (ARM, &[1, NEG | 1], Ordering::Greater as u64, 0),
            (ARM, &[0, NEG], Ordering::Equal as u64, 0),
            (ARM, &[NAN, 0], Ordering::Unordered as u64, 0),
            (ARM, &[SNAN, 0], Ordering::Unordered as u64, I),
        ],
    );
    rows(
        "compare signalling",
        |x, env| compare(Fmt::F32, x[0], x[1], true, env) as u64,
        &[(ARM, &[NAN, 0], Ordering::Unordered as u64, I), (ARM, &[ONE | NEG, ONE], Ordering::Less as u64, 0)],
    );
}

#[test]
fn minimum_and_maximum() {
    let f = Fmt::F32;
    rows(
        "min",
        |x, env| min(f, x[0], x[1], env),
        &[
            (ARM, &[0, NEG], NEG, 0),
            (ARM, &[NEG, 0], NEG, 0),
            (ARM, &[ONE, INF | NEG], INF | NEG, 0),
            (ARM, &[1, 2], 1, 0),
            (FZ, &[1 | NEG, 2], NEG, D),
            (ARM, &[NAN, ONE], NAN, 0),
        ],
    );
    rows(
        "max",
        |x, env| max(f, x[0], x[1], env),
        &[
            (ARM, &[0, NEG], 0, 0),
            (ARM, &[NEG, 0], 0, 0),
            (ARM, &[NEG, NEG], NEG, 0),
            (ARM, &[ONE | NEG, MAX | NEG], ONE | NEG, 0),
            (FZ, &[1 | NEG, ONE | NEG], NEG, D),
        ],
    );
    rows(
        "min_num",
        |x, env| min_num(f, x[0], x[1], env),
        &[
            (ARM, &[NAN, ONE], ONE, 0),
            (ARM, &[ONE, NAN], ONE, 0),
            (ARM, &[NAN, INF], INF, 0),
            (ARM, &[NAN | NEG, QUIETED], NAN | NEG, 0),
            (DN, &[NAN | NEG, QUIETED], NAN, 0),
            (ARM, &[SNAN, ONE], QUIETED, I),
            // The quiet one gives way to the signalling one.
            (ARM, &[NAN, SNAN], QUIETED, I),
        ],
    );
    rows(
        "max_num",
        |x, env| max_num(f, x[0], x[1], env),
        &[(ARM, &[NAN, ONE | NEG], ONE | NEG, 0), (ARM, &[INF | NEG, NAN], INF | NEG, 0), (DN, &[SNAN, ONE], NAN, I)],
    );
}

#[test]
fn newton_steps() {
    let f = Fmt::F32;
    let mulx_rows: &[(Env, &[u64], u64, u8)] =
        &[(ARM, &[INF, 0], 0x4000_0000, 0), (ARM, &[NEG, INF], 0xc000_0000, 0), (ARM, &[INF, ONE | NEG], INF | NEG, 0)];
    rows("mulx", |x, env| mulx(f, x[0], x[1], env), mulx_rows);
    rows(
        "recip_step",
        |x, env| recip_step(f, x[0], x[1], env),
        &[
            (ARM, &[INF, 0], 0x4000_0000, 0),
            (ARM, &[INF, ONE], INF | NEG, 0),
            (ARM, &[ONE, ONE], ONE, 0),
            (ARM, &[0x4000_0000, ONE], 0, 0),
            (toward(Round::Down), &[0x4000_0000, ONE], NEG, 0),
            (ARM, &[0, ONE], 0x4000_0000, 0),
            // 2 - (1 + 2^-23)^2 = 1 - 2^-22 - 2^-46, fused.
            (ARM, &[ONE + 1, ONE + 1], 0x3f7f_fffc, P),
            (toward(Round::Down), &[ONE + 1, ONE + 1], 0x3f7f_fffb, P),
        ],
    );
    rows(
        "rsqrt_step",
        |x, env| rsqrt_step(f, x[0], x[1], env),
        &[
            (ARM, &[NEG, INF], 0x3fc0_0000, 0),
            (ARM, &[INF, ONE | NEG], INF, 0),
            (ARM, &[ONE, ONE], ONE, 0),
            (ARM, &[0x4040_0000, ONE], 0, 0),
            (ARM, &[0, NEG], 0x3fc0_0000, 0),
            // Halved before it is rounded: the largest number squared overflows, this does not.
            (ARM, &[MAX, 0x4000_0000], MAX | NEG, P),
        ],
    );
    rows(
        "recip_step_chained",
        |x, env| recip_step_chained(f, x[0], x[1], env),
        &[
            (ARM, &[INF, 0], 0x4000_0000, 0),
            (ARM, &[INF, ONE], INF | NEG, 0),
            (ARM, &[NAN | NEG, ONE], NAN | NEG, 0),
            // The product is rounded to 1 + 2^-22 first.
            (toward(Round::Down), &[ONE + 1, ONE + 1], 0x3f7f_fffc, P),
        ],
    );
    rows(
        "rsqrt_step_chained",
        |x, env| rsqrt_step_chained(f, x[0], x[1], env),
        &[
            (ARM, &[INF, NEG], 0x3fc0_0000, 0),
            (ARM, &[INF, ONE], INF | NEG, 0),
            (ARM, &[ONE, ONE], ONE, 0),
            (ARM, &[MAX, 0x4000_0000], INF | NEG, O | P),
        ],
    );
}

#[test]
fn estimates() {
    let f = Fmt::F32;
    rows(
        "recip_estimate",
        |x, env| recip_estimate(f, x[0], env),
        &[
            (ARM, &[ONE], 0x3f7f_8000, 0),
            (ARM, &[0x4000_0000], 0x3eff_8000, 0),
            (ARM, &[0x4040_0000], 0x3eaa_8000, 0),
            (ARM, &[ONE | NEG], 0xbf7f_8000, 0),
            (ARM, &[NEG], INF | NEG, Z),
            (ARM, &[INF | NEG], NEG, 0),
            (ARM, &[SNAN], QUIETED, I),
            // Below 2^-128 the reciprocal overflows, in the rounding direction.
            (ARM, &[0x001f_ffff], INF, O | P),
            (toward(Round::Zero), &[0x001f_ffff], MAX, O | P),
            (toward(Round::Up), &[0x801f_ffff], MAX | NEG, O | P),
            (toward(Round::Down), &[0x801f_ffff], INF | NEG, O | P),
            (ARM, &[0x0020_0000], 0x7f7f_8000, 0),
            (ARM, &[0x0040_0000], 0x7eff_8000, 0),
            // Denormal results, unflagged.
            (ARM, &[0x7e80_0000], 0x007f_c000, 0),
            (ARM, &[0x7f00_0000], 0x003f_e000, 0),
            (FZ, &[0x7e80_0000], 0, U),
            (FZ, &[0x7e7f_ffff], 0x0080_0000, 0),
            (FZ, &[0x0020_0000], INF, D | Z),
        ],
    );
    rows(
        "rsqrt_estimate",
        |x, env| rsqrt_estimate(f, x[0], env),
        &[
            (ARM, &[ONE], 0x3f7f_8000, 0),
            (ARM, &[0x4000_0000], 0x3f34_8000, 0),
            (ARM, &[0], INF, Z),
            (ARM, &[NEG], INF | NEG, Z),
            (ARM, &[ONE | NEG], NAN, I),
            (ARM, &[INF | NEG], NAN, I),
            (ARM, &[INF], 0, 0),
            // The smallest denormal, 2^-149: as 2 times 2^-150.
            (ARM, &[1], 0x64b4_8000, 0),
            (FZ, &[1], INF, D | Z),
        ],
    );
    rows(
        "recip_exponent",
        |x, env| recip_exponent(f, x[0], env),
        &[
            (ARM, &[ONE], 0x4000_0000, 0),
            (ARM, &[0], 0x7f00_0000, 0),
            (ARM, &[1 | NEG], 0xff00_0000, 0),
            (FZ, &[1 | NEG], 0xff00_0000, D),
            (ARM, &[INF], 0, 0),
            (ARM, &[SNAN], QUIETED, I),
            (DN, &[QUIETED], NAN, 0),
        ],
    );
    assert_eq!(recip_estimate(Fmt::F16, 0x3c00, &mut { ARM }), 0x3bfc);
    assert_eq!(rsqrt_estimate(Fmt::F64, 0x3ff0 << 48, &mut { ARM }), 0x3fef_f000_0000_0000);
}

/// The integer estimates, by the manual's loops.
#[test]
fn unsigned_estimates() {
    assert_eq!(unsigned_recip_estimate(0x7fff_ffff), u32::MAX);
    assert_eq!(unsigned_rsqrt_estimate(0x3fff_ffff), u32::MAX);
    for a in 128..512u32 {
        let low_bits = a.wrapping_mul(0x9e37_79b9) >> 9;
        if a >= 256 {
            let reciprocal = ((1 << 19) / (2 * a + 1)).div_ceil(2);
            assert_eq!(unsigned_recip_estimate(a << 23 | low_bits), reciprocal << 23);
        }
        let scaled = if a < 256 { 2 * a + 1 } else { 2 * ((a >> 1 << 1) + 1) } as u64;
        let mut root = 512u64;
        while scaled * (root + 1) * (root + 1) < 1 << 28 {
            root += 1;
        }
        assert_eq!(unsigned_rsqrt_estimate(a << 23 | low_bits), (root as u32).div_ceil(2) << 23);
    }
}

#[test]
fn alternative_half() {
    let ahp = Env { alt_half: true, ..ARM };
    rows(
        "f32 to f16",
        |x, env| convert(Fmt::F32, Fmt::F16, x[0], env),
        &[
            (ahp, &[NAN | NEG], 0x8000, I),
            (ahp, &[SNAN], 0, I),
            (ahp, &[INF | NEG], 0xffff, I),
            // 65536 and the largest, 131008; what rounds above it saturates and is not inexact.
            (ahp, &[0x4780_0000], 0x7c00, 0),
            (ahp, &[0x47ff_e000], 0x7fff, 0),
            (ahp, &[0x47ff_efff], 0x7fff, P),
            (ahp, &[0x47ff_f000], 0x7fff, I),
            (ARM, &[0x4780_0000], 0x7c00, O | P),
            (ahp, &[0x3300_0001], 0x0001, U | P),
        ],
    );
    rows(
        "f16 to f32",
        |x, env| convert(Fmt::F16, Fmt::F32, x[0], env),
        &[(ahp, &[0x7c01], 0x4780_2000, 0), (ARM, &[0x7c01], 0x7fc0_2000, I)],
    );
    // Arithmetic knows nothing of it.
    assert_eq!(add(Fmt::F16, 0x7c00, 0x3c00, &mut { ahp }), 0x7c00);
}

#[test]
fn conversions() {
    rows(
        "f64 to f32",
        |x, env| convert(Fmt::F64, Fmt::F32, x[0], env),
        &[
            (ARM, &[0x7ff0_0000_2000_0000], QUIETED, I),
            (DN, &[0xfff0_0000_2000_0000], NAN, I),
            (ARM, &[0xfff8_0000_0000_0001], NAN | NEG, 0),
            // FCVTXN
            (toward(Round::Odd), &[0x3ff0_0000_0000_0001], ONE + 1, P),
            (toward(Round::Odd), &[0x7fef_ffff_ffff_ffff], MAX, O | P),
            (toward(Round::Odd), &[0x0000_0000_0000_0001], 1, U | P),
            (toward(Round::Odd), &[0x3ff0_0000_3000_0000], ONE + 1, P),
            (FZ, &[0x8000_0000_0000_0001], NEG, D),
            (FZ, &[0x3800_0000_0000_0000 - 1], 0, U),
        ],
    );
    rows(
        "f32 to f16",
        |x, env| convert(Fmt::F32, Fmt::F16, x[0], env),
        &[
            // FZ flushes the f32, never the f16.
            (FZ, &[1], 0, D),
            (FZ, &[0x3380_0000], 0x0001, 0),
        ],
    );
    rows(
        "f16 to f32",
        |x, env| convert(Fmt::F16, Fmt::F32, x[0], env),
        &[(FZ, &[0x0001], 0x3380_0000, 0), (ARM, &[0xfd00], 0xffe0_0000, I)],
    );
    rows(
        "f32 to bf16",
        |x, env| convert(Fmt::F32, Fmt::Bf16, x[0], env),
        &[
            (ARM, &[0x3f80_8000], 0x3f80, P),
            (ARM, &[0x3f81_8000], 0x3f82, P),
            (ARM, &[0x3f80_8001], 0x3f81, P),
            (ARM, &[MAX], 0x7f80, O | P),
            (toward(Round::Zero), &[MAX], 0x7f7f, P),
            (ARM, &[SNAN], 0x7fc0, I),
            (ARM, &[0x0000_8001], 0x0001, U | P),
            (FZ, &[0x0000_8001], 0, D),
            (DN, &[0xffff_0000], 0x7fc0, 0),
        ],
    );
}

#[test]
fn to_integers() {
    let f = Fmt::F32;
    let half = 0x3f00_0000;
    rows(
        "FCVTZS w",
        |x, env| to_int(f, x[0], Int::I32, 0, Round::Zero, env),
        &[
            (ARM, &[NAN], 0, I),
            (ARM, &[INF], 0x7fff_ffff, I),
            (ARM, &[INF | NEG], 0x8000_0000, I),
            (ARM, &[0xcf00_0000], 0x8000_0000, 0),
            (ARM, &[0x4f00_0000], 0x7fff_ffff, I),
            (ARM, &[half | NEG], 0, P),
            (FZ, &[1], 0, D),
            (ARM, &[1], 0, P),
        ],
    );
    rows(
        "FCVTZU h",
        |x, env| to_int(f, x[0], Int::U16, 0, Round::Zero, env),
        &[
            (ARM, &[half | NEG], 0, P),
            (ARM, &[ONE | NEG], 0, I),
            (ARM, &[0x477f_ff80], 0xffff, P),
            (ARM, &[0x4780_0000], 0xffff, I),
            (ARM, &[MAX], 0xffff, I),
        ],
    );
    rows(
        "FCVTAS x",
        |x, env| to_int(f, x[0], Int::I64, 0, Round::NearestAway, env),
        &[
            (ARM, &[half], 1, P),
            (ARM, &[half - 1], 0, P),
            (ARM, &[half | NEG], u64::MAX, P),
            (ARM, &[0x4020_0000], 3, P),
        ],
    );
    rows(
        "FCVTZS w, #8",
        |x, env| to_int(f, x[0], Int::I32, 8, Round::Zero, env),
        &[(ARM, &[0xbfc0_0000], 0xffff_fe80, 0), (ARM, &[0x4b00_0000], 0x7fff_ffff, I)],
    );
    rows(
        "SCVTF w, #31",
        |x, env| from_int(f, x[0], Int::I32, 31, env),
        &[(ARM, &[NEG], ONE | NEG, 0), (ARM, &[0], 0, 0), (ARM, &[0x7fff_ffff], ONE, P)],
    );
    rows(
        "SCVTF h, #16",
        |x, env| from_int(Fmt::F16, x[0], Int::U16, 16, env),
        &[(ARM, &[1], 0x0100, 0), (FZ, &[1], 0, U), (FZ, &[4], 0x0400, 0)],
    );
}

#[test]
fn javascript_integers() {
    let row = |env: Env, bits: u64, wanted: (u32, bool), flags: u8| {
        let mut used = env;
        assert_eq!((to_int_js(bits, &mut used), used.flags), (wanted, Flags(flags)), "{bits:x}");
    };
    row(ARM, 0, (0, true), 0);
    row(ARM, 1 << 63, (0, false), 0);
    row(ARM, (-2.0f64).to_bits(), (-2i32 as u32, true), 0);
    row(ARM, 1.5f64.to_bits(), (1, false), P);
    row(ARM, (-0.5f64).to_bits(), (0, false), P);
    row(ARM, 2147483647.0f64.to_bits(), (0x7fff_ffff, true), 0);
    row(ARM, (-2147483648.0f64).to_bits(), (0x8000_0000, true), 0);
    row(ARM, 2147483648.0f64.to_bits(), (0x8000_0000, false), I);
    row(ARM, 4294967301.75f64.to_bits(), (5, false), I);
    row(ARM, (-4294967301.75f64).to_bits(), (-5i32 as u32, false), I);
    row(ARM, (2f64.powi(83) + 2f64.powi(31)).to_bits(), (1 << 31, false), I);
    row(ARM, 2f64.powi(200).to_bits(), (0, false), I);
    row(ARM, f64::INFINITY.to_bits(), (0, false), I);
    row(ARM, 0x7ff8 << 48, (0, false), I);
    row(FZ, 1, (0, false), D);
    row(ARM, 1, (0, false), P);
}

#[test]
fn integral_values() {
    let f = Fmt::F32;
    rows(
        "FRINTA",
        |x, env| round_to_int(f, x[0], Round::NearestAway, false, env),
        &[
            (ARM, &[0x3f00_0000], ONE, 0),
            (ARM, &[0xbeff_ffff], NEG, 0),
            (ARM, &[0x4020_0000], 0x4040_0000, 0),
            (ARM, &[SNAN], QUIETED, I),
            (ARM, &[MAX], MAX, 0),
            (FZ, &[1], 0, D),
        ],
    );
    rows(
        "FRINTX",
        |x, env| round_to_int(f, x[0], env.round, true, env),
        &[(ARM, &[0x3f00_0000], 0, P), (ARM, &[1 | NEG], NEG, P), (ARM, &[ONE], ONE, 0)],
    );
    rows(
        "FRINT32Z",
        |x, env| round_int_32(f, x[0], Round::Zero, env),
        &[
            (ARM, &[NAN], 0xcf00_0000, I),
            (ARM, &[INF], 0xcf00_0000, I),
            (ARM, &[0x4f00_0000], 0xcf00_0000, I),
            (ARM, &[0xcf00_0000], 0xcf00_0000, 0),
            (ARM, &[0xcf00_0001], 0xcf00_0000, I),
            (ARM, &[0xbf00_0000], NEG, P),
        ],
    );
    rows(
        "FRINT64Z",
        |x, env| round_int_64(f, x[0], Round::Zero, env),
        &[(ARM, &[0x4f00_0000], 0x4f00_0000, 0), (ARM, &[0x5f00_0000], 0xdf00_0000, I)],
    );
    let d = |bits: u64, env: &mut Env| round_int_32(Fmt::F64, bits, Round::NearestEven, env);
    rows(
        "FRINT32X d",
        |x, env| d(x[0], env),
        &[
            (ARM, &[2147483647.5f64.to_bits()], (-2147483648f64).to_bits(), I),
            (ARM, &[(-2147483648.5f64).to_bits()], (-2147483648f64).to_bits(), P),
            (ARM, &[2147483646.5f64.to_bits()], 2147483646f64.to_bits(), P),
        ],
    );
}
