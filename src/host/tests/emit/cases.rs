//! Every operation in every lane and shape that it has: templates, whose operands are filled in where they are used.

use ir::{
    Bin, Cc, Crypto, Env, Fmt, Fp1, Fp2, FpCc, IntCc, Lane, NanRule, Op, Round, Shape, Ty, Un, V1, V2, V3, VShift, Val,
};

/// An operation, its result's type, and its operands' types.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) op: Op,
    pub(crate) ty: Ty,
    pub(crate) args: Vec<Ty>,
}

const N: Val = Val::NONE;
const LANES: [Lane; 4] = [Lane::B, Lane::H, Lane::S, Lane::D];
const V: Ty = Ty::V128;

fn case(op: Op, ty: Ty, args: &[Ty]) -> Case {
    Case { op, ty, args: args.to_vec() }
}

pub(crate) const ROUNDS: [Round; 4] = [Round::NearestEven, Round::Down, Round::Up, Round::Zero];

fn shapes(fmt: Fmt) -> Vec<Shape> {
    let full = 16 / fmt.lane().bytes() as u8;
    let mut s = vec![Shape::scalar(fmt)];
    s.extend([1, 2, 4, 8].into_iter().filter(|n| *n <= full).map(|n| Shape::vector(fmt, n)));
    s
}

pub(crate) fn vector() -> Vec<Case> {
    use V1::*;
    use V2::*;
    let mut c = Vec::new();
    let sat = [SatDoubleMulHi, SatDoubleMulHiRound, SatDoubleMulWide];
    let every2 = [
        Add,
        Sub,
        Mul,
        And,
        Or,
        Xor,
        AndNot,
        OrNot,
        MinS,
        MinU,
        MaxS,
        MaxU,
        AbdS,
        AbdU,
        CmpEq,
        CmpGtS,
        CmpGeS,
        CmpGtU,
        CmpGeU,
        CmpTst,
        SatAddS,
        SatAddU,
        SatSubS,
        SatSubU,
        SatAddSU,
        SatAddUS,
        HalfAddS,
        HalfAddU,
        HalfAddRoundS,
        HalfAddRoundU,
        HalfSubS,
        HalfSubU,
        ShiftS,
        ShiftU,
        ShiftRoundS,
        ShiftRoundU,
        ShiftSatS,
        ShiftSatU,
        ShiftSatRoundS,
        ShiftSatRoundU,
        ZipLo,
        ZipHi,
        UnzipEven,
        UnzipOdd,
        PairwiseAdd,
        TrnEven,
        TrnOdd,
    ];
    for (op, lane) in
        [(ShlEach, Lane::S), (ShlEach, Lane::D), (ShrEachU, Lane::S), (ShrEachU, Lane::D), (ShrEachS, Lane::S)]
    {
        c.push(case(Op::V2(op, lane, N, N), V, &[V, V]));
    }
    for lane in LANES {
        for op in every2 {
            c.push(case(Op::V2(op, lane, N, N), V, &[V, V]));
        }
        for op in sat {
            if matches!(lane, Lane::H | Lane::S) {
                c.push(case(Op::V2(op, lane, N, N), V, &[V, V]));
            }
        }
        if lane != Lane::D {
            for op in [MulWideS, MulWideU, PairwiseMinS, PairwiseMinU, PairwiseMaxS, PairwiseMaxU] {
                c.push(case(Op::V2(op, lane, N, N), V, &[V, V]));
            }
            for op in [WidenS, WidenU, PairAddS, PairAddU] {
                c.push(case(Op::V1(op, lane, N), V, &[V]));
            }
        }
        for op in [Not, Neg, Abs, SatAbs, SatNeg, Clz, Cls] {
            c.push(case(Op::V1(op, lane, N), V, &[V]));
        }
        if lane != Lane::B {
            for op in [Bswap, Narrow, NarrowSatS, NarrowSatSU, NarrowSatU] {
                c.push(case(Op::V1(op, lane, N), V, &[V]));
            }
        }
        for amount in 0..=lane.bits() as u8 {
            use VShift::*;
            for op in [Shl, ShlSatS, ShlSatU, ShlSatSU] {
                if u32::from(amount) < lane.bits() {
                    c.push(case(Op::VShift(op, lane, N, amount), V, &[V]));
                }
            }
            for op in [ShrU, ShrS, ShrRoundU, ShrRoundS] {
                if amount > 0 {
                    c.push(case(Op::VShift(op, lane, N, amount), V, &[V]));
                }
            }
        }
        if matches!(lane, Lane::H | Lane::S) {
            for op in [V3::SatDoubleMulAddHi, V3::SatDoubleMulSubHi] {
                c.push(case(Op::V3(op, lane, N, N, N), V, &[V, V, V]));
            }
        }
    }
    for (op, lane) in [
        (PMul, Lane::B),
        (Tbl, Lane::B),
        (PMulWide, Lane::B),
        (PMulWide, Lane::D),
        (ConcatLo, Lane::D),
        (ConcatHi, Lane::D),
    ] {
        c.push(case(Op::V2(op, lane, N, N), V, &[V, V]));
    }
    for (op, lane) in [
        (Popcnt, Lane::B),
        (Bitrev, Lane::B),
        (ZeroHi, Lane::D),
        (MoveHi, Lane::D),
        (RecipEstimateU, Lane::S),
        (RsqrtEstimateU, Lane::S),
    ] {
        c.push(case(Op::V1(op, lane, N), V, &[V]));
    }
    for op in [V3::BitSelect, V3::DotS, V3::DotU, V3::DotUS, V3::MatMulS, V3::MatMulU, V3::MatMulUS] {
        c.push(case(Op::V3(op, Lane::S, N, N, N), V, &[V, V, V]));
    }
    crypto(&mut c);
    moves(&mut c);
    c
}

