//! Returns that may lead to code behind a call of the same region. Where a function has become part of a loop that calls it, the host's predictor of
//! returns knows nothing of the call, so a comparison takes its place.

use crate::builder::Builder;
use crate::op::{Slot, Val};
use crate::region::{BlockId, Region, Term};
use crate::types::{IntCc, Ty};

/// The piece, which goes on at one of `returns` where it returns to that; `types` are all slots', `pc` the slot of the program counter, in which the
/// address waits from one comparison to the next.
pub fn look_for_returns(piece: &Region, returns: &[u64], types: &'static [Ty], pc: Slot) -> Region {
    let mut b = Builder::new(types);
    b.start(piece.pc, piece.mode, piece.fp);
    (1..piece.blocks.len()).for_each(|_| _ = b.block());
    let mut now = vec![Val::NONE; piece.insts.len()];
    for (n, block) in piece.blocks.iter().enumerate() {
        b.enter(BlockId(n as u32));
        for i in block.start..block.end {
            now[i as usize] = b.again(piece, Val(i), |v| now[v.0 as usize]);
        }
        let mut term = block.term;
        term.map_args(|v| now[v.0 as usize]);
        match term {
            Term::Return { pc: to } => end(&mut b, to, returns, pc),
            term => b.end(term),
        }
    }
    let mut region = b.region;
    (region.end, region.guest_insns) = (piece.end, piece.guest_insns);
    region
}

/// Ends a block that returns to `to`.
fn end(b: &mut Builder, to: Val, returns: &[u64], pc: Slot) {
    let ty = b.region.ty(to);
    let mut to = to;
    b.set(pc, to);
    for &ret in returns {
        let here = b.constant(ty, ret);
        let cond = b.cmp(IntCc::Eq, to, here);
        let (then, other) = (b.block(), b.block());
        b.end(Term::Branch { cond, then, other });
        b.enter(then);
        b.end(Term::Goto { pc: ret });
        b.enter(other);
        to = b.get(pc);
    }
    b.end(Term::Return { pc: to });
}
