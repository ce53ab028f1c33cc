//! The operations. One table of what there is; what each computes is said here, done in `eval.rs`, typed in `verify.rs`.
//!
//! Rules that hold for all:
//! - An operation with a result has it as its own number: [`Val`] is the index of the defining instruction.
//! - Integer operations work at the width of their type. Both operands have the result's type unless said otherwise.
//! - Nothing here traps but memory operations, helper calls that say so, and the exits in `region.rs`. Division by zero gives 0 and the most negative
//!   number divided by -1 gives itself; a guest that wants something else selects it.

use crate::helper::Helper;
use crate::mem::{Align, Mem};
use crate::types::{Cc, Env, Fence, Fmt, IntCc, Lane, Order, Shape, Ty};

/// A value: the number of the instruction that defines it, in its region.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val(pub u32);

impl Val {
    /// "No value", where an operand is optional.
    pub const NONE: Val = Val(u32::MAX);
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == u32::MAX
    }
}

impl std::fmt::Debug for Val {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        if self.is_none() { write!(f, "-") } else { write!(f, "v{}", self.0) }
    }
}

/// A slot of guest state: an index into the guest's slot table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Slot(pub u16);

/// Integer operations on two values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Bin {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
    /// a & !b
    AndNot,
    /// Shifts and rotates take the amount (same type) modulo the width.
    Shl,
    Shr,
    Sar,
    Rotr,
    /// The upper half of the double-width product.
    MulHiU,
    MulHiS,
    DivU,
    DivS,
    RemU,
    RemS,
    /// The low bits of a put where b has ones; the bits of a where b has ones, put together (x86's PDEP, PEXT).
    Pdep,
    Pext,
}

/// x86's shifts and rotations, whose amount is taken modulo 32 (64 for 64-bit operands).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Shift {
    Shl,
    Shr,
    Sar,
    Rol,
    Ror,
}

/// Integer operations on one value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Un {
    Neg,
    Not,
    /// Leading zeros; the width for 0.
    Clz,
    /// Trailing zeros; the width for 0.
    Ctz,
    Popcnt,
    Bswap,
    Bitrev,
}

/// Floating-point operations on two values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Fp2 {
    Add,
    Sub,
    /// Adds the second with its sign turned: a NaN's too, unlike a difference.
    AddNeg,
    Mul,
    Div,
    /// NaN if either is; -0 is below +0.
    Min,
    Max,
    /// The number if the other is a quiet NaN (IEEE 754-2008 minNum).
    MinNum,
    MaxNum,
    /// The first if it is below (above) the second, else the second; any NaN is invalid (x86's MINSS, MAXSS).
    MinSelect,
    MaxSelect,
    /// Arm FMULX: 0 times infinity is 2 with the sign of the product.
    MulX,
    /// Arm FRECPS, fused: 2 - a*b.
    RecipStep,
    /// Arm FRSQRTS, fused: (3 - a*b) / 2.
    RsqrtStep,
}

/// Floating-point operations on one value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Fp1 {
    /// Sign bit only: no flags, NaNs as any other value.
    Neg,
    Abs,
    Sqrt,
    /// Arm FRECPE, FRSQRTE, FRECPX.
    RecipEstimate,
    RsqrtEstimate,
    RecipExponent,
    /// To an integral value in the environment's rounding; no inexact flag.
    RoundInt,
    /// The same, with the inexact flag (Arm FRINTX).
    RoundIntExact,
    /// Arm FRINT32x, FRINT64x: out of range gives the most negative integer and the invalid flag.
    RoundInt32,
    RoundInt64,
}

/// Floating-point comparison of lanes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum FpCc {
    /// Quiet: invalid for signalling NaNs only.
    Eq,
    /// One of them is NaN. Quiet.
    Unordered,
    /// Signalling: invalid for any NaN.
    Ge,
    Gt,
    /// On absolute values (Arm FACGE, FACGT), signalling.
    AbsGe,
    AbsGt,
}

