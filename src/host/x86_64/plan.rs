//! What emission needs to know before it begins: who uses a value last, which values and slot writes nobody needs, and which values should be
//! computed straight into the host register that is a slot's home. One backward pass over each block.

use super::Map;
use ir::{Op, Region, Slot, Ty, Val};
use ir::{Touches, V1};

/// No home wanted.
pub(super) const NO_HOME: u16 = u16::MAX;

/// What an operation does about flags in their slot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Seen,
    Dies,
}

fn flags_fate(op: &Op, flags: Option<u16>) -> Option<Fate> {
    let is = |s: &Slot| Some(s.0) == flags;
    match op {
        Op::Set(slot, _) if is(slot) => Some(Fate::Dies),
        Op::Get(slot) if is(slot) => Some(Fate::Seen),
        op if op.can_fault() => Some(Fate::Seen),
        Op::Call(h, _) => match h.touches {
            Touches::Nothing => None,
            Touches::Reads(slots) | Touches::Writes(slots) => slots.iter().any(is).then_some(Fate::Seen),
            Touches::All => Some(Fate::Seen),
        },
        _ => None,
    }
}

/// The plan of a region. Indexed by instruction.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The value whose register this one shares: itself, or what it only renames (a truncation, lane 0 of a vector).
    pub(super) root: Vec<Val>,
    /// The last instruction that uses the (root) value; the block's end counts as one. 0: never.
    pub(super) last_use: Vec<u32>,
    pub(super) uses: Vec<u16>,
    /// Instructions to leave out.
    pub(super) skip: Vec<bool>,
    /// The slot whose home the value should be computed into, or [`NO_HOME`].
    pub(super) home: Vec<u16>,
    /// After the instruction, the flags slot is overwritten before anybody can see it.
    pub(super) flags_dead: Vec<bool>,
    /// By block: the flags slot is overwritten before anybody can see it as the block begins.
    pub(super) dead_at_entry: Vec<bool>,
    /// Slots: overwritten before anybody can see them. (Scratch for the pass.)
    dead: Vec<bool>,
    /// Slots: the value that is going to be set there and wants its home.
    wanted: Vec<Val>,
}

impl Plan {
    /// Plans a region for the slots' homes.
    pub(super) fn run(&mut self, r: &Region, map: &Map) {
        let (n, homed) = (r.insts.len(), &*map.homed);
        self.root.clear();
        for (i, inst) in r.insts.iter().enumerate() {
            let root = renames(r, &inst.op, inst.ty).map_or(Val(i as u32), |v| self.root[v.0 as usize]);
            self.root.push(root);
        }
        {
            let list = &mut self.last_use;
            list.clear();
            list.resize(n, 0);
        }
        self.uses.clear();
        self.uses.resize(n, 0);
        self.skip.clear();
        self.skip.resize(n, false);
        self.home.clear();
        self.home.resize(n, NO_HOME);
        self.flags_dead.clear();
        self.flags_dead.resize(n, false);
        self.flags_at_entries(r, map.flags);
        for b in &r.blocks {
            self.block(r, b, homed, map.flags);
        }
    }

    /// Which blocks begin with flags that are overwritten unseen.
    fn flags_at_entries(&mut self, r: &Region, flags: Option<u16>) {
        // What is not known yet counts as dead: it comes to stand by going round until nothing changes.
        self.dead_at_entry.clear();
        self.dead_at_entry.resize(r.blocks.len(), true);
        let mut changed = flags.is_some() && r.blocks.len() > 1;
        if !changed {
            self.dead_at_entry.fill(false);
        }
        while changed {
            changed = false;
            for (n, b) in r.blocks.iter().enumerate().rev() {
                let seen = (b.start..b.end).find_map(|i| flags_fate(&r.insts[i as usize].op, flags));
                let dead = match seen {
                    Some(fate) => fate == Fate::Dies,
                    None => self.dead_behind(&b.term),
                };
                changed |= self.dead_at_entry[n] != dead;
                self.dead_at_entry[n] = dead;
            }
        }
    }

    /// Whether flags are overwritten unseen wherever the block's end leads.
    fn dead_behind(&self, term: &ir::Term) -> bool {
        let mut next = term.successors().peekable();
        next.peek().is_some() && next.all(|b| self.dead_at_entry[b.0 as usize])
    }

    fn block(&mut self, r: &Region, block: &ir::Block, homed: &[bool], flags: Option<u16>) {
        let (start, end, term) = (block.start, block.end, &block.term);
        self.dead.clear();
        self.dead.resize(homed.len(), false);
        if let Some(flags) = flags {
            self.dead[flags as usize] = self.dead_behind(term);
        }
        self.wanted.clear();
        self.wanted.resize(homed.len(), Val::NONE);
        term.for_each_arg(|v| self.note_use(v, end));
        for i in (start..end).rev() {
            self.flags_dead[i as usize] = flags.is_some_and(|f| self.dead[f as usize]);
            self.inst(r, i, homed);
        }
    }

