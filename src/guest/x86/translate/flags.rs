//! EFLAGS: made by arithmetic, read by conditions, moved as a whole.

use super::Cx;
use crate::insn::rows;
use crate::state::{DIRECTION, EFLAGS_OTHER, FLAGS, OTHER, RAX, mode};
use iced_x86::{ConditionCode, Instruction};
use ir::{Bin, Cc, Ty, Val};

rows! {
    Clc => carry(Some(false));
    Stc => carry(Some(true));
    Cmc => carry(None);
    Cld => direction(false);
    Std => direction(true);
    Lahf => lahf();
    Sahf => sahf();
    Pushf => pushf();
    Pushfd => pushf();
    Pushfq => pushf();
    Popf => popf();
    Popfd => popf();
    Popfq => popf();
}

impl Cx<'_> {
    /// All six, as they are.
    pub(super) fn flags(&mut self) -> Val {
        self.b.get(FLAGS)
    }

    pub(super) fn set_flags(&mut self, flags: Val) {
        self.b.set(FLAGS, flags);
    }

    /// Flags with the opposite C: an addition's carry as x86 has it here.
    pub(super) fn opposite_c(&mut self, flags: Val) -> Val {
        self.b.flags_opposite_c(flags)
    }

    /// SF, ZF and PF of a result, CF, OF and AF clear (the manual leaves AF open).
    pub(super) fn flags_of(&mut self, result: Val) -> Val {
        let zero = self.b.constant(self.b.ty(result), 0);
        self.b.flags_sub(result, zero)
    }

    /// Flags of a sum.
    pub(super) fn flags_add(&mut self, a: Val, b: Val) {
        let flags = self.b.flags_add(a, b);
        let flags = self.opposite_c(flags);
        self.set_flags(flags);
    }

    /// Flags of a difference.
    pub(super) fn flags_sub(&mut self, a: Val, b: Val) {
        let flags = self.b.flags_sub(a, b);
        self.set_flags(flags);
    }

    /// ZF and CF (I1 each), the others clear.
    pub(super) fn set_zero_carry(&mut self, zero: Val, carry: Val) {
        let (z, c) = (self.b.zext(Ty::I32, zero), self.b.zext(Ty::I32, carry));
        let z = self.b.shift_imm(Bin::Shl, z, 6);
        let eflags = self.b.or(z, c);
        let flags = self.b.flags_from_eflags(eflags);
        self.set_flags(flags);
    }

    /// The flags of a result, with another CF (I1).
    pub(super) fn flags_of_with_carry(&mut self, result: Val, carry: Val) -> Val {
        // First, for it takes the host's flags.
        let clear = self.b.not(carry);
        let flags = self.flags_of(result);
        self.b.flags_set_c(flags, clear)
    }

    /// `flags` with another CF (I1).
    pub(super) fn with_carry(&mut self, flags: Val, carry: Val) -> Val {
        let clear = self.b.not(carry);
        self.b.flags_set_c(flags, clear)
    }

    /// `flags` with other CF and OF (I1 each).
    pub(super) fn with_carry_overflow(&mut self, flags: Val, carry: Val, overflow: Val) -> Val {
        let (c, o) = (self.b.zext(Ty::I32, carry), self.b.zext(Ty::I32, overflow));
        let eflags = self.b.flags_to_eflags(flags);
        let eflags = self.b.deposit(eflags, c, 0, 1);
        let eflags = self.b.deposit(eflags, o, 11, 1);
        self.b.flags_from_eflags(eflags)
    }

    /// CF (I1).
    pub(super) fn carry(&mut self) -> Val {
        let flags = self.flags();
        self.b.cond(Cc::Cc, flags)
    }

    /// A condition (I1) on flags as they are.
    pub(super) fn condition(&mut self, cc: ConditionCode) -> Val {
        use ConditionCode as X;
        let arm = match cc {
            X::o => Cc::Vs,
            X::no => Cc::Vc,
            X::b => Cc::Cc,
            X::ae => Cc::Cs,
            X::e => Cc::Eq,
            X::ne => Cc::Ne,
            X::be => Cc::Ls,
            X::a => Cc::Hi,
            X::s => Cc::Mi,
            X::ns => Cc::Pl,
            X::l => Cc::Lt,
            X::ge => Cc::Ge,
            X::le => Cc::Le,
            X::g => Cc::Gt,
            X::p => Cc::Pe,
            X::np => Cc::Po,
            X::None => return self.b.i1(true),
        };
        let flags = self.flags();
        self.b.cond(arm, flags)
    }

    /// Sets EFLAGS, or its lower 16 bits where the instruction has only those. What user mode cannot change stays (IF, IOPL).
    pub(super) fn set_eflags(&mut self, v: Val, ty: Ty) {
        let flags = self.b.flags_from_eflags(v);
        self.set_flags(flags);
        let other = self.b.and_imm(v, EFLAGS_OTHER.into());
        let other = if ty == Ty::I16 {
            let old = self.b.get(OTHER);
            let old = self.b.and_imm(old, 0xffff_0000);
            self.b.or(old, other)
        } else {
            other
        };
        self.b.set(OTHER, other);
        let down = self.b.extract(v, 10, 1, false);
        self.b.set(DIRECTION, down);
    }

    /// EFLAGS as a whole (I32). IF is always set.
    pub(super) fn eflags(&mut self) -> Val {
        let flags = self.flags();
        let v = self.b.flags_to_eflags(flags);
        let other = self.b.get(OTHER);
        let v = self.b.or(v, other);
        let fixed = 0x202 | u64::from(self.mode & mode::DIRECTION) << 10;
        let fixed = self.b.i32(fixed as u32);
        self.b.or(v, fixed)
    }
}