/// Vector operations on two V128 values, by integer lane.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum V2 {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
    /// a & !b
    AndNot,
    /// a | !b
    OrNot,
    MinS,
    MinU,
    MaxS,
    MaxU,
    /// |a - b| without overflow.
    AbdS,
    AbdU,
    /// All ones where true.
    CmpEq,
    CmpGtS,
    CmpGeS,
    CmpGtU,
    CmpGeU,
    /// a & b is not zero.
    CmpTst,
    /// Saturating.
    SatAddS,
    SatAddU,
    SatSubS,
    SatSubU,
    /// Arm SUQADD: a signed + b unsigned, saturated as signed.
    SatAddSU,
    /// Arm USQADD: a unsigned + b signed, saturated as unsigned.
    SatAddUS,
    /// (a + b) >> 1 without overflow, and with rounding; (a - b) >> 1.
    HalfAddS,
    HalfAddU,
    HalfAddRoundS,
    HalfAddRoundU,
    HalfSubS,
    HalfSubU,
    /// Shift by the signed low byte of b's lane, left if positive (Arm SSHL …): plain, rounding, saturating, both.
    ShiftS,
    ShiftU,
    ShiftRoundS,
    ShiftRoundU,
    ShiftSatS,
    ShiftSatU,
    ShiftSatRoundS,
    ShiftSatRoundU,
    /// Upper half of 2*a*b, saturated (Arm SQDMULH), and with rounding (SQRDMULH). Lanes H, S.
    SatDoubleMulHi,
    SatDoubleMulHiRound,
    /// Upper half of the product, and of the signed one rounded, without its second sign bit (x86's PMULHW, PMULHRSW). Lane H.
    MulHiS,
    MulHiU,
    MulHiRound,
    /// Products of signed H lanes, neighbours added into an S lane; the same of unsigned bytes by signed ones, saturated to H (PMADDWD, PMADDUBSW).
    MulAddPairs,
    MulAddPairsSat,
    /// Differences of unsigned bytes, eight of them added into a D lane (PSADBW). Lane B.
    SumAbsDiff,
    /// Products of even lanes, twice as wide. Lane S.
    MulEvenS,
    MulEvenU,
    /// Signed lanes of a, then of b, cut to half their width, saturated as signed and as unsigned (`lane` is the wide one). H, S.
    PackS,
    PackU,
    /// All lanes shifted by the low 64 bits of b, as far as that may be. H, S, D.
    ShlAll,
    ShrAllU,
    ShrAllS,
    /// Each lane shifted by b's, as far as that may be (x86's VPSLLVD and its kin). S, D; signed S.
    ShlEach,
    ShrEachU,
    ShrEachS,
    /// a, its opposite or zero, as b is positive, negative or zero. B, H, S.
    SignOf,
    /// Carry-less product of lanes, low half (lane B: Arm PMUL).
    PMul,
    /// Interleave: low halves, high halves.
    ZipLo,
    ZipHi,
    /// Even lanes of a then of b; odd lanes.
    UnzipEven,
    UnzipOdd,
    /// Neighbours of a, then neighbours of b: their sum, the smaller, the greater.
    PairwiseAdd,
    PairwiseMinS,
    PairwiseMinU,
    PairwiseMaxS,
    PairwiseMaxU,
    /// Even lanes of a and b side by side; odd.
    TrnEven,
    TrnOdd,
    /// Lane b of a: bytes of a chosen by the bytes of b, 0 where that is 16 or more. Lane B.
    Tbl,
    /// Products of the low halves' lanes, twice as wide (`lane` is the narrow one); PMulWide carry-less (B, or D giving 128 bits).
    MulWideS,
    MulWideU,
    PMulWide,
    /// 2*a*b of the low halves, saturated to the wide lane (Arm SQDMULL). Lanes H, S.
    SatDoubleMulWide,
    /// The low half of a, then the low half of b above it. `lane` is D.
    ConcatLo,
    /// The high half of a, then the high half of b above it. `lane` is D.
    ConcatHi,
}

