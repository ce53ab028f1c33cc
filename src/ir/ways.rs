//! How a region's blocks are come to: by how many ways, in which guest instruction, and whether by falling out of the block before. Code is written in
//! the order of blocks, but for those that only leave.

use crate::op::Op;
use crate::region::{BlockId, Region, Term};

/// See the module. By block.
#[derive(Debug, Default)]
pub struct Ways {
    /// How many ways lead there from outside and from blocks that can be reached. Those without any are not emitted.
    pub count: Vec<u32>,
    /// The guest instruction that a block begins in, if it does not begin with one.
    pub begins_at: Vec<(u64, u32)>,
    /// The block that falls into it, if nobody else comes there: it finds all that was there.
    pub falls: Vec<Option<BlockId>>,
}

impl Ways {
    /// Finds out, for a region.
    pub fn find(&mut self, r: &Region) {
        let n = r.blocks.len();
        self.count.clear();
        self.count.resize(n, 0);
        self.begins_at.clear();
        self.begins_at.resize(n, (r.pc, 0));
        self.falls.clear();
        self.falls.resize(n, None);
        let mut open = vec![0];
        for &(pc, block) in &r.side_entries {
            let b = block.0 as usize;
            (self.count[b], self.begins_at[b]) = (1, (pc, 0));
            open.push(b);
        }
        while let Some(b) = open.pop() {
            let block = &r.blocks[b];
            let last = r.insts[block.start as usize..block.end as usize].iter().rev().find_map(|i| match i.op {
                Op::Insn { pc, extra } => Some((pc, extra)),
                _ => None,
            });
            let end = last.unwrap_or(self.begins_at[b]);
            for s in block.term.successors().map(|s| s.0 as usize) {
                self.count[s] += 1;
                if self.count[s] == 1 && s != 0 {
                    self.begins_at[s] = end;
                    open.push(s);
                }
            }
        }
        let mut before = BlockId(0);
        for b in (1..n).filter(|&b| self.count[b] > 0 && !is_stub(r, BlockId(b as u32))) {
            let last = &r.blocks[before.0 as usize];
            let leads = last.term.successors().any(|s| s.0 as usize == b);
            // How long a value is needed is told by numbers of instructions.
            let rises = last.end <= r.blocks[b].start;
            self.falls[b] = Some(before).filter(|_| self.count[b] == 1 && leads && rises);
            before = BlockId(b as u32);
        }
    }

    /// Whether what stands behind `from` still stands at the start of `to`, or that is never come to.
    pub fn lasts(&self, from: BlockId, to: BlockId) -> bool {
        let mut chain = std::iter::successors(Some(to), |b| self.falls[b.0 as usize]);
        to.0 != 0 && self.count[to.0 as usize] == 0 || chain.any(|b| b == from)
    }
}

/// A block that only leaves: it goes to the cold end.
pub fn is_stub(r: &Region, b: BlockId) -> bool {
    let block = &r.blocks[b.0 as usize];
    b.0 != 0 && block.start == block.end && !matches!(block.term, Term::Jump(_) | Term::Branch { .. })
}
