//! Loops in a version for registers that hold 0 or all ones throughout: masks, zeros to compare with, what string functions add to bytes; and for those that
//! hold boxes at the beginning ([`boxes`]). The version is made when it is shorter, by what the registers hold as the loop becomes hot; the region's entry
//! asks whether they (still) do.

use super::{boxes, frequencies};
use crate::builder::Builder;
use crate::helper::Touches;
use crate::op::{Op, Slot, V2, Val};
use crate::region::{BlockId, Region, Term};
use crate::types::{IntCc, Lane, Ty};

/// A slot and what it holds.
type Held = (Slot, u64);

/// The region with a version for what slots hold now (`held`), if that is worth it: numbers, and boxes in these slots. `types` are all slots'.
pub fn specialize(r: &Region, boxed: &[Slot], held: &dyn Fn(Slot) -> u64, types: &'static [Ty]) -> Option<Region> {
    let constants = constants(r, held, types);
    let Term::Jump(head) = r.blocks[0].term else { return None };
    if constants.is_empty() && boxed.is_empty() || r.blocks[0].start != r.blocks[0].end {
        return None;
    }
    let mut b = Builder::new(types);
    b.start(r.pc, r.mode, r.fp);
    let n = r.blocks.len();
    (1..2 * n - 1).for_each(|_| _ = b.block());
    // Block k of the version stands at n - 1 + k.
    guard(&mut b, (&constants, boxed), BlockId(head.0 + n as u32 - 1), head);
    copy(&mut b, r, (&[], &[]), 0);
    let chosen = boxes::chosen(r, boxed, types.len()).unwrap_or_default();
    copy(&mut b, r, (&constants, &chosen), n as u32 - 1);
    let times = frequencies(r);
    let [plain, special] = [1, n].map(|first| cost(&b.region, first, &times[1..]));
    if special * 8 > plain * 7 {
        return None;
    }
    let mut region = b.region;
    (region.end, region.guest_insns) = (r.end, r.guest_insns);
    Some(region)
}

/// Slots that the region reads and does not write, and that hold such a value.
fn constants(r: &Region, held: &dyn Fn(Slot) -> u64, types: &[Ty]) -> Vec<Held> {
    let (mut read, mut written) = (vec![false; types.len()], vec![false; types.len()]);
    for inst in r.blocks.iter().flat_map(|b| &r.insts[b.start as usize..b.end as usize]) {
        match inst.op {
            Op::Get(s) => read[s.0 as usize] = true,
            Op::Set(s, _) => written[s.0 as usize] = true,
            Op::Call(h, _) => match h.touches {
                Touches::Nothing | Touches::Reads(_) => {}
                Touches::Writes(slots) => slots.iter().for_each(|s| written[s.0 as usize] = true),
                Touches::All => return Vec::new(),
            },
            _ => {}
        }
    }
    let candidates = (0..types.len()).filter(|&s| read[s] && !written[s] && matches!(types[s], Ty::I32 | Ty::I64));
    candidates
        .map(|s| (Slot(s as u16), held(Slot(s as u16))))
        .filter(|&(s, v)| v == 0 || v == types[s.0 as usize].mask())
        .collect()
}

/// The entry: to the version if all slots hold what it was made for.
fn guard(b: &mut Builder, (constants, boxed): (&[Held], &[Slot]), special: BlockId, plain: BlockId) {
    let mut same = match boxed {
        [first, others @ ..] => all_boxed(b, *first, others),
        [] => b.i1(true),
    };
    for &(slot, value) in constants {
        let v = b.get(slot);
        let wanted = b.constant(b.ty(v), value);
        let is = b.cmp(IntCc::Eq, v, wanted);
        same = b.and(is, same);
    }
    b.branch(same, special, plain);
}

/// Whether all of these slots hold boxes.
fn all_boxed(b: &mut Builder, first: Slot, others: &[Slot]) -> Val {
    let mut all = b.get(first);
    for slot in others {
        let v = b.get(*slot);
        all = b.v2(V2::And, Lane::D, all, v);
    }
    let (above, ones) = (b.vget(Ty::I32, all, 1), b.i32(u32::MAX));
    b.cmp(IntCc::Eq, above, ones)
}

