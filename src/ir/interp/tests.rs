//! Regions run on a small memory.

use super::{Machine, MemFault, Memory, Monitor, Outcome, run};
use crate::builder::Builder;
use crate::helper::{Frame, Helper, Touches};
use crate::mem::{Align, Mem};
use crate::op::{Bin, Inst, Op, Rmw, Slot, Val};
use crate::region::{Block, BlockId, FpControl, Region, Term, Trap};
use crate::types::{Cc, Env, Fmt, IntCc, Order, Round, Shape, Ty, fpflag};
use crate::verify;

/// Bytes from `BASE`; all else faults.
struct Bytes([u8; 64]);

const BASE: u64 = 0x1_0000;

impl Bytes {
    fn range(&self, addr: u64, size: usize, write: bool) -> Result<std::ops::Range<usize>, MemFault> {
        let start = addr.wrapping_sub(BASE) as usize;
        let inside = start < self.0.len() && start + size <= self.0.len();
        if inside { Ok(start..start + size) } else { Err(MemFault { addr, write }) }
    }
}

impl Memory for Bytes {
    fn load(&mut self, addr: u64, size: usize) -> Result<u128, MemFault> {
        let range = self.range(addr, size, false)?;
        Ok(self.0[range].iter().rev().fold(0, |v, &b| v << 8 | u128::from(b)))
    }
    fn store(&mut self, addr: u64, size: usize, v: u128) -> Result<(), MemFault> {
        let range = self.range(addr, size, true)?;
        self.0[range].copy_from_slice(&v.to_le_bytes()[..size]);
        Ok(())
    }
    fn cmpxchg(&mut self, addr: u64, size: usize, expected: u128, new: u128) -> Result<u128, MemFault> {
        let old = self.load(addr, size)?;
        if old == expected {
            self.store(addr, size, new)?;
        }
        Ok(old)
    }
}

const X0: Slot = Slot(0);
const X1: Slot = Slot(1);
const W: Slot = Slot(2);
const V: Slot = Slot(3);
const FLAGS: Slot = Slot(4);
const TYPES: &[Ty] = &[Ty::I64, Ty::I64, Ty::I32, Ty::V128, Ty::Flags];
const SLOTS: &[(usize, Ty)] = &[(0, Ty::I64), (8, Ty::I64), (32, Ty::I32), (16, Ty::V128), (36, Ty::Flags)];

/// Guest state, memory and what a machine keeps between regions.
struct World {
    state: [u8; 48],
    memory: Bytes,
    fp_flags: u32,
    monitor: Option<Monitor>,
}

impl World {
    fn new() -> World {
        let mut bytes = [0; 64];
        for (i, b) in bytes.iter_mut().enumerate() {
            *b = i as u8 | 0x80;
        }
        World { state: [0; 48], memory: Bytes(bytes), fp_flags: 0, monitor: None }
    }
    fn run(&mut self, region: &Region) -> Outcome {
        verify::check(region, TYPES).unwrap();
        let (fp_flags, monitor) = (self.fp_flags, self.monitor);
        let mut m = Machine { state: &mut self.state, slots: SLOTS, memory: &mut self.memory, fp_flags, monitor };
        let outcome = run(region, &mut m);
        (self.fp_flags, self.monitor) = (m.fp_flags, m.monitor);
        outcome
    }
    fn x(&self, i: usize) -> u64 {
        u64::from_le_bytes(self.state[8 * i..8 * i + 8].try_into().unwrap())
    }
    fn set_x(&mut self, i: usize, v: u64) {
        self.state[8 * i..8 * i + 8].copy_from_slice(&v.to_le_bytes());
    }
}

fn build(f: impl FnOnce(&mut Builder)) -> Region {
    let mut b = Builder::new(TYPES);
    b.start(0x400, 0, FpControl { round: Round::NearestEven });
    b.insn(0x400, 7, 0x404);
    f(&mut b);
    b.region
}

/// The region that puts one result into X0.
fn into_x0(f: impl FnOnce(&mut Builder) -> Val) -> Region {
    build(|b| {
        let v = f(b);
        let v = b.zext(Ty::I64, v);
        b.set(X0, v);
        b.end(Term::Goto { pc: 0x404 });
    })
}