fn crypto(c: &mut Vec<Case>) {
    use V3::*;
    for op in [
        Sha1C,
        Sha1P,
        Sha1M,
        Sha1Su0,
        Sha256H,
        Sha256H2,
        Sha256Su1,
        Sha256Rounds2,
        Sha512H,
        Sha512H2,
        Sha512Su1,
        Sm3PartW1,
        Sm3PartW2,
        Sm3Ss1,
    ] {
        c.push(case(Op::V3(op, Lane::S, N, N, N), V, &[V, V, V]));
    }
    use Crypto::*;
    for op in [AesSubShift, AesInvSubShift, AesMix, AesInvMix, Sha1H, Sha1Su1, Sha256Su0, Sha512Su0, Sm4E, Sm4Ekey] {
        c.push(case(Op::Crypto(op, N, N), V, &[V, V]));
    }
}

fn moves(c: &mut Vec<Case>) {
    for (int, float) in [(Ty::I16, Ty::F16), (Ty::I32, Ty::F32), (Ty::I64, Ty::F64)] {
        c.push(case(Op::Bitcast(N), float, &[int]));
        c.push(case(Op::Bitcast(N), int, &[float]));
        c.push(case(Op::Select(N, N, N), float, &[Ty::I1, float, float]));
    }
    c.push(case(Op::Select(N, N, N), V, &[Ty::I1, V, V]));
    for from in 0..=16 {
        c.push(case(Op::VExt(N, N, from), V, &[V, V]));
    }
    for lane in LANES {
        let mut types = vec![lane.ty()];
        types.extend(
            [(Lane::H, Ty::F16), (Lane::S, Ty::F32), (Lane::D, Ty::F64)]
                .into_iter()
                .filter(|(l, _)| *l == lane)
                .map(|(_, t)| t),
        );
        for ty in types {
            c.push(case(Op::VFromScalar(N), V, &[ty]));
            c.push(case(Op::VSplat(lane, N), V, &[ty]));
            for n in 0..16 / lane.bytes() as u8 {
                c.push(case(Op::VGet(lane, N, n), ty, &[V]));
                c.push(case(Op::VSet(lane, N, N, n), V, &[V, ty]));
            }
            for n in 0..8 / lane.bytes() as u8 {
                if lane != Lane::D {
                    c.push(case(Op::VGet(lane, N, n), ty, &[Ty::F64]));
                    c.push(case(Op::VSet(lane, N, N, n), Ty::F64, &[Ty::F64, ty]));
                }
            }
        }
        for n in 0..16 / lane.bytes() as u8 {
            c.push(case(Op::VSplatLane(lane, N, n), V, &[V]));
        }
    }
}

