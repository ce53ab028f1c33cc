//! Integers and flags.

use super::{A, B, C, run};
use crate::op::{Bin, Op, Shift, Un, Val};
use crate::types::{Cc, IntCc, Ty};

#[test]
fn binary() {
    #[rustfmt::skip]
    let rows: &[(Bin, Ty, u64, u64, u64)] = &[
        (Bin::Add,    Ty::I32, 0xffff_ffff, 2, 1),
        (Bin::Sub,    Ty::I8,  0, 1, 0xff),
        (Bin::Mul,    Ty::I16, 0x1234, 0x100, 0x3400),
        (Bin::AndNot, Ty::I64, 0xff, 0x0f, 0xf0),
        (Bin::Shl,    Ty::I32, 1, 33, 2),
        (Bin::Shl,    Ty::I8,  0x81, 1, 2),
        (Bin::Shr,    Ty::I64, 1 << 63, 63, 1),
        (Bin::Sar,    Ty::I16, 0x8000, 15, 0xffff),
        (Bin::Sar,    Ty::I32, 0x8000_0000, 32, 0x8000_0000),
        (Bin::Rotr,   Ty::I32, 0x1234_5678, 8, 0x7812_3456),
        (Bin::Rotr,   Ty::I8,  0x01, 1, 0x80),
        (Bin::MulHiU, Ty::I64, u64::MAX, u64::MAX, u64::MAX - 1),
        (Bin::MulHiS, Ty::I64, u64::MAX, 2, u64::MAX),
        (Bin::MulHiS, Ty::I32, 0x8000_0000, 0x8000_0000, 0x4000_0000),
        (Bin::DivU,   Ty::I32, 7, 0, 0),
        (Bin::DivU,   Ty::I32, 0xffff_fffe, 2, 0x7fff_ffff),
        (Bin::DivS,   Ty::I32, 0xffff_fff9, 2, 0xffff_fffd),
        (Bin::DivS,   Ty::I64, 1 << 63, u64::MAX, 1 << 63),
        (Bin::DivS,   Ty::I64, 5, 0, 0),
        (Bin::RemU,   Ty::I8,  200, 7, 4),
        (Bin::RemS,   Ty::I8,  0xf9, 4, 0xfd),
        (Bin::RemS,   Ty::I32, 0x8000_0000, 0xffff_ffff, 0),
        (Bin::RemS,   Ty::I32, 9, 0, 0),
    ];
    for &(op, ty, a, b, expect) in rows {
        let got = run(Op::Bin(op, A, B), ty, &[(ty, a.into()), (ty, b.into())]);
        assert_eq!(got, (expect.into(), 0), "{op:?} {ty:?} {a:#x} {b:#x}");
    }
}

#[test]
fn unary_and_widths() {
    #[rustfmt::skip]
    let rows: &[(Op, Ty, Ty, u128, u128)] = &[
        (Op::Un(Un::Neg, A),    Ty::I16, Ty::I16, 1, 0xffff),
        (Op::Un(Un::Not, A),    Ty::I1,  Ty::I1,  1, 0),
        (Op::Un(Un::Clz, A),    Ty::I32, Ty::I32, 0, 32),
        (Op::Un(Un::Clz, A),    Ty::I8,  Ty::I8,  1, 7),
        (Op::Un(Un::Ctz, A),    Ty::I16, Ty::I16, 0, 16),
        (Op::Un(Un::Ctz, A),    Ty::I64, Ty::I64, 1 << 40, 40),
        (Op::Un(Un::Popcnt, A), Ty::I32, Ty::I32, 0xf0f0, 8),
        (Op::Un(Un::Bswap, A),  Ty::I32, Ty::I32, 0x1234_5678, 0x7856_3412),
        (Op::Un(Un::Bswap, A),  Ty::I16, Ty::I16, 0x1234, 0x3412),
        (Op::Un(Un::Bitrev, A), Ty::I8,  Ty::I8,  0x13, 0xc8),
        (Op::Zext(A),  Ty::I8,  Ty::I64, 0x80, 0x80),
        (Op::Sext(A),  Ty::I8,  Ty::I32, 0x80, 0xffff_ff80),
        (Op::Sext(A),  Ty::I1,  Ty::I16, 1, 0xffff),
        (Op::Trunc(A), Ty::I64, Ty::I8,  0x1234, 0x34),
        (Op::Trunc(A), Ty::I32, Ty::I1,  2, 0),
        (Op::Bitcast(A), Ty::F32, Ty::I32, 0x3f80_0000, 0x3f80_0000),
        (Op::Extract { v: A, lsb: 4, width: 8, signed: false }, Ty::I32, Ty::I32, 0xabcd, 0xbc),
        (Op::Extract { v: A, lsb: 4, width: 8, signed: true },  Ty::I32, Ty::I32, 0xabcd, 0xffff_ffbc),
        (Op::Extract { v: A, lsb: 0, width: 64, signed: true }, Ty::I64, Ty::I64, 1 << 63, 1 << 63),
    ];
    for &(op, from, to, a, expect) in rows {
        assert_eq!(run(op, to, &[(from, a)]).0, expect, "{op:?} {from:?} {a:#x}");
    }
}