impl V2 {
    /// What a pairwise operation does with two neighbours.
    pub const fn of_neighbours(self) -> Option<V2> {
        Some(match self {
            V2::PairwiseAdd => V2::Add,
            V2::PairwiseMinS => V2::MinS,
            V2::PairwiseMinU => V2::MinU,
            V2::PairwiseMaxS => V2::MaxS,
            V2::PairwiseMaxU => V2::MaxU,
            _ => return None,
        })
    }
}

/// Vector operations on one V128 value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum V1 {
    Not,
    Neg,
    Abs,
    /// Saturating.
    SatAbs,
    SatNeg,
    Clz,
    /// Leading bits equal to the sign bit, less that one.
    Cls,
    /// Ones in each byte. Lane B.
    Popcnt,
    /// Bits of each byte reversed. Lane B.
    Bitrev,
    /// Bytes of each lane reversed.
    Bswap,
    /// The low half's lanes, twice as wide (`lane` is the narrow one).
    WidenS,
    WidenU,
    /// Lanes cut to half their width into the low half, zero above (`lane` is the wide one): plain, signed→signed saturated, signed→unsigned, unsigned→unsigned.
    Narrow,
    NarrowSatS,
    NarrowSatSU,
    NarrowSatU,
    /// Adjacent lanes added into the lane twice as wide (`lane` is the narrow one; Arm SADDLP).
    PairAddS,
    PairAddU,
    /// The low 64 bits, zero above. `lane` is D.
    ZeroHi,
    /// The high 64 bits moved low, zero above. `lane` is D.
    MoveHi,
    /// Arm URECPE, URSQRTE. Lane S.
    RecipEstimateU,
    RsqrtEstimateU,
}

/// Vector shifts by an immediate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum VShift {
    Shl,
    /// 1 ..= width
    ShrU,
    ShrS,
    ShrRoundU,
    ShrRoundS,
    /// Saturating left: signed, unsigned, signed→unsigned.
    ShlSatS,
    ShlSatU,
    ShlSatSU,
}

/// Vector operations on three V128 values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum V3 {
    /// Bits of b where a has ones, of c elsewhere. `lane` is ignored.
    BitSelect,
    /// a + dot products of four bytes of b and c in each S lane: both signed, both unsigned, b unsigned and c signed.
    DotS,
    DotU,
    DotUS,
    /// a + 2x8 by 8x2 matrix product (Arm SMMLA …), S lanes.
    MatMulS,
    MatMulU,
    MatMulUS,
    /// Saturating rounding doubling multiply-add high (Arm SQRDMLAH), and subtract. Lanes H, S.
    SatDoubleMulAddHi,
    SatDoubleMulSubHi,
    // Arm's SHA instructions, whole: state and schedule words as the manual has them.
    Sha1C,
    Sha1P,
    Sha1M,
    Sha1Su0,
    Sha256H,
    Sha256H2,
    Sha256Su1,
    /// Two rounds on states as x86 has them: a is (c d g h), b is (a b e f), the first in the highest lane; c has two words with their constants.
    Sha256Rounds2,
    Sha512H,
    Sha512H2,
    Sha512Su1,
    /// SM3PARTW1, SM3PARTW2, SM3SS1.
    Sm3PartW1,
    Sm3PartW2,
    Sm3Ss1,
}

/// Cryptographic steps on two V128 values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Crypto {
    /// ShiftRows and SubBytes of a (b unused), the inverse, MixColumns, its inverse.
    AesSubShift,
    AesInvSubShift,
    AesMix,
    AesInvMix,
    Sha1H,
    Sha1Su1,
    Sha256Su0,
    Sha512Su0,
    Sm4E,
    Sm4Ekey,
}

/// Read-modify-write operations; `And` clears nothing by itself (Arm LDCLR passes the complement).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Rmw {
    Swap,
    Add,
    And,
    Or,
    Xor,
    MinS,
    MaxS,
    MinU,
    MaxU,
}

