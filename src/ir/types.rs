//! Types of values, shapes of vectors, conditions, and the floating-point environment an operation carries.

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Ty {
    /// No value: stores, `set slot`, markers.
    Void,
    /// A truth value, 0 or 1.
    I1,
    I8,
    I16,
    I32,
    I64,
    F16,
    F32,
    F64,
    /// 128 bits; the lane type is the operation's. Lane 0 is the low bits.
    V128,
    /// The four conditions N, Z, C, V that an arithmetic operation leaves. C after a subtraction is "no borrow".
    /// In guest state (a slot of this type, 4 bytes) they stand as bit 15 N, bit 14 Z, bit 8 C, bit 0 V, the rest undefined:
    /// what x86's `lahf; seto al` leaves. Two more are x86's alone: A, the carry out of bit 3 (bit 12), and P, an even number of ones in the low byte
    /// (bit 10). They mean something where sums, differences, comparisons and logical operations made the flags, and what is said to take them from there.
    Flags,
}

impl Ty {
    /// Size in guest state, in bytes.
    #[inline]
    pub const fn bytes(self) -> usize {
        match self {
            Ty::Void => 0,
            Ty::I1 | Ty::I8 => 1,
            Ty::I16 | Ty::F16 => 2,
            Ty::I32 | Ty::F32 | Ty::Flags => 4,
            Ty::I64 | Ty::F64 => 8,
            Ty::V128 => 16,
        }
    }
    pub const fn bits(self) -> u32 {
        match self {
            Ty::I1 => 1,
            t => t.bytes() as u32 * 8,
        }
    }
    pub const fn is_int(self) -> bool {
        matches!(self, Ty::I1 | Ty::I8 | Ty::I16 | Ty::I32 | Ty::I64)
    }
    pub const fn is_float(self) -> bool {
        matches!(self, Ty::F16 | Ty::F32 | Ty::F64)
    }
    /// The mask of an integer type's bits.
    pub const fn mask(self) -> u64 {
        match self {
            Ty::I64 | Ty::F64 => u64::MAX,
            t => (1u64 << t.bits()) - 1,
        }
    }
    /// The integer type of `bytes` bytes.
    ///
    /// # Panics
    /// If there is none.
    pub const fn int(bytes: usize) -> Ty {
        match bytes {
            1 => Ty::I8,
            2 => Ty::I16,
            4 => Ty::I32,
            8 => Ty::I64,
            _ => panic!("no integer type of that size"),
        }
    }
}

/// An integer lane of a vector.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lane {
    B,
    H,
    S,
    D,
}

impl Lane {
    pub const fn bytes(self) -> usize {
        1 << self as usize
    }
    pub const fn bits(self) -> u32 {
        8 << self as u32
    }
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }
    pub const fn ty(self) -> Ty {
        Ty::int(self.bytes())
    }
    /// The lane twice as wide.
    ///
    /// # Panics
    /// For `D`.
    pub const fn wider(self) -> Lane {
        match self {
            Lane::B => Lane::H,
            Lane::H => Lane::S,
            Lane::S => Lane::D,
            Lane::D => panic!("no lane is wider than D"),
        }
    }
    /// Lane of 2^`log2` bytes.
    ///
    /// # Panics
    /// If `log2` is above 3.
    pub const fn log2(log2: u32) -> Lane {
        match log2 {
            0 => Lane::B,
            1 => Lane::H,
            2 => Lane::S,
            3 => Lane::D,
            _ => panic!("no lane of that size"),
        }
    }
}

/// A floating-point format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Fmt {
    F16,
    F32,
    F64,
    /// bfloat16; as a value it has type I16.
    BF16,
}

impl Fmt {
    pub const fn lane(self) -> Lane {
        match self {
            Fmt::F16 | Fmt::BF16 => Lane::H,
            Fmt::F32 => Lane::S,
            Fmt::F64 => Lane::D,
        }
    }
    pub const fn ty(self) -> Ty {
        match self {
            Fmt::F16 => Ty::F16,
            Fmt::BF16 => Ty::I16,
            Fmt::F32 => Ty::F32,
            Fmt::F64 => Ty::F64,
        }
    }
}