#[test]
fn several_operands() {
    let i32s = |v: &[u32]| v.iter().map(|&v| (Ty::I32, v.into())).collect::<Vec<_>>();
    let deposit = Op::Deposit { into: A, v: B, lsb: 8, width: 4 };
    assert_eq!(run(deposit, Ty::I32, &i32s(&[0xffff_ffff, 0x75])).0, 0xffff_f5ff);
    let funnel = |amount| Op::Funnel { hi: A, lo: B, amount };
    assert_eq!(run(funnel(8), Ty::I32, &i32s(&[0x1122_3344, 0x5566_7788])).0, 0x4455_6677);
    assert_eq!(run(funnel(0), Ty::I32, &i32s(&[1, 2])).0, 2);
    for (cond, expect) in [(0, 7), (1, 5)] {
        let operands = [(Ty::I1, cond), (Ty::V128, 5), (Ty::V128, 7)];
        assert_eq!(run(Op::Select(A, B, C), Ty::V128, &operands).0, expect);
    }
    for (flags, sum, difference) in [(0, 12, 1), (0x100, 13, 2), (0xC001, 12, 1)] {
        let operands = [(Ty::I8, 7), (Ty::I8, 5), (Ty::Flags, flags)];
        assert_eq!(run(Op::AddC(A, B, C), Ty::I8, &operands).0, sum);
        assert_eq!(run(Op::SubC(A, B, C), Ty::I8, &operands).0, difference);
    }
}

/// CRC-32 and CRC-32C of "123456789" are 0xCBF43926 and 0xE3069283 (with the complements that the instructions lack).
#[test]
fn crc() {
    for (c, expect) in [(false, 0xCBF4_3926u32), (true, 0xE306_9283)] {
        let part = |acc: u128, v: &[u8]| {
            let bits = v.iter().rev().fold(0, |bits, &b| bits << 8 | u128::from(b));
            let op = Op::Crc32 { acc: A, v: B, bytes: v.len() as u8, c };
            run(op, Ty::I32, &[(Ty::I32, acc), (Ty::int(v.len()), bits)]).0
        };
        let crc = part(part(u32::MAX.into(), b"12345678"), b"9");
        assert_eq!(!crc as u32, expect);
        let crc = part(part(part(part(u32::MAX.into(), b"1"), b"23"), b"4567"), b"89");
        assert_eq!(!crc as u32, expect);
    }
}

const N: u128 = 0x8000;
const Z: u128 = 0x4000;
const CARRY: u128 = 0x100;
const V: u128 = 1;
/// Arm's.
const ARM: u128 = N | Z | CARRY | V;
// x86's alone.
const ADJUST: u128 = 0x1000;
const PARITY: u128 = 0x400;