/// Floating-point operations in an environment; those that ignore its rounding too.
pub(crate) fn float(env: Env) -> Vec<Case> {
    let mut c = Vec::new();
    for fmt in [Fmt::F16, Fmt::F32, Fmt::F64] {
        for shape in shapes(fmt) {
            let t = shape.ty();
            arithmetic(&mut c, shape, env, t);
            integers(&mut c, shape, env, t);
            if shape.lanes > 0 {
                for cc in [FpCc::Eq, FpCc::Ge, FpCc::Gt, FpCc::AbsGe, FpCc::AbsGt] {
                    c.push(case(Op::FpCmp(cc, shape, env, N, N), t, &[t, t]));
                }
            }
        }
        for signalling in [false, true] {
            c.push(case(Op::FlagsFcmp { fmt, signalling, env, a: N, b: N }, Ty::Flags, &[fmt.ty(), fmt.ty()]));
        }
    }
    for (from, to) in [
        (Fmt::F16, Fmt::F32),
        (Fmt::F16, Fmt::F64),
        (Fmt::F32, Fmt::F16),
        (Fmt::F32, Fmt::F64),
        (Fmt::F64, Fmt::F16),
        (Fmt::F64, Fmt::F32),
        (Fmt::F32, Fmt::BF16),
    ] {
        c.push(case(Op::FpCvt { from, to, lanes: 0, env, v: N }, to.ty(), &[from.ty()]));
        let most = 16 / from.lane().bytes().max(to.lane().bytes()) as u8;
        c.push(case(Op::FpCvt { from, to, lanes: most, env, v: N }, V, &[V]));
    }
    let odd = env.round(Round::Odd);
    c.push(case(Op::FpCvt { from: Fmt::F64, to: Fmt::F32, lanes: 2, env: odd, v: N }, V, &[V]));
    c.push(case(Op::FpToIntJs(N), Ty::I32, &[Ty::F64]));
    c
}

fn arithmetic(c: &mut Vec<Case>, shape: Shape, env: Env, t: Ty) {
    use Fp1::*;
    use Fp2::*;
    for op in [Neg, Abs, Sqrt, RecipEstimate, RsqrtEstimate, RecipExponent] {
        c.push(case(Op::Fp1(op, shape, env, N), t, &[t]));
    }
    for round in [Round::NearestEven, Round::Down, Round::Up, Round::Zero, Round::NearestAway] {
        for op in [RoundInt, RoundIntExact] {
            c.push(case(Op::Fp1(op, shape, env.round(round), N), t, &[t]));
        }
    }
    if shape.fmt != Fmt::F16 {
        for op in [RoundInt32, RoundInt64] {
            c.push(case(Op::Fp1(op, shape, env, N), t, &[t]));
        }
    }
    for op in [Add, Sub, AddNeg, Mul, Div, Min, Max, MinNum, MaxNum, MulX, RecipStep, RsqrtStep] {
        c.push(case(Op::Fp2(op, shape, env, N, N), t, &[t, t]));
    }
    for neg_product in [false, true] {
        for neg_addend in [false, true] {
            c.push(case(Op::Fma { shape, env, neg_product, neg_addend, a: N, b: N, c: N }, t, &[t, t, t]));
        }
    }
}

/// Of the lowest lane, as x86 has them.
pub(crate) fn lowest(round: Round) -> Vec<Case> {
    use Fp2::*;
    let mut c = Vec::new();
    let (plain, flush) = (Env::X86.round(round), Env { flush_in: true, flush_out: true, ..Env::X86 }.round(round));
    for (fmt, env) in [Fmt::F32, Fmt::F64].into_iter().flat_map(|fmt| [(fmt, plain), (fmt, flush)]) {
        for op in [Add, Sub, Mul, Div, MinSelect, MaxSelect] {
            c.push(case(Op::Fp2(op, Shape::low(fmt, 0), env, N, N), V, &[V, V]));
        }
        for (of, signs) in (0..3).flat_map(|of| (0..4).map(move |signs| (of, signs))) {
            let (shape, neg_product, neg_addend) = (Shape::low(fmt, of), signs & 1 != 0, signs & 2 != 0);
            c.push(case(Op::Fma { shape, env, neg_product, neg_addend, a: N, b: N, c: N }, V, &[V, V, V]));
        }
    }
    c
}

