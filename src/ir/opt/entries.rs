//! Loops that are also entered in the middle, as unrolled ones are that begin with what is left over: who comes in there does the rest of that round
//! in a copy of its own, and goes on at the head. So the loop has one entry, which is what other passes look for.

use super::peel::{loops, pc};
use super::rebuild::copy_of_block;
use crate::op::Op;
use crate::region::{Block, BlockId, Region};

/// Guest instructions of a round that is worth it.
const MOST_INSNS: usize = 64;

/// Gives the region's loops one entry each.
pub fn one_entry(r: &mut Region) {
    let natural: Vec<usize> = loops(r).into_iter().map(|l| l.0).collect();
    for head in (1..r.blocks.len()).filter(|head| !natural.contains(head)) {
        let polls = r.insts.get(r.blocks[head].start as usize).is_some_and(|i| matches!(i.op, Op::Poll { .. }));
        if !polls || r.blocks[head].start == r.blocks[head].end {
            continue;
        }
        if let Some(round) = round(r, head, |_| true).filter(|round| insns(r, round) <= MOST_INSNS) {
            copy_rest(r, &round, |_| true);
        }
    }
    natural.into_iter().for_each(|head| leave_outer(r, head));
}

/// A loop whose code does not begin with its test is entered at that, from the loop around it too. Where a region begins at the inner one's code,
/// the two have changed places: what is around seems to go round inside. Its way in, from before or behind the round, gets a copy of the rest of it.
fn leave_outer(r: &mut Region, head: usize) {
    let Some(round) = round(r, head, |_| true).filter(|round| insns(r, round) <= MOST_INSNS) else { return };
    let code: Vec<u64> = round.iter().filter_map(|&b| pc(r, b)).collect();
    let (Some(first), Some(&last)) = (pc(r, head), code.iter().max()) else { return };
    if code.iter().min() == Some(&first) && first < last {
        let outside = |n: usize| pc(r, n).is_some_and(|at| at < first || at > last);
        let outside: Vec<bool> = (0..r.blocks.len()).map(outside).collect();
        copy_rest(r, &round, |n| outside[n]);
    }
}

fn insns(r: &Region, blocks: &[usize]) -> usize {
    let of = |b: &Block| {
        r.insts[b.start as usize..b.end as usize].iter().filter(|i| matches!(i.op, Op::Insn { .. })).count()
    };
    blocks.iter().map(|&b| of(&r.blocks[b])).sum()
}

/// The blocks of the shortest way from a block back to it, by such blocks alone.
pub(super) fn round(r: &Region, head: usize, by: impl Fn(usize) -> bool) -> Option<Vec<usize>> {
    let mut from = vec![None; r.blocks.len()];
    let mut open = std::collections::VecDeque::from([head]);
    while let Some(at) = open.pop_front() {
        for to in r.blocks[at].term.successors().map(|s| s.0 as usize).filter(|&s| by(s)) {
            if to == head {
                let mut blocks: Vec<usize> =
                    std::iter::successors(Some(at), |&b| if b == head { None } else { from[b] }).collect();
                blocks.reverse();
                return Some(blocks);
            }
            if from[to].is_none() {
                from[to] = Some(at);
                open.push_back(to);
            }
        }
    }
    None
}

