//! EFLAGS: made by arithmetic, read by conditions, moved as a whole.

use super::Cx;
use crate::insn::rows;
use crate::state::{ADJUST, DIRECTION, EFLAGS_OTHER, FLAGS, OTHER, PARITY, RAX, UNORDERED, mode};
use iced_x86::{ConditionCode, Instruction};
use ir::{Bin, Cc, IntCc, Op, Term, Ty, Un, Val};

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
    /// SF, ZF, OF and the opposite of CF, as they are.
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

    /// SF and ZF of a result, CF and OF clear.
    pub(super) fn flags_of(&mut self, result: Val) -> Val {
        let zero = self.b.constant(self.b.ty(result), 0);
        self.b.flags_sub(result, zero)
    }

    /// PF is that of the result's low byte.
    pub(super) fn set_parity(&mut self, result: Val) {
        let v = self.parity_value(result);
        self.b.set(PARITY, v);
    }

    /// What [`PARITY`] holds for a result.
    pub(super) fn parity_value(&mut self, result: Val) -> Val {
        let v = self.to32(result);
        self.b.zext(Ty::I64, v)
    }

    /// AF is what the sum or difference of `a` and `b` carries out of bit 3. The parity is set, too.
    pub(super) fn set_adjust(&mut self, a: Val, b: Val) {
        // A constant whose bit 4 is clear changes nothing.
        let v = match self.b.const_of(b) {
            Some(c) if c & 0x10 == 0 => a,
            _ => self.b.xor(a, b),
        };
        let v = self.to32(v);
        self.b.set(ADJUST, v);
    }

    fn to32(&mut self, v: Val) -> Val {
        match self.b.ty(v) {
            Ty::I64 => self.b.trunc(Ty::I32, v),
            _ => self.b.zext(Ty::I32, v),
        }
    }

    /// Flags of a sum.
    pub(super) fn flags_add(&mut self, a: Val, b: Val, sum: Val) {
        let flags = self.b.flags_add(a, b);
        let flags = self.opposite_c(flags);
        self.set_flags(flags);
        self.set_adjust(a, b);
        self.set_parity(sum);
    }

    /// Flags of a difference.
    pub(super) fn flags_sub(&mut self, a: Val, b: Val, difference: Val) {
        let flags = self.b.flags_sub(a, b);
        self.set_flags(flags);
        self.set_adjust(a, b);
        self.set_parity(difference);
    }

    /// Flags of a logical operation: CF and OF clear, AF as it was (the manual leaves it open).
    pub(super) fn flags_logic(&mut self, result: Val) {
        let flags = self.flags_of(result);
        self.set_flags(flags);
        self.set_parity(result);
    }

    /// `flags` with another CF (I1).
    pub(super) fn with_carry(&mut self, flags: Val, carry: Val) -> Val {
        let clear = self.b.not(carry);
        self.b.flags_set_c(flags, clear)
    }

    /// SF and ZF of `flags` with CF and OF (I1 each).
    pub(super) fn with_carry_overflow(&mut self, flags: Val, carry: Val, overflow: Val) -> Val {
        let bits = self.b.flags_to_bits(flags);
        let bits = self.b.and_imm(bits, 0xc000_0000);
        let clear = self.b.not(carry);
        let (c, v) = (self.b.zext(Ty::I32, clear), self.b.zext(Ty::I32, overflow));
        let (c, v) = (self.b.shift_imm(Bin::Shl, c, 29), self.b.shift_imm(Bin::Shl, v, 28));
        let bits = self.b.or(bits, c);
        let bits = self.b.or(bits, v);
        self.b.flags_from_bits(bits)
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
            X::p => return self.parity(IntCc::Eq),
            X::np => return self.parity(IntCc::Ne),
            X::None => return self.b.i1(true),
        };
        let flags = self.flags();
        self.b.cond(arm, flags)
    }

    /// ZF and CF: what an unordered comparison leaves.
    fn is_unordered(&mut self) -> Val {
        let flags = self.flags();
        let (z, c) = (self.b.cond(Cc::Eq, flags), self.b.cond(Cc::Cc, flags));
        self.b.and(z, c)
    }

    /// Whether the number of ones is even (`Eq`) or odd; or whether the last comparison was unordered, if it was one of floating point.
    fn parity(&mut self, cc: IntCc) -> Val {
        let v = self.b.get(PARITY);
        let known = self.b.const_of(v);
        if known == Some(UNORDERED) {
            let unordered = self.is_unordered();
            return if cc == IntCc::Eq { unordered } else { self.b.not(unordered) };
        }
        let counted = self.counted_parity(v, cc);
        if known.is_some() || !matches!(self.b.region.op(v), Op::Get(_)) {
            return counted;
        }
        let unordered = self.is_unordered();
        let unordered = if cc == IntCc::Eq { unordered } else { self.b.not(unordered) };
        let mark = self.b.and_imm(v, UNORDERED);
        let zero = self.b.i64(0);
        let compared = self.b.cmp(IntCc::Ne, mark, zero);
        let (a, b) = (self.b.and(compared, unordered), self.b.and_not(counted, compared));
        self.b.or(a, b)
    }

    /// Before ZF or CF change and PF does not: PF no longer depends on them.
    pub(super) fn settle_parity(&mut self) {
        let v = self.b.get(PARITY);
        if self.b.const_of(v) != Some(UNORDERED) && !matches!(self.b.region.op(v), Op::Get(_)) {
            return;
        }
        let odd = self.parity(IntCc::Ne);
        let odd = self.b.zext(Ty::I64, odd);
        self.set_parity_alone(odd);
    }

    /// Sets [`PARITY`]. AF stays: the difference goes to the other slot.
    pub(super) fn set_parity_alone(&mut self, v: Val) {
        let old = self.b.get(PARITY);
        let difference = self.b.xor(old, v);
        let difference = self.b.trunc(Ty::I32, difference);
        let adjust = self.b.get(ADJUST);
        let adjust = self.b.xor(adjust, difference);
        self.b.set(ADJUST, adjust);
        self.b.set(PARITY, v);
    }

    /// PF and AF are clear, or left open by the manual.
    pub(super) fn clear_parity(&mut self) {
        let (one, adjust) = (self.b.i64(1), self.b.i32(1));
        self.b.set(PARITY, one);
        self.b.set(ADJUST, adjust);
    }

    fn counted_parity(&mut self, v: Val, cc: IntCc) -> Val {
        let v = self.b.and_imm(v, 0xff);
        let v = self.b.un(Un::Popcnt, v);
        let v = self.b.and_imm(v, 1);
        let zero = self.b.i64(0);
        self.b.cmp(cc, v, zero)
    }

    /// SF, ZF, AF, PF, CF as LAHF has them, with bit 1 set (I32).
    fn low_flags(&mut self) -> Val {
        let flags = self.flags();
        let bits = self.b.flags_to_bits(flags);
        // N and Z come to bits 7 and 6, C to 5.
        let bits = self.b.shift_imm(Bin::Shr, bits, 24);
        let nz = self.b.and_imm(bits, 0xc0);
        let clear = self.b.extract(bits, 5, 1, false);
        // The opposite of CF, and bit 1.
        let three = self.b.i32(3);
        let carry = self.b.xor(clear, three);
        let (parity, adjust) = (self.b.get(PARITY), self.b.get(ADJUST));
        let parity = self.b.trunc(Ty::I32, parity);
        let adjust = self.b.xor(parity, adjust);
        let adjust = self.b.and_imm(adjust, 0x10);
        let even = self.parity(IntCc::Eq);
        let even = self.b.zext(Ty::I32, even);
        let even = self.b.shift_imm(Bin::Shl, even, 2);
        let v = self.b.or(nz, carry);
        let v = self.b.or(v, adjust);
        self.b.or(v, even)
    }

    /// EFLAGS as a whole (I32). IF is always set.
    pub(super) fn eflags(&mut self) -> Val {
        let low = self.low_flags();
        let flags = self.flags();
        let overflow = self.b.cond(Cc::Vs, flags);
        let overflow = self.b.zext(Ty::I32, overflow);
        let overflow = self.b.shift_imm(Bin::Shl, overflow, 11);
        let other = self.b.get(OTHER);
        let v = self.b.or(low, overflow);
        let v = self.b.or(v, other);
        let fixed = 0x200 | u64::from(self.mode & mode::DIRECTION) << 10;
        let fixed = self.b.i32(fixed as u32);
        self.b.or(v, fixed)
    }

    /// SF, ZF, AF, PF, CF from bits of EFLAGS (I32); OF from `overflow` (I1).
    pub(super) fn set_low_flags(&mut self, v: Val, overflow: Val) {
        let nz = self.b.and_imm(v, 0xc0);
        let nz = self.b.shift_imm(Bin::Shl, nz, 24);
        let flags = self.b.flags_from_bits(nz);
        let carry = self.b.trunc(Ty::I1, v);
        let flags = self.with_carry_overflow(flags, carry, overflow);
        let parity = self.b.extract(v, 2, 1, false);
        let one = self.b.i32(1);
        let parity = self.b.xor(parity, one);
        let parity = self.b.zext(Ty::I64, parity);
        let adjust = self.b.and_imm(v, 0x10);
        self.set_flags(flags);
        self.b.set(PARITY, parity);
        self.b.set(ADJUST, adjust);
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
    cx.settle_parity();
    let flags = cx.flags();
    let flags = cx.with_carry(flags, carry);
    cx.set_flags(flags);
}

