//! Between raw bits and numbers: `unpack`, and `round_pack` with all there is to say about overflow, underflow and
//! flushing. Which NaN comes out is `nan.rs`.

use crate::env::{Env, Flags, NanRule, Round, Tininess};
use crate::format::Format;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Zero,
    Finite,
    Infinity,
    Quiet,
    Signalling,
}

/// A finite non-zero value: `sig` has its leading one at bit 127 and stands for `sig / 2^127 * 2^exp`. Bit 0 may be a
/// jam bit: something non-zero lies below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Value {
    pub(crate) sign: bool,
    pub(crate) exp: i32,
    pub(crate) sig: u128,
}

/// An unpacked operand. `value.exp` and `value.sig` mean something for `Class::Finite` only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Operand {
    pub(crate) class: Class,
    pub(crate) value: Value,
    /// The raw bits, without what lay above the format's width.
    pub(crate) bits: u128,
    /// A denormal that was not flushed.
    pub(crate) denormal: bool,
}

impl Operand {
    pub(crate) fn sign(&self) -> bool {
        self.value.sign
    }
    pub(crate) fn is_nan(&self) -> bool {
        matches!(self.class, Class::Quiet | Class::Signalling)
    }
    pub(crate) fn is_infinity(&self) -> bool {
        self.class == Class::Infinity
    }
    pub(crate) fn is_zero(&self) -> bool {
        self.class == Class::Zero
    }
}

/// Takes raw bits apart; flushes a denormal if `env` says so.
pub(crate) fn unpack<F: Format>(bits: u128, env: &mut Env) -> Operand {
    let bits = bits & ((1 << (F::SIGN + 1)) - 1);
    let sign = bits >> F::SIGN & 1 == 1;
    let field = (bits >> F::FRAC) as u32 & F::EXP_MASK;
    let frac = bits & F::FRAC_MASK;
    let make = |class, exp, sig, denormal| Operand { class, value: Value { sign, exp, sig }, bits, denormal };

    if field == 0 {
        if frac == 0 {
            return make(Class::Zero, 0, 0, false);
        }
        if env.flush_in {
            if env.nan != NanRule::X86 && !F::HALF {
                env.raise(Flags::INPUT_DENORMAL);
            }
            return make(Class::Zero, 0, 0, false);
        }
        let shift = frac.leading_zeros();
        let exp = F::E_MIN - (shift as i32 - (127 - F::FRAC as i32));
        return make(Class::Finite, exp, frac << shift, true);
    }
    if field == F::EXP_MASK && !F::ALT {
        let class = match frac {
            0 => Class::Infinity,
            _ if frac & F::QUIET != 0 => Class::Quiet,
            _ => Class::Signalling,
        };
        return make(class, 0, 0, false);
    }
    make(Class::Finite, field as i32 - F::BIAS, 1 << 127 | frac << (127 - F::FRAC), false)
}

/// Shifts right; bits that fall out are jammed into bit 0.
pub(crate) fn shift_right_jam(sig: u128, count: u32) -> u128 {
    match count {
        0 => sig,
        1..=127 => sig >> count | (sig << (128 - count) != 0) as u128,
        _ => (sig != 0) as u128,
    }
}

/// Drops the low `drop` bits of `sig`, rounding the rest; also says whether anything was lost.
pub(crate) fn round_at(sig: u128, drop: u32, sign: bool, round: Round) -> (u128, bool) {
    // Jamming leaves the comparison with one half intact while two bits remain below the point.
    let (sig, drop) = if drop > 126 { (shift_right_jam(sig, drop - 126), 126) } else { (sig, drop) };
    let kept = sig >> drop;
    let rest = sig & ((1 << drop) - 1);
    if rest == 0 {
        return (kept, false);
    }
    let half = 1u128 << (drop - 1);
    let up = match round {
        Round::NearestEven => rest > half || rest == half && kept & 1 == 1,
        Round::NearestAway => rest >= half,
        Round::Up => !sign,
        Round::Down => sign,
        Round::Zero => false,
        Round::Odd => kept & 1 == 0,
    };
    (kept + up as u128, true)
}

/// Rounds a value to the format with `env.round`.
pub(crate) fn round_pack<F: Format>(value: Value, env: &mut Env) -> u128 {
    debug_assert!(value.sig >> 127 == 1, "a significand without its leading one");
    if value.exp < F::E_MIN {
        return round_pack_small::<F>(value, env);
    }
    let (kept, inexact) = round_at(value.sig, 127 - F::FRAC, value.sign, env.round);
    let carry = kept >> (F::FRAC + 1) != 0;
    if value.exp + carry as i32 > F::E_MAX {
        return overflow::<F>(value.sign, inexact, env);
    }
    if inexact {
        env.raise(Flags::INEXACT);
    }
    // The leading one adds 1 to the exponent field, a carry one more and leaves a zero fraction.
    F::zero(value.sign) | ((((value.exp - F::E_MIN) as u128) << F::FRAC) + kept)
}

/// Below the normal range, before rounding (Arm: FPRoundBase; x86: SDM vol. 1, 4.9.1.5 and 10.2.3.3).
fn round_pack_small<F: Format>(value: Value, env: &mut Env) -> u128 {
    let (unbounded, inexact) = round_at(value.sig, 127 - F::FRAC, value.sign, env.round);
    let tiny = match env.tiny {
        Tininess::BeforeRounding => true,
        Tininess::AfterRounding => value.exp < F::E_MIN - 1 || unbounded >> (F::FRAC + 1) == 0,
    };
    if tiny && env.unmasked {
        env.raise(if inexact { Flags::TINY | Flags::INEXACT } else { Flags::TINY });
    }
    if tiny && env.flush_out {
        env.raise(match env.tiny {
            _ if env.unmasked => Flags::LOST,
            Tininess::BeforeRounding => Flags::UNDERFLOW,
            Tininess::AfterRounding => Flags::UNDERFLOW | Flags::INEXACT,
        });
        return F::zero(value.sign);
    }
    let drop = (F::E_MIN - value.exp) as u32 + 127 - F::FRAC;
    let (kept, inexact) = round_at(value.sig, drop, value.sign, env.round);
    if inexact {
        env.raise(match tiny {
            true if env.unmasked => Flags::LOST,
            true => Flags::INEXACT | Flags::UNDERFLOW,
            false => Flags::INEXACT,
        });
    }
    // A carry into the implicit bit is the exponent field 1: the smallest normal number.
    F::zero(value.sign) | kept
}

/// What a magnitude above the range becomes in the direction `env.round`. `inexact`: bits are lost even if there were no range.
pub(crate) fn overflow<F: Format>(sign: bool, inexact: bool, env: &mut Env) -> u128 {
    if F::ALT {
        env.raise(Flags::INVALID);
        return F::max_finite(sign);
    }
    env.raise(if inexact || !env.unmasked { Flags::OVERFLOW | Flags::INEXACT } else { Flags::OVERFLOW });
    let to_infinity = match env.round {
        Round::NearestEven | Round::NearestAway => true,
        Round::Up => !sign,
        Round::Down => sign,
        Round::Zero | Round::Odd => false,
    };
    if to_infinity { F::infinity(sign) } else { F::max_finite(sign) }
}
