//! Flags: kept in the host's own flags as long as nothing destroys them, saved as two instructions leave them (`lahf; seto al`).
//!
//! Arm's C after a subtraction is the opposite of x86's; [`Kind`] says which way the host's C stands, so that nothing is inverted before
//! somebody asks.

use super::super::alloc::{HostCc, Loc};
use super::super::asm::{Alu, Bit, Cc as X, L128, Mem, Reg, Rm, Shift, Size, Xm, vop};
use super::super::field;
use super::super::{SCRATCH, TEMPS, XSCRATCH};
use super::Emitter;
use super::cold::Cold;
use super::flags_x86::packed_eflags;
use super::float_check::Guard;
use super::int::shift_of;
use crate::cpu::at;
use crate::{FlagsAt, FlagsOp};
use ir::{Cc, Env, Fmt, NanRule, Op, Shape, Ty, Val};

/// What the host's flags mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Kind {
    /// N, Z, V, A and P as they are; C inverted or not.
    Int { inverted: bool },
    /// N and Z, and C (not inverted) if `carry`; the rest of the flags is in the slot's memory, which is not overwritten meanwhile.
    Part { slot: u16, carry: bool },
    /// A floating-point comparison, its operands swapped or not.
    Fcmp { swapped: bool },
}

/// What is known of the host's flags.
#[derive(Clone, Default, Debug)]
pub(in super::super) struct HostFlags {
    /// They hold guest flags of this kind: the value, or NONE if it has no name in this block.
    pub(super) cur: Option<(Val, Kind)>,
    /// They are what this slot of guest state holds, and it is stale in memory.
    pub(super) pending: Option<u16>,
    /// The flags slot is stale in memory; its rule tells what it should hold.
    pub(super) ruled: bool,
    /// The value that the rule makes, if it has a name in this block.
    pub(super) ruled_val: Option<Val>,
    /// The rule does not outlast the instruction being emitted.
    pub(super) rule_fails: bool,
    /// Truth values that are conditions on them.
    conds: Vec<Val>,
}

impl HostFlags {
    /// For a block that finds them as they are here.
    pub(super) fn handed_over(&self) -> HostFlags {
        let pending = self.pending.filter(|_| self.cur.is_some());
        let cur = self.cur.filter(|_| pending.is_some()).map(|(_, kind)| (Val::NONE, kind));
        HostFlags { cur, pending, ruled: self.ruled, ..HostFlags::default() }
    }

    /// They mean nothing any more; what was needed has been saved.
    pub(super) fn forget(&mut self) {
        *self = HostFlags::default();
    }
}

/// Guest flags NZCV (N = 8) as they stand in memory.
fn packed(nzcv: u64) -> u32 {
    let b = |n: u64, at: u32| (((nzcv >> n) & 1) as u32) << at;
    b(3, 15) | b(2, 14) | b(1, 8) | b(0, 0)
}