/// Operations of the x87 unit, its MMX registers included. Codes are those of the crate `x87`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum X87 {
    /// An instruction on registers.
    Run(u16),
    /// FCOMI and its kin: the flags that x86 has after it, with C for "no borrow".
    Compare(u16),
    /// FCMOVE to FCMOVNU, whose condition is the operand. The code is FCMOVE's.
    Move(u16),
    /// The status word: I32.
    Status,
    /// The unit's state to the image in guest state, and from it. Only between these two does the image hold anything.
    Save,
    Load,
    /// The unit's environment, FNSTENV's words of 32 bits, is taken, and the unit stays as it is. The third word and what makes up the selectors are not the guest's.
    Environment,
    /// A word of what was taken: I32. Another one in its place.
    Word(u8),
    SetWord(u8),
    /// FLDENV of the words.
    SetEnvironment,
    /// What else FNSTENV does: all exceptions are masked. An environment has been taken before.
    Mask,
    /// An MMX register: I64.
    Mmx(u8),
    SetMmx(u8),
}

impl X87 {
    pub const fn result(self) -> Ty {
        match self {
            X87::Compare(_) => Ty::Flags,
            X87::Status | X87::Word(_) => Ty::I32,
            X87::Mmx(_) => Ty::I64,
            _ => Ty::Void,
        }
    }

    pub const fn operand(self) -> Option<Ty> {
        match self {
            X87::Move(_) => Some(Ty::I1),
            X87::SetWord(_) => Some(Ty::I32),
            X87::SetMmx(_) => Some(Ty::I64),
            _ => None,
        }
    }
}

