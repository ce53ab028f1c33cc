//! Flags by rule. Guest flags are mostly those of a comparison whose operands stay in guest registers. As long as they do, the flags need not be
//! saved when something else takes the host's: whoever wants to see them (an exit, a fault, a later condition) makes the comparison again.
//!
//! A rule says what the flags slot would hold, by slots. It is followed through a block in the order in which the block's code is written, and from
//! block to block: where ways with the same rule meet, it holds behind.

use super::Map;
use super::plan::{NO_HOME, Plan};
use crate::{FlagsOp, FlagsRule, RuleOperand};
use ir::{Bin, BlockId, Cc, NanRule, Op, Region, Term, Touches, Ty, Val, Ways, is_stub};

/// What is known of the flags slot at a place in the code.
#[derive(Clone, Default, Debug)]
pub(super) struct Tracker {
    /// By slot: the (root) value that its place holds.
    held: Vec<Val>,
    /// The value that the flags slot was set to in this block.
    flags: Option<Val>,
    pub(super) rule: Option<FlagsRule>,
}

impl Tracker {
    /// At the start of a block, which the one before it falls into or not.
    pub(super) fn start(&mut self, slots: usize, falls: bool, rule: Option<FlagsRule>) {
        if !falls {
            self.held.clear();
            self.held.resize(slots, Val::NONE);
        }
        (self.flags, self.rule) = (None, rule);
    }

    /// The slot whose place instruction `i` writes, and what it holds then. A value that is computed straight into a home is there before it is set.
    fn written(&self, r: &Region, plan: &Plan, i: u32) -> Option<(u16, Val)> {
        match *r.op(Val(i)) {
            Op::Set(slot, v) => {
                let root = plan.root[v.0 as usize];
                (self.held[slot.0 as usize] != root).then_some((slot.0, root))
            }
            _ if plan.root[i as usize] == Val(i) && plan.home[i as usize] != NO_HOME => {
                Some((plan.home[i as usize], Val(i)))
            }
            _ => None,
        }
    }

    /// Whether there is a rule before instruction `i` that does not hold behind it, though the flags are not set.
    pub(super) fn loses(&self, r: &Region, plan: &Plan, map: &Map, i: u32) -> bool {
        let Some(rule) = self.rule else { return false };
        match self.written(r, plan, i) {
            Some((slot, _)) if Some(slot) == map.flags => false,
            Some((slot, v)) => self.after_write(r, plan, map, rule, slot, v).is_none(),
            None => false,
        }
    }

    /// Goes past instruction `i`.
    pub(super) fn step(&mut self, r: &Region, plan: &Plan, map: &Map, i: u32) {
        if let Some((slot, v)) = self.written(r, plan, i) {
            if Some(slot) == map.flags {
                (self.flags, self.rule) = (Some(v), None);
            } else {
                self.rule = self.rule.and_then(|rule| self.after_write(r, plan, map, rule, slot, v));
            }
            self.held[slot as usize] = v;
        }
        match *r.op(Val(i)) {
            Op::Get(slot) if Some(slot.0) != map.flags => self.held[slot.0 as usize] = Val(i),
            Op::Set(..) if self.rule.is_none() => {
                self.rule = self.flags.and_then(|f| self.form(r, plan, map, f));
            }
            Op::Call(h, _) => match h.touches {
                Touches::Nothing | Touches::Reads(_) => {}
                Touches::Writes(slots) => slots.iter().for_each(|s| self.forget(s.0, map)),
                Touches::All => (0..self.held.len() as u16).for_each(|s| self.forget(s, map)),
            },
            _ => {}
        }
    }

    fn forget(&mut self, slot: u16, map: &Map) {
        self.held[slot as usize] = Val::NONE;
        if self.rule.is_some_and(|rule| rule.uses(slot)) || Some(slot) == map.flags {
            self.rule = None;
        }
        if Some(slot) == map.flags {
            self.flags = None;
        }
    }

    /// The rule when `slot` has got the value `v`: a register that something constant was added to was the difference before, and what is no more in
    /// this one may be in another.
    fn after_write(&self, r: &Region, plan: &Plan, map: &Map, rule: FlagsRule, slot: u16, v: Val) -> Option<FlagsRule> {
        if !rule.uses(slot) {
            return Some(rule);
        }
        let before = self.held[slot as usize];
        if before.is_none() {
            return None;
        }
        let (slot_now, added) = match self.added(r, plan, rule, before, v) {
            Some(added) => (slot, added),
            None => (self.copy_of(map, rule, before, slot)?, 0),
        };
        let moved = |o: RuleOperand| match o {
            RuleOperand::Slot { slot: s, add } if s == slot => {
                let add = i32::try_from(i64::from(add).checked_sub(added)?).ok()?;
                Some(RuleOperand::Slot { slot: slot_now, add })
            }
            o => Some(o),
        };
        FlagsRule { a: moved(rule.a)?, b: moved(rule.b)?, ..rule }.checked()
    }

