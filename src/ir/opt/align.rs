//! Alignment that holds anyway is not asked for again. An access that demands it shows that its base has it; adding a constant moves the remainder
//! along; a slot keeps what is known of its value from block to block. So a loop over an array asks in its first round.

use crate::mem::Align;
use crate::op::{Bin, Op, Slot, Val};
use crate::region::Region;

/// The largest power of two that is followed, as an exponent.
const MOST: u32 = 4;

/// A value's remainder modulo a power of two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Remainder {
    /// The power's exponent; 0: nothing is known.
    log2: u32,
    is: u64,
}

impl Remainder {
    const UNKNOWN: Remainder = Remainder { log2: 0, is: 0 };

    fn new(log2: u32, is: u64) -> Remainder {
        let log2 = log2.min(MOST);
        Remainder { log2, is: is & ((1 << log2) - 1) }
    }

    fn plus(self, n: u64) -> Remainder {
        Remainder::new(self.log2, self.is.wrapping_add(n))
    }

    /// What holds if either does.
    fn or(self, other: Remainder) -> Remainder {
        Remainder::new(self.log2.min(other.log2).min((self.is ^ other.is).trailing_zeros()), self.is)
    }

    fn better(self, other: Remainder) -> Remainder {
        if other.log2 > self.log2 { other } else { self }
    }
}

/// What a base is a sum of: a value, and a constant.
pub(crate) fn origin(r: &Region, mut v: Val) -> (Val, u64) {
    let mut sum = 0u64;
    loop {
        match *r.op(v) {
            Op::Bin(Bin::Add, a, b) if r.const_of(b).is_some() => {
                (v, sum) = (a, sum.wrapping_add(r.const_of(b).unwrap_or(0)));
            }
            Op::Bin(Bin::Sub, a, b) if r.const_of(b).is_some() => {
                (v, sum) = (a, sum.wrapping_sub(r.const_of(b).unwrap_or(0)));
            }
            _ => return (v, sum),
        }
    }
}

/// One pass over a block: what is known of slots, and of values.
struct Pass<'a> {
    slots: Vec<Remainder>,
    /// The value that each slot holds, if this block knows it.
    held: Vec<Val>,
    /// By value: what accesses have shown.
    shown: &'a mut [Remainder],
}

impl Pass<'_> {
    fn of(&self, r: &Region, v: Val) -> Remainder {
        let (root, sum) = origin(r, v);
        let made = match *r.op(root) {
            Op::Const(c) => Remainder::new(MOST, c),
            Op::Bin(Bin::And, _, b) => {
                r.const_of(b).map_or(Remainder::UNKNOWN, |c| Remainder::new(c.trailing_zeros(), 0))
            }
            Op::Bin(Bin::Shl, _, b) => r.const_of(b).map_or(Remainder::UNKNOWN, |c| Remainder::new(c as u32 & 31, 0)),
            _ => Remainder::UNKNOWN,
        };
        made.better(self.shown[root.0 as usize]).plus(sum)
    }

    /// What an access has shown of its base.
    fn learn(&mut self, r: &Region, base: Val, known: Remainder) {
        let (root, sum) = origin(r, base);
        let shown = &mut self.shown[root.0 as usize];
        *shown = shown.better(known.plus(sum.wrapping_neg()));
    }

    /// Goes past an instruction; whether it is an access that need not ask.
    fn step(&mut self, r: &Region, i: u32) -> bool {
        match r.insts[i as usize].op {
            Op::Get(slot) => {
                let held = &mut self.held[slot.0 as usize];
                let before = std::mem::replace(held, Val(i));
                let known = if before.is_none() { self.slots[slot.0 as usize] } else { self.of(r, before) };
                self.shown[i as usize] = known;
            }
            Op::Set(slot, v) => self.held[slot.0 as usize] = v,
            Op::Load(m) | Op::Store(m, _) => {
                let Align::To(bytes) = m.align else { return false };
                if !m.index.is_none() {
                    return false;
                }
                let (log2, wanted) = (u32::from(bytes).trailing_zeros(), (m.disp as u64).wrapping_neg());
                let (known, wanted) = (self.of(r, m.base), Remainder::new(log2, wanted));
                if log2 > MOST {
                    return false;
                }
                if known.log2 >= log2 {
                    return Remainder::new(log2, known.is) == wanted;
                }
                self.learn(r, m.base, wanted);
            }
            Op::Call(h, _) => match h.touches {
                crate::Touches::Nothing | crate::Touches::Reads(_) => {}
                crate::Touches::Writes(slots) => slots.iter().for_each(|s| self.forget(*s)),
                crate::Touches::All => (0..self.held.len()).for_each(|s| self.forget(Slot(s as u16))),
            },
            _ => {}
        }
        false
    }

    fn forget(&mut self, slot: Slot) {
        self.slots[slot.0 as usize] = Remainder::UNKNOWN;
        self.held[slot.0 as usize] = Val::NONE;
    }

    /// What is known of the slots behind the block.
    fn end(mut self, r: &Region) -> Vec<Remainder> {
        for s in 0..self.held.len() {
            if !self.held[s].is_none() {
                self.slots[s] = self.of(r, self.held[s]);
            }
        }
        self.slots
    }
}