fn carry(cx: &mut Cx, _: &Instruction, to: Option<bool>) {
    let carry = match to {
        Some(to) => cx.b.i1(to),
        None => {
            let carry = cx.carry();
            cx.b.not(carry)
        }
    };
    let flags = cx.flags();
    let flags = cx.with_carry(flags, carry);
    cx.set_flags(flags);
}

/// DF is part of the mode word: most often it is what it is to become.
fn direction(cx: &mut Cx, _: &Instruction, down: bool) {
    if (cx.mode & mode::DIRECTION != 0) != down {
        let v = cx.b.i32(down.into());
        cx.b.set(DIRECTION, v);
        cx.resume();
    }
}

/// Bits of the flags that LAHF and SAHF move, and the bit that is always set.
const LOW: u64 = 0xd5;
const ONE: u64 = 2;

fn lahf(cx: &mut Cx, _: &Instruction) {
    let flags = cx.flags();
    let v = cx.b.flags_to_eflags(flags);
    let one = cx.b.i32(ONE as u32);
    let v = cx.b.or(v, one);
    let (old, v) = (cx.x(RAX), cx.b.zext(cx.xlen, v));
    let v = cx.b.deposit(old, v, 8, 8);
    cx.set_x(RAX, v);
}

fn sahf(cx: &mut Cx, _: &Instruction) {
    let v = cx.low(Ty::I32, RAX);
    let v = cx.b.shift_imm(Bin::Shr, v, 8);
    let low = cx.b.and_imm(v, LOW);
    let flags = cx.flags();
    let old = cx.b.flags_to_eflags(flags);
    let overflow = cx.b.and_imm(old, 1 << 11);
    let v = cx.b.or(low, overflow);
    let flags = cx.b.flags_from_eflags(v);
    cx.set_flags(flags);
}

fn pushf(cx: &mut Cx, i: &Instruction) {
    let v = cx.eflags();
    let ty = Ty::int(i.stack_pointer_increment().unsigned_abs() as usize);
    let v = if ty == Ty::I16 { cx.b.trunc(ty, v) } else { cx.b.zext(ty, v) };
    cx.push(v);
}

fn popf(cx: &mut Cx, i: &Instruction) {
    let ty = Ty::int(i.stack_pointer_increment().unsigned_abs() as usize);
    let v = cx.pop(ty);
    let v = if ty == Ty::I64 { cx.b.trunc(Ty::I32, v) } else { cx.b.zext(Ty::I32, v) };
    cx.set_eflags(v, ty);
    cx.resume();
}