#[test]
fn loads() {
    let at = |disp: i32, size: u8| move |base: Val| Mem::at(base, size).disp(disp);
    let big = |m: Mem| Mem { big: true, ..m };
    type Make = Box<dyn Fn(Val) -> Mem>;
    #[rustfmt::skip]
    let rows: Vec<(Make, Ty, u64)> = vec![
        (Box::new(at(1, 1)), Ty::I64, 0x81),
        (Box::new(at(1, 2)), Ty::I32, 0x8281),
        (Box::new(move |b| at(1, 2)(b).signed()), Ty::I32, 0xffff_8281),
        (Box::new(move |b| at(1, 4)(b).signed()), Ty::I64, 0xffff_ffff_8483_8281),
        (Box::new(move |b| big(at(0, 4)(b))), Ty::I64, 0x8081_8283),
        (Box::new(move |b| big(at(0, 2)(b)).signed()), Ty::I64, 0xffff_ffff_ffff_8081),
        (Box::new(move |b| at(8, 8)(b).aligned()), Ty::I64, 0x8f8e_8d8c_8b8a_8988),
    ];
    for (mem, ty, expect) in rows {
        let region = into_x0(|b| {
            let base = b.i64(BASE);
            b.load(ty, mem(base))
        });
        let mut w = World::new();
        assert_eq!(w.run(&region), Outcome::Goto(0x404));
        assert_eq!(w.x(0), expect);
    }
}

/// A 32-bit address wraps, with an index and a negative displacement.
#[test]
fn narrow_addresses_wrap() {
    let region = into_x0(|b| {
        let (base, index) = (b.i32(0xffff_fff0), b.get(W));
        b.load(Ty::I8, Mem::at(base, 1).index(index, 2).disp(-4))
    });
    let mut w = World::new();
    w.state[32..36].copy_from_slice(&((BASE as u32 + 0x14 + 8) / 4).to_le_bytes());
    assert_eq!(w.run(&region), Outcome::Goto(0x404));
    assert_eq!(w.x(0), 0x88);
}

#[test]
fn stores() {
    let region = build(|b| {
        let (base, v, q) = (b.get(X1), b.i64(0x1122_3344_5566_7788), b.v128(1 << 127 | 5));
        b.store(Mem::at(base, 2), v);
        b.store(Mem { big: true, ..Mem::at(base, 4).disp(4) }, v);
        b.store(Mem::at(base, 16).disp(16).order(Order::Release), q);
        b.end(Term::Syscall { next: 0x404 });
    });
    let mut w = World::new();
    w.set_x(1, BASE);
    assert_eq!(w.run(&region), Outcome::Syscall { next: 0x404 });
    assert_eq!(w.memory.0[..8], [0x88, 0x77, 0x82, 0x83, 0x55, 0x66, 0x77, 0x88]);
    assert_eq!((w.memory.0[16], w.memory.0[31], w.memory.0[32]), (5, 0x80, 0xa0));
}

/// What was set before a fault stands, what comes after has not happened.
#[test]
fn faults_are_exact() {
    let access = |address: u64, aligned: bool, write: bool| {
        build(|b| {
            let one = b.i64(1);
            b.set(X0, one);
            b.insn(0x404, 9, 0x408);
            let base = b.i64(address);
            let mem = Mem::at(base, 4).aligned_to(if aligned { 4 } else { 1 });
            if write {
                b.store(mem, one);
            } else {
                b.load(Ty::I32, mem);
            }
            let two = b.i64(2);
            b.set(X0, two);
            b.end(Term::Goto { pc: 0x408 });
        })
    };
    let (pc, extra) = (0x404, 9);
    let fault = |addr, write| Outcome::Fault { fault: MemFault { addr, write }, pc, extra };
    for (region, expect) in [
        (access(BASE + 61, false, false), fault(BASE + 61, false)),
        (access(0, false, true), fault(0, true)),
        (access(BASE + 2, true, true), Outcome::Trap { trap: Trap::Align, pc, extra, addr: BASE + 2 }),
    ] {
        let mut w = World::new();
        assert_eq!(w.run(&region), expect);
        assert_eq!(w.x(0), 1);
    }
}

