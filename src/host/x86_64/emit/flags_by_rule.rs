//! Flags that are not saved because a rule tells how to make them again: where that is used, and when it ends. `rules.rs` says what holds where.

use super::super::SCRATCH;
use super::super::alloc::Loc;
use super::super::asm::{Alu, Mem, Rm, Size};
use super::super::plan::Plan;
use super::Emitter;
use super::flags::Kind;
use crate::{FlagsOp, FlagsRule, RuleOperand};
use ir::{BlockId, Op, Ty, Val};

impl Emitter<'_> {
    /// The flags slot and its rule, if it is stale in memory and in the host's flags.
    pub(super) fn rule_now(&self) -> Option<(u16, FlagsRule)> {
        if !self.host.ruled {
            return None;
        }
        Some((self.map.flags?, self.tracker.rule.expect("what is ruled has a rule")))
    }

    /// The rule of flags of constants, which nothing can make wrong.
    pub(super) fn constant_rule(&self, v: Val) -> Option<FlagsRule> {
        let (op, a, b) = match *self.r.op(v) {
            Op::FlagsSub(a, b) => (FlagsOp::Sub, a, b),
            Op::FlagsNz(x, _) => (FlagsOp::AndPart, x, x),
            _ => return None,
        };
        let ty = self.r.ty(a);
        let of = |v: Val| i32::try_from(ir::fold::sign_extend(self.const_of(v)?, ty.bits()) as i64).ok();
        let (a, b) = (RuleOperand::Const(of(a)?), RuleOperand::Const(of(b)?));
        matches!(ty, Ty::I32 | Ty::I64).then_some(FlagsRule { op, wide: ty == Ty::I64, a, b })
    }

    /// Flags at the start of a block.
    pub(super) fn flags_at_block(&mut self, id: BlockId) {
        let n = id.0 as usize;
        self.tracker.start(self.map.homed.len(), self.ways.falls[n].is_some(), self.blocks[n].rule);
        self.host = std::mem::take(&mut self.blocks[n].entry);
        self.host.ruled |= self.blocks[n].rule.is_some() && self.host.pending.is_none() && !self.blocks[n].found;
        self.drop_flags(|plan, slot| plan.is_dead_in(id, slot));
    }

    /// Whether a successor takes flags as they are: where they stand, or by the rule that holds on the way, or not at all. Else they must be in their
    /// slot.
    pub(super) fn takes_over(&mut self, b: BlockId, rule: Option<FlagsRule>) -> bool {
        let n = b.0 as usize;
        if self.hands_over(b) {
            // The only way there: the rule at its start, if nobody has found it out before (`at_entries`).
            debug_assert!(
                !self.host.ruled || self.blocks[n].rule.is_none() || self.blocks[n].rule == rule,
                "the rule at block {n}"
            );
            self.blocks[n].rule = rule;
            self.blocks[n].entry = self.host.handed_over();
            self.blocks[n].found = true;
            return true;
        }
        debug_assert!(self.blocks[n].rule.is_none() || self.blocks[n].rule == rule, "the rule at block {n}");
        let flags = self.map.flags;
        let stale = self.host.pending.into_iter().chain(flags.filter(|_| self.host.ruled));
        stale.into_iter().all(|s| self.plan.is_dead_in(b, s) || Some(s) == flags && self.blocks[n].rule.is_some())
    }

    /// Flags that are stale in their slots, in which nobody will see them.
    pub(super) fn drop_flags(&mut self, dead: impl Fn(&Plan, u16) -> bool) {
        self.host.pending = self.host.pending.filter(|&slot| !dead(self.plan, slot));
        self.host.ruled &= self.map.flags.is_some_and(|slot| !dead(self.plan, slot));
    }

    /// Before instruction `i`, which may overwrite what the rule is made of: flags that somebody will see are saved. Whether nobody will
    /// see them behind it.
    pub(super) fn before_rule_is_lost(&mut self, i: u32) -> bool {
        let asked = self.host.ruled || self.host.pending.is_some();
        self.host.rule_fails = false;
        if !asked || !self.tracker.loses(self.r, self.plan, self.map, i) {
            return false;
        }
        if self.plan.flags_dead[i as usize] && self.ruled_value_needed().is_none() {
            // A value that outlives its slot (a carry, say) must not be left to the rule.
            self.host.rule_fails = self.host_value_needed();
            return true;
        }
        if self.host.ruled {
            self.clobber();
            self.save_ruled();
        }
        self.host.rule_fails = true;
        false
    }

    /// Whether the value that stands in the host's flags, and nowhere else, is used by the current operation or a later one.
    fn host_value_needed(&self) -> bool {
        self.host.cur.is_some_and(|(v, _)| {
            !v.is_none() && self.loc(v) == Loc::None && self.plan.last_use[v.0 as usize] >= self.now
        })
    }

    /// Behind the instruction.
    pub(super) fn after_rule(&mut self, dies: bool) {
        self.host.rule_fails = false;
        if dies {
            self.host.ruled = false;
            self.host.pending = self.host.pending.filter(|slot| Some(*slot) != self.map.flags);
        }
    }

    /// Flags that are known by their rule go to their slot. The host's flags must have been saved.
    pub(super) fn save_ruled(&mut self) {
        if let Some((slot, rule)) = self.rule_now() {
            self.save_by_rule(slot, rule);
            if let Some(v) = self.ruled_value_needed() {
                self.slot_holds[slot as usize] = v;
                self.set_loc(v, Loc::Slot(slot));
            }
            self.host.ruled = false;
        }
    }

    /// The value that only the rule knows, if the current operation or a later one uses it.
    pub(super) fn ruled_value_needed(&self) -> Option<Val> {
        let v = self.host.ruled_val.filter(|_| self.host.ruled)?;
        let elsewhere = self.host.cur.is_some_and(|(name, _)| name == v) || self.loc(v) != Loc::None;
        (!elsewhere && self.plan.last_use[v.0 as usize] >= self.now).then_some(v)
    }

    /// Brings a flags value that only the rule knows into the host's flags.
    pub(super) fn revive(&mut self, v: Val) {
        if self.ruled_value_needed() == Some(v)
            && let Some((_, rule)) = self.rule_now()
        {
            self.clobber();
            let kind = self.make_by_rule(rule);
            self.now_hold(v, kind);
        }
    }

    /// Flags value `v`, which stands in the host's flags only in part, goes to memory.
    pub(super) fn complete(&mut self, v: Val) {
        self.clobber();
        if self.ruled_value_needed() == Some(v) {
            self.save_ruled();
        }
    }

    /// Makes flags by a rule and stores them in their slot. Takes scratch and the host's flags.
    pub(super) fn save_by_rule(&mut self, slot: u16, rule: FlagsRule) {
        if let Some(flags) = rule.constant() {
            let m = self.map.mem(slot as usize);
            return self.a.mov_mi(Size::D, m, flags as i32);
        }
        if let (FlagsOp::AndPart, RuleOperand::Const(_), RuleOperand::Const(_)) = (rule.op, rule.a, rule.b) {
            return self.set_nz(slot, rule.evaluate(|_| 0, 0));
        }
        let kind = self.make_by_rule(rule);
        self.pack_last(kind);
        self.store_flags_slot(slot);
    }

    /// Known N and Z to a slot whose memory has C and V.
    fn set_nz(&mut self, slot: u16, flags: u32) {
        let m = Rm::Mem(self.map.mem_at(slot as usize, 1));
        self.a.alu_i(Alu::And, Size::B, m, 1);
        if flags != 0 {
            self.a.alu_i(Alu::Or, Size::B, m, i32::from((flags >> 8) as i8));
        }
    }

    pub(super) fn make_by_rule(&mut self, rule: FlagsRule) -> Kind {
        let size = super::super::alloc::size(rule.ty());
        let (mut left, mut right) = (rule.a, rule.b);
        let plain = |o: RuleOperand| matches!(o, RuleOperand::Slot { add: 0, .. });
        let small = |o: RuleOperand| match o {
            RuleOperand::Const(c) => Some(c),
            RuleOperand::Slot { .. } => None,
        };
        let is_and = rule.op.is_and();
        if is_and && left != right && !plain(right) && small(right).is_none() {
            std::mem::swap(&mut left, &mut right);
        }
        let is_add = matches!(rule.op, FlagsOp::Add | FlagsOp::AddBorrow);
        if is_add && !plain(right) && small(right).is_none() {
            std::mem::swap(&mut left, &mut right);
        }
        // One operand may have to be computed: in scratch. An addition, and one of a constant, have their first there anyway.
        let home = |o: RuleOperand| match o {
            RuleOperand::Slot { slot, add: 0 } => self.map.homes.gpr[slot as usize],
            _ => None,
        };
        let (a, b) = if rule.op == FlagsOp::Sub && !plain(right) && small(right).is_none() {
            self.operand_in_scratch(right, size);
            let RuleOperand::Slot { slot, add: 0 } = left else { unreachable!("rules are checked") };
            (self.place(slot), Some(Rm::Reg(SCRATCH)))
        } else {
            let first = match home(left) {
                Some(r) if !is_add => r,
                _ => {
                    self.operand_in_scratch(left, size);
                    SCRATCH
                }
            };
            let second = match right {
                _ if is_and && left == right => Some(Rm::Reg(first)),
                RuleOperand::Slot { slot, .. } => Some(self.place(slot)),
                RuleOperand::Const(_) => None,
            };
            (Rm::Reg(first), second)
        };
        let imm = small(right).unwrap_or(0);
        match (rule.op, b) {
            (FlagsOp::Sub, None) => self.a.alu_i(Alu::Cmp, size, a, imm),
            (FlagsOp::Add | FlagsOp::AddBorrow, None) => self.a.alu_i(Alu::Add, size, a, imm),
            (_, None) => self.a.test_i(size, a, imm),
            (FlagsOp::Sub, Some(b)) => match (a, b) {
                (Rm::Reg(a), b) => self.a.alu(Alu::Cmp, size, a, b),
                (Rm::Mem(m), Rm::Reg(b)) => self.a.alu_mr(Alu::Cmp, size, m, b),
                _ => unreachable!("one of them is in scratch"),
            },
            (FlagsOp::Add | FlagsOp::AddBorrow, Some(b)) => self.a.alu(Alu::Add, size, SCRATCH, b),
            (_, Some(b)) => match (a, b) {
                (Rm::Reg(a), b) => self.a.test(size, b, a),
                _ => unreachable!("the first is in a register"),
            },
        }
        match (rule.op, self.map.flags) {
            (FlagsOp::AndPart, Some(slot)) => Kind::Part { slot, carry: false },
            _ => Kind::Int { inverted: matches!(rule.op, FlagsOp::Sub | FlagsOp::AndSub | FlagsOp::AddBorrow) },
        }
    }

    /// Where an integer slot lies.
    fn place(&self, slot: u16) -> Rm {
        match self.map.homes.gpr[slot as usize] {
            Some(r) => Rm::Reg(r),
            None => Rm::Mem(self.map.mem(slot as usize)),
        }
    }

    fn operand_in_scratch(&mut self, o: RuleOperand, size: Size) {
        match o {
            RuleOperand::Const(c) => self.a.mov_ri(SCRATCH, i64::from(c) as u64),
            RuleOperand::Slot { slot, add } => match (self.place(slot), add) {
                (Rm::Reg(r), add) => self.a.lea(size, SCRATCH, Mem::base(r, add)),
                (m, add) => {
                    self.a.mov(size, SCRATCH, m);
                    if add != 0 {
                        self.a.lea(size, SCRATCH, Mem::base(SCRATCH, add));
                    }
                }
            },
        }
    }

    /// Whether flags `v`, which are in the host's, are those of the flags slot, and its rule will tell them behind this instruction.
    pub(super) fn rule_tells(&self, v: Val) -> bool {
        let of_slot = match self.host.pending {
            Some(slot) => Some(slot) == self.map.flags,
            None => self.host.ruled && self.host.ruled_val == Some(v),
        };
        of_slot && self.tracker.rule.is_some() && !self.host.rule_fails
    }

    /// Whether nobody can see any more what is in the flags slot when this instruction is done, nor sees it by a fault of it.
    pub(super) fn flags_die_here(&self) -> bool {
        let at = self.now as usize;
        let op = &self.r.insts.get(at).map(|i| i.op);
        self.now < self.end
            && self.plan.flags_dead[at]
            && op.is_some_and(|op| !op.can_fault() && !matches!(op, Op::Call(..)))
    }

    /// Whether `clobber` would have anything to save.
    pub(super) fn host_flags_live(&self) -> bool {
        let seen = |slot| Some(slot) != self.map.flags || !self.flags_die_here();
        self.host_flags_wanted() || self.host.pending.is_some_and(seen)
    }
}
