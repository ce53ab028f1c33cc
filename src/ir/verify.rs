//! Checks a region against its rules: those of `region.rs` here, the operations' types in `verify/types.rs`.
//!
//! One rule is checked within blocks only: that a slot is written after the last operation of its guest instruction that can
//! fault (`Builder::set`), but for loads of several registers whose address stands in its own. A guest instruction of several blocks can break it unseen.

mod types;

#[cfg(test)]
mod tests;

use crate::op::{Op, Slot, Val};
use crate::region::{Block, BlockId, Region, Term};
use crate::text;
use crate::types::Ty;
use crate::ways::Ways;

/// Checks a region for a guest whose slots have these types.
///
/// # Errors
/// The first rule broken, with the block and the instruction.
pub fn check(r: &Region, slot_types: &[Ty]) -> Result<(), String> {
    dominated(r, &far_uses(r, slot_types)?)
}

/// The same of what a front end has made: values last as long as blocks fall into one another ([`Ways`]).
///
/// # Errors
/// As [`check`].
pub fn check_made(r: &Region, slot_types: &[Ty]) -> Result<(), String> {
    let mut ways = Ways::default();
    let far = far_uses(r, slot_types)?;
    ways.find(r);
    // The back end keeps flags no longer than their block.
    match far.iter().find(|f| r.ty(f.value) == Ty::Flags || !ways.lasts(f.home, f.user)) {
        None => Ok(()),
        Some(Far { value, home, user }) => Err(format!("block {}: {value:?} is of block {}", user.0, home.0)),
    }
}

/// Checks all else, and says which values are used across blocks.
fn far_uses(r: &Region, slot_types: &[Ty]) -> Result<Vec<Far>, String> {
    need(!r.blocks.is_empty(), || "a region has an entry block".to_owned())?;
    let homes = homes(r)?;
    let mut far = Vec::new();
    for (b, block) in r.blocks.iter().enumerate() {
        let id = BlockId(b as u32);
        let params = params_first(r, id)?;
        let mut set_since_insn = false;
        let mut standing = Standing::default();
        for i in block.start + params..block.end {
            let v = Val(i);
            let blame = |what: String| format!("block {b}: {}: {what}", line(r, v));
            let op = r.op(v);
            uses(&homes, id, i, |f| op.for_each_arg(f), &mut far).map_err(blame)?;
            types::check(r, slot_types, v).map_err(blame)?;
            set_since_insn = match op {
                Op::Insn { .. } => false,
                Op::Set(..) => true,
                _ => set_since_insn,
            };
            let late = set_since_insn && op.can_raise() && !standing.can_be_done_again(r, op);
            standing.step(op, v);
            need(!late, || blame("it can fault after its guest instruction has set a slot".to_owned()))?;
            let ends_early = matches!(op, Op::LoadAhead(_) | Op::StoreAhead(..)) && !reads_ahead(r, block);
            need(!ends_early, || blame("its block writes slots, or does not branch".to_owned()))?;
        }
        let blame = |what: String| format!("block {b}: {}: {what}", text::term(r, block));
        let args = |mut f: &mut dyn FnMut(Val)| {
            block.term.for_each_arg(&mut f);
            block.args.iter().for_each(|&v| f(v));
        };
        uses(&homes, id, block.end, |f| args(f), &mut far).map_err(blame)?;
        end(r, id).map_err(blame)?;
    }
    Ok(far)
}

/// What slots hold, as far as a block tells.
#[derive(Default)]
struct Standing(Vec<(Slot, Val)>);

impl Standing {
    fn step(&mut self, op: &Op, at: Val) {
        let (slot, holds) = match *op {
            Op::Get(slot) => (slot, at),
            Op::Set(slot, v) => (slot, v),
            Op::Call(..) => return self.0.clear(),
            _ => return,
        };
        self.0.retain(|s| s.0 != slot);
        self.0.push((slot, holds));
    }

    /// Whether the instruction can be done again from its beginning when this load of it faults, though some of its registers have been loaded: its address
    /// stands in its register still.
    fn can_be_done_again(&self, r: &Region, op: &Op) -> bool {
        let Op::Load(m) = op else { return false };
        m.index.is_none() && (r.const_of(m.base).is_some() || self.0.iter().any(|s| s.1 == m.base))
    }
}

/// Whether a block can end before it is done.
fn reads_ahead(r: &Region, block: &Block) -> bool {
    let once = |op: &Op| matches!(op, Op::Insn { .. } | Op::Poll { .. } | Op::LoadAhead(_) | Op::StoreAhead(..));
    let writes = |i: u32| r.op(Val(i)).has_effect() && !once(r.op(Val(i)));
    matches!(block.term, Term::Branch { .. }) && !(block.start..block.end).any(writes)
}

