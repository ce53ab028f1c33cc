//! What a loop leaves in slots for those alone who leave it is computed on the way out: a slot that the next block overwrites before anybody can see
//! it need not be written on the way there.

use crate::op::{Inst, Op, Slot, Val};
use crate::region::{Block, BlockId, Region, Term};
use crate::types::Ty;

/// Operations that are done on the way out for one slot, at most.
const MOST_OPS: usize = 6;

/// Moves such writes to the ways out of the region.
pub fn sink(r: &mut Region) {
    for at in 0..r.blocks.len() {
        let Term::Branch { cond, then, other } = r.blocks[at].term else { continue };
        let leaves = |b: BlockId| {
            let b = &r.blocks[b.0 as usize];
            b.start == b.end && matches!(b.term, Term::Goto { .. } | Term::Switch { .. })
        };
        let (out, on) = match (leaves(then), leaves(other)) {
            (true, false) => (then, other),
            (false, true) => (other, then),
            _ => continue,
        };
        let unseen = unseen(r, at, on);
        if unseen.is_empty() {
            continue;
        }
        let way = way_out(r, at, out, &unseen);
        // Something that costs nothing in their place.
        unseen.iter().for_each(|&i| r.insts[i as usize] = Inst { op: Op::Const(0), ty: Ty::I1 });
        let to = |b: BlockId| if b == out { way } else { b };
        r.blocks[at].term = Term::Branch { cond, then: to(then), other: to(other) };
    }
}

/// The last writes of slots in block `at` that nobody sees in `on`, and that the block's end still has the operands of.
fn unseen(r: &Region, at: usize, on: BlockId) -> Vec<u32> {
    let block = &r.blocks[at];
    let mut sets: Vec<(u32, Slot, Val)> = Vec::new();
    let mut seen: Vec<Slot> = Vec::new();
    for i in (block.start..block.end).rev() {
        match *r.op(Val(i)) {
            Op::Set(slot, v) if !seen.contains(&slot) => {
                seen.push(slot);
                if r.ty(v) != Ty::Flags && is_overwritten(r, on, slot) {
                    sets.push((i, slot, v));
                }
            }
            Op::Get(slot) => seen.push(slot),
            op if op.can_fault() || matches!(op, Op::Call(..)) => break,
            _ => {}
        }
    }
    // Nothing of what is taken away may be an operand of the rest.
    let mut slots: Vec<Slot> = sets.iter().map(|s| s.1).collect();
    loop {
        let held = held(r, block, &slots);
        let before = sets.len();
        sets.retain(|&(_, _, v)| tree(r, &held, v).is_some_and(|ops| ops <= MOST_OPS));
        slots = sets.iter().map(|s| s.1).collect();
        if sets.len() == before {
            break;
        }
    }
    sets.into_iter().map(|s| s.0).collect()
}

/// Whether the block writes the slot before anybody can see it.
fn is_overwritten(r: &Region, block: BlockId, slot: Slot) -> bool {
    let b = &r.blocks[block.0 as usize];
    let first = (b.start..b.end).map(|i| r.op(Val(i))).find(|op| match op {
        Op::Set(s, _) | Op::Get(s) => *s == slot,
        op => op.can_fault() || matches!(op, Op::Call(..)),
    });
    matches!(first, Some(Op::Set(..)))
}

/// What slots hold at the block's end, but for these.
fn held(r: &Region, block: &Block, but: &[Slot]) -> Vec<(Val, Slot)> {
    let mut held: Vec<(Val, Slot)> = Vec::new();
    for i in block.start..block.end {
        match *r.op(Val(i)) {
            Op::Set(slot, v) => {
                held.retain(|h| h.1 != slot);
                held.push((v, slot));
            }
            Op::Get(slot) => held.push((Val(i), slot)),
            Op::Call(..) => held.clear(),
            _ => {}
        }
    }
    held.retain(|h| !but.contains(&h.1));
    held
}

/// How many operations make the value of what is held; None if that cannot be.
fn tree(r: &Region, held: &[(Val, Slot)], v: Val) -> Option<usize> {
    if held.iter().any(|h| h.0 == v) {
        return Some(0);
    }
    match *r.op(v) {
        Op::Const(_) | Op::ConstV(_) => Some(0),
        Op::Get(_) | Op::Load(_) => None,
        op if op.has_effect() || op.can_fault() || r.ty(v) == Ty::Flags => None,
        op => {
            let mut ops = Some(1);
            op.for_each_arg(|a| ops = ops.and_then(|n| if n > MOST_OPS { None } else { Some(n + tree(r, held, a)?) }));
            ops
        }
    }
}

