//! What the guest's control and status registers say about one operation: [`Env`]. Not the registers themselves; a
//! guest's front end fills an `Env` from its FPCR, MXCSR or the like and ORs the flags back.

use std::ops::{BitOr, BitOrAssign};

/// Rounding direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Round {
    /// To nearest, ties to the even significand.
    #[default]
    NearestEven,
    /// Towards plus infinity.
    Up,
    /// Towards minus infinity.
    Down,
    /// Towards zero.
    Zero,
    /// To nearest, ties away from zero.
    NearestAway,
    /// To odd: truncate, then set the last bit if anything was lost (FCVTXN). Overflow gives the largest finite number.
    Odd,
}

/// Which NaN an operation returns, and with it the family's rule for denormal operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NanRule {
    /// Arm, FPCR.DN = 0: the first signalling NaN, else the first quiet one, made quiet; the default NaN is positive.
    /// `INPUT_DENORMAL` is raised when an operand of a format other than f16 is flushed (FPUnpackBase).
    #[default]
    ArmPropagate,
    /// Arm, FPCR.DN = 1: always the positive default NaN. Denormals as in `ArmPropagate`.
    Default,
    /// RISC-V: always the positive default NaN. The minimum and maximum of a NaN and a number are the number, and a NaN
    /// converted to an integer gives the largest. No denormal is reported.
    RiscV,
    /// x86 SSE and AVX: the first operand that is a NaN, made quiet; the default NaN is negative.
    /// `INPUT_DENORMAL` (MXCSR.DE) is raised when a denormal is used without being flushed. A conversion to an integer
    /// that does not fit gives the integer indefinite value instead of saturating.
    X86,
}

/// When a result counts as tiny.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tininess {
    /// By the exact value (Arm). A flushed result raises `UNDERFLOW` alone.
    #[default]
    BeforeRounding,
    /// By the value rounded as if the exponent had no lower bound (x86, RISC-V). A flushed result raises `UNDERFLOW` and
    /// `INEXACT`.
    AfterRounding,
}

/// A set of exceptions, in the bit order of MXCSR's low bits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No exception.
    pub const NONE: Flags = Flags(0);
    /// Invalid operation.
    pub const INVALID: Flags = Flags(1);
    /// Input denormal: flushed (Arm's IDC) or used (x86's DE), see [`NanRule`].
    pub const INPUT_DENORMAL: Flags = Flags(2);
    /// Division of a finite number by zero.
    pub const DIV_BY_ZERO: Flags = Flags(4);
    /// Overflow.
    pub const OVERFLOW: Flags = Flags(8);
    /// Underflow: tiny and inexact, or flushed.
    pub const UNDERFLOW: Flags = Flags(16);
    /// Inexact.
    pub const INEXACT: Flags = Flags(32);
    /// With [`Env::unmasked`] for underflow: a tiny result, and one that loses bits as a denormal.
    pub const TINY: Flags = Flags(64);
    pub const LOST: Flags = Flags(128);

    /// The set as MXCSR's low six bits, and what is above them.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` is in the set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LETTERS: [char; 6] = ['I', 'D', 'Z', 'O', 'U', 'P'];
        let text: String = (0..6).map(|bit| if self.0 >> bit & 1 == 1 { LETTERS[bit] } else { '-' }).collect();
        f.write_str(&text)
    }
}

/// The environment of one operation. `Default` is Arm's with FPCR = 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Env {
    /// Rounding direction of operations that take none of their own.
    pub round: Round,
    /// Denormal operands count as zeros of their sign. On Arm f16 has a bit of its own (FZ16): the caller sets this
    /// field per operation. Conversions never flush their f16 side.
    pub flush_in: bool,
    /// Tiny results become zeros of their sign; likewise.
    pub flush_out: bool,
    /// NaN and denormal-operand rule.
    pub nan: NanRule,
    /// Tininess rule.
    pub tiny: Tininess,
    /// It is not known which exceptions are masked: overflow comes alone, and underflow as [`Flags::TINY`] and [`Flags::LOST`]; `INEXACT` tells whether
    /// bits are lost were there no bounds of the exponent (x86; SDM vol. 1, 4.9.1.4 to 4.9.1.6).
    pub unmasked: bool,
    /// f16 in conversions is Arm's alternative half precision (FPCR.AHP): no infinity, no NaN.
    pub alt_half: bool,
    /// Exceptions are ORed in here.
    pub flags: Flags,
}

impl Env {
    /// Arm with FPCR = 0.
    pub const ARM: Env = Env {
        round: Round::NearestEven,
        flush_in: false,
        flush_out: false,
        nan: NanRule::ArmPropagate,
        tiny: Tininess::BeforeRounding,
        unmasked: false,
        alt_half: false,
        flags: Flags::NONE,
    };

    /// x86 with MXCSR = 0x1f80.
    pub const X86: Env = Env { nan: NanRule::X86, tiny: Tininess::AfterRounding, ..Env::ARM };

    pub(crate) fn raise(&mut self, flags: Flags) {
        self.flags |= flags;
    }

    /// Reports that a denormal took part in an operation that was neither invalid nor decided by a NaN.
    pub(crate) fn denormal_used(&mut self, denormal: bool) {
        if denormal && self.nan == NanRule::X86 {
            self.raise(Flags::INPUT_DENORMAL);
        }
    }
}