    /// The constant that was added to the value `before` to make `v`.
    fn added(&self, r: &Region, plan: &Plan, rule: FlagsRule, before: Val, v: Val) -> Option<i64> {
        match *r.op(v) {
            Op::Bin(bin @ (Bin::Add | Bin::Sub), x, c)
                if r.ty(v).bytes() >= rule.ty().bytes() && plan.root[x.0 as usize] == before =>
            {
                let c = r.const_of(c).map(|c| ir::fold::sign_extend(c, r.ty(v).bits()) as i64)?;
                if bin == Bin::Add { Some(c) } else { c.checked_neg() }
            }
            _ => None,
        }
    }

    /// Another slot than `but` that holds the value of an operand.
    fn copy_of(&self, map: &Map, rule: FlagsRule, v: Val, but: u16) -> Option<u16> {
        let holds = |s: usize| s != but.into() && self.held[s] == v && fits(map, s, rule.ty());
        (0..self.held.len()).find(|&s| holds(s)).map(|s| s as u16)
    }

    /// A rule for flags value `f`, if its operands or its result are in slots.
    fn form(&self, r: &Region, plan: &Plan, map: &Map, f: Val) -> Option<FlagsRule> {
        let (op, a, b) = match *r.op(f) {
            Op::FlagsSub(x, zero) if r.const_of(zero) == Some(0) && self.operand(r, plan, map, x).is_none() => {
                match *r.op(x) {
                    Op::Bin(Bin::And, a, b) => (FlagsOp::AndSub, a, b),
                    _ => return None,
                }
            }
            Op::FlagsSub(a, b) => (FlagsOp::Sub, a, b),
            Op::FlagsAdd(a, b) => (FlagsOp::Add, a, b),
            Op::FlagsOppositeC(f) => match *r.op(f) {
                Op::FlagsAdd(a, b) => (FlagsOp::AddBorrow, a, b),
                _ => return None,
            },
            Op::FlagsLogic(x) | Op::FlagsNz(x, _) => {
                let op = if matches!(r.op(f), Op::FlagsNz(..)) { FlagsOp::AndPart } else { FlagsOp::And };
                match *r.op(x) {
                    Op::Bin(Bin::And, a, b) if self.operand(r, plan, map, x).is_none() => (op, a, b),
                    _ => (op, x, x),
                }
            }
            _ => return None,
        };
        let ty = r.ty(a);
        if !matches!(ty, Ty::I32 | Ty::I64) {
            return None;
        }
        let right = self.operand(r, plan, map, b)?;
        let left = self.operand(r, plan, map, a).or_else(|| self.undone(r, plan, map, op, a, b))?;
        FlagsRule { op, wide: ty == Ty::I64, a: left, b: right }.checked()
    }

    /// Operand `a` from the result of adding or subtracting a constant, which is in a slot.
    fn undone(&self, r: &Region, plan: &Plan, map: &Map, op: FlagsOp, a: Val, b: Val) -> Option<RuleOperand> {
        let bin = match op {
            FlagsOp::Sub => Bin::Sub,
            FlagsOp::Add | FlagsOp::AddBorrow => Bin::Add,
            FlagsOp::And | FlagsOp::AndSub | FlagsOp::AndPart => return None,
        };
        let c = ir::fold::sign_extend(r.const_of(b)?, r.ty(b).bits()) as i64;
        let add = i32::try_from(if bin == Bin::Sub { c } else { -c }).ok()?;
        let slot = (0..self.held.len()).find(|&s| {
            let v = self.held[s];
            !v.is_none()
                && matches!(*r.op(v), Op::Bin(o, x, y) if o == bin && x == a && y == b)
                && fits(map, s, r.ty(a))
        })?;
        debug_assert_eq!(plan.root[self.held[slot].0 as usize], self.held[slot], "slots are known by roots");
        Some(RuleOperand::Slot { slot: slot as u16, add })
    }

