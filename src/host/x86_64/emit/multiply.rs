//! Products and quotients of integers.

use super::super::SCRATCH;
use super::super::alloc::{Loc, wide};
use super::super::asm::{Alu, Cc as X, Reg, Rm, Size, Unary};
use super::Emitter;
use super::cold::Cold;
use super::flags::Kind;
use ir::{Bin, Op, Ty, Val};

impl Emitter<'_> {
    pub(super) fn mul(&mut self, v: Val, a: Val, b: Val, ty: Ty) {
        self.clobber();
        let size = wide(ty);
        let flags = self.product_flags_after(v, true, a, b, ty);
        if let Some(f) = flags {
            self.together_with(f);
        }
        self.multiply(v, a, b, ty, size);
        if let Some(f) = flags {
            self.now_hold(f, Kind::Int { inverted: true });
        }
    }

    /// v = a * b, with the flags of the host's instruction.
    fn multiply(&mut self, v: Val, a: Val, b: Val, ty: Ty, size: Size) {
        if let Some(imm) = self.imm32(b) {
            let ra = self.rm(a);
            let d = self.def(v, Some(a));
            self.a.imul_i(size, d, ra, imm);
            return;
        }
        let rb = self.rm(b);
        let before = self.loc_reg(a);
        let d = self.def(v, Some(a));
        if before == Loc::Reg(d) {
            self.a.imul(size, d, rb);
        } else if rb == Rm::Reg(d) {
            match before {
                Loc::Reg(ra) => self.a.imul(size, d, ra),
                _ => {
                    self.copy_from(before, a, SCRATCH, ty);
                    self.a.imul(size, d, SCRATCH);
                }
            }
        } else {
            self.copy_from(before, a, d, ty);
            self.a.imul(size, d, rb);
        }
    }

    /// The flags of the product of `a` and `b`, if they follow: the host's multiplication leaves them.
    fn product_flags_after(&self, v: Val, signed: bool, a: Val, b: Val, ty: Ty) -> Option<Val> {
        let exact = matches!(ty, Ty::I32 | Ty::I64);
        self.flags_after(v, |op| exact && *op == Op::FlagsProduct { signed, a, b })
    }

    pub(super) fn mul_hi(&mut self, v: Val, a: Val, b: Val, signed: bool, ty: Ty) {
        self.clobber();
        let size = wide(ty);
        let flags = self.product_flags_after(v, signed, a, b, ty);
        if let Some(f) = flags {
            self.together_with(f);
        }
        let rb = self.reg(b);
        let ra = self.reg(a);
        if rb != Reg::RDX && ra != Reg::RDX {
            self.temp_at(Reg::RDX);
        }
        let other = if ra == Reg::RDX { rb } else { ra };
        let multiplier = if ra == Reg::RDX { ra } else { rb };
        // rdx is overwritten: an operand in it that lives on moves away.
        self.save_if_live(Reg::RDX);
        self.a.mov(size, SCRATCH, multiplier);
        self.a.unary(if signed { Unary::Imul } else { Unary::Mul }, size, other);
        self.result_of_rdx(v, size);
        if let Some(f) = flags {
            self.now_hold(f, Kind::Int { inverted: true });
        }
    }

    /// If the register holds a value needed after this operation, that value moves elsewhere; the bits stay where they are too.
    fn save_if_live(&mut self, r: Reg) {
        let held = self.gpr.holds[r.0 as usize];
        if !held.is_none() && self.live_after(held) {
            self.temp_at(r);
        } else if !held.is_none() {
            self.gpr.holds[r.0 as usize] = Val::NONE;
            self.set_loc(held, Loc::None);
        }
        self.gpr.locked |= 1 << r.0;
    }

    /// Division as [`ir::Bin`] has it: by zero 0 (and 0 as the remainder), no overflow.
    pub(super) fn divide(&mut self, v: Val, bin: Bin, a: Val, b: Val, ty: Ty) {
        let size = wide(ty);
        let signed = matches!(bin, Bin::DivS | Bin::RemS);
        let remainder = matches!(bin, Bin::RemU | Bin::RemS);
        let rest = if signed { Bin::RemS } else { Bin::RemU };
        let other = if remainder { None } else { self.flags_after(v, |op| *op == Op::Bin(rest, a, b)) };
        let dies = self.begin_both(other);
        self.clobber();
        self.copy_to_early(a);
        let mut rb = self.reg(b);
        if rb == Reg::RDX {
            let t = self.temp();
            self.a.mov(size, t, rb);
            rb = t;
        }
        let a_reg = self.loc(a);
        self.copy_from(a_reg, a, SCRATCH, ty);
        self.save_if_live(Reg::RDX);
        let (zero, done) = (self.a.label(), self.a.label());
        self.a.test(size, rb, rb);
        self.a.jcc(X::E, zero);
        if signed {
            let (minus, divide) = (self.a.label(), self.a.label());
            self.a.alu_i(Alu::Cmp, size, rb, -1);
            self.a.jcc(X::E, minus);
            self.a.bind(divide);
            self.a.cdq(size);
            self.a.unary(Unary::Idiv, size, rb);
            self.a.jmp(done);
            self.a.bind(minus);
            self.a.unary(Unary::Neg, size, SCRATCH);
            self.a.mov_ri(Reg::RDX, 0);
        } else {
            self.a.mov_ri(Reg::RDX, 0);
            self.a.unary(Unary::Div, size, rb);
        }
        self.a.jmp(done);
        self.a.bind(zero);
        self.a.mov_ri(SCRATCH, 0);
        self.a.mov_ri(Reg::RDX, 0);
        self.a.bind(done);
        self.quotient_and_remainder(v, remainder, other, size);
        self.after_rule(dies);
    }

    /// The remainder is made along with the quotient: its home may be what the flags' rule is made of. Whether the flags die with it.
    fn begin_both(&mut self, other: Option<Val>) -> bool {
        let Some(r) = other else { return false };
        let fails = self.host.rule_fails;
        let dies = self.before_rule_is_lost(r.0);
        self.host.rule_fails |= fails;
        self.together_with(r);
        dies
    }

    /// Results of the host's division: the value, and the other one if it follows.
    fn quotient_and_remainder(&mut self, v: Val, remainder: bool, other: Option<Val>, size: Size) {
        if remainder {
            return self.result_of_rdx(v, size);
        }
        self.gpr.locked = 0;
        if let Some(r) = other {
            self.gpr.locked |= 1 << Reg::RDX.0;
            let d = self.def(r, None);
            self.a.mov(size, d, Reg::RDX);
            self.gpr.locked = 1 << d.0;
        }
        let d = self.def(v, None);
        self.a.mov(size, d, SCRATCH);
    }

    /// A dividend of two halves. The divisor is above the upper half, or the results are 0.
    pub(super) fn divide_wide(&mut self, v: Val, remainder: bool, hi: Val, lo: Val, divisor: Val, ty: Ty) {
        let size = wide(ty);
        let is_other = |op: &Op| *op == Op::DivWide { remainder: true, hi, lo, divisor };
        let other = if remainder { None } else { self.flags_after(v, is_other) };
        let dies = self.begin_both(other);
        self.clobber();
        let mut d = self.reg(divisor);
        if d == Reg::RDX {
            let t = self.temp();
            self.a.mov(size, t, d);
            d = t;
        }
        self.copy_to_early(hi);
        let lo_at = self.loc_reg(lo);
        if self.loc(hi) != Loc::Reg(Reg::RDX) {
            if lo_at == Loc::Reg(Reg::RDX) {
                self.copy_from(lo_at, lo, SCRATCH, ty);
            }
            self.save_if_live(Reg::RDX);
            if lo_at != Loc::Reg(Reg::RDX) {
                self.copy_from(lo_at, lo, SCRATCH, ty);
            }
            self.copy_to(hi, Reg::RDX);
        } else {
            self.copy_from(lo_at, lo, SCRATCH, ty);
            self.save_if_live(Reg::RDX);
        }
        let (none, done) = (self.a.label(), self.a.label());
        self.a.alu(Alu::Cmp, size, Reg::RDX, Rm::Reg(d));
        self.a.jcc(X::Ae, none);
        self.a.unary(Unary::Div, size, d);
        self.a.bind(done);
        self.cold.push(Cold::NoQuotient { label: none, back: done });
        self.quotient_and_remainder(v, remainder, other, size);
        self.after_rule(dies);
    }

    /// The result is in rdx. The operands are not needed any more: rdx, if no other, is free for it.
    fn result_of_rdx(&mut self, v: Val, size: Size) {
        self.a.mov(size, SCRATCH, Reg::RDX);
        self.gpr.locked = 0;
        let d = self.def(v, None);
        self.a.mov(size, d, SCRATCH);
    }
}
