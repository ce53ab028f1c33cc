//! Two ways of which each computes a little and that meet again become one: both are computed, and what they leave is chosen. A compiler that could
//! have done so for the guest takes such a branch where the ways are too long for it; as often as not the branch depends on data (a division by
//! shifting and subtracting), and guessing it wrong costs more than both ways together.

use super::frequencies;
use crate::builder::Builder;
use crate::op::{Op, Slot, Val};
use crate::region::{Block, BlockId, Region, Term};
use crate::types::Ty;

/// Operations of a way, at most.
const MOST_OPS: usize = 10;

/// The region with such ways merged, if there are any.
pub fn merge(r: &Region, types: &'static [Ty]) -> Option<Region> {
    merge_short(r, types, |b| b.start < b.end)
}

/// The same where one of the ways may do nothing. (Code that branches around something is mostly right to, so this is for who has use for code without
/// branches. Blocks keep their numbers.)
pub(super) fn merge_detours(r: &Region, types: &'static [Ty]) -> Option<Region> {
    let mut apart = r.clone();
    for at in 0..r.blocks.len() {
        let Term::Branch { cond, then, other } = r.blocks[at].term else { continue };
        let joins = |way: BlockId, at: BlockId| r.blocks[way.0 as usize].term == Term::Jump(at);
        let nothing = BlockId(apart.blocks.len() as u32);
        let (term, end) = match () {
            () if then == other => continue,
            () if joins(other, then) => (Term::Branch { cond, then: nothing, other }, then),
            () if joins(then, other) => (Term::Branch { cond, then, other: nothing }, other),
            () => continue,
        };
        apart.blocks[at].term = term;
        apart.blocks.push(Block { start: 0, end: 0, term: Term::Jump(end), params: Vec::new(), args: Vec::new() });
    }
    merge_short(&apart, types, |_| true)
}

fn merge_short(r: &Region, types: &'static [Ty], may: impl Fn(&Block) -> bool) -> Option<Region> {
    let mut merged: Option<Region> = None;
    let mut times = frequencies(r);
    for at in 0..r.blocks.len() {
        let now = merged.as_ref().unwrap_or(r);
        if times[at] == 1 {
            continue;
        }
        let Some(fork) = Fork::at(now, at, &may) else { continue };
        if let Some(region) = fork.merged(now, types) {
            times = frequencies(&region);
            merged = Some(region);
        }
    }
    merged
}

/// A block's end in two ways that meet again.
struct Fork {
    at: usize,
    cond: Val,
    ways: [usize; 2],
    /// How the ways end; the second's condition is to be inverted if so.
    conds: Option<([Val; 2], bool)>,
    end: Term,
}