    fn note_use(&mut self, v: Val, at: u32) {
        let root = self.root[v.0 as usize];
        let last = &mut self.last_use[root.0 as usize];
        *last = (*last).max(at);
        self.uses[v.0 as usize] += 1;
        if root != v {
            self.uses[root.0 as usize] += 1;
        }
    }

    fn inst(&mut self, r: &Region, i: u32, homed: &[bool]) {
        let op = &r.insts[i as usize].op;
        let at = i as usize;
        if let Op::Set(slot, v) = *op {
            let s = slot.0 as usize;
            if self.dead[s] {
                self.skip[at] = true;
                return;
            }
            self.dead[s] = true;
            self.note_use(v, i);
            if homed[s] {
                self.want(r, i, slot, v);
            }
            return;
        }
        if self.uses[at] == 0 && !op.has_effect() {
            self.skip[at] = true;
            return;
        }
        match op {
            Op::Get(slot) => {
                self.dead[slot.0 as usize] = false;
                self.unwant(slot.0 as usize, i);
            }
            Op::Call(h, _) => match h.touches {
                Touches::Nothing => {}
                Touches::Reads(slots) | Touches::Writes(slots) => {
                    for s in slots {
                        self.dead[s.0 as usize] = false;
                        self.unwant(s.0 as usize, i);
                    }
                }
                Touches::All => self.all_seen(i),
            },
            _ => {}
        }
        if op.can_fault() {
            self.all_seen(i);
        }
        op.for_each_arg(|v| self.note_use(v, i));
        if let (Op::Select(_, x, y), Ty::Flags) = (op, r.insts[at].ty) {
            // The comparison that a conditional comparison selects is emitted at the selection: its operands must last until then.
            for f in [*x, *y] {
                r.op(f).for_each_arg(|v| self.note_use(v, i));
            }
        }
    }

    /// Guest state can be seen before instruction `i` is done: every slot must stand.
    fn all_seen(&mut self, i: u32) {
        self.dead.fill(false);
        for s in 0..self.wanted.len() {
            self.unwant(s, i);
        }
    }

    /// Slot `s` is read at `i`: a value defined before may not take its home early.
    fn unwant(&mut self, s: usize, i: u32) {
        let v = self.wanted[s];
        if !v.is_none() && v.0 < i {
            self.home[v.0 as usize] = NO_HOME;
            self.wanted[s] = Val::NONE;
        }
    }

    fn want(&mut self, r: &Region, i: u32, slot: Slot, v: Val) {
        let root = self.root[v.0 as usize];
        let fits = match r.op(root) {
            Op::Const(_) | Op::ConstV(_) | Op::Get(_) => false,
            // A home holds as much as its slot: a wider value would lose its upper bits in it.
            _ => {
                self.home[root.0 as usize] == NO_HOME
                    && (r.ty(root) != Ty::V128 || r.ty(v) == Ty::V128)
                    && r.ty(root).bytes() <= r.ty(v).bytes()
            }
        };
        let s = slot.0 as usize;
        // A value defined before this write, for a later write of the same slot, may not take the home early.
        self.unwant(s, i);
        if fits {
            self.home[root.0 as usize] = slot.0;
            self.wanted[s] = root;
        }
    }
}

/// The value that this operation only renames: it costs no instruction.
fn renames(r: &Region, op: &Op, ty: Ty) -> Option<Val> {
    match *op {
        Op::Trunc(v) if ty != Ty::I1 => Some(v),
        // All 32-bit operations leave zeros above, but for a truncation.
        Op::Zext(v) if r.ty(v) == Ty::I32 && !matches!(r.op(v), Op::Trunc(_)) => Some(v),
        Op::Zext(v) if r.ty(v) == Ty::I1 && !matches!(r.op(v), Op::Trunc(_)) => Some(v),
        Op::VGet(_, v, 0) if ty.is_float() => Some(v),
        // A scalar load zeroes the rest of the register, as a move from a general register and a conversion do.
        Op::VFromScalar(v)
            if r.ty(v).is_float()
                && r.ty(v) != Ty::F16
                && matches!(r.op(v), Op::Load(_) | Op::Bitcast(_) | Op::FpFromInt { .. }) =>
        {
            Some(v)
        }
        Op::V1(V1::ZeroHi, _, v) if matches!(r.op(v), Op::Load(m) if m.size <= 8) => Some(v),
        _ => None,
    }
}