/// An operation with its operands. The result's type stands in [`Inst`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// An integer or float constant's bits.
    Const(u64),
    /// A V128 constant: an index into the region's `vectors`.
    ConstV(u32),
    /// The start of the guest instruction at `pc`. `extra` is the guest's second word of position (ITSTATE, branch delay, what
    /// slots are still to be told): what a fault record gives back beside pc. An instruction within which that changes is marked again.
    Insn {
        pc: u64,
        extra: u32,
    },
    /// Leaves if somebody asked for it; the guest then goes on at `pc`. At the head of a block that a backward jump leads to.
    Poll {
        pc: u64,
    },
    /// Guest state.
    Get(Slot),
    Set(Slot, Val),
    /// Sticky floating-point flags as bits of [`crate::types::fpflag`] (I32).
    FpFlagsGet,
    FpFlagsSet(Val),
    /// Zero as long as no other thread or process can see guest memory (I32).
    Concurrent,

    Bin(Bin, Val, Val),
    Un(Un, Val),
    /// Integer width changes.
    Zext(Val),
    Sext(Val),
    Trunc(Val),
    /// Bits lsb .. lsb+width of the value, zero- or sign-extended.
    Extract {
        v: Val,
        lsb: u8,
        width: u8,
        signed: bool,
    },
    /// `into` with its bits lsb .. lsb+width replaced by the low bits of v.
    Deposit {
        into: Val,
        v: Val,
        lsb: u8,
        width: u8,
    },
    /// The low half of (hi:lo) >> amount; amount below the width.
    Funnel {
        hi: Val,
        lo: Val,
        amount: u8,
    },
    /// `a` shifted by an amount at run time, of which as many bits count as say less than the width; what comes in are b's bits from the other side on.
    /// I32, I64.
    ShiftDouble {
        left: bool,
        a: Val,
        b: Val,
        amount: Val,
    },
    /// I1.
    Cmp(IntCc, Val, Val),
    /// cond ? a : b, of any type.
    Select(Val, Val, Val),
    /// a + b + C; a - b - !C.
    AddC(Val, Val, Val),
    SubC(Val, Val, Val),
    /// The quotient of hi:lo by a divisor above hi, or the remainder; unsigned. 0 if the divisor is not above hi. I32, I64.
    DivWide {
        remainder: bool,
        hi: Val,
        lo: Val,
        divisor: Val,
    },
    /// x86's comparison of strings in two vectors, under the control byte of PCMPESTRI and its kin. The result's type says what is asked: I32 the index,
    /// V128 the mask, flags. `lengths` has a length in each half; if not `explicit`, strings end with a zero.
    Strings {
        control: u8,
        explicit: bool,
        a: Val,
        b: Val,
        lengths: Val,
    },
    /// CRC of the value's low `bytes` bytes into acc (I32): CRC-32 (0x04C11DB7) or CRC-32C, bit-reflected.
    Crc32 {
        acc: Val,
        v: Val,
        bytes: u8,
        c: bool,
    },

    /// Flags of a + b, a - b, a + b + C, a - b - !C (the last operand: flags).
    FlagsAdd(Val, Val),
    FlagsSub(Val, Val),
    FlagsAdc(Val, Val, Val),
    FlagsSbc(Val, Val, Val),
    /// N and Z of the value, C and V clear.
    FlagsLogic(Val),
    /// N and Z of the value, C and V from the flags.
    FlagsNz(Val, Val),
    /// N and Z of the value, C an I1, V from the flags.
    FlagsNzc(Val, Val, Val),
    /// The flags with the opposite C.
    FlagsOppositeC(Val),
    /// The flags with C set to an I1.
    FlagsSetC(Val, Val),
    /// N and Z of `v` shifted (Shl, Shr, Sar) by an amount above 0 and below the width, C the bit shifted out last, V from the flags.
    FlagsShift {
        shift: Bin,
        v: Val,
        amount: u8,
        flags: Val,
    },
    /// Arm's flags of a floating-point comparison (scalar): less N, equal ZC, greater C, unordered CV. `signalling`: invalid for any NaN.
    /// Under [`crate::types::NanRule::X86`] as x86 has them with C for "no borrow": less none, equal ZC, greater C, unordered ZP.
    FlagsFcmp {
        fmt: Fmt,
        signalling: bool,
        env: Env,
        a: Val,
        b: Val,
    },
    /// Flags of v + 1, or v - 1 if `down`, with the C of the flags.
    FlagsStep {
        down: bool,
        v: Val,
        flags: Val,
    },
    /// Flags after x86's shift of `v`: C is the opposite of CF. An amount of zero leaves `flags`, rotations leave all of them but C and V. Of the
    /// others A is of no meaning, nor is V for an amount other than one, nor C beyond the width. `flags` is [`Val::NONE`] where none of them stay: nothing
    /// is rotated, by a constant that is not zero.
    FlagsShiftX86 {
        shift: Shift,
        v: Val,
        amount: Val,
        flags: Val,
    },
    /// The same of [`Op::ShiftDouble`]; `flags` is [`Val::NONE`] where the amount is a constant that is not zero.
    FlagsShiftDouble {
        left: bool,
        a: Val,
        b: Val,
        amount: Val,
        flags: Val,
    },
    /// V, and the opposite of C: whether a product is wider than its low half. The rest is of no meaning.
    FlagsProduct {
        signed: bool,
        a: Val,
        b: Val,
    },
    /// Of two vectors: Z if no bit is set in both, C if a bit of the second is not set in the first. The rest is clear (x86's PTEST).
    FlagsTest(Val, Val),
    /// To and from x86's EFLAGS, of which CF is the opposite of C; other bits are zero / ignored.
    FlagsToEflags(Val),
    FlagsFromEflags(Val),
    /// To and from bits 31..28 of an I32 (NZCV, the rest zero / ignored).
    FlagsToBits(Val),
    FlagsFromBits(Val),
    /// I1.
    Cond(Cc, Val),

    /// Same-size reinterpretation between integer and float scalars.
    Bitcast(Val),
    Fp1(Fp1, Shape, Env, Val),
    Fp2(Fp2, Shape, Env, Val, Val),
    /// (±a*b) ± c with one rounding.
    Fma {
        shape: Shape,
        env: Env,
        neg_product: bool,
        neg_addend: bool,
        a: Val,
        b: Val,
        c: Val,
    },
    /// Between formats. Scalar: `lanes` 0. Vector: the low `lanes` lanes of the source, to the low lanes of the result, zero above.
    FpCvt {
        from: Fmt,
        to: Fmt,
        lanes: u8,
        env: Env,
        v: Val,
    },
    /// To an integer of `bits` 16, 32 or 64 with `fbits` fraction bits, saturating, NaN gives 0 (both invalid); rounded by env.round.
    /// Scalar: integer result of type I32 or I64 (the result's type is at least `bits` wide, zero-extended); vector: lanes of the same width.
    FpToInt {
        shape: Shape,
        env: Env,
        signed: bool,
        bits: u8,
        fbits: u8,
        v: Val,
    },
    /// From an integer value (scalar: the type of v tells its width) with `fbits` fraction bits.
    FpFromInt {
        shape: Shape,
        env: Env,
        signed: bool,
        fbits: u8,
        v: Val,
    },
    /// Arm FJCVTZS: F64 to I32 modulo 2^32, rounded to zero.
    FpToIntJs(Val),
    /// All ones in each lane where it holds. Shape is a vector (a scalar comparison is one lane).
    FpCmp(FpCc, Shape, Env, Val, Val),

    V1(V1, Lane, Val),
    V2(V2, Lane, Val, Val),
    V3(V3, Lane, Val, Val, Val),
    VShift(VShift, Lane, Val, u8),
    Crypto(Crypto, Val, Val),
    /// Bytes imm .. imm+16 of b:a (a low), 0 ≤ imm ≤ 16.
    VExt(Val, Val, u8),
    /// A scalar into lane 0, zero above.
    VFromScalar(Val),
    /// A floating-point scalar in lane 0; what is above is of no meaning.
    VLow(Val),
    /// A scalar in every lane.
    VSplat(Lane, Val),
    /// Lane `n` in every lane.
    VSplatLane(Lane, Val, u8),
    /// A lane as a scalar of the result's type (integer or float of the lane's size). The vector may be an F64, whose lanes are its parts.
    VGet(Lane, Val, u8),
    /// The lanes' signs, lane 0's lowest: I32. B, S, D.
    VSigns(Lane, Val),
    /// The vector (first) with lane `n` replaced by a scalar; an F64 as above.
    VSet(Lane, Val, Val, u8),

    Load(Mem),
    /// Sixteen bytes that a loop reads ahead of what the guest's does, and which may not be there: the block then ends as if the branch at its end were
    /// taken. It is no access of the guest's: the block writes no slots.
    LoadAhead(Mem),
    /// The same of a store, and of a second vector behind the first if there is one: at a multiple of 32, all is stored or nothing. The block may be done
    /// again from its beginning, by code that stores the same bytes there.
    StoreAhead(Mem, Val, Val),
    /// The value's low `size` bytes.
    Store(Mem, Val),
    /// Lanes of a vector, as large as the access says (4, 8), where the mask's (the last operand) are all ones. Others are not accessed: of what is loaded
    /// they are zero.
    LoadLanes(Mem, Val),
    StoreLanes(Mem, Val, Val),
    /// The old value. `size` as in the result's type (I8 … I64).
    AtomicRmw(Rmw, Order, Align, Val, Val),
    /// Compares memory with expected, stores new if equal; the old value. I8 … I64, V128 (which the host wants aligned to 16).
    CmpXchg {
        addr: Val,
        expected: Val,
        new: Val,
        align: Align,
    },
    /// Load that arms the exclusive monitor (I8 … I64, V128). Its bytes lie within 16 aligned ones, the monitor's granule.
    LoadExcl(Val, Order, Align),
    /// I32: 0 stored, 1 not (the monitor was lost). The value's type tells the size.
    StoreExcl(Val, Val, Order, Align),
    ClearExcl,
    Fence(Fence),
    /// Touches the cache line for reading: may be dropped.
    Prefetch(Val),
    /// A helper, for rare work. Up to four arguments.
    Call(&'static Helper, [Val; 4]),

    /// An operation of the x87 unit, whose image begins at the slot; with an operand or [`Val::NONE`]. An exception that waits is
    /// [`crate::region::Trap::X87`].
    X87 {
        image: Slot,
        op: X87,
        v: Val,
    },
    /// An instruction of the unit whose memory operand has 2, 4, 8 or 10 bytes.
    X87Mem {
        image: Slot,
        code: u16,
        mem: Mem,
    },
}