#[test]
fn atomics() {
    let (minus_one, small) = (0xffff_ffffu64, 3u64);
    #[rustfmt::skip]
    let rows = [
        (Rmw::Swap, small, small),
        (Rmw::Add, minus_one, 0x8382_817f),
        (Rmw::And, 0xff, 0x80),
        (Rmw::Or, 0xff, 0x8382_81ff),
        (Rmw::Xor, minus_one, 0x7c7d_7e7f),
        (Rmw::MinS, small, 0x8382_8180),
        (Rmw::MaxS, small, small),
        (Rmw::MinU, small, small),
        (Rmw::MaxU, small, 0x8382_8180),
    ];
    for (rmw, operand, expect) in rows {
        let region = into_x0(|b| {
            let (addr, v) = (b.i64(BASE), b.i32(operand as u32));
            b.rmw(rmw, Order::AcqRel, Align::Any, addr, v)
        });
        let mut w = World::new();
        w.run(&region);
        assert_eq!(w.x(0), 0x8382_8180, "{rmw:?}");
        assert_eq!(w.memory.load(BASE, 8), Ok(0x8786_8584 << 32 | u128::from(expect)), "{rmw:?}");
    }
    for (expected, stored) in [(0x8180, 5), (5, 0x8180)] {
        let region = into_x0(|b| {
            let (addr, expected, new) = (b.i64(BASE), b.constant(Ty::I16, expected), b.constant(Ty::I16, 5));
            b.cmpxchg(Align::Any, addr, expected, new)
        });
        let mut w = World::new();
        w.run(&region);
        assert_eq!((w.x(0), w.memory.load(BASE, 2)), (0x8180, Ok(stored)));
    }
}

#[test]
fn exclusives() {
    let load = |disp| {
        into_x0(move |b| {
            let addr = b.i64(BASE + disp);
            b.load_excl(Ty::I32, Order::Acquire, Align::To(4), addr)
        })
    };
    let store = into_x0(|b| {
        let (addr, v) = (b.i64(BASE + 4), b.i32(6));
        b.store_excl(Order::Release, Align::To(4), addr, v)
    });
    let mut w = World::new();
    let mut status = |before: &dyn Fn(&mut World)| {
        before(&mut w);
        assert_eq!(w.run(&store), Outcome::Goto(0x404));
        let stored = w.memory.load(BASE + 4, 4) == Ok(6);
        assert_eq!(w.monitor, None);
        (w.x(0), stored)
    };
    assert_eq!(status(&|_| {}), (1, false));
    assert_eq!(status(&|w| _ = w.run(&load(0))), (1, false));
    assert_eq!(
        status(&|w| {
            w.run(&load(4));
            w.memory.0[4] = 0;
        }),
        (1, false)
    );
    assert_eq!(status(&|w| _ = w.run(&load(4))), (0, true));
    let misaligned = Outcome::Trap { trap: Trap::Align, pc: 0x400, extra: 7, addr: BASE + 2 };
    assert_eq!(World::new().run(&load(2)), misaligned);
}

/// A loop over blocks: X0 = X1 + … + 1.
#[test]
fn loops() {
    let region = build(|b| {
        let zero = b.i64(0);
        b.set(X0, zero);
        let (head, body, out) = (b.block(), b.block(), b.block());
        b.end(Term::Jump(head));
        b.enter(head);
        let (n, zero) = (b.get(X1), b.i64(0));
        let flags = b.flags_sub(n, zero);
        b.set(FLAGS, flags);
        let done = b.cond(Cc::Eq, flags);
        b.branch(done, out, body);
        b.enter(body);
        let (sum, n) = (b.get(X0), b.get(X1));
        let sum = b.add(sum, n);
        b.set(X0, sum);
        let n = b.add_imm(n, -1);
        b.set(X1, n);
        b.end(Term::Jump(head));
        b.enter(out);
        let pc = b.get(X0);
        b.end(Term::Indirect { pc });
    });
    let mut w = World::new();
    w.set_x(1, 100);
    assert_eq!(w.run(&region), Outcome::Indirect(5050));
    assert_eq!(w.state[36..40], [0, 0x45, 0, 0]);
}

