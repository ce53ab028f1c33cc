//! Regions that break one rule each.

use super::{check, check_made};
use crate::builder::Builder;
use crate::mem::{Align, Mem};
use crate::op::{Bin, Fp1, Fp2, Inst, Op, Slot, V1, V2, VShift, Val};
use crate::region::{Block, BlockId, FpControl, Region, Term};
use crate::types::{Env, Fmt, Lane, Order, Round, Shape, Ty};

const SLOTS: &[Ty] = &[Ty::I64, Ty::I32, Ty::V128, Ty::Flags, Ty::F32];

const X: Val = Val(0);
const W: Val = Val(1);
const V: Val = Val(2);
const FLAGS: Val = Val(3);
const F: Val = Val(4);

/// A value of each slot's type, then the instructions.
fn region(insts: &[(Op, Ty)]) -> Region {
    let gets = SLOTS.iter().enumerate().map(|(i, &ty)| Inst { op: Op::Get(Slot(i as u16)), ty });
    let insts: Vec<Inst> = gets.chain(insts.iter().map(|&(op, ty)| Inst { op, ty })).collect();
    let block = Block { start: 0, end: insts.len() as u32, term: Term::Goto { pc: 0 }, params: vec![], args: vec![] };
    Region { insts, blocks: vec![block], ..Region::default() }
}

#[track_caller]
fn rejected(r: &Region, what: &str) {
    match check(r, SLOTS) {
        Err(message) if message.contains(what) => {}
        other => panic!("{what:?} expected, {other:?} found"),
    }
}