/// Appends the region's blocks but for the entry, `shift` further on, with constants for what these slots hold, and values for choices that are known.
fn copy(b: &mut Builder, r: &Region, (constants, chosen): (&[Held], &[Option<Val>]), shift: u32) {
    let mut now = vec![Val::NONE; r.insts.len()];
    for (n, block) in r.blocks.iter().enumerate().skip(1) {
        b.enter(BlockId(n as u32 + shift));
        for i in block.start..block.end {
            let inst = &r.insts[i as usize];
            let constant = match inst.op {
                Op::Get(slot) => constants.iter().find(|c| c.0 == slot),
                _ => None,
            };
            now[i as usize] = match (constant, chosen.get(i as usize)) {
                (Some(&(_, value)), _) => b.constant(inst.ty, value),
                (_, Some(Some(v))) => now[v.0 as usize],
                _ => b.again(r, Val(i), |v| now[v.0 as usize]),
            };
        }
        let mut term = block.term;
        term.map_args(|v| now[v.0 as usize]);
        term.map_successors(|b| BlockId(b.0 + shift));
        match term {
            Term::Branch { cond, then, other } => b.branch(cond, then, other),
            term => b.end(term),
        }
    }
}

/// About how many instructions blocks from `first` on take, each as often as `times` says.
fn cost(r: &Region, first: usize, times: &[u32]) -> u64 {
    let mut used = vec![false; r.insts.len()];
    let mut sum = 0;
    for (block, &times) in r.blocks[first..].iter().zip(times) {
        block.term.for_each_arg(|v| used[v.0 as usize] = true);
        for i in (block.start..block.end).rev() {
            let op = &r.insts[i as usize].op;
            if used[i as usize] || op.has_effect() {
                op.for_each_arg(|v| used[v.0 as usize] = true);
                let is_free = matches!(op, Op::Const(_) | Op::ConstV(_) | Op::Get(_) | Op::Insn { .. });
                sum += u64::from(times) * u64::from(!is_free);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::Mem;
    use crate::opt::Stitch;
    use crate::region::FpControl;
    use crate::types::Round;

    static TYPES: [Ty; 4] = [Ty::I32; 4];
    const MASK: Slot = Slot(2);

    /// A loop that loads words and goes on while they are zero under a mask, as often as this.
    fn region(rounds: usize) -> Region {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        b.insn(0x1000, 0, 0x1004);
        let p = b.get(Slot(0));
        let mut v = b.load(Ty::I32, Mem::at(p, 4));
        let mask = b.get(MASK);
        for _ in 0..rounds {
            let cut = b.and(v, mask);
            let rest = b.and_not(mask, v);
            v = b.or(cut, rest);
        }
        b.set(Slot(1), v);
        let p = b.add_imm(p, 4);
        b.set(Slot(0), p);
        let (again, out) = (b.block(), b.block());
        let zero = b.i32(0);
        let go_on = b.cmp(IntCc::Eq, v, zero);
        b.branch(go_on, again, out);
        b.enter(again);
        b.end(Term::Goto { pc: 0x1000 });
        b.enter(out);
        b.end(Term::Goto { pc: 0x1008 });
        let mut stitch = Stitch::new((0x1000, 0), Vec::new(), 0);
        stitch.add(&b.region);
        stitch.finish().expect("a loop").0
    }

    #[test]
    fn a_zero_that_the_loop_does_not_write_gets_a_version() {
        let r = specialize(&region(3), &[], &|s| u64::from(s != MASK), &TYPES).expect("it is shorter");
        let Term::Branch { then, other, .. } = r.blocks[0].term else { panic!("the entry asks") };
        let reads = |b: BlockId| {
            let b = &r.blocks[b.0 as usize];
            r.insts[b.start as usize..b.end as usize].iter().any(|i| i.op == Op::Get(MASK))
        };
        assert!(!reads(then) && reads(other));
        assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
    }

    #[test]
    fn other_values_get_none() {
        assert!(specialize(&region(3), &[], &|_| 1, &TYPES).is_none());
    }

    #[test]
    fn what_the_loop_writes_gets_none() {
        assert!(specialize(&region(3), &[], &|s| u64::from(s == MASK), &TYPES).is_none());
    }

    #[test]
    fn a_version_that_is_hardly_shorter_is_not_made() {
        assert!(specialize(&region(0), &[], &|s| u64::from(s != MASK), &TYPES).is_none());
    }
}