fn integers(c: &mut Vec<Case>, shape: Shape, env: Env, t: Ty) {
    for signed in [false, true] {
        for (ty, bits) in [(Ty::I32, 32), (Ty::I64, 64)] {
            let lane_bits = shape.fmt.lane().bits() as u8;
            let (ty, bits) = if shape.lanes == 0 {
                (ty, bits)
            } else if bits == 32 {
                (V, lane_bits)
            } else {
                continue;
            };
            for round in [Round::NearestEven, Round::Down, Round::Up, Round::Zero, Round::NearestAway] {
                let env = env.round(round);
                c.push(case(Op::FpToInt { shape, env, signed, bits, fbits: 0, v: N }, ty, &[t]));
            }
            let env_zero = env.round(Round::Zero);
            c.push(case(Op::FpToInt { shape, env: env_zero, signed, bits, fbits: bits / 2, v: N }, ty, &[t]));
            for fbits in [0, bits / 2, bits] {
                c.push(case(Op::FpFromInt { shape, env, signed, fbits, v: N }, t, &[ty]));
            }
        }
    }
}

/// Integer operations and flags.
pub(crate) fn integer() -> Vec<Case> {
    let mut c = Vec::new();
    for ty in [Ty::I32, Ty::I64] {
        for op in [
            Bin::Add,
            Bin::Sub,
            Bin::Mul,
            Bin::And,
            Bin::Or,
            Bin::Xor,
            Bin::AndNot,
            Bin::Shl,
            Bin::Shr,
            Bin::Sar,
            Bin::Rotr,
            Bin::MulHiU,
            Bin::MulHiS,
            Bin::DivU,
            Bin::DivS,
            Bin::RemU,
            Bin::RemS,
            Bin::Pdep,
            Bin::Pext,
        ] {
            c.push(case(Op::Bin(op, N, N), ty, &[ty, ty]));
        }
        for op in [Un::Neg, Un::Not, Un::Clz, Un::Ctz, Un::Popcnt, Un::Bswap, Un::Bitrev] {
            c.push(case(Op::Un(op, N), ty, &[ty]));
        }
        let bits = ty.bits() as u8;
        for (lsb, width) in [
            (0, 1),
            (0, 8),
            (0, 16),
            (0, 31),
            (3, 5),
            (8, 8),
            (16, 16),
            (bits - 1, 1),
            (bits - 8, 8),
            (1, bits - 1),
            (4, 20),
            (0, bits / 2),
            (7, 25),
        ] {
            for signed in [false, true] {
                c.push(case(Op::Extract { v: N, lsb, width, signed }, ty, &[ty]));
            }
            c.push(case(Op::Deposit { into: N, v: N, lsb, width }, ty, &[ty, ty]));
        }
        if ty == Ty::I64 {
            for (lsb, width) in [(0, 32), (32, 32), (0, 33), (5, 40), (31, 2), (16, 32), (1, 62)] {
                for signed in [false, true] {
                    c.push(case(Op::Extract { v: N, lsb, width, signed }, ty, &[ty]));
                }
                c.push(case(Op::Deposit { into: N, v: N, lsb, width }, ty, &[ty, ty]));
            }
        }
        for amount in [0, 1, 7, 31, bits - 1] {
            c.push(case(Op::Funnel { hi: N, lo: N, amount }, ty, &[ty, ty]));
        }
        for left in [false, true] {
            c.push(case(Op::ShiftDouble { left, a: N, b: N, amount: N }, ty, &[ty, ty, ty]));
        }
        c.push(case(Op::Select(N, N, N), ty, &[Ty::I1, ty, ty]));
        c.push(case(Op::AddC(N, N, N), ty, &[ty, ty, Ty::Flags]));
        c.push(case(Op::SubC(N, N, N), ty, &[ty, ty, Ty::Flags]));
    }
    for ty in [Ty::I8, Ty::I16, Ty::I32, Ty::I64] {
        use IntCc::*;
        for cc in [Eq, Ne, Ult, Ule, Ugt, Uge, Slt, Sle, Sgt, Sge] {
            c.push(case(Op::Cmp(cc, N, N), Ty::I1, &[ty, ty]));
        }
        c.push(case(Op::FlagsAdd(N, N), Ty::Flags, &[ty, ty]));
        c.push(case(Op::FlagsSub(N, N), Ty::Flags, &[ty, ty]));
        c.push(case(Op::FlagsLogic(N), Ty::Flags, &[ty]));
        if ty.bits() >= 32 {
            c.push(case(Op::FlagsAdc(N, N, N), Ty::Flags, &[ty, ty, Ty::Flags]));
            c.push(case(Op::FlagsSbc(N, N, N), Ty::Flags, &[ty, ty, Ty::Flags]));
        }
        c.push(case(Op::FlagsNz(N, N), Ty::Flags, &[ty, Ty::Flags]));
        c.push(case(Op::FlagsNzc(N, N, N), Ty::Flags, &[ty, Ty::I1, Ty::Flags]));
        for down in [false, true] {
            c.push(case(Op::FlagsStep { down, v: N, flags: N }, Ty::Flags, &[ty, Ty::Flags]));
        }
        if ty.bits() >= 32 {
            for remainder in [false, true] {
                c.push(case(Op::DivWide { remainder, hi: N, lo: N, divisor: N }, ty, &[ty, ty, ty]));
            }
        }
        for shift in [Bin::Shl, Bin::Shr, Bin::Sar] {
            for amount in [1, 3, ty.bits() as u8 - 1] {
                c.push(case(Op::FlagsShift { shift, v: N, amount, flags: N }, Ty::Flags, &[ty, Ty::Flags]));
            }
        }
        if ty != Ty::I64 {
            c.push(case(Op::Zext(N), Ty::I64, &[ty]));
            c.push(case(Op::Sext(N), Ty::I64, &[ty]));
            c.push(case(Op::Trunc(N), ty, &[Ty::I64]));
        }
        c.push(case(Op::Trunc(N), Ty::I1, &[ty]));
        for crc in [false, true] {
            let x = if ty == Ty::I64 { ty } else { Ty::I32 };
            c.push(case(Op::Crc32 { acc: N, v: N, bytes: ty.bytes() as u8, c: crc }, Ty::I32, &[Ty::I32, x]));
        }
    }
    c.push(case(Op::Zext(N), Ty::I64, &[Ty::I1]));
    c.push(case(Op::Zext(N), Ty::I32, &[Ty::I1]));
    c.push(case(Op::Sext(N), Ty::I64, &[Ty::I1]));
    c.push(case(Op::Sext(N), Ty::I32, &[Ty::I8]));
    c.push(case(Op::Select(N, N, N), Ty::Flags, &[Ty::I1, Ty::Flags, Ty::Flags]));
    c.push(case(Op::FlagsSetC(N, N), Ty::Flags, &[Ty::Flags, Ty::I1]));
    // Not FlagsToEflags: A and P mean nothing in what most of these operations leave. x86's own runs against the host compare them.
    c.push(case(Op::FlagsFromEflags(N), Ty::Flags, &[Ty::I32]));
    c.push(case(Op::FlagsTest(N, N), Ty::Flags, &[Ty::V128, Ty::V128]));
    for (control, explicit) in [(0x0c, false), (0x1a, false), (0x45, true), (0x7f, true), (0x40, false), (0x08, true)] {
        for ty in [Ty::I32, Ty::V128, Ty::Flags] {
            let op = Op::Strings { control, explicit, a: N, b: N, lengths: N };
            c.push(case(op, ty, &[Ty::V128, Ty::V128, Ty::I64]));
        }
    }
    c.push(case(Op::FlagsToBits(N), Ty::I32, &[Ty::Flags]));
    c.push(case(Op::FlagsFromBits(N), Ty::Flags, &[Ty::I32]));
    for cc in Cc::ALL {
        c.push(case(Op::Cond(cc, N), Ty::I1, &[Ty::Flags]));
    }
    c
}

/// Environments that the guests have.
pub(crate) fn environments() -> Vec<Env> {
    let arm = Env::IEEE_ARM;
    let flush = Env { flush_in: true, flush_out: true, ..arm };
    vec![arm, Env { nan: NanRule::Default, ..arm }, flush, Env { nan: NanRule::Default, ..flush }]
}