    /// The rule on the way from the block's end to the successor that a branch by `cond` takes, or does not: where a comparison was equal, the flags
    /// are known.
    pub(super) fn on_edge(&self, r: &Region, cond: Val, taken: bool) -> Option<FlagsRule> {
        let of_zero = match *r.op(cond) {
            Op::Cond(cc, f) if Some(f) == self.flags && cc == (if taken { Cc::Eq } else { Cc::Ne }) => of_zero(r, f),
            _ => None,
        };
        of_zero.map(FlagsRule::of_zero).or(self.rule)
    }

    fn operand(&self, r: &Region, plan: &Plan, map: &Map, v: Val) -> Option<RuleOperand> {
        if let Some(c) = r.const_of(v) {
            let c = ir::fold::sign_extend(c, r.ty(v).bits()) as i64;
            return i32::try_from(c).ok().map(RuleOperand::Const);
        }
        let root = plan.root[v.0 as usize];
        let slot = (0..self.held.len()).find(|&s| self.held[s] == root && fits(map, s, r.ty(v)))?;
        Some(RuleOperand::Slot { slot: slot as u16, add: 0 })
    }
}

/// What flags `f` are the flags of, if zero, as Z says that it is.
fn of_zero(r: &Region, f: Val) -> Option<FlagsOp> {
    match *r.op(f) {
        // x86 has Z for what is unordered, too.
        Op::FlagsFcmp { env, .. } if env.nan == NanRule::X86 => None,
        // Two numbers that compare equal leave what integers leave.
        Op::FlagsSub(..) | Op::FlagsFcmp { .. } => Some(FlagsOp::Sub),
        Op::FlagsLogic(_) => Some(FlagsOp::And),
        Op::FlagsNz(..) => Some(FlagsOp::AndPart),
        // A conditional comparison: it was made, if what stands for it else has not Z.
        Op::Select(_, x, y) => {
            let has_no_z =
                |f: Val| matches!(*r.op(f), Op::FlagsFromBits(b) if r.const_of(b).is_some_and(|b| b >> 30 & 1 == 0));
            let made = if has_no_z(y) {
                x
            } else if has_no_z(x) {
                y
            } else {
                return None;
            };
            matches!(r.op(made), Op::FlagsSub(..) | Op::FlagsFcmp { .. }).then_some(FlagsOp::Sub)
        }
        _ => None,
    }
}

/// By block: the rule at its entry, where all ways there bring the same one. Nothing if no ways meet: it is found out on the way.
pub(super) fn at_entries(
    r: &Region,
    plan: &Plan,
    ways: &Ways,
    map: &Map,
    tracker: &mut Tracker,
) -> Vec<Option<FlagsRule>> {
    if ways.count[0] == 0 && ways.count.iter().all(|n| *n < 2) {
        return Vec::new();
    }
    // The outer option: whether anything has led there yet.
    let mut at: Vec<Option<Option<FlagsRule>>> = vec![None; r.blocks.len()];
    at[0] = Some(None);
    r.side_entries.iter().for_each(|(_, block)| at[block.0 as usize] = Some(None));
    let mut changed = r.blocks.len() > 1 && map.flags.is_some();
    while changed {
        changed = false;
        for n in 0..r.blocks.len() {
            let (block, Some(rule)) = (&r.blocks[n], at[n]) else { continue };
            if is_stub(r, BlockId(n as u32)) {
                continue;
            }
            tracker.start(map.homed.len(), ways.falls[n].is_some(), rule);
            for i in block.start..block.end {
                if !plan.skip[i as usize] {
                    tracker.step(r, plan, map, i);
                }
            }
            let edges = match block.term {
                Term::Jump(b) => [Some((b, tracker.rule)), None],
                Term::Branch { cond, then, other } => {
                    [(then, true), (other, false)].map(|(b, taken)| Some((b, tracker.on_edge(r, cond, taken))))
                }
                _ => [None, None],
            };
            for (next, rule) in edges.into_iter().flatten().map(|(b, rule)| (b.0 as usize, rule)) {
                let met = match at[next] {
                    None => Some(rule),
                    Some(before) if before != rule => Some(None),
                    same => same,
                };
                if met != at[next] {
                    at[next] = met;
                    // Ways forward are seen in this round yet.
                    changed |= next <= n;
                }
            }
        }
    }
    at.into_iter().map(Option::flatten).collect()
}

/// Whether a slot holds all of an integer of the type.
fn fits(map: &Map, slot: usize, ty: Ty) -> bool {
    let own = map.state.slots[slot].ty;
    own.is_int() && own.bytes() >= ty.bytes()
}