/// Lets ways into a round's blocks other than the first lead to copies, the last of which goes on at the first, if such a block has such a way in.
fn copy_rest(r: &mut Region, round: &[usize], from: impl Fn(usize) -> bool) {
    let enters = |at: &usize| {
        let comes = |n: usize| r.blocks[n].term.successors().any(|s| s.0 as usize == round[*at]);
        (0..r.blocks.len()).any(|n| n != round[*at - 1] && from(n) && comes(n))
    };
    let Some(rest) = (1..round.len()).find(enters).map(|at| &round[at..]) else { return };
    let first = r.blocks.len();
    let place = |b: BlockId| rest.iter().position(|&n| n == b.0 as usize);
    let copy_of = |b: BlockId| place(b).map_or(b, |n| BlockId((first + n) as u32));
    for n in 0..first {
        let at = round.iter().position(|&b| b == n);
        // The way on within the round stays.
        let next = at.and_then(|at| round.get(at + 1)).map(|&b| BlockId(b as u32));
        r.blocks[n].term.map_successors(|b| if Some(b) == next { b } else { copy_of(b) });
    }
    for &b in rest {
        let mut copy = copy_of_block(r, b);
        copy.term.map_successors(copy_of);
        r.blocks.push(copy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::op::Slot;
    use crate::region::{FpControl, Term};
    use crate::types::{Round, Ty};

    static TYPES: [Ty; 2] = [Ty::I1, Ty::I32];

    /// A loop of a head and two blocks, which the entry may begin with the second of. Each adds to slot 1 and goes on by slot 0 or leaves.
    fn region() -> Region {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let [head, middle, last, out] = std::array::from_fn(|_| b.block());
        let cond = b.get(Slot(0));
        b.branch(cond, head, last);
        for (n, (block, next)) in [(head, middle), (middle, last), (last, head)].into_iter().enumerate() {
            b.enter(block);
            let pc = 0x1000 + 4 * n as u64;
            b.push(if n == 0 { Op::Poll { pc } } else { Op::Insn { pc, extra: 0 } }, Ty::Void);
            let v = b.get(Slot(1));
            let v = b.add_imm(v, 1 << n);
            b.set(Slot(1), v);
            let cond = b.get(Slot(0));
            b.branch(cond, next, out);
        }
        b.enter(out);
        b.end(Term::Goto { pc: 0x1010 });
        b.region
    }

    #[test]
    fn who_enters_in_the_middle_comes_by_the_head() {
        let mut r = region();
        assert!(loops(&r).is_empty());
        one_entry(&mut r);
        assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
        assert_eq!(loops(&r), [(1, vec![1, 2, 3])]);
        // The entry goes to a copy of the last block, and that to the head.
        let Term::Branch { then, other, .. } = r.blocks[0].term else { panic!("it branches") };
        assert_eq!(then, BlockId(1));
        assert_eq!(r.blocks[other.0 as usize].term.successors().next(), Some(BlockId(1)));
        assert!(other.0 > 4);
    }

    #[test]
    fn a_loop_with_one_entry_stays() {
        let mut r = region();
        r.blocks[0].term = Term::Jump(BlockId(1));
        let blocks = r.blocks.len();
        one_entry(&mut r);
        assert_eq!(r.blocks.len(), blocks);
    }

    /// A loop of two blocks, the second its test, around which a third goes that leads to the test. The region begins at the first.
    fn rotated() -> Region {
        let mut b = Builder::new(&TYPES);
        b.start(0x1010, 0, FpControl { round: Round::NearestEven });
        let [code, test, around, out] = std::array::from_fn(|_| b.block());
        b.end(Term::Jump(code));
        for (block, pc, to) in
            [(code, 0x1010, [test; 2]), (test, 0x1014, [code, around]), (around, 0x1004, [test, out])]
        {
            b.enter(block);
            b.push(if block == around { Op::Insn { pc, extra: 0 } } else { Op::Poll { pc } }, Ty::Void);
            let v = b.get(Slot(1));
            let v = b.add_imm(v, 1);
            b.set(Slot(1), v);
            let cond = b.get(Slot(0));
            b.branch(cond, to[0], to[1]);
        }
        b.enter(out);
        b.end(Term::Goto { pc: 0x1020 });
        b.region
    }

    #[test]
    fn what_is_around_a_rotated_loop_comes_in_by_a_copy() {
        let mut r = rotated();
        assert_eq!(loops(&r)[1], (2, vec![2, 3]), "it seems to go round inside");
        one_entry(&mut r);
        assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
        let copy = r.blocks[3].term.successors().next().expect("it leads on");
        assert!(copy.0 > 4 && r.blocks[copy.0 as usize].term.successors().any(|b| b == BlockId(1)));
        assert_eq!(loops(&r)[0], (1, vec![1, 2]), "the inner one");
    }

    #[test]
    fn a_loop_around_another_stays() {
        let mut r = rotated();
        // The same with the code in the order of a loop that begins with its own.
        for (block, pc) in [(1, 0x1000), (2, 0x1004), (3, 0x1008)] {
            let at = r.blocks[block].start as usize;
            r.insts[at].op = if block == 3 { Op::Insn { pc, extra: 0 } } else { Op::Poll { pc } };
        }
        r.blocks[2].term.map_successors(|b| if b == BlockId(1) { BlockId(2) } else { b });
        r.blocks[3].term.map_successors(|b| if b == BlockId(2) { BlockId(1) } else { b });
        let blocks = r.blocks.len();
        one_entry(&mut r);
        assert_eq!(r.blocks.len(), blocks);
    }
}