/// C is the opposite of CF.
#[test]
fn flags_of_x86() {
    let (step, shift) =
        (|down| Op::FlagsStep { down, v: A, flags: B }, |shift| Op::FlagsShiftX86 { shift, v: A, amount: B, flags: C });
    let flags = |op, operands: &[_]| run(op, Ty::Flags, operands).0;
    let i32s = |a, b| [(Ty::I32, a), (Ty::I32, b)];
    assert_eq!(flags(Op::FlagsAdd(A, B), &i32s(0x0f, 1)), ADJUST);
    assert_eq!(flags(Op::FlagsAdd(A, B), &i32s(1, 2)), PARITY);
    assert_eq!(flags(Op::FlagsSub(A, B), &i32s(0x10, 1)), ADJUST | PARITY | CARRY);
    assert_eq!(flags(Op::FlagsSub(A, B), &i32s(0x1f, 1)), PARITY | CARRY);
    assert_eq!(flags(Op::FlagsLogic(A), &[(Ty::I16, 0x100)]), PARITY);
    assert_eq!(flags(step(false), &[(Ty::I8, 0x7f), (Ty::Flags, CARRY)]), N | V | ADJUST | CARRY);
    assert_eq!(flags(step(true), &[(Ty::I8, 0), (Ty::Flags, 0)]), N | ADJUST | PARITY);
    let shifted = |kind, v, n, old| flags(shift(kind), &[(Ty::I8, v), (Ty::I8, n), (Ty::Flags, old)]);
    assert_eq!(shifted(Shift::Shl, 0xc1, 1, 0), N | PARITY);
    assert_eq!(shifted(Shift::Shl, 0x40, 1, 0), N | V | CARRY);
    assert_eq!(shifted(Shift::Shl, 1, 0, N | V), N | V);
    assert_eq!(shifted(Shift::Shr, 0x81, 1, 0), V);
    assert_eq!(shifted(Shift::Shr, 0x08, 3, 0), CARRY);
    assert_eq!(shifted(Shift::Sar, 0x80, 31, 0), N | PARITY);
    assert_eq!(shifted(Shift::Rol, 0x80, 1, Z | PARITY), Z | PARITY | V);
    assert_eq!(shifted(Shift::Ror, 0x02, 1, N), N | CARRY);
    assert_eq!(shifted(Shift::Ror, 0x80, 8, 0), 0);
    let doubled = |left, v, b, n, old| {
        let operands = [(Ty::I32, v), (Ty::I32, b), (Ty::I32, n), (Ty::Flags, old)];
        let r = run(Op::ShiftDouble { left, a: A, b: B, amount: C }, Ty::I32, &operands[..3]).0;
        (r, flags(Op::FlagsShiftDouble { left, a: A, b: B, amount: C, flags: Val(3) }, &operands))
    };
    assert_eq!(doubled(true, 0x4000_0001, 0x8000_0000, 1, 0), (0x8000_0003, N | V | PARITY | CARRY));
    assert_eq!(doubled(true, 0x1234_5678, 0x9abc_def0, 8, 0), (0x3456_789a, PARITY | CARRY));
    assert_eq!(doubled(false, 0x1234_5678, 0x9abc_def0, 4, 0), (0x0123_4567, 0));
    assert_eq!(doubled(false, 0x1234_5678, 0x9abc_def0, 32, N | V), (0x1234_5678, N | V));
    let product = |signed| Op::FlagsProduct { signed, a: A, b: B };
    for (signed, a, b, wider) in
        [(false, 16, 15, false), (false, 16, 16, true), (true, 0xf0, 8, false), (true, 16, 8, true)]
    {
        assert_eq!(flags(product(signed), &[(Ty::I8, a), (Ty::I8, b)]), if wider { V } else { CARRY });
    }
    for (a, b, expect) in [(1, 2, Z | CARRY), (3, 2, 0), (1, 3, CARRY), (1, 0, Z)] {
        assert_eq!(flags(Op::FlagsTest(A, B), &[(Ty::V128, a), (Ty::V128, b)]), expect);
    }
    for (eflags, expect) in [(0, CARRY), (0x8d5, N | Z | ADJUST | PARITY | V)] {
        assert_eq!(flags(Op::FlagsFromEflags(A), &[(Ty::I32, eflags | 2)]), expect);
        assert_eq!(run(Op::FlagsToEflags(A), Ty::I32, &[(Ty::Flags, expect)]).0, eflags);
    }
    for (cc, value, expect) in [(Cc::Pe, PARITY, 1), (Cc::Po, PARITY, 0), (Cc::Po, N, 1)] {
        assert_eq!(run(Op::Cond(cc, A), Ty::I1, &[(Ty::Flags, value)]).0, expect);
    }
}

