//! Between floating point and integers or fixed point (Arm: FPToFixed, FPToFixedJS, FixedToFP), and rounding to an
//! integral value (Arm: FPRoundInt, FPRoundIntN).

use crate::env::{Env, Flags, NanRule, Round};
use crate::format::{F64, Fmt, Format, dispatch};
use crate::nan::propagate;
use crate::pack::{Class, Value, round_at, round_pack, unpack};

/// An integer type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Int {
    /// Width, 8 to 64.
    pub bits: u32,
    /// Two's complement.
    pub signed: bool,
}

impl Int {
    /// Signed, 16 bits.
    pub const I16: Int = Int { bits: 16, signed: true };
    /// Signed, 32 bits.
    pub const I32: Int = Int { bits: 32, signed: true };
    /// Signed, 64 bits.
    pub const I64: Int = Int { bits: 64, signed: true };
    /// Unsigned, 16 bits.
    pub const U16: Int = Int { bits: 16, signed: false };
    /// Unsigned, 32 bits.
    pub const U32: Int = Int { bits: 32, signed: false };
    /// Unsigned, 64 bits.
    pub const U64: Int = Int { bits: 64, signed: false };

    /// The low `bits` bits.
    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// The largest magnitude of a number of that sign.
    fn limit(self, negative: bool) -> u128 {
        match (self.signed, negative) {
            (true, true) => 1 << (self.bits - 1),
            (true, false) => (1 << (self.bits - 1)) - 1,
            (false, true) => 0,
            (false, false) => self.mask() as u128,
        }
    }

    /// The pattern of `-magnitude` or `magnitude`.
    fn pattern(self, negative: bool, magnitude: u128) -> u64 {
        (if negative { magnitude.wrapping_neg() } else { magnitude }) as u64 & self.mask()
    }

    /// x86's integer indefinite value.
    fn indefinite(self) -> u64 {
        if self.signed { 1 << (self.bits - 1) } else { self.mask() }
    }
}

/// `a * 2^fbits` as an integer, rounded in the direction `round`; zero-extended to 64 bits.
///
/// What does not fit is invalid and saturates, a NaN to zero (FCVTZS and relatives); under [`NanRule::X86`] it gives the
/// integer indefinite value, under [`NanRule::RiscV`] a NaN gives the largest.
pub fn to_int(fmt: Fmt, a: u64, int: Int, fbits: u32, round: Round, env: &mut Env) -> u64 {
    dispatch!(fmt, to_int_body[a](int, fbits, round, env))
}

/// FJCVTZS: an f64 to a 32-bit integer modulo 2^32, towards zero; and Arm's Z flag: the conversion was exact.
pub fn to_int_js(a: u64, env: &mut Env) -> (u32, bool) {
    let bits = a as u128;
    let a = unpack::<F64>(bits, env);
    match a.class {
        // A flushed denormal and negative zero are not the integer zero.
        Class::Zero => return (0, a.bits == 0),
        Class::Finite => {}
        Class::Infinity | Class::Quiet | Class::Signalling => {
            env.raise(Flags::INVALID);
            return (0, false);
        }
    }
    let (magnitude, inexact) = match integral(a.value, Round::Zero) {
        Integral::Magnitude(magnitude, inexact) => (magnitude, inexact),
        // Beyond 2^127 an f64 is a multiple of 2^32.
        Integral::Huge => (1 << 127, false),
    };
    let value = Int::U32.pattern(a.sign(), magnitude) as u32;
    if magnitude > Int::I32.limit(a.sign()) {
        env.raise(Flags::INVALID);
        return (value, false);
    }
    if inexact {
        env.raise(Flags::INEXACT);
    }
    (value, !inexact)
}

/// The integer in the low `int.bits` bits of `value`, divided by `2^fbits`, rounded with `env.round` (SCVTF, UCVTF).
pub fn from_int(fmt: Fmt, value: u64, int: Int, fbits: u32, env: &mut Env) -> u64 {
    dispatch!(fmt, from_int_body[](value, int, fbits, env)) as u64
}

/// `a` as an integral number, rounded in the direction `round`; `exact` raises `INEXACT` if that changed it (FRINTX).
pub fn round_to_int(fmt: Fmt, a: u64, round: Round, exact: bool, env: &mut Env) -> u64 {
    dispatch!(fmt, round_to_int_body[a](round, exact, env)) as u64
}

/// `a` as an integral number that fits a signed 32-bit integer, else -2^31 and invalid (FRINT32Z, FRINT32X). f32 and
/// f64 only.
pub fn round_int_32(fmt: Fmt, a: u64, round: Round, env: &mut Env) -> u64 {
    dispatch!(fmt, round_int_body[a](Int::I32, round, env)) as u64
}

