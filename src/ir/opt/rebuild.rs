//! A region built anew, operation by operation: what passes that replace operations share.

use crate::builder::Builder;
use crate::op::Val;
use crate::region::{Block, BlockId, Region, Term};
use crate::types::Ty;

/// The region with the same blocks, each operation as `emit` appends it. `emit` is told the old value and where the new ones stand, by old ones; it
/// gives the new value. `types` are all slots'.
pub(super) fn rebuild(r: &Region, types: &'static [Ty], emit: impl FnMut(&mut Builder, Val, &[Val]) -> Val) -> Region {
    rebuild_ends(r, types, emit, Builder::end)
}

/// The same, where `end` ends blocks.
pub(super) fn rebuild_ends(
    r: &Region,
    types: &'static [Ty],
    emit: impl FnMut(&mut Builder, Val, &[Val]) -> Val,
    end: impl FnMut(&mut Builder, Term),
) -> Region {
    let mut region = copy(r, types, emit, end).region;
    (region.end, region.guest_insns) = (r.end, r.guest_insns);
    region
}

/// The same, to be added to.
pub(super) fn copy(
    r: &Region,
    types: &'static [Ty],
    mut emit: impl FnMut(&mut Builder, Val, &[Val]) -> Val,
    mut end: impl FnMut(&mut Builder, Term),
) -> Builder {
    let mut b = Builder::new(types);
    b.start(r.pc, r.mode, r.fp);
    (1..r.blocks.len()).for_each(|_| _ = b.block());
    let mut now = vec![Val::NONE; r.insts.len()];
    for (n, block) in r.blocks.iter().enumerate() {
        b.enter(BlockId(n as u32));
        for i in block.start..block.end {
            now[i as usize] = emit(&mut b, Val(i), &now);
        }
        let mut term = block.term;
        term.map_args(|v| now[v.0 as usize]);
        end(&mut b, term);
    }
    b
}

/// Appends a copy of a block's instructions; the block of them, which ends as the other does. Values are the block's own.
pub(super) fn copy_of_block(r: &mut Region, block: usize) -> Block {
    let Block { start, end, mut term, .. } = r.blocks[block].clone();
    let at = r.insts.len() as u32;
    let moved = |v: Val| Val(v.0 - start + at);
    for i in start..end {
        let mut inst = r.insts[i as usize];
        inst.op.map_args(moved);
        r.insts.push(inst);
    }
    term.map_args(moved);
    Block { start: at, end: at + (end - start), term, params: Vec::new(), args: Vec::new() }
}
