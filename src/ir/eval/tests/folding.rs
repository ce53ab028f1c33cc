//! Folding while building (`fold.rs`) gives what `eval` computes.

use super::{A, B, run};
use crate::builder::Builder;
use crate::interp::{self, Machine, MemFault, Memory, Outcome};
use crate::mem::Mem;
use crate::op::{Bin, Op, Slot, Un, V1, V2, Val};
use crate::region::{FpControl, Term};
use crate::types::{IntCc, Lane, Round, Ty};
use crate::verify;

const BINS: [Bin; 19] = [
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
];
const UNS: [Un; 7] = [Un::Neg, Un::Not, Un::Clz, Un::Ctz, Un::Popcnt, Un::Bswap, Un::Bitrev];
const CMPS: [IntCc; 10] = [
    IntCc::Eq,
    IntCc::Ne,
    IntCc::Ult,
    IntCc::Ule,
    IntCc::Ugt,
    IntCc::Uge,
    IntCc::Slt,
    IntCc::Sle,
    IntCc::Sgt,
    IntCc::Sge,
];

/// xorshift64*, and small or extreme numbers among its output.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let v = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        match v >> 60 {
            0 => v & 3,
            1 => !(v & 3),
            2 => 1 << (v & 63),
            3 => (1 << (v & 63)) - 1,
            4 => v & 0x8080_8080_8080_8080,
            _ => v,
        }
    }
    fn below(&mut self, n: u32) -> u32 {
        (self.next() >> 7) as u32 % n
    }
}

/// What the builder makes of constants is what `eval` computes.
#[test]
fn folding_agrees() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut b = Builder::new(&[]);
    for _ in 0..3000 {
        b.start(0, 0, FpControl { round: Round::NearestEven });
        let ty = [Ty::I1, Ty::I8, Ty::I16, Ty::I32, Ty::I64][random.below(5) as usize];
        let (x, y) = (random.next() & ty.mask(), random.next() & ty.mask());
        let (lsb, width) = {
            let lsb = random.below(ty.bits());
            (lsb, 1 + random.below(ty.bits() - lsb))
        };
        let (vx, vy) = (b.constant(ty, x), b.constant(ty, y));
        let mut cases = Vec::new();
        for op in BINS {
            cases.push((Op::Bin(op, A, B), ty, b.bin(op, vx, vy)));
        }
        // The bytes of a single bit do not turn.
        for op in UNS.into_iter().filter(|op| *op != Un::Bswap || ty != Ty::I1) {
            cases.push((Op::Un(op, A), ty, b.un(op, vx)));
        }
        for cc in CMPS {
            cases.push((Op::Cmp(cc, A, B), Ty::I1, b.cmp(cc, vx, vy)));
        }
        for signed in [false, true] {
            let op = Op::Extract { v: A, lsb: lsb as u8, width: width as u8, signed };
            cases.push((op, ty, b.extract(vx, lsb, width, signed)));
        }
        let op = Op::Deposit { into: A, v: B, lsb: lsb as u8, width: width as u8 };
        cases.push((op, ty, b.deposit(vx, vy, lsb, width)));
        for to in [Ty::I8, Ty::I16, Ty::I32, Ty::I64] {
            if to.bits() > ty.bits() {
                cases.push((Op::Zext(A), to, b.zext(to, vx)));
                cases.push((Op::Sext(A), to, b.sext(to, vx)));
            } else if to.bits() < ty.bits() {
                cases.push((Op::Trunc(A), to, b.trunc(to, vx)));
            }
        }
        if ty.bits() >= 32 {
            let op = Op::Funnel { hi: A, lo: A, amount: lsb as u8 };
            cases.push((op, ty, b.funnel(vx, vx, lsb)));
        }
        for (op, to, folded) in cases {
            let second = if matches!(op, Op::Funnel { .. }) { x } else { y };
            let expect = run(op, to, &[(ty, x.into()), (ty, second.into())]).0;
            let folded = b.const_of(folded).map(u128::from);
            assert_eq!(folded, Some(expect), "{op:?} {ty:?}→{to:?} {x:#x} {y:#x}");
        }
    }
}

/// Memory that answers a load with its address.
struct Addresses;

impl Memory for Addresses {
    fn load(&mut self, addr: u64, _: usize) -> Result<u128, MemFault> {
        Ok(addr.into())
    }
    fn store(&mut self, addr: u64, _: usize, _: u128) -> Result<(), MemFault> {
        Err(MemFault { addr, write: true })
    }
    fn cmpxchg(&mut self, addr: u64, _: usize, _: u128, _: u128) -> Result<u128, MemFault> {
        Err(MemFault { addr, write: true })
    }
}