/// `a` as an integral number that fits a signed 64-bit integer, else -2^63 and invalid (FRINT64Z, FRINT64X). f32 and
/// f64 only.
pub fn round_int_64(fmt: Fmt, a: u64, round: Round, env: &mut Env) -> u64 {
    dispatch!(fmt, round_int_body[a](Int::I64, round, env)) as u64
}

/// A value rounded to an integer.
enum Integral {
    /// Its magnitude, and whether rounding changed it.
    Magnitude(u128, bool),
    /// At least 2^127, and an integer already.
    Huge,
}

fn integral(value: Value, round: Round) -> Integral {
    if value.exp >= 127 {
        return Integral::Huge;
    }
    // Anything below a quarter rounds like 2^-3.
    let drop = (127 - value.exp.max(-3)) as u32;
    let (magnitude, inexact) = round_at(value.sig, drop, value.sign, round);
    Integral::Magnitude(magnitude, inexact)
}

fn to_int_body<F: Format>(a: u128, int: Int, fbits: u32, round: Round, env: &mut Env) -> u64 {
    let a = unpack::<F>(a, env);
    let out_of_range = |saturated: u64, env: &mut Env| {
        env.raise(Flags::INVALID);
        if env.nan == NanRule::X86 { int.indefinite() } else { saturated }
    };
    let saturated = int.pattern(a.sign(), int.limit(a.sign()));
    match a.class {
        Class::Zero => return 0,
        Class::Quiet | Class::Signalling if env.nan == NanRule::RiscV => {
            return out_of_range(int.pattern(false, int.limit(false)), env);
        }
        Class::Quiet | Class::Signalling => return out_of_range(0, env),
        Class::Infinity => return out_of_range(saturated, env),
        Class::Finite => {}
    }
    match integral(Value { exp: a.value.exp + fbits as i32, ..a.value }, round) {
        Integral::Magnitude(magnitude, inexact) if magnitude <= int.limit(a.sign()) => {
            if inexact {
                env.raise(Flags::INEXACT);
            }
            int.pattern(a.sign(), magnitude)
        }
        _ => out_of_range(saturated, env),
    }
}

fn from_int_body<F: Format>(value: u64, int: Int, fbits: u32, env: &mut Env) -> u128 {
    let value = value & int.mask();
    let sign = int.signed && value >> (int.bits - 1) == 1;
    let magnitude = if sign { (value.wrapping_neg() & int.mask()) as u128 } else { value as u128 };
    if magnitude == 0 {
        return F::zero(false);
    }
    let shift = magnitude.leading_zeros();
    round_pack::<F>(Value { sign, exp: 127 - shift as i32 - fbits as i32, sig: magnitude << shift }, env)
}

fn round_to_int_body<F: Format>(a: u128, round: Round, exact: bool, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    if let Some(nan) = propagate::<F, 1>([&a], env) {
        return nan;
    }
    match a.class {
        Class::Zero => return F::zero(a.sign()),
        Class::Finite => {}
        _ => return a.bits,
    }
    match integral(a.value, round) {
        Integral::Huge => a.bits,
        Integral::Magnitude(magnitude, inexact) => {
            if inexact && exact {
                env.raise(Flags::INEXACT);
            }
            exact_integer::<F>(a.sign(), magnitude, env)
        }
    }
}

fn round_int_body<F: Format>(a: u128, int: Int, round: Round, env: &mut Env) -> u128 {
    let a = unpack::<F>(a, env);
    match a.class {
        Class::Zero => return F::zero(a.sign()),
        Class::Finite => {
            if let Integral::Magnitude(magnitude, inexact) = integral(a.value, round)
                && magnitude <= int.limit(a.sign())
            {
                if inexact {
                    env.raise(Flags::INEXACT);
                }
                return exact_integer::<F>(a.sign(), magnitude, env);
            }
        }
        _ => {}
    }
    env.raise(Flags::INVALID);
    round_pack::<F>(Value { sign: true, exp: int.bits as i32 - 1, sig: 1 << 127 }, env)
}

/// An integer that the format holds exactly. A zero takes the operand's sign.
fn exact_integer<F: Format>(sign: bool, magnitude: u128, env: &mut Env) -> u128 {
    if magnitude == 0 {
        return F::zero(sign);
    }
    let shift = magnitude.leading_zeros();
    round_pack::<F>(Value { sign, exp: 127 - shift as i32, sig: magnitude << shift }, env)
}
