//! Makes one region of pieces, each of which a front end has translated from an address and a mode word of its own: a jump from a piece to
//! another's start becomes one within the region, a call of one too. Each loop polls once a round, at its head.

use crate::op::{Inst, Op, Val};
use crate::region::{Block, BlockId, Region, Term};
use crate::types::Ty;

/// A region being put together. Block 0 is an entry that goes to the first instruction of the head.
#[derive(Debug)]
pub struct Stitch {
    region: Region,
    /// Where each piece begins, and its mode word.
    starts: Vec<((u64, u32), BlockId)>,
    /// The mode word of each block's piece.
    modes: Vec<u32>,
    /// Guest bytes that the pieces were made from.
    ranges: Vec<(u64, u64)>,
    /// Where called pieces return to: those calls are jumps, and so are the returns, under this mode word.
    returns: Vec<u64>,
    called: u32,
}

impl Stitch {
    /// A region to be entered at `pc`, which must be the start of a piece. Calls that return to `returns` are of pieces, which look for that
    /// themselves ([`look_for`](super::look_for)); `called`: the mode word behind calls and returns.
    pub fn new((pc, mode): (u64, u32), returns: Vec<u64>, called: u32) -> Stitch {
        let mut region = Region { pc, mode, ..Region::default() };
        region.blocks.push(Block { start: 0, end: 0, term: Term::Goto { pc }, params: Vec::new(), args: Vec::new() });
        Stitch { region, starts: Vec::new(), modes: vec![mode], ranges: Vec::new(), returns, called }
    }

    /// Appends a piece. The order of pieces is that of the code.
    pub fn add(&mut self, piece: &Region) {
        let r = &mut self.region;
        r.fp = piece.fp;
        r.end = r.end.max(piece.end);
        r.guest_insns += piece.guest_insns;
        let first_block = r.blocks.len() as u32;
        // The piece's first instruction is marked twice: the first mark can become a poll.
        let first = r.insts.len() as u32;
        let vectors = r.vectors.len() as u32;
        r.insts.push(
            piece.insts.first().copied().unwrap_or(Inst { op: Op::Insn { pc: piece.pc, extra: 0 }, ty: Ty::Void }),
        );
        let at = first + 1;
        r.vectors.extend(&piece.vectors);
        for inst in &piece.insts {
            let mut inst = *inst;
            inst.op.map_args(|v| Val(v.0 + at));
            if let Op::ConstV(n) = &mut inst.op {
                *n += vectors;
            }
            r.insts.push(inst);
        }
        for (n, b) in piece.blocks.iter().enumerate() {
            let start = if n == 0 { first } else { b.start + at };
            let mut term = b.term;
            term.map_args(|v| Val(v.0 + at));
            term.map_successors(|b| BlockId(b.0 + first_block));
            term = match term {
                Term::Goto { pc } => goto(r.mode, pc, piece.mode),
                Term::Switch { pc, mode } => goto(r.mode, pc, mode),
                term => term,
            };
            self.modes.push(piece.mode);
            r.blocks.push(Block { start, end: b.end + at, term, params: Vec::new(), args: Vec::new() });
        }
        self.starts.push(((piece.pc, piece.mode), BlockId(first_block)));
        self.ranges.push((piece.pc, piece.end));
    }

    /// The region, and the guest bytes it was made from (the starts with the guest's mode bits); nothing if its head is in no loop of it.
    pub fn finish(mut self) -> Option<(Region, Vec<(u64, u64)>)> {
        self.join();
        self.poll_in_loops();
        self.thread_jumps();
        let Term::Jump(head) = self.region.blocks[0].term else { return None };
        self.cut_what_does_not_return(head);
        self.drop_unreachable();
        let loops = self.region.blocks[1..].iter().any(|b| b.term.successors().any(|s| s == head));
        loops.then_some((self.region, self.ranges))
    }

    fn start_of(&self, key: (u64, u32)) -> Option<BlockId> {
        self.starts.iter().find(|s| s.0 == key).map(|s| s.1)
    }