#[test]
fn flags_of_arithmetic() {
    let (add, sub) = (Op::FlagsAdd(A, B), Op::FlagsSub(A, B));
    let (adc, sbc) = (Op::FlagsAdc(A, B, C), Op::FlagsSbc(A, B, C));
    #[rustfmt::skip]
    let rows: &[(Op, Ty, u128, u128, u128, u128)] = &[
        (add, Ty::I32, 0x7fff_ffff, 1, 0, N | V),
        (add, Ty::I32, 0xffff_ffff, 1, 0, Z | CARRY),
        (add, Ty::I64, 1 << 63, 1 << 63, 0, Z | CARRY | V),
        (add, Ty::I8,  0x80, 0x7f, 0, N),
        (sub, Ty::I32, 5, 5, 0, Z | CARRY),
        (sub, Ty::I32, 5, 6, 0, N),
        (sub, Ty::I32, 0x8000_0000, 1, 0, CARRY | V),
        (sub, Ty::I64, 0, 1 << 63, 0, N | V),
        (sub, Ty::I64, 0, 0, 0, Z | CARRY),
        (adc, Ty::I32, 0xffff_ffff, 0xffff_ffff, CARRY, N | CARRY),
        (adc, Ty::I32, 0xffff_ffff, 0, CARRY, Z | CARRY),
        (adc, Ty::I32, 0x7fff_ffff, 0, CARRY, N | V),
        (adc, Ty::I32, 1, 1, N | Z | V, 0),
        (sbc, Ty::I32, 5, 5, 0, N),
        (sbc, Ty::I32, 5, 5, CARRY, Z | CARRY),
        (sbc, Ty::I32, 0, 0xffff_ffff, 0, Z),
        (sbc, Ty::I64, 1 << 63, 0, 0, CARRY | V),
    ];
    for &(op, ty, a, b, c, expect) in rows {
        let got = run(op, Ty::Flags, &[(ty, a), (ty, b), (Ty::Flags, c)]).0 & ARM;
        assert_eq!(got, expect, "{op:?} {ty:?} {a:#x} {b:#x} {c:#x}");
    }
}

#[test]
fn flags_by_parts() {
    let flags = |op, operands: &[_]| run(op, Ty::Flags, operands).0 & ARM;
    assert_eq!(flags(Op::FlagsLogic(A), &[(Ty::I32, 0x8000_0000)]), N);
    assert_eq!(flags(Op::FlagsLogic(A), &[(Ty::I64, 0)]), Z);
    assert_eq!(flags(Op::FlagsNz(A, B), &[(Ty::I32, 0), (Ty::Flags, N | CARRY | V)]), Z | CARRY | V);
    assert_eq!(flags(Op::FlagsSetC(A, B), &[(Ty::Flags, N | CARRY), (Ty::I1, 0)]), N);
    assert_eq!(flags(Op::FlagsSetC(A, B), &[(Ty::Flags, V), (Ty::I1, 1)]), CARRY | V);
    let shift = |shift, amount| Op::FlagsShift { shift, v: A, amount, flags: B };
    assert_eq!(flags(shift(Bin::Shl, 1), &[(Ty::I32, 0x8000_0000), (Ty::Flags, N | V)]), Z | CARRY | V);
    assert_eq!(flags(shift(Bin::Shl, 31), &[(Ty::I32, 1), (Ty::Flags, CARRY)]), N);
    assert_eq!(flags(shift(Bin::Shr, 4), &[(Ty::I32, 0x18), (Ty::Flags, V)]), CARRY | V);
    assert_eq!(flags(shift(Bin::Sar, 31), &[(Ty::I64, 1 << 63), (Ty::Flags, Z)]), N);
    for nzcv in 0..16u32 {
        let value = flags(Op::FlagsFromBits(A), &[(Ty::I32, u128::from(nzcv) << 28 | 0xfff)]);
        assert_eq!(value.count_ones(), nzcv.count_ones());
        assert_eq!(run(Op::FlagsToBits(A), Ty::I32, &[(Ty::Flags, value)]).0, u128::from(nzcv) << 28);
        for cc in Cc::ALL {
            let got = run(Op::Cond(cc, A), Ty::I1, &[(Ty::Flags, value)]).0;
            assert_eq!(got == 1, cc.holds(nzcv));
        }
    }
}

/// A condition on the flags of a - b is the comparison of a with b.
#[test]
fn conditions_are_comparisons() {
    let pairs = [
        (Cc::Eq, IntCc::Eq),
        (Cc::Ne, IntCc::Ne),
        (Cc::Cs, IntCc::Uge),
        (Cc::Cc, IntCc::Ult),
        (Cc::Hi, IntCc::Ugt),
        (Cc::Ls, IntCc::Ule),
        (Cc::Ge, IntCc::Sge),
        (Cc::Lt, IntCc::Slt),
        (Cc::Gt, IntCc::Sgt),
        (Cc::Le, IntCc::Sle),
    ];
    for a in 0..=255 {
        for b in 0..=255 {
            let flags = run(Op::FlagsSub(A, B), Ty::Flags, &[(Ty::I8, a), (Ty::I8, b)]).0;
            for (cc, int_cc) in pairs {
                let by_flags = run(Op::Cond(cc, A), Ty::I1, &[(Ty::Flags, flags)]).0;
                let direct = run(Op::Cmp(int_cc, A, B), Ty::I1, &[(Ty::I8, a), (Ty::I8, b)]).0;
                assert_eq!(by_flags, direct, "{cc:?} {a} {b}");
            }
        }
    }
}