/// Two parameters that change places each time round.
#[test]
fn block_parameters() {
    let op = |op, ty| Inst { op, ty };
    let v = Val;
    let region = Region {
        insts: vec![
            op(Op::Const(1), Ty::I64),
            op(Op::Const(2), Ty::I64),
            op(Op::Const(0), Ty::I64),
            op(Op::Const(0), Ty::I64),
            op(Op::Get(X1), Ty::I64),
            op(Op::Bin(Bin::Sub, v(4), v(0)), Ty::I64),
            op(Op::Set(X1, v(5)), Ty::Void),
            op(Op::Cmp(IntCc::Eq, v(5), v(1)), Ty::I1),
            op(Op::Const(0), Ty::I64),
        ],
        blocks: vec![
            Block { start: 0, end: 2, term: Term::Jump(BlockId(1)), params: vec![], args: vec![v(0), v(1)] },
            Block {
                start: 2,
                end: 8,
                term: Term::Branch { cond: v(7), then: BlockId(2), other: BlockId(1) },
                params: vec![v(2), v(3)],
                args: vec![v(2), v(3), v(2)],
            },
            Block { start: 8, end: 9, term: Term::Return { pc: v(8) }, params: vec![v(8)], args: vec![] },
        ],
        ..Region::default()
    };
    for (rounds, expect) in [(1, 1), (2, 2), (3, 1)] {
        let mut w = World::new();
        w.set_x(1, 2 + rounds);
        assert_eq!(w.run(&region), Outcome::Return(expect));
    }
}

static DOUBLE: Helper = Helper {
    name: "double",
    run: |frame: &mut Frame| {
        frame.ret = frame.args[0] * 2;
        frame.state[0] = frame.args[1] as u8;
        frame.fp_flags = fpflag::INEXACT;
        if frame.args[0] == 0 {
            frame.exit = Some(Trap::Undefined);
        }
    },
    touches: Touches::Writes(&[X0]),
    can_exit: true,
    pure: false,
};

#[test]
fn helpers() {
    let region = build(|b| {
        let (x, c) = (b.get(X1), b.i64(9));
        let r = b.call(&DOUBLE, Ty::I8, &[x, c]);
        let r = b.zext(Ty::I64, r);
        b.set(X1, r);
        b.end(Term::Resume { pc: 0x404 });
    });
    let mut w = World::new();
    w.set_x(1, 0x81);
    assert_eq!(w.run(&region), Outcome::Resume { pc: 0x404 });
    assert_eq!((w.x(0), w.x(1), w.fp_flags), (9, 2, fpflag::INEXACT));
    w.set_x(1, 0);
    assert_eq!(w.run(&region), Outcome::Trap { trap: Trap::Undefined, pc: 0x400, extra: 7, addr: 0 });
}

#[test]
fn floating_point_flags() {
    let region = build(|b| {
        let (one, three) = (b.constant(Ty::F32, 0x3f80_0000), b.constant(Ty::F32, 0x4040_0000));
        let third = b.fp2(crate::op::Fp2::Div, Shape::scalar(Fmt::F32), Env::IEEE_ARM, one, three);
        let v = b.v_from_scalar(third);
        b.set(V, v);
        let flags = b.fp_flags();
        b.set(W, flags);
        let none = b.i32(fpflag::OVERFLOW);
        b.set_fp_flags(none);
        let addr = b.get(X1);
        b.end(Term::FlushCode { addr, len: 64, next: 0x404 });
    });
    let mut w = World::new();
    w.fp_flags = fpflag::INVALID;
    assert_eq!(w.run(&region), Outcome::FlushCode { addr: 0, len: 64, next: 0x404 });
    assert_eq!(w.state[16..32], 0x3eaa_aaabu128.to_le_bytes());
    assert_eq!(w.state[32], (fpflag::INVALID | fpflag::INEXACT) as u8);
    assert_eq!(w.fp_flags, fpflag::OVERFLOW);
}