/// What a floating-point operation works on: one scalar (`lanes` 0; the values have the format's scalar type), or the low
/// `lanes` lanes of V128 values; the lanes above are not looked at (they raise no flag) and are zero in the result, but in the shapes of [`Shape::low`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shape {
    pub fmt: Fmt,
    pub lanes: u8,
}

impl Shape {
    pub const fn scalar(fmt: Fmt) -> Shape {
        Shape { fmt, lanes: 0 }
    }
    pub const fn vector(fmt: Fmt, lanes: u8) -> Shape {
        Shape { fmt, lanes }
    }
    /// The lowest lane of V128 values; above it stands what does in operand `of`, the first being 0. For operations with two and three operands.
    pub const fn low(fmt: Fmt, of: u8) -> Shape {
        Shape { fmt, lanes: LOW | of }
    }
    /// The operand of such a shape.
    pub const fn low_of(self) -> Option<usize> {
        if self.lanes & LOW == LOW { Some((self.lanes & !LOW) as usize) } else { None }
    }
    pub const fn ty(self) -> Ty {
        if self.lanes == 0 { self.fmt.ty() } else { Ty::V128 }
    }
}

/// Marks the shapes of [`Shape::low`] in [`Shape::lanes`].
const LOW: u8 = 0xf0;

/// Rounding of a floating-point result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Round {
    NearestEven,
    Down,
    Up,
    Zero,
    NearestAway,
    Odd,
}

/// What becomes of NaNs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum NanRule {
    /// Arm, FPCR.DN=0: the first signalling operand made quiet, else the first quiet one (the addend first in a fused multiply-add).
    ArmPropagate,
    /// Always the positive quiet NaN with a zero payload (Arm DN=1).
    Default,
    /// The same NaN on RISC-V, where tininess is judged after rounding, a minimum prefers the number to any NaN, and a NaN converted to an
    /// integer counts as too large.
    RiscV,
    /// x86 SSE: the first NaN operand made quiet; the default NaN is negative.
    X86,
}

impl NanRule {
    /// All NaNs that come out are one and the same.
    pub const fn is_canonical(self) -> bool {
        matches!(self, NanRule::Default | NanRule::RiscV)
    }

    /// A result is tiny by what it is rounded to as if the exponent had no lower bound, and not by its exact value.
    pub const fn tiny_after_rounding(self) -> bool {
        matches!(self, NanRule::RiscV | NanRule::X86)
    }
}

/// The environment of a floating-point operation. It is fixed when the code is translated: what a guest can change at run
/// time (rounding mode, flush to zero, default NaN) is part of the block's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Env {
    pub round: Round,
    pub nan: NanRule,
    /// Subnormal operands count as zero (and set the input-denormal flag, which under x86's rule the others set).
    pub flush_in: bool,
    /// Tiny results become zero (and set the underflow flag).
    pub flush_out: bool,
    /// Arm's alternative half precision, without infinities and NaNs.
    pub alt_half: bool,
    /// Exceptions may not be masked, under x86's rule: overflow and underflow are told apart from what they are with a mask: see [`fpflag::TINY`].
    pub unmasked: bool,
}

impl Env {
    pub const IEEE_ARM: Env = Env {
        round: Round::NearestEven,
        nan: NanRule::ArmPropagate,
        flush_in: false,
        flush_out: false,
        alt_half: false,
        unmasked: false,
    };
    pub const X86: Env = Env { nan: NanRule::X86, ..Env::IEEE_ARM };
    pub const fn round(self, round: Round) -> Env {
        Env { round, ..self }
    }
}

/// Sticky floating-point exception flags, in the order of x86's MXCSR.
pub mod fpflag {
    pub const INVALID: u32 = 1;
    pub const INPUT_DENORMAL: u32 = 2;
    pub const DIV_BY_ZERO: u32 = 4;
    pub const OVERFLOW: u32 = 8;
    pub const UNDERFLOW: u32 = 16;
    pub const INEXACT: u32 = 32;
    /// The five that every processor has, and means the same by.
    pub const IEEE: u32 = INVALID | DIV_BY_ZERO | OVERFLOW | UNDERFLOW | INEXACT;
    /// Under [`super::Env::unmasked`] for underflow: a tiny result, and one that loses bits as a denormal. Inexact are then results that lose bits
    /// without bounds of the exponent.
    pub const TINY: u32 = 64;
    pub const LOST: u32 = 128;
}

