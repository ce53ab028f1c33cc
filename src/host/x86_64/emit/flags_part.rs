//! Flags of which a part is made anew and the rest stays: Arm's of logical operations and shifts.

use super::super::SCRATCH;
use super::super::alloc::{Loc, size, wide};
use super::super::asm::{Alu, Mem, Reg, Shift, Size};
use super::Emitter;
use super::flags::Kind;
use crate::{FlagsOp, FlagsRule};
use ir::{Op, Ty, Val};

impl Emitter<'_> {
    /// Before flags `v` are made in the host's, of which C (perhaps) and V are those of `old`: the slot that they are going to, with `old` in its
    /// memory. None if they go to no slot at once. Nothing in the host's flags is needed any more then.
    pub(super) fn rest_in_slot(&mut self, v: Val, old: Val) -> Option<u16> {
        let Op::Set(slot, set) = self.r.insts.get(v.0 as usize + 1)?.op else { return None };
        let slot = slot.0;
        if set != v || self.r.ty(old) != Ty::Flags {
            return None;
        }
        let rests = matches!(self.rule_now(), Some((s, FlagsRule { op: FlagsOp::AndPart, .. })) if s == slot);
        if rests && self.host.ruled_val == Some(old) && self.plan.last_use[old.0 as usize] <= v.0 {
            // Only N and Z are stale in memory.
            self.clobber();
            self.host.ruled = false;
            return Some(slot);
        }
        let other_needed = self.ruled_value_needed().is_some_and(|v| v != old);
        let in_host = self.host.cur.is_some_and(|(name, _)| name == old);
        if self.host.ruled && (Some(slot) != self.map.flags || other_needed || !in_host) {
            self.clobber();
            self.save_ruled();
        }
        match self.host.cur {
            Some((name, _)) if name == old && self.host.pending.is_some_and(|p| p != slot) => return None,
            Some((name, Kind::Part { slot: rest, carry: false }))
                if name == old && rest == slot && self.plan.last_use[old.0 as usize] <= v.0 =>
            {
                // What is in memory is still the rest.
                self.save_conditions();
                self.host.forget();
                return Some(slot);
            }
            Some((name, kind)) if name == old => {
                self.save_conditions();
                self.spill_flags_in_slot(slot, old);
                self.pack_last(kind);
                self.store_flags_slot(slot);
                self.host.forget();
                self.slot_holds[slot as usize] = old;
                self.set_loc(old, Loc::Slot(slot));
                return Some(slot);
            }
            _ => {}
        }
        let from = self.flags_mem(old);
        self.clobber();
        if self.loc(old) != Loc::Slot(slot) {
            self.spill_flags_in_slot(slot, old);
            self.load_flags(SCRATCH, from);
            self.store_flags_slot(slot);
        }
        Some(slot)
    }

    /// Flags in a slot's memory, which is going to be overwritten, move out if they are still needed and not `except`.
    pub(super) fn spill_flags_in_slot(&mut self, slot: u16, except: Val) {
        let held = std::mem::replace(&mut self.slot_holds[slot as usize], Val::NONE);
        if !held.is_none() && held != except && self.loc(held) == Loc::Slot(slot) && self.live_after(held) {
            let m = self.map.mem(slot as usize);
            self.load_flags(SCRATCH, m);
            self.spill_scratch_flags(held);
        }
    }

    pub(super) fn flags_nz(&mut self, v: Val, x: Val, f: Val) {
        if let Some(slot) = self.rest_in_slot(v, f) {
            if Some(slot) == self.map.flags && self.constant_rule(v).is_some() {
                // By rule, from when they are set, which is next: the value is nowhere else.
                return;
            }
            let r = self.reg(x);
            self.a.test(size(self.r.ty(x)), r, r);
            return self.now_hold(v, Kind::Part { slot, carry: false });
        }
        let m = self.flags_mem(f);
        let r = self.reg(x);
        self.clobber();
        let t = self.temp();
        self.a.test(size(self.r.ty(x)), r, r);
        self.with_rest(v, 0xc000, (t, m));
    }

    /// N and Z of `x`, C the truth value `c`, V of `f`.
    pub(super) fn flags_nzc(&mut self, v: Val, x: Val, c: Val, f: Val) {
        let slot = self.rest_in_slot(v, f);
        let rest = if slot.is_none() { Some(self.flags_mem(f)) } else { None };
        let r = self.reg(x);
        let carry = if self.const_of(c).is_none() { Some(self.reg(c)) } else { None };
        self.clobber();
        let t = self.temp();
        if let Some(carry) = carry {
            self.a.mov(Size::D, t, carry);
        }
        self.a.test(size(self.r.ty(x)), r, r);
        match carry {
            // A rotation changes none of the others but V.
            Some(_) => self.a.shift_i(Shift::Rcr, Size::D, t, 1),
            None => self.set_carry(c),
        }
        match (slot, rest) {
            (Some(slot), _) => self.now_hold(v, Kind::Part { slot, carry: true }),
            (None, rest) => self.with_rest(v, 0xc100, (t, rest.expect("it is in memory"))),
        }
    }

    /// The host's C, which is clear, to a constant truth value.
    pub(super) fn set_carry(&mut self, c: Val) {
        if self.const_of(c).is_some_and(|c| c & 1 == 1) {
            self.a.stc();
        }
    }

    /// N, Z and C of a shift, V of `f`.
    pub(super) fn flags_shift(&mut self, v: Val, x: Val, shift: Shift, amount: u8, f: Val) {
        let width = wide(self.r.ty(x));
        if let Some(slot) = self.rest_in_slot(v, f) {
            let r = self.in_scratch(x);
            self.a.shift_i(shift, width, r, amount);
            return self.now_hold(v, Kind::Part { slot, carry: true });
        }
        let m = self.flags_mem(f);
        self.clobber();
        let t = self.temp();
        self.copy_to(x, t);
        self.a.shift_i(shift, width, t, amount);
        self.with_rest(v, 0xc100, (t, m));
    }

    /// Flags `v`: these bits of N, Z, C and V as the host has them now, the rest from memory. Takes the register.
    fn with_rest(&mut self, v: Val, made: i32, (t, rest): (Reg, Mem)) {
        self.a.lahf();
        self.a.alu_i(Alu::And, Size::D, SCRATCH, made);
        self.load_flags(t, rest);
        self.a.alu_i(Alu::And, Size::D, t, 0xc101 & !made);
        self.a.alu(Alu::Or, Size::D, SCRATCH, t);
        self.spill_scratch_flags(v);
    }
}