/// An instruction: an operation and its result's type.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Inst {
    pub op: Op,
    pub ty: Ty,
}

impl Op {
    /// Calls `f` for each value operand, in order.
    pub fn for_each_arg(&self, mut f: impl FnMut(Val)) {
        let mut copy = *self;
        copy.map_args(|v| {
            f(v);
            v
        });
    }

    /// Replaces each value operand by `f` of it.
    pub fn map_args(&mut self, mut f: impl FnMut(Val) -> Val) {
        use Op::*;
        match self {
            Const(_)
            | ConstV(_)
            | Insn { .. }
            | Poll { .. }
            | Get(_)
            | FpFlagsGet
            | Concurrent
            | ClearExcl
            | Fence(_) => {}
            Set(_, a)
            | FpFlagsSet(a)
            | Un(_, a)
            | Zext(a)
            | Sext(a)
            | Trunc(a)
            | Extract { v: a, .. }
            | FlagsLogic(a)
            | FlagsToBits(a)
            | FlagsFromBits(a)
            | FlagsToEflags(a)
            | FlagsFromEflags(a)
            | FlagsOppositeC(a)
            | VSigns(_, a)
            | Cond(_, a)
            | Bitcast(a)
            | Fp1(_, _, _, a)
            | FpCvt { v: a, .. }
            | FpToInt { v: a, .. }
            | FpFromInt { v: a, .. }
            | FpToIntJs(a)
            | V1(_, _, a)
            | VShift(_, _, a, _)
            | VFromScalar(a)
            | VLow(a)
            | VSplat(_, a)
            | VSplatLane(_, a, _)
            | VGet(_, a, _)
            | LoadExcl(a, ..)
            | Prefetch(a) => *a = f(*a),
            Bin(_, a, b)
            | Deposit { into: a, v: b, .. }
            | Funnel { hi: a, lo: b, .. }
            | Cmp(_, a, b)
            | Crc32 { acc: a, v: b, .. }
            | FlagsAdd(a, b)
            | FlagsSub(a, b)
            | FlagsNz(a, b)
            | FlagsSetC(a, b)
            | FlagsShift { v: a, flags: b, .. }
            | FlagsFcmp { a, b, .. }
            | FlagsStep { v: a, flags: b, .. }
            | FlagsProduct { a, b, .. }
            | FlagsTest(a, b)
            | Fp2(_, _, _, a, b)
            | FpCmp(_, _, _, a, b)
            | V2(_, _, a, b)
            | Crypto(_, a, b)
            | VExt(a, b, _)
            | VSet(_, a, b, _)
            | AtomicRmw(_, _, _, a, b)
            | StoreExcl(a, b, ..) => {
                *a = f(*a);
                *b = f(*b);
            }
            Select(a, b, c)
            | AddC(a, b, c)
            | SubC(a, b, c)
            | FlagsAdc(a, b, c)
            | FlagsSbc(a, b, c)
            | FlagsNzc(a, b, c)
            | Fma { a, b, c, .. }
            | V3(_, _, a, b, c)
            | DivWide { hi: a, lo: b, divisor: c, .. }
            | ShiftDouble { a, b, amount: c, .. }
            | Strings { a, b, lengths: c, .. }
            | CmpXchg { addr: a, expected: b, new: c, .. } => {
                *a = f(*a);
                *b = f(*b);
                *c = f(*c);
            }
            FlagsShiftX86 { v: a, amount: b, flags: c, .. } => {
                *a = f(*a);
                *b = f(*b);
                if !c.is_none() {
                    *c = f(*c);
                }
            }
            FlagsShiftDouble { a, b, amount, flags, .. } => {
                *a = f(*a);
                *b = f(*b);
                *amount = f(*amount);
                if !flags.is_none() {
                    *flags = f(*flags);
                }
            }
            X87 { v, .. } => {
                if !v.is_none() {
                    *v = f(*v);
                }
            }
            Load(m) | LoadAhead(m) | X87Mem { mem: m, .. } => Self::map_mem(m, &mut f),
            Store(m, v) | LoadLanes(m, v) => {
                Self::map_mem(m, &mut f);
                *v = f(*v);
            }
            StoreLanes(m, v, mask) => {
                Self::map_mem(m, &mut f);
                *v = f(*v);
                *mask = f(*mask);
            }
            StoreAhead(m, v, second) => {
                Self::map_mem(m, &mut f);
                *v = f(*v);
                if !second.is_none() {
                    *second = f(*second);
                }
            }
            Call(_, args) => {
                for a in args.iter_mut().filter(|a| !a.is_none()) {
                    *a = f(*a);
                }
            }
        }
    }

