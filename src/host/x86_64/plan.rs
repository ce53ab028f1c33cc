//! What emission needs to know before it begins: who uses a value last, which values and slot writes nobody needs, and which values should be
//! computed straight into the host register that is a slot's home. One backward pass over each block.

use ir::{Fp1, Fp2, Op, Region, Slot, Ty, Val};
use ir::{Touches, V1};

/// No home wanted.
pub(super) const NO_HOME: u16 = u16::MAX;

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
    /// A scalar that a vector shares its register with: zero must stand above it.
    pub(super) wide: Vec<bool>,
    /// Slots: overwritten before anybody can see them. (Scratch for the pass.)
    dead: Vec<bool>,
    /// Slots: the value that is going to be set there and wants its home.
    wanted: Vec<Val>,
}

impl Plan {
    /// Plans a region. `homed` tells for each slot whether it has a home.
    pub(super) fn run(&mut self, r: &Region, homed: &[bool]) {
        let n = r.insts.len();
        self.root.clear();
        self.wide.clear();
        self.wide.resize(n, false);
        for (i, inst) in r.insts.iter().enumerate() {
            let root = renames(r, &inst.op, inst.ty).map_or(Val(i as u32), |v| self.root[v.0 as usize]);
            self.wide[root.0 as usize] |= matches!(inst.op, Op::VFromScalar(_));
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
        for b in &r.blocks {
            self.block(r, b.start, b.end, &b.term, homed);
        }
    }

    fn block(&mut self, r: &Region, start: u32, end: u32, term: &ir::Term, homed: &[bool]) {
        self.dead.clear();
        self.dead.resize(homed.len(), false);
        self.wanted.clear();
        self.wanted.resize(homed.len(), Val::NONE);
        term.for_each_arg(|v| self.note_use(v, end));
        for i in (start..end).rev() {
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
                // Nobody sees the home before it is written again: the value may live there, unless that of the later write does already.
                if homed[s] && (self.wanted[s].is_none() || self.wanted[s].0 > i) {
                    self.want(r, i, slot, v);
                }
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
                && (matches!(r.op(v), Op::Load(_) | Op::Bitcast(_) | Op::FpFromInt { .. }) || widens(r.op(v))) =>
        {
            Some(v)
        }
        Op::V1(V1::ZeroHi, _, v) if matches!(r.op(v), Op::Load(m) if m.size <= 8) => Some(v),
        _ => None,
    }
}

/// Scalar operations whose result comes with zero above where that is wanted ([`Plan::wide`]).
fn widens(op: &Op) -> bool {
    match op {
        Op::Fp1(Fp1::Neg | Fp1::Abs | Fp1::Sqrt | Fp1::RoundInt | Fp1::RoundIntExact, shape, ..)
        | Op::Fp2(Fp2::Add | Fp2::Sub | Fp2::Mul | Fp2::Div, shape, ..)
        | Op::Fma { shape, .. } => shape.lanes == 0,
        Op::FpCvt { lanes, .. } => *lanes == 0,
        _ => false,
    }
}