/// A new block that does the writes and goes on as `out`.
fn way_out(r: &mut Region, at: usize, out: BlockId, sets: &[u32]) -> BlockId {
    let start = r.insts.len() as u32;
    let block = &r.blocks[at];
    let marker = (block.start..block.end).rev().find(|&i| matches!(r.op(Val(i)), Op::Insn { .. }));
    let slots: Vec<Slot> =
        sets.iter().filter_map(|&i| if let Op::Set(s, _) = *r.op(Val(i)) { Some(s) } else { None }).collect();
    let held = held(r, block, &slots);
    r.insts.extend(marker.map(|i| r.insts[i as usize]));
    let mut made = Vec::new();
    let values: Vec<Val> = sets
        .iter()
        .map(|&i| match *r.op(Val(i)) {
            Op::Set(_, v) => make(r, &held, &mut made, v),
            _ => unreachable!("it is a write"),
        })
        .collect();
    for (&i, v) in sets.iter().zip(values) {
        let mut inst = r.insts[i as usize];
        inst.op.map_args(|_| v);
        r.insts.push(inst);
    }
    let term = r.blocks[out.0 as usize].term;
    r.blocks.push(Block { start, end: r.insts.len() as u32, term, params: Vec::new(), args: Vec::new() });
    BlockId(r.blocks.len() as u32 - 1)
}

/// Appends the value made of what is held.
fn make(r: &mut Region, held: &[(Val, Slot)], made: &mut Vec<(Val, Val)>, v: Val) -> Val {
    if let Some(&(_, new)) = made.iter().find(|m| m.0 == v) {
        return new;
    }
    let mut inst = r.insts[v.0 as usize];
    match held.iter().find(|h| h.0 == v) {
        Some(&(_, slot)) => inst.op = Op::Get(slot),
        None => {
            let mut args = Vec::new();
            inst.op.for_each_arg(|a| args.push(a));
            let new: Vec<(Val, Val)> = args.into_iter().map(|a| (a, make(r, held, made, a))).collect();
            inst.op.map_args(|a| new.iter().find(|n| n.0 == a).map_or(a, |n| n.1));
        }
    }
    r.insts.push(inst);
    let new = Val(r.insts.len() as u32 - 1);
    made.push((v, new));
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::mem::Mem;
    use crate::region::FpControl;
    use crate::types::Round;

    static TYPES: [Ty; 4] = [Ty::I32, Ty::I32, Ty::I1, Ty::I32];

    /// A block that sets slot 1 to twice slot 0 and leaves or goes on to one that does `next`; whether the write has moved to the way out.
    fn moves(before_end: impl Fn(&mut Builder), next: impl Fn(&mut Builder)) -> bool {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        b.insn(0x1000, 0, 0x1004);
        let [on, out] = std::array::from_fn(|_| b.block());
        let x = b.get(Slot(0));
        let twice = b.add(x, x);
        b.set(Slot(1), twice);
        before_end(&mut b);
        let cond = b.get(Slot(2));
        b.branch(cond, out, on);
        b.enter(on);
        next(&mut b);
        b.end(Term::Goto { pc: 0x1000 });
        b.enter(out);
        b.end(Term::Goto { pc: 0x1008 });
        let mut r = b.region;
        sink(&mut r);
        assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
        let sets = |b: &Block| (b.start..b.end).any(|i| matches!(r.op(Val(i)), Op::Set(Slot(1), _)));
        let Term::Branch { then, .. } = r.blocks[0].term else { panic!("it branches") };
        let moved = sets(&r.blocks[then.0 as usize]);
        assert_ne!(moved, sets(&r.blocks[0]));
        moved
    }

    fn overwrites(b: &mut Builder) {
        let c = b.i32(7);
        b.set(Slot(1), c);
    }

    fn accesses(b: &mut Builder) {
        b.insn(0x1004, 0, 0x1008);
        let at = b.get(Slot(3));
        b.load(Ty::I32, Mem::at(at, 4));
    }

    #[test]
    fn a_write_that_the_loop_overwrites_moves_out() {
        assert!(moves(|_| {}, overwrites));
    }

    #[test]
    fn one_that_can_be_seen_stays() {
        assert!(!moves(accesses, overwrites));
        assert!(!moves(
            |_| {},
            |b| {
                accesses(b);
                overwrites(b);
            }
        ));
        assert!(!moves(|_| {}, |_| {}));
    }

    #[test]
    fn one_whose_operand_is_gone_stays() {
        assert!(!moves(
            |b| {
                let c = b.i32(9);
                b.set(Slot(0), c);
            },
            overwrites
        ));
    }
}
