//! Takes away checks of alignment that have been made on every way before: those of a loop's first round are enough, if its pointers move by
//! multiples. Whoever enters the region begins with nothing known, so that a handler may have changed registers meanwhile.

use crate::Touches;
use crate::op::{Align, Bin, Op, Val};
use crate::region::Region;

/// By slot: what it holds is a multiple of this power of two.
type Known = Vec<u8>;

/// Multiples of more are not asked for.
const MOST: u32 = 4;

/// Takes them away.
pub fn drop_checks(r: &mut Region, slots: usize) {
    let mut at: Vec<Option<Known>> = vec![None; r.blocks.len()];
    at[0] = Some(vec![0; slots]);
    let mut changed = true;
    while changed {
        changed = false;
        for n in 0..r.blocks.len() {
            let Some(mut known) = at[n].clone() else { continue };
            pass(r, n, &mut known, false);
            for next in r.blocks[n].term.successors().map(|b| b.0 as usize) {
                match &mut at[next] {
                    None => (at[next], changed) = (Some(known.clone()), true),
                    Some(before) => {
                        for (before, now) in before.iter_mut().zip(&known) {
                            changed |= now < before;
                            *before = (*before).min(*now);
                        }
                    }
                }
            }
        }
    }
    for (n, known) in at.into_iter().enumerate() {
        if let Some(mut known) = known {
            pass(r, n, &mut known, true);
        }
    }
}

/// Follows a block from what is known at its start to what is at its end.
fn pass(r: &mut Region, block: usize, known: &mut Known, drop: bool) {
    let (start, end) = (r.blocks[block].start as usize, r.blocks[block].end as usize);
    let mut of = vec![0u8; end - start];
    let mut held = vec![Val::NONE; known.len()];
    for i in start..end {
        let place = |v: Val| (v.0 as usize).checked_sub(start).filter(|&n| n < end - start);
        let get = |of: &[u8], v: Val| place(v).map_or(0, |n| of[n]);
        let least = |bits: u32| bits.min(MOST) as u8;
        let n = match r.insts[i].op {
            Op::Const(c) => least(c.trailing_zeros()),
            Op::Get(s) => {
                held[s.0 as usize] = Val(i as u32);
                known[s.0 as usize]
            }
            Op::Bin(Bin::Add | Bin::Sub | Bin::Or | Bin::Xor, a, b) => get(&of, a).min(get(&of, b)),
            Op::Bin(Bin::And, a, b) => get(&of, a).max(get(&of, b)),
            Op::Trunc(v) | Op::Zext(v) | Op::Sext(v) => get(&of, v),
            _ => 0,
        };
        of[i - start] = n;
        match &mut r.insts[i].op {
            Op::Set(s, v) => (known[s.0 as usize], held[s.0 as usize]) = (get(&of, *v), *v),
            Op::Load(m) | Op::Store(m, _) => {
                let Align::To(bytes) = m.align else { continue };
                let asked = least(bytes.trailing_zeros());
                if !m.index.is_none() || u32::from(bytes) > 1 << MOST || m.disp & (i32::from(bytes) - 1) != 0 {
                    continue;
                }
                if get(&of, m.base) >= asked && drop {
                    m.align = Align::Any;
                }
                if let Some(n) = place(m.base) {
                    of[n] = asked.max(of[n]);
                }
                for (known, _) in known.iter_mut().zip(&held).filter(|(_, held)| **held == m.base) {
                    *known = asked.max(*known);
                }
            }
            Op::Call(h, _) => match h.touches {
                Touches::Nothing | Touches::Reads(_) => {}
                Touches::Writes(slots) => slots.iter().for_each(|s| forget(known, &mut held, s.0 as usize)),
                Touches::All => (0..known.len()).for_each(|s| forget(known, &mut held, s)),
            },
            _ => {}
        }
    }
}

fn forget(known: &mut Known, held: &mut [Val], slot: usize) {
    (known[slot], held[slot]) = (0, Val::NONE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, FpControl, Mem, Round, Slot, Term, Ty};

    const POINTER: Slot = Slot(0);

    /// A loop that is peeled: loads, and moves its pointer by `step`.
    fn checks_left(step: i64) -> usize {
        let mut b = Builder::new(&[Ty::I32, Ty::I32]);
        b.start(0x1000, 0, FpControl { round: Round::Nearest });
        let (first, round, out) = (b.block(), b.block(), b.block());
        b.end(Term::Jump(first));
        for block in [first, round] {
            b.enter(block);
            b.insn(0x1000, 0, 0x1004);
            let p = b.get(POINTER);
            let v = b.load(Ty::I32, Mem::at(p, 4).disp(8).align(Align::To(4)));
            let moved = b.add_imm(p, step);
            b.set(POINTER, moved);
            let zero = b.i32(0);
            let again = b.cmp(crate::IntCc::Ne, v, zero);
            b.branch(again, round, out);
        }
        b.enter(out);
        b.end(Term::Goto { pc: 0x1004 });
        drop_checks(&mut b.region, 2);
        let is_checked = |op: &Op| matches!(op, Op::Load(m) if m.align == Align::To(4));
        b.region.insts.iter().filter(|i| is_checked(&i.op)).count()
    }

    #[test]
    fn loops() {
        assert_eq!(checks_left(8), 1);
        assert_eq!(checks_left(6), 2);
    }
}