    fn map_mem(m: &mut Mem, f: &mut impl FnMut(Val) -> Val) {
        m.base = f(m.base);
        if !m.index.is_none() {
            m.index = f(m.index);
        }
    }

    /// The floating-point environment that it carries.
    pub fn env(&self) -> Option<Env> {
        match *self {
            Op::Fp1(_, _, env, _)
            | Op::Fp2(_, _, env, ..)
            | Op::Fma { env, .. }
            | Op::FpCvt { env, .. }
            | Op::FpToInt { env, .. }
            | Op::FpFromInt { env, .. }
            | Op::FpCmp(_, _, env, ..)
            | Op::FlagsFcmp { env, .. } => Some(env),
            _ => None,
        }
    }

    /// Whether the operation can leave the generated code in the middle: what a guest's handler can then see must be exact.
    #[inline]
    pub fn can_fault(&self) -> bool {
        match self {
            Op::Load(_)
            | Op::Store(..)
            | Op::LoadLanes(..)
            | Op::StoreLanes(..)
            | Op::StoreAhead(..)
            | Op::AtomicRmw(..)
            | Op::CmpXchg { .. }
            | Op::LoadExcl(..)
            | Op::StoreExcl(..)
            | Op::Poll { .. }
            | Op::X87 { .. }
            | Op::X87Mem { .. } => true,
            Op::Call(h, _) => h.can_exit,
            _ => false,
        }
    }