/// Builds a value of the two slots' values and runs that.
fn interpret(types: &'static [Ty; 2], x: u64, y: u64, f: impl FnOnce(&mut Builder, Val, Val) -> Val) -> u64 {
    let mut b = Builder::new(types);
    b.start(0, 0, FpControl { round: Round::NearestEven });
    let (vx, vy) = (b.get(Slot(0)), b.get(Slot(1)));
    let v = f(&mut b, vx, vy);
    let pc = b.zext(Ty::I64, v);
    b.end(Term::Indirect { pc });
    verify::check(&b.region, types).unwrap();
    let mut state = [0; 16];
    state[..8].copy_from_slice(&x.to_le_bytes());
    state[8..].copy_from_slice(&y.to_le_bytes());
    let slots = [(0, types[0]), (8, types[1])];
    let (memory, fp_flags, monitor) = (&mut Addresses, 0, None);
    let mut machine = Machine { state: &mut state, slots: &slots, memory, fp_flags, monitor };
    match interp::run(&b.region, &mut machine) {
        Outcome::Indirect(value) => value,
        other => panic!("{other:?}"),
    }
}

/// One operand a constant, or both the same.
#[test]
fn identities_agree() {
    let types: [&'static [Ty; 2]; 4] = [&[Ty::I8; 2], &[Ty::I16; 2], &[Ty::I32; 2], &[Ty::I64; 2]];
    for types in types {
        let ty = types[0];
        let sign = 1 << (ty.bits() - 1);
        let corners = [0, 1, 2, 7, ty.bits().into(), ty.mask(), sign, sign - 1, 0xa5c3_96e1_7b4d_2f85 & ty.mask()];
        for op in BINS {
            let expect = |a: u64, b: u64| run(Op::Bin(op, A, B), ty, &[(ty, a.into()), (ty, b.into())]).0 as u64;
            for x in corners {
                assert_eq!(interpret(types, x, 0, |b, x, _| b.bin(op, x, x)), expect(x, x), "{op:?} {x:#x} twice");
                for c in corners {
                    let right = interpret(types, x, 0, |b, x, _| {
                        let c = b.constant(ty, c);
                        b.bin(op, x, c)
                    });
                    assert_eq!(right, expect(x, c), "{op:?} {ty:?} {x:#x}, constant {c:#x}");
                    let left = interpret(types, x, 0, |b, x, _| {
                        let c = b.constant(ty, c);
                        b.bin(op, c, x)
                    });
                    assert_eq!(left, expect(c, x), "{op:?} {ty:?} constant {c:#x}, {x:#x}");
                }
            }
        }
    }
}

/// Two operations that are folded into one, or into nothing, give what they gave.
#[test]
fn pairs_of_operations_agree() {
    let mut random = Random(99);
    for types in [&[Ty::I32; 2], &[Ty::I64; 2]] {
        let ty = types[0];
        let alone = |op, x: u64| run(Op::Un(op, A), ty, &[(ty, x.into())]).0 as u64;
        for _ in 0..200 {
            let x = random.next() & ty.mask();
            for (outer, inner) in UNS.into_iter().flat_map(|outer| UNS.map(|inner| (outer, inner))) {
                let got = interpret(types, x, 0, |b, x, _| {
                    let y = b.un(inner, x);
                    b.un(outer, y)
                });
                assert_eq!(got, alone(outer, alone(inner, x)), "{outer:?} of {inner:?} of {x:#x}");
            }
        }
    }
    for lane in [Lane::B, Lane::H, Lane::S] {
        let x = random.next();
        let got = interpret(&[Ty::I64; 2], x, 0, |b, x, _| {
            let low = b.v_from_scalar(x);
            let high = b.v2(V2::ConcatLo, Lane::D, low, low);
            let high = b.v1(V1::MoveHi, Lane::D, high);
            let wide = b.v1(V1::WidenU, lane, high);
            b.vget(Ty::I64, wide, 1)
        });
        let wide = run(Op::V1(V1::WidenU, lane, A), Ty::V128, &[(Ty::V128, x.into())]).0;
        assert_eq!(got, (wide >> 64) as u64, "{lane:?}");
    }
    for n in 0..8 {
        let (x, y) = (random.next(), random.next());
        let got = interpret(&[Ty::I64; 2], x, y, |b, x, y| {
            let (low, high) = (b.v_from_scalar(x), b.v_from_scalar(y));
            let both = b.v2(V2::ConcatLo, Lane::D, low, high);
            let low = b.v1(V1::ZeroHi, Lane::D, both);
            let lane = b.vget(Ty::I16, low, n);
            b.zext(Ty::I64, lane)
        });
        assert_eq!(got, if n < 4 { x >> (16 * n) & 0xffff } else { 0 }, "lane {n}");
    }
}

/// An address that goes into the address mode is the sum it was.
#[test]
fn addresses_agree() {
    let mut random = Random(77);
    for types in [&[Ty::I32; 2], &[Ty::I64; 2]] {
        let ty = types[0];
        for _ in 0..2000 {
            let (x, y) = (random.next() & ty.mask(), random.next() & ty.mask());
            let mut sum = 0;
            let loaded = interpret(types, x, y, |b, vx, vy| {
                let mut at = vx;
                sum = x;
                for _ in 0..1 + random.below(3) {
                    let c = match random.below(3) {
                        0 => random.next() >> 40,
                        1 => (random.next() as i32 as i64) as u64,
                        _ => random.next(),
                    } & ty.mask();
                    let v = b.constant(ty, c);
                    (at, sum) = match random.below(4) {
                        0 => (b.add(at, v), sum.wrapping_add(c)),
                        1 => (b.sub(at, v), sum.wrapping_sub(c)),
                        2 => (b.add(at, vy), sum.wrapping_add(y)),
                        _ => {
                            let n = random.below(5);
                            let index = b.shift_imm(Bin::Shl, vy, n);
                            (b.add(at, index), sum.wrapping_add(y << n))
                        }
                    };
                }
                let disp = random.next() as i32;
                sum = sum.wrapping_add(i64::from(disp) as u64) & ty.mask();
                b.load(Ty::I64, Mem::at(at, 8).disp(disp))
            });
            assert_eq!(loaded, sum, "{ty:?}");
        }
    }
}

/// Lanes read from vectors whose lanes or halves were set are those that a vector in bytes has.
#[test]
fn lanes_agree() {
    const TYPES: &[Ty; 2] = &[Ty::V128, Ty::I64];
    let mut random = Random(0x51_AB);
    for _ in 0..4000 {
        let (start, scalar) = (u128::from(random.next()) << 64 | u128::from(random.next()), random.next());
        let mut b = Builder::new(TYPES);
        b.start(0, 0, FpControl { round: Round::NearestEven });
        let (mut v, s) = (b.get(Slot(0)), b.get(Slot(1)));
        let mut bits = start;
        for _ in 0..1 + random.below(5) {
            let lane = [Lane::B, Lane::H, Lane::S, Lane::D][random.below(4) as usize];
            let n = random.below(16 / lane.bytes() as u32);
            (v, bits) = match random.below(5) {
                0 => (b.v1(V1::MoveHi, Lane::D, v), bits >> 64),
                1 => (b.v1(V1::ZeroHi, Lane::D, v), bits & u128::from(u64::MAX)),
                2 => {
                    let old = b.get(Slot(0));
                    (b.v2(V2::ConcatLo, Lane::D, old, v), start & u128::from(u64::MAX) | bits << 64)
                }
                _ => {
                    let value = b.trunc(lane.ty(), s);
                    let at = n * lane.bits();
                    let mask = u128::from(lane.mask()) << at;
                    (b.vset(lane, v, value, n), bits & !mask | (u128::from(scalar) << at) & mask)
                }
            };
        }
        let lane = [Lane::B, Lane::H, Lane::S, Lane::D][random.below(4) as usize];
        let n = random.below(16 / lane.bytes() as u32);
        let read = b.vget(lane.ty(), v, n);
        let pc = b.zext(Ty::I64, read);
        b.end(Term::Indirect { pc });
        verify::check(&b.region, TYPES).unwrap();
        let mut state = [0; 32];
        state[..16].copy_from_slice(&start.to_le_bytes());
        state[16..24].copy_from_slice(&scalar.to_le_bytes());
        let slots = [(0, Ty::V128), (16, Ty::I64)];
        let (memory, fp_flags, monitor) = (&mut Addresses, 0, None);
        let mut machine = Machine { state: &mut state, slots: &slots, memory, fp_flags, monitor };
        let expect = (bits >> (n * lane.bits())) as u64 & lane.mask();
        assert_eq!(interp::run(&b.region, &mut machine), Outcome::Indirect(expect), "{lane:?} {n}");
    }
}