impl Fork {
    fn at(r: &Region, at: usize, may: &impl Fn(&Block) -> bool) -> Option<Fork> {
        let Term::Branch { cond, then, other } = r.blocks[at].term else { return None };
        let ways = [then, other].map(|b| b.0 as usize);
        let alone =
            |way: usize| r.blocks.iter().flat_map(|b| b.term.successors()).filter(|s| s.0 as usize == way).count() == 1;
        if ways[0] == ways[1] || !ways.into_iter().all(|w| alone(w) && may(&r.blocks[w]) && is_short(r, w)) {
            return None;
        }
        let fork = |conds, end| Some(Fork { at, cond, ways, conds, end });
        match ways.map(|w| r.blocks[w].term) {
            [end @ Term::Jump(a), Term::Jump(b)] if a == b => fork(None, end),
            [end @ Term::Branch { cond: c, then: a, other: b }, Term::Branch { cond: d, then: x, other: y }] => {
                if same(r, a, x) && same(r, b, y) {
                    fork(Some(([c, d], false)), end)
                } else if same(r, a, y) && same(r, b, x) {
                    fork(Some(([c, d], true)), end)
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    /// The region with the ways merged; None if they leave flags that differ, or end by different conditions.
    fn merged(&self, r: &Region, types: &'static [Ty]) -> Option<Region> {
        let mut b = Builder::new(types);
        b.start(r.pc, r.mode, r.fp);
        (1..r.blocks.len()).for_each(|_| _ = b.block());
        let mut now = vec![Val::NONE; r.insts.len()];
        for (n, block) in r.blocks.iter().enumerate() {
            b.enter(BlockId(n as u32));
            if self.ways.contains(&n) {
                // Nobody comes here any more.
                b.end(Term::Goto { pc: r.pc });
                continue;
            }
            for i in block.start..block.end {
                now[i as usize] = b.again(r, Val(i), |v| now[v.0 as usize]);
            }
            if n == self.at {
                let end = self.both(r, &mut b, &mut now)?;
                b.end(end);
                continue;
            }
            let mut term = block.term;
            term.map_args(|v| now[v.0 as usize]);
            b.end(term);
        }
        let mut region = b.region;
        (region.end, region.guest_insns) = (r.end, r.guest_insns);
        Some(region)
    }

    /// Both ways, the choice, and what they have in common.
    fn both(&self, r: &Region, b: &mut Builder, now: &mut [Val]) -> Option<Term> {
        let begin = b.region.insts.len();
        let left = self.ways.map(|w| way(r, b, &r.blocks[w], now, begin));
        if !self.conds.is_none_or(|(conds, inverted)| agree(&b.region, conds.map(|c| now[c.0 as usize]), inverted)) {
            return None;
        }
        let (mut choices, mut common) = (Vec::new(), Vec::new());
        for &(slot, _) in left.iter().flatten() {
            let [x, y] = [0, 1].map(|w| last(&left[w], slot).unwrap_or_else(|| b.get(slot)));
            let list = if x == y { &mut common } else { &mut choices };
            if !list.contains(&(slot, x, y)) {
                list.push((slot, x, y));
            }
        }
        if choices.iter().any(|c| b.ty(c.1) == Ty::Flags) {
            return None;
        }
        let cond = Again::of(0).value(b, now[self.cond.0 as usize]);
        for (slot, x, y) in choices {
            let v = b.select(cond, x, y);
            b.set(slot, v);
        }
        // Computed last, values before flags, so that these are still the host's at the end.
        common.sort_by_key(|c| b.ty(c.1) == Ty::Flags);
        let mut again = Again::of(begin as u32);
        let common: Vec<_> = common.into_iter().map(|(slot, v, _)| (slot, again.value(b, v))).collect();
        common.into_iter().for_each(|(slot, v)| b.set(slot, v));
        let mut end = self.end;
        if let (Term::Branch { cond, .. }, Some(([c, _], _))) = (&mut end, self.conds) {
            *cond = again.value(b, now[c.0 as usize]);
        }
        Some(end)
    }
}

/// Whether two conditions are one, or opposites.
fn agree(r: &Region, [c, d]: [Val; 2], inverted: bool) -> bool {
    match (*r.op(c), *r.op(d)) {
        (Op::Cond(x, f), Op::Cond(y, g)) => f == g && y == if inverted { x.invert() } else { x },
        _ => c == d && !inverted,
    }
}

/// What a way leaves in a slot.
fn last(left: &[(Slot, Val)], slot: Slot) -> Option<Val> {
    left.iter().rev().find(|s| s.0 == slot).map(|s| s.1)
}

/// Emits a way but for what it writes, which is returned. What has been computed since `begin` is not computed again.
fn way(r: &Region, b: &mut Builder, block: &Block, now: &mut [Val], begin: usize) -> Vec<(Slot, Val)> {
    let mut left: Vec<(Slot, Val)> = Vec::new();
    for i in block.start..block.end {
        now[i as usize] = match *r.op(Val(i)) {
            Op::Set(slot, v) => {
                left.push((slot, now[v.0 as usize]));
                Val::NONE
            }
            Op::Get(slot) => last(&left, slot).unwrap_or_else(|| b.get(slot)),
            mut op => {
                op.map_args(|v| now[v.0 as usize]);
                let is_value = r.ty(Val(i)) != Ty::Void;
                let before = (begin..b.region.insts.len())
                    .find(|&k| is_value && b.region.insts[k].op == op && b.region.insts[k].ty == r.ty(Val(i)));
                before.map_or_else(|| b.again(r, Val(i), |v| now[v.0 as usize]), |k| Val(k as u32))
            }
        };
    }
    left
}

/// Computes values again of the same operands, flags too if they depend on them: so that they can stand in the host's flags where they are used.
struct Again {
    /// Only what has been computed since then.
    since: u32,
    done: Vec<(Val, Val)>,
}

impl Again {
    fn of(since: u32) -> Again {
        Again { since, done: Vec::new() }
    }

    fn value(&mut self, b: &mut Builder, v: Val) -> Val {
        if v.0 < self.since {
            return v;
        }
        if let Some(&(_, new)) = self.done.iter().find(|d| d.0 == v) {
            return new;
        }
        let ty = b.ty(v);
        let new = match *b.region.op(v) {
            Op::Cond(cc, f) => {
                let f = self.value(b, f);
                b.cond(cc, f)
            }
            Op::FlagsSbc(x, y, f) => {
                let f = self.value(b, f);
                b.flags_sbc(x, y, f)
            }
            op @ (Op::Cmp(..) | Op::FlagsSub(..) | Op::FlagsAdd(..) | Op::FlagsLogic(_) | Op::Bin(..)) => {
                b.push(op, ty)
            }
            _ => v,
        };
        self.done.push((v, new));
        new
    }
}

/// Whether the block is a few operations that can be done for nothing.
fn is_short(r: &Region, way: usize) -> bool {
    let block = &r.blocks[way];
    let mut ops = 0;
    (block.start..block.end).all(|i| {
        let op = r.op(Val(i));
        // Flags are mostly those of a sum that is there anyway, or nobody's.
        ops += usize::from(!matches!(op, Op::Get(_) | Op::Const(_)) && r.ty(Val(i)).is_int());
        let plain = matches!(op, Op::Insn { .. } | Op::Get(_) | Op::Set(..)) || !op.has_effect() && !op.can_fault();
        let cheap = matches!(r.ty(Val(i)), Ty::Void | Ty::I1 | Ty::I32 | Ty::I64 | Ty::Flags);
        plain
            && cheap
            && !matches!(
                op,
                Op::Call(..)
                    | Op::DivWide { .. }
                    | Op::Strings { .. }
                    | Op::Bin(crate::Bin::DivS | crate::Bin::DivU | crate::Bin::RemS | crate::Bin::RemU, ..)
            )
    }) && ops <= MOST_OPS
}

/// Whether two blocks are one, or both go on to the same place outside.
fn same(r: &Region, a: BlockId, b: BlockId) -> bool {
    let [x, y] = [a, b].map(|b| &r.blocks[b.0 as usize]);
    let leaves = |b: &Block| b.start == b.end && matches!(b.term, Term::Goto { .. } | Term::Switch { .. });
    a == b || leaves(x) && leaves(y) && x.term == y.term
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::Mem;
    use crate::op::Bin;
    use crate::opt::Stitch;
    use crate::region::FpControl;
    use crate::types::{Cc, Round};

    static TYPES: [Ty; 4] = [Ty::I32, Ty::I32, Ty::I32, Ty::Flags];
    const FLAGS: Slot = Slot(3);

    /// A loop with a fork: one way subtracts slot 1 from slot 0 and doubles it, the other does `second`. Both count slot 2 down.
    fn region(second: impl Fn(&mut Builder)) -> Region {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        b.insn(0x1000, 0, 0x1004);
        let (x, y) = (b.get(Slot(0)), b.get(Slot(1)));
        let f = b.flags_sub(x, y);
        b.set(FLAGS, f);
        let above = b.cond(Cc::Cs, f);
        let ways = [b.block(), b.block()];
        b.branch(above, ways[0], ways[1]);
        for (n, way) in ways.into_iter().enumerate() {
            b.enter(way);
            b.insn(0x1004 + 8 * n as u64, 0, 0x1008 + 8 * n as u64);
            if n == 0 {
                let (x, y) = (b.get(Slot(0)), b.get(Slot(1)));
                let less = b.sub(x, y);
                let twice = b.shift_imm(Bin::Shl, less, 1);
                b.set(Slot(0), twice);
            } else {
                second(&mut b);
            }
            let (count, one) = (b.get(Slot(2)), b.i32(1));
            let less = b.sub(count, one);
            let f = b.flags_sub(count, one);
            b.set(FLAGS, f);
            b.set(Slot(2), less);
            let (again, out) = (b.block(), b.block());
            if n == 0 {
                let done = b.cond(Cc::Eq, f);
                b.branch(done, out, again);
            } else {
                let more = b.cond(Cc::Ne, f);
                b.branch(more, again, out);
            }
            b.enter(again);
            b.end(Term::Goto { pc: 0x1000 });
            b.enter(out);
            b.end(Term::Goto { pc: 0x1014 });
        }
        let mut stitch = Stitch::new((0x1000, 0), Vec::new(), 0);
        stitch.add(&b.region);
        stitch.finish().expect("a loop").0
    }

    fn doubles(b: &mut Builder) {
        let x = b.get(Slot(0));
        let twice = b.shift_imm(Bin::Shl, x, 1);
        b.set(Slot(0), twice);
    }

    #[test]
    fn ways_that_meet_again_are_one() {
        let r = merge(&region(doubles), &TYPES).expect("both are short");
        assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
        let head = r.blocks.iter().find(|b| matches!(b.term, Term::Branch { .. })).expect("the loop's end");
        let ops: Vec<Op> = r.insts[head.start as usize..head.end as usize].iter().map(|i| i.op).collect();
        assert!(ops.iter().any(|op| matches!(op, Op::Select(..))));
        assert!(ops.iter().filter(|op| matches!(op, Op::Set(Slot(2), _))).count() == 1);
        let Term::Branch { cond, .. } = head.term else { unreachable!("it was looked for") };
        assert!(matches!(*r.op(cond), Op::Cond(Cc::Eq, _)));
    }

    #[test]
    fn a_way_that_can_fault_stays() {
        let loads = |b: &mut Builder| {
            let x = b.get(Slot(1));
            let v = b.load(Ty::I32, Mem::at(x, 4));
            b.set(Slot(0), v);
        };
        assert!(merge(&region(loads), &TYPES).is_none());
    }

    #[test]
    fn different_ends_stay() {
        let counts = |b: &mut Builder| {
            let x = b.get(Slot(2));
            let more = b.add_imm(x, 5);
            b.set(Slot(2), more);
        };
        assert!(merge(&region(counts), &TYPES).is_none());
    }
}