    /// Jumps to pieces become jumps to blocks.
    fn join(&mut self) {
        for b in 0..self.region.blocks.len() {
            let key = match self.region.blocks[b].term {
                Term::Goto { pc } => (pc, self.region.mode),
                Term::Switch { pc, mode } => (pc, mode),
                Term::Call { pc, ret } if self.returns.contains(&ret) => (pc, self.called),
                _ => continue,
            };
            let Some(to) = self.start_of(key) else { continue };
            self.region.blocks[b].term = Term::Jump(to);
        }
    }

    /// Blocks that a way from themselves leads back to, as a search from the entry finds them: every loop has one. Within a piece all jumps go
    /// forward, so they are starts of pieces.
    fn poll_in_loops(&mut self) {
        let (mut entered, mut on_way) = (vec![false; self.region.blocks.len()], vec![false; self.region.blocks.len()]);
        // A block, and whether it is left.
        let mut open = vec![(0, false)];
        while let Some((b, done)) = open.pop() {
            if done {
                on_way[b] = false;
            } else if on_way[b] {
                self.poll_at(b);
            } else if !std::mem::replace(&mut entered[b], true) {
                on_way[b] = true;
                open.push((b, true));
                open.extend(self.region.blocks[b].term.successors().map(|s| (s.0 as usize, false)));
            }
        }
    }

    fn poll_at(&mut self, block: usize) {
        if let Some(&((pc, _), _)) = self.starts.iter().find(|s| s.1.0 as usize == block) {
            let at = self.region.blocks[block].start as usize;
            self.region.insts[at].op = Op::Poll { pc };
        }
    }

    /// Whoever goes to an empty block that jumps on goes there at once.
    fn thread_jumps(&mut self) {
        let blocks = &mut self.region.blocks;
        let target = |blocks: &[Block], mut b: BlockId| {
            for _ in 0..blocks.len() {
                match blocks[b.0 as usize] {
                    Block { start, end, term: Term::Jump(next), .. } if start == end => b = next,
                    _ => break,
                }
            }
            b
        };
        for n in 0..blocks.len() {
            blocks[n].term = match blocks[n].term {
                Term::Jump(b) => Term::Jump(target(blocks, b)),
                Term::Branch { cond, then, other } => {
                    Term::Branch { cond, then: target(blocks, then), other: target(blocks, other) }
                }
                term => term,
            };
        }
    }

    /// Blocks from which no way leads back to the head only leave: what is behind a loop is none of it. A block that goes on in the middle of a
    /// guest instruction stays.
    fn cut_what_does_not_return(&mut self, head: BlockId) {
        let blocks = &self.region.blocks;
        let mut returns = vec![false; blocks.len()];
        returns[head.0 as usize] = true;
        let mut changed = true;
        while changed {
            changed = false;
            for n in (1..blocks.len()).rev() {
                if !returns[n] && blocks[n].term.successors().any(|s| returns[s.0 as usize]) {
                    (returns[n], changed) = (true, true);
                }
            }
        }
        let head_mode = self.region.mode;
        for ((block, returns), mode) in self.region.blocks.iter_mut().zip(returns).zip(&self.modes).skip(1) {
            if returns || block.start == block.end {
                continue;
            }
            if let Op::Insn { pc, extra: 0 } = self.region.insts[block.start as usize].op {
                (block.end, block.term) = (block.start, goto(head_mode, pc, *mode));
            }
        }
    }
}

/// The way out of a region of mode `own` to code of another mode word.
fn goto(own: u32, pc: u64, mode: u32) -> Term {
    if mode == own { Term::Goto { pc } } else { Term::Switch { pc, mode } }
}

impl Stitch {
    /// Blocks that cannot be reached become empty, and lead nowhere.
    fn drop_unreachable(&mut self) {
        let blocks = &mut self.region.blocks;
        let mut reached = vec![false; blocks.len()];
        let mut open = vec![0];
        while let Some(n) = open.pop() {
            if !std::mem::replace(&mut reached[n], true) {
                open.extend(blocks[n].term.successors().map(|s| s.0 as usize));
            }
        }
        for (block, _) in blocks.iter_mut().zip(&reached).filter(|(_, reached)| !**reached) {
            (block.end, block.term) = (block.start, Term::Goto { pc: self.region.pc });
        }
    }
}
