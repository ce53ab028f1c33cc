//! Integer operations.

use super::super::alloc::{HostCc, Loc, size, wide};
use super::super::asm::{Alu, Bit, Cc as X, L128, Mem, Reg, Rm, Shift, Size, Unary, vop};
use super::super::plan::{NO_HOME, carry_of};
use super::super::{SCRATCH, XSCRATCH};
use super::Emitter;
use super::flags::Kind;
use super::vector::splat;
use ir::{Bin, IntCc, Lane, Op, Ty, Un, Val};

/// What the host's flags are to be after an operation: its own, or anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flags {
    Own,
    Any,
}

/// vgf2p8affineqb's matrix that reverses the bits of each byte.
pub(super) const REVERSED: u64 = 0x8040_2010_0804_0201;

impl Emitter<'_> {
    /// Emits `v` if it is an integer operation done here.
    pub(super) fn int_op(&mut self, v: Val) -> bool {
        let ty = self.r.ty(v);
        match *self.r.op(v) {
            Op::Bin(bin, a, b) => return self.bin(v, bin, a, b, ty),
            Op::Un(un, a) => return self.un(v, un, a, ty),
            Op::Zext(a) => self.zext(v, a),
            Op::Sext(a) => self.sext(v, a, ty),
            Op::Trunc(a) => {
                // To a truth value: bit 0.
                let r = self.in_scratch(a);
                self.clobber_for_scratch();
                self.a.alu_i(Alu::And, Size::D, r, 1);
                let d = self.def(v, None);
                self.a.mov(Size::D, d, r);
            }
            Op::Extract { v: a, lsb, width, signed } if matches!(ty, Ty::I32 | Ty::I64) => {
                self.extract(v, a, u32::from(lsb), u32::from(width), signed, ty);
            }
            Op::Deposit { into, v: a, lsb, width } if matches!(ty, Ty::I32 | Ty::I64) => {
                self.deposit(v, into, a, u32::from(lsb), u32::from(width), ty);
            }
            Op::Funnel { hi, lo, amount } if matches!(ty, Ty::I32 | Ty::I64) => self.funnel(v, hi, lo, amount, ty),
            Op::ShiftDouble { left, a, b, amount } => self.shift_double(v, left, [a, b, amount]),
            Op::Cmp(cc, a, b) => {
                self.clobber();
                if !matches!(cc, IntCc::Eq | IntCc::Ne) || !self.compared_with_zero(a, b) {
                    self.compare(a, b);
                }
                self.now_cond(v, HostCc::One(int_cc(cc)));
            }
            Op::Cond(cc, f) => self.cond(v, cc, f),
            Op::FlagsToBits(f) => self.bits_of_flags(v, f),
            Op::FlagsToEflags(f) => self.eflags_of_flags(v, f),
            Op::Select(c, a, b) if ty.is_int() => self.select(v, c, a, b, ty),
            Op::DivWide { remainder, hi, lo, divisor } => self.divide_wide(v, remainder, hi, lo, divisor, ty),
            Op::AddC(a, b, f) => self.value_with_carry(v, Alu::Adc, a, b, f),
            Op::SubC(a, b, f) => self.value_with_carry(v, Alu::Sbb, a, b, f),
            Op::Crc32 { acc, v: x, bytes, c: true } => {
                // Scratch last: a truth value becomes one through it.
                let x = self.reg(x);
                let acc = self.in_scratch(acc);
                self.a.crc32([Size::B, Size::W, Size::D, Size::Q][bytes.trailing_zeros() as usize], acc, x);
                let d = self.def(v, None);
                self.a.mov(Size::D, d, acc);
            }
            _ => return false,
        }
        true
    }

    /// Saves the host's flags while a value is in scratch.
    fn clobber_for_scratch(&mut self) {
        if self.pending_kind().is_some() || self.host_flags_live() {
            let t = self.temp();
            self.a.mov(Size::Q, t, SCRATCH);
            self.clobber();
            self.a.mov(Size::Q, SCRATCH, t);
        }
    }

    /// The operation that makes the flags of the same operands, if it follows at once: both are one host instruction.
    pub(super) fn flags_after(&self, v: Val, is: impl Fn(&Op) -> bool) -> Option<Val> {
        for i in v.0 + 1..(v.0 + 6).min(self.r.insts.len() as u32) {
            let inst = &self.r.insts[i as usize];
            if self.plan.skip[i as usize] {
                continue;
            }
            if is(&inst.op) {
                return Some(Val(i));
            }
            let quiet = matches!(inst.op, Op::Const(_) | Op::Get(_)) || self.root(Val(i)) != Val(i);
            if !quiet {
                return None;
            }
        }
        None
    }

    /// The same for flags of which the rest stays in their slot, made ready for it.
    fn part_after(&mut self, v: Val, is: impl Fn(&Op) -> bool) -> Option<(Val, u16)> {
        let f = self.flags_after(v, is)?;
        let (Op::FlagsNz(_, old) | Op::FlagsNzc(_, _, old) | Op::FlagsShift { flags: old, .. }) = *self.r.op(f) else {
            return None;
        };
        if let (Op::Get(slot), true) = (*self.r.op(old), old > v) {
            // It stands between the two.
            self.get_flags(slot.0, old);
        }
        let slot = self.rest_in_slot(f, old)?;
        self.done = f.0;
        Some((f, slot))
    }

    /// The same for N and Z of the result, with a C that stays or, behind what clears the host's, is a constant.
    fn part_of_result_after(&mut self, v: Val, alu: Alu) -> Option<(Val, u16)> {
        let (r, clears) = (self.r, matches!(alu, Alu::And | Alu::Or | Alu::Xor));
        self.part_after(v, |op| match *op {
            Op::FlagsNz(x, _) => x == v,
            Op::FlagsNzc(x, c, _) => x == v && clears && r.const_of(c).is_some(),
            _ => false,
        })
    }

    /// The host holds what [`Self::part_of_result_after`] has found.
    fn now_hold_part(&mut self, f: Val, slot: u16) {
        let carry = match *self.r.op(f) {
            Op::FlagsNzc(_, c, _) => {
                self.set_carry(c);
                true
            }
            _ => false,
        };
        self.now_hold(f, Kind::Part { slot, carry });
    }

    /// The current operation is emitted together with that which makes `flags`: what both use last ends here.
    pub(super) fn together_with(&mut self, flags: Val) {
        (self.now, self.done) = (flags.0, flags.0);
    }

    fn bin(&mut self, v: Val, bin: Bin, a: Val, b: Val, ty: Ty) -> bool {
        let alu = match bin {
            Bin::Add => Alu::Add,
            Bin::Sub => Alu::Sub,
            Bin::And => Alu::And,
            Bin::Or => Alu::Or,
            Bin::Xor => Alu::Xor,
            Bin::AndNot => {
                self.and_not(v, a, b, ty);
                return true;
            }
            Bin::Shl | Bin::Shr | Bin::Sar | Bin::Rotr => return self.shift(v, bin, a, b, ty),
            Bin::Mul => {
                self.mul(v, a, b, ty);
                return true;
            }
            Bin::MulHiU | Bin::MulHiS if matches!(ty, Ty::I32 | Ty::I64) => {
                self.mul_hi(v, a, b, bin == Bin::MulHiS, ty);
                return true;
            }
            Bin::DivU | Bin::DivS | Bin::RemU | Bin::RemS if matches!(ty, Ty::I32 | Ty::I64) => {
                self.divide(v, bin, a, b, ty);
                return true;
            }
            Bin::Pdep | Bin::Pext => return self.by_mask(v, bin, a, b, ty),
            _ => return false,
        };
        let test = bin == Bin::And && self.is_tested_alone(v);
        if test && self.test_for_zero(v, a, b, ty) {
            return true;
        }
        // Narrow numbers are computed with 32 bits, whose flags are others.
        let exact = matches!(ty, Ty::I32 | Ty::I64);
        let flags = self.flags_after(v, |op| match (*op, bin) {
            _ if !exact => false,
            (Op::FlagsAdd(x, y), Bin::Add) | (Op::FlagsSub(x, y), Bin::Sub) => x == a && y == b,
            (Op::FlagsLogic(x), Bin::And | Bin::Or | Bin::Xor) => x == v,
            _ => false,
        });
        let flags = flags.or_else(|| self.flags_after(v, |op| (exact || test) && self.compares_with_zero(op, bin, v)));
        let step = exact.then(|| self.step_after(v, bin, a, b)).flatten();
        if let Some((f, old)) = step {
            let down = bin == Bin::Sub;
            self.step(f, Some(v), down, a, old);
            self.done = f.0;
        } else if let Some(f) = flags {
            let of_result =
                matches!(self.r.op(f), Op::FlagsLogic(_)) || matches!(*self.r.op(f), Op::FlagsSub(x, _) if x == v);
            self.clobber();
            if of_result {
                self.done = f.0;
            } else {
                // Operands that end with the flags end here.
                self.together_with(f);
            }
            if test {
                self.test(a, b, ty);
            } else {
                self.alu(v, alu, a, b, ty, Flags::Own);
            }
            self.now_hold(f, Kind::Int { inverted: matches!(self.r.op(f), Op::FlagsSub(..)) });
        } else if let Some((f, slot)) = exact.then(|| self.part_of_result_after(v, alu)).flatten() {
            if test {
                self.test(a, b, ty);
            } else {
                self.alu(v, alu, a, b, ty, Flags::Own);
            }
            self.now_hold_part(f, slot);
        } else if alu == Alu::Sub && self.host_holds_flags_of(a, b, ty) {
            // The flags stay what they are.
            self.alu(v, alu, a, b, ty, Flags::Own);
        } else if self.flagless(v, alu, a, b, ty) {
            // Done without the host's flags.
        } else if alu == Alu::Sub && matches!(ty, Ty::I32 | Ty::I64) && self.host_flags_wanted() {
            self.sub_keeping_flags(v, a, b, ty);
        } else {
            self.clobber();
            self.alu(v, alu, a, b, ty, Flags::Any);
            self.zero_tells = Some((v, self.a.here()));
        }
        true
    }

    /// Whether the host's Z is that of a comparison of `a` with `b`, zero: the instruction just written made `a`.
    fn compared_with_zero(&self, a: Val, b: Val) -> bool {
        let whole = matches!(self.r.ty(a), Ty::I32 | Ty::I64) && self.r.ty(a) == self.r.ty(self.root(a));
        whole && self.const_of(b) == Some(0) && self.zero_tells == Some((self.root(a), self.a.here()))
    }

    /// Whether the host's flags are those of a - b, and this difference is still needed for them or not at all.
    fn host_holds_flags_of(&self, a: Val, b: Val, ty: Ty) -> bool {
        let Some((f, Kind::Int { inverted: true })) = self.host.cur else { return false };
        matches!(ty, Ty::I32 | Ty::I64)
            && !f.is_none()
            && matches!(*self.r.op(f), Op::FlagsSub(x, y) if (self.root(x), self.root(y)) == (self.root(a), self.root(b)) && self.r.ty(x) == ty)
    }

    /// v = a op b by a move or lea, if it can be.
    fn flagless(&mut self, v: Val, alu: Alu, a: Val, b: Val, ty: Ty) -> bool {
        match alu {
            Alu::And => self.low_part(v, a, b),
            Alu::Add | Alu::Sub => matches!(ty, Ty::I32 | Ty::I64) && self.lea(v, alu, a, b, ty),
            _ => false,
        }
    }

    /// Whether only one operation needs `v`, and no rule for flags finds it in a home (which it may have by a write that nobody sees).
    fn is_tested_alone(&self, v: Val) -> bool {
        self.plan.uses[v.0 as usize] == 1 && self.plan.home[v.0 as usize] == NO_HOME
    }

    /// a & b for a comparison with zero alone, which follows.
    fn test_for_zero(&mut self, v: Val, a: Val, b: Val, ty: Ty) -> bool {
        let is_test = |op: &Op| matches!(*op, Op::Cmp(IntCc::Eq | IntCc::Ne, x, zero) if x == v && self.const_of(zero) == Some(0));
        let Some(cmp) = self.flags_after(v, is_test) else { return false };
        let Op::Cmp(cc, ..) = *self.r.op(cmp) else { return false };
        self.clobber();
        let cc = match self.const_of(b) {
            Some(bit) if bit.is_power_of_two() && (bit >> 31 != 0 || self.mem_of(a).is_none()) && bit >> 7 != 0 => {
                self.test_bit(a, bit.trailing_zeros(), cc == IntCc::Ne, ty)
            }
            _ => {
                self.test(a, b, ty);
                int_cc(cc)
            }
        };
        self.now_cond(cmp, HostCc::One(cc));
        self.done = cmp.0;
        true
    }

    /// Tests a bit: the condition that it is set, or not.
    fn test_bit(&mut self, a: Val, bit: u32, set: bool, ty: Ty) -> X {
        let r = self.reg(a);
        let size = wide(ty);
        let (when_set, when_clear) = if bit == ty.bits() - 1 && ty.bytes() >= 4 {
            self.a.test(size, r, r);
            (X::S, X::Ns)
        } else {
            let size = if bit < 32 { Size::D } else { size };
            self.a.bit_i(Bit::Bt, size, r, bit as u8);
            (X::B, X::Ae)
        };
        if set { when_set } else { when_clear }
    }

    /// The flags of a & b alone.
    fn test(&mut self, a: Val, b: Val, ty: Ty) {
        let size = size(ty);
        if let Some(imm) = self.imm32(b) {
            match self.rm(a) {
                Rm::Reg(r) => self.a.test_i(size, r, imm),
                Rm::Mem(m) => self.a.test_i(size, m, imm),
            }
            return;
        }
        let rb = self.reg(b);
        let ra = self.rm(a);
        self.a.test(size, ra, rb);
    }

    /// v = a & b where b is a mask of the low 8, 16 or 32 bits: a move that leaves the flags alone.
    fn low_part(&mut self, v: Val, a: Val, b: Val) -> bool {
        let part = match self.const_of(b) {
            Some(0xff) => Size::B,
            Some(0xffff) => Size::W,
            Some(0xffff_ffff) => Size::D,
            _ => return false,
        };
        let from = self.rm(a);
        let d = self.def(v, Some(a));
        match part {
            Size::D => self.a.mov(Size::D, d, from),
            part => self.a.movzx(part, d, from),
        }
        true
    }

    /// v = a op b, two-operand arithmetic.
    fn alu(&mut self, v: Val, alu: Alu, a: Val, b: Val, ty: Ty, flags: Flags) {
        let size = wide(ty);
        let commutes = !matches!(alu, Alu::Sub | Alu::Sbb);
        if let Some(imm) = self.imm32(b) {
            let before = self.loc_reg(a);
            let d = self.def(v, Some(a));
            if before != Loc::Reg(d) {
                self.copy_from(before, a, d, ty);
            }
            self.a.alu_i(alu, size, d, imm);
            return;
        }
        if commutes && self.constant_first(v, alu, a, b) {
            return;
        }
        let rb = self.rm(b);
        let before_a = self.loc_reg(a);
        let d = self.def(v, Some(a));
        if before_a == Loc::Reg(d) {
            self.a.alu(alu, size, d, rb);
        } else if rb == Rm::Reg(d) {
            match before_a {
                Loc::Reg(ra) if commutes => self.a.alu(alu, size, d, ra),
                Loc::Reg(ra) if alu == Alu::Sub && flags == Flags::Any => {
                    self.a.alu(alu, size, d, ra);
                    self.a.unary(Unary::Neg, size, d);
                }
                _ if commutes && let Some(m) = self.whole_mem_of(a) => self.a.alu(alu, size, d, m),
                _ => {
                    // d - the subtrahend - is overwritten last.
                    self.copy_from(before_a, a, SCRATCH, ty);
                    self.a.alu(alu, size, SCRATCH, d);
                    self.a.mov(size, d, SCRATCH);
                }
            }
        } else {
            self.copy_from(before_a, a, d, ty);
            self.a.alu(alu, size, d, rb);
        }
    }

    /// v = a op b where b is a wide constant for this alone and v has a home: the constant is made there.
    fn constant_first(&mut self, v: Val, alu: Alu, a: Val, b: Val) -> bool {
        let (Some(bits), Loc::None, false) = (self.const_of(b), self.loc(b), self.live_after(b)) else { return false };
        let before = self.loc_reg(a);
        let Some(d) = self.home_of(v).filter(|&d| before != Loc::Reg(d)) else { return false };
        let from = self.rm(a);
        self.def(v, None);
        self.a.mov_ri(d, bits);
        self.a.alu(alu, wide(self.r.ty(v)), d, from);
        true
    }

    /// The operand `a` into a register, from where it was before the result got its own.
    pub(super) fn copy_from(&mut self, before: Loc, a: Val, to: Reg, ty: Ty) {
        match before {
            Loc::Reg(r) if r == to => {}
            Loc::Reg(r) => self.a.mov(wide(ty), to, r),
            _ => self.copy_to(a, to),
        }
    }

    /// Addition and subtraction by lea, where the flags do not matter: it saves a move, or the flags.
    fn lea(&mut self, v: Val, alu: Alu, a: Val, b: Val, ty: Ty) -> bool {
        let size = wide(ty);
        let imm = self.imm32(b);
        if alu == Alu::Sub && imm.is_none_or(|i| i == i32::MIN) {
            return false;
        }
        let Loc::Reg(ra) = self.loc(a) else { return false };
        let wants_flags = self.host_flags_live();
        if !wants_flags {
            self.clobber();
        }
        match imm {
            Some(imm) => {
                self.reg(a);
                let d = self.def(v, Some(a));
                let disp = if alu == Alu::Sub { -imm } else { imm };
                if d == ra && !wants_flags {
                    self.a.alu_i(alu, size, d, imm);
                } else {
                    self.a.lea(size, d, Mem::base(ra, disp));
                }
            }
            None => {
                let Loc::Reg(rb) = self.loc(b) else {
                    if wants_flags {
                        self.reg(b);
                        return self.lea(v, alu, a, b, ty);
                    }
                    return false;
                };
                self.reg(a);
                self.reg(b);
                let d = self.def(v, Some(a));
                if d == ra && !wants_flags {
                    self.a.alu(Alu::Add, size, d, rb);
                } else if d == rb && !wants_flags {
                    self.a.alu(Alu::Add, size, d, ra);
                } else {
                    self.a.lea(size, d, Mem::sib(ra, rb, 0, 0));
                }
            }
        }
        true
    }

    /// a - b as a + !b + 1, which leaves the host's flags alone.
    fn sub_keeping_flags(&mut self, v: Val, a: Val, b: Val, ty: Ty) {
        let size = wide(ty);
        self.copy_to_early(a);
        self.copy_to(b, SCRATCH);
        self.a.unary(Unary::Not, size, SCRATCH);
        if let Some(imm) = self.imm32(a).and_then(|i| i.checked_add(1)) {
            let d = self.def(v, Some(b));
            return self.a.lea(size, d, Mem::base(SCRATCH, imm));
        }
        let ra = self.reg(a);
        let d = self.def(v, Some(a));
        self.a.lea(size, d, Mem::sib(ra, SCRATCH, 0, 1));
    }

    fn and_not(&mut self, v: Val, a: Val, b: Val, ty: Ty) {
        let flags = self.flags_after(v, |op| *op == Op::FlagsLogic(v));
        let part = match flags {
            None => self.part_of_result_after(v, Alu::And),
            Some(_) => None,
        };
        self.clobber();
        if let Some(f) = flags {
            self.done = f.0;
        }
        if let Some(imm) = self.imm32(b) {
            let ra = self.reg(a);
            let d = self.def(v, Some(a));
            if d != ra {
                self.a.mov(wide(ty), d, ra);
            }
            self.a.alu_i(Alu::And, wide(ty), d, !imm);
        } else {
            let rb = self.reg(b);
            let ra = self.rm(a);
            let d = self.def(v, Some(a));
            self.a.andn(wide(ty), d, rb, ra);
        }
        if let Some(f) = flags {
            self.now_hold(f, Kind::Int { inverted: false });
        }
        if let Some((f, slot)) = part {
            self.now_hold_part(f, slot);
        }
    }

    fn shift(&mut self, v: Val, bin: Bin, a: Val, b: Val, ty: Ty) -> bool {
        if !matches!(ty, Ty::I32 | Ty::I64) {
            match (bin, self.const_of(b)) {
                (Bin::Rotr, Some(n)) => {
                    self.clobber();
                    let r = self.in_scratch(a);
                    self.a.shift_i(Shift::Ror, size(ty), r, (n & u64::from(ty.bits() - 1)) as u8);
                    let d = self.def(v, None);
                    self.a.movzx(size(ty), d, r);
                    return true;
                }
                (Bin::Shl, Some(_)) => {}
                _ => return false,
            }
        }
        let size = wide(ty);
        if let Some(n) = self.const_of(b) {
            self.shift_const(v, bin, a, (n & (u64::from(ty.bits()) - 1)) as u8, ty);
            return true;
        }
        let rb = self.reg(b);
        if bin == Bin::Rotr {
            // No rotate takes its amount but in cl.
            self.clobber();
            let ra = self.in_scratch(a);
            if rb != Reg::RCX {
                let t = self.temp_at(Reg::RCX);
                self.a.mov(Size::D, t, rb);
            }
            self.a.shift_cl(Shift::Ror, size, ra);
            self.gpr.locked = 0;
            let d = self.def(v, None);
            self.a.mov(size, d, ra);
            return true;
        }
        let ra = self.rm(a);
        let d = self.def(v, Some(a));
        match bin {
            Bin::Shl => self.a.shlx(size, d, ra, rb),
            Bin::Shr => self.a.shrx(size, d, ra, rb),
            _ => self.a.sarx(size, d, ra, rb),
        }
        true
    }

    fn shift_const(&mut self, v: Val, bin: Bin, a: Val, n: u8, ty: Ty) {
        let size = wide(ty);
        if let Some((f, shift, by)) = self.shift_flags_after(v, bin, a, n) {
            return self.shift_with_flags(v, f, shift, a, by);
        }
        if bin == Bin::Rotr {
            let ra = self.rm(a);
            let d = self.def(v, Some(a));
            self.a.rorx(size, d, ra, n);
            return;
        }
        let is_flags =
            |op: &Op| matches!(*op, Op::FlagsShift { shift, v, amount, .. } if (shift, v, amount) == (bin, a, n));
        if let Some((f, slot)) = self.part_after(v, is_flags) {
            self.now = f.0;
            let ra = self.reg(a);
            let d = self.def(v, None);
            if d != ra {
                self.a.mov(size, d, ra);
            }
            self.a.shift_i(shift_of(bin), size, d, n);
            return self.now_hold(f, Kind::Part { slot, carry: true });
        }
        if self.host_flags_live() {
            let ra = self.rm(a);
            let d = self.def(v, None);
            self.a.mov_ri(SCRATCH, u64::from(n));
            match bin {
                Bin::Shl => self.a.shlx(size, d, ra, SCRATCH),
                Bin::Shr => self.a.shrx(size, d, ra, SCRATCH),
                _ => self.a.sarx(size, d, ra, SCRATCH),
            }
            return;
        }
        self.clobber();
        let ra = self.reg(a);
        let d = self.def(v, Some(a));
        if bin == Bin::Shl && n <= 3 && d != ra {
            if n == 1 {
                self.a.lea(size, d, Mem::sib(ra, ra, 0, 0));
            } else {
                self.a.lea(size, d, Mem::index(ra, n, 0));
            }
            return;
        }
        if d != ra {
            self.a.mov(size, d, ra);
        }
        self.a.shift_i(shift_of(bin), size, d, n);
    }

    /// Where `a` is, and if that is a register, locks it.
    pub(super) fn loc_reg(&mut self, a: Val) -> Loc {
        if matches!(self.loc(a), Loc::Reg(_)) {
            self.reg(a);
        }
        self.loc(a)
    }

    /// Makes sure that reading `a` later needs no register.
    pub(super) fn copy_to_early(&mut self, a: Val) {
        if matches!(self.loc(a), Loc::Cc(_)) {
            self.reg(a);
        }
    }

    fn un(&mut self, v: Val, un: Un, a: Val, ty: Ty) -> bool {
        let size = wide(ty);
        match un {
            Un::Neg | Un::Not => {
                let flags = self.flags_after(v, |op| match *op {
                    Op::FlagsSub(x, y) if matches!(ty, Ty::I32 | Ty::I64) => {
                        un == Un::Neg && y == a && self.const_of(x) == Some(0)
                    }
                    _ => false,
                });
                if un == Un::Neg || ty == Ty::I1 {
                    self.clobber();
                }
                if let Some(f) = flags {
                    self.together_with(f);
                }
                let ra = self.reg(a);
                let d = self.def(v, Some(a));
                if d != ra {
                    self.a.mov(size, d, ra);
                }
                if ty == Ty::I1 {
                    self.a.alu_i(Alu::Xor, Size::D, d, 1);
                    return true;
                }
                self.a.unary(if un == Un::Neg { Unary::Neg } else { Unary::Not }, size, d);
                if let Some(f) = flags {
                    self.now_hold(f, Kind::Int { inverted: true });
                }
            }
            Un::Clz | Un::Ctz | Un::Popcnt if matches!(ty, Ty::I32 | Ty::I64) => {
                self.clobber();
                let ra = self.rm(a);
                let d = self.def(v, Some(a));
                match un {
                    Un::Clz => self.a.lzcnt(size, d, ra),
                    Un::Ctz => self.a.tzcnt(size, d, ra),
                    _ => self.a.popcnt(size, d, ra),
                }
            }
            Un::Bswap if matches!(ty, Ty::I32 | Ty::I64) => {
                let ra = self.reg(a);
                let d = self.def(v, Some(a));
                if d != ra {
                    self.a.mov(size, d, ra);
                }
                self.a.bswap(size, d);
            }
            Un::Bitrev if matches!(ty, Ty::I32 | Ty::I64) => self.bit_reverse(v, a, size),
            _ => return false,
        }
        true
    }

    /// Bytes swapped, then the bits of each byte by halves: nibbles, pairs, neighbours.
    fn bit_reverse(&mut self, v: Val, a: Val, size: Size) {
        if self.features.gfni {
            let r = self.reg(a);
            let d = self.def(v, Some(a));
            let matrix = self.pool(splat(Lane::D, REVERSED));
            self.a.v2(if size == Size::Q { vop::VMOVQ_G } else { vop::VMOVD }, L128, XSCRATCH, r);
            self.a.v3i(vop::VGF2P8AFFINEQB, L128, XSCRATCH, XSCRATCH, matrix, 0);
            self.a.vst(if size == Size::Q { vop::VMOVQ_GST } else { vop::VMOVD_ST }, L128, d, XSCRATCH);
            self.a.bswap(size, d);
            return;
        }
        self.clobber();
        let x = self.temp();
        self.copy_to(a, x);
        self.a.bswap(size, x);
        let t = self.temp();
        for (n, mask) in [(4, 0x0f0f_0f0f_0f0f_0f0f_u64), (2, 0x3333_3333_3333_3333), (1, 0x5555_5555_5555_5555)] {
            self.a.mov_ri(SCRATCH, if size == Size::Q { mask } else { mask & 0xffff_ffff });
            self.a.mov(size, t, x);
            self.a.shift_i(Shift::Shr, size, t, n);
            self.a.alu(Alu::And, size, t, SCRATCH);
            self.a.alu(Alu::And, size, x, SCRATCH);
            self.a.shift_i(Shift::Shl, size, x, n);
            self.a.alu(Alu::Or, size, x, t);
        }
        self.gpr.locked &= !(1 << t.0);
        let d = self.def(v, None);
        self.a.mov(size, d, x);
    }

    fn zext(&mut self, v: Val, a: Val) {
        let from = self.r.ty(a);
        if from == Ty::I1 {
            let r = self.reg(a);
            let d = self.def(v, Some(a));
            // A truth value in a register is 0 or 1; the host's flags stay as they are.
            self.a.movzx(Size::B, d, r);
            return;
        }
        let root = self.root(a);
        let src = match self.mem_of(a) {
            Some(m) if self.r.ty(root).bytes() >= from.bytes() => Rm::Mem(m),
            _ => Rm::Reg(self.reg(a)),
        };
        let d = self.def(v, Some(a));
        match from {
            Ty::I8 => self.a.movzx(Size::B, d, src),
            Ty::I16 => self.a.movzx(Size::W, d, src),
            _ => self.a.mov(Size::D, d, src),
        }
    }

    fn sext(&mut self, v: Val, a: Val, ty: Ty) {
        let from = self.r.ty(a);
        if from == Ty::I1 {
            self.clobber();
            let r = self.reg(a);
            let d = self.def(v, Some(a));
            if d != r {
                self.a.mov(Size::D, d, r);
            }
            self.a.unary(Unary::Neg, wide(ty), d);
            return;
        }
        let root = self.root(a);
        let src = match self.mem_of(a) {
            Some(m) if self.r.ty(root).bytes() >= from.bytes() => Rm::Mem(m),
            _ => Rm::Reg(self.reg(a)),
        };
        let d = self.def(v, Some(a));
        self.a.movsx(wide(ty), size(from), d, src);
    }

    fn extract(&mut self, v: Val, a: Val, lsb: u32, width: u32, signed: bool, ty: Ty) {
        let size = wide(ty);
        let narrow = match width {
            8 => Some(Size::B),
            16 => Some(Size::W),
            32 => Some(Size::D),
            _ => None,
        };
        if let (0, Some(n)) = (lsb, narrow) {
            let r = self.reg(a);
            let d = self.def(v, Some(a));
            match (signed, n) {
                (false, Size::D) => self.a.mov(Size::D, d, r),
                (false, n) => self.a.movzx(n, d, r),
                (true, n) => self.a.movsx(size, n, d, r),
            }
            return;
        }
        self.clobber();
        let bits = ty.bits();
        let r = self.reg(a);
        let d = self.def(v, Some(a));
        if lsb == 0 && !signed && width < 32 {
            if d != r {
                self.a.mov(Size::D, d, r);
            }
            self.a.alu_i(Alu::And, Size::D, d, ((1u64 << width) - 1) as i32);
            return;
        }
        if d != r {
            self.a.mov(size, d, r);
        }
        if !signed && lsb + width < bits && width < 32 {
            self.a.shift_i(Shift::Shr, size, d, lsb as u8);
            self.a.alu_i(Alu::And, Size::D, d, ((1u64 << width) - 1) as i32);
            return;
        }
        if lsb + width < bits {
            self.a.shift_i(Shift::Shl, size, d, (bits - lsb - width) as u8);
        }
        self.a.shift_i(if signed { Shift::Sar } else { Shift::Shr }, size, d, (bits - width) as u8);
    }

    /// A move to the low part of a register, which leaves the rest of it and the flags.
    fn deposit_low(&mut self, v: Val, into: Val, a: Val, low: Size, ty: Ty) {
        let (from, old) = (self.reg(a), self.reg(into));
        let d = self.def(v, Some(into));
        let from = if d == from && d != old {
            self.a.mov(wide(ty), SCRATCH, from);
            SCRATCH
        } else {
            from
        };
        // What is narrower than the value that it renames may have bits above it.
        if d != old || self.r.ty(self.root(into)) != ty {
            self.a.mov(wide(ty), d, old);
        }
        self.a.mov(low, d, from);
    }

    fn deposit(&mut self, v: Val, into: Val, a: Val, lsb: u32, width: u32, ty: Ty) {
        if lsb == 0 && (width == 8 || width == 16) && self.const_of(into) != Some(0) {
            return self.deposit_low(v, into, a, if width == 8 { Size::B } else { Size::W }, ty);
        }
        self.clobber();
        let size = wide(ty);
        let field = (u64::MAX >> (64 - width)) << lsb;
        let keep = !field & ty.mask();
        // The new bits in scratch.
        if let Some(c) = self.const_of(a) {
            self.a.mov_ri(SCRATCH, c << lsb & field);
        } else {
            self.copy_to(a, SCRATCH);
            if lsb + width == ty.bits() {
                self.a.shift_i(Shift::Shl, size, SCRATCH, lsb as u8);
            } else if width < 32 {
                self.a.alu_i(Alu::And, Size::D, SCRATCH, ((1u64 << width) - 1) as i32);
                if lsb > 0 {
                    self.a.shift_i(Shift::Shl, size, SCRATCH, lsb as u8);
                }
            } else if width == 32 {
                self.a.mov(Size::D, SCRATCH, SCRATCH);
                if lsb > 0 {
                    self.a.shift_i(Shift::Shl, Size::Q, SCRATCH, lsb as u8);
                }
            } else {
                let up = 64 - width;
                self.a.shift_i(Shift::Shl, Size::Q, SCRATCH, up as u8);
                if up > lsb {
                    self.a.shift_i(Shift::Shr, Size::Q, SCRATCH, (up - lsb) as u8);
                }
            }
        }
        if self.const_of(into) == Some(0) {
            let d = self.def(v, None);
            self.a.mov(size, d, SCRATCH);
            return;
        }
        let old = self.reg(into);
        let d = self.def(v, Some(into));
        if d != old {
            self.a.mov(size, d, old);
        }
        match i32::try_from(if ty == Ty::I64 { keep as i64 } else { i64::from(keep as i32) }) {
            Ok(imm) => self.a.alu_i(Alu::And, size, d, imm),
            Err(_) if lsb == 0 => {
                self.a.shift_i(Shift::Shr, size, d, width as u8);
                self.a.shift_i(Shift::Shl, size, d, width as u8);
            }
            Err(_) if lsb + width == 64 => {
                self.a.shift_i(Shift::Shl, size, d, width as u8);
                self.a.shift_i(Shift::Shr, size, d, width as u8);
            }
            Err(_) => {
                // Cleared by rotating the field to the top: shifts need no register for the mask.
                self.a.shift_i(Shift::Ror, size, d, ((lsb + width) % 64) as u8);
                self.a.shift_i(Shift::Shl, size, d, width as u8);
                self.a.shift_i(Shift::Ror, size, d, ((64 - lsb) % 64) as u8);
                // After shifting, the kept bits stand one field higher.
            }
        }
        self.a.alu(Alu::Or, size, d, SCRATCH);
    }

    fn funnel(&mut self, v: Val, hi: Val, lo: Val, amount: u8, ty: Ty) {
        let size = wide(ty);
        if hi == lo {
            let r = self.rm(lo);
            let d = self.def(v, Some(lo));
            self.a.rorx(size, d, r, amount);
            return;
        }
        self.clobber();
        let h = self.reg(hi);
        self.copy_to(lo, SCRATCH);
        self.a.shrd_i(size, SCRATCH, h, amount);
        let d = self.def(v, Some(hi));
        self.a.mov(size, d, SCRATCH);
    }

    fn select(&mut self, v: Val, c: Val, a: Val, b: Val, ty: Ty) {
        let size = wide(ty);
        // 0 and 1: the condition itself.
        let constants = (self.const_of(a), self.const_of(b));
        if let (Some(x @ 0..=1), Some(y @ 0..=1)) = constants
            && x != y
            && let HostCc::One(cc) = self.host_cond(c)
        {
            self.a.setcc(if x == 1 { cc } else { cc.invert() }, SCRATCH);
            let d = self.def(v, None);
            self.a.movzx(Size::B, d, SCRATCH);
            return;
        }
        if !matches!(self.loc(c), Loc::Cc(_)) {
            self.clobber();
        }
        let ra = self.reg(a);
        let rb = self.reg(b);
        let cc = self.host_cond(c);
        // The condition is in the host's flags: its register may go.
        self.gpr.locked = 1 << ra.0 | 1 << rb.0;
        let d = self.def(v, Some(b));
        match cc {
            HostCc::One(cc) if d == ra => self.a.cmov(cc.invert(), size, d, rb),
            HostCc::One(cc) => {
                if d != rb {
                    self.a.mov(size, d, rb);
                } else {
                    // cmov of 32 bits clears the rest; nothing to do.
                }
                self.a.cmov(cc, size, d, ra);
            }
            HostCc::FpEq | HostCc::FpNe => {
                let (x, y) = if cc == HostCc::FpEq { (ra, rb) } else { (rb, ra) };
                self.a.mov(size, SCRATCH, x);
                self.a.cmov(X::Ne, size, SCRATCH, y);
                self.a.cmov(X::P, size, SCRATCH, y);
                self.a.mov(size, d, SCRATCH);
            }
        }
    }

    /// a + b + C, a - b - !C, with their flags if those follow.
    fn value_with_carry(&mut self, v: Val, alu: Alu, a: Val, b: Val, f: Val) {
        let exact = matches!(self.r.ty(a), Ty::I32 | Ty::I64);
        let flags = self.flags_after(v, |op| match (*op, alu) {
            _ if !exact => false,
            (Op::FlagsAdc(x, y, g), Alu::Adc) => x == a && y == b && carry_of(self.r, g) == carry_of(self.r, f),
            (Op::FlagsSbc(x, y, g), Alu::Sbb) => x == a && y == b && g == f,
            _ => false,
        });
        if let Some(flags) = flags {
            self.with_carry(flags, Some(v), alu, a, b, f);
            self.done = flags.0;
        } else {
            self.carry_arithmetic(Some(v), alu, a, b, f, self.now);
        }
    }

    /// The flags `flags` of a ± b ± C, and the value too if asked.
    pub(super) fn with_carry(&mut self, flags: Val, value: Option<Val>, alu: Alu, a: Val, b: Val, f: Val) {
        self.carry_arithmetic(value, alu, a, b, f, flags.0);
        self.now_hold(flags, Kind::Int { inverted: alu == Alu::Sbb });
    }

    fn carry_arithmetic(&mut self, value: Option<Val>, alu: Alu, a: Val, b: Val, f: Val, last: u32) {
        let ty = self.r.ty(a);
        let size = wide(ty);
        // A constant, or a register.
        let right = match self.imm32(b) {
            Some(imm) => Err(imm),
            None => Ok(self.reg(b)),
        };
        self.copy_to_early(a);
        match alu {
            Alu::Adc => {
                let (f, opposite) = carry_of(self.r, f);
                self.carry_in(f, opposite, last);
            }
            _ => self.carry_in(f, true, last),
        }
        self.now = last;
        let Some(v) = value else {
            self.copy_to(a, SCRATCH);
            return self.alu_with(alu, size, SCRATCH, right);
        };
        let before = self.loc_reg(a);
        let d = self.def(v, Some(a));
        if right == Ok(d) && before != Loc::Reg(d) {
            self.copy_from(before, a, SCRATCH, ty);
            self.alu_with(alu, size, SCRATCH, right);
            self.a.mov(size, d, SCRATCH);
        } else {
            self.copy_from(before, a, d, ty);
            self.alu_with(alu, size, d, right);
        }
    }

    fn alu_with(&mut self, alu: Alu, size: Size, d: Reg, right: Result<Reg, i32>) {
        match right {
            Ok(r) => self.a.alu(alu, size, d, r),
            Err(imm) => self.a.alu_i(alu, size, d, imm),
        }
    }
}

pub(super) fn shift_of(bin: Bin) -> Shift {
    match bin {
        Bin::Shl => Shift::Shl,
        Bin::Shr => Shift::Shr,
        _ => Shift::Sar,
    }
}

fn int_cc(cc: IntCc) -> X {
    match cc {
        IntCc::Eq => X::E,
        IntCc::Ne => X::Ne,
        IntCc::Ult => X::B,
        IntCc::Ule => X::Be,
        IntCc::Ugt => X::A,
        IntCc::Uge => X::Ae,
        IntCc::Slt => X::L,
        IntCc::Sle => X::Le,
        IntCc::Sgt => X::G,
        IntCc::Sge => X::Ge,
    }
}