    /// Whether it can raise anything. (Moving the x87 unit's state as a whole cannot, but it sees guest state, as what faults does.)
    pub fn can_raise(&self) -> bool {
        self.can_fault() && !matches!(self, Op::X87 { op: X87::Save | X87::Load, .. })
    }

    /// Whether the operation does something besides giving its value, so that it stays though nobody reads it.
    /// Floating-point arithmetic sets sticky flags: it stays.
    pub fn has_effect(&self) -> bool {
        use Op::*;
        match self {
            Set(..)
            | FpFlagsSet(_)
            | Store(..)
            | StoreAhead(..)
            | AtomicRmw(..)
            | CmpXchg { .. }
            | LoadExcl(..)
            | StoreExcl(..)
            | ClearExcl
            | Fence(_)
            | Load(_)
            | LoadAhead(_)
            | LoadLanes(..)
            | StoreLanes(..)
            | Insn { .. }
            | Poll { .. }
            | Prefetch(_)
            | X87 { .. }
            | X87Mem { .. }
            | FlagsFcmp { .. }
            | Fma { .. }
            | FpCvt { .. }
            | FpToInt { .. }
            | FpFromInt { .. }
            | FpToIntJs(_)
            | FpCmp(..)
            | Fp2(..) => true,
            Fp1(op, ..) => !matches!(op, self::Fp1::Neg | self::Fp1::Abs),
            Call(h, _) => !h.pure,
            _ => false,
        }
    }
}