/// An integer comparison.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum IntCc {
    Eq,
    Ne,
    Ult,
    Ule,
    Ugt,
    Uge,
    Slt,
    Sle,
    Sgt,
    Sge,
}

impl IntCc {
    /// The comparison that holds where this does not.
    pub const fn invert(self) -> IntCc {
        match self {
            IntCc::Eq => IntCc::Ne,
            IntCc::Ne => IntCc::Eq,
            IntCc::Ult => IntCc::Uge,
            IntCc::Ule => IntCc::Ugt,
            IntCc::Ugt => IntCc::Ule,
            IntCc::Uge => IntCc::Ult,
            IntCc::Slt => IntCc::Sge,
            IntCc::Sle => IntCc::Sgt,
            IntCc::Sgt => IntCc::Sle,
            IntCc::Sge => IntCc::Slt,
        }
    }
    /// The comparison that holds of b and a where this holds of a and b.
    pub const fn swap(self) -> IntCc {
        match self {
            IntCc::Eq | IntCc::Ne => self,
            IntCc::Ult => IntCc::Ugt,
            IntCc::Ule => IntCc::Uge,
            IntCc::Ugt => IntCc::Ult,
            IntCc::Uge => IntCc::Ule,
            IntCc::Slt => IntCc::Sgt,
            IntCc::Sle => IntCc::Sge,
            IntCc::Sgt => IntCc::Slt,
            IntCc::Sge => IntCc::Sle,
        }
    }
}

/// A condition on [`Ty::Flags`], with Arm's names. C is "no borrow" after a subtraction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Cc {
    Eq,
    Ne,
    Cs,
    Cc,
    Mi,
    Pl,
    Vs,
    Vc,
    Hi,
    Ls,
    Ge,
    Lt,
    Gt,
    Le,
    /// P, and not: x86's alone.
    Pe,
    Po,
}

impl Cc {
    /// Arm's, in the order in which its encodings number them.
    pub const ALL: [Cc; 14] = [
        Cc::Eq,
        Cc::Ne,
        Cc::Cs,
        Cc::Cc,
        Cc::Mi,
        Cc::Pl,
        Cc::Vs,
        Cc::Vc,
        Cc::Hi,
        Cc::Ls,
        Cc::Ge,
        Cc::Lt,
        Cc::Gt,
        Cc::Le,
    ];
    pub const fn invert(self) -> Cc {
        match self {
            Cc::Pe => Cc::Po,
            Cc::Po => Cc::Pe,
            _ => Cc::ALL[(self as usize) ^ 1],
        }
    }
    /// Whether the condition holds for the bits P=16, N=8, Z=4, C=2, V=1.
    pub const fn holds(self, pnzcv: u32) -> bool {
        let (n, z, c, v) = (pnzcv & 8 != 0, pnzcv & 4 != 0, pnzcv & 2 != 0, pnzcv & 1 != 0);
        let base = match self as u8 >> 1 {
            0 => z,
            1 => c,
            2 => n,
            3 => v,
            4 => c && !z,
            5 => n == v,
            6 => n == v && !z,
            _ => pnzcv & 16 != 0,
        };
        base != (self as u8 & 1 != 0)
    }
}

/// The order a memory operation asks for, beyond the host's and the guest's plain accesses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Order {
    Plain,
    /// A load that later accesses do not pass.
    Acquire,
    /// A store that earlier accesses do not pass; later acquire loads may not pass it either (Arm STLR).
    Release,
    AcqRel,
}

/// Which accesses a fence keeps in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Fence {
    /// Everything before against everything after (DMB ISH).
    Full,
    /// Loads before against everything after (DMB ISHLD).
    Load,
    /// Stores before against stores after (DMB ISHST).
    Store,
}