#[test]
fn operations() {
    let (env, f32x4) = (Env::IEEE_ARM, Shape::vector(Fmt::F32, 4));
    let scalar = Shape::scalar(Fmt::F32);
    #[rustfmt::skip]
    let rows: &[(Op, Ty, &str)] = &[
        (Op::Bin(Bin::Add, X, W), Ty::I64, "v1 is I32, I64 wanted"),
        (Op::Bin(Bin::Add, X, X), Ty::I32, "v0 is I64, I32 wanted"),
        (Op::Bin(Bin::Add, F, F), Ty::F32, "F32 is not an integer"),
        (Op::Const(1 << 32), Ty::I32, "bits above"),
        (Op::ConstV(0), Ty::V128, "no such vector"),
        (Op::Get(Slot(9)), Ty::I64, "no such slot"),
        (Op::LoadAhead(Mem::at(X, 16)), Ty::V128, "or does not branch"),
        (Op::LoadAhead(Mem::at(X, 8)), Ty::V128, "what is read ahead is a vector"),
        (Op::StoreAhead(Mem::at(X, 8), X, Val::NONE), Ty::Void, "what is written ahead is a vector"),
        (Op::Get(Slot(0)), Ty::I32, "the slot is I64"),
        (Op::Set(Slot(0), W), Ty::Void, "the slot is I64, the value I32"),
        (Op::Zext(X), Ty::I32, "from I64 to I32"),
        (Op::Trunc(W), Ty::I32, "from I32 to I32"),
        (Op::Extract { v: W, lsb: 30, width: 4, signed: false }, Ty::I32, "no such bits"),
        (Op::Extract { v: W, lsb: 30, width: 0, signed: false }, Ty::I32, "no such bits"),
        (Op::Funnel { hi: W, lo: W, amount: 32 }, Ty::I32, "amount"),
        (Op::Select(W, X, X), Ty::I64, "v1 is I32, I1 wanted"),
        (Op::AddC(X, X, X), Ty::I64, "v0 is I64, Flags wanted"),
        (Op::Crc32 { acc: W, v: W, bytes: 8, c: false }, Ty::I32, "fewer bytes"),
        (Op::FlagsAdd(X, X), Ty::I64, "Flags wanted"),
        (Op::FlagsLogic(FLAGS), Ty::Flags, "Flags is not an integer"),
        (Op::Bitcast(F), Ty::I64, "from F32 to I64"),
        (Op::Fp2(Fp2::Add, scalar, env, V, V), Ty::F32, "v2 is V128, F32 wanted"),
        (Op::Fp2(Fp2::Add, Shape::vector(Fmt::F64, 4), env, V, V), Ty::V128, "do not fit"),
        (Op::Fp1(Fp1::RoundInt32, Shape::vector(Fmt::F16, 8), env, V), Ty::V128, "F32 and F64 only"),
        (Op::FpCmp(crate::op::FpCc::Eq, scalar, env, F, F), Ty::V128, "has lanes"),
        (Op::FpToInt { shape: scalar, env, signed: true, bits: 64, fbits: 0, v: F }, Ty::I32, "the integer is I32"),
        (Op::FpToInt { shape: f32x4, env, signed: true, bits: 64, fbits: 0, v: V }, Ty::V128, "as wide as"),
        (Op::FpFromInt { shape: scalar, env, signed: true, fbits: 0, v: F }, Ty::F32, "the integer is F32"),
        (Op::FpCvt { from: Fmt::F32, to: Fmt::F64, lanes: 4, env, v: V }, Ty::V128, "do not fit"),
        (Op::V1(V1::WidenS, Lane::D, V), Ty::V128, "no lanes D"),
        (Op::V2(V2::Tbl, Lane::H, V, V), Ty::V128, "no lanes H"),
        (Op::V2(V2::Add, Lane::H, V, X), Ty::V128, "v0 is I64"),
        (Op::VShift(VShift::ShrU, Lane::B, V, 0), Ty::V128, "no shift"),
        (Op::VShift(VShift::Shl, Lane::B, V, 8), Ty::V128, "no shift"),
        (Op::VExt(V, V, 17), Ty::V128, "byte 0 to 16"),
        (Op::VGet(Lane::S, V, 4), Ty::I32, "no such lane"),
        (Op::VGet(Lane::S, V, 3), Ty::I64, "I64 is no lane S"),
        (Op::VSplat(Lane::D, W), Ty::V128, "I32 is no lane D"),
        (Op::Load(Mem::at(F, 4)), Ty::I32, "an address wanted"),
        (Op::Load(Mem::at(X, 8)), Ty::I32, "8 bytes and I32"),
        (Op::Load(Mem::at(X, 3)), Ty::I32, "1, 2, 4, 8 or 16"),
        (Op::Load(Mem::at(X, 4).index(W, 0)), Ty::I32, "v1 is I32, I64 wanted"),
        (Op::Load(Mem::at(X, 4).signed()), Ty::F32, "sign extension"),
        (Op::Store(Mem::at(X, 4), FLAGS), Ty::Void, "Flags"),
        (Op::AtomicRmw(crate::op::Rmw::Add, Order::Plain, Align::Any, X, V), Ty::V128, "V128 is not an integer"),
        (Op::StoreExcl(X, W, Order::Plain, Align::Within16), Ty::I64, "I32 wanted"),
        (Op::LoadExcl(X, Order::Plain, Align::Any), Ty::I64, "within 16 aligned bytes"),
        (Op::CmpXchg { addr: X, expected: V, new: V, align: Align::Any }, Ty::V128, "at a multiple of 16"),
        (Op::Load(Mem { align: Align::To(3), ..Mem::at(X, 8) }), Ty::I64, "to a power of two"),
        (Op::Bin(Bin::Add, Val(5), X), Ty::I64, "v5 is used before its definition"),
        (Op::Bin(Bin::Add, Val(99), X), Ty::I64, "v99 has no definition"),
    ];
    assert_eq!(check(&region(&[]), SLOTS), Ok(()));
    for &(op, ty, what) in rows {
        let r = region(&[(op, ty)]);
        rejected(&r, what);
        rejected(&r, "block 0: ");
    }
}

/// But for loads that can be done again: their address stands in a slot.
#[test]
fn slots_are_set_after_faults() {
    let set = |slot: u16, v| (Op::Set(Slot(slot), v), Ty::Void);
    let (load, store) = ((Op::Load(Mem::at(X, 8)), Ty::I64), (Op::Store(Mem::at(X, 8), X), Ty::Void));
    let insn = (Op::Insn { pc: 4, extra: 0 }, Ty::Void);
    let loaded = Val(SLOTS.len() as u32);
    assert_eq!(check(&region(&[load, set(0, loaded), insn, load]), SLOTS), Ok(()));
    assert_eq!(check(&region(&[insn, set(1, W), load]), SLOTS), Ok(()));
    rejected(&region(&[load, set(0, loaded), load]), "can fault after");
    rejected(&region(&[insn, set(1, W), store]), "can fault after");
}