impl Emitter<'_> {
    /// For fault records: where flags are, and whose they are. Those of two slots may be elsewhere.
    pub(super) fn flags_at(&self) -> [Option<(FlagsAt, u16)>; 2] {
        let host = self.pending_kind().map(|(slot, kind)| match kind {
            Kind::Int { inverted } => (FlagsAt::Host { inverted }, slot),
            Kind::Part { carry, .. } => (FlagsAt::HostPart { carry }, slot),
            Kind::Fcmp { swapped } => (FlagsAt::HostFcmp { swapped }, slot),
        });
        [host, self.rule_now().map(|(slot, rule)| (FlagsAt::Rule(rule), slot))]
    }

    /// The slot whose flags stand in the host's only, and their kind.
    pub(super) fn pending_kind(&self) -> Option<(u16, Kind)> {
        Some((self.host.pending?, self.host.cur?.1))
    }

    /// Before an instruction that changes the host's flags: what is needed of them is saved.
    pub(in super::super) fn clobber(&mut self) {
        self.save_conditions();
        let Some((v, kind)) = self.host.cur else { return };
        let named = !v.is_none() && self.plan.last_use[v.0 as usize] >= self.now && self.loc(v) == Loc::None;
        if self.host.pending == self.map.flags && self.flags_die_here() {
            self.host.pending = None;
        }
        if self.rule_tells(v) {
            self.host.ruled = true;
            self.host.ruled_val = Some(v).filter(|_| named);
        } else {
            let early =
                named && self.plan.last_use[v.0 as usize] > self.now && self.conditions_early(v, kind, self.now);
            let named = named && !early;
            match self.host.pending {
                Some(slot) => {
                    self.save_in_slot(slot, kind);
                    if named {
                        // It stays there for as long as nothing else is to.
                        self.slot_holds[slot as usize] = v;
                        self.set_loc(v, Loc::Slot(slot));
                    }
                }
                None if named => {
                    self.pack(kind);
                    self.spill_scratch_flags(v);
                }
                None => {}
            }
        }
        (self.host.cur, self.host.pending) = (None, None);
    }

    /// Truth values that are conditions on the host's flags go to registers.
    pub(super) fn save_conditions(&mut self) {
        // They are no operands of the current operation: they are not locked.
        let locked = self.gpr.locked;
        for v in std::mem::take(&mut self.host.conds) {
            if let (Loc::Cc(_), true) = (self.loc(v), self.plan.last_use[v.0 as usize] >= self.now) {
                self.reg(v);
                self.gpr.locked = locked;
            }
        }
    }

    /// The same of those that are read after the current operation only. The host's flags stay.
    pub(super) fn save_later_conditions(&mut self) {
        let locked = self.gpr.locked;
        for n in 0..self.host.conds.len() {
            let v = self.host.conds[n];
            if matches!(self.loc(v), Loc::Cc(_)) && self.live_after(v) {
                self.reg(v);
                self.gpr.locked = locked;
            }
        }
    }

    /// Whether the host's flags hold anything.
    pub(super) fn host_flags_held(&self) -> bool {
        self.host.cur.is_some() || !self.host.conds.is_empty()
    }

    /// Whether operations of this block still read the host's flags (beside the slot that they are to stand in).
    pub(super) fn host_flags_wanted(&self) -> bool {
        let conds = self
            .host
            .conds
            .iter()
            .any(|v| matches!(self.loc(*v), Loc::Cc(_)) && self.plan.last_use[v.0 as usize] >= self.now);
        let named = self.host.cur.is_some_and(|(v, _)| {
            !v.is_none() && self.plan.last_use[v.0 as usize] >= self.now && self.loc(v) == Loc::None
        });
        conds || named
    }

    /// Evaluates the conditions that are all that is read of flags `v`, which stand in the host's, from instruction `from` on; whether that is so.
    fn conditions_early(&mut self, v: Val, kind: Kind, from: u32) -> bool {
        const AHEAD: u32 = 24;
        let (next, last) = (self.now + 1, self.plan.last_use[v.0 as usize]);
        if last < next || last - next > AHEAD || TEMPS.into_iter().all(|r| self.gpr.locked & 1 << r.0 != 0) {
            return false;
        }
        let mut conds = [(Val::NONE, HostCc::FpEq); 2];
        let mut n = 0;
        for i in from..=last {
            let op = &self.r.insts[i as usize].op;
            let mut reads = false;
            op.for_each_arg(|a| reads |= a == v);
            match *op {
                _ if !reads => {}
                // Left out, it may stand for what a sum reads (`carry_of`).
                Op::FlagsOppositeC(_) => return false,
                _ if self.plan.skip[i as usize] => {}
                _ if i < next => return false,
                Op::Cond(cc, _) => match host_cc(cc, kind) {
                    Some(host) if n < conds.len() => {
                        conds[n] = (Val(i), host);
                        n += 1;
                    }
                    _ => return false,
                },
                _ => return false,
            }
        }
        let locked = self.gpr.locked;
        for (c, host) in conds.into_iter().take(n) {
            self.set_loc(c, Loc::Cc(host));
            self.reg(c);
            self.gpr.locked = locked;
        }
        true
    }

    /// Flags from memory, no wider than they were stored: a wider load would wait until they have left the store buffer.
    pub(super) fn load_flags(&mut self, to: Reg, from: Mem) {
        self.a.movzx(Size::W, to, from);
    }

    pub(super) fn store_flags_slot(&mut self, slot: u16) {
        let m = self.map.mem(slot as usize);
        self.a.mov_mr(Size::W, m, SCRATCH);
    }

    /// The packed flags in scratch become the place of flags value `v`.
    pub(super) fn spill_scratch_flags(&mut self, v: Val) {
        let n = self.take_spill();
        self.a.mov_mr(Size::D, Self::spill_mem(n), SCRATCH);
        self.now_spilled(v, n);
    }

    /// The host's flags, which nobody needs any more, in memory form in scratch.
    pub(super) fn pack_last(&mut self, kind: Kind) {
        match kind {
            Kind::Int { inverted: true } => {
                // Shorter than what leaves them.
                self.a.cmc();
                self.pack(Kind::Int { inverted: false });
            }
            _ => self.pack(kind),
        }
    }

    /// The host's flags in memory form in scratch. They stay as they were, but for C of `Part` without it.
    fn pack(&mut self, kind: Kind) {
        match kind {
            Kind::Int { inverted } => {
                self.a.lahf();
                self.a.setcc(X::O, SCRATCH);
                if inverted {
                    // One less turns C, the lowest bit of ah, and leaves the host's flags; the borrow ends in the bit above, which lahf sets.
                    self.a.lea(Size::D, SCRATCH, Mem::base(SCRATCH, -0x100));
                }
            }
            Kind::Part { slot, carry } => {
                self.pack_part(slot, carry);
                self.a.mov(Size::B, SCRATCH, self.map.mem(slot as usize));
            }
            Kind::Fcmp { swapped } => {
                self.a.lahf();
                let zpc = self.pool(0x4500);
                self.a.pext(Size::D, SCRATCH, SCRATCH, zpc);
                let table = at::FCMP + if swapped { 8 * 2 } else { 0 };
                self.a.movzx(Size::W, SCRATCH, Mem::sib(super::super::STATE, SCRATCH, 1, table));
            }
        }
    }

    /// Guest flags that stand in the host's only, or are known by their rule, go to their slot.
    pub(super) fn save_pending(&mut self) {
        if let Some((slot, kind)) = self.pending_kind() {
            self.save_flags(slot, kind);
        }
        (self.host.cur, self.host.pending) = (None, None);
        self.save_ruled();
    }

    /// The host's flags, which mean this and which nobody needs any more, to a slot. Takes scratch.
    pub(super) fn save_flags(&mut self, slot: u16, kind: Kind) {
        match kind {
            Kind::Part { .. } => self.save_in_slot(slot, kind),
            _ => {
                self.pack_last(kind);
                self.store_flags_slot(slot);
            }
        }
    }

    /// The same, and they stay as they were, but for C of `Part` without it.
    fn save_in_slot(&mut self, slot: u16, kind: Kind) {
        match kind {
            Kind::Part { slot: rest, carry } if rest == slot => {
                self.pack_part(slot, carry);
                // V stays: were it written too, it would be a chain of loads and stores through each round of a loop.
                self.a.movzx_ah();
                self.a.mov_mr(Size::B, self.map.mem_at(slot as usize, 1), SCRATCH);
            }
            _ => {
                self.pack(kind);
                self.store_flags_slot(slot);
            }
        }
    }

    /// N, Z and C to ah; C from the slot unless the host has it.
    fn pack_part(&mut self, slot: u16, carry: bool) {
        if !carry {
            // A rotation through the carry changes no other flag that counts here.
            self.a.movzx(Size::B, SCRATCH, self.map.mem_at(slot as usize, 1));
            self.a.shift_i(Shift::Rcr, Size::B, SCRATCH, 1);
        }
        self.a.lahf();
    }

    pub(super) fn get_flags(&mut self, slot: u16, v: Val) {
        if self.host.ruled && Some(slot) == self.map.flags {
            // Made when they are read (`revive`).
            self.clobber();
            self.set_loc(v, Loc::None);
            self.host.ruled_val = Some(v);
            return;
        }
        match &mut self.host.cur {
            Some((name, _)) if self.host.pending == Some(slot) => {
                *name = v;
                self.set_loc(v, Loc::None);
            }
            _ => {
                self.slot_holds[slot as usize] = v;
                self.set_loc(v, Loc::Slot(slot));
            }
        }
    }

    pub(super) fn set_flags(&mut self, slot: u16, v: Val) {
        if let Some((name, Kind::Part { slot: rest, .. })) = self.host.cur
            && (name != v || rest != slot)
        {
            self.clobber();
        }
        if Some(slot) == self.map.flags && self.host.ruled {
            if self.host.ruled_val == Some(v) {
                return;
            }
            if self.ruled_value_needed().is_some_and(|old| self.live_after(old)) {
                // The new value may stand in the host's flags: it is saved.
                self.clobber();
                self.save_ruled();
            }
            self.host.ruled = false;
        }
        self.spill_flags_in_slot(slot, v);
        if self.host.cur.is_some_and(|(name, _)| name == v) {
            match self.host.pending {
                Some(other) if other != slot => self.save_in_both(v, other, slot),
                _ => self.host.pending = Some(slot),
            }
            return;
        }
        if self.host.pending == Some(slot) {
            self.host.pending = None;
        }
        let by_rule = self.constant_rule(v).filter(|rule| rule.op != FlagsOp::AndPart || self.loc(v) == Loc::None);
        if Some(slot) == self.map.flags && by_rule.is_some() {
            (self.host.ruled, self.host.ruled_val) = (true, Some(v));
            return;
        }
        let m = self.map.mem(slot as usize);
        if let Some(bits) = self.const_flags(v) {
            self.a.mov_mi(Size::D, m, bits as i32);
        } else if self.loc(v) != Loc::Slot(slot) {
            let from = self.flags_mem(v);
            self.load_flags(SCRATCH, from);
            self.a.mov_mr(Size::W, m, SCRATCH);
        }
    }

    /// The value in the host's flags, where it stays, becomes that of two slots: both are written.
    fn save_in_both(&mut self, v: Val, a: u16, b: u16) {
        self.pack(self.host.cur.expect("it is there").1);
        self.store_flags_slot(a);
        self.store_flags_slot(b);
        self.host.pending = None;
        self.slot_holds[b as usize] = v;
        self.set_loc(v, Loc::Slot(b));
    }

    /// The memory form of flags that are a constant.
    fn const_flags(&self, v: Val) -> Option<u32> {
        match *self.r.op(v) {
            Op::FlagsFromBits(b) => self.const_of(b).map(|c| packed(c >> 28)),
            Op::FlagsFromEflags(b) => self.const_of(b).map(packed_eflags),
            Op::FlagsSub(..) => self.constant_rule(v)?.constant(),
            _ => None,
        }
    }

    /// Memory that holds the flags value. Those in the host's flags are saved first.
    pub(super) fn flags_mem(&mut self, v: Val) -> Mem {
        self.revive(v);
        if self.host.cur.is_some_and(|(name, _)| name == v) && self.loc(v) == Loc::None {
            self.clobber();
            if self.loc(v) == Loc::None {
                self.save_ruled();
            }
        }
        if let Some(bits) = self.const_flags(v) {
            return self.pool(u128::from(bits));
        }
        if self.loc(v) == Loc::None {
            self.produce(v);
            self.clobber();
        }
        self.mem_of(v).unwrap_or_else(|| panic!("flags {v:?} {:?} are nowhere", self.r.op(v)))
    }

    /// The flags value in the host's flags.
    pub(super) fn flags_host(&mut self, v: Val) -> Kind {
        self.revive(v);
        if let Some((name, kind)) = self.host.cur
            && name == v
        {
            return kind;
        }
        let m = self.flags_mem(v);
        self.clobber();
        self.load_flags(SCRATCH, m);
        self.unpack();
        self.host.cur = Some((v, Kind::Int { inverted: false }));
        Kind::Int { inverted: false }
    }

    /// Packed flags in scratch to the host's flags.
    pub(super) fn unpack(&mut self) {
        self.a.alu_i(Alu::Add, Size::B, SCRATCH, 127);
        self.a.sahf();
    }

    /// Names what the host's flags now are. They must have been saved (`clobber`).
    pub(super) fn now_hold(&mut self, v: Val, kind: Kind) {
        (self.host.cur, self.host.pending) = (Some((v, kind)), None);
    }

    /// A truth value that is now a condition of the host's flags.
    pub(super) fn now_cond(&mut self, v: Val, cc: HostCc) {
        self.set_loc(v, Loc::Cc(cc));
        self.host.conds.push(v);
    }

    /// After `clobber` and an instruction that left only a condition.
    pub(super) fn flags_op(&mut self, v: Val) {
        match *self.r.op(v) {
            _ if self.const_flags(v).is_some() => {}
            Op::FlagsSub(..) | Op::FlagsAdd(..) | Op::FlagsLogic(_) if self.is_deferred(v) => {}
            Op::FlagsFromBits(b) => self.flags_from_bits(v, b),
            Op::FlagsNz(x, f) => self.flags_nz(v, x, f),
            Op::FlagsNzc(x, c, f) => self.flags_nzc(v, x, c, f),
            Op::FlagsOppositeC(f) => self.flags_opposite_c(v, f),
            Op::FlagsSetC(f, c) => self.flags_set_c(v, f, c),
            Op::FlagsShift { shift, v: x, amount, flags } => {
                if matches!(self.r.ty(x), Ty::I32 | Ty::I64) {
                    self.flags_shift(v, x, shift_of(shift), amount, flags);
                } else {
                    self.eval(v);
                }
            }
            Op::Select(c, x, y) => self.select_flags(v, c, x, y),
            _ if self.flags_x86(v) => {}
            _ => self.produce(v),
        }
    }

    /// Whether a comparison waits for the selection it is for (a conditional comparison).
    fn is_deferred(&self, v: Val) -> bool {
        self.plan.uses[v.0 as usize] == 1
            && (v.0 + 1..(v.0 + 8).min(self.r.insts.len() as u32)).any(|i| {
                self.r.insts[i as usize].ty == Ty::Flags
                    && self.plan.uses[i as usize] > 0
                    && matches!(self.r.insts[i as usize].op, Op::Select(_, x, y) if x == v || y == v)
            })
    }

    /// Emits the operation that makes flags, into the host's flags.
    fn produce(&mut self, v: Val) {
        match *self.r.op(v) {
            Op::FlagsSub(a, b) => {
                self.clobber();
                self.compare(a, b);
                self.now_hold(v, Kind::Int { inverted: true });
            }
            Op::FlagsAdd(a, b) => {
                self.clobber();
                let size = super::super::alloc::size(self.r.ty(a));
                let r = self.in_scratch(a);
                match self.imm32(b) {
                    Some(imm) => self.a.alu_i(Alu::Add, size, r, imm),
                    None => {
                        let b = self.rm(b);
                        self.a.alu(Alu::Add, size, r, b);
                    }
                }
                self.now_hold(v, Kind::Int { inverted: false });
            }
            Op::FlagsLogic(x) => self.flags_logic(v, x),
            // Narrow sums are computed with 32 bits, whose flags are others.
            Op::FlagsAdc(a, ..) | Op::FlagsSbc(a, ..) if matches!(self.r.ty(a), Ty::I8 | Ty::I16) => self.eval(v),
            Op::FlagsAdc(a, b, f) => self.with_carry(v, None, Alu::Adc, a, b, f),
            Op::FlagsSbc(a, b, f) => self.with_carry(v, None, Alu::Sbb, a, b, f),
            Op::FlagsFcmp { fmt, signalling, env, a, b } if matches!(fmt, Fmt::F32 | Fmt::F64) => {
                self.fcmp(v, fmt, env, signalling, a, b);
            }
            _ => self.eval(v),
        }
    }

    fn flags_logic(&mut self, v: Val, x: Val) {
        self.clobber();
        let size = super::super::alloc::size(self.r.ty(x));
        let r = self.reg(x);
        self.a.test(size, r, r);
        self.now_hold(v, Kind::Int { inverted: false });
    }

    /// cmp a, b. The host's flags must have been saved.
    pub(super) fn compare(&mut self, a: Val, b: Val) {
        let size = super::super::alloc::size(self.r.ty(a));
        match self.imm32(b) {
            Some(0) => {
                if let Some(m) = self.mem_of(a).filter(|_| {
                    matches!(size, Size::D | Size::Q) && self.r.ty(self.root(a)).bytes() >= size.bytes() as usize
                }) {
                    self.a.alu_i(Alu::Cmp, size, m, 0);
                } else {
                    // cmp with 0 and test agree in all flags.
                    let r = self.reg(a);
                    self.a.test(size, r, r);
                }
            }
            Some(imm) => match self.rm(a) {
                Rm::Reg(r) => self.a.alu_i(Alu::Cmp, size, r, imm),
                Rm::Mem(m) => self.a.alu_i(Alu::Cmp, size, m, imm),
            },
            None => {
                let r = self.reg(a);
                let b = self.rm(b);
                self.a.alu(Alu::Cmp, size, r, b);
            }
        }
    }

    fn fcmp(&mut self, v: Val, fmt: Fmt, env: Env, signalling: bool, a: Val, b: Val) {
        if env.nan == NanRule::X86 {
            return self.fcmp_x86(v, fmt, env, signalling, a, b);
        }
        self.clobber();
        // The first condition asked decides which way round compares best.
        let swapped =
            self.first_cond(v).is_some_and(|cc| matches!(cc, Cc::Mi | Cc::Pl | Cc::Ls | Cc::Hi | Cc::Cs | Cc::Cc));
        let (x, y) = if swapped { (b, a) } else { (a, b) };
        let (x, y) = if env.flush_in {
            let rx = self.x(x);
            self.xlimit(&[x, y], 1);
            (rx, self.xm(y))
        } else {
            (self.x(x), self.xm(y))
        };
        let args = if swapped { [y, Xm::Reg(x)] } else { [Xm::Reg(x), y] };
        let slow = env.flush_in.then(|| {
            let work = (XSCRATCH, self.xtemp(), self.xtemp());
            self.guard(Shape::scalar(fmt), env, Guard::Operands, &args, work)
        });
        self.a.v2(comparison(fmt, signalling), L128, x, y);
        if let Some(label) = slow.flatten() {
            let back = self.a.label_here();
            self.cold_compare(v, label, back, &args, swapped);
        }
        self.now_hold(v, Kind::Fcmp { swapped });
    }

    /// The host's own flags are the guest's.
    fn fcmp_x86(&mut self, v: Val, fmt: Fmt, env: Env, signalling: bool, a: Val, b: Val) {
        if env.flush_in {
            return self.eval(v);
        }
        self.clobber();
        let x = self.x(a);
        let y = self.xm(b);
        self.a.v2(comparison(fmt, signalling), L128, x, y);
        self.now_hold(v, Kind::Int { inverted: true });
    }

    /// A condition that is asked of flags soon.
    fn first_cond(&self, f: Val) -> Option<Cc> {
        const AHEAD: u32 = 32;
        let last = self.plan.last_use[f.0 as usize].saturating_add(1);
        (f.0 + 1..(f.0 + AHEAD).min(last).min(self.r.insts.len() as u32)).find_map(|i| {
            match self.r.insts[i as usize].op {
                Op::Cond(cc, x) if x == f => Some(cc),
                _ => None,
            }
        })
    }

    /// A condition on flags: left in the host's flags if it can be.
    pub(super) fn cond(&mut self, v: Val, cc: Cc, f: Val) {
        if self.loc(v) != Loc::None {
            // It was evaluated early.
            return;
        }
        if let Some(bits) = self.const_flags(f) {
            let pnzcv = (bits >> 6 & 16) | (bits >> 12 & 0xc) | (bits >> 7 & 2) | bits & 1;
            let d = self.def(v, None);
            self.a.mov_ri(d, u64::from(cc.holds(pnzcv)));
            return;
        }
        self.revive(f);
        let in_host = self.host.cur.is_some_and(|(name, _)| name == f);
        if !in_host && self.cond_in_memory(v, cc, f) {
            return;
        }
        let mut kind = self.flags_host(f);
        if !matches!(kind, Kind::Int { .. }) && host_cc(cc, kind).is_none() {
            self.complete(f);
            kind = self.flags_host(f);
        }
        if let Some(host) = host_cc(cc, kind) {
            return self.now_cond(v, host);
        }
        // Hi and Ls need C inverted; other conditions read so far would change their meaning.
        for c in std::mem::take(&mut self.host.conds) {
            if matches!(self.loc(c), Loc::Cc(_)) && self.plan.last_use[c.0 as usize] >= self.now {
                self.reg(c);
            }
        }
        self.a.cmc();
        kind = Kind::Int { inverted: true };
        self.host.cur = Some((f, kind));
        let host = host_cc(cc, kind).expect("every condition exists with C inverted");
        self.now_cond(v, host);
    }

    /// Conditions that are one bit of the flags in memory.
    fn cond_in_memory(&mut self, v: Val, cc: Cc, f: Val) -> bool {
        let (byte, mask) = match cc {
            Cc::Eq | Cc::Ne => (1, 0x40),
            Cc::Mi | Cc::Pl => (1, 0x80),
            Cc::Cs | Cc::Cc => (1, 0x01),
            Cc::Vs | Cc::Vc => (0, 0x01),
            Cc::Pe | Cc::Po => (1, 0x04),
            _ => return false,
        };
        let m = self.flags_mem(f);
        self.clobber();
        self.a.test_i(Size::B, Mem { disp: m.disp + byte, ..m }, mask);
        let set = matches!(cc, Cc::Eq | Cc::Mi | Cc::Cs | Cc::Vs | Cc::Pe);
        self.now_cond(v, HostCc::One(if set { X::Ne } else { X::E }));
        true
    }

    /// The host condition for a truth value, for an instruction that follows at once.
    pub(super) fn host_cond(&mut self, v: Val) -> HostCc {
        if let Loc::Cc(cc) = self.loc(v) {
            return cc;
        }
        self.clobber();
        let locked = self.gpr.locked;
        let r = self.reg(v);
        self.a.test(Size::B, r, r);
        self.gpr.locked = locked;
        HostCc::One(X::Ne)
    }

    /// The guest's C of flags `f` in the host's, inverted if asked. Everything else in the host's flags is lost. The operation that asks is done with
    /// instruction `last`.
    pub(super) fn carry_in(&mut self, f: Val, want_inverted: bool, last: u32) {
        self.revive(f);
        let in_host = self.host.cur.filter(|(name, _)| *name == f).map(|(_, k)| k);
        let inverted = match in_host {
            Some(Kind::Int { inverted }) => Some(inverted),
            Some(Kind::Part { carry: true, .. }) => Some(false),
            _ => None,
        };
        if let (Some(inverted), Some(kind)) = (inverted, in_host) {
            if self.plan.last_use[f.0 as usize] <= last || self.conditions_early(f, kind, last + 1) {
                // This was their last use: what a slot may still need of them has no name.
                self.host.cur = Some((Val::NONE, kind));
            }
            // Saving integer flags leaves the host's as they are.
            self.clobber();
            if inverted != want_inverted {
                self.a.cmc();
            }
            return;
        }
        let m = self.flags_mem(f);
        self.clobber();
        self.a.bit_i(Bit::Bt, Size::W, m, 8);
        if want_inverted {
            self.a.cmc();
        }
    }

    fn flags_from_bits(&mut self, v: Val, bits: Val) {
        self.clobber();
        let t = self.temp();
        self.a.mov_ri(t, 0xc101);
        let r = self.in_scratch(bits);
        self.a.shift_i(Shift::Shr, Size::D, r, 28);
        self.a.pdep(Size::D, r, r, t);
        self.spill_scratch_flags(v);
    }

    pub(super) fn bits_of_flags(&mut self, v: Val, f: Val) {
        let m = self.flags_mem(f);
        self.clobber();
        let d = self.def(v, None);
        self.a.mov_ri(d, 0xc101);
        self.load_flags(SCRATCH, m);
        self.a.pext(Size::D, d, SCRATCH, d);
        self.a.shift_i(Shift::Shl, Size::D, d, 28);
    }

    /// Another name for what stands in the host's flags, if nobody else needs that.
    fn flags_opposite_c(&mut self, v: Val, f: Val) {
        if let (Some((name, Kind::Int { inverted })), None) = (self.host.cur, self.host.pending)
            && name == f
            && self.plan.last_use[f.0 as usize] <= v.0
        {
            self.save_conditions();
            return self.now_hold(v, Kind::Int { inverted: !inverted });
        }
        let m = self.flags_mem(f);
        self.clobber();
        self.load_flags(SCRATCH, m);
        self.a.alu_i(Alu::Xor, Size::D, SCRATCH, 0x100);
        self.spill_scratch_flags(v);
    }

    fn flags_set_c(&mut self, v: Val, f: Val, c: Val) {
        if let Some(inverted) = self.carry_alone_can_change(f) {
            let (r, t) = (self.reg(c), self.temp());
            self.a.mov(Size::D, t, r);
            self.a.shift_i(Shift::Rcr, Size::D, t, 1);
            if inverted {
                self.a.cmc();
            }
            return self.now_hold(v, Kind::Int { inverted });
        }
        let m = self.flags_mem(f);
        let c = self.reg(c);
        self.clobber();
        let t = self.temp();
        self.a.mov(Size::D, t, c);
        self.a.shift_i(Shift::Shl, Size::D, t, 8);
        self.load_flags(SCRATCH, m);
        self.a.alu_i(Alu::And, Size::D, SCRATCH, !0x100);
        self.a.alu(Alu::Or, Size::D, SCRATCH, t);
        self.spill_scratch_flags(v);
    }

    /// Whether the host has flags `f`, which nobody reads any more, and neither its C nor V of them is set: then a rotation of a truth value through C brings
    /// that there, and changes no other flag. Gives which way C stands.
    fn carry_alone_can_change(&self, f: Val) -> Option<bool> {
        let (name, Kind::Int { inverted }) = self.host.cur? else { return None };
        // (The host's own C must be clear, whichever way it stands.)
        let clear = match *self.r.op(f) {
            Op::FlagsLogic(_) => !inverted,
            Op::FlagsSub(_, b) => inverted && self.r.const_of(b) == Some(0),
            _ => false,
        };
        let alone = self.host.pending.is_none() && !self.live_after(f) && !self.asked_again();
        (name == f && clear && alone).then_some(inverted)
    }

    /// A conditional comparison: c ? (flags of a comparison) : constant, or those that `c` is a condition of; or any two flags.
    fn select_flags(&mut self, v: Val, c: Val, x: Val, y: Val) {
        let compared = [(x, y, true), (y, x, false)].into_iter().find_map(|(cmp, other, on)| {
            let (op, a, b, inverted) = match *self.r.op(cmp) {
                Op::FlagsSub(a, b) if self.is_deferred(cmp) => (Alu::Cmp, a, b, true),
                Op::FlagsAdd(a, b) if self.is_deferred(cmp) => (Alu::Add, a, b, false),
                _ => return None,
            };
            let fits = self.const_flags(other).is_some() || self.stands_for(c, other, inverted, v);
            fits.then_some((op, a, b, inverted, other, on))
        });
        let Some((op, a, b, inverted, other, on)) = compared else {
            return self.select_flags_in_memory(v, c, x, y);
        };
        if self.host.pending == self.map.flags && self.flags_die_here() {
            self.host.pending = None;
        }
        let constant = self.const_flags(other);
        let named = self.host.cur.is_some_and(|(name, _)| !name.is_none() && self.live_after(name));
        if self.host.pending.is_some() || named || self.asked_again() {
            if constant.is_none() {
                return self.select_flags_in_memory(v, c, x, y);
            }
            // The flags before are needed still: the condition moves to a register.
            self.clobber();
        }
        let size = super::super::alloc::size(self.r.ty(a));
        let left = self.reg(a);
        let right = if self.imm32(b).is_some() { None } else { Some(self.rm(b)) };
        let HostCc::One(cc) = self.host_cond_simple(c) else { unreachable!("made simple") };
        let skip_if = if on { cc.invert() } else { cc };
        let left = if op == Alu::Add {
            let t = self.temp();
            self.a.mov(Size::Q, t, left);
            t
        } else {
            left
        };
        let (skip, back) = (self.a.label(), self.a.label());
        self.a.jcc(skip_if, if constant.is_some() { skip } else { back });
        match (self.imm32(b), right) {
            (Some(imm), _) => self.a.alu_i(op, size, left, imm),
            (None, Some(rm)) => self.a.alu(op, size, left, rm),
            _ => unreachable!("one of the two"),
        }
        self.a.bind(back);
        if let Some(bits) = constant {
            let bits = if inverted { bits ^ 0x100 } else { bits };
            self.cold.push(Cold::Unpack { label: skip, back, bits });
        }
        self.host.conds.clear();
        self.now_hold(v, Kind::Int { inverted });
    }

    /// Whether conditions on the host's flags are read after the current operation.
    fn asked_again(&self) -> bool {
        self.host.conds.iter().any(|v| matches!(self.loc(*v), Loc::Cc(_)) && self.live_after(*v))
    }

    /// Whether flags `f` stand in the host's as a comparison leaves them, `c` is one condition of them, and `v` is the last to use them.
    fn stands_for(&self, c: Val, f: Val, inverted: bool, v: Val) -> bool {
        self.host.cur == Some((f, Kind::Int { inverted }))
            && matches!(self.loc(c), Loc::Cc(HostCc::One(_)))
            && self.plan.last_use[f.0 as usize] <= v.0
    }

    /// A condition that is one host condition.
    fn host_cond_simple(&mut self, c: Val) -> HostCc {
        match self.host_cond(c) {
            HostCc::One(cc) => HostCc::One(cc),
            _ => {
                let r = self.reg(c);
                self.clobber();
                self.a.test(Size::B, r, r);
                HostCc::One(X::Ne)
            }
        }
    }

    /// Flags that are a constant, in packed form, to the host's flags.
    pub(super) fn unpack_constant(&mut self, bits: u32) {
        self.a.mov_ri(SCRATCH, u64::from(bits));
        self.unpack();
    }

    fn select_flags_in_memory(&mut self, v: Val, c: Val, x: Val, y: Val) {
        if matches!(self.loc(c), Loc::Cc(_)) {
            self.reg(c);
        }
        let mx = self.flags_mem(x);
        // What it was made of may leave its registers for what the other is made of.
        self.gpr.locked = 0;
        let my = self.flags_mem(y);
        self.gpr.locked = 0;
        self.clobber();
        let r: Reg = self.reg(c);
        self.a.test(Size::B, r, r);
        self.load_flags(SCRATCH, mx);
        self.a.cmov(X::E, Size::W, SCRATCH, my);
        self.spill_scratch_flags(v);
    }

    /// Flags operands of a helper site to memory.
    pub(super) fn prepare_flags_args(&mut self, args: &[Val]) {
        for a in args {
            if self.r.ty(*a) == Ty::Flags {
                self.flags_mem(*a);
            }
        }
    }

    /// Where `prepare_flags_args` left them.
    pub(super) fn flags_place(&mut self, v: Val) -> Mem {
        match self.const_flags(v) {
            Some(bits) => self.pool(u128::from(bits)),
            None => self.mem_of(v).expect("flags operands are in memory"),
        }
    }

    /// The result of a helper site is flags: they stand in `Cpu::ret`.
    pub(super) fn flags_from_ret(&mut self, v: Val) {
        self.a.mov(Size::D, SCRATCH, field(at::RET));
        self.spill_scratch_flags(v);
    }
}

