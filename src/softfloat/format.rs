//! The interchange formats: the run-time name [`Fmt`] and, inside, one type per format with its parameters as constants,
//! so that each operation is compiled once per format.

/// A floating-point format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Fmt {
    /// binary16
    F16,
    /// bfloat16: the upper half of a binary32
    Bf16,
    /// binary32
    F32,
    /// binary64
    F64,
}

impl Fmt {
    /// Width in bits.
    pub const fn bits(self) -> u32 {
        match self {
            Fmt::F16 | Fmt::Bf16 => 16,
            Fmt::F32 => 32,
            Fmt::F64 => 64,
        }
    }
}

/// The parameters of a format. Raw bits are `u128` throughout, so that wider formats can join.
pub(crate) trait Format {
    /// Bits of the exponent field.
    const EXP: u32;
    /// Bits of the fraction field.
    const FRAC: u32;
    /// f16: Arm raises no flag when it flushes one, and conversions do not flush it.
    const HALF: bool = false;
    /// Arm's alternative half precision: the topmost exponent holds ordinary numbers.
    const ALT: bool = false;

    /// All ones in the exponent field.
    const EXP_MASK: u32 = (1 << Self::EXP) - 1;
    const BIAS: i32 = (1 << (Self::EXP - 1)) - 1;
    /// Exponent of the smallest normal number.
    const E_MIN: i32 = 1 - Self::BIAS;
    /// Exponent of the largest finite number.
    const E_MAX: i32 = Self::BIAS + Self::ALT as i32;
    /// Position of the sign.
    const SIGN: u32 = Self::EXP + Self::FRAC;
    const FRAC_MASK: u128 = (1 << Self::FRAC) - 1;
    /// The fraction's top bit: set in quiet NaNs.
    const QUIET: u128 = 1 << (Self::FRAC - 1);

    fn zero(sign: bool) -> u128 {
        (sign as u128) << Self::SIGN
    }

    fn infinity(sign: bool) -> u128 {
        Self::zero(sign) | (Self::EXP_MASK as u128) << Self::FRAC
    }

    /// The finite number of largest magnitude.
    fn max_finite(sign: bool) -> u128 {
        let below_infinity = ((Self::EXP_MASK as u128) << Self::FRAC) - 1;
        Self::zero(sign) | if Self::ALT { (1 << Self::SIGN) - 1 } else { below_infinity }
    }

    /// A power of two within the normal range.
    fn power_of_two(sign: bool, exp: i32) -> u128 {
        Self::zero(sign) | ((exp + Self::BIAS) as u128) << Self::FRAC
    }

    fn negate(bits: u128) -> u128 {
        bits ^ 1 << Self::SIGN
    }
}

pub(crate) struct F16;
pub(crate) struct F16Alt;
pub(crate) struct Bf16;
pub(crate) struct F32;
pub(crate) struct F64;

impl Format for F16 {
    const EXP: u32 = 5;
    const FRAC: u32 = 10;
    const HALF: bool = true;
}

impl Format for F16Alt {
    const EXP: u32 = 5;
    const FRAC: u32 = 10;
    const HALF: bool = true;
    const ALT: bool = true;
}

impl Format for Bf16 {
    const EXP: u32 = 8;
    const FRAC: u32 = 7;
}

impl Format for F32 {
    const EXP: u32 = 8;
    const FRAC: u32 = 23;
}

impl Format for F64 {
    const EXP: u32 = 11;
    const FRAC: u32 = 52;
}

/// Calls the body compiled for a run-time format. Raw operands stand in square brackets, the rest in round ones:
/// `dispatch!(fmt, add_body[a, b](env))`.
macro_rules! dispatch {
    ($fmt:expr, $body:ident [$($bits:expr),*] ($($rest:expr),*)) => {
        match $fmt {
            $crate::format::Fmt::F16 => $body::<$crate::format::F16>($($bits as u128,)* $($rest),*),
            $crate::format::Fmt::Bf16 => $body::<$crate::format::Bf16>($($bits as u128,)* $($rest),*),
            $crate::format::Fmt::F32 => $body::<$crate::format::F32>($($bits as u128,)* $($rest),*),
            $crate::format::Fmt::F64 => $body::<$crate::format::F64>($($bits as u128,)* $($rest),*),
        }
    };
}
pub(crate) use dispatch;