#[test]
fn what_a_front_end_makes_keeps_values_in_their_blocks() {
    assert_eq!(check_made(&diamond(), SLOTS), Err("block 2: v1 is of block 0".to_owned()));
    let alone = region(&[(Op::Insn { pc: 0, extra: 0 }, Ty::Void)]);
    assert_eq!(check_made(&alone, SLOTS), Ok(()));
}

/// Four blocks: 0 branches to 1 and 2, which meet in 3.
fn diamond() -> Region {
    let insts = [
        (Op::Const(1), Ty::I1),
        (Op::Const(2), Ty::I64),
        (Op::Const(3), Ty::I64),
        (Op::Const(0), Ty::I64),
        (Op::Bin(Bin::Add, Val(3), Val(1)), Ty::I64),
    ];
    let block = |start, end, term, params, args| Block { start, end, term, params, args };
    let (then, other) = (BlockId(1), BlockId(2));
    Region {
        insts: insts.map(|(op, ty)| Inst { op, ty }).to_vec(),
        blocks: vec![
            block(0, 2, Term::Branch { cond: Val(0), then, other }, vec![], vec![]),
            block(2, 3, Term::Jump(BlockId(3)), vec![], vec![Val(2)]),
            block(3, 3, Term::Jump(BlockId(3)), vec![], vec![Val(1)]),
            block(3, 5, Term::Return { pc: Val(4) }, vec![Val(3)], vec![]),
        ],
        ..Region::default()
    }
}

#[test]
fn blocks() {
    assert_eq!(check(&diamond(), SLOTS), Ok(()));
    type Change = fn(&mut Region);
    let rows: &[(Change, &str)] = &[
        (|r| r.blocks.clear(), "an entry block"),
        (|r| r.blocks[3].term = Term::None, "has an end"),
        (|r| r.blocks[3].end = 9, "do not exist"),
        (|r| r.blocks[2].start = 2, "stands in two blocks"),
        (|r| r.blocks[1].term = Term::Jump(BlockId(7)), "there is no block 7"),
        (|r| r.blocks[1].args.clear(), "0 arguments for 1 parameters"),
        (|r| r.blocks[1].args[0] = Val(0), "v0 is I1, parameter v3 is I64"),
        (|r| r.blocks[2].args[0] = Val(2), "v2 is defined in block 1, which does not dominate it"),
        (|r| r.insts[4].op = Op::Bin(Bin::Add, Val(3), Val(2)), "block 3: v2 is defined in block 1"),
        (|r| r.blocks[3].params[0] = Val(4), "parameter v4 is not v3"),
        (|r| r.blocks[3].term = Term::Return { pc: Val(0) }, "v0 is I1, an address wanted"),
        (|r| r.blocks[0].term = Term::Branch { cond: Val(1), then: BlockId(1), other: BlockId(2) }, "I1 wanted"),
    ];
    for (change, what) in rows {
        let mut r = diamond();
        change(&mut r);
        rejected(&r, what);
    }
}

/// What is known lasts behind a branch that may leave only if the block behind it is the next in the code.
#[test]
fn knowledge_ends_where_other_blocks_stand_between() {
    for pending in 0..3 {
        let mut b = Builder::new(SLOTS);
        b.lasting = true;
        b.start(0, 0, FpControl { round: Round::NearestEven });
        b.insn(0, 0, 4);
        let (here, other) = (b.block(), b.block());
        let value = b.get(Slot(0));
        let cond = b.trunc(Ty::I1, value);
        b.branch(cond, here, other);
        if pending == 1 {
            // It has code of its own.
            b.enter(other);
            let one = b.i64(1);
            b.set(Slot(0), one);
            b.end(Term::Resume { pc: 8 });
        } else if pending == 2 {
            b.enter(other);
            b.end(Term::Resume { pc: 8 });
        }
        b.enter(here);
        b.insn(4, 0, 8);
        let value = b.get(Slot(0));
        let odd = b.trunc(Ty::I1, value);
        b.leave_if(odd, Term::Resume { pc: 12 });
        b.insn(8, 0, 12);
        let again = b.get(Slot(0));
        b.end(Term::Resume { pc: 16 });
        if pending == 0 {
            b.enter(other);
            b.end(Term::Resume { pc: 8 });
        }
        assert_eq!(check_made(&b.region, SLOTS), Ok(()), "{pending}");
        assert_eq!(again == value, pending == 2, "{pending}");
    }
}