/// The comparison that sets the host's flags.
fn comparison(fmt: Fmt, signalling: bool) -> vop::VOp {
    match (fmt, signalling) {
        (Fmt::F32, false) => vop::VUCOMISS,
        (Fmt::F32, true) => vop::VCOMISS,
        (_, false) => vop::VUCOMISD,
        (_, true) => vop::VCOMISD,
    }
}

/// The host's condition for a guest's, if one instruction can test it.
fn host_cc(cc: Cc, kind: Kind) -> Option<HostCc> {
    use HostCc::One;
    Some(match kind {
        Kind::Int { inverted } => One(match (cc, inverted) {
            (Cc::Eq, _) => X::E,
            (Cc::Ne, _) => X::Ne,
            (Cc::Mi, _) => X::S,
            (Cc::Pl, _) => X::Ns,
            (Cc::Vs, _) => X::O,
            (Cc::Vc, _) => X::No,
            (Cc::Ge, _) => X::Ge,
            (Cc::Lt, _) => X::L,
            (Cc::Gt, _) => X::G,
            (Cc::Le, _) => X::Le,
            (Cc::Pe, _) => X::P,
            (Cc::Po, _) => X::Np,
            (Cc::Cs, true) | (Cc::Cc, false) => X::Ae,
            (Cc::Cs, false) | (Cc::Cc, true) => X::B,
            (Cc::Hi, true) => X::A,
            (Cc::Ls, true) => X::Be,
            (Cc::Hi | Cc::Ls, false) => return None,
        }),
        Kind::Part { carry, .. } => One(match cc {
            Cc::Eq => X::E,
            Cc::Ne => X::Ne,
            Cc::Mi => X::S,
            Cc::Pl => X::Ns,
            Cc::Cs if carry => X::B,
            Cc::Cc if carry => X::Ae,
            _ => return None,
        }),
        // ucomis a, b leaves Z P C: greater 000, less 001, equal 100, unordered 111.
        Kind::Fcmp { swapped } => match (cc, swapped) {
            (Cc::Eq, _) => HostCc::FpEq,
            (Cc::Ne, _) => HostCc::FpNe,
            (Cc::Vs, _) => One(X::P),
            (Cc::Vc, _) => One(X::Np),
            (Cc::Gt, false) | (Cc::Mi | Cc::Cc, true) => One(X::A),
            (Cc::Ge, false) | (Cc::Ls, true) => One(X::Ae),
            (Cc::Lt, false) | (Cc::Hi, true) => One(X::B),
            (Cc::Le, false) | (Cc::Cs | Cc::Pl, true) => One(X::Be),
            _ => return None,
        },
    })
}
