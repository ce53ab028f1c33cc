//! The order of blocks, which is that of the code: a loop's blocks follow one another as they are run, so that it jumps once a round; what is left of
//! it comes behind.

use super::frequencies;
use crate::region::{BlockId, Region, Term};

/// Orders the region's blocks.
pub fn order(r: &mut Region) {
    let times = frequencies(r);
    let leaves = |b: usize| {
        let b = &r.blocks[b];
        b.start == b.end && b.term.successors().next().is_none()
    };
    let mut placed: Vec<bool> = (0..r.blocks.len()).map(|b| b != 0 && leaves(b)).collect();
    let mut order = Vec::with_capacity(r.blocks.len());
    let mut next = Some(0);
    while let Some(at) = next {
        placed[at] = true;
        order.push(at);
        // Of two ways that are as likely the guest's own order is as good as any.
        let ways = match r.blocks[at].term {
            Term::Branch { then, other, .. } => [Some(other), Some(then)],
            Term::Jump(to) => [Some(to), None],
            _ => [None, None],
        };
        let ways = ways.into_iter().flatten().map(|b| b.0 as usize).filter(|&b| !placed[b]);
        next = first_of_most(ways, &times).or_else(|| first_of_most((0..placed.len()).filter(|&b| !placed[b]), &times));
    }
    order.extend((1..placed.len()).filter(|&b| leaves(b)));
    let mut to = vec![BlockId(0); order.len()];
    order.iter().enumerate().for_each(|(n, &b)| to[b] = BlockId(n as u32));
    r.blocks = order.iter().map(|&b| r.blocks[b].clone()).collect();
    r.blocks.iter_mut().for_each(|b| b.term.map_successors(|s| to[s.0 as usize]));
}

fn first_of_most(blocks: impl Iterator<Item = usize>, times: &[u32]) -> Option<usize> {
    blocks.fold(None, |best, b| if best.is_none_or(|best: usize| times[b] > times[best]) { Some(b) } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::op::Slot;
    use crate::region::FpControl;
    use crate::types::{Round, Ty};

    static TYPES: [Ty; 1] = [Ty::I1];

    #[test]
    fn what_is_no_loop_comes_last() {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let [head, aside, back, out] = std::array::from_fn(|_| b.block());
        b.end(Term::Jump(head));
        for (block, then, other) in [(head, back, aside), (back, head, out)] {
            b.enter(block);
            let cond = b.get(Slot(0));
            b.branch(cond, then, other);
        }
        b.enter(aside);
        let no = b.i1(false);
        b.set(Slot(0), no);
        b.end(Term::Goto { pc: 0x1008 });
        b.enter(out);
        b.end(Term::Goto { pc: 0x1004 });
        let mut r = b.region;
        order(&mut r);
        let next = |b: usize| match r.blocks[b].term {
            Term::Branch { then, other, .. } => [then.0, other.0],
            Term::Jump(to) => [to.0, to.0],
            _ => [0, 0],
        };
        assert_eq!((next(0), next(1), next(2)), ([1, 1], [2, 3], [1, 4]));
        assert_eq!(r.blocks[3].term, Term::Goto { pc: 0x1008 });
    }
}