/// Takes the question for alignment from the region's accesses that need not ask.
pub fn align(r: &mut Region, slots: usize) {
    let asks = |op: &Op| matches!(op, Op::Load(m) | Op::Store(m, _) if matches!(m.align, Align::To(_)));
    if !r.insts.iter().any(|i| asks(&i.op)) {
        return;
    }
    let mut at: Vec<Option<Vec<Remainder>>> = vec![None; r.blocks.len()];
    at[0] = Some(vec![Remainder::UNKNOWN; slots]);
    let mut shown = vec![Remainder::UNKNOWN; r.insts.len()];
    let mut needless = Vec::new();
    let mut changed = true;
    while changed {
        changed = false;
        needless.clear();
        shown.fill(Remainder::UNKNOWN);
        for n in 0..r.blocks.len() {
            let Some(known) = at[n].clone() else { continue };
            let mut pass = Pass { slots: known, held: vec![Val::NONE; slots], shown: &mut shown };
            for i in r.blocks[n].start..r.blocks[n].end {
                if pass.step(r, i) {
                    needless.push(i);
                }
            }
            let behind = pass.end(r);
            for next in r.blocks[n].term.successors().map(|b| b.0 as usize) {
                let met = match &at[next] {
                    None => behind.clone(),
                    Some(before) => before.iter().zip(&behind).map(|(a, b)| a.or(*b)).collect(),
                };
                if at[next].as_ref() != Some(&met) {
                    at[next] = Some(met);
                    changed = true;
                }
            }
        }
    }
    for i in needless {
        if let Op::Load(m) | Op::Store(m, _) = &mut r.insts[i as usize].op {
            m.align = Align::Any;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::mem::Mem;
    use crate::region::{FpControl, Term};
    use crate::types::{Round, Ty};

    static SLOTS: [Ty; 2] = [Ty::I32; 2];
    const P: Slot = Slot(0);

    /// A loop in two blocks, both of which load from the slot's value, aligned, and move it by `step`.
    fn region(first: i64, step: i64) -> Region {
        let mut b = Builder::new(&SLOTS);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let (again, out) = (b.block(), b.block());
        for (block, step) in [(None, first), (Some(again), step)] {
            if let Some(block) = block {
                b.enter(block);
            }
            let base = b.get(P);
            b.load(Ty::I32, Mem::at(base, 4).aligned_to(4));
            let base = b.add_imm(base, step);
            b.set(P, base);
            match block {
                None => b.end(Term::Jump(again)),
                Some(_) => {
                    let cond = b.get(Slot(1));
                    let cond = b.trunc(Ty::I1, cond);
                    b.branch(cond, again, out);
                }
            }
        }
        b.enter(out);
        b.end(Term::Goto { pc: 0x1000 });
        b.region.clone()
    }

    fn asking(mut r: Region) -> usize {
        align(&mut r, SLOTS.len());
        r.insts.iter().filter(|i| matches!(i.op, Op::Load(m) if m.align == Align::To(4))).count()
    }

    #[test]
    fn a_loop_asks_in_its_first_round() {
        assert_eq!(asking(region(4, 4)), 1);
        assert_eq!(asking(region(-12, 8)), 1);
    }

    #[test]
    fn a_step_that_breaks_the_alignment_keeps_the_question() {
        assert_eq!(asking(region(4, 2)), 2);
        assert_eq!(asking(region(2, 4)), 2);
    }

    #[test]
    fn remainders_meet_in_what_they_share() {
        let of = Remainder::new;
        assert_eq!(of(3, 4).or(of(3, 0)), of(2, 0));
        assert_eq!(of(3, 5).or(of(2, 1)), of(2, 1));
        assert_eq!(of(2, 1).or(of(2, 0)), Remainder::UNKNOWN);
    }
}
