//! Constants that slots hold from block to block are not written again. So a loop that sets up the same
//! each round (RISC-V's vtype and vl, a register that has a constant) does so in its first.

use crate::helper::Touches;
use crate::op::{Op, Slot, Val};
use crate::region::Region;
use crate::types::Ty;

/// The constants that the slots looked at hold, where that is known.
type Known = Vec<Option<u128>>;

/// The slots looked at: integers and vectors that constants are written to.
struct Pass(Vec<Slot>);

/// The constant that a value is.
fn constant(r: &Region, v: Val) -> Option<u128> {
    match *r.op(v) {
        Op::ConstV(n) => r.vectors.get(n as usize).copied(),
        _ => r.const_of(v).map(u128::from),
    }
}

impl Pass {
    fn of(r: &Region, types: &[Ty]) -> Pass {
        let written = r.insts.iter().filter_map(|i| match i.op {
            Op::Set(slot, v) if constant(r, v).is_some() => Some(slot),
            _ => None,
        });
        let mut slots: Vec<Slot> =
            written.filter(|s| matches!(types.get(s.0 as usize), Some(Ty::I32 | Ty::I64 | Ty::V128))).collect();
        slots.sort_unstable_by_key(|s| s.0);
        slots.dedup();
        Pass(slots)
    }

    fn number(&self, slot: Slot) -> Option<usize> {
        self.0.binary_search_by_key(&slot.0, |s| s.0).ok()
    }

    /// Goes past an instruction; whether it writes what is there.
    fn step(&self, r: &Region, op: &Op, known: &mut Known) -> bool {
        match *op {
            Op::Set(slot, v) => self.number(slot).is_some_and(|n| {
                let before = std::mem::replace(&mut known[n], constant(r, v));
                before.is_some() && before == known[n]
            }),
            Op::Call(h, _) if !matches!(h.touches, Touches::Reads(_)) => {
                let touched = self.0.iter().zip(known).filter(|(slot, _)| h.touches.includes(**slot));
                touched.for_each(|(_, c)| *c = None);
                false
            }
            _ => false,
        }
    }
}

/// See the module. `types` are the slots'.
pub fn known(r: &mut Region, types: &[Ty]) {
    let pass = Pass::of(r, types);
    if pass.0.is_empty() {
        return;
    }
    let mut at: Vec<Option<Known>> = vec![None; r.blocks.len()];
    at[0] = Some(vec![None; pass.0.len()]);
    let mut changed = true;
    while std::mem::take(&mut changed) {
        for n in 0..r.blocks.len() {
            let Some(mut known) = at[n].clone() else { continue };
            let block = &r.blocks[n];
            for inst in &r.insts[block.start as usize..block.end as usize] {
                pass.step(r, &inst.op, &mut known);
            }
            for next in block.term.successors().map(|b| b.0 as usize) {
                let met = match &at[next] {
                    None => known.clone(),
                    Some(before) => before.iter().zip(&known).map(|(a, b)| a.filter(|_| a == b)).collect(),
                };
                if at[next].as_ref() != Some(&met) {
                    (at[next], changed) = (Some(met), true);
                }
            }
        }
    }
    for (n, known) in at.into_iter().enumerate() {
        let Some(mut known) = known else { continue };
        for i in r.blocks[n].start as usize..r.blocks[n].end as usize {
            let op = r.insts[i].op;
            if pass.step(r, &op, &mut known) {
                (r.insts[i].op, r.insts[i].ty) = (Op::Const(0), Ty::I32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::region::{FpControl, Term};
    use crate::types::{IntCc, Round};

    static SLOTS: [Ty; 2] = [Ty::I32; 2];
    const LENGTH: Slot = Slot(0);
    const LEFT: Slot = Slot(1);

    /// A first round and a loop, both of which set a length and count down by it; the loop sets it to `again`. How many writes of the length are left.
    fn writes(again: u32) -> usize {
        let mut b = Builder::new(&SLOTS);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let (round, out) = (b.block(), b.block());
        let count_down = |b: &mut Builder, n: u32| {
            b.insn(0x1000, 0, 0x1004);
            let length = b.i32(n);
            b.set(LENGTH, length);
            let (left, zero) = (b.get(LEFT), b.i32(0));
            let less = b.sub(left, length);
            b.set(LEFT, less);
            let more = b.cmp(IntCc::Ne, less, zero);
            b.branch(more, round, out);
        };
        count_down(&mut b, 4);
        b.enter(round);
        count_down(&mut b, again);
        b.enter(out);
        b.end(Term::Goto { pc: 0x1008 });
        let mut r = b.region;
        known(&mut r, &SLOTS);
        r.insts.iter().filter(|i| matches!(i.op, Op::Set(LENGTH, _))).count()
    }

    #[test]
    fn nor_is_a_vector() {
        static VECTORS: [Ty; 1] = [Ty::V128];
        let mut b = Builder::new(&VECTORS);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let on = b.block();
        for next in [Some(on), None] {
            b.insn(0x1000, 0, 0x1004);
            let v = b.v128(1 << 100);
            b.set(Slot(0), v);
            b.end(next.map_or(Term::Goto { pc: 0x1008 }, Term::Jump));
            if let Some(next) = next {
                b.enter(next);
            }
        }
        let mut r = b.region;
        known(&mut r, &VECTORS);
        assert_eq!(r.insts.iter().filter(|i| matches!(i.op, Op::Set(..))).count(), 1);
    }

    #[test]
    fn a_constant_that_is_there_is_not_written_again() {
        assert_eq!((writes(4), writes(8)), (1, 2));
    }
}