/// DF is part of the mode word: most often it is what it is to become.
fn direction(cx: &mut Cx, _: &Instruction, down: bool) {
    if (cx.mode & mode::DIRECTION != 0) != down {
        let v = cx.b.i32(down.into());
        cx.b.set(DIRECTION, v);
        let pc = cx.next;
        cx.b.end(Term::Resume { pc });
    }
}

fn lahf(cx: &mut Cx, _: &Instruction) {
    let v = cx.low_flags();
    let (old, v) = (cx.x(RAX), cx.b.zext(cx.xlen, v));
    let v = cx.b.deposit(old, v, 8, 8);
    cx.set_x(RAX, v);
}

fn sahf(cx: &mut Cx, _: &Instruction) {
    let v = cx.low(Ty::I32, RAX);
    let v = cx.b.extract(v, 8, 8, false);
    let overflow = {
        let flags = cx.flags();
        cx.b.cond(Cc::Vs, flags)
    };
    cx.set_low_flags(v, overflow);
}

fn pushf(cx: &mut Cx, i: &Instruction) {
    let v = cx.eflags();
    let ty = Ty::int(i.stack_pointer_increment().unsigned_abs() as usize);
    let v = if ty == Ty::I16 { cx.b.trunc(ty, v) } else { cx.b.zext(ty, v) };
    cx.push(v);
}

/// What user mode cannot change stays (IF, IOPL). TF is not there: nothing steps.
fn popf(cx: &mut Cx, i: &Instruction) {
    let ty = Ty::int(i.stack_pointer_increment().unsigned_abs() as usize);
    let v = cx.pop(ty);
    let v = if ty == Ty::I64 { cx.b.trunc(Ty::I32, v) } else { cx.b.zext(Ty::I32, v) };
    let overflow = cx.b.extract(v, 11, 1, false);
    let overflow = cx.b.trunc(Ty::I1, overflow);
    cx.set_low_flags(v, overflow);
    let other = cx.b.and_imm(v, EFLAGS_OTHER.into());
    let other = if ty == Ty::I16 {
        let old = cx.b.get(OTHER);
        let old = cx.b.and_imm(old, 0xffff_0000);
        cx.b.or(old, other)
    } else {
        other
    };
    cx.b.set(OTHER, other);
    let down = cx.b.extract(v, 10, 1, false);
    cx.b.set(DIRECTION, down);
    let pc = cx.next;
    cx.b.end(Term::Resume { pc });
}
