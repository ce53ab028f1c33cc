//! Flags as x86's own instructions leave them, on the host's: those that keep some of the older flags, and EFLAGS as a whole. CF is the opposite of C, so the
//! host's flags hold them inverted.

use super::super::SCRATCH;
use super::super::alloc::{size, wide};
use super::super::asm::{self, Alu, L128, Mem, Reg, Rm, Size, vop};
use super::Emitter;
use super::flags::Kind;
use ir::{Bin, Op, Shift, Ty, Val};

/// What the host's flags hold after these.
const X86: Kind = Kind::Int { inverted: true };

impl Emitter<'_> {
    /// Emits `v` if it is one of these.
    pub(super) fn flags_x86(&mut self, v: Val) -> bool {
        match *self.r.op(v) {
            Op::FlagsStep { down, v: x, flags } => self.step(v, None, down, x, flags),
            Op::FlagsShiftX86 { shift, v: x, amount, flags } => self.shift_keeping(v, shift, x, amount, flags),
            Op::FlagsShiftDouble { left, a, b, amount, flags } => {
                self.double_in_scratch(left, [a, b, amount], flags);
                self.now_hold(v, X86);
            }
            Op::FlagsProduct { signed: true, a, b } if self.r.ty(a) != Ty::I8 => self.flags_product(v, a, b),
            Op::FlagsTest(a, b) => {
                self.clobber();
                let (x, y) = (self.low_x(a), self.xm(b));
                self.a.v2(vop::VPTEST, L128, x, y);
                self.now_hold(v, X86);
            }
            Op::FlagsFromEflags(bits) => self.flags_from_eflags(v, bits),
            _ => return false,
        }
        true
    }

    /// Whether the operation compares `v`, the result of a logical operation, with zero.
    pub(super) fn compares_with_zero(&self, op: &Op, bin: Bin, v: Val) -> bool {
        matches!(bin, Bin::And | Bin::Or | Bin::Xor)
            && matches!(*op, Op::FlagsSub(x, zero) if x == v && self.const_of(zero) == Some(0))
    }

    /// The flags of `a` ± 1 that keep C, and where from, if they follow.
    pub(super) fn step_after(&self, v: Val, bin: Bin, a: Val, b: Val) -> Option<(Val, Val)> {
        if !matches!(bin, Bin::Add | Bin::Sub) || self.const_of(b) != Some(1) {
            return None;
        }
        let is = |op: &Op| matches!(*op, Op::FlagsStep { down, v: x, .. } if x == a && down == (bin == Bin::Sub));
        let f = self.flags_after(v, is)?;
        let Op::FlagsStep { flags, .. } = *self.r.op(f) else { return None };
        // What stands between the two is not emitted before.
        (flags < v).then_some((f, flags))
    }

    /// INC and DEC: the host's leave its CF, too.
    pub(super) fn step(&mut self, flags: Val, value: Option<Val>, down: bool, a: Val, old: Val) {
        let ty = self.r.ty(a);
        self.copy_to_early(a);
        self.loc_reg(a);
        self.carry_in(old, true, flags.0);
        self.now = flags.0;
        let (size, to) = match value {
            Some(v) => {
                let before = self.loc_reg(a);
                let d = self.def(v, Some(a));
                self.copy_from(before, a, d, ty);
                (wide(ty), d)
            }
            None => (size(ty), self.in_scratch(a)),
        };
        if down {
            self.a.dec(size, to);
        } else {
            self.a.inc(size, to);
        }
        self.now_hold(flags, X86);
    }

    /// Older flags in the host's, for an instruction that leaves some of them. They must be inverted if all of them may stay.
    fn old_flags(&mut self, old: Val, all: bool) {
        let mut kind = self.flags_host(old);
        if self.plan.last_use[old.0 as usize] <= self.now {
            // What a slot may still need of them has no name.
            self.host.cur = Some((Val::NONE, kind));
        }
        // Saving them leaves the host's as they are.
        self.clobber();
        if all && kind != X86 {
            self.a.cmc();
            kind = X86;
        }
        debug_assert!(matches!(kind, Kind::Int { .. }), "{kind:?} of x86");
    }

    /// Shifts and rotations, by the host's.
    fn shift_keeping(&mut self, v: Val, shift: Shift, x: Val, amount: Val, old: Val) {
        let ty = self.r.ty(x);
        let mask = if ty == Ty::I64 { 63 } else { 31 };
        let known = self.const_of(amount).map(|n| (n & mask) as u8).filter(|n| *n != 0);
        let keeps = matches!(shift, Shift::Rol | Shift::Ror);
        if let Some(n) = known {
            self.loc_reg(x);
            if keeps {
                self.old_flags(old, false);
            } else {
                self.clobber();
            }
            let r = self.in_scratch(x);
            self.a.shift_i(host(shift), size(ty), r, n);
        } else {
            let n = self.reg(amount);
            self.loc_reg(x);
            if n != Reg::RCX {
                let t = self.temp_at(Reg::RCX);
                self.a.mov(Size::D, t, n);
            }
            self.old_flags(old, true);
            let r = self.in_scratch(x);
            self.a.shift_cl(host(shift), size(ty), r);
        }
        self.now_hold(v, X86);
    }

    /// The flags of the shift of `a` by a constant that `v` is, if they follow: which, and by how much.
    pub(super) fn shift_flags_after(&self, v: Val, bin: Bin, a: Val, n: u8) -> Option<(Val, Shift, u8)> {
        let ty = self.r.ty(a);
        if !matches!(ty, Ty::I32 | Ty::I64) || n == 0 {
            return None;
        }
        let by = |shift: Shift| match (shift, bin) {
            (Shift::Shl, Bin::Shl) | (Shift::Shr, Bin::Shr) | (Shift::Sar, Bin::Sar) | (Shift::Ror, Bin::Rotr) => {
                Some(n)
            }
            (Shift::Rol, Bin::Rotr) => Some(ty.bits() as u8 - n),
            _ => None,
        };
        let is = |op: &Op| match *op {
            Op::FlagsShiftX86 { shift, v: x, amount, flags } => {
                // Flags that are read between the two are not there yet.
                let there = flags.is_none() || flags < v;
                there && x == a && by(shift).is_some_and(|n| self.const_of(amount) == Some(n.into()))
            }
            _ => false,
        };
        let f = self.flags_after(v, is)?;
        let Op::FlagsShiftX86 { shift, .. } = *self.r.op(f) else { return None };
        Some((f, shift, by(shift)?))
    }

    /// Value and flags by one instruction.
    pub(super) fn shift_with_flags(&mut self, v: Val, flags: Val, shift: Shift, a: Val, by: u8) {
        let Op::FlagsShiftX86 { flags: old, .. } = *self.r.op(flags) else { return };
        let ty = self.r.ty(a);
        self.together_with(flags);
        self.loc_reg(a);
        if matches!(shift, Shift::Rol | Shift::Ror) {
            self.old_flags(old, false);
        } else {
            self.clobber();
        }
        let before = self.loc_reg(a);
        let d = self.def(v, Some(a));
        self.copy_from(before, a, d, ty);
        self.a.shift_i(host(shift), wide(ty), d, by);
        self.now_hold(flags, X86);
    }

    /// A double shift, with its flags if they follow.
    pub(super) fn shift_double(&mut self, v: Val, left: bool, args: [Val; 3]) {
        let flags = self.flags_after(v, |op| match *op {
            // Flags that are read between the two are not there yet.
            Op::FlagsShiftDouble { left: same, a, b, amount, flags } => {
                (same, [a, b, amount]) == (left, args) && (flags.is_none() || flags < v)
            }
            _ => false,
        });
        let old = match flags.map(|f| *self.r.op(f)) {
            Some(Op::FlagsShiftDouble { flags, .. }) => flags,
            _ => Val::NONE,
        };
        if let Some(f) = flags {
            self.together_with(f);
        }
        self.double_in_scratch(left, args, old);
        self.gpr.locked = 0;
        let d = self.def(v, None);
        self.a.mov(size(self.r.ty(v)), d, SCRATCH);
        if let Some(f) = flags {
            self.now_hold(f, X86);
        }
    }

    /// The value of a double shift in scratch, and its flags in the host's: over the older ones if there are any that may stay.
    fn double_in_scratch(&mut self, left: bool, [a, b, amount]: [Val; 3], old: Val) {
        let ty = self.r.ty(a);
        let known = self.const_of(amount).map(|n| (n & u64::from(ty.bits() - 1)) as u8);
        if known.is_none() {
            let n = self.reg(amount);
            if n != Reg::RCX {
                let t = self.temp_at(Reg::RCX);
                self.a.mov(Size::D, t, n);
            }
        }
        let second = self.reg(b);
        self.copy_to_early(a);
        if old.is_none() {
            self.clobber();
        } else {
            self.old_flags(old, true);
        }
        self.copy_to(a, SCRATCH);
        let size = size(ty);
        match (known, left) {
            (Some(n), true) => self.a.shld_i(size, SCRATCH, second, n),
            (Some(n), false) => self.a.shrd_i(size, SCRATCH, second, n),
            (None, true) => self.a.shld_cl(size, SCRATCH, second),
            (None, false) => self.a.shrd_cl(size, SCRATCH, second),
        }
    }

    fn flags_product(&mut self, v: Val, a: Val, b: Val) {
        self.clobber();
        let size = size(self.r.ty(a));
        let b = self.reg(b);
        let r = self.in_scratch(a);
        self.a.imul(size, r, Rm::Reg(b));
        self.now_hold(v, X86);
    }

    pub(super) fn eflags_of_flags(&mut self, v: Val, f: Val) {
        let m = self.flags_mem(f);
        self.clobber();
        let d = self.def(v, None);
        self.a.movzx(Size::B, SCRATCH, Mem { disp: m.disp + 1, ..m });
        self.a.movzx(Size::B, d, m);
        self.a.alu_i(Alu::And, Size::D, SCRATCH, 0xd5);
        self.a.alu_i(Alu::Xor, Size::D, SCRATCH, 1);
        self.a.alu_i(Alu::And, Size::D, d, 1);
        self.a.shift_i(asm::Shift::Shl, Size::D, d, 11);
        self.a.alu(Alu::Or, Size::D, d, SCRATCH);
    }

    fn flags_from_eflags(&mut self, v: Val, eflags: Val) {
        self.clobber();
        let t = self.temp();
        let r = self.in_scratch(eflags);
        self.a.mov(Size::D, t, r);
        self.a.shift_i(asm::Shift::Shr, Size::D, t, 11);
        self.a.alu_i(Alu::And, Size::D, t, 1);
        self.a.alu_i(Alu::And, Size::D, r, 0xd5);
        self.a.alu_i(Alu::Xor, Size::D, r, 1);
        self.a.shift_i(asm::Shift::Shl, Size::D, r, 8);
        self.a.alu(Alu::Or, Size::D, r, t);
        self.spill_scratch_flags(v);
    }
}

/// The memory form of flags that EFLAGS have so.
pub(super) fn packed_eflags(eflags: u64) -> u32 {
    ((eflags as u32 & 0xd5) ^ 1) << 8 | (eflags >> 11 & 1) as u32
}

fn host(shift: Shift) -> asm::Shift {
    match shift {
        Shift::Shl => asm::Shift::Shl,
        Shift::Shr => asm::Shift::Shr,
        Shift::Sar => asm::Shift::Sar,
        Shift::Rol => asm::Shift::Rol,
        Shift::Ror => asm::Shift::Ror,
    }
}