fn need(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn line(r: &Region, v: Val) -> String {
    text::inst(r, v, &|slot| format!("slot{}", slot.0))
}

/// The block that defines each value.
fn homes(r: &Region) -> Result<Vec<Option<BlockId>>, String> {
    let mut homes = vec![None; r.insts.len()];
    for (b, block) in r.blocks.iter().enumerate() {
        let inside = block.start <= block.end && block.end as usize <= r.insts.len();
        need(inside, || format!("block {b}: instructions {}..{} do not exist", block.start, block.end))?;
        for i in block.start..block.end {
            let home = &mut homes[i as usize];
            need(home.is_none(), || format!("block {b}: v{i} stands in two blocks"))?;
            *home = Some(BlockId(b as u32));
        }
    }
    Ok(homes)
}

/// How many parameters a block has: they are its first values.
fn params_first(r: &Region, id: BlockId) -> Result<u32, String> {
    let block = &r.blocks[id.0 as usize];
    need(id.0 != 0 || block.params.is_empty(), || "block 0: the entry has parameters".to_owned())?;
    for (i, &v) in (block.start..).zip(&block.params) {
        let is_there = v.0 == i && i < block.end;
        need(is_there, || format!("block {}: parameter {v:?} is not v{i}", id.0))?;
        need(r.ty(v) != Ty::Void, || format!("block {}: parameter {v:?} has no value", id.0))?;
    }
    Ok(block.params.len() as u32)
}

/// A use of a value by a block that does not define it.
struct Far {
    value: Val,
    home: BlockId,
    user: BlockId,
}

/// Each operand is defined before, in the block or (noted in `far`) in another one.
fn uses(
    homes: &[Option<BlockId>],
    block: BlockId,
    at: u32,
    each: impl FnOnce(&mut dyn FnMut(Val)),
    far: &mut Vec<Far>,
) -> Result<(), String> {
    let mut result = Ok(());
    each(&mut |v| {
        let home = homes.get(v.0 as usize).copied().flatten();
        match home {
            Some(home) if home == block && v.0 < at => {}
            Some(home) if home == block => result = Err(format!("{v:?} is used before its definition")),
            Some(home) => far.push(Far { value: v, home, user: block }),
            None => result = Err(format!("{v:?} has no definition")),
        }
    });
    result
}

/// The end of a block: its targets, their arguments, the types of addresses.
fn end(r: &Region, id: BlockId) -> Result<(), String> {
    let block = &r.blocks[id.0 as usize];
    need(block.term != Term::None, || "a block has an end".to_owned())?;
    let mut params = Vec::new();
    for target in block.term.successors() {
        let target = r.blocks.get(target.0 as usize).ok_or_else(|| format!("there is no block {}", target.0))?;
        params.extend(&target.params);
    }
    need(params.len() == block.args.len(), || {
        format!("{} arguments for {} parameters", block.args.len(), params.len())
    })?;
    for (&param, &arg) in params.iter().zip(&block.args) {
        let (wanted, given) = (r.ty(param), r.ty(arg));
        need(wanted == given, || format!("{arg:?} is {given:?}, parameter {param:?} is {wanted:?}"))?;
    }
    let is_branch = matches!(block.term, Term::Branch { .. });
    let mut result = Ok(());
    block.term.for_each_arg(|v| {
        let ty = r.ty(v);
        let right = if is_branch { ty == Ty::I1 } else { matches!(ty, Ty::I32 | Ty::I64) };
        if !right {
            result = Err(format!("{v:?} is {ty:?}, {} wanted", if is_branch { "I1" } else { "an address" }));
        }
    });
    result
}

/// Each value used in another block is defined in one that dominates it.
fn dominated(r: &Region, far: &[Far]) -> Result<(), String> {
    if far.is_empty() {
        return Ok(());
    }
    let dominators = dominators(r);
    for Far { value, home, user } in far {
        let holds = dominators[user.0 as usize][home.0 as usize];
        need(holds, || {
            format!("block {}: {value:?} is defined in block {}, which does not dominate it", user.0, home.0)
        })?;
    }
    Ok(())
}

/// For each block, which blocks dominate it. A block that cannot be reached is dominated by all.
fn dominators(r: &Region) -> Vec<Vec<bool>> {
    let n = r.blocks.len();
    let mut sets = vec![vec![true; n]; n];
    sets[0] = vec![false; n];
    sets[0][0] = true;
    let mut changed = true;
    while changed {
        changed = false;
        for (b, block) in r.blocks.iter().enumerate() {
            let from = sets[b].clone();
            for next in block.term.successors().map(|next| next.0 as usize) {
                for (d, &reaches) in from.iter().enumerate() {
                    if d != next && sets[next][d] && !reaches {
                        sets[next][d] = false;
                        changed = true;
                    }
                }
            }
        }
    }
    sets
}
